"""Second derivatives: Hessians, mixed ones and those of vectors, by complex step and by central differences."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

from elman.calculus.derive_formula import derive
from elman.calculus.values.verify import points
from elman.cli import main
from elman.errors import FormulaError

# formula | by | and by | second derivative | shapes
HESSIANS = r"""
x^T A x | x | x | A + A^T |
\|A x - b\|^2 | x | x | 2 A^T A | A=m,n
x^T A y | x | y | A | A=m,n
\sin(a^T x) | x | x | -sin(a^T x) a a^T |
\|x\| | x | x | I_n / ‖x‖ - x x^T / ‖x‖^3 | x=n
-(t^T \ln \sigma(X w) + (1 - t)^T \ln(1 - \sigma(X w))) | w | w | X^T diag(σ'(X w)) X | t=m X=m,n w=n
logsumexp(A x) | x | x | A^T (diag(softmax(A x)) - softmax(A x) softmax(A x)^T) A | A=m,n
c x^T x | c | x | 2 x | c=1
x^3 | x | x | 6 x | x=1
x^k | x | k | x^{k - 1} (1 + ln(x) k) | x=1 k=1
tr(X^T A X) | X | X | ∂²f/∂X_{ij} ∂X_{kl} = δ_{jl} A_{ik} + δ_{jl} A_{ki} | X=m,n
a^T X b | X | a | ∂²f/∂X_{ij} ∂a_k = δ_{ik} b_j | X=m,n
"""
ROWS = [tuple(part.strip() for part in f"{line} ".split(" | ")) for line in HESSIANS.strip().splitlines()]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_second_derivative(row: tuple[str, ...]) -> None:
    formula, first, second, expected, text = row
    shapes = dict(part.split("=", 1) for part in text.split())
    found = derive(formula, (first, second), shapes=shapes)
    assert found.text == expected
    assert found.error < 1e-9
    assert found.json()["wrt"] == [first, second]
    (point,) = points(found.shapes, set(), seed=7, count=1)
    values = {s.name: v for s, v in point.values.items()}
    gradient = derive(formula, first, shapes=shapes)
    x = values[second]
    slopes = []
    for k in range(x.size):
        step = np.zeros(x.size)
        step[k] = 1e-6
        moved = [gradient.evaluate({**values, second: x + sign * step.reshape(x.shape)}) for sign in (1, -1)]
        slopes.append((moved[0] - moved[1]) / 2e-6)
    true = np.moveaxis(np.array(slopes), 0, -1)
    value = found.evaluate(values)
    assert np.allclose(value.reshape(-1), true.reshape(-1), rtol=1e-5, atol=1e-6)


def test_the_command_takes_two_symbols() -> None:
    done = CliRunner().invoke(main, ["derive", "x^T A y", "--wrt", "x", "--wrt", "y", "--as", "text"])
    assert done.output == "A\n"
    done = CliRunner().invoke(main, ["derive", "A x", "--wrt", "x", "--wrt", "x"])
    assert "∂²f_i/∂x_j ∂x_k = 0" in done.output


def test_what_is_no_second_derivative_is_refused() -> None:
    with pytest.raises(FormulaError, match="by one symbol or by two, not by 3"):
        derive("x^T x", ("x", "x", "x"))
    with pytest.raises(FormulaError, match="second derivative of a nuclear norm is not known"):
        derive(r"\|X\|_*", ("X", "X"))
