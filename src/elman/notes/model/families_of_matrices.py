"""Families of matrices: Σ_k, the covariance of class k, which stands as a whole matrix, Σ_k^{-1} or |Σ_k|.

An index of such a letter numbers the members of a family and no rows. A member is the letter at a step k, and so is
that of every letter with the same index: the column μ_k, the number π_k, the entry n of p_nk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import TypeAlias

from elman.calculus.expression import Call, Entry, Expression, Index, Inverse, Symbol
from elman.calculus.shapes.kinds import Costs, all_cost
from elman.notes.model.page_model import Statement

_OF_MATRICES = frozenset(("det", "trace", "logdet"))
_NO_MATRIX = 6.0  # what it costs to read such a letter as a number or a column
Shape: TypeAlias = tuple[str, str]
_Uses = Mapping[str, Sequence[tuple[Index, ...]]]


@dataclass(frozen=True, slots=True)
class Members:
    """The statements with the members of families of matrices as letters at steps; the shapes of these letters among
    the page's `shapes`; the other `families`, of columns; and what it costs to read a matrix as anything else.
    """

    statements: tuple[Statement, ...]
    shapes: Mapping[str, Shape]
    families: frozenset[str]
    evidence: Mapping[str, Costs]


def with_families_of_matrices(
    statements: Sequence[Statement], shapes: Mapping[str, Shape], families: frozenset[str]
) -> Members:
    """The statements with such indices as steps, unless a letter has two of them, or is a whole letter elsewhere."""
    as_they_are = Members(tuple(statements), shapes, families, {})
    nodes = [n for s in statements for n in s.nodes()]
    matrices = set(_matrices(nodes))
    if not matrices:
        return as_they_are
    uses: dict[str, list[tuple[Index, ...]]] = {}
    for node in nodes:
        if isinstance(node, Entry) and isinstance(node.of, Symbol) and node.of.time is None:
            uses.setdefault(node.of.name, []).append(node.indices)
    places = _places(matrices, uses)
    if places is None or not places.keys().isdisjoint(_whole_letters(statements)):
        return as_they_are

    def change(node: Expression) -> Expression:
        return _member(node, places) if isinstance(node, Entry) else node

    evidence = {name: {**all_cost(_NO_MATRIX), "matrix": 0.0} for name in matrices}
    changed = tuple(s.transformed(change) for s in statements)
    return Members(changed, _shapes(places, shapes, families), families.difference(places), evidence)


def _member(node: Entry, places: Mapping[str, int]) -> Expression:
    """An entry of such a letter as the letter at a step."""
    letter = node.of
    if not isinstance(letter, Symbol) or letter.name not in places:
        return node
    if letter.time is not None:  # μ_k^{(t)} of an iteration is another letter
        return replace(node, of=replace(letter, name=f"{letter.name}_step"))
    at = places[letter.name]
    member = replace(letter, time=node.indices[at], below=True)
    rest = node.indices[:at] + node.indices[at + 1 :]
    return replace(node, of=member, indices=rest, column=False) if rest else replace(member, span=node.span)


def _shapes(places: Mapping[str, int], shapes: Mapping[str, Shape], families: Set[str]) -> dict[str, Shape]:
    """The page's shapes, with those that it declares of members: of μ_1 or μ_K that of μ."""
    found = {name: shape for name, shape in shapes.items() if name not in places}
    found |= {name: (shapes[name][0], "1") for name in families & places.keys()}
    for name, shape in shapes.items():
        stem, _, label = name.rpartition("_")
        if stem in places and len(label) == 1:
            found.setdefault(stem, shape)
    return found


def _matrices(nodes: Sequence[Expression]) -> Iterator[str]:
    """The letters with one index that stand where a matrix does: Σ of Σ_k^{-1} and of det Σ_k."""
    for node in nodes:
        of = node.of if isinstance(node, Inverse) else None
        if isinstance(node, Call) and node.function in _OF_MATRICES and node.latex != "|":
            of = node.arguments[0]
        if isinstance(of, Entry) and isinstance(of.of, Symbol) and len(of.indices) == 1 and of.of.name[:1].isupper():
            yield of.of.name


def _places(matrices: set[str], uses: _Uses) -> dict[str, int] | None:
    """By letter, which of its indices numbers members; None where that is not the same everywhere."""
    places = dict.fromkeys(matrices, 0)
    members = set[str | None]()
    grows = True
    while grows:
        before = len(places), len(members)
        for name, at in places.items():
            if len({len(indices) for indices in uses[name]}) != 1:
                return None
            members |= {indices[at].variable for indices in uses[name]} - {None}
        for name, found in uses.items():
            for indices in found:
                at_members = [at for at, i in enumerate(indices) if i.variable in members]
                if len(at_members) > 1 or (at_members and places.setdefault(name, at_members[0]) != at_members[0]):
                    return None
        grows = (len(places), len(members)) != before
    return places


def _whole_letters(statements: Sequence[Statement]) -> set[str]:
    """The letters that stand without an index in a relation."""
    found = set[str]()
    for s in statements:
        if len(s.parts) > 1:
            nodes = list(s.nodes())
            within = {id(n.of) for n in nodes if isinstance(n, Entry)}
            found |= {n.name for n in nodes if isinstance(n, Symbol) and id(n) not in within}
    return found
