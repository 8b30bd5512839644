"""Expressions as MathML, which every current browser typesets by itself.

`shapes` says what stands under a factor: the shape, by the factor's span. Of nested spans the innermost are shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

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
from elman.calculus.printing.render import is_matrix_product
from elman.calculus.syntax.names import GREEK_LETTERS

Shapes = Mapping[tuple[int, int], str]

_GREEK = {word: letter for letter, word in reversed(GREEK_LETTERS.items())} | {
    "varepsilon": "ε",
    "vartheta": "ϑ",
    "varphi": "φ",
}
_ACCENTS = {"hat": "^", "bar": "¯", "tilde": "~", "dot": "˙", "check": "ˇ", "vec": "→"}
_FUNCTIONS = {"sigmoid": "σ", "trace": "tr", "cross_entropy": "CE", "relu": "relu"}
_BARE = {"ln", "exp", "sin", "cos", "tan", "trace", "det", "sinh", "cosh", "tanh"}
_OPERATORS = {"·": "⋅", "∘": "∘", "⊗": "⊗"}
_SUM, _HADAMARD, _PRODUCT, _FACTOR = range(4)
_MAX_DEPTH = 130


def mathml(e: Expression, shapes: Shapes | None = None, display: bool = True) -> str:
    """`e` as a `<math>` element."""
    return _math(_Writer(shapes or {}).write(e), display)


def mathml_relation(
    relation: Relation, shapes: Shapes | None = None, display: bool = False, parted: bool = False
) -> str:
    """A chain as one `<math>` element; `parted`: products beside ∘ in parentheses, whether or not they were written."""
    writer = _Writer(shapes or {}, parted)
    pieces = [writer.write(relation.parts[0])]
    for operator, part in zip(relation.operators, relation.parts[1:], strict=True):
        pieces += [_mo(operator), writer.write(part)]
    return _math("".join(pieces), display)


def mathml_operator(operator: str) -> str:
    """A relation sign as a `<math>` element."""
    return _math(_mo(operator), False)


def _math(inner: str, display: bool) -> str:
    return f'<math displaystyle="true">{inner}</math>' if display else f"<math>{inner}</math>"


def _mo(sign: str) -> str:
    return f"<mo>{escape(sign)}</mo>"


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


class _Writer:
    """Writes nodes; a depth that no page has is cut off rather than recursed into."""

    def __init__(self, shapes: Shapes, parted: bool = False) -> None:
        self.shapes = shapes
        self.parted = parted  # whether a product beside ∘ is put in parentheses, as it is in what `render` prints
        self.depth = 0
        self.quiet = 0  # within how many fractions of a derivative, where no shapes are shown

    def write(self, e: Expression, level: int = _SUM) -> str:
        """A node, in parentheses where it binds looser than `level`."""
        if self.depth > _MAX_DEPTH:
            return "<mtext>…</mtext>"
        self.depth += 1
        inner, own = self._node(e)
        self.depth -= 1
        shape = self._shape(e)
        if own < level:
            inner = _fenced(inner)
        return f'<munder>{_row(inner)}<mtext class="shape">{escape(shape)}</mtext></munder>' if shape else inner

    def _shape(self, e: Expression) -> str:
        """The shape to show under a node: none where a part of it has one of its own."""
        if not self.shapes or self.quiet:
            return ""
        shape = self.shapes.get(e.span)
        if not shape and isinstance(e, Transpose) and isinstance(e.of, Symbol):
            shape = _turned(self.shapes.get(e.of.span, ""))
        if not shape:
            return ""
        scripted = isinstance(e, Transpose | Inverse | Power | Entry)
        inside = () if scripted else (n for n in walk(e) if n is not e and n.span != e.span)
        return "" if any(n.span in self.shapes for n in inside) else shape

    def _node(self, e: Expression) -> tuple[str, int]:
        match e:
            case Number():
                return self._number(e)
            case Symbol() | Ones() | Identity() | Entry() | Transpose() | Inverse() | Power():
                return self._script(e), _FACTOR
            case Iverson():
                return _fenced(_index(e.left) + _mo("=") + _index(e.right), "[", "]"), _FACTOR
            case Negative():
                return f'<mo form="prefix">−</mo>{self.write(e.of, _HADAMARD)}', _SUM
            case Add():
                return self.write(e.left) + _mo("+") + self.write(e.right, _HADAMARD), _SUM
            case Subtract():
                return self.write(e.left) + _mo("−") + self.write(e.right, _HADAMARD), _SUM
            case Product():
                return self._product(e)
            case Call():
                return self._call(e)
            case BigSum():
                return self._sum(e)
            case Derivative():
                return self._derivative(e)
            case Dots():
                return _mo("…"), _FACTOR
        return "<mtext>?</mtext>", _FACTOR

    @staticmethod
    def _number(e: Number) -> tuple[str, int]:
        if e.value.denominator == 1:
            return f"<mn>{e.value.numerator}</mn>", _FACTOR
        decimal = str(float(e.value))
        if len(decimal) <= 6 and 10 ** (len(decimal.partition(".")[2])) % e.value.denominator == 0:
            return f"<mn>{decimal}</mn>", _FACTOR
        return f"<mfrac><mn>{e.value.numerator}</mn><mn>{e.value.denominator}</mn></mfrac>", _FACTOR

    def _script(self, e: Expression) -> str:
        """A letter with all that stands above and below it, in one pair of scripts."""
        above: list[str] = []
        below: list[str] = []
        node = e
        while True:
            if isinstance(node, Transpose):
                above.insert(0, '<mi mathvariant="normal">T</mi>')
                inner = node.of
            elif isinstance(node, Inverse):
                above.insert(0, "<mo>−</mo><mn>1</mn>")
                inner = node.of
            elif isinstance(node, Power):
                above.insert(0, (_mo("∘") if self._marked(node) else "") + self.write(node.exponent))
                inner = node.of
            elif isinstance(node, Entry):
                below.insert(0, "".join(_index(i) for i in node.indices))
                inner = node.of
            else:
                break
            node = inner
        gap = '<mspace width="0.15em"/>'
        if isinstance(node, Symbol):
            base, label = self._name(node)
            below = ([label] if label else []) + ([_mo(",")] if label and below else []) + below
            if node.time is not None and node.below:
                below += ([_mo(",")] if below else []) + [_index(node.time)]
            elif node.time is not None:
                above.insert(0, _fenced(_index(node.time)))
            return _scripted(base, below, _joined(above, gap))
        if isinstance(node, Ones | Identity):
            base = "<mn>𝟏</mn>" if isinstance(node, Ones) else "<mi>I</mi>"
            return _scripted(base, [_letters(node.dim), *below] if node.dim else below, _joined(above, gap))
        base = self.write(node, _FACTOR)
        if isinstance(node, Derivative | Product) and self._node(node)[1] == _FACTOR:  # a fraction
            base = _fenced(base)
        if isinstance(node, Call):
            base = _row(base)  # its name and its argument, as one
        return _scripted(base, below, _joined(above, gap))

    @staticmethod
    def _marked(e: Power) -> bool:
        """Whether it must be said that a power is entry by entry: not for a scalar-looking base."""
        return e.elementwise and not isinstance(e.of, Call | Number)

    @staticmethod
    def _name(e: Symbol) -> tuple[str, str]:
        """The letter with its accent, and the label below it."""
        word, *rest = e.name.split("_")
        bold = "mathbf" in e.latex or "bm{" in e.latex or "boldsymbol" in e.latex
        base = _letters(word, bold)
        if rest and rest[0] in _ACCENTS:
            base = f'<mover accent="true">{base}<mo stretchy="false">{_ACCENTS[rest.pop(0)]}</mo></mover>'
        return base, "".join(_letters(part) for part in rest if part)

    def _product(self, e: Product) -> tuple[str, int]:
        if e.operator == "/":
            return f"<mfrac>{_row(self.write(e.left))}{_row(self.write(e.right))}</mfrac>", _FACTOR
        if e.operator in ("∘", "⊗"):
            left = self.write(e.left, _HADAMARD)
            right = self.write(e.right, _PRODUCT)
            left = _fenced(left) if self.parted and is_matrix_product(e.left) else left
            right = _fenced(right) if self.parted and is_matrix_product(e.right) else right
            return left + _mo(_OPERATORS[e.operator]) + right, _HADAMARD
        sign = _mo("⋅") if e.operator == "·" else '<mo rspace="0.12em">&#x2062;</mo>'
        left = self.write(e.left, _PRODUCT)
        right = self.write(e.right, _HADAMARD if isinstance(e.right, BigSum) else _FACTOR)
        return (_fenced(left) if _ends_bare(e.left) else left) + sign + right, _PRODUCT

    def _call(self, e: Call) -> tuple[str, int]:
        if e.function in ("norm", "norm1"):
            inner = _fenced("".join(self.write(a) for a in e.arguments), "‖", "‖")
            return _scripted(inner, ["<mn>1</mn>"] if e.function == "norm1" else [], []), _FACTOR
        if e.latex == "|" or e.function == "abs":
            return _fenced("".join(self.write(a) for a in e.arguments), "|", "|"), _FACTOR
        if e.function == "sqrt":
            return f"<msqrt>{''.join(self.write(a) for a in e.arguments)}</msqrt>", _FACTOR
        name = _FUNCTIONS.get(e.function, e.function)
        head = f'<mi mathvariant="normal">{escape(name)}</mi>' if len(name) == 1 else f"<mi>{escape(name)}</mi>"
        if name == "σ":
            head = "<mi>σ</mi>"
        below = [f"<mtext>{('columns', 'rows')[e.axis]}</mtext>"] if e.axis in (0, 1) else []
        head = _scripted(head, below, [_mo("′" * e.primes)] if e.primes else [])
        if _is_bare(e):
            return f'{head}<mo rspace="0.17em">&#x2061;</mo>{self.write(e.arguments[0])}', _FACTOR
        return head + "<mo>&#x2061;</mo>" + _fenced(_mo(",").join(self.write(a) for a in e.arguments)), _FACTOR

    def _sum(self, e: BigSum) -> tuple[str, int]:
        under = _index(Index(e.index)) + ((_mo("=") + _index(e.lower)) if e.lower is not None else "")
        sign = '<mo largeop="true" movablelimits="false">∑</mo>'
        if e.upper is not None:
            sign = f"<munderover>{sign}{_row(under)}{_row(_index(e.upper))}</munderover>"
        else:
            sign = f"<munder>{sign}{_row(under)}</munder>"
        return sign + self.write(e.body, _HADAMARD), _HADAMARD

    def _derivative(self, e: Derivative) -> tuple[str, int]:
        self.quiet += 1
        above = _row(_mo("∂"), self.write(e.of, _PRODUCT))
        fraction = f"<mfrac>{above}{_row(_mo('∂'), self.write(e.wrt, _PRODUCT))}</mfrac>"
        self.quiet -= 1
        if e.at is None:
            return fraction, _FACTOR
        barred = (
            f'<mrow style="border-right:0.06em solid;padding-right:0.15em">{fraction}</mrow>'  # not all fonts stretch |
        )
        return f'<msub>{barred}<mrow><mspace width="0.1em"/>{_fenced(_index(e.at))}</mrow></msub>', _FACTOR


def _is_bare(e: Expression) -> bool:
    """Whether a function stands without parentheses: ln y."""
    return (
        isinstance(e, Call)
        and e.function in _BARE
        and len(e.arguments) == 1
        and isinstance(e.arguments[0], Symbol | Entry | Number)
    )


def _ends_bare(e: Expression) -> bool:
    """Whether a factor behind `e` would be read as the argument of its last function."""
    while isinstance(e, Product) and e.operator in ("", "·"):
        e = e.right
    return _is_bare(e) or isinstance(e, BigSum)


def _turned(shape: str) -> str:
    """The shape of the transpose: [B,V] of [V,B]."""
    rows, comma, columns = shape.strip("[]").partition(",")
    return f"[{columns.strip()},{rows.strip()}]" if comma else ""


def _joined(pieces: list[str], gap: str) -> list[str]:
    """Scripts side by side, with a little room between."""
    return [piece if i == 0 else gap + piece for i, piece in enumerate(pieces)]
