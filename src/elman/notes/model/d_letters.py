"""df_ij for ∂f(z)/∂z_ij, where a page differentiates a function f of z by z and never says what df is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from elman.calculus.expression import Apply, Derivative, Entry, Expression, Symbol, base_of
from elman.notes.model.page_model import Statement
from elman.notes.model.statement_kinds import defined_letter


def with_gradients_of_functions(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements with each such df as the derivative that it stands for."""
    found = _gradients(statements)
    if not found:
        return tuple(statements)

    def change(node: Expression) -> Expression:
        if isinstance(node, Entry) and isinstance(node.of, Derivative) and node.of in found.values():
            return replace(node.of, wrt=replace(node, of=node.of.wrt, span=(0, 0)), span=node.span)
        if isinstance(node, Symbol) and node.name in found and node.time is None:
            return replace(found[node.name], span=node.span)
        return node

    return tuple(s.transformed(change) for s in statements)


def _gradients(statements: Sequence[Statement]) -> dict[str, Derivative]:
    """By the letter df, the derivative ∂f/∂z of an undefined f. Where the page differentiates f by several letters, z
    is the one of them that it defines: the others lead to it.
    """
    derivatives: dict[str, dict[str, Derivative]] = {}
    letters, defined = set[str](), set[str]()
    for s in statements:
        left = defined_letter(s.parts[0])
        if left is not None and s.is_equation:
            defined.add(left.name)
        for node in s.nodes():
            if isinstance(node, Symbol):
                letters.add(node.name)
            if not isinstance(node, Derivative):
                continue
            by = base_of(node.wrt)
            if isinstance(node.of, Symbol | Apply) and isinstance(by, Symbol):
                of, by = replace(node.of, span=(0, 0)), replace(by, span=(0, 0))
                derivatives.setdefault(node.of.name, {}).setdefault(by.name, Derivative(of, by))
    found: dict[str, Derivative] = {}
    for name, each in derivatives.items():
        last = [d for by, d in each.items() if by in defined] or list(each.values())
        if len(last) == 1 and f"d{name}" in letters and defined.isdisjoint((name, f"d{name}")):
            found[f"d{name}"] = last[0]
    return found
