r"""Shapes that formulas declare: `W \in \mathbb{R}^{m \times n}`, `W_{m \times n}`, `\underset{m \times n}{W}`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from elman.notes.page.declarations import Declared, dimensions, symbol_name

_SETS = (
    r"\\mathbb\s*\{?\s*R\s*\}?|\\math(?:bf|cal|rm|sf)\s*(?:\{\s*R\s*\}|\s+R(?![A-Za-z]))"
    r"|\\(?:R|Re|Reals|RR|reals)(?![A-Za-z])|ℝ|R(?=\s*\^)|\{\s*R\s*\}(?=\s*\^)"
)
_UNIT = r"(?:\\left)?(?:\\?\{|[\[(])\s*(?:0|-\s*1)\s*,\s*\+?1\s*(?:\\right)?(?:\\?\}|[\])])"  # {0,1}, [0,1], (-1,1)
FIELD = re.compile(
    rf"(?:\\in(?![A-Za-z])|∈)\s*(?:{_SETS}|(?P<unit>{_UNIT}))\s*(?:_\s*(?:\{{[^{{}}\n]*\}}|\+|\w))?\s*"
    r"(?P<script>\^\s*(?:\{(?:[^{}\n]|\{(?:[^{}\n]|\{[^{}\n]*\})*\})*\}|\\?\w|[+*]))?"
)
_POSITIVE = frozenset({"+", "*", "++", "\\ast", "\\star"})
_LEFT_SEPARATOR = re.compile(
    r"\\\\|\\q?quad\b|[;&\n$]|\\text\s*\{[^{}]*\}|\\(?:where|mathrm)\s*\{[^{}]*\}|[\u3000-\u9fff]+"
)
_ROW = re.compile(r"\\\\|\\q?quad\b|[;\n$]")
_LETTER = (
    r"(?:\\(?:mathbf|boldsymbol|bm|vec|hat|bar|tilde|bold)\s*(?:\{[^{}\n]{1,12}\}|[A-Za-z](?![A-Za-z]))"
    r"|\\[A-Za-z]+|[A-Za-z])"
)
_SIZE = r"[A-Za-z0-9|](?:[\w|]|_\{\w+\})*"
_SIZES = rf"\s*(?:[\[(]\s*({_SIZE}\s*(?:\\times|×|,)\s*{_SIZE})\s*[\])]|({_SIZE}\s*(?:\\times|×)\s*{_SIZE}))\s*"
_PRODUCT = rf"\s*({_SIZE}\s*(?:\\times|×)\s*{_SIZE})\s*"
_ONE = r"\{\s*(?P<letter>[^{}\n]{1,30}|[^{}\n]{0,12}\{[^{}\n]{1,12}\})\s*\}"
_SPACE = r"(?:\s|\\[,;: ]|\\q?quad)*"
_UNDER_LETTER = (
    re.compile(rf"(?<![\\A-Za-z])(?P<letter>{_LETTER})\s*_\s*\{{{_PRODUCT}\}}"),
    re.compile(rf"\\(?:under|over)set\s*\{{{_SIZES}\}}\s*{_ONE}"),
    re.compile(rf"\\(?:under|over)brace\s*{_ONE}\s*[_^]\s*\{{{_SIZES}\}}"),
)
_BESIDE = re.compile(
    rf"(?P<letter>{_LETTER}(?:_\w|_\{{\w+\}})?){_SPACE}"
    rf"(?:(?:[:~]|\\colon|\\sim){_SPACE}{_SIZES}|\({_PRODUCT}\))"
)
_INDICES = frozenset("ijkl")
_RESERVED = frozenset({"I", "R", "min", "max", "arg"})


def in_formula(text: str, start: int) -> Iterator[Declared]:
    """The shapes that a formula declares; `start` is its offset in the page."""
    yield from _members(text, start)
    if "times" in text or "×" in text or "," in text:
        yield from _annotated(text, start)


def _members(text: str, start: int) -> Iterator[Declared]:
    since = 0
    for match in FIELD.finditer(text):
        script = match.group("script") or ""
        found = field_shape(match)
        if found:
            begin = match.end() - len(script[1:].lstrip()) if script else match.end()
            for name in _names_before(text[max(since, match.start() - 200) : match.start()]):
                if script or not match.group("unit") or name not in _INDICES:
                    yield Declared(name, *found, start + begin, start + match.end())
        since = match.end()


def field_shape(match: re.Match[str]) -> tuple[str, str] | None:
    r"""Rows and columns of the arrays in a set that `FIELD` found; a number for `\mathbb{R}` and `\mathbb{R}^+`."""
    script = (match.group("script") or "")[1:].strip()
    inner = script.removeprefix("{").removesuffix("}")
    return ("1", "1") if inner.strip() in _POSITIVE else dimensions(inner, letter_x=True)


def _annotated(text: str, start: int) -> Iterator[Declared]:
    r"""`W_{m \times n}`, `\underset{m \times n}{W}`, and a formula that is `W: m \times n`."""
    whole = _BESIDE.fullmatch(text.strip().rstrip(".,;"))
    for match in [*([whole] if whole else []), *(m for form in _UNDER_LETTER for m in form.finditer(text))]:
        name = symbol_name(match.group("letter"))
        group = next(i for i in range(1, match.re.groups + 1) if i != match.re.groupindex["letter"] and match.group(i))
        sizes = dimensions(match.group(group))
        if name and name not in _RESERVED and sizes and "0" not in sizes:
            shift = start + (len(text) - len(text.lstrip()) if match is whole else 0)
            yield Declared(name, *sizes, shift + match.start(group), shift + match.end(group))


def _names_before(text: str) -> list[str]:
    """The symbols directly before the sign ∈, separated by commas; of y = W x ∈ ℝ^n the letter that is defined."""
    names: list[str] = []
    for piece in reversed(_LEFT_SEPARATOR.split(text)[-1].split(",")):
        name = symbol_name(piece)
        if name is None:
            break
        names.insert(0, name)
    return names or _names_of_equation(_ROW.split(text)[-1].replace("&", ""))


def _names_of_equation(row: str) -> list[str]:
    """The symbols that are the first or the last part of a chain of equations: y and z of y = W x = z."""
    first, sign, rest = row.partition("=")
    last = rest.rpartition("=")[2].strip()
    pieces = (first, "" if last.isalpha() and len(last) > 1 else last) if sign else ()  # A B is a product
    return [name for piece in pieces if (name := symbol_name(piece)) is not None]
