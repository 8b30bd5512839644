"""Definitions expanded before a derivative is taken, and abbreviated again in its result.

With h = σ(z) and ŷ = softmax(U h + b_2), the loss is differentiated in the parameters alone, and the result is written
in ŷ and h: softmax(U h + b_2) - y becomes ŷ - y, and σ'(z) becomes h ∘ (1 - h).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from elman.calculus.expression import Call, Expression, Number, Product, Symbol, Transpose, symbols, transform
from elman.calculus.functions import ELEMENTWISE
from elman.calculus.index_form.simplify import simplify
from elman.calculus.index_form.to_index_form import to_index_form
from elman.calculus.matrix_form.matrix_products import MatrixProduct, factors, product
from elman.calculus.matrix_form.to_matrix_form import matrix_form
from elman.calculus.matrix_form.transposes import transpose_expression, transpose_product
from elman.calculus.shapes.inference import SCALAR, Shape, infer
from elman.errors import FormulaError

Definitions = Mapping[Symbol, Expression]


def expand(e: Expression, definitions: Definitions, keep: frozenset[Symbol] = frozenset()) -> Expression:
    """`e` with every defined symbol except those of `keep` replaced by its definition, repeatedly.

    Raises `FormulaError` where the definitions are circular.
    """
    open_definitions = {s: d for s, d in definitions.items() if s not in keep}
    for _ in range(len(open_definitions) + 1):
        if not symbols(e) & open_definitions.keys():
            return e
        e = transform(e, lambda node: open_definitions.get(node, node) if isinstance(node, Symbol) else node)
    raise FormulaError("these definitions are circular")


def abbreviate(e: Expression, definitions: Definitions, shapes: Mapping[str, Shape]) -> Expression:
    """`e` with the right sides of `definitions` replaced by their symbols: softmax(U h + b_2) becomes ŷ.

    Where h = σ(z) is defined, σ'(z) becomes h ∘ (1 - h). The definitions are compared in the form in which derivatives
    are written, so that `W X + b 1^T` matches `W X + b`.
    """
    names: dict[Expression, Expression] = {}
    for s, d in definitions.items():
        if isinstance(d, Symbol | Number):
            continue  # another name for a symbol or a number abbreviates nothing
        for written in _forms(d, shapes):
            names.setdefault(written, s)
            if isinstance(written, Call) and written.function == "softmax":
                names.setdefault(_transposed_softmax(written, shapes), Transpose(s))

    products = [(factors(d), s) for d, s in names.items() if len(factors(d)) > 1 and isinstance(s, Symbol)]

    def change(node: Expression) -> Expression:
        if node in names:
            return names[node]
        if isinstance(node, Product):
            return _abbreviate_product(node, products)
        if isinstance(node, Call) and node.primes == 1 and node.function in ELEMENTWISE:
            value = replace(node, primes=0)
            if value in names:
                derivative = ELEMENTWISE[node.function].derivative(node.arguments[0])
                return transform(derivative, lambda part: names[value] if part == value else part)
        return node

    return transform(e, change)


def _forms(d: Expression, shapes: Mapping[str, Shape]) -> tuple[Expression, ...]:
    """A definition as it is written, and in the form of derivatives if it has one."""
    try:
        return d, in_matrix_form(d, shapes)
    except FormulaError:
        return (d,)


def _transposed_softmax(e: Call, shapes: Mapping[str, Shape]) -> Call:
    """The transpose of a softmax, that of the transposed argument along the other axis."""

    def is_scalar(part: Expression) -> bool:
        found = infer(part, shapes)
        return found.of(found.tree) == SCALAR

    argument = transpose_expression(e.arguments[0], is_scalar)
    return replace(e, arguments=(argument,), axis=None if e.axis == 1 else 1)


def _abbreviate_product(e: Product, products: list[tuple[MatrixProduct, Symbol]]) -> Expression:
    """A product with defined products in it, or their transposes, replaced: W_e E x contains E x.

    a ∘ (b ∘ c) becomes a ∘ b ∘ c.
    """
    if e.operator == "∘" and isinstance(e.right, Product) and e.right.operator == "∘":
        return Product(_abbreviate_product(Product(e.left, e.right.left, "∘"), products), e.right.right, "∘")
    chain = factors(e)
    for defined, symbol in products:
        for wanted, name in ((defined, symbol), (transpose_product(defined), Transpose(symbol))):
            for k in range(len(chain) - len(wanted) + 1):
                if chain[k : k + len(wanted)] == wanted:
                    chain = (*chain[:k], name, *chain[k + len(wanted) :])
    return product(chain) if len(chain) < len(factors(e)) else e


def in_matrix_form(e: Expression, shapes: Mapping[str, Shape]) -> Expression:
    """`e` as a derivative would be written: products without parentheses, a bias added as a column."""
    found = infer(e, shapes)
    form = to_index_form(found)
    sizes = dict.fromkeys(found.dimensions(), SCALAR)

    def shape_of(part: Expression) -> Shape:
        inner = infer(part, {**sizes, **found.symbols})
        return inner.of(inner.tree)

    return matrix_form(simplify(form.sum), form.row, form.column, shape_of, as_argument=True)
