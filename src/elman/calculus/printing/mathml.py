"""Expressions as MathML, which every current browser typesets without help.

`shapes` gives the shape to write under a factor, by the factor's span; of nested spans the innermost are shown. For
example, `mathml(expression of "W_h h", {(0, 3): "[Dh,Dh]"})` writes [Dh,Dh] under W_h.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import Any

from elman.calculus.expression import (
    Add,
    Apply,
    BigProduct,
    BigSum,
    Call,
    Cases,
    Comparison,
    Constant,
    Derivative,
    Dots,
    Entry,
    Expression,
    Identity,
    Index,
    Inverse,
    Iverson,
    Matrix,
    Negative,
    Number,
    Ones,
    Pattern,
    Power,
    Product,
    Relation,
    Subtract,
    Symbol,
    Transpose,
    children,
    factors_of,
    walk,
)
from elman.calculus.printing.printer import (
    FUNCTION_NAMES,
    NORMS,
    Precedence,
    Printed,
    Printer,
    is_matrix_product,
    is_otherwise,
)
from elman.calculus.syntax.names import GREEK_LETTERS

Shapes = Mapping[tuple[int, int], str]

_GREEK = {word: letter for letter, word in reversed(GREEK_LETTERS.items())} | {
    "varepsilon": "ε",
    "vartheta": "ϑ",
    "varphi": "φ",
}
_ACCENTS = {"hat": "^", "bar": "¯", "tilde": "~", "dot": "˙", "check": "ˇ", "vec": "→"}
_BARE = {"ln", "exp", "sin", "cos", "tan", "trace", "det", "sinh", "cosh", "tanh"}
_OPERATORS = {"·": "⋅", "∘": "∘", "⊗": "⊗"}
SUM, HADAMARD, PRODUCT, FACTOR, _ = Precedence
_MAX_DEPTH = 130


def mathml(e: Expression, shapes: Shapes | None = None, display: bool = True) -> str:
    """`e` as a `<math>` element."""
    return _math(_MathmlPrinter(shapes or {}).show(e), display)


def mathml_relation(
    relation: Relation, shapes: Shapes | None = None, display: bool = False, separate_products: bool = False
) -> str:
    """A relation as one `<math>` element; `separate_products` puts products beside ∘ in parentheses: (δ U) ∘ h."""
    printer = _MathmlPrinter(shapes or {}, separate_products)
    pieces = [printer.show(relation.parts[0])]
    for operator, part in zip(relation.operators, relation.parts[1:], strict=True):
        pieces += [_mo(operator), printer.show(part)]
    for condition in relation.conditions:
        pieces += [_mo(","), _mspace("1em"), printer.condition(condition)]
    return _math("".join(pieces), display)


def mathml_operator(operator: str) -> str:
    """A relation sign as a `<math>` element."""
    return _math(_mo(operator), False)


def _math(inner: str, display: bool) -> str:
    return f'<math displaystyle="true">{inner}</math>' if display else f"<math>{inner}</math>"


def _mo(sign: str) -> str:
    return f"<mo>{escape(sign)}</mo>"


def _mspace(width: str) -> str:
    return f'<mspace width="{width}"/>'


def _table(rows: Iterable[Iterable[str]], left: bool = False) -> str:
    """Rows of cells."""
    align = ' columnalign="left"' if left else ""
    cells = ("".join(f"<mtd>{cell}</mtd>" for cell in row) for row in rows)
    return f"<mtable{align}>{''.join(f'<mtr>{row}</mtr>' for row in cells)}</mtable>"


def _row(*pieces: str) -> str:
    return f"<mrow>{''.join(pieces)}</mrow>"


def _fenced(inner: str, left: str = "(", right: str = ")") -> str:
    tall = "" if "<mfrac" in inner or "largeop" in inner else ' stretchy="false"'
    return _row(f'<mo fence="true"{tall}>{left}</mo>', inner, f'<mo fence="true"{tall}>{right}</mo>')


def _scripted(base: str, below: list[str], above: list[str]) -> str:
    """A base with its scripts."""
    if below and above:
        return f"<msubsup>{base}{_row(*below)}{_row(*above)}</msubsup>"
    if below:
        return f"<msub>{base}{_row(*below)}</msub>"
    return f"<msup>{base}{_row(*above)}</msup>" if above else base


def _letters(word: str, bold: bool = False) -> str:
    """A word of a name: a Greek letter, a number, a letter in italics, or a word upright."""
    if word.isdigit():
        return f"<mn>{word}</mn>"
    shown = _GREEK.get(word, word)
    if bold and len(shown) == 1 and shown.isascii() and shown.isalpha():
        base = 0x1D400 if shown.isupper() else 0x1D41A
        shown = chr(base + ord(shown) - ord("A" if shown.isupper() else "a"))
    return f"<mi>{escape(shown)}</mi>"


def _index(index: Index) -> str:
    """t-1, 0, i."""
    if index.variable is None:
        return f"<mn>{index.offset}</mn>"
    word, _, label = index.variable.partition("_")
    shown = _scripted(_letters(word), [_letters(label)] if label else [], [])
    if not index.offset:
        return shown
    return f"{shown}{_mo('+' if index.offset > 0 else '−')}<mn>{abs(index.offset)}</mn>"


class _MathmlPrinter(Printer):
    """Writes nodes; what nests deeper than any page does is written as …, rather than recursed into."""

    def __init__(self, shapes: Shapes, separate_products: bool = False) -> None:
        self.shapes = shapes
        self.separate_products = separate_products  # parentheses around products beside ∘, as `render.py` prints them
        self.depth = 0
        self.derivatives = 0  # how many derivatives there are around, within which no shapes are shown

    def show(self, e: Expression, least: int = SUM) -> str:
        """A node with its shape below it."""
        if self.depth > _MAX_DEPTH:
            return "<mtext>…</mtext>"
        self.depth += 1
        inner = super().show(e, least)
        self.depth -= 1
        shape = self._shape(e)
        return f'<munder>{_row(inner)}<mtext class="shape">{escape(shape)}</mtext></munder>' if shape else inner

    def parenthesised(self, shown: str) -> str:
        return _fenced(shown)

    def _shape(self, e: Expression) -> str:
        """The shape to show under a node: none where a part of it has one of its own."""
        if not self.shapes or self.derivatives:
            return ""
        shape = self.shapes.get(e.span)
        if not shape and isinstance(e, Transpose) and isinstance(e.of, Symbol):
            shape = _transposed_shape(self.shapes.get(e.of.span, ""))
        if not shape:
            return ""
        scripted = type(e) in _SCRIPTS
        inside = () if scripted else (n for n in walk(e) if n is not e and n.span != e.span)
        return "" if any(n.span in self.shapes for n in inside) else shape

    # --- nodes ---

    def iverson(self, e: Iverson) -> Printed:
        return _fenced(self.condition(e), "[", "]"), FACTOR

    def comparison(self, e: Comparison) -> Printed:
        return _fenced(self.condition(e), "[", "]"), FACTOR

    def condition(self, e: Expression) -> str:
        """A condition without brackets: j = k, x > 0; those of a product with commas between them."""
        if isinstance(e, Iverson):
            return _index(e.left) + _mo(e.operator) + _index(e.right)
        if isinstance(e, Comparison):
            return self.show(e.left) + _mo(e.operator) + self.show(e.right)
        if isinstance(e, Product):
            return _mo(",").join(self.condition(factor) for factor in factors_of(e))
        return self.show(e)

    def constant(self, e: Constant) -> Printed:
        return f"<mi>{'π' if e.name == 'pi' else escape(e.name)}</mi>", FACTOR

    def matrix(self, e: Matrix) -> Printed:
        return _fenced(_table([self.show(entry) for entry in row] for row in e.rows)), FACTOR

    def pattern(self, e: Pattern) -> Printed:
        below = "".join(_index(Index(index)) for index in (e.row, e.column) if index)
        return f"<msub>{_row(_fenced(self.show(e.body), '[', ']'))}{_row(below)}</msub>", FACTOR

    def cases(self, e: Cases) -> Printed:
        rows = (
            (
                self.show(value),
                "<mtext>otherwise</mtext>" if is_otherwise(c) else "<mtext>if&#xa0;</mtext>" + self.condition(c),
            )
            for value, c in zip(e.values, e.conditions, strict=True)
        )
        return _row('<mo fence="true">{</mo>', _table(rows, left=True)), FACTOR

    def negative(self, e: Negative) -> Printed:
        return f'<mo form="prefix">−</mo>{self.show(e.of, HADAMARD)}', SUM

    def add(self, e: Add) -> Printed:
        return self.show(e.left) + _mo("+") + self.show(e.right, HADAMARD), SUM

    def subtract(self, e: Subtract) -> Printed:
        return self.show(e.left) + _mo("−") + self.show(e.right, HADAMARD), SUM

    def dots(self, e: Dots) -> Printed:
        return _mo("…"), FACTOR

    def number(self, e: Number) -> Printed:
        if e.value.denominator == 1:
            return f"<mn>{e.value.numerator}</mn>", FACTOR
        decimal = str(float(e.value))
        if len(decimal) <= 6 and 10 ** (len(decimal.partition(".")[2])) % e.value.denominator == 0:
            return f"<mn>{decimal}</mn>", FACTOR
        return f"<mfrac><mn>{e.value.numerator}</mn><mn>{e.value.denominator}</mn></mfrac>", FACTOR

    def scripted(self, e: Expression) -> Printed:
        """A base, mostly a letter, with everything above and below it in one pair of scripts."""
        below: list[str] = []
        above: list[str] = []
        base = e
        while type(base) in _SCRIPTS:
            inner_below, inner_above = _SCRIPTS[type(base)](self, base)
            below, above = inner_below + below, inner_above + above
            (base, *_) = children(base)
        if isinstance(base, Symbol):
            shown, label = self._name(base)
            below = ([label] if label else []) + ([_mo(",")] if label and below else []) + below
            if base.time is not None and base.below:
                below += ([_mo(",")] if below else []) + [_index(base.time)]
            elif base.time is not None:
                above.insert(0, _fenced(_index(base.time)))
        elif isinstance(base, Ones | Identity):
            shown = "<mn>𝟏</mn>" if isinstance(base, Ones) else "<mi>I</mi>"
            below = [_letters(base.dim), *below] if base.dim else below
        else:
            shown = self.show(base, FACTOR)
            if isinstance(base, Derivative) or (isinstance(base, Product) and base.operator == "/"):  # a fraction
                shown = _fenced(shown)
            if isinstance(base, Call):
                shown = _row(shown)  # its name and its argument, as one
        return _scripted(shown, below, _joined(above, '<mspace width="0.15em"/>')), FACTOR

    symbol = ones = identity = entry = transpose = inverse = power = scripted

    def exponent(self, e: Power) -> str:
        """The exponent; ∘ marks a power entry by entry, except of a call or a number, where it is clear."""
        marked = e.elementwise and not isinstance(e.of, Call | Number)
        return (_mo("∘") if marked else "") + self.show(e.exponent)

    @staticmethod
    def _name(e: Symbol) -> tuple[str, str]:
        """The letter with its accent, and the label below it."""
        word, *rest = e.name.split("_")
        bold = "mathbf" in e.latex or "bm{" in e.latex or "boldsymbol" in e.latex
        base = _letters(word, bold)
        if rest and rest[0] in _ACCENTS:
            base = f'<mover accent="true">{base}<mo stretchy="false">{_ACCENTS[rest.pop(0)]}</mo></mover>'
        return base, "".join(_letters(part) for part in rest if part)

    def product(self, e: Product) -> Printed:
        if e.operator == "/":
            return f"<mfrac>{_row(self.show(e.left))}{_row(self.show(e.right))}</mfrac>", FACTOR
        if e.operator in ("∘", "⊗"):
            left = self.show(e.left, HADAMARD)
            right = self.show(e.right, PRODUCT)
            left = _fenced(left) if self.separate_products and is_matrix_product(e.left) else left
            right = _fenced(right) if self.separate_products and is_matrix_product(e.right) else right
            return left + _mo(_OPERATORS[e.operator]) + right, HADAMARD
        sign = _mo("⋅") if e.operator == "·" else '<mo rspace="0.12em">&#x2062;</mo>'
        left = self.show(e.left, PRODUCT)
        right = self.show(e.right, HADAMARD if isinstance(e.right, BigSum | BigProduct) else FACTOR)
        return (_fenced(left) if _ends_bare(e.left) else left) + sign + right, PRODUCT

    def call(self, e: Call) -> Printed:
        if e.function in NORMS:
            return self.norm(e), FACTOR
        if e.function == "inner":
            return _fenced(_mo(",").join(self.show(a) for a in e.arguments), "⟨", "⟩"), FACTOR
        special = "abs" if e.latex == "|" else e.function
        if special in _CALLS:
            return _CALLS[special]("".join(self.show(a) for a in e.arguments)), FACTOR
        name = FUNCTION_NAMES.get(e.function, e.function)
        upright = ' mathvariant="normal"' if len(name) == 1 and name != "σ" else ""
        below = [f"<mtext>{('columns', 'rows')[e.axis]}</mtext>"] if e.axis in (0, 1) else []
        above = [_mo("′" * e.primes)] if e.primes else []
        head = _scripted(f"<mi{upright}>{escape(name)}</mi>", below, above)
        if _is_bare(e):
            return f'{head}<mo rspace="0.17em">&#x2061;</mo>{self.show(e.arguments[0])}', FACTOR
        return head + "<mo>&#x2061;</mo>" + _fenced(_mo(",").join(self.show(a) for a in e.arguments)), FACTOR

    def norm(self, e: Call) -> str:
        """‖x‖ with its kind below."""
        below = self.show(e.arguments[1]) if e.function == "normp" else _mo(NORMS[e.function])
        return _scripted(_fenced(self.show(e.arguments[0]), "‖", "‖"), [below] if NORMS[e.function] else [], [])

    def apply(self, e: Apply) -> Printed:
        shown, label = self._name(Symbol(e.name, latex=e.latex))
        head = _scripted(shown, [label] if label else [], [_mo("′" * e.primes)] if e.primes else [])
        return head + "<mo>&#x2061;</mo>" + _fenced(_mo(",").join(self.show(a) for a in e.arguments)), FACTOR

    def big_sum(self, e: BigSum) -> Printed:
        return self.over_index("∑", e)

    def big_product(self, e: BigProduct) -> Printed:
        return self.over_index("∏", e)

    def over_index(self, big: str, e: BigSum | BigProduct) -> Printed:
        """A sum or a product with its bounds."""
        under = _index(Index(e.index)) + ((_mo("=") + _index(e.lower)) if e.lower is not None else "")
        sign = f'<mo largeop="true" movablelimits="false">{big}</mo>'
        if e.upper is not None:
            sign = f"<munderover>{sign}{_row(under)}{_row(_index(e.upper))}</munderover>"
        else:
            sign = f"<munder>{sign}{_row(under)}</munder>"
        return sign + self.show(e.body, HADAMARD), HADAMARD

    def derivative(self, e: Derivative) -> Printed:
        self.derivatives += 1
        above = _row(_mo("∂"), self.show(e.of, PRODUCT))
        fraction = f"<mfrac>{above}{_row(_mo('∂'), self.show(e.wrt, PRODUCT))}</mfrac>"
        self.derivatives -= 1
        if e.at is None:
            return fraction, FACTOR
        barred = (
            f'<mrow style="border-right:0.06em solid;padding-right:0.15em">{fraction}</mrow>'  # not all fonts stretch |
        )
        return f'<msub>{barred}<mrow><mspace width="0.1em"/>{_fenced(_index(e.at))}</mrow></msub>', FACTOR


# What a node puts below and above the base that it is a script of.
_SCRIPTS: dict[type[Expression], Callable[[_MathmlPrinter, Any], tuple[list[str], list[str]]]] = {
    Transpose: lambda printer, e: ([], ['<mi mathvariant="normal">T</mi>']),
    Inverse: lambda printer, e: ([], ["<mo>−</mo><mn>1</mn>"]),
    Power: lambda printer, e: ([], [printer.exponent(e)]),
    Entry: lambda printer, e: (["".join(_index(i) for i in e.indices)], []),
}


# Functions that are not written as a name before their argument.
_CALLS: dict[str, Callable[[str], str]] = {
    "abs": lambda inside: _fenced(inside, "|", "|"),
    "sqrt": lambda inside: f"<msqrt>{inside}</msqrt>",
}


def _is_bare(e: Expression) -> bool:
    """Whether a function is written without parentheses: ln y."""
    return (
        isinstance(e, Call)
        and e.function in _BARE
        and len(e.arguments) == 1
        and isinstance(e.arguments[0], Symbol | Entry | Number)
    )


def _ends_bare(e: Expression) -> bool:
    """Whether a factor behind `e` would be read as the argument of its last function."""
    while isinstance(e, Product) and e.operator in ("", "·", "@"):
        e = e.right
    return _is_bare(e) or isinstance(e, BigSum | BigProduct)


def _transposed_shape(shape: str) -> str:
    """The shape of the transpose: [B,V] of [V,B]."""
    rows, comma, columns = shape.strip("[]").partition(",")
    return f"[{columns.strip()},{rows.strip()}]" if comma else ""


def _joined(pieces: list[str], gap: str) -> list[str]:
    """Scripts side by side, with a little room between."""
    return [piece if i == 0 else gap + piece for i, piece in enumerate(pieces)]
