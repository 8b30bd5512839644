"""LaTeX, and the Unicode signs that people type instead, as tokens with their places."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from elman.calculus.syntax.names import GREEK_LETTERS
from elman.errors import FormulaError

MAX_TOKENS = 4000
MAX_NESTING = 40
MAX_DEPTH = 120  # of an expression: a sum of 120 terms is as deep
MAX_DIGITS = 40


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a formula: `kind` is letter, number, command, or the sign itself; `start` and `end` count from 0."""

    kind: str
    text: str
    start: int
    end: int


_UNICODE = {
    "∂": "partial", "∘": "circ", "⊙": "odot", "⊗": "otimes", "·": "cdot", "⋅": "cdot", "×": "times", "∑": "sum",
    "∇": "nabla", "√": "sqrt", "‖": "|", "≤": "le", "≥": "ge", "≠": "ne", "≈": "approx", "→": "to", "←": "leftarrow",
    "∈": "in", "∝": "propto", "…": "dots", "⋯": "dots", "≡": "equiv", "≔": "coloneqq", "⊤": "top", "∏": "prod",
    "∞": "infty", "ᵀ": "^T", "⊺": "top",
}  # fmt: skip
_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-", strict=True))
_SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True))
_COMBINING = {"\u0302": "hat", "\u0304": "bar", "\u0303": "tilde"}
_SKIPPED = {
    "left", "right", "middle", "big", "Big", "bigg", "Bigg", "bigl", "bigr", "bigm", "Bigl", "Bigr", "biggl", "biggr",
    "Biggl", "Biggr", "displaystyle", "textstyle", "limits", "nolimits", "nonumber", "notag", "mathstrut", "boxed",
    "thinspace", ",", ";", ":", "!", " ", ">",
}  # fmt: skip
_WITH_ARGUMENT_SKIPPED = {"label", "tag", "hspace", "vspace", "color", "phantom", "ref", "eqref"}
# A command that is a sign → its kind, and its text in error messages.
_SIGN_COMMANDS: dict[str, tuple[str, str]] = {
    **{name: ("norm", "\\" + name) for name in ("|", "Vert", "lVert", "rVert")},
    **{name: ("|", "\\" + name) for name in ("vert", "lvert", "rvert", "mid")},
    **dict.fromkeys(("{", "lbrace"), ("(", "\\{")),
    **dict.fromkeys(("}", "rbrace"), (")", "\\}")),
    "lbrack": ("[", "lbrack"),
    "rbrack": ("]", "rbrack"),
    **dict.fromkeys(("\\", "newline", "cr"), ("newline", "\\\\")),
}
_PLAIN = re.compile(r"\d+(?:\.\d+)?|[A-Za-z]|[-+*/=<>(){}\[\]^_|,.;:!&'@~$]")
_COMMAND = re.compile(r"\\([A-Za-z]+|.)", re.DOTALL)


def tokenize(text: str) -> list[Token]:
    """The tokens of a formula, brackets checked; `FormulaError` with the column of what cannot be read."""
    found: list[Token] = []
    i = 0
    while i < len(text):
        i = _next(text, i, found)
        if len(found) > MAX_TOKENS:
            raise FormulaError(f"this formula is longer than {MAX_TOKENS} signs: split it", i)
    _check_nesting(found)
    return found


def _next(text: str, i: int, found: list[Token]) -> int:
    """Reads one token at `i` into `found`; returns where the next begins."""
    c = text[i]
    if c.isspace() or c == "~":
        return i + 1
    if c == "%" and (i == 0 or text[i - 1] != "\\"):
        end = text.find("\n", i)
        return len(text) if end < 0 else end
    if c == "\\":
        return _command(text, i, found)
    plain = _PLAIN.match(text, i)
    if plain and c != "$":
        word = plain.group()
        if len(word) > MAX_DIGITS:
            raise FormulaError(f"a number of more than {MAX_DIGITS} digits is not read", i + 1)
        kind = "number" if word[0].isdigit() else "letter" if word.isalpha() else word
        if word == "|" and text.startswith("||", i):
            found.append(Token("norm", "||", i, i + 2))
            return i + 2
        if len(word) == 2 and kind == "number" and found and found[-1].text in ("frac", "tfrac", "dfrac"):  # \\frac12
            found += [Token(kind, word[0], i, i + 1), Token(kind, word[1], i + 1, i + 2)]
        else:
            found.append(Token(kind, word, i, plain.end()))
        return plain.end()
    return _unicode(text, i, found)


def _command(text: str, i: int, found: list[Token]) -> int:
    match = _COMMAND.match(text, i)
    if match is None:
        raise FormulaError("a backslash with nothing behind it", i + 1)
    name, end = match.group(1), match.end()
    if name in _SKIPPED:
        if name in ("left", "right") and text[end : end + 1] == ".":
            end += 1
        return end
    if name in _WITH_ARGUMENT_SKIPPED and text[end : end + 1] == "{":
        close = text.find("}", end)
        if close < 0:
            raise FormulaError(f"the brace of \\{name} is not closed", end + 1)
        return close + 1
    if name in ("begin", "end"):
        close = text.find("}", end)
        if close < 0:
            raise FormulaError(f"\\{name} without its environment", i + 1)
        end = close + 1
        if name == "begin" and text[end : end + 1] in ("{", "[") and "array" in text[i:end]:
            raise FormulaError("arrays of entries are not read: give the matrix a name", i + 1)
        return end
    kind, shown = _SIGN_COMMANDS.get(name, ("command", name))
    found.append(Token(kind, shown, i, end))
    return end


def _unicode(text: str, i: int, found: list[Token]) -> int:
    c = text[i]
    if c in _UNICODE:
        name = _UNICODE[c]
        if name == "|":
            found.append(Token("norm", c, i, i + 1))
        elif name == "^T":
            found += [Token("^", "^", i, i + 1), Token("letter", "T", i, i + 1)]
        else:
            found.append(Token("command", name, i, i + 1))
        return i + 1
    if c in "−–":
        found.append(Token("-", "-", i, i + 1))
        return i + 1
    if c in "′’":
        found.append(Token("'", "'", i, i + 1))
        return i + 1
    for table, sign in ((_SUPERSCRIPTS, "^"), (_SUBSCRIPTS, "_")):
        if c in table:
            end = i
            while end < len(text) and text[end] in table:
                end += 1
            found += [Token(sign, sign, i, i), Token("{", "{", i, i)]
            for j in range(i, end):
                digit = table[text[j]]
                found.append(Token("number" if digit.isdigit() else digit, digit, j, j + 1))
            found.append(Token("}", "}", end, end))
            return end
    if c in GREEK_LETTERS:
        found.append(Token("command", GREEK_LETTERS[c], i, i + 1))
        return i + 1
    parts = unicodedata.normalize("NFD", c)
    if len(parts) == 2 and parts[0].isascii() and parts[1] in _COMBINING:
        found += [Token("command", _COMBINING[parts[1]], i, i), Token("letter", parts[0], i, i + 1)]
        return i + 1
    if c.isalpha() or unicodedata.category(c)[0] in "LPS":
        end = i + 1
        while end < len(text) and ord(text[end]) > 0x2E7F:
            end += 1
        found.append(Token("prose", text[i:end], i, end))
        return end
    raise FormulaError(f"the sign {c!r} is not read in a formula", i + 1)


_CLOSES = {")": "(", "]": "[", "}": "{"}


def _check_nesting(tokens: list[Token]) -> None:
    """Raises `FormulaError` for a bracket without its partner of the same kind, and for too many nested brackets."""
    stack: list[Token] = []
    for token in tokens:
        if token.kind in "([{":
            stack.append(token)
            if len(stack) > MAX_NESTING:
                raise FormulaError(f"brackets nest deeper than {MAX_NESTING}", token.start + 1)
        elif token.kind in _CLOSES:
            if not stack or stack[-1].kind != _CLOSES[token.kind]:
                raise FormulaError(f"{token.text} closes nothing", token.start + 1)
            stack.pop()
    if stack:
        raise FormulaError(f"{stack[-1].text} is not closed", stack[-1].start + 1)
