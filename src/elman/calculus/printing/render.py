"""Expressions as LaTeX and as Unicode text, with no more parentheses than the parser in `syntax/` needs.

What is printed parses to an equal tree, or to one of equal value, if the parser knows the names of the symbols. For
example, `Product(Symbol("W_h"), Symbol("h", Index("t", -1)))` is `W_h h^{(t-1)}` as LaTeX and `W_h h^(t-1)` as text.
"""

from __future__ import annotations

import re
import unicodedata
from abc import abstractmethod
from collections.abc import Iterable

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
    factors_of,
    walk,
)
from elman.calculus.functions import ELEMENTWISE, WHOLE
from elman.calculus.printing.printer import (
    FUNCTION_NAMES,
    NORMS,
    Precedence,
    Printed,
    Printer,
    is_matrix_product,
    is_otherwise,
)
from elman.calculus.syntax.names import ACCENTS, GREEK, GREEK_LETTERS, Names
from elman.calculus.syntax.written_sizes import is_written

SUM, HADAMARD, PRODUCT, SCRIPT, ATOM = Precedence
_LETTER_OF = {name: letter for letter, name in reversed(GREEK_LETTERS.items())}
_COMBINING = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303"}
_LATEX_RELATIONS = {
    "≈": r"\approx", "∈": r"\in", "←": r"\leftarrow", "→": r"\to", "≤": r"\le", "≥": r"\ge", "≠": r"\ne",
}  # fmt: skip


def latex(e: Expression | Relation) -> str:
    """`e` as LaTeX, to be put between dollar signs."""
    return _LATEX.statement(e)


def text(e: Expression | Relation) -> str:
    """`e` as one line of Unicode text: `a b^T`, `δ_1 ∘ (1 - h^(t-1))`."""
    return _TEXT.statement(e)


def factor_text(e: Expression) -> str:
    """`e` as text, in parentheses where it is a factor of a product: `(A + B)`."""
    return _TEXT.show(e, PRODUCT)


def names_of(*expressions: Expression) -> Names:
    """The `Names` that a parser needs to read the printed expressions."""
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
        joined = unicodedata.normalize("NFC", shown + _COMBINING.get(accent, "")) if accent in _COMBINING else ""
        shown = joined if len(joined) == 1 and word not in _LETTER_OF else f"\\{accent}{{{shown}}}"
    return shown + (f"_{label}" if len(label) == 1 else f"_{{{label}}}" if label else "")


def _braced(inside: str) -> str:
    return inside if len(inside) == 1 else f"{{{inside}}}"


def _index(i: Index) -> str:
    if i.variable in GREEK:
        return f"\\{i.variable}" + (f"{i.offset:+d}" if i.offset else "")
    return str(i)


def _environment(name: str, rows: Iterable[str]) -> str:
    """An environment of LaTeX, of its rows."""
    joined = " \\\\ ".join(rows)
    return f"\\begin{{{name}}} {joined} \\end{{{name}}}"


class _FormulaPrinter(Printer):
    """What LaTeX and text have in common; the differences are the attributes and the methods of the subclasses."""

    circle: str
    tensor: str
    dot: str
    bar: str
    angles: tuple[str, str]
    infinity: str
    sigma: str
    pi: str
    ellipsis: str
    bold_one: str
    entrywise_mark: str

    def statement(self, e: Expression | Relation) -> str:
        if isinstance(e, Expression):
            return self.show(e)
        shown = self.show(e.parts[0])
        for sign, part in zip(e.operators, e.parts[1:], strict=True):
            shown += f" {self.relation_sign(sign)} {self.show(part)}"
        return shown + "".join(f", {self.condition(c)}" for c in e.conditions)

    # --- what LaTeX and text write differently ---

    @abstractmethod
    def relation_sign(self, sign: str) -> str:
        """A relation sign such as ≤."""

    @abstractmethod
    def name(self, s: Symbol) -> str:
        """The name of a symbol, without its time."""

    @abstractmethod
    def function_name(self, e: Call) -> str:
        """The name of a function, without axis and primes."""

    @abstractmethod
    def time(self, index: Index) -> str:
        """The time step of a symbol, as a superscript."""

    @abstractmethod
    def fraction(self, above: int, below: int) -> Printed:
        """A fraction of two whole numbers."""

    def division(self, e: Product) -> Printed:
        left, right = self.show(e.left, PRODUCT), self.show(e.right, SCRIPT)
        bare = isinstance(e.left, Number) and isinstance(e.right, Number)
        return (f"{left}/{right}" if bare else f"{left} / {right}"), PRODUCT

    def based(self, e: Expression) -> str:
        """What a script is put on."""
        return self.show(e, ATOM)

    # --- nodes ---

    def number(self, e: Number) -> Printed:
        above, below = abs(e.value.numerator), e.value.denominator
        shown, precedence = (str(above), int(ATOM)) if below == 1 else self.fraction(above, below)
        return (f"-{shown}", SUM) if e.value < 0 else (shown, precedence)

    def symbol(self, e: Symbol) -> Printed:
        name = self.name(e)
        if e.time is None:
            return name, SCRIPT if "^" in name else ATOM
        if not e.below:
            return (f"{{{name}}}" if "^" in name else name) + self.time(e.time), SCRIPT
        return (f"{{{name}}}" if "_" in name else name) + f"_{_braced(_index(e.time))}", ATOM

    def ones(self, e: Ones) -> Printed:
        return self.bold_one + (f"_{_braced(e.dim)}" if e.dim else ""), ATOM

    def identity(self, e: Identity) -> Printed:
        return "I" + (f"_{_braced(e.dim)}" if e.dim else ""), ATOM

    def entry(self, e: Entry) -> Printed:
        inside = [_index(i) for i in e.indices]
        below = _braced(("" if all(len(i) == 1 for i in inside) else ",").join(inside))
        if not isinstance(e.of, Symbol):
            shown = self.show(e.of, ATOM)
            return (shown if shown.startswith("(") else f"{{{shown}}}") + f"_{below}", SCRIPT
        name = self.name(e.of)
        if e.of.time is None:
            return (f"{{{name}}}" if "_" in name or "^" in name else name) + f"_{below}", SCRIPT
        if not e.of.below and "_" not in name and "^" not in name:
            return f"{name}_{below}{self.time(e.of.time)}", SCRIPT
        return f"{{{self.symbol(e.of)[0]}}}_{below}", SCRIPT

    def iverson(self, e: Iverson) -> Printed:
        return f"[{self.condition(e)}]", ATOM

    def comparison(self, e: Comparison) -> Printed:
        return f"[{self.condition(e)}]", ATOM

    def condition(self, e: Expression) -> str:
        """A condition without brackets: j = k, x > 0; those of a product with commas between them."""
        if isinstance(e, Iverson):
            return f"{_index(e.left)} {self.relation_sign(e.operator)} {_index(e.right)}"
        if isinstance(e, Comparison):
            return f"{self.show(e.left)} {self.relation_sign(e.operator)} {self.show(e.right)}"
        if isinstance(e, Product):
            return ", ".join(self.condition(factor) for factor in factors_of(e))
        return self.show(e)

    def negative(self, e: Negative) -> Printed:
        return f"-{self.show(e.of, HADAMARD)}", SUM

    def add(self, e: Add) -> Printed:
        return f"{self.show(e.left, SUM)} + {self.show(e.right, HADAMARD)}", SUM

    def subtract(self, e: Subtract) -> Printed:
        return f"{self.show(e.left, SUM)} - {self.show(e.right, HADAMARD)}", SUM

    def product(self, e: Product) -> Printed:
        if e.operator in ("∘", "⊗"):
            left, right = self.show(e.left, HADAMARD), self.show(e.right, PRODUCT)
            if isinstance(e.left, BigSum) or is_matrix_product(e.left):
                left = self.parenthesised(left)
            if is_matrix_product(e.right):
                right = self.parenthesised(right)
            return f"{left} {self.circle if e.operator == '∘' else self.tensor} {right}", HADAMARD
        if e.operator == "/":
            return self.division(e)
        left, right = self.show(e.left, PRODUCT), self.show(e.right, SCRIPT)
        dotted = e.operator == "·" or re.match(r"\d+(?!_)", right) is not None
        return f"{left} {self.dot} {right}" if dotted else f"{left} {right}", PRODUCT

    def transpose(self, e: Transpose) -> Printed:
        if isinstance(e.of, Inverse):
            return f"{self.based(e.of.of)}^{{-T}}", SCRIPT
        return f"{self.based(e.of)}^T", SCRIPT

    def inverse(self, e: Inverse) -> Printed:
        return f"{self.based(e.of)}^{{-1}}", SCRIPT

    def power(self, e: Power) -> Printed:
        least = HADAMARD if e.elementwise and not isinstance(e.exponent, Number) else SUM
        exponent = (self.entrywise_mark if e.elementwise else "") + self.show(e.exponent, least)
        return f"{self.based(e.of)}^{_braced(exponent)}", SCRIPT

    def call(self, e: Call) -> Printed:
        if e.function in NORMS:
            return self.norm(e), ATOM
        inside = ", ".join(self.show(a) for a in e.arguments)
        if e.function == "inner":
            return f"{self.angles[0]}{inside}{self.angles[1]}", ATOM
        axis = "" if e.axis is None else "_{row}" if e.axis else "_{col}"
        return f"{self.function_name(e)}{axis}{chr(39) * e.primes}({inside})", ATOM

    def norm(self, e: Call) -> str:
        """‖x‖ with its kind below."""
        inside = self.show(e.arguments[0])
        if any(isinstance(n, Call) and n.function in NORMS for n in walk(e.arguments[0])):
            inside = self.parenthesised(inside)
        below = self.show(e.arguments[1]) if e.function == "normp" else NORMS[e.function]
        below = self.infinity if below == "∞" else below
        return f"{self.bar}{inside}{self.bar}" + (f"_{_braced(below)}" if below else "")

    def apply(self, e: Apply) -> Printed:
        inside = ", ".join(self.show(a) for a in e.arguments)
        return f"{self.applied_name(e)}{chr(39) * e.primes}({inside})", ATOM

    def big_sum(self, e: BigSum) -> Printed:
        return self.over_index(self.sigma, e)

    def big_product(self, e: BigProduct) -> Printed:
        return self.over_index(self.pi, e)

    def over_index(self, sign: str, e: BigSum | BigProduct) -> Printed:
        """A sum or a product with its bounds."""
        below = f"_{{{e.index}={_index(e.lower)}}}" if e.lower is not None else f"_{_braced(e.index)}"
        above = f"^{_braced(_index(e.upper))}" if e.upper is not None else ""
        return f"{sign}{below}{above} {self.show(e.body, HADAMARD)}", HADAMARD

    @abstractmethod
    def applied_name(self, e: Apply) -> str:
        """φ of φ(z)."""

    def derivative(self, e: Derivative) -> Printed:
        bar = f"|_{{({_index(e.at)})}}" if e.at is not None else ""
        return self.derivative_of(self.show(e.of, SCRIPT), self.show(e.wrt, SCRIPT)) + bar, SCRIPT

    @abstractmethod
    def derivative_of(self, of: str, wrt: str) -> str:
        """∂of/∂wrt."""

    def dots(self, e: Dots) -> Printed:
        return self.ellipsis, ATOM


def _has_its_indices(s: Symbol) -> bool:
    """Whether a letter was written with its indices, as p(k | x_n)."""
    return s.name.endswith("_at") and s.latex.endswith(")")


class _LatexPrinter(_FormulaPrinter):
    circle, tensor, dot = r"\circ", r"\otimes", r"\cdot"
    bar, sigma, pi, ellipsis = r"\|", r"\sum", r"\prod", r"\dots"
    bold_one, entrywise_mark = r"\mathbf{1}", r"\circ "
    angles, infinity = (r"\langle ", r" \rangle"), r"\infty"

    def relation_sign(self, sign: str) -> str:
        return _LATEX_RELATIONS.get(sign, sign)

    def name(self, s: Symbol) -> str:
        return s.latex or latex_name(s.name)

    def symbol(self, e: Symbol) -> Printed:
        return (e.latex, ATOM) if _has_its_indices(e) else super().symbol(e)

    def entry(self, e: Entry) -> Printed:
        return self.symbol(e.of) if isinstance(e.of, Symbol) and _has_its_indices(e.of) else super().entry(e)

    def function_name(self, e: Call) -> str:
        return ELEMENTWISE[e.function].latex if e.function in ELEMENTWISE else WHOLE[e.function][1]

    def applied_name(self, e: Apply) -> str:
        return e.latex or latex_name(e.name)

    def constant(self, e: Constant) -> Printed:
        return "\\pi" if e.name == "pi" else e.name, ATOM

    def matrix(self, e: Matrix) -> Printed:
        rows = (" & ".join(self.show(entry) for entry in row) for row in e.rows)
        return _environment("pmatrix", rows), ATOM

    def pattern(self, e: Pattern) -> Printed:
        return rf"\left[{self.show(e.body)}\right]_{{{e.row}{e.column}}}", ATOM

    def cases(self, e: Cases) -> Printed:
        rows = (
            f"{self.show(value)} & "
            + (r"\text{otherwise}" if is_otherwise(c) else rf"\text{{if }} {self.condition(c)}")
            for value, c in zip(e.values, e.conditions, strict=True)
        )
        return _environment("cases", rows), ATOM

    def time(self, index: Index) -> str:
        return f"^{{({_index(index)})}}"

    def fraction(self, above: int, below: int) -> Printed:
        return f"\\frac{{{above}}}{{{below}}}", SCRIPT

    def division(self, e: Product) -> Printed:
        (above, left), (below, right) = self.printed(e.left), self.printed(e.right)
        if above.startswith(("d", r"\mathrm{d")) and below.startswith(("d", r"\mathrm{d")):
            above = above if left >= PRODUCT else self.parenthesised(above)
            below = below if right >= SCRIPT else self.parenthesised(below)
            return f"{above} / {below}", PRODUCT  # \frac{d…}{d…} would be read as a derivative
        return f"\\frac{{{above}}}{{{below}}}", SCRIPT

    def based(self, e: Expression) -> str:
        shown, precedence = self.printed(e)
        if isinstance(e, Symbol):
            return shown if precedence == ATOM else f"{{{shown}}}"
        return shown if precedence >= ATOM else self.parenthesised(shown)

    def call(self, e: Call) -> Printed:
        if e.function == "sqrt" and not e.primes:
            return f"\\sqrt{{{', '.join(self.show(a) for a in e.arguments)}}}", ATOM
        return super().call(e)

    def derivative_of(self, of: str, wrt: str) -> str:
        return f"\\frac{{\\partial {of}}}{{\\partial {wrt}}}"


class _TextPrinter(_FormulaPrinter):
    circle, tensor, dot = "∘", "⊗", "·"
    bar, sigma, pi, ellipsis = "‖", "∑", "∏", "…"
    bold_one, entrywise_mark = "1", "∘"
    angles, infinity = ("⟨", "⟩"), "∞"

    def relation_sign(self, sign: str) -> str:
        return sign

    def name(self, s: Symbol) -> str:
        return text_name(s.name)

    def function_name(self, e: Call) -> str:
        return FUNCTION_NAMES.get(e.function, e.function)

    def applied_name(self, e: Apply) -> str:
        return text_name(e.name)

    def constant(self, e: Constant) -> Printed:
        return "π" if e.name == "pi" else e.name, ATOM

    def matrix(self, e: Matrix) -> Printed:
        return f"[{'; '.join(', '.join(self.show(entry) for entry in row) for row in e.rows)}]", ATOM

    def pattern(self, e: Pattern) -> Printed:
        return f"[{self.show(e.body)}]_{e.row}{e.column}", ATOM

    def cases(self, e: Cases) -> Printed:
        rows = (
            self.show(value) + (" otherwise" if is_otherwise(c) else f" if {self.condition(c)}")
            for value, c in zip(e.values, e.conditions, strict=True)
        )
        return f"{{{'; '.join(rows)}}}", ATOM

    def time(self, index: Index) -> str:
        return f"^({_index(index)})"

    def fraction(self, above: int, below: int) -> Printed:
        return f"{above}/{below}", PRODUCT

    def based(self, e: Expression) -> str:
        return self.printed(e)[0] if isinstance(e, Symbol) else self.show(e, ATOM)

    def derivative_of(self, of: str, wrt: str) -> str:
        return f"∂{of}/∂{wrt}"


_LATEX, _TEXT = _LatexPrinter(), _TextPrinter()
