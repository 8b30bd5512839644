"""Commands of LaTeX: functions, fonts, accents, fractions, derivatives and sums."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from elman.calculus.expression import (
    BigSum,
    Call,
    Derivative,
    Dots,
    Expression,
    Identity,
    Index,
    Iverson,
    Number,
    Ones,
    Power,
    Product,
)
from elman.calculus.functions import SPELLINGS
from elman.calculus.syntax.names import ACCENTS, GREEK, INDEX_LETTERS
from elman.calculus.syntax.scripts import Base, index_of, subscript, superscript
from elman.calculus.syntax.tokens import Token
from elman.calculus.syntax.written_sizes import size_of
from elman.errors import FormulaError

if TYPE_CHECKING:
    from elman.calculus.syntax.latex import _Parser

TEXT = {"text", "textrm", "textbf", "textit", "mbox"}
HADAMARD = {"circ": "∘", "odot": "∘", "otimes": "⊗", "ast": "∘"}
_FONTS = {
    "mathrm",
    "mathbf",
    "boldsymbol",
    "bm",
    "mathit",
    "mathsf",
    "mathcal",
    "mathbb",
    "operatorname",
    "mathtt",
    "vec",
}
_FRACTIONS = {"frac", "dfrac", "tfrac", "cfrac"}
_DOTS = {"dots", "ldots", "cdots", "vdots", "dotsc", "dotsb"}


def command(p: _Parser, token: Token) -> Expression | Base:
    """What begins with a command."""
    name = token.text
    if name in _FRACTIONS:
        p.at += 1
        return fraction(p)
    if name == "partial":
        return slashed_derivative(p)
    if name == "nabla":
        return nabla(p)
    if name == "sum":
        p.at += 1
        return sum_sign(p)
    if name in _DOTS:
        p.at += 1
        return Dots()
    if name == "sqrt":
        p.at += 1
        return Call("sqrt", (p._named(p.group_of(p.inside())),))
    if name in ACCENTS and name != "vec":
        p.at += 1
        return accent(p, name, token.start)
    if name in _FONTS or name in TEXT:
        return font(p, token)
    if name in GREEK:
        return greek(p, token)
    if name in SPELLINGS:
        p.at += 1
        return function(p, SPELLINGS[name], "")
    raise FormulaError(f"the command \\{name} is not read", token.start + 1)


def greek(p: _Parser, token: Token) -> Expression | Base:
    """A Greek letter; σ before what can be its argument is the sigmoid."""
    name = token.text
    p.at += 1
    following = p.kind()
    if name == "sigma" and p.names.resolve("sigma") is None and (
        following in ("(", "'", "{", "letter") or following.startswith("\\") or following == "["
    ):  # fmt: skip
        return function(p, "sigmoid", r"\sigma")
    plain = {"varepsilon": "epsilon", "vartheta": "theta", "varphi": "phi"}.get(name, name)
    return Base(plain, latex="\\" + name, start=token.start)


def accent(p: _Parser, name: str, start: int) -> Expression | Base:
    """A letter with an accent; the scripts within its braces are the letter's."""
    inner_tokens = p.inside()
    inner = p.sub_parser(inner_tokens)
    atom = inner.atom()
    if not isinstance(atom, Base):
        raise p.error(f"\\{name} belongs over a letter")
    accented: Expression | Base = replace(atom, accent=ACCENTS[name], latex=f"\\{name}{{{atom.latex}}}", start=start)
    while inner.at < inner.stop:  # \hat{y_j}: the scripts belong to the accented letter
        sign = inner.take()
        if sign.kind == "_":
            accented = subscript(accented, inner.inside(), inner)
        elif sign.kind == "^":
            accented = superscript(accented, inner.inside(), inner)
        else:
            raise FormulaError(f"\\{name} belongs over one letter", sign.start + 1)
    return accented


def font(p: _Parser, token: Token) -> Expression | Base:
    """\\mathrm{softmax}, \\mathbf{W}, \\mathbf{1}: a function, a name, a vector of ones."""
    p.at += 1
    inner = p.inside()
    word = flat(inner)
    if word == "1":
        dim = None
        if p.kind() == "_":
            p.at += 1
            dim = size_of(flat(p.inside()), token.end + 1)
        elif p.kind() in ("[", "(") and "=" in {t.kind for t in p.tokens[p.at : p.partner()]}:
            return bracket(p)
        return Ones(dim)
    if word in SPELLINGS and len(word) > 1:
        return function(p, SPELLINGS[word], "")
    if word == "I" and p.names.resolve("I") is None:
        return identity(p)
    if (len(inner) == 1 and inner[0].kind in ("letter", "command")) or p.names.resolve(word):
        latex = inner[0].text if inner[0].kind != "command" else "\\" + inner[0].text
        shown = f"\\{token.text}{{{latex if len(inner) == 1 else word}}}"
        return Base(word, latex=shown, start=token.start)
    if (token.text == "mathrm" and word == "d") or not word.isalpha():
        raise FormulaError(f"\\{token.text}{{{word}}} is not read here", token.start + 1)
    return Base(word, latex=f"\\{token.text}{{{word}}}", start=token.start)


def fraction(p: _Parser) -> Expression:
    """A fraction, or a derivative written as one."""
    start = p.place()
    above = p.inside()
    below = p.inside()
    if above and below and _is_differential(above) and _is_differential(below):
        return derivative_of(p, above, below)
    left = p._named(p.group_of(above))
    right = p._named(p.group_of(below))
    return Product(left, right, "/", span=p.end_of(start))


def derivative_of(p: _Parser, above: list[Token], below: list[Token]) -> Expression:
    """∂above/∂below."""
    if is_second(above) or is_second(below):
        raise FormulaError("second derivatives are not read", above[0].start + 1)
    wrt_parser = p.sub_parser(_strip_differential(below))
    wrt = wrt_parser.factor()
    if wrt_parser.at < wrt_parser.stop:
        raise wrt_parser.error("a derivative is by one symbol")
    rest = _strip_differential(above)
    if not rest:  # \frac{\partial}{\partial X} f
        return Derivative(p.product(), wrt)
    inner = p.sub_parser(rest)
    of = inner.sum()
    if inner.at < inner.stop:
        raise inner.error(f"{inner.tokens[inner.at].text!r} is not expected here")
    return Derivative(of, wrt)


def flat(tokens: list[Token]) -> str:
    """The letters of some tokens, braces and upright fonts left out."""
    return "".join(t.text for t in tokens if t.kind not in ("{", "}") and t.text != "mathrm")


def identity(p: _Parser) -> Expression:
    """I, with its size below it."""
    if p.kind() == "_":
        p.at += 1
        where = p.place() + 1
        return Identity(size_of(flat(p.inside()), where))
    return Identity()


def bracket(p: _Parser) -> Expression:
    """[j = k], or a group in brackets."""
    close = p.partner()
    inner = p.tokens[p.at + 1 : close]
    p.at = close + 1
    signs = [i for i, t in enumerate(inner) if t.kind == "="]
    if len(signs) == 1:
        left, right = index_of(inner[: signs[0]], p), index_of(inner[signs[0] + 1 :], p)
        return Iverson(left, right)
    return p._named(p.group_of(inner))


def is_second(tokens: list[Token]) -> bool:
    """Whether a differential is a second one."""
    return len(tokens) > 1 and tokens[0].text == "partial" and tokens[1].kind == "^"


def slashed_derivative(p: _Parser) -> Expression:
    """∂J/∂W, written on the line."""
    start = p.take()
    if p.kind() == "^":
        raise FormulaError("second derivatives are not read", start.start + 1)
    of = p.factor()
    if p.kind() != "/" or p.kind(1) != "\\partial":
        raise p.error("∂ needs its denominator: ∂J/∂W")
    p.at += 2
    p.in_slash = True
    barred = p.factor()
    p.in_slash = False
    if p.kind() == "|" and p.kind(1) == "_":
        p.at += 2
        return Derivative(of, barred, index_of(p.inside(), p))
    return Derivative(of, barred)


def nabla(p: _Parser) -> Expression:
    """∇_W J."""
    start = p.take()
    if p.kind() != "_":
        raise FormulaError("∇ needs below it the symbol by which to differentiate: ∇_W J", start.start + 1)
    p.at += 1
    wrt = p._named(p.group_of(p.inside()))
    return Derivative(p.factor(), wrt)


def sum_sign(p: _Parser) -> Expression:
    """Σ with its bounds and the product behind it."""
    start = p.place()
    lower = upper = None
    variables: list[str] = []
    while p.kind() in ("_", "^"):
        sign = p.take()
        tokens = p.inside()
        if sign.kind == "^":
            upper = index_of(tokens, p)
            continue
        variables, lower = running(p, tokens)
    if not variables:
        raise FormulaError("over what does this sum run? Write \\sum_i", start + 1)
    body = p.product()
    while HADAMARD.get(p.kind().lstrip("\\")) is not None:
        operator = HADAMARD[p.take().text]
        body = Product(body, p.product(), operator, span=p.end_of(start))
    for variable in reversed(variables):
        body = BigSum(variable, body, lower, upper, span=p.end_of(start))
    return body


def running(p: _Parser, tokens: list[Token]) -> tuple[list[str], Index | None]:
    """What stands below Σ: the letters that run, and where from."""
    signs = [i for i, t in enumerate(tokens) if t.kind == "="]
    if len(signs) == 1:
        variable = index_of(tokens[: signs[0]], p)
        if variable.variable is None or variable.offset:
            raise FormulaError("a sum runs over a letter", tokens[0].start + 1)
        return [variable.variable], index_of(tokens[signs[0] + 1 :], p)
    kept = [t for t in tokens if t.kind not in ("{", "}")]
    if len(kept) > 1 and all(t.kind == "letter" and t.text in INDEX_LETTERS for t in kept):
        return [t.text for t in kept], None  # \sum_{ij}
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if token.kind == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    found = [index_of(part, p) for part in parts]
    if any(i.variable is None or i.offset for i in found):
        raise FormulaError("a sum runs over letters", tokens[0].start + 1)
    return [str(i.variable) for i in found], None


def function(p: _Parser, name: str, latex: str) -> Expression:
    """A function at hand, its name read: primes and scripts, then its argument."""
    start = p.place()
    primes, axis, entry, exponent = 0, None, None, None
    while p.kind() in ("'", "_", "^"):
        sign = p.take()
        if sign.kind == "'":
            primes += 1
            continue
        tokens = p.inside()
        word = flat(tokens)
        if sign.kind == "^" and word in ("prime", "'"):
            primes += 1
        elif sign.kind == "^" and word.isdigit():
            exponent = Fraction(word)
        elif sign.kind == "_" and word[:3] in ("row", "col"):
            axis = 1 if word.startswith("row") else 0
        elif sign.kind == "_":
            entry = tokens
        else:
            raise FormulaError(f"the script {word!r} on a function is not read", sign.start + 1)
    given = arguments(p, name)
    node: Expression = Call(name, given, primes, axis, latex, span=p.end_of(start))
    if entry is not None:
        node = p._named(subscript(node, entry, p))
    if exponent is not None:
        node = Power(node, Number(exponent), elementwise=True)
    return node


def arguments(p: _Parser, name: str) -> tuple[Expression, ...]:
    """The arguments of a function: in parentheses, or the next factor."""
    if p.peek() is None or not (p._starts_factor() or p.kind() in ("\\sum",)):
        raise p.error(f"{name} needs an argument")
    expected = 2 if name == "cross_entropy" else 1
    if p.kind() != "(":
        if expected == 2:
            raise p.error("a cross-entropy needs two arguments: CE(y, \\hat{y})")
        return (p.factor(),)
    close = p.partner()
    inner = p.tokens[p.at + 1 : close]
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in inner:
        depth += (token.kind in "([{") - (token.kind in ")]}")
        if token.kind == "," and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    if len(parts) != expected or not all(parts):
        raise p.error(f"{name} takes {expected} argument{'s' * (expected > 1)}")
    p.at = close + 1
    return tuple(p._named(p.group_of(part)) for part in parts)


def _is_differential(tokens: list[Token]) -> bool:
    first = tokens[0]
    if first.text == "partial":
        return True
    if first.kind == "letter" and first.text == "d":
        return len(tokens) == 1 or tokens[1].kind in ("letter", "command")
    return first.text == "mathrm" and len(tokens) > 3 and tokens[2].text == "d"


def _strip_differential(tokens: list[Token]) -> list[Token]:
    return tokens[4:] if tokens[0].text == "mathrm" else tokens[1:]
