"""A formula as the page writes it, with the shapes of its factors below them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import escape

from elman.calculus.expression import Derivative, Entry, Expression, Inverse, Power, Symbol, Transpose, children
from elman.calculus.syntax.names import Names
from elman.calculus.syntax.parse import parse_statements
from elman.errors import FormulaError
from elman.notes.report.displayed_math import displayed_math

_START, _END = "\ue010", "\ue011"  # around the number of a label, in the LaTeX and in its MathML
_LABEL = re.compile(f"<mrow><mtext>{_START}(\\d+){_END}</mtext></mrow>")
_BRACE = re.compile(r"(?<!\\)[{}]")

Spans = Mapping[tuple[int, int], str]  # start and end of a letter → its shape


def labelled_math(latex: str, names: Names, spans: Spans, display: bool) -> str | None:
    """The `<math>` element of LaTeX whose macros are expanded, with shapes; None where it cannot be displayed."""
    labels = _labels(latex, names, spans) if spans and _START not in latex and _END not in latex else []
    marked = latex
    for number, (start, end, _) in reversed(list(enumerate(labels))):
        below = f"\\underset{{\\text{{{_START}{number}{_END}}}}}"
        marked = f"{marked[:start]}{below}{{{marked[start:end]}}}{marked[end:]}"
    shown = displayed_math(marked, display)
    if shown is None:
        return displayed_math(latex, display) if labels else None
    return _LABEL.sub(lambda found: f'<mtext class="shape">{escape(labels[int(found[1])][2])}</mtext>', shown)


def _labels(latex: str, names: Names, spans: Spans) -> list[tuple[int, int, str]]:
    """Start, end and shape of the factors that get a label, in order, none within another."""
    try:
        relations = parse_statements(latex, names)
    except (FormulaError, RecursionError):
        return []
    found = sorted(label for r in relations for part in r.parts for label in _shown(part, spans))
    labels: list[tuple[int, int, str]] = []
    for start, end, shape in found:
        free = start >= (labels[-1][1] if labels else 0)
        if shape and start < end and free and _is_balanced(latex[start:end]):
            labels.append((start, end, shape))
    return labels


def _shown(e: Expression, spans: Spans) -> Iterator[tuple[int, int, str]]:
    """The shapes of the letters in an expression, where there is room: not in a derivative, nor below an index."""
    match e:
        case Derivative():
            return
        case Symbol():
            yield (*e.span, spans.get(e.span, ""))
        case Transpose(of=Symbol() as letter):
            yield (*e.span, _transposed(spans.get(letter.span, "")))
        case Transpose() | Inverse() | Power() | Entry() if isinstance(e.of, Symbol):
            return
        case _:
            for child in children(e):
                yield from _shown(child, spans)


def _transposed(shape: str) -> str:
    """The shape of the transpose: [B,V] of [V,B]."""
    rows, comma, columns = shape.strip("[]").partition(",")
    return f"[{columns},{rows}]" if comma else ""


def _is_balanced(latex: str) -> bool:
    """Whether every brace is closed, and none is closed that was not opened."""
    depth = 0
    for brace in _BRACE.finditer(latex):
        depth += 1 if brace.group() == "{" else -1
        if depth < 0:
            return False
    return depth == 0
