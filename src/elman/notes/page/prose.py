"""Prose as sentences of tokens: words, numbers, signs, and letters, each formula or plain single letter being one."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from elman.calculus.syntax.names import GREEK
from elman.notes.page.declarations import dimensions, symbol_name
from elman.notes.page.memberships import in_formula
from elman.notes.page.scanner import Scan

_LONGEST = 400  # tokens of a sentence; a longer one is no prose
LETTER = "\ue000"  # stands for a formula or a letter in the text of a sentence
_FENCE = r"^[ \t>]*(`{3,}|~{3,})[^`~\n]*\n.*?(?:^[ \t>]*\1|\Z)"
_SKIPPED = re.compile(rf"{_FENCE}|<!--.*?(?:-->|\Z)", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"(?<!\\)%[^\n]*")
_TOKEN = re.compile(
    r"(?P<end>\n[ \t\r>]*\n|\n[ \t>]*(?:[-*+]|\d+[.)]|\#{1,6}|\\item)[ \t]|\||[.!?;](?=[\s$]|\Z)|[。！？；]|\\\\)"
    r"|(?P<drop>(?:[\s*{}$]|(?<![ ])~)+|\\(?:textbf|emph|textit|text|item|textrm|mbox)\b"
    r"|_{1,2}(?=[A-Za-z])|(?<=[A-Za-z])_{1,2}(?!\w))"
    r"|`(?P<code>[^`\n]{1,20})`"
    r"|(?P<times>(?<=\w[ ])x(?=[ ](?:\d+|[A-Za-z])(?:[ ),.\n-]|\Z))|(?<=[$)][ ])x(?=[ ]\Z)|(?<=[\d$)])x(?=[\d$(]))"
    r"|(?P<glued>(?<![\w\\])(?:[A-Za-z]|\d+)x(?:[A-Za-z]|\d+)(?![\w]))"
    r"|(?P<word>[A-Za-z]+(?:['’][a-z]+)?)|(?P<number>\d+)|(?P<cjk>[\u3400-\u9fff])|(?P<sign>.)",
    re.DOTALL,
)  # fmt: skip
_PLAIN = re.compile(
    r"(?:(?<![\w\\'’.^/+*=<>|{\-])|(?<=by-))(?:[A-Za-z]|[α-ωΑ-Ω])(?:_\{?\w{1,3}\}?|\d)?"
    r"(?![\w'’({\[^|+/_]|\.\w|[ ]?[=^<>+/])"
)
_AFTER_HYPHEN = re.compile(r"-(?:dim|by|vector|D\b)")
_ARTICLE_FOLLOWS = re.compile(
    r"\s+(?:be|is|are|and|or|with|of|has|in|to|by|an?|that|which|such|where|as|for|from|on)\b|\s*(?:[,;:)]|\.(?:\s|\Z))|\s*\Z"
)
_LITTLE_FOLLOWS = re.compile(r"\s+(?:be|is|are|and|or)\b|\s*[,;:)]|\s*\.(?:\s|\Z)")
_PRONOUN_FOLLOWS = re.compile(r"\s+(?:is|be)\b")
_ENGLISH = {"a": _LITTLE_FOLLOWS, "A": _ARTICLE_FOLLOWS, "I": _PRONOUN_FOLLOWS}
_RELATION = re.compile(r"\\in(?![A-Za-z])|∈|=|\\sim(?![A-Za-z])|\\triangleq|:")
_DOTS = re.compile(r"\\(?:[lc]?dots|ldots)|\.\.\.|…")
_SIZE_BRACKETS = re.compile(r"[(\[](.*)[)\]]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Token:
    """A word in lower case, a number, a sign, or `LETTER`; `written` is a letter's formula; the offsets in the page."""

    text: str
    start: int
    end: int
    written: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The canonical names of the letters of a formula that is a letter or a list of letters, else ()."""
        return names_of(self.written) if self.written else ()

    @property
    def size(self) -> tuple[str, ...]:
        """One or two sizes: of a number, of `n`, of `m \\times n`; else ()."""
        return (self.text,) if self.text.isdigit() else sizes_of(self.written) if self.written else ()

    @property
    def field(self) -> tuple[str, str] | None:
        r"""Rows and columns where the formula is a set of arrays, `\\mathbb{R}^n`."""
        written = self.written if "\\in" in self.written or "∈" in self.written else "x \\in " + self.written
        return next(((d.rows, d.columns) for d in in_formula(written, 0)), None) if self.written else None


@dataclass(frozen=True, slots=True)
class Said:
    """What a phrase says of a letter: its kind ("" if only its size or a property is said), its rows and columns (""
    if none), where the size is, its properties, and the offsets of the phrase.
    """

    name: str
    kind: str
    start: int
    end: int
    rows: str = ""
    columns: str = ""
    size: tuple[int, int] = (-1, -1)
    properties: frozenset[str] = frozenset()


@lru_cache(maxsize=4096)
def names_of(written: str) -> tuple[str, ...]:
    """The names in `x`, `u, v`, `x_1, \\dots, x_n`, `W \\in …` or `a = …`; () if something else is there."""
    left = _RELATION.split(written, maxsplit=1)[0]
    if not left.strip() or len(left) > 60:
        return ()
    found = [symbol_name(piece) for piece in left.split(",") if not _DOTS.fullmatch(piece.strip())]
    return tuple(str(name) for name in found) if all(name and _is_letter(name) for name in found) else ()


def _is_letter(name: str) -> bool:
    stem = name.partition("_")[0]
    return (len(stem) == 1 and stem.isalpha()) or stem in GREEK


@lru_cache(maxsize=4096)
def sizes_of(written: str) -> tuple[str, ...]:
    r"""The sizes in `n`, `m \times n`, `(m, n)`; () if the formula is no size."""
    plain = written.strip()
    bracketed = _SIZE_BRACKETS.fullmatch(plain)
    inner = bracketed.group(1) if bracketed else plain
    parts = [part for part in re.split(r"\\times|×|\\text\{-?by-?\}|,", inner) if part.strip()]
    found = dimensions(inner) if 0 < len(parts) <= 2 and len(inner) <= 40 else None
    if found is None or "0" in found or ("," in inner and not bracketed) or not plain:
        return ()
    return found if len(parts) == 2 else found[:1]


def sentences(text: str, start: int, end: int, scan: Scan, latex: bool = False) -> Iterator[list[Token]]:
    """The sentences of a part of a page; a display, a table cell, a list item and a paragraph end a sentence."""
    sentence: list[Token] = []
    for token in _all_tokens(text, start, end, scan, latex):
        if token is not None:
            sentence.append(token)
            continue
        if 0 < len(sentence) <= _LONGEST:
            yield sentence
        sentence = []


def _all_tokens(text: str, start: int, end: int, scan: Scan, latex: bool) -> Iterator[Token | None]:
    """The tokens of a part of a page; None where a sentence ends."""
    skipped = [match.span() for match in (_COMMENT if latex else _SKIPPED).finditer(text, start, end)]
    stops = [(a, b, "") for a, b in [*scan.code, *skipped]]
    stops += [(f.first, f.last, text[f.start : f.end] if f.kind == "inline" else "") for f in scan.formulas]
    at = start
    for first, last, written in [*sorted(stops), (end, end, "")]:
        if first < at:
            continue
        yield from _tokens(text, at, first)
        if written and len(written) <= 80:
            yield Token(LETTER, first, last, written)
        else:
            yield Token("?", first, last) if written else None
        at = last


def _tokens(text: str, start: int, end: int) -> Iterator[Token | None]:
    """The tokens of prose without formulas; None where a sentence ends."""
    plain = [m for m in _PLAIN.finditer(text, start, end) if _stands_alone(text, m, end)]
    places = [m.start() for m in plain]
    at = start
    while at < end:
        i = bisect_left(places, at)
        match = _TOKEN.match(text, at, end)
        assert match is not None
        kind, stop = match.lastgroup, match.end()
        if kind == "end":
            yield None
        elif kind == "times":
            yield Token("×", at, stop)
        elif kind == "glued" and match.group() != "exp":
            left, _, right = match.group().partition("x")
            middle = at + len(left)
            yield _size_token(left, at)
            yield Token("×", middle, middle + 1)
            yield _size_token(right, middle + 1)
        elif kind == "code":
            yield from _code(match.group("code"), match.start("code"))
        elif i < len(places) and places[i] == at:
            stop = plain[i].end()
            yield Token(LETTER, at, stop, plain[i].group())
        elif kind != "drop":
            yield Token(match.group().lower(), at, stop)
        at = stop


def _size_token(written: str, at: int) -> Token:
    return Token(written if written.isdigit() else LETTER, at, at + len(written), "" if written.isdigit() else written)


def _code(written: str, at: int) -> Iterator[Token]:
    """What is in a code span: a name, or a size such as `(m, n)`."""
    if names_of(written) or sizes_of(written):
        yield Token(LETTER, at, at + len(written), written)
    else:
        yield Token("?", at, at + len(written))


def _stands_alone(text: str, match: re.Match[str], end: int) -> bool:
    """Whether a single letter of prose is one of mathematics, and not an English word or the part of a compound."""
    if text.startswith("-", match.end()) and not _AFTER_HYPHEN.match(text, match.end()):
        return False
    follows = _ENGLISH.get(match.group())
    return follows is None or follows.match(text, match.end(), end) is not None
