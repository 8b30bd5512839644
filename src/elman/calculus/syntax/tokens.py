"""LaTeX, and the Unicode signs that people type instead, as tokens with their places."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from elman.calculus.syntax.names import GREEK_LETTERS
from elman.errors import FormulaError

OPENING, CLOSING = ("(", "[", "{", "begin", "langle"), (")", "]", "}", "end", "rangle")
DOTS = frozenset(  # the commands of an ellipsis
    ("dots", "ldots", "cdots", "vdots", "ddots", "dotsc", "dotsb", "dotsm", "iddots", "hdots")
)
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


def is_bracketed(tokens: Sequence[Token]) -> bool:
    """Whether tokens begin and end with parentheses or brackets."""
    return bool(tokens) and tokens[0].kind in ("(", "[") and tokens[-1].kind in (")", "]")


# A sign of Unicode → the command that it stands for.
_UNICODE = {
    "∂": "partial", "∘": "circ", "⊙": "odot", "⊗": "otimes", "·": "cdot", "⋅": "cdot", "∙": "cdot", "×": "times",
    "∑": "sum", "∏": "prod", "∇": "nabla", "√": "sqrt", "≤": "le", "≥": "ge", "≠": "ne", "≈": "approx",
    "←": "leftarrow", "∈": "in", "∝": "propto", "…": "dots", "⋯": "dots", "≡": "equiv", "≔": "coloneqq", "⊤": "top",
    "⊺": "top", "∞": "infty", "∀": "forall", "†": "dagger", "≪": "ll", "≫": "gg", "∼": "sim",
}  # fmt: skip
_SIGNS = {"−": "-", "–": "-", "′": "'", "’": "'", "‖": "norm", "∥": "norm", "⟨": "langle", "⟩": "rangle", "∣": "|"}
_SIGNS_OF_PROGRAMS = {"==": ("=", "="), ">=": ("command", "ge"), "<=": ("command", "le"), "!=": ("command", "ne")}
_FRACTIONS = {"½": "12", "⅓": "13", "¼": "14", "¾": "34", "⅔": "23"}
_ARROWS = "→⇒⟹⇔⟺⟶∴∵"
_SUPERSCRIPTS = dict(
    zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺⁽⁾ᵗⁱʲⁿˡᵃᵇᶜᵈᵉᵏᵐᵖʳˢᵘᵛʷˣʸᶻᴸᴺᴷᴹ", "0123456789-+()tijnlabcdekmprsuvwxyzLNKM", strict=True)
)
_SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉₋₊₌₍₎ᵢⱼₖₗₘₙₜₚₛₐₑₕₒᵣᵤᵥₓ", "0123456789-+=()ijklmntpsaehoruvx", strict=True))
_COMBINING = {"\u0302": "hat", "\u0304": "bar", "\u0303": "tilde"}
_SKIPPED = {
    "left", "right", "middle", "big", "Big", "bigg", "Bigg", "bigl", "bigr", "bigm", "Bigl", "Bigr", "biggl", "biggr",
    "Biggl", "Biggr", "Bigm", "displaystyle", "textstyle", "scriptstyle", "limits", "nolimits", "nonumber", "notag",
    "mathstrut", "strut", "thinspace", "medspace", "negthinspace", "relax", "noindent", "centering", "small", "large",
    "Large", "normalsize", "footnotesize", "displaylimits", "null", "hline", "qed", "qedhere", "checkmark",
    "blacksquare", ",", ";", ":", "!", " ", ">", "/",
}  # fmt: skip
_WITH_ARGUMENT_SKIPPED = {"label", "tag", "vspace", "phantom", "hphantom", "vphantom", "ref", "eqref", "cite"}
_GAPS = {"space", "quad", "qquad", "enspace", "enskip", "hspace", "hfill", "hfil", "hskip", "mspace", "par"}
_ARROW_COMMANDS = {
    "to", "rightarrow", "longrightarrow", "Rightarrow", "Longrightarrow", "implies", "iff", "Leftrightarrow",
    "Longleftrightarrow", "leadsto", "therefore", "because", "xrightarrow", "xRightarrow", "Leftarrow",
    "Longleftarrow", "impliedby", "rarr", "rArr", "Rarr", "lArr", "harr", "hArr", "darr", "dArr", "downarrow",
    "Downarrow", "uarr", "uArr", "uparrow", "Uparrow", "longleftrightarrow", "leftrightarrow", "hookrightarrow",
}  # fmt: skip
FONTS = (
    "mathrm", "mathbf", "boldsymbol", "bm", "bold", "pmb", "mathit", "mathsf", "mathcal", "mathscr", "mathfrak",
    "mathbb", "operatorname", "mathtt", "mathnormal", "vec",
)  # fmt: skip
TEXT = {
    "text", "textrm", "textbf", "textit", "textsf", "texttt", "textnormal", "mbox", "hbox", "intertext",
    "shortintertext", "textup",
}  # fmt: skip
# Words that no quantity is called.
_WORDS = {
    "if", "for", "where", "when", "with", "and", "or", "otherwise", "else", "so", "then", "since", "thus", "hence",
    "because", "therefore", "let", "as", "is", "are", "all", "by", "we", "have", "elsewhere", "from", "of", "case",
}  # fmt: skip
# A command that is a sign → its kind, and its text in error messages.
_SIGN_COMMANDS: dict[str, tuple[str, str]] = {
    **{name: ("norm", "\\" + name) for name in ("|", "Vert", "lVert", "rVert")},
    **{name: ("|", "\\" + name) for name in ("vert", "lvert", "rvert", "mid")},
    **dict.fromkeys(("{", "lbrace"), ("(", "\\{")),
    **dict.fromkeys(("}", "rbrace"), (")", "\\}")),
    "lbrack": ("[", "lbrack"),
    "rbrack": ("]", "rbrack"),
    "langle": ("langle", "\\langle"),
    "rangle": ("rangle", "\\rangle"),
    **dict.fromkeys(("\\", "\n", "newline", "cr", "tabularnewline"), ("newline", "\\\\")),
    **dict.fromkeys(_GAPS, ("quad", "\\quad")),
    **{name: ("arrow", "\\" + name) for name in _ARROW_COMMANDS},
    "colon": (":", ":"),
    "colonequals": ("command", "coloneqq"),
    "cdotp": ("command", "cdot"),
    "dag": ("command", "dagger"),
    "lt": ("<", "<"),
    "gt": (">", ">"),
    "colonapprox": ("command", "approx"),
}
_SPACES = frozenset("~\u200b\u200c\u200d\u2060\ufeff")  # some have no width
_PLAIN = re.compile(r"\d+(?:\.\d+)?|[A-Za-z]|[-+*/=<>(){}\[\]^_|,.;:!&'@~$]")
_ENTRYWISE = re.compile(r"\.[ ]?\*(?!\*)")  # a .* b, as programs write it
_COMMAND = re.compile(r"\\([A-Za-z]+|.)", re.DOTALL)
_LENGTH = re.compile(r"\s*-?\s*[\d.]*\s*(?:pt|em|ex|cm|mm|in|mu|px)\b")
_ROW_GAP = re.compile(r"\*?\s*\[\s*-?[\d.]*\s*(?:pt|em|ex|cm|mm|in)\s*\]|\*")
_APPLIED = re.compile(r"\s*([A-Za-z]+)\(([^()$\\{}]+)\)\s*")
_CASE_OF_LETTERS = re.compile(r"\s*(if|when|for)?\s*([A-Za-z]\s*(?:=|==|!=|≠|<|>)\s*[A-Za-z0-9])\s*")
_ONE_SIGN = re.compile(r"[A-Za-z0-9](?![A-Za-z0-9])|\\(?:[A-Za-z]+|\*)")
_OPERATION = re.compile(
    r"\s*(?:(?!by\b|using\b|from\b|where\b|since\b|with\b|as\b|is\b|tak)[A-Za-z]+\s+){0,4}"
    r"(?:derivative|gradient|jacobian|hessian|inverse|transpose|change)s?\s+(?:of|in)\s*",
    re.I,
)  # \text{derivative of } tanh(z): not tanh(z)
_ONE_WORD = re.compile(r"\s*[A-Za-z][A-Za-z0-9]*\s*")


def tokenize(text: str) -> list[Token]:
    """The tokens of a formula. What cannot be read is a token of the kind "bad", whose text says why: it spoils only
    the part of the formula in which it is.
    """
    found: list[Token] = []
    i = 0
    while i < len(text):
        i = _next(text, i, found)
        if len(found) > MAX_TOKENS:
            raise FormulaError(f"this formula is longer than {MAX_TOKENS} signs: split it", i)
    return found


def _next(text: str, i: int, found: list[Token]) -> int:
    """Reads one token at `i` into `found`; returns where the next begins."""
    c = text[i]
    if c.isspace() or c in _SPACES:
        return i + 1
    if c == "%" and (i == 0 or text[i - 1] != "\\"):
        end = text.find("\n", i)
        return len(text) if end < 0 else end
    if c == "\\":
        return _command(text, i, found)
    if text[i : i + 2] in _SIGNS_OF_PROGRAMS:
        kind, shown = _SIGNS_OF_PROGRAMS[text[i : i + 2]]
        found.append(Token(kind, shown, i, i + 2))
        return i + 2
    if (entrywise := _ENTRYWISE.match(text, i)) is not None:
        found.append(Token("command", "odot", i, entrywise.end()))
        return entrywise.end()
    plain = _PLAIN.match(text, i)
    if plain and c != "$":
        word = plain.group()
        kind = "number" if word[0].isdigit() else "letter" if word.isalpha() else word
        if len(word) > MAX_DIGITS:
            kind, word = "bad", f"a number of more than {MAX_DIGITS} digits is not read"
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
        found.append(Token("bad", "a backslash with nothing behind it", i, i + 1))
        return i + 1
    name, end = match.group(1), match.end()
    if name in ("operatorname", "tag", "hspace", "vspace") and text[end : end + 1] == "*":
        end += 1
    if name in _SKIPPED:
        if name in ("left", "right") and text[end : end + 1] == ".":
            end += 1
        return end
    if name == "_" and (text[end : end + 1] == "{" or _ONE_SIGN.match(text, end)):  # as Markdown escapes it
        found.append(Token("_", "_", i, end))
        return end
    if name in TEXT:
        return _text(text, i, end, name, found)
    if name in ("begin", "end"):
        return _environment(text, i, end, name, found)
    if name in _WITH_ARGUMENT_SKIPPED or name in ("hspace", "mspace"):
        argument = closing_brace(text, end)
        end = end if argument is None else argument + 1
        if name in _WITH_ARGUMENT_SKIPPED:
            return end
    if name in ("kern", "mkern", "hskip", "mskip"):
        length = _LENGTH.match(text, end)
        end = length.end() if length else end
        if name != "hskip":
            return end
    kind, shown = _SIGN_COMMANDS.get(name, ("command", name))
    if kind == "newline" and (gap := _ROW_GAP.match(text, end)) is not None:
        end = gap.end()
    found.append(Token(kind, shown, i, end))
    return end


def closing_brace(text: str, at: int) -> int | None:
    """Where the group is closed whose brace comes next at `at`; None where none comes, or it is not closed."""
    while at < len(text) and text[at].isspace():
        at += 1
    if text[at : at + 1] != "{":
        return None
    depth = 0
    for match in re.compile(r"\\.|[{}]", re.DOTALL).finditer(text, at):
        depth += {"{": 1, "}": -1}.get(match.group(), 0)
        if depth == 0:
            return match.start()
    return None


def _text(text: str, i: int, end: int, name: str, found: list[Token]) -> int:
    """Reads `\\text{…}`: one word may be a name, and is read as letters in braces; else it is prose, with formulas
    between dollar signs in it.
    """
    close = closing_brace(text, end)
    if close is None:
        found.append(Token("bad", f"the brace of \\{name} is not closed", i, end))
        return end
    begin = text.index("{", end) + 1
    inner = text[begin:close]
    if _ONE_WORD.fullmatch(inner) and inner.strip().lower() not in _WORDS:
        found += [Token("command", name, i, end), Token("{", "{", begin - 1, begin)]
        found += [Token("letter", c, begin + k, begin + k + 1) for k, c in enumerate(inner) if not c.isspace()]
        found.append(Token("}", "}", close, close + 1))
        return close + 1
    if (applied := _APPLIED.fullmatch(inner)) is not None:
        _applied_word(applied, i, end, name, found, begin)
        return close + 1
    if _OPERATION.fullmatch(inner) is not None:
        found.append(Token("bad", f"the words {inner.strip()!r} are not read: write a letter for them", i, close + 1))
        return close + 1
    at = begin
    if (case := _CASE_OF_LETTERS.fullmatch(inner)) is not None:  # \text{if p = m}
        if case.group(1):
            found.append(Token("prose", case.group(1), begin, begin + len(case.group(1))))
        place = begin + case.start(2)
        found += [replace(token, start=place + token.start, end=place + token.end) for token in tokenize(case.group(2))]
        return close + 1
    for number, piece in enumerate(inner.split("$")):
        if number % 2:
            for token in tokenize(piece):
                found.append(Token(token.kind, token.text, at + token.start, at + token.end))
        elif len(piece.strip()) == 1 and piece.strip().isalpha():  # \text{p $\ne$ m}
            place = at + piece.index(piece.strip())
            found.append(Token("letter", piece.strip(), place, place + 1))
        elif piece.strip(" ~\\,;"):
            found.append(Token("prose", piece.strip(), at, at + len(piece)))
        at += len(piece) + 1
    return close + 1


def _applied_word(match: re.Match[str], i: int, end: int, name: str, found: list[Token], begin: int) -> None:
    """Reads `\\text{softmax(z)}` as `\\text{softmax}(z)`; what is of a word, count(it), is no quantity that is read."""
    word, argument = match.group(1), match.group(2)
    if any(len(part.strip()) > 1 for part in argument.split(",")):
        found.append(Token("bad", f"the words {match.group()!r} are not read: write a letter for them", i, end))
        return
    found += [Token("command", name, i, end), Token("{", "{", begin - 1, begin)]
    found += [Token("letter", c, begin + k, begin + k + 1) for k, c in enumerate(word, match.start(1))]
    found.append(Token("}", "}", begin + match.end(1), begin + match.end(1)))
    behind = begin + match.end(1)
    for token in tokenize(match.string[match.end(1) : match.end()]):
        found.append(replace(token, start=behind + token.start, end=behind + token.end))
    found[-1] = replace(found[-1], end=begin + len(match.string) + 1)  # with the brace of \\text


def _environment(text: str, i: int, end: int, name: str, found: list[Token]) -> int:
    """Reads `\\begin{…}`, with its arguments, or `\\end{…}`."""
    close = text.find("}", end)
    if close < 0:
        found.append(Token("bad", f"\\{name} without its environment", i, end))
        return end
    environment = text[end:close].strip(" {").rstrip("*")
    end = close + 1
    if name == "begin" and text[end : end + 1] == "[":
        end = max(text.find("]", end) + 1, end)
    if name == "begin" and environment in ("array", "alignat", "alignedat", "subarray"):
        argument = closing_brace(text, end)
        end = end if argument is None else argument + 1
    found.append(Token(name, environment, i, end))
    return end


def _unicode(text: str, i: int, found: list[Token]) -> int:
    c = text[i]
    if c in _FRACTIONS:
        found.append(Token("command", "frac", i, i))
        found += [Token("number", digit, i, i + 1) for digit in _FRACTIONS[c]]
        return i + 1
    if c in _UNICODE:
        found.append(Token("command", _UNICODE[c], i, i + 1))
        return i + 1
    if c == "ᵀ":
        found += [Token("^", "^", i, i + 1), Token("letter", "T", i, i + 1)]
        return i + 1
    if c in _SIGNS:
        found.append(Token(_SIGNS[c], c, i, i + 1))
        return i + 1
    if c in _ARROWS:
        found.append(Token("arrow", c, i, i + 1))
        return i + 1
    for table, sign in ((_SUPERSCRIPTS, "^"), (_SUBSCRIPTS, "_")):
        if c in table:
            return _script(text, i, found, table, sign)
    if c in GREEK_LETTERS:
        found.append(Token("command", GREEK_LETTERS[c], i, i + 1))
        return i + 1
    parts = unicodedata.normalize("NFD", c)
    if len(parts) == 2 and parts[0].isascii() and parts[1] in _COMBINING:
        found += [Token("command", _COMBINING[parts[1]], i, i), Token("letter", parts[0], i, i + 1)]
        return i + 1
    plain = unicodedata.normalize("NFKC", c)  # 𝐱, a letter in bold
    if len(plain) == 1 and plain != c and ((plain.isascii() and plain.isalnum()) or plain in GREEK_LETTERS):
        if plain.isascii():
            found.append(Token("letter" if plain.isalpha() else "number", plain, i, i + 1))
        else:
            found.append(Token("command", GREEK_LETTERS[plain], i, i + 1))
        return i + 1
    if not c.isascii() and unicodedata.category(c)[0] in "LPS":
        end = i + 1
        while end < len(text) and ord(text[end]) > 0x2E7F:
            end += 1
        found.append(Token("prose", text[i:end], i, end))
        return end
    found.append(Token("bad", f"the sign {c!r} is not read in a formula", i, i + 1))
    return i + 1


def _script(text: str, i: int, found: list[Token], table: dict[str, str], sign: str) -> int:
    """Reads a run of raised or lowered signs, as x² or xₜ₋₁, as a script."""
    end = i
    while end < len(text) and text[end] in table:
        end += 1
    found += [Token(sign, sign, i, i), Token("{", "{", i, i)]
    for j in range(i, end):
        c = table[text[j]]
        found.append(Token("number" if c.isdigit() else "letter" if c.isalpha() else c, c, j, j + 1))
    found.append(Token("}", "}", end, end))
    return end


_CLOSES = {")": "(", "]": "[", "}": "{", "end": "begin", "rangle": "langle"}


def check_nesting(tokens: list[Token]) -> None:
    """Raises `FormulaError` for a bracket without its partner of the same kind, and for too many nested brackets."""
    stack: list[Token] = []
    for token in tokens:
        if token.kind in OPENING:
            stack.append(token)
            if len(stack) > MAX_NESTING:
                raise FormulaError(f"brackets nest deeper than {MAX_NESTING}", token.start + 1)
        elif token.kind in CLOSING:
            if not stack or stack[-1].kind != _CLOSES[token.kind]:
                raise FormulaError(f"{_shown(token)} closes nothing", token.start + 1)
            stack.pop()
    if stack:
        raise FormulaError(f"{_shown(stack[-1])} is not closed", stack[-1].start + 1)


def _shown(token: Token) -> str:
    return f"\\{token.kind}{{{token.text}}}" if token.kind in ("begin", "end") else token.text
