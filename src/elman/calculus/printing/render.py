"""Expressions as LaTeX and as Unicode text, with no more parentheses than the parser of `latex.py` needs.

What is printed reads back as an equal tree, or as one of equal value, where the parser is given the symbols' names.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from types import MappingProxyType

from elman.calculus.expression import (
    Add,
    BigSum,
    Call,
    Derivative,
    Dots,
    Entry,
    Expression,
    Identity,
    Index,
    Inverse,
    Iverson,
    Negative,
    Number,
    Ones,
    Power,
    Product,
    Relation,
    Subtract,
    Symbol,
    Transpose,
    walk,
)
from elman.calculus.functions import ELEMENTWISE, WHOLE
from elman.calculus.printing.python import python
from elman.calculus.syntax.names import ACCENTS, GREEK, GREEK_LETTERS, Names
from elman.calculus.syntax.written_sizes import is_written

__all__ = ["latex", "latex_name", "names_of", "python", "text", "text_name"]

SUM, HADAMARD, PRODUCT, SCRIPT, ATOM = 1, 2, 3, 4, 5
_LETTER_OF = {name: letter for letter, name in reversed(GREEK_LETTERS.items())}
_COMBINED = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303"}


def latex(e: Expression | Relation) -> str:
    """`e` as LaTeX, ready to stand between dollar signs."""
    return _statement(e, _LATEX)


def text(e: Expression | Relation) -> str:
    """`e` as one line of Unicode text: `a b^T`, `δ_1 ∘ (1 - h^(t-1))`."""
    return _statement(e, _TEXT)


def names_of(*expressions: Expression) -> Names:
    """The `Names` under which a parser reads the printed expressions back."""
    found = [node for e in expressions for node in walk(e) if isinstance(node, Symbol)]
    return Names.of({s.name for s in found}, {s.name for s in found if s.time is not None})


def split_name(name: str) -> tuple[str, str, str]:
    """A canonical name as word, accent and label: `y_hat_1` → y, hat, 1."""
    word, *rest = name.split("_")
    accent = rest.pop(0) if rest and rest[0] in ACCENTS.values() else ""
    return word, accent, ",".join(rest)


def latex_name(name: str) -> str:
    """A canonical name as LaTeX: `delta_1` → \\delta_1, `y_hat` → \\hat{y}, `W_he` → W_{he}."""
    word, accent, label = split_name(name)
    shown = _latex_word(word)
    if accent:
        shown = f"\\{accent}{{{shown}}}"
    return shown + _latex_label(label)


def _latex_word(word: str) -> str:
    if word in GREEK:
        return "\\" + word
    return word if len(word) == 1 or is_written(word) else f"\\mathrm{{{word}}}"


def _latex_label(label: str) -> str:
    if not label:
        return ""
    if label in GREEK:
        return f"_{{\\{label}}}"
    return f"_{label}" if len(label) == 1 else f"_{{{label}}}"


def text_name(name: str) -> str:
    """A canonical name as text: `delta_1` → δ_1, `y_hat` → ŷ."""
    word, accent, label = split_name(name)
    shown = _LETTER_OF.get(word, word)
    if accent:
        joined = unicodedata.normalize("NFC", shown + _COMBINED.get(accent, "")) if accent in _COMBINED else ""
        shown = joined if len(joined) == 1 and word not in _LETTER_OF else f"\\{accent}{{{shown}}}"
    return shown + (f"_{label}" if len(label) == 1 else f"_{{{label}}}" if label else "")


class _Style:
    """The signs of one way of printing; the grammar is the same for both."""

    hadamard: Mapping[str, str] = MappingProxyType({"∘": r" \circ ", "⊗": r" \otimes "})
    dot = r" \cdot "
    partial = r"\partial "
    dots = r"\dots"
    bar = r"\|"
    big_sum = r"\sum"
    is_latex = True

    def name(self, s: Symbol) -> str:
        return s.latex or latex_name(s.name)

    def function(self, e: Call) -> str:
        if e.function in ELEMENTWISE:
            return ELEMENTWISE[e.function].latex
        return WHOLE[e.function][1]

    def ones(self, dim: str | None) -> str:
        return r"\mathbf{1}" + (f"_{_braced(dim)}" if dim else "")

    def script(self, sign: str, inside: str) -> str:
        return sign + _braced(inside)

    def time(self, index: Index) -> str:
        return f"^{{({_index(index)})}}"

    def with_axis(self, name: str, axis: int | None) -> str:
        return name + ("" if axis is None else "_{row}" if axis else "_{col}")


class _Text(_Style):
    hadamard = MappingProxyType({"∘": " ∘ ", "⊗": " ⊗ "})
    dot = " · "
    partial = "∂"
    dots = "…"
    bar = "‖"
    big_sum = "∑"
    is_latex = False

    def name(self, s: Symbol) -> str:
        return text_name(s.name)

    def function(self, e: Call) -> str:
        return {"sigmoid": "σ", "trace": "tr", "cross_entropy": "CE"}.get(e.function, e.function)

    def ones(self, dim: str | None) -> str:
        return "1" + (f"_{_braced(dim)}" if dim else "")

    def time(self, index: Index) -> str:
        return f"^({_index(index)})"


_LATEX, _TEXT = _Style(), _Text()


def _braced(inside: str) -> str:
    return inside if len(inside) == 1 else f"{{{inside}}}"


def _index(i: Index) -> str:
    if i.variable in GREEK:
        return f"\\{i.variable}" + (f"{i.offset:+d}" if i.offset else "")
    return str(i)


def _statement(e: Expression | Relation, style: _Style) -> str:
    if isinstance(e, Relation):
        parts = [_show(part, SUM, style) for part in e.parts]
        signs = {":=": ":=", "≈": r"\approx", "∈": r"\in", "←": r"\leftarrow", "→": r"\to", "≤": r"\le", "≥": r"\ge"}
        shown = parts[0]
        for sign, part in zip(e.operators, parts[1:], strict=True):
            shown += f" {signs.get(sign, sign) if style.is_latex else sign} {part}"
        return shown
    return _show(e, SUM, style)


def _show(e: Expression, least: int, style: _Style) -> str:
    """`e`, in parentheses where it binds looser than `least`."""
    shown, level = _RENDER[type(e)](e, style)
    return shown if level >= least else f"({shown})"


def _number(e: Number, style: _Style) -> tuple[str, int]:
    above, below = abs(e.value.numerator), e.value.denominator
    sign = "-" if e.value < 0 else ""
    if below == 1:
        return f"{sign}{above}", SUM if sign else ATOM
    shown = f"\\frac{{{above}}}{{{below}}}" if style.is_latex else f"{above}/{below}"
    return sign + shown, SUM if sign else SCRIPT if style.is_latex else PRODUCT


def _symbol(e: Symbol, style: _Style) -> tuple[str, int]:
    name = style.name(e)
    if e.time is None:
        return name, SCRIPT if "^" in name else ATOM
    if not e.below:
        return (f"{{{name}}}" if "^" in name else name) + style.time(e.time), SCRIPT
    index = _index(e.time)
    return (f"{{{name}}}" if "_" in name else name) + f"_{_braced(index)}", ATOM


def _based(e: Expression, style: _Style) -> str:
    """What a script is put on: an atom, or something in braces or parentheses."""
    if isinstance(e, Symbol):
        shown, level = _symbol(e, style)
        return shown if level == ATOM or not style.is_latex else f"{{{shown}}}"
    return _show(e, ATOM, style)


def _entry(e: Entry, style: _Style) -> tuple[str, int]:
    inside = [_index(i) for i in e.indices]
    joined = ("" if all(len(i) == 1 for i in inside) else ",").join(inside)
    if isinstance(e.of, Symbol):
        name = style.name(e.of)
        if e.of.time is not None and not e.of.below and "_" not in name and "^" not in name:
            return f"{name}_{_braced(joined)}{style.time(e.of.time)}", SCRIPT
        shown = name if e.of.time is None else _symbol(e.of, style)[0]
        if e.of.time is not None or "_" in shown or "^" in shown:
            shown = f"{{{shown}}}"
    else:
        shown = _show(e.of, ATOM, style)
        shown = f"{{{shown}}}" if not shown.startswith("(") else shown
    return f"{shown}_{_braced(joined)}", SCRIPT


def _sum(e: Add | Subtract, style: _Style) -> tuple[str, int]:
    sign = "+" if isinstance(e, Add) else "-"
    return f"{_show(e.left, SUM, style)} {sign} {_show(e.right, HADAMARD, style)}", SUM


def _product(e: Product, style: _Style) -> tuple[str, int]:
    if e.operator in ("∘", "⊗"):
        left, right = _show(e.left, HADAMARD, style), _show(e.right, PRODUCT, style)
        if isinstance(e.left, BigSum) or is_matrix_product(e.left):
            left = f"({left})"
        if is_matrix_product(e.right):
            right = f"({right})"
        return left + style.hadamard[e.operator] + right, HADAMARD
    if e.operator == "/" and style.is_latex:
        above, below = _show(e.left, SUM, style), _show(e.right, SUM, style)
        if not (above.startswith(("d", r"\mathrm{d")) and below.startswith(("d", r"\mathrm{d"))):
            return f"\\frac{{{above}}}{{{below}}}", SCRIPT
    left, right = _show(e.left, PRODUCT, style), _show(e.right, SCRIPT, style)
    if e.operator == "/":
        bare = isinstance(e.left, Number) and isinstance(e.right, Number)
        return (f"{left}/{right}" if bare else f"{left} / {right}"), PRODUCT
    dotted = e.operator == "·" or re.match(r"\d+(?!_)", right) is not None
    return left + (style.dot if dotted else " ") + right, PRODUCT


def is_matrix_product(e: Expression) -> bool:
    """A product beside ∘ reads better in parentheses, though it needs none: (δ U) ∘ h."""
    return isinstance(e, Product) and e.operator in ("", "·") and not isinstance(e.left, Number)


def _scripted(e: Transpose | Inverse | Power, style: _Style) -> tuple[str, int]:
    if isinstance(e, Transpose):
        if isinstance(e.of, Inverse):
            return f"{_based(e.of.of, style)}^{{-T}}", SCRIPT
        return f"{_based(e.of, style)}^T", SCRIPT
    if isinstance(e, Inverse):
        return f"{_based(e.of, style)}^{{-1}}", SCRIPT
    mark = (r"\circ " if style.is_latex else "∘") if e.elementwise else ""
    exponent = _show(e.exponent, SUM, style)
    return f"{_based(e.of, style)}^{_braced(mark + exponent)}", SCRIPT


def _call(e: Call, style: _Style) -> tuple[str, int]:
    inside = ", ".join(_show(a, SUM, style) for a in e.arguments)
    if e.function in ("norm", "norm1"):
        nested = any(isinstance(n, Call) and n.function.startswith("norm") for n in walk(e.arguments[0]))
        inside = f"({inside})" if nested else inside
        below = "_1" if e.function == "norm1" else ""
        return f"{style.bar}{inside}{style.bar}{below}", ATOM
    if e.function == "sqrt" and style.is_latex and not e.primes:
        return f"\\sqrt{{{inside}}}", ATOM
    return f"{style.with_axis(style.function(e), e.axis)}{chr(39) * e.primes}({inside})", ATOM


def _big_sum(e: BigSum, style: _Style) -> tuple[str, int]:
    shown = style.big_sum
    shown += f"_{{{e.index}={_index(e.lower)}}}" if e.lower is not None else f"_{_braced(e.index)}"
    if e.upper is not None:
        shown += f"^{_braced(_index(e.upper))}"
    body = _show(e.body, HADAMARD, style)
    return f"{shown} {body}", HADAMARD


def _derivative(e: Derivative, style: _Style) -> tuple[str, int]:
    of, wrt = _show(e.of, SCRIPT, style), _show(e.wrt, SCRIPT, style)
    bar = f"|_{{({_index(e.at)})}}" if e.at is not None else ""
    if style.is_latex:
        return f"\\frac{{\\partial {of}}}{{\\partial {wrt}}}" + bar, SCRIPT
    return f"∂{of}/∂{wrt}{bar}", SCRIPT


def _negative(e: Negative, style: _Style) -> tuple[str, int]:
    return f"-{_show(e.of, HADAMARD, style)}", SUM


_RENDER: dict[type, Callable[..., tuple[str, int]]] = {
    Number: _number,
    Symbol: _symbol,
    Ones: lambda e, style: (style.ones(e.dim), ATOM),
    Identity: lambda e, style: ("I" + (f"_{_braced(e.dim)}" if e.dim else ""), ATOM),
    Entry: _entry,
    Iverson: lambda e, style: (f"[{_index(e.left)} = {_index(e.right)}]", ATOM),
    Negative: _negative,
    Add: _sum,
    Subtract: _sum,
    Product: _product,
    Transpose: _scripted,
    Inverse: _scripted,
    Power: _scripted,
    Call: _call,
    BigSum: _big_sum,
    Derivative: _derivative,
    Dots: lambda e, style: (style.dots, ATOM),
}
