"""The loss of one example and that of all: L_i = (y_i - t_i)^2 and L = Σ_i L_i.

Where a page defines both, the entries L_i are those of a letter of their own. Where nothing in the definition of L_i
has the index i, as in L_i = -ln p_{y_i}, the page speaks of one example: i is a part of the name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace

from elman.calculus.expression import BigSum, Derivative, Dots, Entry, Expression, Index, Symbol, symbols, walk
from elman.calculus.shapes.kinds import is_called_a_loss
from elman.notes.model.page_model import Statement, free_indices, free_times

_EACH = "each"
_ARGUMENTS = re.compile(r"\(([^()]*)\)\s*$")
_SUBSCRIPT = re.compile(r"_\s*(?:([ijkn])|\{\s*([ijkn])\s*\})[\s}]*$")


def with_letters_of_examples(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements with a letter of their own for such losses of examples."""
    statements = tuple(map(_with_applied_to_examples, statements))
    letters = _letters(statements)
    rows = {name: f"{name}_{_EACH}" for name, index in letters.items() if not index}
    rows |= {name: name for name in _losses_by_entries(statements) if name not in letters}
    if not letters and not rows:
        return tuple(statements)
    depend = _depend_as_a_whole(statements)

    def change(node: Expression) -> Expression:
        if isinstance(node, Derivative):
            return _of_its_example(node, rows, depend)
        if not isinstance(node, Entry) or not isinstance(node.of, Symbol) or len(node.indices) != 1:
            return node
        name, index = node.of.name, letters.get(node.of.name)
        if index is None or node.of.time is not None:
            return node
        latex = node.of.latex or name
        if not index:
            return replace(node, of=replace(node.of, name=f"{name}_{_EACH}", latex=latex))
        if node.indices[0] != Index(index):
            return node
        return Symbol(f"{name}_{index}", latex=f"{latex}_{index}", span=node.span)

    return tuple(s.transformed(change) for s in statements)


def _of_its_example(node: Derivative, rows: Mapping[str, str], depend: Mapping[str, Set[str]]) -> Derivative:
    """∂L/∂a_ik as ∂L_i/∂a_ik, where the page says how the loss L_i of example i depends on a, and not how L does;
    `rows` are the letters of L_i by the name of L.
    """
    of, by = node.of, node.wrt
    if not (isinstance(of, Symbol) and of.time is None and of.name in rows):
        return node
    if not (isinstance(by, Entry) and len(by.indices) == 2 and isinstance(by.of, Symbol)):
        return node
    if by.of.name in depend.get(of.name, ()):
        return node
    each = Symbol(rows[of.name], latex=of.latex or of.name)
    return replace(node, of=Entry(each, by.indices[:1], span=of.span))


def of_its_example(statements: Sequence[Statement], e: Expression) -> Derivative | None:
    """∂L/∂a_ik as ∂L_i/∂a_ik, where the page says what L_i is, whatever it says of L; None for any other expression."""
    if not (isinstance(e, Derivative) and isinstance(e.of, Symbol) and isinstance(e.wrt, Entry) and e.at is None):
        return None
    if len(e.wrt.indices) != 2 or e.of.time is not None:
        return None
    names = {e.of.name, f"{e.of.name}_{_EACH}"}
    lefts = (s.parts[0] for s in statements if s.is_equation)
    letter = next(
        (n.of for n in lefts if isinstance(n, Entry) and len(n.indices) == 1 and _is_one_of(n.of, names)), None
    )
    return None if letter is None else replace(e, of=Entry(letter, e.wrt.indices[:1], span=e.of.span))


def _is_one_of(e: Expression, names: Set[str]) -> bool:
    return isinstance(e, Symbol) and e.name in names and e.time is None


def _losses_by_entries(statements: Sequence[Statement]) -> Iterator[str]:
    """The losses of examples that the page defines, L_i = … with i on its right side, and that it never sums."""
    for s in statements:
        left = s.parts[0]
        if s.is_equation and isinstance(left, Entry) and isinstance(left.of, Symbol) and len(left.indices) == 1:
            (index,) = left.indices
            if is_called_a_loss(left.of.name) and index.variable in free_indices(s.parts[1]):
                yield left.of.name


def _depend_as_a_whole(statements: Sequence[Statement]) -> Mapping[str, set[str]]:
    """By its name, the letters that an equation of a whole letter has, those of the equation itself."""
    found: dict[str, set[str]] = {}
    for s in statements:
        left = s.parts[0]
        if s.is_equation and isinstance(left, Symbol) and left.time is None:
            found.setdefault(left.name, set()).update(n.name for part in s.parts[1:] for n in symbols(part))
    return found


def _with_applied_to_examples(s: Statement) -> Statement:
    """The statement with L(y_i, t_i), read as the letter L, as its entry L_i."""

    def change(node: Expression) -> Expression:
        if not isinstance(node, Symbol) or node.time is not None or node.name.endswith(("_max", "_min")):
            return node
        applied = _ARGUMENTS.search(s.formula.text[slice(*node.span)])
        found = {_SUBSCRIPT.search(argument) for argument in applied[1].split(",")} if applied else {None}
        indices = {None if match is None else match[1] or match[2] for match in found}
        (index, *others) = indices
        if index is None or others:
            return node
        return Entry(replace(node, span=(0, 0)), (Index(index),), span=node.span)

    return s.transformed(change)


def _letters(statements: Sequence[Statement]) -> Mapping[str, str]:
    """By name, the index that is a part of the name of an example's loss; "" where its entries are a letter's."""
    each, summed, counts = dict[str, tuple[str, Expression]](), dict[str, set[str]](), dict[str, set[int]]()
    for s in statements:
        for node in s.nodes():
            if isinstance(node, Entry) and isinstance(node.of, Symbol):
                counts.setdefault(node.of.name, set()).add(len(node.indices))
        left = s.parts[0]
        if not s.is_equation:
            continue
        plain = next((p for p in s.parts[1:] if not any(isinstance(n, Derivative | Dots) for n in walk(p))), None)
        if plain is None:
            continue
        if isinstance(left, Symbol) and left.time is None:
            summed.setdefault(left.name, set()).update(n.index for n in walk(plain) if isinstance(n, BigSum))
        if isinstance(left, Entry) and isinstance(left.of, Symbol) and len(left.indices) == 1:
            (index,) = left.indices
            if index.variable is not None and not index.offset and left.of.time is None:
                each.setdefault(left.of.name, (index.variable, plain))
    found: dict[str, str] = {}
    for name, (variable, value) in each.items():
        used = free_indices(value) | free_times(value)
        if counts[name] != {1} or any(isinstance(n, Symbol) and n.name == name for n in walk(value)):
            continue
        of_all = variable in summed.get(name, ())
        if variable not in used and (used or of_all):
            found[name] = variable
        elif of_all:
            found[name] = ""
    return found
