"""Expressions of matrix calculus: one small set of frozen nodes, for LaTeX, for Python and for derivatives.

A node records what was written, not what it means: the shapes decide whether `A B` is a matrix product or a scaling,
when the expression is evaluated (`values/evaluate.py`) or converted to index form (`index_form/to_index_form.py`).
Every value is a matrix; a column vector is [n,1] and a scalar [1,1].

`span` is the place of a node in its source, from 0, end exclusive; comparisons ignore it.

To add a node, write its class here and one entry in each of these tables:

    expression.py                  `_CHILDREN`   the fields that are expressions
    syntax/latex_commands.py       `COMMANDS`    how LaTeX writes it (a sign that is no command: `latex_parser.py`)
    syntax/scripts.py              `superscript`, `subscript`   if it is written as a script, as A^{-1} is
    syntax/python.py               `_NODES`      how Python writes it, by the node of Python's `ast` (a function of
                                                 NumPy or PyTorch: `CALLS` of `code_signs.py`)
    shapes/rules.py                `_NODES`      its shape, from the shapes of its parts
    values/evaluate.py             `_NODES`      its value, from the values of its parts
    index_form/to_index_form.py    `_NODES`      its entries as sums of products; the derivative follows from them
    printing/printer.py            `_METHODS`    the method that prints it, in each of `render.py`, `python.py` and
                                                 `mathml.py`

A node with an index also needs `shift_time` here and `free_times` in notes/model/page_model.py; a node in which the
checker should search for repairs, an entry in notes/repair/search.py. Shapes and values refuse a node without an entry
with an error that shows its place. To add a function that takes an expression, see `functions.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import chain
from operator import attrgetter
from typing import Any, TypeVar

E = TypeVar("E", bound="Expression")


@dataclass(frozen=True, slots=True)
class Index:
    """A time step or an index: a variable plus an offset (`t-1`), or a number (`variable` is None)."""

    variable: str | None
    offset: int = 0

    def __str__(self) -> str:
        if self.variable is None:
            return str(self.offset)
        return self.variable + (f"{self.offset:+d}" if self.offset else "")

    def at(self, values: Mapping[str, int]) -> int:
        """The index as a number, from the values of variables; `KeyError` names a missing one."""
        return self.offset if self.variable is None else values[self.variable] + self.offset


class _Walked:
    """What a node keeps once it has been walked through: all nodes in it, outer nodes first."""

    __slots__ = ("_inner",)
    _inner: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Expression(_Walked):
    """The base of all nodes."""

    span: tuple[int, int] = field(default=(0, 0), compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Number(Expression):
    """A number, exact."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class Symbol(Expression):
    """A named quantity, with its time step if it has one: W_h, h^(t-1).

    `name` is canonical (`delta_1`, `y_hat`, `W_h`). `latex` is the name as it was written, and `below` whether the time
    was a subscript (h_t); only the printers use these two. `structure` is "symmetric" or "diagonal" for a matrix that
    is given as one.
    """

    name: str
    time: Index | None = None
    latex: str = field(default="", compare=False)
    below: bool = field(default=False, compare=False)
    structure: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Ones(Expression):
    """The column vector of ones, of dimension `dim` (a name or a number); None: the dimension that fits."""

    dim: str | None = None


@dataclass(frozen=True, slots=True)
class Identity(Expression):
    """The identity matrix of dimension `dim`; None: the dimension that fits."""

    dim: str | None = None


@dataclass(frozen=True, slots=True)
class Entry(Expression):
    """Entries by index: y_jb. A single index of a matrix gives a row, and of a column an entry.

    `column`: the single index gives a column, as u_k does on a page with columns u_1 … u_K.
    """

    of: Expression
    indices: tuple[Index, ...]
    column: bool = False


@dataclass(frozen=True, slots=True)
class Iverson(Expression):
    """[j = k]: 1 where two indices are in the relation `operator` (=, ≠, <, ≤, >, ≥), else 0."""

    left: Index
    right: Index
    operator: str = "="


@dataclass(frozen=True, slots=True)
class Comparison(Expression):
    """[x > 0]: 1 where two values are in the relation `operator` (=, ≠, <, ≤, >, ≥), else 0, entry by entry."""

    left: Expression
    right: Expression
    operator: str


@dataclass(frozen=True, slots=True)
class Constant(Expression):
    """A number with a name: "e" is Euler's number, "pi" is π."""

    name: str


@dataclass(frozen=True, slots=True)
class Matrix(Expression):
    """A matrix written by its entries, row by row."""

    rows: tuple[tuple[Expression, ...], ...]


@dataclass(frozen=True, slots=True)
class Pattern(Expression):
    """A matrix whose cells one formula gives: cell (i, j) is `body` at `row` = i and `column` = j. Without a name for
    its row, it is a single row; without one for its column, a single column. `last_of(row)` is the number of the last
    row in `body`.
    """

    body: Expression
    row: str
    column: str

    @property
    def bound(self) -> set[str]:
        """The indices that have a value in the cells alone."""
        return {name for index in (self.row, self.column) if index for name in (index, last_of(index))}

    @property
    def has_slips(self) -> bool:
        """Whether a few cells lack a part of the formula of the others, the last value of `body`."""
        ends = {Index(self.row), Index(self.column)}
        return any(isinstance(node, Iverson) and {node.left, node.right} != ends for node in walk(self.body))

    @property
    def is_square(self) -> bool:
        """Whether both indices run over the same, since the cells on the diagonal are others."""
        ends = {Index(self.row), Index(self.column)}
        return any(isinstance(node, Iverson) and {node.left, node.right} == ends for node in walk(self.body))


def last_of(index: str) -> str:
    """The name of the last value of an index of a matrix that is written out with dots."""
    return f"{index}_last"


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
    """A product as written. `operator` is "" (juxtaposition), the matrix product or a scaling; "·", the same, and of
    two columns their dot product; "@", the same as in Python, where a column may stand for a row (x @ A is x^T A);
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
class Apply(Expression):
    """A function that is not in `functions.py`, of some arguments: φ(z), l(o, y). `primes` counts derivatives of it."""

    name: str
    arguments: tuple[Expression, ...]
    primes: int = 0
    latex: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Cases(Expression):
    """The first of `values` whose condition holds. A condition is an `Iverson`, a `Comparison`, a product of these, or
    the number 1 for "otherwise"; there are as many `conditions` as `values`.
    """

    values: tuple[Expression, ...]
    conditions: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class BigSum(Expression):
    """Σ over `index` from `lower` to `upper`; both None: over the whole dimension of that index."""

    index: str
    body: Expression
    lower: Index | None = None
    upper: Index | None = None


@dataclass(frozen=True, slots=True)
class BigProduct(Expression):
    """∏ over `index`, with bounds as those of `BigSum`."""

    index: str
    body: Expression
    lower: Index | None = None
    upper: Index | None = None


@dataclass(frozen=True, slots=True)
class Derivative(Expression):
    """∂of/∂wrt. `at` is the time step of the bar |_(i): only the contribution of this step's own use of `wrt`."""

    of: Expression
    wrt: Expression
    at: Index | None = None


@dataclass(frozen=True, slots=True)
class Dots(Expression):
    """An ellipsis: something is left out."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A chain A = B = C: `parts` and, between them, `operators` ("=", ":=", "<", "←", "∈", …).

    `regions` are the places of the parts in the source, each from the sign before it to the sign behind it.
    `conditions` are what the relation is restricted to, as written behind it: i = j, k ≠ i, x > 0; `Dots` for one that
    cannot be read. `continues`: the formula begins with a sign and goes on with the one above; `parts[0]` is `Dots`.
    """

    parts: tuple[Expression, ...]
    operators: tuple[str, ...]
    regions: tuple[tuple[int, int], ...] = field(default=(), compare=False)
    conditions: tuple[Expression, ...] = ()
    continues: bool = False


_CHILDREN: dict[type, tuple[str, ...]] = {
    Entry: ("of",), Negative: ("of",), Transpose: ("of",), Inverse: ("of",),
    Add: ("left", "right"), Subtract: ("left", "right"), Product: ("left", "right"),
    Power: ("of", "exponent"), BigSum: ("body",), BigProduct: ("body",), Pattern: ("body",),
    Derivative: ("of", "wrt"),
    Comparison: ("left", "right"),
}  # fmt: skip


def children(e: Expression) -> tuple[Expression, ...]:
    """The expressions directly in `e`, in the order of writing."""
    find = _FIND_CHILDREN.get(type(e))
    return find(e) if find else ()


def _finder(names: tuple[str, ...]) -> Callable[[Any], tuple[Expression, ...]]:
    """The function that gives some fields of a node as a tuple."""
    get: Callable[[Any], Any] = attrgetter(*names)
    return get if len(names) > 1 else lambda e: (get(e),)


# A table of functions, since a good part of the time of reading and judging a page is spent in walking through nodes.
_FIND_CHILDREN: dict[type, Callable[[Any], tuple[Expression, ...]]] = {
    **{node: _finder(names) for node, names in _CHILDREN.items()},
    Call: attrgetter("arguments"),
    Apply: attrgetter("arguments"),
    Cases: lambda e: (*e.values, *e.conditions),
    Matrix: lambda e: tuple([entry for row in e.rows for entry in row]),
}


def with_children(e: E, new: tuple[Expression, ...]) -> E:
    """`e` with other children, as many as `children(e)` gives."""
    if isinstance(e, Call | Apply):
        return replace(e, arguments=new)
    if isinstance(e, Cases):
        half = len(e.values)
        return replace(e, values=new[:half], conditions=new[half:])
    if isinstance(e, Matrix):
        entries = iter(new)
        return replace(e, rows=tuple(tuple(next(entries) for _ in row) for row in e.rows))
    changes: dict[str, Any] = dict(zip(_CHILDREN.get(type(e), ()), new, strict=True))
    return replace(e, **changes)


def walk(e: Expression) -> Iterator[Expression]:
    """`e` and all nodes in it, outer nodes first."""
    try:
        inner = e._inner
    except AttributeError:  # a formula of a page is walked through hundreds of times
        inner = _nodes_in(e)
        object.__setattr__(e, "_inner", inner)
    return chain((e,), inner)


def _nodes_in(e: Expression) -> tuple[Expression, ...]:
    found, stack = list[Expression](), list(children(e)[::-1])
    while stack:
        node = stack.pop()
        found.append(node)
        find = _FIND_CHILDREN.get(type(node))  # `children`, without a call for the many nodes that have none
        if find:
            stack.extend(find(node)[::-1])
    return tuple(found)


def paths_to_symbols(e: Expression) -> Iterator[list[Expression]]:
    """For each symbol in `e`, the nodes from `e` down to it, itself the last."""
    if isinstance(e, Symbol):
        yield [e]
    for child in children(e):
        for path in paths_to_symbols(child):
            yield [e, *path]


def has_derivative(*expressions: Expression) -> bool:
    """Whether there is a derivative in some expressions."""
    return any(isinstance(node, Derivative) for e in expressions for node in walk(e))


def transform(e: Expression, change: Callable[[Expression], Expression]) -> Expression:
    """`change` applied to every node, inner nodes first."""
    old = children(e)
    new = tuple(transform(child, change) for child in old)
    return change(with_children(e, new) if any(a is not b for a, b in zip(old, new, strict=True)) else e)


def symbols(e: Expression) -> set[Symbol]:
    """The symbols in `e`, each with its time."""
    return {node for node in walk(e) if isinstance(node, Symbol)}


def index_variables(e: Expression) -> set[str]:
    """The variables of all indices, time steps and bounds in `e`."""
    found: set[Index | None] = set()
    for node in walk(e):
        if isinstance(node, Entry):
            found.update(node.indices)
        elif isinstance(node, Symbol):
            found.add(node.time)
        elif isinstance(node, Derivative):
            found.add(node.at)
        elif isinstance(node, Iverson):
            found |= {node.left, node.right}
        elif isinstance(node, BigSum | BigProduct):
            found |= {node.lower, node.upper}
    return {index.variable for index in found if index is not None and index.variable is not None}


def base_of(e: Expression) -> Expression:
    """What an entry is of: x of x_ij; any other expression itself."""
    return e.of if isinstance(e, Entry) else e


def shift_time(e: Expression, variable: str, to: Index) -> Expression:
    """`e` with the variable of time steps or indices `variable` replaced by `to`, offsets added: h^(t-1) with t → i+1
    is h^(i), and z_k with k → j is z_j.
    """

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
        if isinstance(node, Iverson):
            return replace(node, left=moved(node.left) or node.left, right=moved(node.right) or node.right)
        if isinstance(node, BigSum | BigProduct):
            return replace(node, lower=moved(node.lower), upper=moved(node.upper))
        return node

    return transform(e, change)


MATRIX_PRODUCTS = ("", "·", "@")
"""The operators of a matrix product."""


def factors_of(e: Expression, operators: tuple[str, ...] = MATRIX_PRODUCTS) -> list[Expression]:
    """The factors of a product, from left to right, however they are grouped; `e` alone if it is no product of these
    operators.
    """
    if isinstance(e, Product) and e.operator in operators:
        return [*factors_of(e.left, operators), *factors_of(e.right, operators)]
    return [e]


def leaves_entries_open(e: Expression) -> bool:
    """Whether all that `e` is made of are numbers and entries with one index, as in y_j ln ŷ_j: of matrices, such
    factors are rows, which are multiplied entry by entry.
    """
    if isinstance(e, Entry):
        return len(e.indices) == 1
    below = children(e)
    return isinstance(e, Number | Iverson) or (bool(below) and all(leaves_entries_open(child) for child in below))
