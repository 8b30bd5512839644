"""Other usual readings under which a claim holds: its letter is a number, its matrix symmetric as the page says, the
label y of an example is 1 or -1, so that y^2 is 1, or a letter has its value in an example of the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from elman.calculus.expression import (
    Apply,
    Call,
    Derivative,
    Entry,
    Expression,
    Negative,
    Number,
    Product,
    Symbol,
    Transpose,
    transform,
    walk,
)
from elman.calculus.printing.render import text
from elman.calculus.shapes.kinds import usual_costs
from elman.notes.judge.checker import Checker
from elman.notes.judge.judgement import Judgement
from elman.notes.model.page_model import everything_in, names_in
from elman.notes.model.roles import with_roles
from elman.notes.model.statement_kinds import StatementKind, is_zero
from elman.notes.oracle.agreement import agreement
from elman.notes.oracle.oracle import Oracle

_SYMMETRIC = re.compile(
    r"(?<!skew)(?<!skew[- ])(?<!anti)(?<!anti[- ])\bsymmetric\b|(?<![反斜])对称"
    r"|(?<![A-Za-z])([A-Z])\s*\^\s*\{?\s*(?:T|\\top)\b\s*\}?\s*=\s*\1(?![A-Za-z])"
    r"|(?<![A-Za-z])([A-Z])\s*=\s*\2\s*\^\s*\{?\s*(?:T\b|\\top\b)"
)
_NOT_SYMMETRIC = re.compile(
    r"\b(?:not|non|never|neither|without|\w+n['’]t)\b[\w\s$\\{}-]{0,30}\bsymmetric|(?:[不非]|未必|不必|不一定|不是|并非)(?:是|一个)?对称"
)
_LABEL = "y"
_LOGARITHMS = {"ln", "log2", "log10", "log1p"}
_BESIDE = 120  # characters beside a formula in which its sentence is


def number_it_holds_for(checker: Checker, j: Judgement) -> str:
    """The only letter of a claim, where the claim holds for it as a number; else empty. What a claim differentiates by
    is such a letter, too, where all others of the claim are made of it: ŷ = σ(z), whatever z is. Where the page
    declares shapes and writes ∘ for what it means so, only z itself is: σ'(z) = σ(z) (1 - σ(z)).
    """
    if any(isinstance(n, Entry) for part in (j.left, j.expression) for n in walk(part)):
        return ""
    given = {*given_letters(checker, j, j.left), *given_letters(checker, j, j.expression)}
    if len(given) == 1 and holds_with(checker, j, dict.fromkeys(given, ("1", "1"))):
        return text(as_written(min(given), (j.left, j.expression)))
    by = _argument(j.left)
    if by is None or by.name not in checker.model.equations or not _holds_for_number(checker, j, by):
        return ""
    return text(replace(by, time=None))


def small_letter_it_holds_for(checker: Checker, j: Judgement) -> str:
    """The small letter of a claim that was read as a matrix, where the claim holds for it as a number, which it is
    rather than a matrix: c (A + B) = A c + B c; else empty.
    """
    local = checker.sampling.local_shapes(j.statement)
    shapes = {**{n: checker.model.shapes[n] for n in checker.model.assumed if n in checker.model.shapes}, **local}
    for name in dict.fromkeys((*given_letters(checker, j, j.left), *given_letters(checker, j, j.expression))):
        costs = usual_costs(name)
        if "1" in shapes.get(name, ("1",)) or costs["number"] > costs["matrix"] or name in checker.model.families:
            continue
        if holds_with(checker, j, {name: ("1", "1")}):
            return text(as_written(name, (j.left, j.expression)))
    return ""


def symmetric_it_holds_for(checker: Checker, j: Judgement) -> str:
    """The given matrix of a claim that holds where it is symmetric, as the words beside it say; else empty. Where the
    page was read to call another one symmetric, the words may be about that.
    """
    start, end = j.statement.formula.outer
    page = checker.page.text
    above = page[max(start - _BESIDE, 0) : start].rstrip().rpartition("\n\n")[2]
    below = page[end : end + _BESIDE].lstrip().partition("\n\n")[0]
    beside = f"{above} {page[start:end]} {'' if below.startswith('#') else below}"
    if not _SYMMETRIC.search(beside) or _NOT_SYMMETRIC.search(beside):
        return ""
    if j.result.error is not None or checker.model.symmetric:
        return ""
    sampled = checker.sampling.oracles(j.statement)
    for name in sorted({*given_letters(checker, j, j.left), *given_letters(checker, j, j.expression)}):
        shape = sampled[0].values.shape_of(name)
        if shape is None or shape[0] != shape[1] or shape[0] == 1:
            continue
        model = with_roles(replace(checker.model, symmetric=checker.model.symmetric | {name}))
        tried = (checker.oracles.new(model, o.point, o.local, o.conditions) for o in sampled)
        if holds_in(tried, j):
            return text(as_written(name, (j.left, j.expression)))
    return ""


def holds_for_columns(checker: Checker, j: Judgement) -> bool:
    """Whether a claim holds if each x_i, row i of a matrix, is taken as a column, as x_i^T w means it."""
    values = checker.sampling.oracles(j.statement)[0].values

    def change(node: Expression) -> Expression:
        if not isinstance(node, Entry) or not isinstance(node.of, Symbol) or len(node.indices) != 1 or node.column:
            return node
        shape = values.shape_of(node.of.name)
        return node if shape is None or 1 in shape else Transpose(node)

    turned = replace(j, left=transform(j.left, change), statement=j.statement.transformed(change))
    return turned.expression != j.expression and holds_in(checker.sampling.oracles(j.statement), turned)


def _has_margin(value: Expression) -> bool:
    """Whether it is a margin, y times a prediction as in y w^T x, or has a function of one, as max(0, 1 - y f)."""
    arguments = (a for n in walk(value) if isinstance(n, Call) for a in n.arguments)
    products = [value, *(n for a in arguments for n in walk(a))]
    return any(isinstance(n, Product) and _scales_by_label(n) for n in products)


def _scales_by_label(product: Product) -> bool:
    """Whether y is a factor of it, and no logarithm, as in y ln p."""
    factors = list(_factors(product))
    labels = [f for f in factors if isinstance(f, Symbol) and f.name == _LABEL]
    return bool(labels) and not any(isinstance(f, Call) and f.function in _LOGARITHMS for f in factors)


def _factors(node: Expression) -> Iterator[Expression]:
    if isinstance(node, Product) and node.operator != "/":
        yield from _factors(node.left)
        yield from _factors(node.right)
    elif isinstance(node, Negative):
        yield from _factors(node.of)
    else:
        yield node


def label_it_holds_for(checker: Checker, j: Judgement) -> str:
    """The given letter y of a claim that holds where it is 1 or -1, as of ln (1 + e^{-y w^T x}); else empty.

    Only where the equations of the page have a margin, y w^T x: a label that a prediction is compared with may be 0.
    """
    written = {n.name for part in (j.left, j.expression) for n in walk(part) if isinstance(n, Symbol)}
    given = {*given_letters(checker, j, j.left), *given_letters(checker, j, j.expression)}
    if j.result.error is not None or _LABEL not in given or _LABEL in checker.model.roles.shares:
        return ""
    if all(name != _LABEL and _LABEL not in names_in(checker.model, [Symbol(name)]) for name in written):
        return ""
    if not any(_has_margin(d.value) for found in checker.model.equations.values() for d in found):
        return ""

    def change(node: Expression) -> Expression:
        return Call("sign", (node,)) if isinstance(node, Symbol) and node.name == _LABEL else node

    equations = {
        name: tuple(replace(d, value=transform(d.value, change)) for d in found)
        for name, found in checker.model.equations.items()
    }
    model = replace(checker.model, equations=equations)
    signed = replace(j, left=transform(j.left, change), statement=j.statement.transformed(change))
    sampled = checker.sampling.oracles(j.statement)
    tried = (checker.oracles.new(model, o.point, o.local, o.conditions) for o in sampled)
    return _LABEL if holds_in(tried, signed) else ""


def example_it_holds_for(checker: Checker, j: Judgement) -> str:
    """The values that the page gives letters below the same heading, W = 1, with which a claim holds that does not hold
    for all; else empty. A value of 0 would hide what is wrong.
    """
    if j.result.error is not None:
        return ""
    given = {*given_letters(checker, j, j.left), *given_letters(checker, j, j.expression)}
    values: dict[str, Expression] = {}
    for s in checker.model.own_statements():
        is_near = s.formula.heading == j.statement.formula.heading
        if not is_near or len(s.parts) != 2 or checker.kinds[s.number] is not StatementKind.EXAMPLE:
            continue
        left, value = s.parts
        if not isinstance(left, Symbol) or left.time is not None or left.name not in given:
            continue
        number = value.of if isinstance(value, Negative) else value
        if isinstance(number, Number) and not is_zero(number):
            values.setdefault(left.name, value)
    each = [{name: value} for name, value in values.items()]
    for some in (*each, values) if len(each) > 1 else each:
        if _holds_with_values(checker, j, some):
            return " and ".join(f"{text(Symbol(name))} = {text(value)}" for name, value in some.items())
    return ""


def _holds_with_values(checker: Checker, j: Judgement, values: Mapping[str, Expression]) -> bool:
    """Whether a claim holds with these values of letters."""

    def change(node: Expression) -> Expression:
        return values.get(node.name, node) if isinstance(node, Symbol) else node

    equations = {
        name: tuple(replace(d, value=transform(d.value, change)) for d in found)
        for name, found in checker.model.equations.items()
    }
    model = replace(checker.model, equations=equations)
    changed = replace(j, statement=j.statement.transformed(change))
    sampled = checker.sampling.oracles(j.statement)
    return holds_in((checker.oracles.new(model, o.point, o.local, o.conditions) for o in sampled), changed)


def holds_with(checker: Checker, j: Judgement, shapes: dict[str, tuple[str, str]]) -> bool:
    """Whether a claim holds with other shapes of some letters."""
    model = replace(checker.model, shapes={**checker.model.shapes, **shapes})
    sampled = checker.sampling.oracles(j.statement)
    tried = (checker.oracles.new(model, o.point, {**o.local, **shapes}, o.conditions) for o in sampled)
    return holds_in(tried, j)


def holds_in(oracles: Iterable[Oracle], j: Judgement) -> bool:
    """Whether a claim holds at the points of these oracles, and says more there than 0 = 0."""
    return all(found.plain and not found.nothing for found in (agreement(o, j.left, j.expression) for o in oracles))


def given_letters(checker: Checker, j: Judgement, e: Expression) -> list[str]:
    """The letters without an equation on which the value of one side of a claim depends."""
    model = checker.model
    known = {*model.equations, *model.named, *(name for name, _ in model.start), *checker.sampling.sizes(), "T"}
    names = (n.name for n in everything_in(model, [e]) if isinstance(n, Symbol))
    return [name for name in dict.fromkeys(names) if name not in known]


def as_written(name: str, parts: Iterable[Expression]) -> Symbol:
    """A letter as a claim writes it, without its time step."""
    found = (n for part in parts for n in walk(part) if isinstance(n, Symbol) and n.name == name)
    return next((replace(n, time=None) for n in found), Symbol(name))


def _holds_for_number(checker: Checker, j: Judgement, by: Symbol) -> bool:
    """Whether a claim depends on one letter alone, and holds for every number in its place."""
    model = checker.model
    made = {name for name in model.equations if by.name in names_in(model, [Symbol(name)])}
    equations = {name: found for name, found in model.equations.items() if name != by.name}
    shapes = {name: shape for name, shape in model.shapes.items() if name not in made} | {by.name: ("1", "1")}
    free = replace(model, equations=equations, shapes=shapes)
    if not names_in(free, (j.left, j.expression)) <= {by.name, *made}:
        return False
    written = {n.name for part in (j.left, j.expression) for n in walk(part) if isinstance(n, Symbol)}
    writes_entrywise = any(_is_entrywise(n) for s in model.statements for n in s.nodes())
    if written != {by.name} and writes_entrywise and checker.declares_shapes(j):
        return False  # h (1 - h) of declared columns, where the page writes ∘ for what it means so
    sampled = checker.sampling.oracles(j.statement)
    tried = (checker.oracles.new(free, o.point, {**o.local, by.name: ("1", "1")}, o.conditions) for o in sampled)
    return holds_in(tried, j)


def _argument(e: Expression) -> Symbol | None:
    """The letter by which a derivative is taken, as ∂σ(z)/∂z and σ'(z) are by z; None for any other."""
    by = e.wrt if isinstance(e, Derivative) else None
    if isinstance(e, Apply | Call) and e.primes and len(e.arguments) == 1:
        by = e.arguments[0]
    return by if isinstance(by, Symbol) else None


def _is_entrywise(e: Expression) -> bool:
    return isinstance(e, Product) and e.operator == "∘"
