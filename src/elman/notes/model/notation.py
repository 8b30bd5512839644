"""How a page writes its names: which letters are one name, have time steps, are indices, or stand for many columns.

A page is read twice: once with the names of its declared shapes alone, to find its notation, and then with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from elman.calculus.expression import (
    Apply,
    BigSum,
    Call,
    Derivative,
    Entry,
    Expression,
    Product,
    Symbol,
    Transpose,
    children,
    symbols,
    walk,
)
from elman.calculus.syntax.names import INDEX_LETTERS, TIME_LETTERS, Names
from elman.calculus.syntax.written_sizes import is_written
from elman.notes.model.letters import letters_of
from elman.notes.model.page_model import TIME, Statement, free_times
from elman.notes.model.running_values import running_values
from elman.notes.model.statement_kinds import is_update
from elman.notes.model.step_letters import step_letters

Shapes = Mapping[str, tuple[str, str]]  # name → rows and columns


@dataclass(frozen=True, slots=True)
class Notation:
    """`names`, with which the page is read; `shapes`, by these names; `timed`, the names that have time steps;
    `families`, the names of which there is a column for each value of an index.
    """

    names: Names
    shapes: Shapes
    timed: frozenset[str]
    families: frozenset[str]


def declared_names(shapes: Shapes, words: Iterable[str] = ()) -> Names:
    """The names for the first reading: those with declared shapes, the sizes in these, and the words of the page."""
    return Names.of({*shapes, *_sizes(shapes), *words})


def notation_of(
    statements: Sequence[Statement],
    shapes: Shapes,
    words: Iterable[str] = (),
    assumed: Mapping[str, str] | None = None,
) -> Notation:
    """The notation of a page, from its first reading, its declared shapes, its typed words, and what its author says
    of letters: a role by name, see `Assumption`.
    """
    roles = assumed or {}
    families = _families(statements, shapes)
    whole = {name for name, _ in families.values()}
    sizes = _sizes(shapes) | {shape[1] for _, shape in families.values()}
    shapes = {name: shape for name, shape in shapes.items() if name not in families} | dict(families.values())
    indices = _indices(statements)
    timed, timed_below, used = set[str](), set[str](), {*shapes, *sizes, *words}
    computed = {s.number for s in statements if len(s.parts) > 1 and not is_update(s)}
    for statement in statements:
        for letter in _letters(statement.parts):
            if letter.time is not None or "_" in letter.name:
                used.add(letter.name)
            if letter.time is not None and letter.time.variable and statement.number in computed:
                timed.add(letter.name)
                timed_below |= {letter.name} if letter.below else set()
        if isinstance(statement.parts[0], Symbol) and len(statement.parts) > 1:
            used.add(statement.parts[0].name)
    timed -= set(families)
    entries = {n for n in used - set(shapes) if n.rpartition("_")[2] in indices and n.rpartition("_")[0] in used}
    used -= entries
    used -= _numbered_steps(statements, used - set(shapes), timed_below)
    used -= set(families) | {n for n in used - set(shapes) if n.rpartition("_")[0] in whole and n[-1].isdigit()}
    used |= {name for word in _d_names(statements) for name in (word, word.partition("_")[0])}
    used |= {*_primed(statements), *_primed_beside_transposes(statements)}
    letters = letters_of(statements, {*shapes, *words})
    functions = letters.functions - set(roles) | {name for name, role in roles.items() if role == "function"}
    levels = letters.levels | {name for name, role in roles.items() if role in ("layers", "examples")}
    other = letters.letters - {name for name, role in roles.items() if role == "euler"}
    used = (used | letters.labelled) - functions
    used -= {n for n in used - set(shapes) if _is_two_indices(n, used, indices | letters.running)}
    nested = _nested(statements, (used | entries) - set(shapes), indices | letters.running, timed)
    used -= nested.names
    used -= {n for n in used - set(shapes) if n.rpartition("_")[0] and n.rpartition("_")[2] in letters.running}
    used -= {n for n in used - set(shapes) if _is_kronecker(n, indices | letters.running)}
    names = replace(
        Names.of(used | timed, timed, indices | letters.running, whole),
        functions=functions,
        levels=levels,
        squares=letters.squares,
        letters=other,
        pointers=nested.pointers,
        lists=nested.lists,
        steps=step_letters(statements, timed_below),
        values=running_values(statements),
    )
    return Notation(names, shapes, frozenset(timed), frozenset(whole))


def _numbered_steps(statements: Sequence[Statement], names: Set[str], timed: Set[str]) -> set[str]:
    """The names that are a letter at a step: h_2 where the page has h_t. Where it computes h_0 in the same way as h_1,
    its steps begin before the first, and each number names a letter of its own.
    """
    found = {n for n in names if n.rpartition("_")[0] in timed and n.rpartition("_")[2].isdigit()}
    left = [(s.parts[0], s.parts[1]) for s in statements if len(s.parts) > 1]
    computed = {e.name for e, right in left if isinstance(e, Symbol) and children(right)}
    return set() if any(n.endswith("_0") for n in found & computed) else found


def _is_two_indices(name: str, used: Set[str], running: Set[str]) -> bool:
    """Whether a name such as x_in, whose label may be a word, is an entry of x: sums run over i and n."""
    stem, _, label = name.rpartition("_")
    return len(label) == 2 and set(label) <= running and any(n.startswith(stem) for n in (*used, stem) if n != name)


def _is_kronecker(name: str, running: Set[str]) -> bool:
    """Whether a name is δ with indices: δ_{ij}, or beside it δ_{1j}."""
    label = name.removeprefix("delta_")
    letters = set(label) - set("123456789")
    return label != name and letters <= running and (letters == set(label) or (len(label) == 2 and bool(letters)))


@dataclass(frozen=True, slots=True)
class _Nested:
    """`names`, read as one letter so far, that are entries: see `pointers` and `lists` of `Names`."""

    names: frozenset[str]
    pointers: frozenset[str]
    lists: frozenset[str]


def _nested(statements: Sequence[Statement], used: set[str], running: Set[str], timed: Set[str]) -> _Nested:
    """What letters with a subscript on their subscript are.

    z_{2_j} is an entry of z_2 where the page has z_2, and s_{t_b} an entry of s_t. u_{w_s} is one of a list of letters
    where a sum over s has it in it; and p_{y_i} is an entry whose index the data give, where p has other entries.
    """
    parts = [part for statement in statements for part in statement.parts]
    summed = {(node.index, s.name) for part in parts for node in walk(part)
              if isinstance(node, BigSum) for s in symbols(node.body)}  # fmt: skip
    indexed = {node.of.name for part in parts for node in walk(part)
               if isinstance(node, Entry) and isinstance(node.of, Symbol)}  # fmt: skip
    indexed |= {name.rpartition("_")[0] for name in used if name.rpartition("_")[2] in running | INDEX_LETTERS}
    names, pointers, lists = set[str](), set[str](), set[str]()
    for name in used:
        stem, _, index = name.rpartition("_")
        letter, _, label = stem.rpartition("_")
        if not letter or len(index) != 1 or not index.isalpha():
            continue
        if (stem in used and label not in running) or (label in TIME_LETTERS and letter in timed):
            names.add(name)
        elif len(label) == 1 and (index, name) in summed:
            names.add(name)
            lists.add(stem)
        elif len(label) == 1 and label.isalpha() and index in running | INDEX_LETTERS and letter in indexed:
            names.add(name)
            pointers.add(f"{label}_{index}")
    return _Nested(frozenset(names), frozenset(pointers), frozenset(lists))


def _primed(statements: Sequence[Statement]) -> Iterator[str]:
    """The names of letters z' and z'' that are no transposes: the page differentiates them, or by z'', and never has
    them as factors or terms.
    """
    within, elsewhere = dict[tuple[str, int], bool](), set[tuple[str, int]]()
    for s in statements:
        stack: list[tuple[Expression, Expression | None]] = [(part, None) for part in s.parts]
        while stack:
            node, above = stack.pop()
            letter = _with_primes(node, s.formula.text)
            if letter is None:
                stack += [(child, node) for child in children(node)]
            elif isinstance(above, Derivative):
                within[letter] = within.get(letter, False) or node is above.of or letter[1] > 1
            elif above is not None and not isinstance(above, Call | Apply):
                elsewhere.add(letter)
    if not any(within.values()):
        return
    for name, primes in set(within) - elsewhere:
        yield from ("_".join((name, *["prime"] * k)) for k in range(1, primes + 1))


def _primed_beside_transposes(statements: Sequence[Statement]) -> Iterator[str]:
    """The names of letters A' of which the page writes the transpose of A otherwise, A^T, or (A')^T."""
    primed, raised = set[str](), set[str]()
    for s in statements:
        for node in s.nodes():
            if isinstance(node, Transpose) and isinstance(node.of, Symbol) and node.of.time is None:
                (primed if _with_primes(node, s.formula.text) else raised).add(node.of.name)
    yield from (f"{name}_prime" for name in primed & raised)


def _with_primes(e: Expression, text: str) -> tuple[str, int] | None:
    """The name of z and the number of its primes in z', z''; None for anything else."""
    primes = 0
    while isinstance(e, Transpose) and text[e.span[1] - 1 : e.span[1]] in ("'", "′"):
        e, primes = e.of, primes + 1
    return (e.name, primes) if primes and isinstance(e, Symbol) and e.time is None else None


def other_spellings(statements: Iterable[Statement], shapes: Shapes) -> dict[str, str]:
    """Declared names that no formula uses, and the used name of which they are a numbered spelling: gamma1 → γ."""
    used = {letter.name for statement in statements for letter in _letters(statement.parts)}
    found = {}
    for name in shapes:
        stem = re.sub(r"_?\d+$", "", name)
        if name not in used and stem != name and stem in used and stem not in shapes:
            found[name] = stem
    return found


def bound_indices(e: Expression) -> set[str]:
    """The indices over which the sums of an expression run."""
    return {node.index for node in walk(e) if isinstance(node, BigSum)}


def _sizes(shapes: Shapes) -> set[str]:
    """The named sizes in shapes: H of `4*H`."""
    return {word for shape in shapes.values() for size in shape for word in size.split("*") if not is_written(word)}


def _letters(parts: Iterable[Expression]) -> list[Symbol]:
    return [node for part in parts for node in walk(part) if isinstance(node, Symbol)]


def _d_names(statements: Iterable[Statement]) -> set[str]:
    """Names such as dW on left sides, which the first reading takes for d times W."""
    found = set[str]()
    for statement in statements:
        left = statement.parts[0]
        if len(statement.parts) < 2 or not isinstance(left, Product) or left.operator != "":
            continue
        if left.left == Symbol("d") and isinstance(left.right, Symbol):
            found.add("d" + left.right.name)
    return found


def _indices(statements: Iterable[Statement]) -> set[str]:
    """The single letters over which sums of the page run, but for time steps."""
    parts = [part for statement in statements for part in statement.parts]
    found = {name for part in parts for name in bound_indices(part) if len(name.rstrip("'")) == 1}
    times = {name for part in parts for name in free_times(part)}
    times |= {s.time.variable for part in parts for s in symbols(part) if s.time and s.time.variable}
    return found - times - {TIME}


def _families(statements: Sequence[Statement], shapes: Shapes) -> dict[str, tuple[str, tuple[str, str]]]:
    """Declared columns over whose index a sum runs, as u_k in Σ_k: by the declared name, the name of all the columns
    together, and their shape as a matrix.
    """
    parts = [part for statement in statements for part in statement.parts]
    taken = {s.name for part in parts for s in symbols(part)} | set(shapes)
    found: dict[str, tuple[str, tuple[str, str]]] = {}
    for total in (node for part in parts for node in walk(part) if isinstance(node, BigSum)):
        for name in sorted({s.name for s in symbols(total.body)} & set(shapes)):
            stem, _, label = name.rpartition("_")
            if label == total.index and stem and stem not in taken and shapes[name][1] == "1":
                last = total.upper.variable if total.upper is not None and not total.upper.offset else None
                found.setdefault(name, (stem, (shapes[name][0], last or total.index.upper())))
    return found
