"""Single corruptions of a page's formulas: what a tired hand writes. Each is false, as the page's own model decides."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from elman.calculus.expression import (
    Add,
    BigSum,
    Call,
    Derivative,
    Expression,
    Negative,
    Product,
    Subtract,
    Symbol,
    Transpose,
    children,
    with_children,
)
from elman.calculus.printing.render import latex
from elman.errors import FormulaError
from elman.notes.judge.checker import Checker, JudgedPage
from elman.notes.judge.judgement import Judgement
from elman.notes.repair.edits import shifted

TWINS = {
    "z": "h", "h": "z", "delta_1": "delta_2", "delta_2": "delta_1", "W_h": "W_e", "W_e": "W_h", "y": "y_hat",
    "y_hat": "y", "e": "x", "gamma": "delta_2", "a": "b", "b": "a",
}  # fmt: skip


@dataclass(frozen=True)
class Corruption:
    """One formula made wrong: the page's text with it, which part of which statement, and what was done."""

    kind: str
    text: str
    statement: int
    part: int
    left: Expression
    expression: Expression


def at_every_node(e: Expression, change: object) -> Iterator[tuple[str, Expression]]:
    """`e` with one of its nodes changed, for every node and change."""
    for kind, other in change(e):  # type: ignore[operator]
        yield kind, other
    below = children(e)
    for i, child in enumerate(below):
        for kind, other in at_every_node(child, change):
            yield kind, with_children(e, (*below[:i], other, *below[i + 1 :]))


def node_changes(e: Expression, letters: dict[str, Symbol]) -> Iterator[tuple[str, Expression]]:
    if isinstance(e, Transpose):
        yield "transpose dropped", e.of
    elif isinstance(e, Symbol):
        yield "transpose added", Transpose(e)
    if isinstance(e, Product) and e.operator in ("", "·"):
        yield "factors swapped", replace(e, left=e.right, right=e.left)
        yield "∘ for product", replace(e, operator="∘")
        for kept, dropped in ((e.left, e.right), (e.right, e.left)):
            if isinstance(dropped, Symbol | Transpose):
                yield "factor dropped", kept
    if isinstance(e, Product) and e.operator == "∘":
        yield "product for ∘", replace(e, operator="")
        yield "⊗ for ∘", replace(e, operator="⊗")
    if isinstance(e, Add):
        yield "sign", Subtract(e.left, e.right)
    if isinstance(e, Subtract):
        yield "sign", Add(e.left, e.right)
    if isinstance(e, Negative):
        yield "sign", e.of
    if isinstance(e, Call) and e.function in ("sigmoid", "tanh"):
        yield "function", replace(e, function="tanh" if e.function == "sigmoid" else "sigmoid", latex="")
    if isinstance(e, Symbol):
        for other in shifted(e):
            yield "time step", other
        twin = TWINS.get(e.name)
        if twin in letters:
            letter = letters[twin]
            yield "letter", replace(letter, time=e.time if letter.time is not None else None)
    if isinstance(e, BigSum) and e.lower is not None and e.upper is not None:
        yield "bound", replace(e, upper=replace(e.upper, offset=e.upper.offset - 1))


def left_changes(e: Expression) -> Iterator[tuple[str, Expression]]:
    if isinstance(e, Derivative):
        for other in shifted(e):
            if not (isinstance(other, Derivative) and e.at is not None and other.at is None):
                yield "left time step", other


def corruptions(page: JudgedPage, count: int, seed: int = 0) -> list[Corruption]:
    """`count` of them, spread over kinds and formulas by chance, each false by value."""
    rng = random.Random(seed)
    checker = page.checker
    letters = {s.name: s for s in checker.sampling.letters(None)}
    found: dict[str, list[Corruption]] = {}
    for j in page.judgements.values():
        if j.statement.formula.kind != "display":
            continue
        if isinstance(j.expression, Derivative) and isinstance(j.expression.of, Symbol):
            continue
        for kind, other in at_every_node(j.expression, lambda e: node_changes(e, letters)):
            if _is_false(checker, j, j.left, other):
                found.setdefault(kind, []).append(_made(checker, j, kind, j.left, other))
        if j.part == 1 and len(j.statement.parts) == 2:
            for kind, other in left_changes(j.left):
                if _is_false(checker, j, other, j.expression):
                    found.setdefault(kind, []).append(_made(checker, j, kind, other, j.expression))
    for group in found.values():
        rng.shuffle(group)
    chosen: list[Corruption] = []
    while len(chosen) < count and any(found.values()):
        for kind in sorted(found):
            if found[kind] and len(chosen) < count:
                chosen.append(found[kind].pop())
    return chosen


def _is_false(checker: Checker, j: Judgement, left: Expression, part: Expression) -> bool:
    try:
        return not checker.agree(j.statement, left, part).any
    except FormulaError:
        return True


def _made(checker: Checker, j: Judgement, kind: str, left: Expression, part: Expression) -> Corruption:
    text, base = checker.page.text, j.statement.formula.start
    start, end = (base + n for n in j.statement.region(j.part))
    first, last = (base + n for n in j.statement.region(0))
    written = text[:start] + latex(part) + text[end:]
    if left != j.left:
        written = text[:first] + latex(left) + text[last:]
    return Corruption(kind, written, j.statement.number, j.part, left, part)
