"""A page → the model that it states: every formula read, names told from scripts, definitions found.

Nothing here knows any network: what recurs, what is a parameter and what is a loss is read off the page's own
equations.
"""

from __future__ import annotations

import re
from dataclasses import replace

from elman.calculus.expression import (
    BigSum,
    Derivative,
    Dots,
    Expression,
    Index,
    Product,
    Relation,
    Symbol,
    symbols,
    transform,
    walk,
)
from elman.calculus.syntax.names import Names
from elman.calculus.syntax.parse import parse_statements
from elman.calculus.syntax.written_sizes import is_written
from elman.errors import FormulaError
from elman.notes.model.page_model import TIME, Definition, PageModel, Statement, free_indices, free_times
from elman.notes.model.stated_sizes import stated_sizes, states_a_size
from elman.notes.page.page import Formula, Page
from elman.notes.page.reader import readable


def build(page: Page) -> PageModel:
    """Reads every formula of the page, twice: first for the names, then with them."""
    shapes = {s.name: (s.rows, s.columns) for s in page.shapes if "0" not in (s.rows, s.columns)}
    sizes = {word for shape in shapes.values() for dim in shape for word in dim.split("*") if not is_written(word)}
    first = Names.of({*shapes, *sizes})
    statements, _ = _parse(page, first)
    families = _families(statements, shapes)
    differentials = _differentials(statements)
    for old, (name, shape) in families.items():
        shapes.pop(old)
        shapes[name] = shape
        sizes |= {shape[1]}
    indices = _indices(statements)
    timed, used = set[str](), {*shapes, *sizes}
    for statement in statements:
        for part in statement.parts:
            for node in walk(part):
                if isinstance(node, Symbol):
                    used |= {node.name} if node.time is not None or "_" in node.name else set()
                    timed |= {node.name} if node.time is not None and node.time.variable else set()
        if isinstance(statement.parts[0], Symbol) and len(statement.parts) > 1:
            used.add(statement.parts[0].name)
    used -= {
        name for name in used - set(shapes) if name.rpartition("_")[2] in indices and name.rpartition("_")[0] in used
    }
    several = {name for name, _ in families.values()}
    used -= set(families) | {n for n in used - set(shapes) if n.rpartition("_")[0] in several and n[-1].isdigit()}
    used |= {name for word in differentials for name in (word, word.partition("_")[0])}
    names = Names.of(used | timed, timed, indices, several)
    statements, unread = _parse(page, names)
    aliases = _aliases(shapes, statements)
    for old, new in aliases.items():
        shapes[new] = shapes.pop(old)
    said = stated_sizes(statements, shapes)
    equations, named, start = _definitions([s for s in statements if not states_a_size(s, said)])
    timed = _implicitly_timed(equations, named, timed)
    model = PageModel(
        tuple(statements), tuple(unread), names, shapes, equations, named, frozenset(timed),
        aliases, start, families=frozenset(several), said=said,
    )  # fmt: skip
    return _folded(model)


def _differentials(statements: list[Statement]) -> set[str]:
    """dW on a left side, read as d times W as long as no one says that it is one name."""
    found = set[str]()
    for statement in statements:
        left = statement.parts[0]
        if isinstance(left, Product) and left.operator == "" and len(statement.parts) > 1:
            d, of = left.left, left.right
            if d == Symbol("d") and isinstance(of, Symbol):
                found.add("d" + of.name)
    return found


def _indices(statements: list[Statement]) -> set[str]:
    """The single letters over which sums of the page run, time steps left out."""
    found = {name for st in statements for part in st.parts for name in _bound(part) if len(name) == 1}
    times = {name for st in statements for part in st.parts for name in free_times(part)}
    times |= {
        s.time.variable for st in statements for part in st.parts for s in symbols(part) if s.time and s.time.variable
    }
    return found - times - {TIME}


def _families(
    statements: list[Statement], shapes: dict[str, tuple[str, str]]
) -> dict[str, tuple[str, tuple[str, str]]]:
    """Declared columns that a sum runs over, u_k in Σ_k: by the declared name, the name of all together, and their
    shape.
    """
    taken = {s.name for st in statements for part in st.parts for s in symbols(part)} | set(shapes)
    found: dict[str, tuple[str, tuple[str, str]]] = {}
    for node in (n for st in statements for part in st.parts for n in walk(part) if isinstance(n, BigSum)):
        for name in sorted({s.name for s in symbols(node.body)} & set(shapes)):
            stem, _, label = name.rpartition("_")
            if label == node.index and stem and stem not in taken and shapes[name][1] == "1":
                count = node.upper.variable if node.upper is not None and not node.upper.offset else None
                found.setdefault(name, (stem, (shapes[name][0], count or node.index.upper())))
    return found


def _parse(page: Page, names: Names) -> tuple[list[Statement], list[tuple[Formula, FormulaError]]]:
    statements: list[Statement] = []
    unread: list[tuple[Formula, FormulaError]] = []
    for formula in page.formulas:
        places: list[int] | None = None
        try:
            text, places = readable(page, formula)
            found = parse_statements(text, names, "python" if formula.kind == "code" else "latex")
        except FormulaError as error:
            unread.append((formula, _at_its_place(error, places)))
            continue
        for relation in found:
            back = relation if text == formula.text else _in_page(relation, places)
            statements.append(Statement(formula, back, len(statements)))
    return statements, unread


def _at_its_place(error: FormulaError, places: list[int] | None) -> FormulaError:
    """The error with its column in the formula as it stands on the page, macros not expanded."""
    if places is None or error.column is None:
        return error
    return FormulaError(error.reason, places[min(error.column, len(places)) - 1] + 1)


def _in_page(relation: Relation, places: list[int]) -> Relation:
    """The relation with every place that of the formula on the page, its macros not expanded."""

    def back(node: Expression) -> Expression:
        start, end = node.span
        return replace(node, span=(places[start], max(places[end - 1] + 1, places[start])) if end else node.span)

    regions = tuple((places[start], places[end]) for start, end in relation.regions)
    return replace(relation, parts=tuple(transform(part, back) for part in relation.parts), regions=regions)


def _aliases(shapes: dict[str, tuple[str, str]], statements: list[Statement]) -> dict[str, str]:
    """Declared names that no formula uses and that are another's but for a trailing number: gamma1 for γ."""
    used = {s.name for st in statements for part in st.parts for s in walk(part) if isinstance(s, Symbol)}
    found = {}
    for name in shapes:
        stem = re.sub(r"_?\d+$", "", name)
        if name not in used and stem != name and stem in used and stem not in shapes:
            found[name] = stem
    return found


def _definitions(
    statements: list[Statement],
) -> tuple[dict[str, tuple[Definition, ...]], dict[str, tuple[Definition, ...]], dict[tuple[str, Index], Definition]]:
    equations: dict[str, tuple[Definition, ...]] = {}
    named: dict[str, tuple[Definition, ...]] = {}
    start: dict[tuple[str, Index], Definition] = {}
    used: dict[str, int] = {}
    running = {
        name for st in statements for part in st.parts for name in free_times(part) | free_indices(part) | _bound(part)
    }
    for statement in statements:
        for part in statement.parts[1:]:
            for node in walk(part):
                if isinstance(node, Symbol):
                    used.setdefault(node.name, statement.number)
    inline = [s for s in statements if s.formula.kind == "inline"]
    for statement in [*(s for s in statements if s.formula.kind != "inline"), *inline]:
        left, sign = statement.parts[0], statement.relation.operators[:1]
        if not isinstance(left, Symbol) or sign not in (("=",), (":=",)):
            continue
        if statement.formula.kind == "inline" and left.time is None and left.name in running:
            continue  # i = 1
        in_use = used.get(left.name, statement.number) < statement.number
        fixed = left.time is not None and _is_fixed(left.time)
        if statement.formula.kind == "inline" and in_use and not fixed:
            continue  # said of a letter in use: a claim, or a condition, but no definition
        parts = list(enumerate(statement.parts))[1:]
        derivative = next(((i, p) for i, p in parts if isinstance(p, Derivative)), None)
        if derivative is not None and not isinstance(derivative[1].of, Derivative):
            d = Definition(left.name, left.time, derivative[1], statement.number, derivative[0])
            if all(d.time != other.time for other in named.get(left.name, ())):
                named[left.name] = (*named.get(left.name, ()), d)
            continue
        plain = next(((i, p) for i, p in parts if not _has(p, Derivative | Dots)), None)
        if plain is None:
            continue
        d = Definition(left.name, left.time, plain[1], statement.number, plain[0])
        if left.time is not None and _is_fixed(left.time):
            start.setdefault((left.name, left.time), d)
            continue
        before = equations.get(left.name, ())
        if not before or (len(before) == 1 and (before[0].time is None) != (left.time is None) and _kind(before[0], d)):
            equations[left.name] = (*before, d)
    for name in named:
        equations.pop(name, None)
    return equations, named, start


def _bound(e: Expression) -> set[str]:
    return {node.index for node in walk(e) if isinstance(node, BigSum)}


def _is_fixed(time: Index) -> bool:
    """A single step, not every one: 0, T, T+1."""
    return time.variable is None or time.variable == "T"


def _kind(a: Definition, b: Definition) -> bool:
    """Whether one of the two has a time step and the other has none, as J^(t) and J = Σ_t J^(t)."""
    untimed = a if a.time is None else b
    return not free_times(untimed.value)


def _has(e: Expression, kind: type | object) -> bool:
    return any(isinstance(node, kind) for node in walk(e))  # type: ignore[arg-type]


def _implicitly_timed(
    equations: dict[str, tuple[Definition, ...]], named: dict[str, tuple[Definition, ...]], timed: set[str]
) -> set[str]:
    """Names that differ from step to step because what they are made of does."""
    known = set(timed)
    changed = True
    while changed:
        changed = False
        for name, definitions in {**equations, **named}.items():
            if name not in known and any(d.time is not None or free_times(d.value, known) for d in definitions):
                known.add(name)
                changed = True
    return known


def _folded(model: PageModel) -> PageModel:
    """Equations in which what another equation names stands written out take its letter instead.

    A page that says h = σ(W_h h^(t-1) + …) and later z = W_h h^(t-1) + … means h = σ(z): else ∂h/∂z would be nothing.
    """
    patterns: list[tuple[Expression, Symbol, str]] = []
    for name, definitions in model.equations.items():
        d = definitions[0]
        if not isinstance(d.value, Symbol) and any(isinstance(n, Symbol) for n in walk(d.value)):
            time = d.time if d.time is not None or name not in model.timed else Index(TIME)
            patterns.append((_timed_out(d.value, model), Symbol(name, time), name))

    def fold(d: Definition) -> Definition:
        value = _timed_out(d.value, model)

        def change(node: Expression) -> Expression:
            for pattern, letter, name in patterns:
                if name != d.name and node == pattern and not _reaches(model, name, d.name, d.time):
                    return replace(letter, span=node.span)
            return node

        new = transform(value, change)
        return d if new == value else replace(d, value=new)

    equations = {name: tuple(fold(d) for d in found) for name, found in model.equations.items()}
    return replace(model, equations=equations)


def _timed_out(e: Expression, model: PageModel) -> Expression:
    """Every bare letter that has time steps gets the time at hand."""

    def change(node: Expression) -> Expression:
        if isinstance(node, Symbol) and node.time is None and node.name in model.timed:
            both = len(model.equations.get(node.name, ())) > 1
            return node if both else replace(node, time=Index(TIME))
        return node

    return transform(e, change)


def _reaches(model: PageModel, start: str, goal: str, time: Index | None) -> bool:
    """Whether `start` at the time at hand is made of `goal` at the same time: folding would go round in a circle."""
    seen, stack = set(), [start]
    while stack:
        name = stack.pop()
        if name in seen:
            continue
        seen.add(name)
        for d in model.equations.get(name, ()):
            here = d.time or Index(TIME)
            for node in walk(d.value):
                if isinstance(node, Symbol) and (node.time is None or node.time == here):
                    if node.name == goal:
                        return True
                    stack.append(node.name)
    return False
