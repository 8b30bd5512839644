"""What derive takes undeclared symbols for, in words, and which other usual reading has another answer."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

from elman.calculus.derive_formula import derive
from elman.cli import main
from elman.errors import FormulaError


def lines(*arguments: str) -> dict[str, str]:
    """The report of `elman derive` by the first word of each line."""
    done = CliRunner().invoke(main, ["derive", *arguments])
    assert done.exit_code == 0, done.output
    return dict(line.split(None, 1) for line in done.output.splitlines())


@pytest.mark.parametrize(
    ("formula", "wrt", "answer", "assumed"),
    [
        ("v^T z + d", "z", "v", ("v is a column of n", "z is a column of n", "d is a number")),
        (r"\|s - M \omega\|^2", r"\omega", "-2 M^T (s - M ω)",
         ("s is a column of m", "M is a matrix of m × n", "ω is a column of n")),
        ("z^4", "z", "4 z^3", ("z is a number",)),
        (r"d \cdot z", "z", "d", ("d is a column of n", "z is a column of n")),
        (r"\sum_i (v^T z_i - s_i)^2", "v", "2 z (z^T v - s)",
         ("v is a column of m", "z is a matrix of m × n with a column z_i for each i", "s is a column of n")),
    ],
)  # fmt: skip
def test_an_answer_says_what_it_assumed(formula: str, wrt: str, answer: str, assumed: tuple[str, ...]) -> None:
    found = derive(formula, wrt)
    assert found.text == answer
    assert found.assumptions == assumed
    assert lines(formula, "--wrt", wrt)["assumed"] == ", ".join(assumed)


def test_another_usual_reading_with_another_answer_is_told() -> None:
    told = lines(r"\tanh(z)", "--wrt", "z")
    assert told["denominator"] == "diag(1 - tanh(z)^{∘2})   [n,n]"
    assert told["otherwise"] == "if z is a number: 1 - tanh(z)^2   [1,1]"
    assert derive(r"\tanh(z)", "z").json()["other_reading"] == {
        "assumption": "z is a number", "text": "1 - tanh(z)^2", "latex": r"1 - \tanh(z)^2",
    }  # fmt: skip
    assert "otherwise" not in lines(r"\tanh(z)", "--wrt", "z", "--shape", "z=k")
    assert "otherwise" not in lines("v^T z + d", "--wrt", "z")


def test_a_name_that_is_a_size_of_a_shape_is_that_size() -> None:
    found = derive(r"\frac{1}{r} \|M z - s\|^2", "z", shapes={"M": "r,d"})
    assert found.text == "2 M^T (M z - s) / r"
    assert found.assumptions[0] == "r is a size"
    m, z, s = np.ones((4, 2)), np.ones((2, 1)), np.zeros((4, 1))
    np.testing.assert_allclose(found.evaluate({"M": m, "z": z, "s": s}), [[4.0], [4.0]])
    with pytest.raises(FormulaError, match="r is a size of this formula: a derivative is by a quantity"):
        derive(r"\frac{1}{r} \|M z - s\|^2", "r", shapes={"M": "r,d"})


@pytest.mark.parametrize("wrt", [r"\omega", "ω", "omega"])
def test_a_greek_letter_may_be_written_in_three_ways(wrt: str) -> None:
    assert derive(r"v^T \omega", wrt).text == "v"
    told = lines(r"\|M \omega\|^2", "--wrt", wrt, "--shape", f"{wrt}=d", "--shape", "M=r,d")
    assert told["denominator"] == "2 M^T M ω   [d,1]"
    assert "assumed" not in told
