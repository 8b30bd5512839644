"""Functions of each entry: values, derivatives by complex step and by central differences, names, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from elman.calculus.derive_formula import derive
from elman.calculus.expression import Symbol
from elman.calculus.functions import ELEMENTWISE, SPELLINGS
from elman.calculus.values.environment import Environment
from elman.calculus.values.evaluate import evaluate
from elman.errors import FormulaError

INSIDE = np.linspace(-0.87, 0.91, 8).reshape(-1, 1)  # every function but those of `ELSEWHERE` has a value here
ELSEWHERE = {
    **dict.fromkeys(("ln", "sqrt", "log2", "log10"), INSIDE + 1.5),
    "arccosh": INSIDE + 2.5,
    "hinge": 3 * INSIDE,
}
X = Symbol("x")


def at(x: np.ndarray) -> Environment:  # type: ignore[type-arg]
    return Environment(lambda s, _: x)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_derivative_of_each_function_three_ways(name: str) -> None:
    function = ELEMENTWISE[name]
    x = ELSEWHERE.get(name, INSIDE)
    slope = np.broadcast_to(evaluate(function.derivative(X), at(x)), x.shape)
    assert np.allclose(function.value(x + 1e-30j).imag / 1e-30, slope, rtol=1e-13, atol=1e-15)
    differences = (function.value(x + 1e-6) - function.value(x - 1e-6)) / 2e-6
    assert np.allclose(differences, slope, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_value_of_a_real_argument_is_real_and_needs_no_overflow(name: str) -> None:
    with np.errstate(all="raise"):
        values = ELEMENTWISE[name].value(ELSEWHERE.get(name, INSIDE))
    assert np.isrealobj(values)
    assert np.isfinite(values).all()


@pytest.mark.parametrize("name", ["softplus", "logsigmoid", "elu", "leakyrelu", "softsign", "hinge"])
def test_functions_of_networks_are_finite_far_from_0(name: str) -> None:
    with np.errstate(over="raise", invalid="raise"):
        assert np.isfinite(ELEMENTWISE[name].value(np.array([[-1e4], [1e4]]))).all()


@pytest.mark.parametrize(
    ("formula", "gradient"),
    [
        (r"\sum_i \arcsin(x_i)", "1 / sqrt(1 - x^{∘2})"),
        (r"\operatorname{arcsinh}(a^T x)", "a / sqrt(1 + (a^T x)^2)"),
        (r"\mathbf{1}^T \operatorname{log1p}(x)", "1 / (1 + x)"),
        (r"\operatorname{log2}(a^T x)", "a / (ln(2) (a^T x))"),
        ("np.sum(np.expm1(x))", "exp(x)"),
        ("torch.sum(torch.atanh(x))", "1 / (1 - x^{∘2})"),
        ("F.softplus(a.T @ x)", "σ(a^T x) a"),
    ],
)
def test_gradients_as_a_person_writes_them(formula: str, gradient: str) -> None:
    found = derive(formula, "x")
    assert found.text == gradient
    assert found.error < 1e-12


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_means_a_function(spelling: str) -> None:
    assert SPELLINGS[SPELLINGS[spelling]] == SPELLINGS[spelling]


@pytest.mark.parametrize(
    ("formula", "gradient"),
    [
        (r"\sum_i \max(0, x_i - a_i)", "step(x - a)"),
        ("np.sum(np.maximum(1, x))", "step(x - 1)"),
        (r"\max(a^T x, 0)^2", "2 relu(a^T x) a"),
        ("np.sum(np.minimum(x, 3))", "step(3 - x)"),
        ("np.sum(np.clip(x, -1, 1))", "step(x + 1) - step(x - 1)"),
        (r"\mathrm{hinge}(a^T x)", "-step(1 - a^T x) a"),
        (r"\mathbf{1}^T \operatorname{erf}(x)", "2 exp(-x^{∘2}) / sqrt(π)"),
    ],
)
def test_the_larger_and_the_smaller_of_two(formula: str, gradient: str) -> None:
    found = derive(formula, "x")
    assert found.text == gradient
    assert found.error < 1e-12


@pytest.mark.parametrize(
    "formula", ["np.sum(np.maximum(a, x)**2)", "np.sum(np.clip(x, a, b) * c)", r"\min(a^T x, x^T x)"]
)
def test_two_arguments_that_vary(formula: str) -> None:
    assert derive(formula, "x", shapes={"a": "n", "x": "n"}).error < 1e-12


def test_an_answer_says_which_subgradient_it_takes() -> None:
    assert derive(r"\mathrm{relu}(a^T x)", "x").conventions == ("at 0, where relu has no derivative, 0 is taken",)
    assert "arguments of max are equal" in derive(r"\max(a^T x, 1)", "x").conventions[0]
    assert derive("x^T x", "x").conventions == ()


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        (r"\max(x)", "the max of all entries is not read"),
        (r"\max x", "takes 2 arguments"),
        ("np.clip(x, 1)", r"takes \d arguments"),
    ],
)
def test_a_wrong_number_of_arguments_is_refused(formula: str, reason: str) -> None:
    with pytest.raises(FormulaError, match=reason):
        derive(formula, "x")
