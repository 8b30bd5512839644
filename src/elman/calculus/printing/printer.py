"""What all printers share: one method a node, and parentheses where a node binds looser than its place demands.

A method returns what it printed and how tightly that binds. For example, a sum binds looser than a factor of a product
demands, so A (B + C) has parentheses, and `show` adds them.

To add a node: its method here, and the same method in `render.py`, `mathml.py` and `python.py`; a printer that lacks it
cannot be created.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import IntEnum

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
    Inverse,
    Iverson,
    Matrix,
    Negative,
    Number,
    Ones,
    Pattern,
    Power,
    Product,
    Subtract,
    Symbol,
    Transpose,
)

Printed = tuple[str, int]

# The names of functions that are not printed as they are called in `functions.py`.
FUNCTION_NAMES = {"sigmoid": "σ", "trace": "tr", "cross_entropy": "CE"}

# What is written below the bars of a norm; of "normp", the exponent.
NORMS = {"norm": "", "norm1": "1", "norm2": "2", "norminf": "∞", "normp": "p", "nuclear": "*"}


class Precedence(IntEnum):
    """How tightly a node binds in a formula, from the loosest to the tightest: a + b, a ∘ b, A B, A^T, a."""

    SUM = 1
    HADAMARD = 2
    PRODUCT = 3
    SCRIPT = 4
    ATOM = 5


def is_matrix_product(e: Expression) -> bool:
    """Whether `e` is a product that reads better in parentheses beside ∘, though it needs none: (δ U) ∘ h."""
    return isinstance(e, Product) and e.operator in ("", "·", "@") and not isinstance(e.left, Number)


def is_otherwise(condition: Expression) -> bool:
    """Whether the condition of a case always holds."""
    return isinstance(condition, Number) and condition.value == 1


class Printer(ABC):
    """Prints expressions, a method a node."""

    def show(self, e: Expression, least: int = Precedence.SUM) -> str:
        """`e`, in parentheses where it binds looser than `least`."""
        shown, precedence = self.printed(e)
        return shown if precedence >= least else self.parenthesised(shown)

    def printed(self, e: Expression) -> Printed:
        """`e` without parentheses, and how tightly it binds."""
        result: Printed = getattr(self, _METHODS[type(e)])(e)
        return result

    def parenthesised(self, shown: str) -> str:
        """What is printed, in parentheses."""
        return f"({shown})"

    @abstractmethod
    def number(self, e: Number) -> Printed:
        """2, 1/2."""

    @abstractmethod
    def symbol(self, e: Symbol) -> Printed:
        """W_h, h^(t-1)."""

    @abstractmethod
    def ones(self, e: Ones) -> Printed:
        """The column of ones."""

    @abstractmethod
    def identity(self, e: Identity) -> Printed:
        """I."""

    @abstractmethod
    def entry(self, e: Entry) -> Printed:
        """y_jb."""

    @abstractmethod
    def iverson(self, e: Iverson) -> Printed:
        """[j = k]."""

    @abstractmethod
    def comparison(self, e: Comparison) -> Printed:
        """[x > 0]."""

    @abstractmethod
    def constant(self, e: Constant) -> Printed:
        """e, π."""

    @abstractmethod
    def matrix(self, e: Matrix) -> Printed:
        """The entries, row by row."""

    @abstractmethod
    def pattern(self, e: Pattern) -> Printed:
        """The formula of all cells, with its indices."""

    @abstractmethod
    def negative(self, e: Negative) -> Printed:
        """-A."""

    @abstractmethod
    def add(self, e: Add) -> Printed:
        """A + B."""

    @abstractmethod
    def subtract(self, e: Subtract) -> Printed:
        """A - B."""

    @abstractmethod
    def product(self, e: Product) -> Printed:
        """A B, a ∘ b, a ⊗ b, A / c."""

    @abstractmethod
    def transpose(self, e: Transpose) -> Printed:
        """A^T."""

    @abstractmethod
    def inverse(self, e: Inverse) -> Printed:
        """A^-1."""

    @abstractmethod
    def power(self, e: Power) -> Printed:
        """A^2, a^{∘2}."""

    @abstractmethod
    def call(self, e: Call) -> Printed:
        """σ(z), ‖x‖."""

    @abstractmethod
    def apply(self, e: Apply) -> Printed:
        """φ(z), l(o, y)."""

    @abstractmethod
    def cases(self, e: Cases) -> Printed:
        """x if x > 0, 0 otherwise."""

    @abstractmethod
    def big_sum(self, e: BigSum) -> Printed:
        """Σ_i x_i."""

    @abstractmethod
    def big_product(self, e: BigProduct) -> Printed:
        """∏_i x_i."""

    @abstractmethod
    def derivative(self, e: Derivative) -> Printed:
        """∂J/∂W."""

    @abstractmethod
    def dots(self, e: Dots) -> Printed:
        """…."""


_METHODS: dict[type[Expression], str] = {
    Number: "number",
    Symbol: "symbol",
    Ones: "ones",
    Identity: "identity",
    Entry: "entry",
    Iverson: "iverson",
    Comparison: "comparison",
    Constant: "constant",
    Matrix: "matrix",
    Pattern: "pattern",
    Negative: "negative",
    Add: "add",
    Subtract: "subtract",
    Product: "product",
    Transpose: "transpose",
    Inverse: "inverse",
    Power: "power",
    Call: "call",
    Apply: "apply",
    Cases: "cases",
    BigSum: "big_sum",
    BigProduct: "big_product",
    Derivative: "derivative",
    Dots: "dots",
}
