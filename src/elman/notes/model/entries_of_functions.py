"""Functions that a page defines by the entries of their value: norm(x)_i = x_i / Σ_k x_k, scale(u_i) = u_i / Σ_k u_k.

The name is then the letter of a vector or matrix: norm(x)_i, norm(x_i) and norm(X)_i are its entry i, norm(x) and
norm(X) all of it. So is norm(w), where its equation depends on w. Where σ_i is a softmax of z, σ(z_i) is σ_i. And x_ij
is an entry of X where the page declares X as a matrix, and never writes X_ij.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from elman.calculus.expression import (
    Apply,
    BigSum,
    Call,
    Derivative,
    Entry,
    Expression,
    Pattern,
    Product,
    Symbol,
    base_of,
    factors_of,
    symbols,
    walk,
)
from elman.notes.model.bold_letters import is_bold
from elman.notes.model.functions_of_entries import is_sigma
from elman.notes.model.page_model import Statement, free_indices
from elman.notes.model.statement_kinds import has_free_indices, is_numeric

_OPENS = re.compile(r"\s*(?:\\left\s*)?\(")


def with_entries_of_functions(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements with such functions as letters."""
    found, softmax = _by_entries(statements), _entries_of_sigma(statements)
    if not found and softmax is None:
        return tuple(statements)

    def change(node: Expression) -> Expression:
        if isinstance(node, Call) and _is_entry_of_sigma(node, softmax):
            (of,) = node.arguments
            assert isinstance(of, Entry)
            return Entry(Symbol("sigma", latex=node.latex), of.indices, span=node.span)
        if not isinstance(node, Apply) or node.name not in found:
            return node
        letter = Symbol(node.name, latex=node.latex or node.name, span=node.span)
        of = node.arguments[0]
        return Entry(replace(letter, span=(0, 0)), of.indices, span=node.span) if isinstance(of, Entry) else letter

    return tuple(s.transformed(change) for s in statements)


def with_softmax_of_rows(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements with a softmax that the page defines by the entries of its rows, softmax(x_ij) = …, as a letter:
    so softmax(X) has entries by which a page may differentiate.
    """
    found = {node.arguments[0] for s in statements if s.is_equation and (node := _softmax_of(s.parts[0])) is not None}
    names = {case for of in found if isinstance(of, Symbol) for case in (of.name.lower(), of.name.upper())}

    def change(node: Expression) -> Expression:
        of = node.arguments[0] if isinstance(node, Call) and node.function == "softmax" else None
        is_one = isinstance(of, Symbol) and of.name in names and of.time is None
        if isinstance(node, Derivative) and isinstance(node.of, Product) and _is_of_letter(node.of, "softmax"):
            return replace(node, of=node.of.left)  # ∂f(softmax(X)): f is no factor
        return Symbol("softmax", latex=r"\text{softmax}", span=node.span) if is_one else node

    return tuple(s.transformed(change) for s in statements) if names else tuple(statements)


def _is_of_letter(e: Product, name: str) -> bool:
    """Whether a product is of two letters without a sign between them, the second with this name: f(softmax(X))."""
    letters = isinstance(e.left, Symbol) and isinstance(e.right, Symbol) and e.right.name == name
    return letters and e.operator == "" and e.left != e.right


def _softmax_of(left: Expression) -> Call | None:
    """The softmax of which a left side is an entry with two free indices; None for anything else."""
    if isinstance(left, Entry) and len(left.indices) == len("ij") and has_free_indices(left):
        return left.of if isinstance(left.of, Call) and left.of.function == "softmax" else None
    return None


def with_entries_applied(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements with S_i for S_i(z), where an equation says what S_i(z) is: nobody defines a product. The page
    applies S to no other letter.
    """
    found = {applied for s in statements if s.is_equation and (applied := _applied_entry(s, s.parts[0])) is not None}
    arguments: dict[str, set[str]] = {}
    for s in statements:
        for node in s.nodes():
            if (applied := _applied_entry(s, node)) is not None:
                arguments.setdefault(applied[0], set()).add(applied[1])
    named = {name for name, _ in found if len(arguments[name]) == 1}
    if not named:
        return tuple(statements)

    def changed(s: Statement) -> Statement:
        def change(node: Expression) -> Expression:
            applied = _applied_entry(s, node)
            return node.left if isinstance(node, Product) and applied is not None and applied[0] in named else node

        return s.transformed(change)

    return tuple(map(changed, statements))


def _applied_entry(s: Statement, node: Expression) -> tuple[str, str] | None:
    """S and z of S_i(z), which is read as a product; None for anything else."""
    if not isinstance(node, Product) or node.operator or not isinstance(node.right, Symbol):
        return None
    entry = factors_of(node.left)[-1]
    if not isinstance(entry, Entry) or not isinstance(entry.of, Symbol) or entry.of == node.right:
        return None
    written = s.formula.text[entry.span[1] : node.right.span[1]]
    return (entry.of.name, node.right.name) if _OPENS.match(written) else None


def with_entries_of_capitals(
    statements: Sequence[Statement], shapes: Mapping[str, tuple[str, str]]
) -> tuple[Statement, ...]:
    """The statements with x_ij as an entry of the declared matrix X."""
    capitals = dict(_capitals(statements, shapes))
    if not capitals:
        return tuple(statements)

    def change(node: Expression) -> Expression:
        if not isinstance(node, Entry) or not isinstance(node.of, Symbol) or node.of.time is not None:
            return node
        capital = capitals.get(node.of.name)
        return node if capital is None else replace(node, of=replace(node.of, name=capital))

    return tuple(s.transformed(change) for s in statements)


def _capitals(statements: Sequence[Statement], shapes: Mapping[str, tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The letters that have two indices wherever they have one, each with the matrix of which it writes the entries."""
    counts: dict[str, set[int]] = {}
    defined = set[str]()
    for s in statements:
        left = s.parts[0]
        if s.is_equation and isinstance(left, Symbol) and not is_numeric(s.parts[1]):
            defined.add(left.name)
        for node in s.nodes():
            if isinstance(node, Entry) and isinstance(node.of, Symbol) and not _is_bold_row(node):
                counts.setdefault(node.of.name, set()).add(len(node.indices))
    written = set(_written_out(statements))
    for name, found in counts.items():
        matrix = name.upper()
        declared = matrix in shapes and "1" not in shapes[matrix]
        is_matrix = (declared or (matrix, name) in written) and matrix not in counts
        is_free = len(name) == 1 and name != matrix and name not in shapes and name not in defined
        if found == {2} and is_matrix and is_free:
            yield name, matrix


def _written_out(statements: Sequence[Statement]) -> Iterator[tuple[str, str]]:
    """The letters Y and y of Y = … = [y_11 … y_1n; ⋮; y_m1 … y_mn]."""
    for s in statements:
        left = s.parts[0]
        for part in s.parts[1:] if s.is_equation else ():
            cell = part.body if isinstance(part, Pattern) else None
            if isinstance(left, Symbol) and isinstance(cell, Entry) and isinstance(cell.of, Symbol):
                yield left.name, cell.of.name


def _is_bold_row(e: Entry) -> bool:
    """Whether this is a bold x_i, the row of a matrix whose entries are x_ij."""
    return len(e.indices) == 1 and isinstance(e.of, Symbol) and is_bold(e.of)


def _entries_of_sigma(statements: Sequence[Statement]) -> Symbol | None:
    """z, where the page defines σ_i = e^{z_i} / Σ_k e^{z_k}: then σ(z_i) is σ_i, and no sigmoid."""
    for s in statements:
        left = s.parts[0]
        if len(s.parts) < 2 or not isinstance(left, Entry) or not has_free_indices(left) or left.of != Symbol("sigma"):
            continue
        sums = (n for n in walk(s.parts[1]) if isinstance(n, BigSum))
        for node in (n for total in sums for n in walk(total.body)):
            if isinstance(node, Entry) and isinstance(node.of, Symbol) and len(node.indices) == len(left.indices):
                return node.of
    return None


def _is_entry_of_sigma(node: Call, of: Symbol | None) -> bool:
    argument = node.arguments[0]
    return is_sigma(node) and isinstance(argument, Entry) and argument.of == of


def _by_entries(statements: Sequence[Statement]) -> set[str]:
    """The functions that a page defines by entries, and applies to the letters of their equations alone."""
    letters: dict[str, set[str]] = {}
    for s in statements:
        if not s.is_equation:
            continue
        applied = _defined(s)
        if applied is not None:
            named = {n.name for part in (applied, *s.parts[1:]) for n in symbols(part)}
            letters.setdefault(applied.name, set()).update(named)
    uses: dict[str, list[Apply]] = {}
    nodes = [n for s in statements for n in s.nodes()]
    for node in nodes:
        if isinstance(node, Apply):
            uses.setdefault(node.name, []).append(node)
    plain = {n.name for n in nodes if isinstance(n, Symbol)}
    return {name for name in letters if name not in plain and _is_one(uses[name], letters[name])}


def _defined(s: Statement) -> Apply | None:
    """The function whose entries a statement defines: f of f(x)_i = …, and of f(x_i) = … with other entries of x."""
    left = s.parts[0]
    if isinstance(left, Entry) and isinstance(left.of, Apply) and has_free_indices(left):
        indices = {i.variable for i in left.indices}
        return left.of if indices <= {i for part in s.parts[1:] for i in free_indices(part)} else None
    if isinstance(left, Apply) and len(left.arguments) == 1 and isinstance(left.arguments[0], Entry):
        entry = left.arguments[0]
        others = (n for part in s.parts[1:] for n in walk(part) if isinstance(n, Entry) and n.of == entry.of)
        return left if has_free_indices(entry) and any(n.indices != entry.indices for n in others) else None
    return None


def _is_one(uses: Sequence[Apply], letters: Collection[str]) -> bool:
    """Whether all uses of a function are of one argument, a letter of its equation or the capital of one."""
    known = {*letters, *(name.upper() for name in letters), *(name.lower() for name in letters)}
    for node in uses:
        if len(node.arguments) != 1 or node.primes:
            return False
        of = base_of(node.arguments[0])
        if not isinstance(of, Symbol) or of.name not in known:
            return False
    return True
