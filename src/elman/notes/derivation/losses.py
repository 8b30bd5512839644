"""Which equation of a page is its loss, and what a loss without time steps is of a model with them.

L = Σ_t J^(t) is derived as J^(t), whose gradients add up; L = f(h^(T)) as L^(t) = f(h^(t)), at the last step t = T.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from elman.calculus.expression import (
    BigSum,
    Expression,
    Index,
    Negative,
    Number,
    Product,
    Symbol,
    shift_time,
    symbols,
    transform,
    walk,
)
from elman.calculus.forward_equations import LOSS_STEP, Equation
from elman.calculus.matrix_form.sum_terms import summands
from elman.calculus.shapes.inference import SCALAR
from elman.errors import FormulaError
from elman.notes.derivation.unread import first_unread
from elman.notes.model.page_model import TIME, PageModel

_LAST = "T"


@dataclass(frozen=True, slots=True)
class Loss:
    """The equation of the loss that is derived, at step t in a model with time steps. `total` is the equation that adds
    it up over the steps; `is_last`: it is the page's loss at the last step alone.
    """

    equation: Equation
    total: Equation | None = None
    is_last: bool = False


def loss_name(model: PageModel) -> str:
    """The name whose derivatives the page takes, or else the one number that no other equation uses.

    Raises `FormulaError` where there is none or more than one.
    """
    named = [name for name in sorted(model.roles.losses) if name in model.equations]
    if named:
        return named[0]
    used = {
        s.name for name, found in model.equations.items() for d in found for s in symbols(d.value) if s.name != name
    }
    shapes = {**model.derived, **model.shapes}
    ends = [name for name in model.equations if name not in used and shapes.get(name, SCALAR) == SCALAR]
    if len(ends) == 1:
        return ends[0]
    if len(ends) > 1:
        raise FormulaError(
            f"{', '.join(sorted(ends))} are numbers that no other equation uses, and each may be the loss: "
            "write one that depends on all of them, as in J = R + K"
        )
    unread = first_unread(model)
    raise FormulaError(
        "the page has no loss: write J = …, a number that no other equation uses" + (f"; {unread}" if unread else "")
    )


def with_last_steps(model: PageModel) -> PageModel:
    """The model with h_T as h at the last step, where h has time steps and h_T no equation or shape of its own."""

    def change(node: Expression) -> Expression:
        stem = node.name.removesuffix(f"_{_LAST}") if isinstance(node, Symbol) else ""
        if not isinstance(node, Symbol) or node.time is not None or stem == node.name or stem not in model.timed:
            return node
        if node.name in model.equations or node.name in model.shapes:
            return node
        return replace(node, name=stem, time=Index(_LAST), latex=stem)

    equations = {
        name: tuple(replace(d, value=transform(d.value, change)) for d in found)
        for name, found in model.equations.items()
    }
    return model if equations == model.equations else replace(model, equations=equations)


def loss_of(equation: Equation, total: Equation | None, taken: set[str]) -> Loss:
    """The loss that is derived, from the page's `equation` of it; `total` is one of the same name that adds it up, and
    `taken` are the names of the page.
    """
    times = {s.time for s in symbols(equation.right) if s.time is not None}
    if times and all(time.variable == _LAST for time in times):
        right = shift_time(equation.right, _LAST, LOSS_STEP)
        return Loss(Equation(replace(equation.left, time=LOSS_STEP), right), is_last=True)
    if equation.left.time is not None:
        return Loss(equation, total if total is not None and _big_sum(total.right) is not None else None)
    found = _big_sum(equation.right)
    return Loss(equation) if found is None else _summed(equation, found, taken)


def _summed(equation: Equation, found: BigSum, taken: set[str]) -> Loss:
    """L = Σ_t J^(t), where J^(t) gets a letter if it has none."""
    body = shift_time(found.body, found.index, LOSS_STEP)
    if isinstance(body, Symbol):
        return Loss(Equation(body, body), equation)
    letter = next(name for name in ("J", "C", "E", "ell", "J_t") if name not in taken)
    step = Symbol(letter, LOSS_STEP, r"\ell" if letter == "ell" else letter)
    adding = replace(found, index=TIME, body=step)
    total = transform(equation.right, lambda node: adding if node == found else node)
    return Loss(Equation(step, body), replace(equation, right=total))


def _big_sum(e: Expression) -> BigSum | None:
    """The sum over the steps in `e`, where one summand of `e` is it, times a number, and no other has time steps:
    (1/T) Σ_t J^(t) + λ ‖W‖^2.
    """
    found = [(part, node) for part in summands(e) for node in walk(part) if isinstance(node, BigSum)]
    over_time = [(part, node) for part, node in found if any(_is_at(s, node.index) for s in symbols(node.body))]
    if len(over_time) != 1:
        return None
    part, first = over_time[0]
    others = [s for other in summands(e) if other is not part for s in symbols(other)]
    around = walk(transform(part, lambda node: Number(Fraction(1)) if node == first else node))
    is_scaled = all(isinstance(node, Number | Product | Negative) or node == Symbol(_LAST) for node in around)
    return first if is_scaled and all(s.time is None for s in others) else None


def _is_at(s: Symbol, variable: str) -> bool:
    return s.time is not None and s.time.variable == variable
