"""The commands of LaTeX: `COMMANDS` maps each to the handler that reads what it begins.

To add a command: write a handler of the parser and the command's token, which is already taken, and put it in the
table.
"""

from __future__ import annotations

from dataclasses import replace

from elman.calculus.expression import BigSum, Call, Derivative, Dots, Expression, Index, Ones, Product
from elman.calculus.functions import SPELLINGS
from elman.calculus.syntax.cursor import plain_text, split_at_commas
from elman.calculus.syntax.latex_parser import TEXT, Handler, Parser
from elman.calculus.syntax.names import ACCENTS, GREEK, INDEX_LETTERS
from elman.calculus.syntax.scripts import Letter, Node
from elman.calculus.syntax.tokens import Token
from elman.errors import FormulaError

_FONTS = (
    "mathrm", "mathbf", "boldsymbol", "bm", "mathit", "mathsf", "mathcal", "mathbb", "operatorname", "mathtt", "vec",
)  # fmt: skip
_VARIANTS = {"varepsilon": "epsilon", "vartheta": "theta", "varphi": "phi"}


# --- functions and letters ---


def function(p: Parser, token: Token) -> Node:
    """\\ln, \\tanh, \\det: a function by its own command."""
    return p.function_call(SPELLINGS[token.text])


def square_root(p: Parser, token: Token) -> Node:
    """\\sqrt{…}."""
    return Call("sqrt", (p.group(p.cursor.take_argument()),))


def dots(p: Parser, token: Token) -> Node:
    """An ellipsis."""
    return Dots()


def greek(p: Parser, token: Token) -> Node:
    """A Greek letter; σ before what can be its argument is the sigmoid."""
    following = p.cursor.kind()
    applied = following in ("(", "'", "{", "letter", "[") or following.startswith("\\")
    if token.text == "sigma" and p.names.resolve("sigma") is None and applied:
        return p.function_call("sigmoid", r"\sigma")
    return Letter(_VARIANTS.get(token.text, token.text), latex="\\" + token.text, start=token.start)


def accent(p: Parser, token: Token) -> Node:
    """A letter with an accent; the scripts within its braces belong to the accented letter: \\hat{y_j}."""
    name = token.text
    inner = p.part(p.cursor.take_argument())
    letter = inner.atom()
    if not isinstance(letter, Letter):
        raise p.cursor.error(f"\\{name} belongs over a letter")
    node: Node = replace(letter, accent=ACCENTS[name], latex=f"\\{name}{{{letter.latex}}}", start=token.start)
    while not inner.cursor.at_end:
        sign = inner.cursor.take()
        if sign.kind not in ("_", "^"):
            raise FormulaError(f"\\{name} belongs over one letter", sign.start + 1)
        node = inner.with_script(node, sign)
    return node


def font(p: Parser, token: Token) -> Node:
    """\\mathrm{softmax}, \\mathbf{W}, \\mathbf{1}: a function, a name, a vector of ones."""
    inner = p.cursor.take_argument()
    word = plain_text(inner)
    if word == "1":
        if p.cursor.kind() == "_":
            return Ones(p.size_below(token.end))
        return p.bracket() if p.comes_iverson() else Ones()
    if word in SPELLINGS and len(word) > 1:
        return p.function_call(SPELLINGS[word])
    if word == "I" and p.names.resolve("I") is None:
        return p.identity()
    if (len(inner) == 1 and inner[0].kind in ("letter", "command")) or p.names.resolve(word):
        latex = inner[0].text if inner[0].kind != "command" else "\\" + inner[0].text
        shown = f"\\{token.text}{{{latex if len(inner) == 1 else word}}}"
        return Letter(word, latex=shown, start=token.start)
    if (token.text == "mathrm" and word == "d") or not word.isalpha():
        raise FormulaError(f"\\{token.text}{{{word}}} is not read here", token.start + 1)
    return Letter(word, latex=f"\\{token.text}{{{word}}}", start=token.start)


# --- fractions and derivatives ---


def fraction(p: Parser, token: Token) -> Node:
    """A fraction, or a derivative written as one."""
    start = p.cursor.place()
    above = p.cursor.take_argument()
    below = p.cursor.take_argument()
    if above and below and _is_differential(above) and _is_differential(below):
        return _derivative(p, above, below)
    return Product(p.group(above), p.group(below), "/", span=p.cursor.span_from(start))


def _derivative(p: Parser, above: list[Token], below: list[Token]) -> Expression:
    """∂above/∂below, the signs ∂ among the tokens."""
    if _is_second(above) or _is_second(below):
        raise FormulaError("second derivatives are not read", above[0].start + 1)
    denominator = p.part(_without_differential(below))
    wrt = denominator.factor()
    if not denominator.cursor.at_end:
        raise denominator.cursor.error("a derivative is by one symbol")
    numerator = _without_differential(above)
    if not numerator:  # \frac{\partial}{\partial X} f
        return Derivative(p.product(), wrt)
    return Derivative(p.group(numerator), wrt)


def _is_differential(tokens: list[Token]) -> bool:
    """Whether some tokens begin with ∂, d or \\mathrm{d}."""
    first = tokens[0]
    if first.text == "partial":
        return True
    if first.kind == "letter" and first.text == "d":
        return len(tokens) == 1 or tokens[1].kind in ("letter", "command")
    return first.text == "mathrm" and len(tokens) > 3 and tokens[2].text == "d"


def _without_differential(tokens: list[Token]) -> list[Token]:
    return tokens[4:] if tokens[0].text == "mathrm" else tokens[1:]


def _is_second(tokens: list[Token]) -> bool:
    return len(tokens) > 1 and tokens[0].text == "partial" and tokens[1].kind == "^"


def slashed_derivative(p: Parser, token: Token) -> Node:
    """∂J/∂W, written on the line."""
    cursor = p.cursor
    if cursor.kind() == "^":
        raise FormulaError("second derivatives are not read", token.start + 1)
    of = p.factor()
    if cursor.kind() != "/" or cursor.kind(1) != "\\partial":
        raise cursor.error("∂ needs its denominator: ∂J/∂W")
    cursor.skip(2)
    p.bar_is_outside = True
    wrt = p.factor()
    p.bar_is_outside = False
    if cursor.kind() == "|" and cursor.kind(1) == "_":
        cursor.skip(2)
        return Derivative(of, wrt, p.index(cursor.take_argument()))
    return Derivative(of, wrt)


def nabla(p: Parser, token: Token) -> Node:
    """∇_W J."""
    if p.cursor.kind() != "_":
        raise FormulaError("∇ needs below it the symbol by which to differentiate: ∇_W J", token.start + 1)
    p.cursor.skip()
    wrt = p.group(p.cursor.take_argument())
    return Derivative(p.factor(), wrt)


# --- sums ---


def sum_sign(p: Parser, token: Token) -> Node:
    """Σ with its bounds and the products behind it."""
    cursor = p.cursor
    start = cursor.place()
    lower = upper = None
    variables: list[str] = []
    while cursor.kind() in ("_", "^"):
        sign = cursor.take()
        tokens = cursor.take_argument()
        if sign.kind == "^":
            upper = p.index(tokens)
        else:
            variables, lower = _sum_variables(p, tokens)
    if not variables:
        raise FormulaError("over what does this sum run? Write \\sum_i", start + 1)
    body = p.entrywise_after(p.product(), start)
    for variable in reversed(variables):
        body = BigSum(variable, body, lower, upper, span=cursor.span_from(start))
    return body


def _sum_variables(p: Parser, tokens: list[Token]) -> tuple[list[str], Index | None]:
    """The letters below Σ over which the sum runs, and its lower bound: i=1, ij, or b,j."""
    signs = [i for i, t in enumerate(tokens) if t.kind == "="]
    if len(signs) == 1:
        variable = p.index(tokens[: signs[0]])
        if variable.variable is None or variable.offset:
            raise FormulaError("a sum runs over a letter", tokens[0].start + 1)
        return [variable.variable], p.index(tokens[signs[0] + 1 :])
    kept = [t for t in tokens if t.kind not in ("{", "}")]
    if len(kept) > 1 and all(t.kind == "letter" and t.text in INDEX_LETTERS for t in kept):
        return [t.text for t in kept], None  # \sum_{ij}
    found = [p.index(part) for part in split_at_commas(tokens, nested=True)]
    if any(i.variable is None or i.offset for i in found):
        raise FormulaError("a sum runs over letters", tokens[0].start + 1)
    return [str(i.variable) for i in found], None


COMMANDS: dict[str, Handler] = {
    **dict.fromkeys(SPELLINGS, function),
    **dict.fromkeys(GREEK, greek),
    **dict.fromkeys((*_FONTS, *TEXT), font),
    **dict.fromkeys((name for name in ACCENTS if name != "vec"), accent),
    **dict.fromkeys(("frac", "dfrac", "tfrac", "cfrac"), fraction),
    **dict.fromkeys(("dots", "ldots", "cdots", "vdots", "dotsc", "dotsb"), dots),
    "sqrt": square_root,
    "sum": sum_sign,
    "partial": slashed_derivative,
    "nabla": nabla,
}
