"""The smallest repairs of a claim, found by a search over edits and proved by value.

The search looks for an expression near the written one whose value is the true one at one point. A repair is offered
only if it then agrees with every oracle, at every time step and index.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from elman.calculus.expression import (
    Call,
    Derivative,
    Expression,
    Negative,
    Number,
    Ones,
    Product,
    Subtract,
    Symbol,
    Transpose,
    symbols,
    transform,
    walk,
)
from elman.calculus.functions import Array
from elman.calculus.printing.render import text
from elman.calculus.values.evaluate import transpose
from elman.errors import FormulaError
from elman.notes.judge.verdict import Verdict
from elman.notes.model.page_model import TIME
from elman.notes.oracle.agreement import agreement, assignments, close, compare, is_per_column, part_value, scaled_to
from elman.notes.oracle.budget import Budget
from elman.notes.oracle.evaluation_point import OutOfRangeError
from elman.notes.oracle.oracle import Oracle
from elman.notes.repair.edits import EDIT, Edit, Variant, shifted, times_around
from elman.notes.repair.explanation import Candidate
from elman.notes.repair.search import Search
from elman.notes.repair.search_space import SearchSpace

_DEEPEST = 4  # edits of one repair
_MOST = 6  # repairs of one claim that are offered
_SMALL = 40  # nodes of a formula in which two letters at a time are replaced


@dataclass(frozen=True)
class Repairer:
    """Repairs claims: the first of `oracles` is searched, all of them prove.

    `letters` may replace others. `numerator`: the page's gradients are in numerator layout. `either_way`: the left side
    is a letter whose declared shape does not decide its orientation. The search ends with what it has once `budget` is
    exhausted.
    """

    oracles: Sequence[Oracle]
    letters: tuple[Symbol, ...]
    budget: Budget
    numerator: bool = False
    either_way: bool = False

    def repairs(self, left: Expression, part: Expression, needs_small: bool = False) -> list[Candidate]:
        """The smallest repairs of `left = part`, the best first; a derivative may be repaired in either layout.

        `needs_small`: the search ends where no repair of a single edit holds.
        """
        best: dict[bool, list[Candidate]] = {}
        reached = _DEEPEST
        circular = says_itself(self.oracles[0], left, part)
        for depth in range(1, _DEEPEST + 1):
            for found in self._at_depth(left, part, depth):
                kept = best.setdefault(found.turned, [])
                if (kept and found.cost > kept[0].cost) or any(
                    k.part == found.part and k.left == found.left for k in kept
                ):
                    continue
                if _is_degenerate(found.part) and not _is_degenerate(part):
                    continue
                if not circular and says_itself(self.oracles[0], found.left, found.part):
                    continue
                if self._proved(found, edited_left=found.left != left):
                    if kept and found.cost < kept[0].cost:
                        kept.clear()
                    kept.append(found)
            if best.get(self.numerator) or (any(best.values()) and depth > reached) or self.budget.is_exhausted():
                break
            if needs_small and not any(best.values()):
                break
            reached = min([f.cost // EDIT for kept in best.values() for f in kept], default=_DEEPEST)
        repairs = [f for kept in best.values() for f in kept]
        return sorted(repairs, key=lambda f: (f.turned, f.cost, f.left != left, *_plainness(f)))[:_MOST]

    # --- candidates ---

    def _at_depth(self, left: Expression, part: Expression, depth: int) -> Iterator[Candidate]:
        oracle, budget = self.oracles[0], depth * EDIT
        indices = self._assignment(left, part)
        if indices is None:
            return
        small = sum(1 for _ in walk(part)) <= _SMALL
        letters = self.letters if depth == 1 or (depth == 2 and small) else ()
        plain = SearchSpace(oracle, indices, self.budget)
        search = Search(replace(plain, letters=letters, insert=depth == 1, times=times_around(left, part)))
        for new_left, left_edits in self._lefts(left, depth):
            goal = self._goal(new_left, indices)
            if goal is None:
                continue
            rest = budget - EDIT * len(left_edits)
            for variant in search.of_whole(part, rest):
                yield from self._matching(variant, goal, new_left, left_edits)
            if self.budget.is_exhausted():
                return
            if left_edits:
                continue
            for renamed, edit in self._renamed(part):
                for variant in Search(plain).variants(renamed, rest - EDIT):
                    more = replace(variant, cost=variant.cost + EDIT, edits=(edit, *variant.edits))
                    yield from self._matching(more, goal, new_left, left_edits)
                if self.budget.is_exhausted():
                    return
        yield from self._swapped(left, part)

    def _assignment(self, left: Expression, part: Expression) -> dict[str, int] | None:
        """Time steps and indices at which to search: where the values differ, if both sides have one."""
        valued: list[dict[str, int]] = []
        other: list[dict[str, int]] = []
        edge: list[dict[str, int]] = []
        with suppress(FormulaError):  # too many of them, or a condition has no value: those that were seen have to do
            for indices in assignments(self.oracles[0], (left, part)):
                goal = self._goal(left, indices)
                try:
                    value: Array | None = part_value(self.oracles[0], part, indices)[0]
                except OutOfRangeError:
                    edge += [indices] if goal is not None else []
                    continue
                except FormulaError:
                    value = None
                if goal is not None and value is not None and not compare(goal, value).plain and np.abs(goal).max() > 0:
                    return indices
                (valued if goal is not None else other).append(indices)
                if self.budget.is_exhausted():
                    break
        inner = [i for i in valued if all(v in (1, 2, 3) for k, v in i.items() if k != TIME)]
        return next(iter([*inner, *valued, *other, *edge]), None)

    def _goal(self, left: Expression, indices: dict[str, int]) -> Array | None:
        try:
            return part_value(self.oracles[0], left, indices)[0]
        except FormulaError:
            return None

    def _lefts(self, left: Expression, depth: int) -> Iterator[tuple[Expression, tuple[Edit, ...]]]:
        """The left side as written, then with one edit."""
        yield left, ()
        for other in shifted(left):
            yield other, (Edit(Verdict.TIME, f"on the left {text(other)}"),)
        if depth > 1:
            return
        named = [s for s in self.letters if s.name in self.oracles[0].model.named]
        if isinstance(left, Symbol) and left.name in self.oracles[0].model.named:
            for letter in named:
                if letter.name != left.name:
                    other = replace(letter, time=left.time)
                    yield other, (Edit(Verdict.ARGUMENT, f"on the left {text(other)}"),)
        if isinstance(left, Derivative) and isinstance(left.wrt, Symbol):
            for letter in self.letters:
                if letter.name != left.wrt.name and letter.name not in self.oracles[0].model.named:
                    wrt = replace(letter, time=left.wrt.time) if letter.time is not None else letter
                    yield replace(left, wrt=wrt), (Edit(Verdict.ARGUMENT, f"on the left ∂/∂{text(wrt)}"),)

    def _renamed(self, part: Expression) -> Iterator[tuple[Expression, Edit]]:
        """The part with one letter replaced by another throughout: h by z."""
        oracle = self.oracles[0]
        for name in sorted({s.name for s in symbols(part)}):
            if sum(isinstance(n, Symbol) and n.name == name for n in walk(part)) < 2:
                continue
            for letter in self.letters:
                if letter.name != name and oracle.values.shape_of(letter.name) == oracle.values.shape_of(name):
                    yield (
                        with_letters(part, {name: letter}),
                        Edit(Verdict.ARGUMENT, f"{letter_text(letter)}, not {name_text(name, part)}"),
                    )

    def _swapped(self, left: Expression, part: Expression) -> Iterator[Candidate]:
        """Both sides with two letters of the same shape exchanged."""
        oracle = self.oracles[0]
        names = sorted({s.name for s in symbols(left) | symbols(part)})
        for i, a in enumerate(names):
            for b in names[i + 1 :]:
                if (
                    oracle.values.shape_of(a) != oracle.values.shape_of(b)
                    or not (_has(left, a) or _has(left, b))
                    or not (_has(part, a) or _has(part, b))
                ):
                    continue
                one, two = self._letter(a), self._letter(b)
                if one is None or two is None:
                    continue
                both = [with_letters(e, {a: two, b: one}) for e in (left, part)]
                edit = Edit(Verdict.ARGUMENT, f"{letter_text(one)} and {letter_text(two)} swapped")
                yield Candidate(both[0], both[1], EDIT, (edit,))

    def _letter(self, name: str) -> Symbol | None:
        return next((s for s in self.letters if s.name == name), None)

    def _matching(self, v: Variant, goal: Array, left: Expression, left_edits: tuple[Edit, ...]) -> Iterator[Candidate]:
        cost, edits = v.cost + EDIT * len(left_edits), (*left_edits, *v.edits)
        if v.value.ndim != 2:
            return
        if goal.shape == (1, 1) and v.value.shape[0] == 1 < v.value.shape[1] and is_per_column(self.oracles[0], left):
            v = replace(v, value=v.value.sum(1, keepdims=True))  # a loss per column: J is their sum
        either_way = (isinstance(left, Derivative) or self.either_way) and goal.shape[0] != goal.shape[1]
        if close(goal, v.value):
            yield Candidate(left, v.expression, cost, edits)
        elif either_way and close(goal, transpose(v.value)):
            yield Candidate(left, v.expression, cost, edits, turned=True)
        elif close(goal, -v.value):
            yield Candidate(left, Negative(v.expression), cost + EDIT, (*edits, Edit(Verdict.SIGN, "the sign")))
        else:
            yield from self._batch(v, goal, left, cost, edits)

    def _batch(
        self, v: Variant, goal: Array, left: Expression, cost: int, edits: tuple[Edit, ...]
    ) -> Iterator[Candidate]:
        """Repairs of a missing sum over the batch, or of a missing factor or division by a size."""
        oracle = self.oracles[0]
        names = {size: name for name, size in oracle.point.sizes}
        m, n = v.value.shape
        if goal.shape == (m, 1) and n in names and close(goal, v.value.sum(1, keepdims=True)):
            edit = Edit(Verdict.BATCH, f"summed over {names[n]}")
            yield Candidate(left, Product(v.expression, Ones(names[n])), cost + EDIT, (*edits, edit))
        elif goal.shape == (1, n) and m in names and close(goal, v.value.sum(0, keepdims=True)):
            edit = Edit(Verdict.BATCH, f"summed over {names[m]}")
            yield Candidate(left, Product(Transpose(Ones(names[m])), v.expression), cost + EDIT, (*edits, edit))
        elif goal.shape == (m, n) and np.abs(v.value).max() > 0:
            may_be_close = scaled_to(goal, v.value)
            for size, name in names.items():
                root = Call("sqrt", (Symbol(name),))
                for factor, node in ((1 / size, "/"), (size, ""), (size**-0.5, "/√"), (size**0.5, "√")):
                    if size > 1 and may_be_close(factor) and close(goal, v.value * factor):
                        letter = root if "√" in node else Symbol(name, latex="")
                        node = node.removesuffix("√")
                        part = Product(v.expression, letter, "/") if node else Product(letter, v.expression)
                        words = f"{'divided' if node else 'multiplied'} by {text(letter)}"
                        kind = Verdict.FALSE if letter == root else Verdict.BATCH
                        yield Candidate(left, part, cost + EDIT, (*edits, Edit(kind, words)))
            for number in (Fraction(2), Fraction(1, 2)):
                if may_be_close(float(number)) and close(goal, v.value * float(number)):
                    edit = Edit(Verdict.FALSE, f"with the factor {number}")
                    yield Candidate(left, Product(Number(number), v.expression), cost + EDIT, (*edits, edit))

    # --- proof ---

    def _proved(self, found: Candidate, edited_left: bool) -> bool:
        """Whether the repaired claim agrees with every oracle, and not because its new left side is zero everywhere."""
        for oracle in self.oracles:
            result = agreement(oracle, found.left, found.part)
            if edited_left and result.nothing:
                return False
            if not (result.turned if found.turned and not result.plain else result.plain):
                return False
        return True


def _is_degenerate(e: Expression) -> bool:
    """Whether an expression is 0, or has x - x or x · 0 in it: true by emptiness, and nothing that a writer meant."""
    for node in walk(e):
        if isinstance(node, Subtract) and node.left == node.right:
            return True
        factors = (node.left, node.right) if isinstance(node, Product) else ()
        if any(isinstance(f, Number) and f.value == 0 for f in factors):
            return True
    return isinstance(e, Number) and e.value == 0


def _plainness(f: Candidate) -> tuple[bool, int]:
    """The order of repairs of one cost: those that name the mistake come first, then the shorter ones."""
    return Verdict.FALSE in f.verdicts, len(text(f.part))


def says_itself(oracle: Oracle, left: Expression, part: Expression) -> bool:
    """Whether a part contains its own left side, or the letter or derivative that the page has for it."""
    same: set[Expression] = {left}
    for name, found in oracle.model.named.items():
        for d in found:
            if isinstance(left, Symbol) and (left.name, left.time) == (name, d.time):
                same.add(d.value)
            elif d.value == left:
                same.add(Symbol(name, d.time))
    return any(node in same for node in walk(part))


def letter_text(letter: Symbol) -> str:
    """A letter without its time step."""
    return text(replace(letter, time=None))


def name_text(name: str, part: Expression) -> str:
    """How a name is written in `part`, without its time step."""
    return next(letter_text(s) for s in walk(part) if isinstance(s, Symbol) and s.name == name)


def _has(e: Expression, name: str) -> bool:
    return any(isinstance(n, Symbol) and n.name == name for n in walk(e))


def with_letters(e: Expression, instead: Mapping[str, Symbol]) -> Expression:
    """`e` with the letters named in `instead` replaced, each at the time step of the old one."""

    def change(node: Expression) -> Expression:
        if isinstance(node, Symbol) and node.name in instead:
            return replace(instead[node.name], time=node.time, below=node.below, span=node.span)
        return node

    return transform(e, change)
