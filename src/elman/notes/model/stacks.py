"""Letters side by side in brackets behind a matrix: W [h_{t-1}, x_t] is of the two columns, one on the other.

A row of numbers would not have time steps, and columns side by side are no column. W has a part for each of them:
W [h, x] = W_h h + W_x x.
"""

from __future__ import annotations

from collections.abc import Sequence

from elman.calculus.expression import (
    MATRIX_PRODUCTS,
    Add,
    Derivative,
    Entry,
    Expression,
    Matrix,
    Product,
    Symbol,
    base_of,
)
from elman.notes.model.page_model import Statement


def with_stacks(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements with such products as sums, where a matrix is used in them and in derivatives by it alone."""
    nodes = [n for s in statements if len(s.parts) > 1 for n in s.nodes()]
    stacked = [n.left for n in nodes if isinstance(n, Product) and _is_stacked(n)]
    used = [*stacked, *(base_of(e) for e in stacked), *(n.wrt for n in nodes if isinstance(n, Derivative))]
    within = {id(e) for e in (*used, *map(base_of, used))}
    elsewhere = {n for n in nodes if isinstance(n, Symbol | Entry) and id(n) not in within}
    weights = set(stacked) - elsewhere

    def change(node: Expression) -> Expression:
        return _sum(node) if isinstance(node, Product) and node.left in weights and _is_stacked(node) else node

    return tuple(s.transformed(change) for s in statements)


def _is_stacked(e: Product) -> bool:
    """Whether a product is W [h_{t-1}, x_t] or W_i [h_{t-1}, x_t]: of letters at time steps, each another one."""
    row = e.right
    if not (e.operator in MATRIX_PRODUCTS and isinstance(row, Matrix) and len(row.rows) == 1 and len(row.rows[0]) > 1):
        return False
    letters = [entry for entry in row.rows[0] if isinstance(entry, Symbol)]
    timed = all(s.time is not None and s.time.variable is not None for s in letters)
    weight = isinstance(base_of(e.left), Symbol) and (not isinstance(e.left, Entry) or len(e.left.indices) == 1)
    return weight and timed and len({s.name for s in letters}) == len(row.rows[0])


def _sum(e: Product) -> Expression:
    assert isinstance(e.right, Matrix)
    weight = base_of(e.left)
    assert isinstance(weight, Symbol)
    label = f"_{e.left.indices[0]}" if isinstance(e.left, Entry) else ""  # W_i beside W_f and W_o
    found: Expression | None = None
    for letter in e.right.rows[0]:
        assert isinstance(letter, Symbol)
        latex = f"{weight.latex}{label}"
        part = Symbol(f"{weight.name}{label}_of_{letter.name}", latex=latex, span=e.left.span)
        product = Product(part, letter, e.operator, span=e.span)
        found = product if found is None else Add(found, product, span=e.span)
    assert found is not None
    return found
