"""Sums that are written out with an ellipsis: a_1 b_1 + … + a_n b_n is Σ_k a_k b_k.

The first terms and the last one say what every term is, as they are the same but for a number that counts from one to
the next: in the last it may be a letter. What does not fit so stays an ellipsis. Entries that are counted from 0 to a
letter are all entries.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from elman.calculus.expression import (
    Add,
    BigSum,
    Dots,
    Entry,
    Expression,
    Index,
    Negative,
    Subtract,
    Symbol,
    Transpose,
    children,
    walk,
    with_children,
)
from elman.calculus.shapes.kinds import is_called_a_loss
from elman.notes.model.bold_letters import is_bold
from elman.notes.model.page_model import Statement

_RUNNING = "kjmqrshu"
_LABELLED = re.compile(r"(?P<stem>.*[^\d_])_(?P<label>\d{1,2}|[A-Za-z])")
_TWO_LABELS = re.compile(r"(?P<stem>.*[^\d_])_(?P<labels>[A-Za-z\d]{2})")
_INDEX = re.compile(r"[i-n]")

Shapes = Mapping[str, tuple[str, str]]


def with_written_out(statements: Sequence[Statement], shapes: Shapes) -> tuple[Statement, ...]:
    """The statements with sums for such sums."""
    if not any(isinstance(n, Dots) for s in statements for n in s.nodes()):
        return tuple(statements)
    stems = _Stems(statements, shapes)
    read = [_with_sums(s, stems) for s in statements]
    return tuple(s.transformed(stems.entry) for s in read) if stems.any_read else tuple(statements)


class _Stems:
    """The letters whose numbered entries are written out: x of x_1, …, x_n. `used` are those that were found, `from_0`
    those of them whose first entry is x_0; `matrices` are those with two indices. `any_read` is set by the first sum.
    """

    def __init__(self, statements: Sequence[Statement], shapes: Shapes) -> None:
        nodes = [n for s in statements for n in s.nodes()]
        self._timed = {n.name for n in nodes if isinstance(n, Symbol) and n.time is not None}
        self._rows = {name for name, shape in shapes.items() if "1" not in shape}
        self._whole = {split[0].name for n in nodes if _is_whole(n) and (split := _split(_letter(n))) is not None}
        sums = [n for n in nodes if isinstance(n, BigSum) and n.lower == Index(None, 1)]
        self._from_1 = {name for total in sums for name, _ in _entries(total)}
        self.matrices = {name for n in nodes for name, indices in _entries(n) if len(indices) == 2}
        self.used = set[str]()
        self.from_0 = set[str]()
        self.any_read = False

    def use(self, pattern: _Pattern) -> bool:
        """Adds the letters of a pattern, unless others count the same letters from another number."""
        letters = {name for name, indices in _entries(pattern.term) if indices == (Index(pattern.running),)}
        if pattern.counts_from_0 and not letters.isdisjoint(self._from_1 | (self.used - self.from_0)):
            return False
        if not pattern.counts_from_0 and not letters.isdisjoint(self.from_0):
            return False
        self.any_read = True
        self.used |= letters
        self.from_0 |= letters if pattern.counts_from_0 else set()
        return True

    def may_be(self, letter: Symbol) -> bool:
        """Whether the numbered letters x_1, x_2 may be entries of x: they are used as numbers, and x is no loss."""
        name = letter.name
        return name not in self._timed | self._rows | self._whole and not is_called_a_loss(name)

    def entry(self, e: Expression) -> Expression:
        """The entry of a letter in `used` that a numbered letter is; any other expression itself."""
        split = _split(e) if isinstance(e, Symbol) else None
        if split is None or split[0].name not in self.used:
            return e
        letter, index = split
        if index.variable is None and letter.name in self.from_0:
            index = replace(index, offset=index.offset + 1)
        running = index.variable is None or _INDEX.fullmatch(index.variable) or index.variable.isupper()
        return Entry(letter, (index,), span=e.span) if running else e


def _is_whole(e: Expression) -> bool:
    """Whether an expression has a numbered letter that is no number: transposed, or in bold."""
    return isinstance(e, Transpose) or (isinstance(e, Symbol) and is_bold(e))


def _letter(e: Expression) -> Expression:
    return e.of if isinstance(e, Transpose) else e


def _entries(e: Expression) -> Iterator[tuple[str, tuple[Index, ...]]]:
    """The entries of letters in an expression: the letter and the indices of each."""
    for n in walk(e):
        if isinstance(n, Entry) and isinstance(n.of, Symbol):
            yield n.of.name, n.indices


def _split_of_two(e: Expression, stems: _Stems) -> tuple[Symbol, tuple[Index, ...]] | None:
    """Letter and indices of an entry x_i2 or x_in of a matrix; None for anything else."""
    if isinstance(e, Entry) and isinstance(e.of, Symbol) and len(e.indices) == 2 and not e.column:
        return e.of, e.indices
    match = _TWO_LABELS.fullmatch(e.name) if isinstance(e, Symbol) and e.time is None else None
    if match is None or match["stem"] not in stems.matrices:
        return None
    assert isinstance(e, Symbol)
    letter = Symbol(match["stem"], latex=re.sub(r"_\s*\{[^{}]*\}\s*$", "", e.latex))
    return letter, tuple(Index(None, int(c)) if c.isdigit() else Index(c) for c in match["labels"])


def _split(e: Expression) -> tuple[Symbol, Index] | None:
    """Letter and index of an entry x_2 or x_n, or of a letter with such a label; None for anything else."""
    if isinstance(e, Entry) and isinstance(e.of, Symbol) and len(e.indices) == 1 and not e.column:
        return e.of, e.indices[0]
    match = _LABELLED.fullmatch(e.name) if isinstance(e, Symbol) and e.time is None else None
    if match is None:
        return None
    assert isinstance(e, Symbol)
    label = match["label"]
    letter = Symbol(match["stem"], latex=re.sub(r"_\s*(?:\w|\{\s*\w+\s*\})\s*$", "", e.latex))
    return letter, Index(None, int(label)) if label.isdigit() else Index(label)


# --- terms ---


@dataclass(frozen=True, slots=True)
class _Pattern:
    """What all terms are, with the index `running`, and the values that it has in the first and the last of them."""

    term: Expression
    running: str
    first: int
    last: Index

    @property
    def counts_from_0(self) -> bool:
        """Whether it has all entries of its letters, from 0 to a letter."""
        return self.first == 0 and self.last.variable is not None

    def sum(self) -> BigSum:
        """The sum of all terms."""
        if self.counts_from_0:
            return BigSum(self.running, self.term)
        return BigSum(self.running, self.term, Index(None, self.first), self.last)


def _pattern(terms: Sequence[Expression], last: Expression, running: str, stems: _Stems) -> _Pattern | None:
    """The pattern of terms that are numbered one after the other, and of the last; None where they do not fit."""
    found = [_of_two(term, last, running, stems) for term in terms]
    patterns = [pattern for pattern in found if pattern is not None]
    if not patterns or len(patterns) < len(found) or len({(p.term, p.last) for p in patterns}) > 1:
        return None
    if any(b.first != a.first + 1 for a, b in pairwise(patterns)):
        return None
    return patterns[0]


def _of_two(one: Expression, last: Expression, running: str, stems: _Stems) -> _Pattern | None:
    ends = set[tuple[int, Index]]()
    term = _joined(one, last, Index(running), ends, stems)
    if term is None or len(ends) != 1:
        return None
    ((first, end),) = ends
    reached = end.variable is not None or end.offset > first
    return _Pattern(term, running, first, end) if reached else None


def _joined(
    one: Expression, last: Expression, running: Index, ends: set[tuple[int, Index]], stems: _Stems
) -> Expression | None:
    """What two terms are but for the index that counts them, whose two values go into `ends`; None where they differ in
    anything else.
    """
    if one == last:
        return one
    first, end = _split(one), _split(last)
    if first is not None and end is not None:
        (letter, low), (other, high) = first, end
        if letter != other or low.variable is not None or not stems.may_be(letter):
            return None
        ends.add((low.offset, high))
        return Entry(letter, (running,), span=one.span)
    two, others = _split_of_two(one, stems), _split_of_two(last, stems)
    if two is not None and others is not None:
        return _joined_of_two(two, others, running, ends, one.span)
    if type(one) is not type(last) or len(children(one)) != len(children(last)) or not children(one):
        return None
    inner = [_joined(a, b, running, ends, stems) for a, b in zip(children(one), children(last), strict=True)]
    parts = tuple(part for part in inner if part is not None)
    if len(parts) < len(inner) or with_children(last, parts) != with_children(one, parts):
        return None
    return with_children(one, parts)


def _joined_of_two(
    one: tuple[Symbol, tuple[Index, ...]],
    last: tuple[Symbol, tuple[Index, ...]],
    running: Index,
    ends: set[tuple[int, Index]],
    span: tuple[int, int],
) -> Entry | None:
    """The entry of a matrix that two entries are but for one of their indices; None where they differ in more."""
    if one[0].name != last[0].name:
        return None
    apart = [k for k in range(2) if one[1][k] != last[1][k]]
    if len(apart) != 1 or one[1][apart[0]].variable is not None:
        return None
    ends.add((one[1][apart[0]].offset, last[1][apart[0]]))
    return Entry(one[0], tuple(running if k in apart else index for k, index in enumerate(one[1])), span=span)


def _free_letter(s: Statement) -> str:
    """An index that a statement does not use."""
    used = set(re.findall(r"[A-Za-z]", s.formula.text)) | {n.name for n in s.nodes() if isinstance(n, Symbol)}
    return next((letter for letter in _RUNNING if letter not in used), "k_each")


# --- sums ---


def _with_sums(s: Statement, stems: _Stems) -> Statement:
    running = _free_letter(s)
    return s.transformed(lambda e: _summed(e, running, stems))


def _summed(e: Expression, running: str, stems: _Stems) -> Expression:
    """The expression with a sum in place of terms with an ellipsis between them, at the end of it."""
    if not isinstance(e, Add | Subtract):
        return e
    terms = list(_terms(e))
    at = len(terms) - 2
    if at < 1 or not isinstance(terms[at][1], Dots):
        return e
    sign, last = terms[-1]
    for start in range(at):  # the most terms that fit
        run = terms[start:at]
        if any(own != sign for own, _ in run) or terms[at][0] != sign:
            continue
        pattern = _pattern([term for _, term in run], last, running, stems)
        if pattern is not None and stems.use(pattern):
            return _sum_of([*terms[:start], (sign, replace(pattern.sum(), span=e.span))])
    return e


def _terms(e: Expression) -> Iterator[tuple[int, Expression]]:
    """The terms of a sum with their signs."""
    if isinstance(e, Add | Subtract):
        yield from _terms(e.left)
        yield (1 if isinstance(e, Add) else -1), e.right
    elif isinstance(e, Negative):
        yield -1, e.of
    else:
        yield 1, e


def _sum_of(terms: Sequence[tuple[int, Expression]]) -> Expression:
    (sign, found), *rest = terms
    found = found if sign > 0 else Negative(found, span=found.span)
    for sign, term in rest:
        found = Add(found, term) if sign > 0 else Subtract(found, term)
    return found
