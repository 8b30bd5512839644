"""Derivatives of derivatives on pages: Hessians, ∂δ/∂w of a letter δ for a derivative, ∂/∂x of a gradient."""

from __future__ import annotations

import numpy as np
import pytest

from elman.notes import check
from elman.notes.judge.verdict import GOOD
from elman.notes.oracle.evaluation_point import STEP, UncheckedError
from elman.notes.oracle.finite_steps import differences, with_steps
from elman.notes.page.reader import page_of

FORWARD = (
    r"$$q = r^T K r + c^T r, \quad p = \sigma(u^T r), \quad J = -s \ln p - (1-s) \ln(1-p)$$"
    "\n\n"
    r"$$d = \frac{\partial J}{\partial u}$$"
)

RIGHT = {
    "a Hessian": (r"\frac{\partial^2 q}{\partial r \partial r^T} = K + K^T", "K + K^T", "K + K"),
    "of a gradient": (r"\frac{\partial}{\partial r} (\frac{\partial q}{\partial r}) = K + K^T", "K + K^T", "2 K"),
    "of a transposed gradient": (
        r"\frac{\partial}{\partial u} \left(\frac{\partial J}{\partial u}\right)^T = p (1 - p) r r^T", "1 - p", "1 + p"
    ),
    "by entries": (
        r"\frac{\partial^2 J}{\partial u_i \partial u_j} = p (1 - p) r_i r_j", "1 - p", "1 + p"
    ),
    "nabla": (r"\nabla_u^2 J = p (1 - p) r r^T", "1 - p", "1 + p"),
    "of a letter for a derivative": (r"\frac{\partial d}{\partial u} = p (1 - p) r r^T", "1 - p", "1 + p"),
    "of an equation with a derivative": (
        r"\frac{\partial}{\partial u} \left(\frac{\partial J}{\partial p} p\right) = (1 - s) \frac{p}{1 - p} r",
        "(1 - s)", "(1 + s)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_a_second_derivative_is_judged_by_value(name: str) -> None:
    formula, right, wrong = RIGHT[name]
    for written, holds in ((formula, True), (formula.replace(right, wrong), False)):
        last = check(page_of(f"{FORWARD}\n\n$$ {written} $$")).claims[-1]
        assert (last.verdict in GOOD, last.is_wrong) == (holds, not holds), last.diagnosis


def test_differences_are_exact_where_a_function_bends() -> None:
    x = np.array([[0.05], [0.4], [1.3]])
    stepped = with_steps(x + 1j * STEP * np.eye(3).reshape(3, 3, 1))
    found = differences(np.log(stepped), 3)  # [3,3,3,1]
    values, slopes = found.real, found.imag / STEP
    for i in range(3):
        assert values[i, 0, i, 0] == pytest.approx(1 / x[i, 0], rel=1e-9)
        assert slopes[i, i, i, 0] == pytest.approx(-1 / x[i, 0] ** 2, rel=1e-9)


def test_differences_of_what_bends_too_fast_are_refused() -> None:
    with pytest.raises(UncheckedError):
        differences(np.sin(1e4 * with_steps(np.array([[0.3]]))), 1)


def test_what_is_not_stepped_has_the_derivative_zero() -> None:
    assert np.array_equal(differences(np.ones((2, 3)), 4), np.zeros((4, 2, 3)))


def test_a_third_derivative_is_not_checked() -> None:
    formula = r"\frac{\partial}{\partial r} \frac{\partial}{\partial r} \frac{\partial q}{\partial r} = 0"
    report = check(page_of(f"$$q = r^3$$\n\n$$ {formula} + 6 $$"))
    assert report.holds
