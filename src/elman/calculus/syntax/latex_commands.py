"""The commands of LaTeX: `COMMANDS` maps each to the handler that reads what it begins.

To add a command: write a handler of the parser and the command's token, which is already taken, and put it in the
table.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from elman.calculus.expression import Apply, Call, Constant, Dots, Index, Iverson, Number, Ones, Power
from elman.calculus.functions import SPELLINGS
from elman.calculus.syntax.applications import REFUSED
from elman.calculus.syntax.big_signs import big_sign
from elman.calculus.syntax.conditions import has_relation, indicator, is_index, product_of_conditions, sign_of
from elman.calculus.syntax.cursor import plain_text
from elman.calculus.syntax.derivatives import fraction, nabla, slashed_derivative
from elman.calculus.syntax.expectations import expectation
from elman.calculus.syntax.grammar import Handler
from elman.calculus.syntax.latex_parser import Parser
from elman.calculus.syntax.names import ACCENTS, GREEK
from elman.calculus.syntax.scripts import Letter, Node
from elman.calculus.syntax.tokens import DOTS, FONTS, TEXT, Token
from elman.errors import FormulaError

_UPRIGHT = frozenset({*TEXT, "mathrm", "rm", "mathsf", "operatorname"})
_VARIANTS = {"varepsilon": "epsilon", "vartheta": "theta", "varphi": "phi"}


# --- functions and letters ---


def function(p: Parser, token: Token) -> Node:
    """\\ln, \\tanh, \\det: a function by its own command."""
    return p.function_call(SPELLINGS[token.text])


def refused(p: Parser, token: Token) -> Node:
    """\\lim, \\arg: refused by name."""
    raise FormulaError(f"\\{token.text} is not read: {REFUSED[token.text]}", token.start + 1)


def square_root(p: Parser, token: Token) -> Node:
    """\\sqrt{…}; \\sqrt[3]{…} is a power."""
    if p.cursor.kind() != "[":
        return Call("sqrt", (p.group(p.cursor.take_argument()),))
    degree = p.cursor.take_bracket()
    if len(degree) != 1 or not degree[0].text.isdigit() or degree[0].text.strip("0") == "":
        raise FormulaError("the degree of a root is a number", token.start + 1)
    return Power(p.group(p.cursor.take_argument()), Number(Fraction(1, int(degree[0].text))), elementwise=True)


def dots(p: Parser, token: Token) -> Node:
    """An ellipsis."""
    return Dots()


def greek(p: Parser, token: Token) -> Node:
    """A Greek letter; some are more than a letter: σ before its argument, δ_{ij}, π, a typed Σ with its index."""
    word = _VARIANTS.get(token.text, token.text)
    letter = Letter(word, latex="\\" + token.text, start=token.start)
    if p.names.is_letter(word) or word in p.names.functions:
        return letter
    if word == "sigma" and _comes_argument(p):
        return p.function_call("sigmoid", r"\sigma")
    if word == "pi" and p.cursor.kind() not in ("_", "^", "(", "'"):
        return Constant("pi")
    if word == "delta" and p.cursor.kind() == "_":
        return _kronecker(p) or letter
    if word == "Sigma" and token.end - token.start == 1 and _comes_range(p):
        return big_sign(p, Token("command", "sum", token.start, token.end))
    return letter


def _comes_argument(p: Parser) -> bool:
    """Whether what comes next can be the argument of σ."""
    kind = p.cursor.kind()
    if kind == "^" and p.cursor.kind(1) == "{" and (inner := p.cursor.ahead(1)):
        behind = p.cursor.kind(len(inner) + 3)
        return any(t.text in ("prime", "'") for t in inner) or behind == "("
    if kind == "'" or (kind == "^" and p.cursor.kind(1) == "\\prime"):
        ahead = p.cursor.kind(1) if kind == "'" else p.cursor.kind(4)
        return ahead in ("(", "'", "{", "letter", "[") or kind == "^"
    if kind in ("(", "{", "letter", "["):
        return True
    return kind.startswith("\\") and p.starts_factor()


def _kronecker(p: Parser) -> Node | None:
    """δ_{ij} of two indices of the page, which has no δ of its own; None for any other δ."""
    if any(name.partition("_")[0] == "delta" for name in p.names.known):
        return None
    at = p.cursor.at
    p.cursor.skip()
    inner = p.cursor.take_argument()
    if has_relation(inner[1:-1] if inner and inner[0].kind == "{" else inner):
        return product_of_conditions(p, [t for t in inner if t.kind not in ("{", "}")])
    letters = [t for t in inner if t.kind not in ("{", "}", ",")]
    found = [_index_in(t, p) for t in letters]
    if len(found) == 2 and all(found) and any(i is not None and i.variable for i in found):
        return Iverson(found[0], found[1])  # type: ignore[arg-type]
    p.cursor.at = at
    return None


def _index_in(token: Token, p: Parser) -> Index | None:
    """The index of δ_{ij} and δ_{1j} that a token is, if it is one."""
    if token.kind == "number" and token.text.isdigit():
        return Index(None, int(token.text))
    return Index(token.text) if token.kind == "letter" and token.text in p.names.indices else None


def _comes_range(p: Parser) -> bool:
    """Whether an index is below a typed Σ, or an entry behind it: then it is the sign of a sum."""
    cursor = p.cursor
    if cursor.kind() == "_":
        inner = cursor.ahead(1) if cursor.kind(1) == "{" else [t for t in (cursor.peek(1),) if t is not None]
        return bool(inner) and (any(sign_of(t) for t in inner) or is_index(inner, p.names))
    return cursor.kind() == "letter" and cursor.kind(1) == "_"


def accent(p: Parser, token: Token) -> Node:
    """A letter with an accent; the scripts within its braces belong to the accented letter: \\hat{y_j}."""
    name = token.text
    tokens = p.cursor.take_argument()
    inner = p.part(tokens)
    letter = inner.atom()
    if isinstance(letter, Constant) and len(tokens) == 1:  # \hat e, \hat\pi
        letter = Letter(letter.name, latex=letter.name if len(letter.name) == 1 else "\\" + letter.name)
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
    """\\mathrm{softmax}, \\mathbf{W}, \\mathbf{1}, \\operatorname{vec}: a function, a name, a vector of ones."""
    cursor = p.cursor
    inner = cursor.take_argument()
    word = plain_text(inner)
    alone = len([t for t in inner if t.kind not in ("{", "}")]) == 1
    if word in ("1", "I", "𝟙") and not (word == "I" and p.names.is_letter("I")):
        found = indicator(p)
        if found is not None:
            return found
        if word == "1":
            return Ones(p.size_below(token.end)) if cursor.kind() == "_" else Ones()
        if token.text != "mathcal":
            return p.identity()
    letter = _letter_in_font(token, inner, word, alone)
    if word in ("P", "Pr") and (given := p.conditional(letter)) is not None:
        return given
    if word in ("E", "P") and token.text in ("mathbb", "mathrm", "operatorname", "mathbf"):
        if word == "E" and p.names.resolve(word) is None and (found := expectation(p, token)) is not None:
            return found
        _refuse_probability(p, word, token)
    if alone:
        power = p.power_of_e() if word == "e" and token.text in _UPRIGHT else None
        return letter if power is None else power
    called = p.named_call(word, letter.latex, token.start) or p.unknown_function(word, letter.latex, token.start)
    if called is None and token.text == "operatorname" and word.isalpha() and _is_applied_bare(p, word):
        called = Apply(word, (p.operand(word),), latex=letter.latex, span=cursor.span_from(token.start))
    if called is not None:
        return called
    if not word.isalnum() and p.names.resolve(word) is None:
        raise FormulaError(f"\\{token.text}{{{word}}} is not read here", token.start + 1)
    return letter


def _is_applied_bare(p: Parser, word: str) -> bool:
    """Whether an operator without parentheses has an argument: \\operatorname{vec} X."""
    return p.names.resolve(word) is None and p.starts_factor()


def _letter_in_font(token: Token, inner: list[Token], word: str, alone: bool) -> Letter:
    single = next((t for t in inner if t.kind not in ("{", "}")), token)
    shown = ("\\" + single.text if single.kind == "command" else single.text) if alone else word
    return Letter(_VARIANTS.get(word, word), latex=f"\\{token.text}{{{shown}}}", start=token.start)


def _refuse_probability(p: Parser, word: str, token: Token) -> None:
    cursor = p.cursor
    if word != "P" or p.names.resolve(word) is not None:
        return
    at = cursor.at
    if cursor.kind() == "_":
        cursor.skip()
        cursor.take_argument()
    comes = cursor.kind()
    cursor.at = at
    if comes in ("[", "(", "{", "|"):
        raise FormulaError("a probability P(…) is not read: write it as a sum", token.start + 1)


COMMANDS: dict[str, Handler] = {
    **dict.fromkeys(SPELLINGS, function),
    **dict.fromkeys(GREEK, greek),
    **dict.fromkeys(ACCENTS, accent),
    **dict.fromkeys((*FONTS, *TEXT), font),
    **dict.fromkeys(("frac", "dfrac", "tfrac", "cfrac", "sfrac", "nicefrac"), fraction),
    **dict.fromkeys(DOTS, dots),
    **dict.fromkeys((name for name in REFUSED if name not in SPELLINGS), refused),
    "sqrt": square_root,
    "sum": big_sign,
    "prod": big_sign,
    "partial": slashed_derivative,
    "differential": slashed_derivative,
    **dict.fromkeys(("nabla", "bigtriangledown"), nabla),
}
