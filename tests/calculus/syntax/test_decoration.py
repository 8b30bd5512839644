"""Decoration is taken off: frames, colours, labelled braces, fonts around whole formulas; what it surrounds stays."""

from __future__ import annotations

import pytest
from reading import read

from elman.calculus.syntax.parse import read_formula

DECORATED = [
    (r"\boxed{u = A v}", "u = A v"),
    (r"u = \boxed{A v + b}", "u = A v + b"),
    (r"u = \boxed{a + b} c", "u = (a + b) c"),
    (r"u = \color{red}{A v} + b", "u = A v + b"),
    (r"{\color{blue} u = A v}", "u = A v"),
    (r"u = \textcolor{red}{a + b} c", "u = (a + b) c"),
    (r"\bbox[5px,border:2px solid red]{u = A v}", "u = A v"),
    (r"\colorbox{yellow}{u = A v}", "u = A v"),
    (r"u = \underbrace{A v}_{\text{the input}} + \overbrace{b}^{\text{bias}}", "u = A v + b"),
    (r"u \overset{!}{=} A v", "u = A v"),
    (r"u \stackrel{\text{def}}{=} A v", "u := A v"),
    (r"u \overset{\triangle}{=} A v", "u := A v"),
    (r"\mathrm{u = A v + b}", "u = A v + b"),
    (r"\mathbf{u} = \bold{A} \boldsymbol v", "u = A v"),
    (r"{\bf u} = {\rm relu}(v)", "u = relu(v)"),
    (r"\boldsymbol{u_i} = \mathbf{v_i}", "u_i = v_i"),
    (r"u = \Big( A v \Big) \, \! \; ~ + \displaystyle b", "u = A v + b"),
    (r"u \colon= A v", "u := A v"),
    (r"u = A \cdotp v", "u = A · v"),
    (r"u = A v \hfill \nonumber", "u = A v"),
    (r"u = A v \\[2pt]", "u = A v"),
    (r"u = \vec{a} + \underline{b}", "u = a + b"),
    (r"u \not= v", "u ≠ v"),
    (r"u = \begin{matrix} a + \\ b + c \\ \end{matrix}", "u = a + b + c"),
    (r"u = v \begin{array}{l} a b \\ + c \\ - a \end{array}", "u = v (a b + c - a)"),
    ("∂L/∂W ≔ xᵀ𝐀 + ½ hₜ₋₁", "∂L/∂W := x^T A + 1/2 h_{t-1}"),
]


@pytest.mark.parametrize(("formula", "statement"), DECORATED)
def test_decoration_is_taken_off(formula: str, statement: str) -> None:
    assert read(formula) == [statement]


def test_places_are_those_of_the_source() -> None:
    formula = r"\boxed{u = A v} \\ w = \color{red}{B u}"
    first, second = read_formula(formula).relations
    assert [formula[a:b].strip() for a, b in first.regions] == ["u", "A v"]
    assert [formula[a:b].strip() for a, b in second.regions] == ["w", r"\color{red}{B u}"]
