"""Variants of an expression within a few edits: what the writer may have meant.

An edit drops or adds a transpose, swaps two factors, replaces a matrix product by ∘, or changes a symbol, a time step
or a sign. The variants of a node are made of those of its children and kept by value, so that thousands of spellings
cost no more than the dozens of values that they have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np

from elman.calculus.expression import (
    Add,
    BigSum,
    Call,
    Expression,
    Inverse,
    Matrix,
    Negative,
    Number,
    Power,
    Product,
    Subtract,
    Symbol,
    Transpose,
    children,
    with_children,
)
from elman.calculus.functions import Array
from elman.calculus.printing.render import text
from elman.calculus.values.evaluate import add, evaluate, transpose
from elman.calculus.values.sums import sum_range
from elman.errors import FormulaError
from elman.notes.judge.verdict import Verdict
from elman.notes.repair.edits import EDIT, Edit, Variant, bounds, distinct, flatten, over_other_indices
from elman.notes.repair.factor_chains import MOST_FACTORS, more_factors, products
from elman.notes.repair.omissions import omissions, other_axis
from elman.notes.repair.search_space import SearchSpace, combined
from elman.notes.repair.substitutions import substitutions

_MOST_CELLS = 16  # of a matrix whose cells are edited


class Search:
    """All variants of an expression in one search space. A `budget` here is the cost of the edits that are allowed."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space

    def variants(self, e: Expression, budget: int) -> list[Variant]:
        """The variants of `e` that cost at most `budget`, the cheapest first."""
        found = self._unturned(e, budget)
        if budget >= EDIT and not isinstance(e, Transpose | Number):
            turned = [
                Variant(
                    transpose(v.value), v.cost + EDIT, Transpose(v.expression),
                    (*v.edits, Edit(Verdict.MISSING_TRANSPOSE, f"transpose {text(v.expression)}")),
                )
                for v in found
                if v.cost + EDIT <= budget and v.value.shape[-2:] != (1, 1)
            ]  # fmt: skip
            found = distinct([*found, *turned])
        return found

    def of_whole(self, e: Expression, budget: int) -> list[Variant]:
        """The variants of a whole side, those with one more factor included."""
        found = self.variants(e, budget)
        if self.space.insert and budget >= EDIT and not (isinstance(e, Product) and e.operator != "/"):
            found = distinct([*found, *more_factors(self.space, e)])
        return found

    def _unturned(self, e: Expression, budget: int) -> list[Variant]:
        if isinstance(e, Product) and e.operator in ("", "·", "@", "∘", "⊗"):
            if len(flatten(e)[0]) > MOST_FACTORS:
                return distinct(self._leaf(e, 0))
            return products(self.space, e, budget, self.variants)
        table: dict[type[Expression], Callable[..., Iterable[Variant]]] = {
            Transpose: self._transpose, Add: self._sum, Subtract: self._sum, Negative: self._negative, Call: self._call,
            Product: self._quotient, BigSum: self._big_sum, Inverse: self._inside, Power: self._inside,
            Matrix: self._matrix,
        }  # fmt: skip
        make = table.get(type(e))
        return distinct(self._leaf(e, budget) if make is None else make(e, budget))

    def _leaf(self, e: Expression, budget: int) -> Iterator[Variant]:
        """The variants of an expression that is not taken apart: itself, and what may have been meant instead."""
        value = self.space.value(e)
        if value is not None:
            yield Variant(value, 0, e)
        if budget < EDIT:
            return
        for other, edit in substitutions(self.space, e):
            if self.space.budget.is_exhausted():
                return
            value = self.space.value(other)
            if value is not None:
                yield Variant(value, EDIT, other, (edit,))

    # --- nodes ---

    def _transpose(self, e: Transpose, budget: int) -> Iterator[Variant]:
        for v in self.variants(e.of, budget):
            yield Variant(transpose(v.value), v.cost, Transpose(v.expression), v.edits)
            if v.cost + EDIT <= budget:
                edit = Edit(Verdict.EXTRA_TRANSPOSE, f"no transpose of {text(v.expression)}")
                yield Variant(v.value, v.cost + EDIT, v.expression, (*v.edits, edit))

    def _negative(self, e: Negative, budget: int) -> Iterator[Variant]:
        for v in self.of_whole(e.of, budget):
            yield Variant(-v.value, v.cost, Negative(v.expression), v.edits)
            if v.cost + EDIT <= budget:
                yield Variant(v.value, v.cost + EDIT, v.expression, (*v.edits, Edit(Verdict.SIGN, "no minus sign")))

    def _sum(self, e: Add | Subtract, budget: int) -> Iterator[Variant]:
        node = type(e)
        other: type[Add] | type[Subtract] = Subtract if node is Add else Add
        sign = 1 if node is Add else -1
        lefts, rights = self.of_whole(e.left, budget), self.of_whole(e.right, budget)
        for a in lefts:
            if self.space.budget.is_exhausted():
                return
            for b in rights:
                cost = a.cost + b.cost
                if cost > budget:
                    break
                self.space.budget.meter.count(1)
                try:
                    value = add(a.value, sign * b.value, e)
                except FormulaError:
                    continue
                edits = (*a.edits, *b.edits)
                yield Variant(value, cost, node(a.expression, b.expression), edits)
                if cost + EDIT <= budget:
                    flipped = Edit(Verdict.SIGN, f"{'-' if sign > 0 else '+'} {text(b.expression)}")
                    yield Variant(
                        add(a.value, -sign * b.value, e),
                        cost + EDIT,
                        other(a.expression, b.expression),
                        (*edits, flipped),
                    )
                    if sign < 0:
                        swapped = Edit(Verdict.SIGN, f"{text(b.expression)} - {text(a.expression)}")
                        yield Variant(-value, cost + EDIT, Subtract(b.expression, a.expression), (*edits, swapped))
        yield from self._one_side(e, lefts, rights, budget)
        if self.space.insert and budget >= EDIT:
            yield from self._more_terms(e)
            yield from self._in_parentheses(e)

    def _one_side(
        self, e: Add | Subtract | Product, lefts: list[Variant], rights: list[Variant], budget: int
    ) -> Iterator[Variant]:
        for kept, dropped in ((lefts, e.right), (rights, e.left)):
            for v in kept:
                if v.cost + EDIT <= budget:
                    edit = Edit(Verdict.FALSE, f"without {text(dropped)}")
                    yield Variant(v.value, v.cost + EDIT, v.expression, (*v.edits, edit))

    def _more_terms(self, e: Expression) -> Iterator[Variant]:
        value = self.space.value(e)
        if value is None:
            return
        for letter in self.space.at_times():
            if self.space.budget.is_exhausted():
                return
            for node in (Add, Subtract):
                other = node(e, letter)
                found = self.space.value(other)
                if found is not None and found.shape == value.shape:
                    yield Variant(found, EDIT, other, (Edit(Verdict.FALSE, f"with {text(letter)}"),))

    def _in_parentheses(self, e: Add | Subtract) -> Iterator[Variant]:
        """a (b + c), where a b + c is written."""
        product = e.left
        if not isinstance(product, Product) or product.operator not in ("", "·"):
            return
        other = replace(product, right=replace(e, left=product.right))
        value = self.space.value(other)
        if value is not None:
            words = f"parentheses around {text(other.right)}"
            yield Variant(value, EDIT, other, (Edit(Verdict.OPERATOR, words),))

    def _call(self, e: Call, budget: int) -> Iterator[Variant]:
        if len(e.arguments) != 1:
            yield from self._leaf(e, budget)
            if budget >= EDIT:
                swapped = replace(e, arguments=e.arguments[::-1])
                value = self.space.value(swapped)
                if value is not None:
                    yield Variant(value, EDIT, swapped, (Edit(Verdict.ORDER, "the arguments swapped"),))
            return
        same: list[tuple[Call, tuple[Edit, ...]]] = [(e, ())]
        if budget >= EDIT:
            for name in ("sigmoid", "tanh", "relu", "exp", "ln"):
                if name != e.function and e.function in ("sigmoid", "tanh", "relu", "exp", "ln"):
                    other = replace(e, function=name, latex="")
                    same.append((other, (Edit(Verdict.OPERATOR, f"{name}, not {e.function}"),)))
            if e.primes:
                same.append((replace(e, primes=0), (Edit(Verdict.OPERATOR, f"{e.function}, not its derivative"),)))
            elif e.function in ("sigmoid", "tanh", "relu"):
                same.append((replace(e, primes=1), (Edit(Verdict.OPERATOR, f"the derivative of {e.function}"),)))
            same += [(other, (Edit(kind, words),)) for other, kind, words in other_axis(e)]
            if e.function == "softmax" and e.axis is None:
                same += [(replace(e, axis=a), (Edit(Verdict.OPERATOR, f"along axis {a}"),)) for a in (0, 1)]
        for v in self.of_whole(e.arguments[0], budget):
            for call, edits in same:
                if v.cost + EDIT * len(edits) > budget:
                    continue
                value = self._applied(call, v.value)
                if value is not None:
                    yield Variant(
                        value, v.cost + EDIT * len(edits), replace(call, arguments=(v.expression,)), (*v.edits, *edits)
                    )
            if v.cost + EDIT <= budget:
                edit = Edit(Verdict.OPERATOR, f"without {e.function}")
                yield Variant(v.value, v.cost + EDIT, v.expression, (*v.edits, edit))
        if self.space.insert and budget >= EDIT:
            for wider, kind, words in omissions(e, self.space.oracle):
                value = self.space.value(wider)
                if value is not None:
                    yield Variant(value, EDIT, wider, (Edit(kind, words),))

    def _applied(self, e: Expression, value: Array) -> Array | None:
        scope = replace(self.space.oracle.values.scope(self.space.indices), symbol=lambda s, _: value)
        try:
            with np.errstate(all="ignore"):
                return np.asarray(evaluate(with_children(e, (Symbol("u"), *_rest(e))), scope))
        except FormulaError:
            return None

    def _inside(self, e: Inverse | Power, budget: int) -> Iterator[Variant]:
        for v in self.variants(e.of, budget):
            value = self._applied(e, v.value)
            if value is not None:
                yield Variant(value, v.cost, replace(e, of=v.expression), v.edits)
            if v.cost + EDIT <= budget:
                edit = Edit(Verdict.OPERATOR, f"no {'inverse' if isinstance(e, Inverse) else 'power'}")
                yield Variant(v.value, v.cost + EDIT, v.expression, (*v.edits, edit))

    def _matrix(self, e: Matrix, budget: int) -> Iterator[Variant]:
        """A matrix of numbers with another number in one of its cells."""
        whole, cells = self.space.value(e), children(e)
        if whole is None:
            return
        yield Variant(whole, 0, e)
        columns = len(e.rows[0])
        if budget < EDIT or len(cells) > _MOST_CELLS or whole.shape[-2:] != (len(e.rows), columns):
            return
        for k, cell in enumerate(cells):
            for v in self.of_whole(cell, budget):
                if v.cost and v.value.shape == (*whole.shape[:-2], 1, 1):
                    value = np.array(whole)
                    value[..., k // columns, k % columns] = v.value[..., 0, 0]
                    yield Variant(value, v.cost, with_children(e, (*cells[:k], v.expression, *cells[k + 1 :])), v.edits)

    def _quotient(self, e: Product, budget: int) -> Iterator[Variant]:
        lefts, rights = self.of_whole(e.left, budget), self.of_whole(e.right, budget)
        for a in lefts:
            if self.space.budget.is_exhausted():
                return
            for b in rights:
                if a.cost + b.cost > budget:
                    break
                self.space.budget.meter.count(1)
                edits = (*a.edits, *b.edits)
                for operator in ("/", "∘", ""):
                    cost = a.cost + b.cost + EDIT * (operator != "/")
                    node = Product(a.expression, b.expression, operator)
                    value = combined(a.value, b.value, node) if cost <= budget else None
                    if value is not None:
                        edit = () if operator == "/" else (Edit(Verdict.OPERATOR, "a product, no quotient"),)
                        yield Variant(value, cost, node, (*edits, *edit))
                if a.cost + b.cost + EDIT <= budget:
                    node = Product(b.expression, a.expression, "/")
                    value = combined(b.value, a.value, node)
                    if value is not None:
                        swapped = Edit(Verdict.ORDER, "numerator and denominator swapped")
                        yield Variant(value, a.cost + b.cost + EDIT, node, (*edits, swapped))
        yield from self._one_side(e, lefts, rights, budget)

    def _big_sum(self, e: BigSum, budget: int) -> Iterator[Variant]:
        if len(self.space.frames) > 1:
            yield from self._leaf(e, budget)
            return
        try:
            inside = self.space.oracle.values.scope(
                {**self.space.indices, **{n: r[0] for n, r in self.space.frames if r}}
            )
            over = sum_range(e, inside, evaluate)
        except FormulaError:
            return
        if not over or len(over) > 50:
            return
        inner = replace(self.space, frames=(*self.space.frames, (e.index, over)))
        depth = len(self.space.frames)
        for v in Search(inner).of_whole(e.body, budget):
            shape = (*(len(r) for _, r in inner.frames), *v.value.shape[-2:])
            value = np.broadcast_to(v.value, shape).sum(axis=depth)
            yield Variant(value, v.cost, replace(e, body=v.expression), v.edits)
        if budget >= EDIT:
            for other in bounds(e):
                value_ = self.space.value(other)
                if value_ is not None:
                    yield Variant(
                        value_, EDIT, other, (Edit(Verdict.TIME, f"the sum from {other.lower} to {other.upper}"),)
                    )
            for other in over_other_indices(e):
                value_ = self.space.value(other)
                if value_ is not None:
                    yield Variant(value_, EDIT, other, (Edit(Verdict.ARGUMENT, f"the sum over {other.index}"),))


def _rest(e: Expression) -> tuple[Expression, ...]:
    return (e.exponent,) if isinstance(e, Power) else ()
