"""Variants of a product of several factors: every way to group and to join them within a few edits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeAlias

from elman.calculus.expression import Expression, Ones, Product, Transpose
from elman.calculus.printing.render import text
from elman.calculus.values.evaluate import transpose
from elman.notes.judge.verdict import Verdict
from elman.notes.repair.edits import EDIT, REGROUP, Edit, Variant, distinct, flatten
from elman.notes.repair.search_space import SearchSpace, combined

VariantsOf: TypeAlias = Callable[[Expression, int], list[Variant]]
MOST_FACTORS = 7  # of a product that is taken apart


def products(space: SearchSpace, e: Product, budget: int, variants: VariantsOf) -> list[Variant]:
    """Every way to group and to join the factors of `e`, the written way the cheapest.

    `budget` is the cost of the edits allowed; `variants` gives those of a factor.
    """
    factors, operators, written = flatten(e)
    n = len(factors)
    table: dict[tuple[int, int], list[Variant]] = {(i, i): variants(f, budget) for i, f in enumerate(factors)}
    for size in range(2, n + 1):
        for i in range(n - size + 1):
            j = i + size - 1
            joined = [
                v for k in range(i, j) for v in _joined(space, table[i, k], table[k + 1, j], operators[k], budget)
            ]
            if (i, j) not in written:
                joined = [replace(v, cost=v.cost + REGROUP) for v in joined if v.cost + REGROUP <= budget + REGROUP * n]
            for v in table[i, j - 1] if budget >= EDIT else ():
                if v.cost + EDIT <= budget:
                    edit = Edit(Verdict.FALSE, f"without {text(factors[j])}")
                    joined.append(Variant(v.value, v.cost + EDIT, v.expression, (*v.edits, edit)))
            for v in table[i + 1, j] if budget >= EDIT and i == 0 else ():
                if v.cost + EDIT <= budget:
                    edit = Edit(Verdict.FALSE, f"without {text(factors[i])}")
                    joined.append(Variant(v.value, v.cost + EDIT, v.expression, (*v.edits, edit)))
            if (i, j) != (0, n - 1) and budget >= EDIT:
                joined += [
                    Variant(
                        transpose(v.value), v.cost + EDIT, Transpose(v.expression),
                        (*v.edits, Edit(Verdict.MISSING_TRANSPOSE, f"transpose {text(v.expression)}")),
                    )
                    for v in joined
                    if v.cost + EDIT <= budget and v.value.shape[-2:] != (1, 1)
                ]  # fmt: skip
            table[i, j] = distinct(joined)
    found = table[0, n - 1]
    if space.insert and budget >= EDIT:
        found = distinct([*found, *more_factors(space, e)])
    return found


def _joined(
    space: SearchSpace, lefts: list[Variant], rights: list[Variant], operator: str, budget: int
) -> Iterator[Variant]:
    other = {"": ("∘",), "·": ("∘",), "@": ("∘",), "∘": ("",), "⊗": ("∘", "")}[operator]
    limit = budget + 3 * REGROUP
    for a in lefts:
        if space.budget.is_exhausted():
            return
        for b in rights:
            cost = a.cost + b.cost
            if cost > limit:
                break
            space.budget.meter.count(1)
            edits = (*a.edits, *b.edits)
            node = Product(a.expression, b.expression, operator)
            value = combined(a.value, b.value, node)
            if value is not None:
                yield Variant(value, cost, node, edits)
            if cost + EDIT > limit:
                continue
            for instead in other:
                node = Product(a.expression, b.expression, instead)
                value = combined(a.value, b.value, node)
                if value is not None and not (instead == "" and 1 in (a.value.shape[-1] * a.value.shape[-2],)):
                    edit = Edit(Verdict.OPERATOR, _instead_of(instead, operator))
                    yield Variant(value, cost + EDIT, node, (*edits, edit))
            if operator != "∘":
                node = Product(b.expression, a.expression, operator)
                value = combined(b.value, a.value, node)
                if value is not None:
                    edit = Edit(Verdict.ORDER, f"{text(b.expression)} before {text(a.expression)}")
                    yield Variant(value, cost + EDIT, node, (*edits, edit))


def more_factors(space: SearchSpace, e: Expression) -> Iterator[Variant]:
    """Variants with one more factor, at either end of a product or of one of its factors."""
    ones = [Ones(name) for name, size in space.oracle.point.sizes if size > 1]
    for letter in (*space.at_times(), *ones):
        if space.budget.is_exhausted():
            return
        for operator in ("", "∘"):
            for factor in (letter, Transpose(letter)):
                for other in _inserted(e, factor, operator):
                    value = space.value(other)
                    if value is not None:
                        kind = Verdict.BATCH if isinstance(letter, Ones) else Verdict.FALSE
                        yield Variant(value, EDIT, other, (Edit(kind, f"with the factor {text(factor)}"),))


def _inserted(e: Expression, factor: Expression, operator: str) -> Iterator[Expression]:
    yield Product(factor, e, operator)
    yield Product(e, factor, operator)
    if isinstance(e, Product) and e.operator in ("", "·", "@", "∘"):
        yield replace(e, left=Product(e.left, factor, operator))
        yield replace(e, right=Product(factor, e.right, operator))


def _instead_of(instead: str, operator: str) -> str:
    names = {"": "a matrix product", "·": "a matrix product", "@": "a matrix product", "∘": "∘", "⊗": "⊗"}
    return f"{names[instead]}, not {names[operator]}"
