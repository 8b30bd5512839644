"""Gradients by a whole letter behind those by its entries: ∂f/∂X = y (d - rowsum(y d)) behind ∂f/∂x_ij = y_ij (…).

Pages that derive by entries write the last row as a program computes it: products are entry by entry, and what has one
value a row or a column goes with all entries of it. Such a row, known by its sum along an axis, says what ∂f/∂x_ij is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from elman.calculus.expression import (
    Add,
    BigSum,
    Call,
    Derivative,
    Entry,
    Expression,
    Index,
    Negative,
    Number,
    Power,
    Product,
    Subtract,
    Symbol,
    base_of,
    children,
    walk,
)
from elman.notes.model.page_model import Statement

_RUNNING = "qprsuv"
_ENTRYWISE = ("", "·", "∘", "/")
_OF_MATRICES = ("", "·")  # which may be products of matrices, too
_Place = tuple[str, str]


def with_gradients_by_entries(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements with ∂f/∂x_ij for ∂f/∂X in such rows."""
    found: list[Statement] = []
    entries: _Entries | None = None
    for s in statements:
        if _sums_along_an_axis(s) and (above := _by_entries(found, s.parts[0])) is not None:
            entries = entries or _Entries.of(statements)
            s = entries.written_out(s, above)
        found.append(s)
    return tuple(found)


def _sums_along_an_axis(s: Statement) -> bool:
    """Whether a statement is about a gradient, and has a sum along an axis."""
    along = (isinstance(n, Call) and n.function == "sum" and n.axis is not None for part in s.parts for n in walk(part))
    return s.is_equation and isinstance(s.parts[0], Derivative) and isinstance(s.parts[0].wrt, Symbol) and any(along)


def _by_entries(statements: Sequence[Statement], left: Expression) -> Statement | None:
    """The statement above that is about the same gradient by entries."""
    for s in reversed(statements):
        other = s.parts[0]
        if not (isinstance(other, Derivative) and isinstance(left, Derivative) and isinstance(other.wrt, Entry)):
            continue
        if other.wrt.of == left.wrt and other.of == left.of and not other.wrt.column and not s.relation.conditions:
            return s
    return None


@dataclass(frozen=True, slots=True)
class _Entries:
    """The letters that a page writes with indices: `of_two` with two, and `along` with one, each with 0 where this
    counts rows, and 1 where it counts columns. `sizes` are the bounds of sums, and `given` are the derivatives ∂f/∂y_pq
    that a page writes as df_pq, by the letter df. `alike` are the pairs of letters that have the same two indices in a
    formula.
    """

    of_two: frozenset[str]
    along: dict[str, int]
    sizes: frozenset[str]
    given: dict[str, Derivative]
    alike: frozenset[frozenset[str]]

    @classmethod
    def of(cls, statements: Sequence[Statement]) -> _Entries:
        two, along, sizes = set[str](), dict[str, set[int]](), set[str]()
        alike = set[frozenset[str]]()
        for s in statements:
            nodes = [n for n in s.nodes() if isinstance(n, Entry) and isinstance(n.of, Symbol) and not n.column]
            pairs = [n.indices for n in nodes if len(n.indices) == 2]
            alike |= {frozenset((_name(a), _name(b))) for a, b in combinations(nodes, 2) if a.indices == b.indices}
            two |= {_name(n) for n in nodes if len(n.indices) == 2}
            sizes |= {n.upper.variable or "" for n in s.nodes() if isinstance(n, BigSum) and n.upper is not None}
            for n in nodes:
                if len(n.indices) == 1:
                    axes = {axis for pair in pairs for axis in (0, 1) if pair[axis] == n.indices[0]}
                    along.setdefault(_name(n), set()).update(axes)
        known = {name: min(axes) for name, axes in along.items() if len(axes) == 1 and name not in two}
        return cls(frozenset(two), known, frozenset(sizes), _given_gradients(statements), frozenset(alike))

    def written_out(self, s: Statement, above: Statement) -> Statement:
        """A statement about a gradient by entries, where all of its right sides can be written with entries."""
        left = above.parts[0]
        assert isinstance(left, Derivative)
        assert isinstance(left.wrt, Entry)
        indices = [i.variable for i in left.wrt.indices]
        name = _name(left.wrt)
        if len(indices) == 2:
            row, column = indices
        else:
            row, column = (indices[0], None) if self.along.get(name) == 0 else (None, indices[0])
        used = {i.variable for i in left.wrt.indices}
        try:
            parts = [self.entry(part, (row or "", column or ""), used) for part in s.parts[1:]]
        except LookupError:
            return s
        new = replace(left, span=s.parts[0].span)
        return s.with_parts((new, *parts))

    def entry(self, e: Expression, at: _Place, used: set[str | None]) -> Expression:
        """The entry of an expression in row `at[0]` and column `at[1]`; `LookupError` where it is not known."""
        if isinstance(e, Number):
            return e
        if isinstance(e, Symbol) and e.time is None:
            return self._of_letter(e, at)
        if isinstance(e, Derivative) and isinstance(e.wrt, Symbol) and e.at is None:
            return replace(e, wrt=self._of_letter(e.wrt, at))
        if isinstance(e, Add | Subtract) or (isinstance(e, Product) and e.operator in _ENTRYWISE):
            left, right = self.entry(e.left, at, used), self.entry(e.right, at, used)
            if isinstance(e, Product) and e.operator in _OF_MATRICES:
                self._require_alike(left, right)
            return replace(e, left=left, right=right)
        if isinstance(e, Negative):
            return replace(e, of=self.entry(e.of, at, used))
        if isinstance(e, Power) and isinstance(e.exponent, Number | Negative):
            return replace(e, of=self.entry(e.of, at, used))
        if isinstance(e, Call) and e.function == "sum" and e.axis in (0, 1) and not e.primes:
            running = next(c for c in _RUNNING if c not in used)
            place = (at[0], running) if e.axis == 1 else (running, at[1])
            return BigSum(running, self.entry(e.arguments[0], place, used | {running}), span=e.span)
        raise LookupError

    def _require_alike(self, left: Expression, right: Expression) -> None:
        """Raises `LookupError` for a product of matrices that the page nowhere multiplies entry by entry."""
        for one in map(_name, _of_two_indices(left)):
            if any(one != other and {one, other} not in self.alike for other in map(_name, _of_two_indices(right))):
                raise LookupError

    def _of_letter(self, letter: Symbol, at: _Place) -> Expression:
        """The entry of a letter, or a letter that is a number."""
        if letter.name in self.of_two and all(at):
            return Entry(letter, (Index(at[0]), Index(at[1])), span=letter.span)
        if letter.name in self.along and at[self.along[letter.name]]:
            return Entry(letter, (Index(at[self.along[letter.name]]),), span=letter.span)
        if letter.name in self.sizes:
            return letter
        given = self.given.get(letter.name.partition("_")[0])
        if given is None or not all(at):
            raise LookupError
        assert isinstance(given.wrt, Entry)
        return replace(given, wrt=replace(given.wrt, indices=(Index(at[0]), Index(at[1]))), span=letter.span)


def _given_gradients(statements: Sequence[Statement]) -> dict[str, Derivative]:
    """By the letter df, the derivative ∂f/∂y_pq of right sides by the one letter of these that no left side has."""
    lefts = [s.parts[0] for s in statements]
    on_left = {base_of(left.wrt) for left in lefts if isinstance(left, Derivative)}
    found: dict[str, dict[Expression, Derivative]] = {}
    for s in statements:
        for n in (n for part in s.parts[1:] for n in walk(part)):
            if not isinstance(n, Derivative) or not isinstance(n.of, Symbol) or not _is_by_entries(n):
                continue
            if (by := base_of(n.wrt)) not in on_left:
                found.setdefault(f"d{n.of.name}", {})[by] = n
    return {name: next(iter(each.values())) for name, each in found.items() if len(each) == 1}


def _is_by_entries(e: Derivative) -> bool:
    """Whether a derivative is by an entry y_pq."""
    return isinstance(e.wrt, Entry) and len(e.wrt.indices) == len("pq") and not e.wrt.column


def _of_two_indices(e: Expression) -> Iterator[Entry]:
    """The entries with two indices in an expression, those in sums left out."""
    if isinstance(e, Entry) and isinstance(e.of, Symbol) and len(e.indices) == len("ij") and not e.column:
        yield e
    for child in children(e) if not isinstance(e, BigSum) else ():
        yield from _of_two_indices(child)


def _name(e: Entry) -> str:
    assert isinstance(e.of, Symbol)
    return e.of.name
