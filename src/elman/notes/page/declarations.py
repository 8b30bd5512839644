r"""Declared shapes: `W_h.shape = [Dh,Dh]`, `W \in \mathbb{R}^{m \times n}`, `x = …  # [V,B]`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from elman.calculus.expression import Entry, Symbol
from elman.calculus.syntax.names import canonical, fold
from elman.calculus.syntax.parse import parse
from elman.calculus.syntax.written_sizes import is_written
from elman.errors import FormulaError

_LETTERS = r"[^\W\d](?:[\w\u0300-\u036f]|\{\w+\})*"
_SHAPE_LINE = re.compile(
    rf"^[ \t>]*(?:[-*+][ \t]+)?[`$]?(?:(?:#|//)[ \t]*)?({_LETTERS})[`$]?(?:(\.shape)[ \t]*(?:==?|:)|[ \t]*:)[ \t]*"
    rf"(\[[^\[\]()\n]{{0,120}}\]|\([^\[\]()\n]{{0,120}}\))"
)
_TRAILING = re.compile(
    rf"^[ \t]*({_LETTERS})[ \t]*=(?!=)[^#\n]*#[ \t]*(?:shape:?[ \t]*)?"
    r"(\[[^\[\]\n]{1,80}\]|\([^()\n]{1,80}\))"
)
FIELD = re.compile(
    r"(?:\\in|∈)\s*(?:\\mathbb\s*\{?\s*R\s*\}?|\\mathbf\s*\{\s*R\s*\}|\\(?:R|Re|Reals|RR|reals)(?![A-Za-z])|ℝ)\s*"
    r"(\^\s*(?:\{(?:[^{}\n]|\{(?:[^{}\n]|\{[^{}\n]*\})*\})*\}|\\?\w))?"
)
_TIMES = re.compile(r"\\times(?![A-Za-z])|×|,")
_LEFT_SEPARATOR = re.compile(
    r"\\\\|\\q?quad\b|[;&\n$]|\\text\s*\{[^{}]*\}|\\(?:where|mathrm)\s*\{[^{}]*\}|[\u3000-\u9fff]+"
)


@dataclass(frozen=True, slots=True)
class Declared:
    """A declared shape: the canonical name, the dimensions, and the offsets of the written shape in the page."""

    name: str
    rows: str
    columns: str
    start: int
    end: int


def dimension(text: str) -> str | None:
    r"""A dimension in canonical form: Dh for `D_h`, dh for `d_{\text{h}}`, 4*H for `4H` and `4 \cdot H`, 784 for
    `28*28`, 0 for a product with a factor of 0; None if the text is no dimension.
    """
    plain = re.sub(r"\\(?:text|mathrm|operatorname|mathit|,|;|!)|[{}\s$]", "", text)
    plain = plain.replace("\\cdot", "*").replace("\\vert", "|").replace("\\", "").strip("|")
    if len(plain) > 40 or re.fullmatch(r"\d*\*?\w*(?:\*\w+)*", plain) is None or not plain or plain == "*":
        return None
    factors: list[str] = []
    for factor in plain.split("*"):
        match = re.fullmatch(r"([0-9]+)([^\W\d]\w*)", factor)
        factors += [match.group(1), fold(match.group(2))] if match else [fold(factor)]
    if not all(is_written(factor) or factor.isidentifier() for factor in factors):
        return None
    number = prod(int(factor) for factor in factors if is_written(factor))
    names = [factor for factor in factors if not is_written(factor)]
    return "*".join([str(number)] * (number > 1 or not names) + names) if number else "0"


def dimensions(text: str) -> tuple[str, str] | None:
    """Rows and columns of a shape that is written without brackets; one dimension is a column, none is a scalar."""
    parts = [part for part in _TIMES.split(text) if part.strip()]
    if not parts:
        return "1", "1"
    found = [dimension(part) for part in parts]
    if len(found) > 2 or None in found:
        return None
    return str(found[0]), (str(found[1]) if len(found) == 2 else "1")


def symbol_name(text: str) -> str | None:
    """The canonical name of a text that is one symbol, at any time step, else None; an entry's name has its index."""
    text = text.strip().strip("&").strip()
    if not text or len(text) > 80:
        return None
    if text.isidentifier() and "_" not in text and len(text) > 1:
        return canonical(text)
    try:
        node = parse(text, form="latex")
    except (FormulaError, RecursionError):
        return None
    if isinstance(node, Symbol):
        return node.name
    if isinstance(node, Entry) and isinstance(node.of, Symbol):
        return f"{node.of.name}_{''.join(str(i) for i in node.indices)}"
    return None


def in_code(text: str, start: int, end: int, prose: bool = False) -> Iterator[Declared]:
    """The shapes that lines of code or plain text declare; in `prose` only `name.shape = […]` is a declaration."""
    at = start
    while at < end:
        stop = text.find("\n", at, end)
        stop = end if stop < 0 else stop
        line = text[at : min(stop, at + 400)]
        if "[" in line or "(" in line:
            match = _SHAPE_LINE.match(line)
            if match and (match.group(2) or not prose):
                found = dimensions(match.group(3)[1:-1])
                if found and (match.group(2) or "," in match.group(3)):
                    yield Declared(canonical(match.group(1)), *found, at + match.start(3), at + match.end(3))
            elif not prose and (match := _TRAILING.match(line)):
                found = dimensions(match.group(2)[1:-1])
                if found:
                    yield Declared(canonical(match.group(1)), *found, at + match.start(2), at + match.end(2))
        at = stop + 1


def in_formula(text: str, start: int) -> Iterator[Declared]:
    r"""The shapes that a formula declares with `\in \mathbb{R}^{…}`; `start` is its offset in the page."""
    since = 0
    for match in FIELD.finditer(text):
        script = (match.group(1) or "")[1:].strip()
        found = dimensions(script.removeprefix("{").removesuffix("}"))
        if found:
            begin = match.end() - len((match.group(1) or "")[1:].lstrip()) if match.group(1) else match.end()
            for name in _names_before(text[max(since, match.start() - 200) : match.start()]):
                yield Declared(name, *found, start + begin, start + match.end())
        since = match.end()


def _names_before(text: str) -> list[str]:
    """The symbols directly before the sign ∈, separated by commas."""
    names: list[str] = []
    for piece in reversed(_LEFT_SEPARATOR.split(text)[-1].split(",")):
        name = symbol_name(piece)
        if name is None:
            break
        names.insert(0, name)
    return names
