"""Definitions put in and taken out again: J in the parameters alone to differentiate, the answer in ŷ and h to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from elman.calculus.expression import Call, Expression, Number, Product, Symbol, Transpose, symbols, transform
from elman.calculus.functions import ELEMENTWISE
from elman.calculus.index_form.simplify import simplify
from elman.calculus.index_form.to_index_form import to_index_form
from elman.calculus.matrix_form.matrix_products import Chain, factors, product, turned_chain
from elman.calculus.matrix_form.to_matrix_form import matrix_form
from elman.calculus.shapes.inference import SCALAR, Shape, infer
from elman.errors import FormulaError


def unfolded(
    e: Expression, definitions: Mapping[Symbol, Expression], keep: frozenset[Symbol] = frozenset()
) -> Expression:
    """`e` with every defined symbol but those of `keep` replaced by what it stands for, as often as it takes.

    Raises `FormulaError` where the definitions go round in a circle.
    """
    open_definitions = {s: d for s, d in definitions.items() if s not in keep}
    for _ in range(len(open_definitions) + 1):
        if not symbols(e) & open_definitions.keys():
            return e
        e = transform(e, lambda node: open_definitions.get(node, node) if isinstance(node, Symbol) else node)
    raise FormulaError("these definitions go round in a circle")


def folded(e: Expression, definitions: Mapping[Symbol, Expression], shapes: Mapping[str, Shape]) -> Expression:
    """`e` with the right sides of `definitions` replaced by their symbols: softmax(U h + b_2) becomes ŷ.

    Where h = σ(z) is defined, σ'(z) becomes h ∘ (1 - h). The definitions are compared in the form that derivatives are
    written in, so that `W X + b 1^T` is found as `W X + b`.
    """
    names: dict[Expression, Symbol] = {}
    for s, d in definitions.items():
        if isinstance(d, Symbol | Number):
            continue  # a name for a name: either is as good
        names.setdefault(d, s)
        names.setdefault(rewritten(d, shapes), s)

    products = [(factors(d), s) for d, s in names.items() if len(factors(d)) > 1]

    def change(node: Expression) -> Expression:
        if node in names:
            return names[node]
        if isinstance(node, Product):
            return _product(node, products)
        if isinstance(node, Call) and node.primes == 1 and node.function in ELEMENTWISE:
            plain = replace(node, primes=0)
            if plain in names:
                slope = ELEMENTWISE[node.function].derivative(node.arguments[0])
                return transform(slope, lambda part: names[plain] if part == plain else part)
        return node

    return transform(e, change)


def _product(e: Product, products: list[tuple[Chain, Symbol]]) -> Expression:
    """A product in which a defined product stands, turned or not: W_e E x holds E x; and a ∘ (b ∘ c) as a ∘ b ∘ c."""
    if e.operator == "∘" and isinstance(e.right, Product) and e.right.operator == "∘":
        return Product(_product(Product(e.left, e.right.left, "∘"), products), e.right.right, "∘")
    chain = factors(e)
    for defined, symbol in products:
        for wanted, name in ((defined, symbol), (turned_chain(defined), Transpose(symbol))):
            for k in range(len(chain) - len(wanted) + 1):
                if chain[k : k + len(wanted)] == wanted:
                    chain = (*chain[:k], name, *chain[k + len(wanted) :])
    return product(chain) if len(chain) < len(factors(e)) else e


def rewritten(e: Expression, shapes: Mapping[str, Shape]) -> Expression:
    """`e` by way of its index form and back: products without parentheses, a bias added as a column."""
    found = infer(e, shapes)
    lowered = to_index_form(found)
    sizes = dict.fromkeys(found.dimensions(), SCALAR)

    def shape_of(part: Expression) -> Shape:
        inner = infer(part, {**sizes, **found.symbols})
        return inner.of(inner.tree)

    return matrix_form(simplify(lowered.sum), lowered.row, lowered.column, shape_of, inside=True)
