"""Nodes whose meaning depends on shapes, rewritten to what they mean: a · x of columns is a^T x.

After that, values, index form and printing need no further rule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from elman.calculus.expression import (
    Call,
    Entry,
    Expression,
    Identity,
    Number,
    Ones,
    Power,
    Product,
    Transpose,
    children,
    with_children,
)
from elman.calculus.shapes.rules import Inference, OpaqueError, is_modulus
from elman.calculus.shapes.unification import Shape
from elman.errors import FormulaError


def explicit(e: Expression, shapes: Inference) -> Expression:
    """`e` with every such node rewritten; a node whose parts have no shape stays as it is."""
    if isinstance(e, Ones | Identity):
        return _sized(e, shapes)
    old = children(e)
    new = tuple(explicit(child, shapes) for child in old)
    node = with_children(e, new) if any(a is not b for a, b in zip(old, new, strict=True)) else e
    if any(id(child) in shapes.along for child in old):
        left, right = new
        return _beside_a_matrix(node, left, right, *(shapes.along.get(id(child)) for child in old))
    rule = _NODES.get(type(e))
    if rule is None:
        return node
    try:
        known = [shapes.nodes.get(id(child)) or shapes.visit(child) for child in old]
    except (FormulaError, OpaqueError):
        return node
    return rule(node, shapes, *known)


def _beside_a_matrix(
    e: Expression, left: Expression, right: Expression, how_left: str | None, how_right: str | None
) -> Expression:
    """A sum or a product, entry by entry, of a matrix and a column or a row; `how_…` says which of the two this is, and
    how it stands for a matrix: "row", "column", or "turned", a column for a row.

    A ∘ c with a column c is diag(c) A, and with a row A diag(c).
    """
    vector, matrix, how = (left, right, how_left) if how_left else (right, left, how_right)
    if not isinstance(e, Product):
        row = Transpose(vector, span=vector.span) if how == "turned" else vector
        return with_children(e, (row, right) if how_left else (left, row))
    factor = Power(vector, _MINUS_ONE, elementwise=True, span=vector.span) if e.operator == "/" else vector
    diagonal = Call("diag", (factor,), span=vector.span, operand="vector")
    pair = (diagonal, matrix) if how == "column" else (matrix, diagonal)
    return Product(*pair, span=e.span)


_MINUS_ONE = Number(Fraction(-1))


def _sized(e: Ones | Identity, shapes: Inference) -> Expression:
    size = shapes.find(shapes.nodes[id(e)][0]) if e.dim is None and id(e) in shapes.nodes else "?"
    return e if size[0] in "?~" else replace(e, dim=size)


def _product(e: Product, shapes: Inference, a: Shape, b: Shape) -> Expression:
    if e.operator not in ("·", "@"):
        return e
    turned = shapes.are_columns(a, b) or (
        e.operator == "@" and shapes.is_column(a) and not shapes.is_scalar(b) and shapes.find(b[0]) != "1"
    )
    if turned:
        return replace(e, left=Transpose(e.left, span=e.left.span), operator="")
    return replace(e, operator="") if e.operator == "@" else e


def _call(e: Call, shapes: Inference, *known: Shape) -> Expression:
    if is_modulus(e) and shapes.is_scalar(known[0]):
        return replace(e, function="abs", latex="")
    if e.function == "softmax" and e.axis == 1 and shapes.is_column(known[0]):
        return replace(e, axis=None)  # of one column: dim=-1 of an array with one axis
    return e


def _entry(e: Entry, shapes: Inference, a: Shape) -> Expression:
    return e if e.column or not shapes.is_family(e) else replace(e, column=True)


_NODES: dict[type[Expression], Callable[..., Expression]] = {Product: _product, Call: _call, Entry: _entry}
