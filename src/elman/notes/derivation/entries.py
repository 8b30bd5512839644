"""Equations by entries as equations of whole matrices: Z_ij = g_j H_ij + b_j becomes Z = H diag(g) + 1 b^T.

With any T, the gradient of Σ_ij T_ij f_ij with respect to T is the matrix of the f_ij; `derivative` finds its matrix
form and verifies it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from elman.calculus.derive_formula import Derived, derivative
from elman.calculus.expression import (
    BigSum,
    Call,
    Derivative,
    Dots,
    Entry,
    Expression,
    Product,
    Symbol,
    symbols,
    transform,
    walk,
)
from elman.calculus.shapes.inference import SCALAR
from elman.errors import DerivationError, FormulaError
from elman.notes.model.page_model import Definition, PageModel, Statement
from elman.notes.model.roles import with_roles

BY_ENTRIES = -1  # the part of a statement that is no part of it as written, but its matrix form


def with_whole_equations(model: PageModel) -> PageModel:
    """The model with an equation for each name that the page defines by its entries, where this has a matrix form."""
    equations, shapes = dict(model.equations), dict(model.shapes)
    for statement in defined_by_entries(model):
        left = statement.parts[0]
        assert isinstance(left, Entry)
        assert isinstance(left.of, Symbol)
        name = left.of.name
        whole = _whole(left, statement.parts[1], shapes)
        if whole is None or whole.expression is None:
            continue
        value = transform(whole.expression, _softmax)
        equations[name] = (Definition(name, left.of.time, value, statement.number, BY_ENTRIES),)
        shape = whole.shape[0], whole.shape[-1] if len(whole.shape) > 1 else "1"
        sizes = {dim for known in model.shapes.values() for dim in known}
        if {*shape} <= sizes | {"1"}:
            shapes.setdefault(name, shape)
    if equations == model.equations:
        return model
    return with_roles(replace(model, equations=equations, shapes=shapes))


def _softmax(e: Expression) -> Expression:
    """exp(z) / sum(exp(z)) as softmax(z)."""
    if not isinstance(e, Product) or e.operator != "/" or not isinstance(e.left, Call) or e.left.function != "exp":
        return e
    return Call("softmax", e.left.arguments) if e.right == Call("sum", (e.left,)) else e


def defined_by_entries(model: PageModel) -> Iterator[Statement]:
    """The statements that define a name by its entries, the first of each name that no other equation defines."""
    whole = {name for name, found in model.equations.items() if not any(d.indices for d in found)}
    seen = whole | set(model.named)
    for statement in model.statements:
        left = statement.parts[0]
        if not isinstance(left, Entry) or not isinstance(left.of, Symbol) or left.of.name in seen:
            continue
        running = [i.variable for i in left.indices if i.variable is not None and not i.offset]
        if not statement.is_equation or len({*running}) != len(left.indices):
            continue
        if any(isinstance(node, Derivative | Dots) for node in walk(statement.parts[1])):
            continue
        seen.add(left.of.name)
        yield statement


def _whole(left: Entry, right: Expression, shapes: dict[str, tuple[str, str]]) -> Derived | None:
    """The matrix of the entries `right` at the indices of `left`; None where it has no matrix form here."""
    assert isinstance(left.of, Symbol)
    taken = {s.name for s in symbols(right)} | set(shapes)
    name = "w_entries" if len(left.indices) == 1 else "W_entries"
    while name in taken:
        name += "_"
    weight = Symbol(name)
    total: Expression = Product(replace(left, of=weight), right)
    for index in reversed(left.indices):
        total = BigSum(str(index.variable), total)
    sizes = {dim for shape in shapes.values() for dim in shape if dim.isidentifier()}
    known = {**dict.fromkeys(sizes, SCALAR), **shapes}
    if left.of.name in shapes:
        known[name] = shapes[left.of.name]
    try:
        return derivative(total, weight, known, distributions=())
    except (FormulaError, DerivationError):
        return None
