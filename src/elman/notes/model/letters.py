"""What the letters of a page are used as: functions, labels in names, running indices, layers, squares.

`φ (z)` is an application where φ never stands alone; c of v_c is a label where nothing runs over c; l of z^l numbers
layers where z^(l-1) occurs. All of it follows from the first reading of the page.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from elman.calculus.expression import (
    Add,
    Apply,
    BigProduct,
    BigSum,
    Call,
    Cases,
    Derivative,
    Entry,
    Expression,
    Index,
    Iverson,
    Number,
    Pattern,
    Power,
    Product,
    Subtract,
    Symbol,
    Transpose,
    base_of,
    children,
    walk,
)
from elman.calculus.shapes.kinds import is_called_a_loss
from elman.calculus.syntax.names import INDEX_LETTERS, LAYER_LETTERS
from elman.notes.model.page_model import Statement
from elman.notes.model.statement_kinds import defined_letter, defined_square, is_mention
from elman.notes.page.layers_of_functions import LAYER

_OPENS = re.compile(rf"\s*(?:{LAYER})?\s*(?:\\(?:left|[bB]igg?l?)\s*)?\(")
_PRIMED = re.compile(
    rf"\s*(?:{LAYER})?\s*(?:'|′|\^\s*\{{?\s*\\prime\s*\}}?)+\s*(?:{LAYER})?\s*(?:\\(?:left|[bB]igg?l?)\s*)?\("
)
_COMPOSED = re.compile(r"\s*\\circ(?![A-Za-z])\s*\{?\s*(?:\\(?:phi|psi|varphi)|[fghFGH])(?![A-Za-z])")
# Letters that are numbers on nearly every page: η (y - t) is a product.
_NUMBERS = frozenset(
    ("alpha", "beta", "gamma", "eta", "lambda", "mu", "epsilon", "rho", "tau", "a", "b", "c", "k", "m", "n", "N")
)
_SIZES = frozenset("kmnN")
_FUNCTIONS = frozenset(
    (
        "f",
        "g",
        "h",
        "F",
        "G",
        "H",
        "L",
        "J",
        "E",
        "C",
        "R",
        "l",
        "ell",
        "phi",
        "psi",
        "varphi",
        "Phi",
        "Psi",
        "Gamma",
        "sigma",
        "varsigma",
    )
)
_LETTERS_ALONE = re.compile(
    r"\s*\\?[A-Za-z]+(?:[_^](?:\w|\{[^{}]*\}))*(?:\s*[,;]\s*\\?[A-Za-z{} ]+(?:[_^](?:\w|\{[^{}]*\}))*)*\s*"
)
_RUNNING = frozenset("ijklmn")
_TWO = Number(Fraction(2))


@dataclass
class _Uses:
    """How each letter occurs; used while a page is looked through. `by_equations` are the functions S of equations
    S(x) = 1 / (1 + e^{-x}), `of_several` those of several letters, k(x, z).
    """

    applied: set[str] = field(default_factory=set)
    differentiated: set[str] = field(default_factory=set)
    primed: set[str] = field(default_factory=set)
    bare: set[str] = field(default_factory=set)
    subscripts: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    labels: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    bound: set[str] = field(default_factory=set)
    exponents: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    numbering: set[str] = field(default_factory=set)
    by_equations: set[str] = field(default_factory=set)
    of_several: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Letters:
    """What letters are used as: see `Names` for `functions`, `levels`, `squares` and `letters`; `labelled` are names
    with a label, v_c; `running` the letters that number entries.
    """

    functions: frozenset[str]
    labelled: frozenset[str]
    running: frozenset[str]
    levels: frozenset[str]
    squares: frozenset[str]
    letters: frozenset[str]


def letters_of(statements: Sequence[Statement], declared: Iterable[str]) -> Letters:
    """What the letters of a page are used as; `declared` are the names with declared shapes."""
    known = set(declared)
    uses = _Uses(by_equations={name for s in statements if (name := _function_by_equation(s))})
    for statement in statements:
        if not is_mention(statement):  # as in: any function $f$
            _look_through(statement, uses)
    defined = {left.name for s in statements if (left := _whole_left_side(s)) is not None}
    quantities = uses.bare | known
    numbers = _NUMBERS - (uses.differentiated - _SIZES)  # c(x) beside ∂c/∂x is no product
    numbers -= uses.of_several
    functions = {name for name in uses.applied if name not in quantities | defined and name not in numbers}
    functions |= {name for name in uses.primed if name not in known and name not in uses.bare}
    functions |= {
        name for name in uses.by_equations & _FUNCTIONS - known if name not in _NUMBERS and not is_called_a_loss(name)
    }
    for statement in filter(is_mention, statements):
        _look_through(statement, uses)
    uses.bare -= functions
    labelled, running = _subscripts(uses, known)
    running |= _indices_of_kronecker(statements, known)
    levels = {
        name for name, offsets in uses.exponents.items()
        if name not in uses.bare and name not in known and (len(offsets) > 1 or name in LAYER_LETTERS)
    } | (uses.numbering - known)  # fmt: skip
    if any(len(uses.exponents.get(name, ())) > 1 and name not in known for name in ("l", "ell")):
        levels |= LAYER_LETTERS & (set(uses.exponents) - known)  # z^l and z^{l-1}, though the page speaks of "layer l"
    return Letters(
        frozenset(functions), frozenset(labelled), frozenset(running), frozenset(levels),
        frozenset(_squares(statements, defined)), frozenset(_other_letters(statements, known)),
    )  # fmt: skip


def _whole_left_side(s: Statement) -> Symbol | None:
    """The letter that is the whole left side of an equation; None for f(x) = …"""
    left = s.parts[0]
    if len(s.parts) < 2 or not isinstance(left, Symbol) or _is_applied(left, s.formula.text):
        return None
    return left


def _is_applied(letter: Symbol, text: str) -> bool:
    """Whether a letter is written with a parenthesis behind it, which may be in its place: J(θ) = …"""
    start, end = letter.span
    return _OPENS.match(text, end) is not None or text.find("(", start, end) - start > 0


def _may_be_applied(letter: Symbol, text: str) -> bool:
    """Whether a letter before a parenthesis is a function: f (W x + b), and any letter before letters alone, y (x)."""
    if letter.name.split("_")[0] in _FUNCTIONS:
        return True
    begin, behind = letter.span
    opens = _OPENS.match(text, behind)
    start = opens.end() - 1 if opens is not None else text.find("(", begin + 1, behind)
    end = _closing(text, start) if start >= 0 else -1
    return start < end and _LETTERS_ALONE.fullmatch(text, start + 1, end) is not None


def _function_by_equation(s: Statement) -> str:
    """The name of the function S that S(x) = 1 / (1 + e^{-x}) says, by what it does to x; empty for other equations."""
    left, text = s.parts[0], s.formula.text
    applied = left.left if isinstance(left, Product) and left.operator == "" else left
    if len(s.parts) < 2 or s.continued is not None or not isinstance(applied, Symbol):
        return ""
    start = text.find("(", applied.span[0], left.span[1])
    end = _closing(text, start) if start >= 0 else -1
    if end + 1 != left.span[1] or _LETTERS_ALONE.fullmatch(text, start + 1, end) is None:
        return ""
    parameter = text[start + 1 : end].partition("^")[0].strip()
    letters = [n for part in s.parts[1:] for n in walk(part) if isinstance(n, Symbol)]
    is_used = any(parameter in (n.name, n.latex.partition("^")[0]) for n in letters)
    return applied.name if is_used and all(n.name != applied.name for n in letters) else ""


def _closing(text: str, start: int) -> int:
    """Where the parenthesis at `start` is closed; -1 where it is not."""
    depth = 0
    for k in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[k], 0)
        if depth == 0:
            return k
    return -1


def _look_through(statement: Statement, uses: _Uses) -> None:
    text = statement.formula.text
    left = statement.parts[0]
    if len(statement.parts) > 1 and isinstance(left, Entry):
        right = {i.variable for p in statement.parts[1:] for n in walk(p) for i in _indices(n)}
        uses.bound |= {str(i.variable) for i in left.indices if i.variable in right}
    for condition in statement.relation.conditions:
        uses.bound |= {str(i.variable) for n in walk(condition) for i in _indices(n) if i.variable}
    for part in statement.parts[statement.continued is not None :]:  # the left side above is looked through there
        for node, inside in _with_surroundings(part):
            if isinstance(node, BigSum | BigProduct):
                uses.bound.add(node.index)
                if _numbers_examples(node):
                    uses.numbering.add(node.index)
            elif isinstance(node, Pattern):
                uses.bound |= node.bound
            elif isinstance(node, Iverson):
                uses.bound |= {i.variable for i in (node.left, node.right) if i.variable}
            elif isinstance(node, Apply):
                (uses.primed if node.primes else uses.applied).add(node.name)
                if len(node.arguments) > 1:
                    uses.of_several.add(node.name)
            elif isinstance(node, Entry) and isinstance(node.of, Symbol) and len(node.indices) == 1:
                if node.indices[0].variable is not None:
                    uses.subscripts[node.of.name].add(node.indices[0].variable)
            elif isinstance(node, Power):
                _exponent(node.exponent, uses)
            elif isinstance(node, Derivative) and isinstance(node.wrt, Power):
                numbering = _Uses()  # nothing is differentiated by a power
                _exponent(node.wrt.exponent, numbering)
                uses.numbering |= {name for name in numbering.exponents if len(name) == 1}
            elif isinstance(node, Call) and node.function == "exp":
                _exponent(node.arguments[0], uses)
            elif isinstance(node, Transpose) and _is_primed(node, text):
                assert isinstance(node.of, Symbol)
                uses.primed.add(node.of.name)
            elif isinstance(node, Symbol) and inside not in ("entry", "prime"):
                _symbol(node, inside, text, uses)


def _numbers_examples(total: BigSum | BigProduct) -> bool:
    """Whether the index of a sum stands above several letters, as in Σ_n (y^n - w x^n)^2, and nowhere else in it: no
    such sum is a series of powers.
    """
    index = Symbol(total.index)
    scripts = [node for node in walk(total.body) if isinstance(node, Power) and node.exponent == index]
    others = sum(node == index for node in walk(total.body)) - len(scripts)
    others += any(i.variable == total.index for node in walk(total.body) for i in _indices(node))
    letters = {base_of(node.of) for node in scripts}
    return len(letters) > 1 and not others and all(isinstance(letter, Symbol) for letter in letters)


def _with_surroundings(e: Expression, inside: str = "") -> Iterator[tuple[Expression, str]]:
    """All nodes, each with what it is in directly: an entry, an exponent, the numerator of a derivative."""
    yield e, inside
    for child in children(e):
        where = ""
        if isinstance(e, Entry):
            where = "entry"
        elif isinstance(e, Derivative) and child is e.of:
            where = "numerator"
        elif _is_exponent(child, e) or (inside == "exponent" and isinstance(e, Add | Subtract)):
            where = "exponent"
        elif isinstance(e, Transpose) and isinstance(child, Symbol) and child.span == (0, 0):
            where = "prime"
        yield from _with_surroundings(child, where)


def _is_exponent(child: Expression, e: Expression) -> bool:
    return (isinstance(e, Call) and e.function == "exp") or (isinstance(e, Power) and child is e.exponent)


def _symbol(node: Symbol, inside: str, text: str, uses: _Uses) -> None:
    end = node.span[1]
    stem, _, label = node.name.rpartition("_")
    if stem and len(label) == 1:
        uses.labels[stem].add(label)
    if inside == "exponent":
        return
    if _PRIMED.match(text, end):
        uses.primed.add(node.name)
    elif (
        _is_applied(node, text)
        and node.time is None
        and (node.name in uses.by_equations or _may_be_applied(node, text))
    ):
        uses.applied.add(node.name)
    elif _COMPOSED.match(text, end) and node.name in _FUNCTIONS:
        uses.applied.add(node.name)  # f of f ∘ g
    elif inside != "numerator":
        uses.bare.add(node.name)
    else:
        uses.differentiated.add(node.name)


def _is_primed(e: Transpose, text: str) -> bool:
    """Whether f' is written before a parenthesis."""
    written = isinstance(e.of, Symbol) and text[e.span[1] - 1 : e.span[1]] in ("'", "′")
    return written and _OPENS.match(text, e.span[1]) is not None


def _indices(e: Expression) -> tuple[Index, ...]:
    """The indices of an entry or of [i = j]."""
    if isinstance(e, Entry):
        return e.indices
    return (e.left, e.right) if isinstance(e, Iverson) else ()


def _exponent(e: Expression, uses: _Uses) -> None:
    """An exponent that may number layers: l, l - 1, l + 1."""
    if isinstance(e, Symbol):
        uses.exponents[e.name].add(0)
    elif isinstance(e, Add | Subtract) and isinstance(e.left, Symbol) and isinstance(e.right, Number):
        uses.exponents[e.left.name].add(1 if isinstance(e, Add) else -1)


def _subscripts(uses: _Uses, known: set[str]) -> tuple[set[str], set[str]]:
    """The names with a label, and the subscripts that are running indices."""
    labelled, running = set[str](), set(uses.bound)
    for stem in [*uses.subscripts, *(s for s in uses.labels if uses.labels[s] & uses.bound)]:
        found = uses.subscripts.get(stem, set()) | (uses.labels[stem] & uses.bound)
        whole = stem in uses.bare or stem in known
        runs = bool(found & uses.bound)
        several = len(found) > 1 and found <= _RUNNING
        for letter in found:
            if letter in uses.bound:
                continue
            if whole or runs or (letter in _RUNNING and several):
                running.add(letter)
            else:
                labelled.add(f"{stem}_{letter}")
    return labelled, running


def _indices_of_kronecker(statements: Sequence[Statement], known: set[str]) -> set[str]:
    """The subscripts of a δ that has two of them wherever it stands, and that no equation gives a value: it is
    Kronecker's.
    """
    found, nodes = set[str](), [n for s in statements for n in s.nodes()]
    within = {id(n.of) for n in nodes if isinstance(n, Entry)}
    for node in nodes:
        letter = base_of(node)
        if not isinstance(letter, Symbol) or letter.name.split("_")[0] != "delta" or id(node) in within:
            continue
        label = [*letter.name.partition("_")[2], *map(str, _indices(node))]
        written = set(label) - set("123456789")
        if len(label) != 2 or letter.time is not None or not written <= INDEX_LETTERS or not written:
            return set()
        found |= written
    defined = {left.name.split("_")[0] for s in statements if (left := _defined_letter(s)) is not None}
    return set() if "delta" in defined | {name.split("_")[0] for name in known} else found


def _defined_letter(s: Statement) -> Symbol | None:
    """The letter or the entry that an equation gives a value other than a number."""
    left = base_of(s.parts[0])
    numbers = all(isinstance(n, Cases | Number | Iverson) for n in walk(s.parts[1])) if len(s.parts) > 1 else True
    return None if numbers or not isinstance(left, Symbol) else left


def _squares(statements: Sequence[Statement], defined: set[str]) -> Iterator[str]:
    """Letters of which the page defines the square only, σ^2 = …, or differentiates by it."""
    by = [n.wrt for s in statements for n in s.nodes() if isinstance(n, Derivative)]
    left = [s.parts[0] for s in statements if len(s.parts) > 1]
    roots = {letter.name for s in statements if (letter := _root(s)) is not None}
    for e in (*by, *left):
        letter = _squared_letter(e)
        if letter is not None and letter.name not in defined and letter.name not in roots:
            yield letter.name


def _root(s: Statement) -> Symbol | None:
    """The letter that an equation of squares defines."""
    square = defined_square(s)
    return defined_letter(square[0]) if square is not None else None


def _squared_letter(e: Expression) -> Symbol | None:
    """The letter of σ^2, σ_j^2 or σ^2_j."""
    if isinstance(e, Entry) and isinstance(e.of, Power):
        e = e.of
    if not isinstance(e, Power) or e.exponent != _TWO:
        return None
    letter = base_of(e.of)
    return letter if isinstance(letter, Symbol) else None


def _other_letters(statements: Sequence[Statement], known: set[str]) -> Iterator[str]:
    """e where the page declares or defines it, or differentiates by it."""
    if "e" in known:
        yield "e"
    for statement in statements:
        left = statement.parts[0]
        by = [n.wrt for part in statement.parts for n in walk(part) if isinstance(n, Derivative)]
        for e in [*by, *([left] if len(statement.parts) > 1 else [])]:
            if (isinstance(e, Symbol) and e.name == "e") or (isinstance(e, Call) and e.function == "exp"):
                yield "e"
