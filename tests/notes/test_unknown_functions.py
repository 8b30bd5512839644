"""Functions that a page applies: what it says of them by their derivatives, and claims that fail whatever they are."""

from __future__ import annotations

from elman.notes import check
from elman.notes.judge.verdict import Claim
from elman.notes.page.reader import page_of


def claims(*formulas: str) -> list[Claim]:
    return list(check(page_of("\n\n".join(f"$$ {formula} $$" for formula in formulas))).claims)


DIGAMMA = r"\psi(z) = \frac{d \ln \Gamma(z)}{d z}"
BETA = r"B = \ln\Gamma(a) + \ln\Gamma(r) - \ln\Gamma(a + r)"


def test_a_function_that_is_the_derivative_of_another() -> None:
    by_a = r"\frac{\partial B}{\partial a} = \psi(a) - \psi(a + r)"
    by_r = r"\frac{\partial B}{\partial r} = \psi(r) - \psi(a + r)"
    assert [c.good for c in claims(DIGAMMA, BETA, by_a, by_r)] == [True] * 4
    assert claims(DIGAMMA, BETA, by_a, by_r.replace("- ", "+ "))[-1].is_wrong
    density = r"f(y) = \frac{d F(y)}{d y}"
    power = r"L = F(a y)^2"
    assert claims(density, power, r"\frac{\partial L}{\partial y} = 2 a F(a y) f(a y)")[-1].good
    assert claims(density, power, r"\frac{\partial L}{\partial y} = 2 F(a y) f(a y)")[-1].is_wrong


def test_gamma_before_a_parenthesis_is_a_function() -> None:
    assert not claims(BETA, r"\frac{\partial B}{\partial a} = \psi(a) - \psi(a + r)")[-1].is_wrong


def test_a_claim_that_does_not_depend_on_an_unknown_function() -> None:
    model = r"H = \ln\Gamma(k) - \frac{1}{2} \ln (1 + s (u - m)^2)"
    assert claims(model, r"\frac{\partial H}{\partial u} = -\frac{s (u - m)}{1 + s (u - m)^2}")[-1].good
    assert claims(model, r"\frac{\partial H}{\partial u} = -\frac{s (u - m)}{(1 + (u - m)^2)^3}")[-1].is_wrong
    unknown = claims(model, r"\frac{\partial H}{\partial k} = \frac{\Gamma(k + 1)}{k \Gamma(k)}")[-1]
    assert not unknown.good
    assert not unknown.is_wrong


def test_a_step_from_a_row_that_is_doubted_is_doubted() -> None:
    rows = (
        r"\begin{aligned} \frac{\partial Q}{\partial r}"
        r" &= 2 c r \mathrm{K} \\ &= \mathrm{K} (c r + r c) \end{aligned}"
    )
    found = claims(r"Q = c r^2", rows)
    assert not found[1].good
    assert not found[2].good
