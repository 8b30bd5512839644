r"""Derivatives: \frac{\partial f}{\partial x}, \frac{\partial}{\partial x}(…), ∂f/∂x, dL/dx, \nabla_x f.

A derivative by x^T keeps the transpose, and a second derivative is a derivative of a derivative. A bare ∇f, and f'
without an argument, is by `Symbol("")`: the page says by what.
"""

from __future__ import annotations

from dataclasses import replace

from elman.calculus.expression import (
    Call,
    Derivative,
    Entry,
    Expression,
    Negative,
    Power,
    Product,
    Symbol,
    Transpose,
    symbols,
)
from elman.calculus.functions import ELEMENTWISE, SPELLINGS
from elman.calculus.syntax.conditions import at_top
from elman.calculus.syntax.cursor import Cursor, plain_text
from elman.calculus.syntax.grammar import Grammar
from elman.calculus.syntax.names import LOSSES
from elman.calculus.syntax.scripts import Letter, Node
from elman.calculus.syntax.tokens import Token
from elman.errors import FormulaError
from elman.wording import count

_MAX_ORDER = 4
_INDICES = frozenset("ijklmn")


def fraction(p: Grammar, token: Token) -> Node:
    """A fraction, or a derivative written as one; so is one with a ∂ that is forgotten above or below a letter."""
    start = token.start
    above = p.cursor.take_argument()
    below = p.cursor.take_argument()
    alone = len(above) == 1 and above[0].text == "delta"  # \frac{\delta}{\delta x}(x^2)
    if (alone or _begins_with_delta(above)) and _begins_with_delta(below) and p.names.resolve("delta") is None:
        above, below = ([replace(each[0], text="partial"), *each[1:]] for each in (above, below))
    if _is_differential(above) and _is_differential(below):
        return _derivative(p, above, below, start)
    if _is_minus_differential(above) and _is_differential(below):
        return Negative(_derivative(p, above[1:], below, start), span=p.cursor.span_from(start))
    if _begins_with_partial(above) and (wrt := _letter_below(p, below)) is not None and len(above) > 1:
        order, numerator = _order_and_rest(above)
        if order == 1:
            return Derivative(p.group(numerator, differentiated=True), wrt, span=p.cursor.span_from(start))
    if _begins_with_partial(below) and above and len(by := _denominator(p, below)) == 1:
        return Derivative(p.group(above, differentiated=True), by[0], span=p.cursor.span_from(start))
    return Product(p.group(above), p.group(below), "/", span=p.cursor.span_from(start))


def _begins_with_delta(tokens: list[Token]) -> bool:
    r"""Whether some tokens are a δ without scripts and a letter: \delta y of \frac{\delta y}{\delta x}."""
    return len(tokens) > 1 and tokens[0].text == "delta" and tokens[1].kind in ("letter", "command", "{")


def _begins_with_partial(tokens: list[Token]) -> bool:
    """Whether some tokens begin with a ∂ that is not the one of ∂J/∂x."""
    return (
        bool(tokens)
        and tokens[0].kind == "command"
        and tokens[0].text == "partial"
        and not any(t.kind == "/" for _, t in at_top(tokens))
    )


def _letter_below(p: Grammar, below: list[Token]) -> Expression | None:
    """The letter, with its scripts, that some tokens are; None for anything else."""
    part = p.part(below)
    try:
        found = part.factor()
    except FormulaError:
        return None
    entry = isinstance(found, Entry) and isinstance(found.of, Symbol)
    return found if part.cursor.at_end and (entry or isinstance(found, Symbol)) else None


def _derivative(p: Grammar, above: list[Token], below: list[Token], start: int) -> Expression:
    """∂above/∂below, the signs ∂ among the tokens."""
    order, numerator = _order_and_rest(above)
    by = _denominator(p, below)
    if not 0 < len(by) <= _MAX_ORDER:
        raise FormulaError(f"a derivative of order {len(by)} is not read", below[0].start + 1)
    if order == 1 and len(by) == 2 and (square := _squared_letter(p, below)) is not None:
        by = [square]
    if order != len(by):
        raise FormulaError(_uneven(order, len(by)), above[0].start + 1)
    of = _function_of(p, numerator, by) or (p.group(numerator, differentiated=True) if numerator else operand(p))
    for wrt in reversed(by):
        of = Derivative(of, wrt, span=p.cursor.span_from(start))
    return of


def _function_of(p: Grammar, numerator: list[Token], by: list[Expression]) -> Expression | None:
    """σ(x) for the numerator of dσ/dx, and tanh(x) for that of d tanh/dx; None for any other."""
    word = plain_text(numerator) if numerator else ""
    function = "sigmoid" if word == "sigma" else SPELLINGS.get(word, "")
    if len(by) > 1 or not isinstance(by[0], Symbol | Entry) or function not in ELEMENTWISE or len(word) < 2:
        return None
    if p.names.is_letter(word) or word in p.names.functions:
        return None
    latex = r"\sigma" if word == "sigma" else ""
    return Call(function, (by[0],), latex=latex, span=(numerator[0].start, numerator[-1].end))


def _squared_letter(p: Grammar, below: list[Token]) -> Expression | None:
    """σ^2 or σ_j^2 of the denominator ∂σ^2 below ∂J; None for ∂x ∂y."""
    part = p.part(below[1:])
    found = part.factor()
    square = isinstance(found, Symbol | Entry) or (isinstance(found, Power) and isinstance(found.of, Symbol | Entry))
    return found if part.cursor.at_end and square else None


def _uneven(order: int, letters: int) -> str:
    return f"∂^{order} above and {count(letters, 'letter')} below: write as many letters as the order says"


def operand(p: Grammar) -> Expression:
    """What a sign of differentiation before it takes: what is in the brackets that come next, else the product; and
    the product, too, where the brackets are transposed, (x - m)^T A (x - m).
    """
    start = p.cursor.place()
    if p.cursor.kind() == "-":  # \frac{\partial}{\partial x} -a + b: nothing else is meant by it
        return p.sum()
    bracket = p.cursor.kind() in ("(", "[")
    first = _differentiated_factor(p)
    return first if bracket and not isinstance(first, Transpose) else p.product_after(first, start)


def _differentiated_factor(p: Grammar) -> Expression:
    """The factor that comes next, where it is differentiated: J(W) is J."""
    p.differentiated = True
    try:
        return p.factor()
    finally:
        p.differentiated = False


def _denominator(p: Grammar, below: list[Token]) -> list[Expression]:
    """The letters by which a derivative is taken, from ∂x ∂y or ∂x^2."""
    found: list[Expression] = []
    at = 0
    while at < len(below):
        if not _is_sign(below, at):
            raise FormulaError("a derivative is by letters: ∂x, ∂x ∂y or ∂x^2", below[at].start + 1)
        signs = (k for k, t in at_top(below, at + 1) if t.kind == "command" and _is_sign(below, k))
        end = next(signs, len(below))
        order, piece = _times(below[at + 2 : end] if _is_lowered(below, at) else below[at + 1 : end])
        part = p.part(piece)
        wrt = part.factor()
        if not part.cursor.at_end or (_is_lowered(below, at) and not isinstance(wrt, Symbol | Entry)):
            raise part.cursor.error("a derivative is by one symbol")
        found += [wrt] * min(order, _MAX_ORDER + 1)
        at = end
    return found


def _is_lowered(below: list[Token], at: int) -> bool:
    r"""Whether the letter of a ∂ in a denominator is below it: \partial_{x} for \partial x."""
    return at + 1 < len(below) and below[at].text == "partial" and below[at + 1].kind == "_"


def _times(tokens: list[Token]) -> tuple[int, list[Token]]:
    """How often a derivative is by the letter that some tokens are, and the letter: 2 and x of x^2."""
    for mark in (tokens[-2:], tokens[-4:]):
        digits = [t for t in mark[1:] if t.kind not in ("{", "}")]
        if len(tokens) > len(mark) > 1 and mark[0].kind == "^" and len(digits) == 1 and digits[0].text.isdigit():
            return int(digits[0].text[:2]), tokens[: -len(mark)]
    return 1, tokens


def _is_sign(tokens: list[Token], at: int) -> bool:
    """Whether a token is ∂, an upright d, or a d before a letter."""
    token = tokens[at] if at < len(tokens) else None
    if token is None:
        return False
    if token.kind == "command" and token.text in ("partial", "differential"):
        return True
    following = tokens[at + 1] if at + 1 < len(tokens) else None
    return (
        token.kind == "letter"
        and token.text == "d"
        and (following is None or following.kind in ("letter", "command", "^", "(", "{"))
    )


def _is_differential(tokens: list[Token]) -> bool:
    """Whether some tokens begin with ∂, d or \\mathrm{d}."""
    return bool(tokens) and _is_sign(tokens, 0)


def _is_minus_differential(tokens: list[Token]) -> bool:
    """Whether some tokens are -∂ of one term, with nothing added to it: -∂f/∂x is -(∂f/∂x)."""
    signed = len(tokens) > 1 and tokens[0].kind == "-" and _is_differential(tokens[1:])
    return signed and not any(t.kind in ("+", "-") for _, t in at_top(tokens, 1))


def _order_and_rest(tokens: list[Token]) -> tuple[int, list[Token]]:
    """The order of the derivative that a numerator ∂^2 f writes, and f."""
    cursor = Cursor(tokens[1:], tokens[-1].end)
    if cursor.kind() != "^":
        return 1, tokens[1:]
    cursor.skip()
    digits = [t for t in cursor.take_argument() if t.kind not in ("{", "}")]
    if len(digits) != 1 or not digits[0].text.isdigit():
        raise FormulaError("the order of a derivative is a number", tokens[0].start + 1)
    return int(digits[0].text), cursor.tokens[cursor.at :]


# --- on the line ---


def slashed_derivative(p: Grammar, token: Token) -> Node:
    """∂J/∂W, written on the line; its ∂ is already taken. \\mathrm{d}W without a denominator is one name, dW."""
    cursor = p.cursor
    order = 1
    if cursor.kind() == "_" and token.text == "partial":
        return _by_subscript(p, token)
    if token.text == "differential" and not _comes_denominator(p) and (name := _name_with_d(p, token)) is not None:
        return name
    if cursor.kind() == "^":
        order, _ = _order_and_rest([token, *cursor.tokens[cursor.at : cursor.at + 4]])
        cursor.skip()
        cursor.take_argument()
    return _slashed(p, _differentiated_factor(p), order, token.start)


def _by_subscript(p: Grammar, token: Token) -> Expression:
    r"""\partial_x f and \partial_{xy} f, the ∂ already taken: derivatives by the letters below it."""
    p.cursor.skip()
    part = p.part(p.cursor.take_argument())
    by: list[Expression] = []
    while not part.cursor.at_end and len(by) < _MAX_ORDER:
        if part.cursor.tokens[part.cursor.at].text in p.names.indices | _INDICES:
            raise part.cursor.error("∂ with an index below it is not read: write what it is by, as in ∂f/∂x_i")
        by.append(part.factor())
    of = _differentiated_factor(p)
    for wrt in reversed(by):
        of = Derivative(of, wrt, span=p.cursor.span_from(token.start))
    return of


def _comes_denominator(p: Grammar) -> bool:
    """Whether /d comes behind the factor that comes next."""
    cursor = p.cursor
    behind = (k for k, t in at_top(cursor.tokens, cursor.at) if t.kind in ("/", "+", "-") or t.text == "differential")
    slash = next(behind, None)
    return slash is not None and cursor.tokens[slash].kind == "/"


def _name_with_d(p: Grammar, token: Token) -> Letter | None:
    """dW, the upright d already taken; None where no letter comes next."""
    at = p.cursor.at
    try:
        node = p.atom() if p.cursor.kind().startswith("\\") or p.cursor.kind() in ("letter", "{") else None
    except FormulaError:
        node = None
    if not isinstance(node, Letter):
        p.cursor.at = at
        return None
    return replace(node, word="d" + node.word, latex=r"\mathrm{d}" + node.latex, start=token.start)


def _slashed(p: Grammar, of: Expression, order: int, start: int) -> Expression:
    """The denominators behind ∂J: /∂W, or /∂x∂y."""
    cursor = p.cursor
    braced = cursor.kind(1) == "{" and _is_differential(cursor.ahead(1)) if cursor.kind() == "/" else False
    if cursor.kind() != "/" or not (braced or _is_sign(cursor.tokens, cursor.at + 1)):
        sign = "∂" if any(t.text == "partial" for t in cursor.tokens[: cursor.at]) else "a differential"
        raise cursor.error(f"{sign} needs its denominator: ∂J/∂W")
    cursor.skip()
    by: list[Expression] = []
    if braced:
        by = _denominator(p, cursor.take_bracket())
    while not braced and len(by) < order and _is_sign(cursor.tokens, cursor.at):
        cursor.skip()
        p.bar_is_outside = True
        wrt = p.factor()
        p.bar_is_outside = False
        if isinstance(wrt, Power) and order == 2 and not by:  # ∂²f/∂x²
            by.append(wrt.of)
        by.append(wrt.of if isinstance(wrt, Power) else wrt)
    if len(by) != order:
        raise cursor.error(_uneven(order, len(by)))
    for wrt in reversed(by):
        of = Derivative(of, wrt, span=cursor.span_from(start))
    return of


def slashed_differential(p: Grammar) -> Expression | None:
    """dL/dx, written on the line with letters d; None for a letter d of any other kind."""
    cursor = p.cursor
    token = cursor.peek()
    if token is None or token.text != "d" or not _is_sign(cursor.tokens, cursor.at) or cursor.kind(1) == "^":
        return None
    tokens, at = cursor.tokens, cursor.at
    slash = next((k for k, t in at_top(tokens, at + 1) if t.kind in ("/", "+", "-", "=")), None)
    if slash is None or tokens[slash].kind != "/" or not _is_sign(tokens, slash + 1) or slash + 2 >= len(tokens):
        return None
    above = p.part(tokens[at + 1 : slash])
    try:
        of = above.factor()
    except FormulaError:
        return None
    if not above.cursor.at_end:
        return None
    cursor.at = slash
    return _slashed(p, of, 1, token.start)


def derivative_in_braces(p: Grammar) -> Expression | None:
    """{∂E}/{∂y}; None where the braces that come next are no differential, or nothing is below them."""
    cursor = p.cursor
    close = cursor.closing()
    above = cursor.bracketed()
    if not _is_differential(above):
        return None
    tokens = cursor.tokens
    if close + 2 >= len(tokens) or tokens[close + 1].kind != "/":
        return None
    braced = tokens[close + 2].kind == "{" and _is_differential(cursor.ahead(close + 2 - cursor.at))
    if not braced and not _is_sign(tokens, close + 2):
        return None
    start = cursor.place()
    order, numerator = _order_and_rest(above)
    if not numerator:
        return None
    cursor.at = close + 1
    return _slashed(p, p.group(numerator, differentiated=True), order, start)


# --- nabla ---


def nabla(p: Grammar, token: Token) -> Node:
    """∇_W J, ∇J and ∇^2 f; the ∇ is already taken."""
    cursor = p.cursor
    wrt: Expression = Symbol("", span=(token.start, token.end))
    order = 1
    while cursor.kind() in ("_", "^"):
        sign = cursor.take()
        tokens = cursor.take_argument()
        if sign.kind == "_":
            wrt = p.group(tokens)
        elif [t.text for t in tokens if t.kind not in ("{", "}")] == ["2"]:
            order = 2
        else:
            raise FormulaError("∇ takes no power but 2", sign.start + 1)
    first = cursor.place()
    p.of_nabla = True
    of = _differentiated_factor(p)
    p.of_nabla = False
    if isinstance(of, Transpose):
        of = _with_factors_by(p, of, wrt, first)
    for _ in range(order):
        of = Derivative(of, wrt, span=cursor.span_from(token.start))
    return of


def _with_factors_by(p: Grammar, of: Transpose, wrt: Expression, start: int) -> Expression:
    """What a ∇_x takes before a transpose: the product x^T A x or b^T x, where x is in it; else the transpose alone."""
    at = p.cursor.at
    whole = p.product_after(of, start)
    scalar = isinstance(of.of, Symbol) and (of.of.name.split("_")[0] in LOSSES or of.of.name in p.names.functions)
    if wrt in symbols(of) or (wrt in symbols(whole) and not scalar):  # ∇_x f^T (y - x) is of f
        return whole
    p.cursor.at = at
    return of
