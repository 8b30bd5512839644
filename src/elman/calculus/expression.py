"""Expressions of matrix calculus: one small set of frozen nodes, for LaTeX, for Python and for derivatives.

A node says what was written, not what it comes to: whether `A B` is a matrix product or a scaling is decided by the
shapes, where it is evaluated (`evaluate.py`) or brought to index form (`index.py`). Every value is a matrix; a column
vector is [n,1] and a scalar [1,1].

`span` is where a node stood in its source, from 0, end exclusive; it takes no part in comparisons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, TypeVar

E = TypeVar("E", bound="Expression")


@dataclass(frozen=True, slots=True)
class Index:
    """A time step or an index: a variable plus an offset (`t-1`), or a plain number (`variable` None)."""

    variable: str | None
    offset: int = 0

    def __str__(self) -> str:
        if self.variable is None:
            return str(self.offset)
        return self.variable + (f"{self.offset:+d}" if self.offset else "")

    def at(self, values: dict[str, int]) -> int:
        """Its number, where `values` gives the variables; `KeyError` names one that is missing."""
        return self.offset if self.variable is None else values[self.variable] + self.offset


@dataclass(frozen=True, slots=True)
class Expression:
    """The base of all nodes."""

    span: tuple[int, int] = field(default=(0, 0), compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Number(Expression):
    """A number, exact."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class Symbol(Expression):
    """A named quantity, at a time step where it has one: W_h, h^(t-1).

    `name` is canonical (`delta_1`, `y_hat`, `W_h`), whatever was written; `latex` is how the name was written, and
    `below` says that the time stood below (h_t), which only the printers look at.
    """

    name: str
    time: Index | None = None
    latex: str = field(default="", compare=False)
    below: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Ones(Expression):
    """The column vector of ones, of dimension `dim` (a name, a number) or of the one that fits (None)."""

    dim: str | None = None


@dataclass(frozen=True, slots=True)
class Identity(Expression):
    """The identity matrix of dimension `dim`, or of the one that fits (None)."""

    dim: str | None = None


@dataclass(frozen=True, slots=True)
class Entry(Expression):
    """Entries by index: y_jb; one index of a matrix is a row, of a column an entry.

    `column`: the one index is that of a column; so stands u_k where a page has columns u_1 … u_K.
    """

    of: Expression
    indices: tuple[Index, ...]
    column: bool = False


@dataclass(frozen=True, slots=True)
class Iverson(Expression):
    """[j = k]: 1 where the indices agree, else 0."""

    left: Index
    right: Index


@dataclass(frozen=True, slots=True)
class Negative(Expression):
    """-A."""

    of: Expression


@dataclass(frozen=True, slots=True)
class Add(Expression):
    """A + B; a scalar, or a bias of one column or one row, is added to all."""

    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Subtract(Expression):
    """A - B, broadcast like `Add`."""

    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Product(Expression):
    """A product as written: `operator` is "" (juxtaposition) or "·", both the matrix product or a scaling;
    "∘" Hadamard; "⊗" outer; "/" division, by a scalar or entry by entry.
    """

    left: Expression
    right: Expression
    operator: str = ""


@dataclass(frozen=True, slots=True)
class Transpose(Expression):
    """A^T."""

    of: Expression


@dataclass(frozen=True, slots=True)
class Inverse(Expression):
    """A^-1, of a square matrix."""

    of: Expression


@dataclass(frozen=True, slots=True)
class Power(Expression):
    """A to a scalar power: of a scalar, entry by entry (`elementwise`), or of a square matrix by a whole number."""

    of: Expression
    exponent: Expression
    elementwise: bool = False


@dataclass(frozen=True, slots=True)
class Call(Expression):
    """A function of `functions.py`: σ, exp, softmax, tr, …; `primes` derivatives of it; `axis` 0 (down each column) or
    1 (along each row) where one was stated.

    `operand` is "vector" or "matrix" for a diag whose argument is known to be one, else "".
    """

    function: str
    arguments: tuple[Expression, ...]
    primes: int = 0
    axis: int | None = None
    latex: str = field(default="", compare=False)
    operand: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class BigSum(Expression):
    """Σ over `index` from `lower` to `upper`; both None: over the whole dimension that the index runs along."""

    index: str
    body: Expression
    lower: Index | None = None
    upper: Index | None = None


@dataclass(frozen=True, slots=True)
class Derivative(Expression):
    """∂of/∂wrt; `at` is the time step of the bar |_(i): the part that this step's own use of `wrt` contributes."""

    of: Expression
    wrt: Expression
    at: Index | None = None


@dataclass(frozen=True, slots=True)
class Dots(Expression):
    """An ellipsis: what stands there is left to the reader."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A chain A = B = C: `parts` and, between them, `operators` ("=", ":=", "<", "←", "∈", …).

    `regions` is where each part stands in the source, from the sign before it to the sign behind it, spaces left out.
    """

    parts: tuple[Expression, ...]
    operators: tuple[str, ...]
    regions: tuple[tuple[int, int], ...] = field(default=(), compare=False)


_CHILDREN: dict[type, tuple[str, ...]] = {
    Entry: ("of",), Negative: ("of",), Transpose: ("of",), Inverse: ("of",),
    Add: ("left", "right"), Subtract: ("left", "right"), Product: ("left", "right"),
    Power: ("of", "exponent"), BigSum: ("body",), Derivative: ("of", "wrt"),
}  # fmt: skip


def children(e: Expression) -> tuple[Expression, ...]:
    """The expressions directly in `e`, in the order of writing."""
    if isinstance(e, Call):
        return e.arguments
    return tuple(getattr(e, name) for name in _CHILDREN.get(type(e), ()))


def with_children(e: E, new: tuple[Expression, ...]) -> E:
    """`e` with other children, as many as `children(e)` gives."""
    if isinstance(e, Call):
        return replace(e, arguments=new)
    changes: dict[str, Any] = dict(zip(_CHILDREN.get(type(e), ()), new, strict=True))
    return replace(e, **changes)


def walk(e: Expression) -> Iterator[Expression]:
    """`e` and everything in it, outside first."""
    stack = [e]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(children(node)))


def transform(e: Expression, change: Callable[[Expression], Expression]) -> Expression:
    """`change` applied to every node, inside first."""
    old = children(e)
    new = tuple(transform(child, change) for child in old)
    return change(with_children(e, new) if any(a is not b for a, b in zip(old, new, strict=True)) else e)


def symbols(e: Expression) -> set[Symbol]:
    """The symbols in `e`, each with its time."""
    return {node for node in walk(e) if isinstance(node, Symbol)}


def shift_time(e: Expression, variable: str, to: Index) -> Expression:
    """`e` with the time variable `variable` replaced by `to`, offsets added: h^(t-1) with t → i+1 is h^(i)."""

    def moved(index: Index | None) -> Index | None:
        if index is None or index.variable != variable:
            return index
        return Index(to.variable, to.offset + index.offset)

    def change(node: Expression) -> Expression:
        if isinstance(node, Symbol) and node.time is not None:
            return replace(node, time=moved(node.time))
        if isinstance(node, Derivative) and node.at is not None:
            return replace(node, at=moved(node.at))
        if isinstance(node, Entry):
            return replace(node, indices=tuple(moved(i) or i for i in node.indices))
        if isinstance(node, BigSum):
            return replace(node, lower=moved(node.lower), upper=moved(node.upper))
        return node

    return transform(e, change)


def factors_of(e: Expression) -> list[Expression]:
    """The factors of a matrix product, from left to right, however they are grouped; `e` alone where it is none."""
    if isinstance(e, Product) and e.operator in ("", "·"):
        return [*factors_of(e.left), *factors_of(e.right)]
    return [e]
