"""Shapes that lines of code and of text declare: `W_h.shape = [Dh,Dh]`, `x = …  # (N, D)`, `x: of shape (N, D)`."""

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
_BRACKETED = r"\[[^\[\]()\n]{0,120}\]|\([^\[\]()\n]{0,120}\)"
_SIZE = r"(?:\d+|\|?[^\W\d_]\w?\|?)"
_BY = rf"{_SIZE}[ \t]*(?:×|[ \t]x[ \t]|[ \t]by[ \t])[ \t]*{_SIZE}(?!\w)"
_BEGIN = r"^[ \t>]*(?:[-*+][ \t]+)?(?:(?:#|//)[ \t]*)?"
_SHAPE_ATTRIBUTE = re.compile(
    rf"(?:{_BEGIN}|\bassert[ \t]+|[,;:(，；：、（][ \t]*|\b(?:and|where|with|let|have|for)[ \t]+|[和且设令中][ \t]*)"
    rf"[`$]?({_LETTERS})[`$]?\.shape[`$]?[ \t]*(?:==?|:|\bis\b)[ \t]*[`$]?({_BRACKETED})"
)
_SHAPE_LINE = re.compile(
    rf"{_BEGIN}[`$]?({_LETTERS})[`$]?(?:[ \t]*[:~][ \t]*({_BRACKETED}|{_BY})"
    rf"|[ \t]*:[^\n=]{{0,80}}?\bshape[ \t]*(?:is|:|=)?[ \t]*({_BRACKETED}))"
)
_WHOLE_LINE = re.compile(
    rf"{_BEGIN}[`$]?([^\W\d_](?:_\w+|\d)?)[`$]?:[ \t]*[`$]?(\[[^\[\]()\n]+,[^\[\]()\n]+\])[`$]?[.,;]?[ \t]*$"
)
_TRAILING = re.compile(
    rf"^[ \t]*({_LETTERS})[ \t]*=(?!=)[^#\n]*#[ \t]*(shape:?[ \t]*(?:is[ \t]+)?)?({_BRACKETED}|{_BY})"
)
_NAMED = r"\|?[^\W\d_]+(?:_\w+|_\{\w+\}|\d)?\|?"
_ONE = r"\|[^\W\d_]\||[^\W\d_](?:_\w|_\{\w+\})?|\d+"
_WRITTEN_OUT = re.compile(
    rf"(?:({_NAMED}|\d+)\s+(?:x|by|×)\s+|({_ONE})x|({_NAMED})\s*\*\s*)(?:(?<=x)({_ONE})|(?<=\s)({_NAMED}|\d+)|(?<=\*)\s*({_NAMED}))"
)
_TIMES = re.compile(r"\\times(?![A-Za-z])|×|,")


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
    plain = re.sub(r"\\(?:text|mathrm|operatorname|mathit|mathcal|mathbf|left|right|,|;|!)|[{}\s$]", "", text)
    plain = plain.replace("\\cdot", "*")
    plain = re.sub(r"\\[lr]?vert", "|", plain).replace("\\", "").strip("|")
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


def dimensions(text: str, letter_x: bool = False) -> tuple[str, str] | None:
    """Rows and columns of a shape that is written without brackets; one dimension is a column, none is a scalar.

    With `letter_x` the sign × may be written as the letter, as in `nxf` and `n x f`, or as `n by f` and `n*f`.
    """
    parts = [part for part in _TIMES.split(text) if part.strip()]
    if letter_x and len(parts) == 1 and (product := _WRITTEN_OUT.fullmatch(text.strip(" {}"))):
        parts = [next(part for part in side if part) for side in (product.groups()[:3], product.groups()[3:])]
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
    """The shapes that lines of code or plain text declare; in `prose` `name.shape = […]`, and a line `x: [m,n]`."""
    at = start
    while at < end:
        stop = text.find("\n", at, end)
        stop = end if stop < 0 else stop
        line = text[at : min(stop, at + 400)]
        if ".shape" in line:
            found = [(m.group(1), m.span(2)) for m in _SHAPE_ATTRIBUTE.finditer(line)]
        else:
            found = [(m.group(1), m.span(2)) for m in [_WHOLE_LINE.match(line)] if m] if prose else _in_line(line)
        for name, (first, last) in found:
            sizes = dimensions(line[first:last].strip("[]()"), letter_x="*" not in line[first:last])
            if sizes:
                yield Declared(canonical(name), *sizes, at + first, at + last)
        at = stop + 1


def _in_line(line: str) -> list[tuple[str, tuple[int, int]]]:
    """The name in a line of code and the place of its shape, if it declares one."""
    if match := _SHAPE_LINE.match(line):
        group = 2 if match.group(2) else 3
        single = group == 2 and line[match.start(2)] in "[(" and "," not in match.group(2)
        return [] if single else [(match.group(1), match.span(group))]
    match = _TRAILING.match(line) if "#" in line else None
    if match is None:
        return []
    written = match.group(3)
    note = not match.group(2) and "," not in written and written[0] in "[(" and written[1:-1].strip().isdigit()
    return (
        []
        if note or (written[0] == "(" and "," not in written and not match.group(2))
        else [(match.group(1), match.span(3))]
    )
