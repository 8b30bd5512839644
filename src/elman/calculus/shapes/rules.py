"""How the shape of a node follows from the shapes of its parts: a rule for each node and for each function.

Dimensions are names; those that must be equal are joined (union-find).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

from elman.calculus.expression import (
    Add,
    BigSum,
    Call,
    Constant,
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
    Subtract,
    Symbol,
    Transpose,
    walk,
)
from elman.calculus.functions import ELEMENTWISE
from elman.calculus.syntax.written_sizes import size_of
from elman.errors import FormulaError

Shape = tuple[str, str]
SCALAR: Shape = ("1", "1")


class Inference:
    """One attempt to give every node a shape, under one assumption on the kinds of the undeclared symbols.

    `fixed` are the declared shapes, `kinds` the assumed kinds: scalar, column, matrix. `strict` refuses a softmax, a
    sum or a diag of a scalar, which is allowed where nothing else fits. The results are `shapes` by name, `nodes` by
    id, `powers`, the ids of powers of square matrices, and `sums`, the dimension of each sum by id.
    """

    def __init__(self, fixed: Mapping[str, Shape], kinds: Mapping[str, str], strict: bool) -> None:
        self.parent: dict[str, str] = {}
        self.strict = strict
        self.counter = itertools.count()
        self.shapes: dict[str, Shape] = dict(fixed)
        for name, kind in kinds.items():
            row = "1" if kind == "scalar" else self.fresh()
            self.shapes[name] = (row, self.fresh() if kind == "matrix" else "1")
        self.nodes: dict[int, Shape] = {}
        self.powers: set[int] = set()
        self.sums: dict[int, str] = {}
        self.indices: dict[str, str] = {}

    def fresh(self) -> str:
        """A dimension without a name."""
        return f"?{next(self.counter)}"

    def find(self, d: str) -> str:
        """The representative of all dimensions that equal `d`."""
        while d in self.parent:
            d = self.parent[d]
        return d

    def unify(self, a: str, b: str) -> bool:
        """Makes two dimensions equal, if possible; whether they are equal now."""
        a, b = self.find(a), self.find(b)
        if a == b:
            return True
        if a.startswith("?") and b != "1":
            self.parent[a] = b
            return True
        if b.startswith("?") and a != "1":
            self.parent[b] = a
            return True
        return False

    def shown(self, s: Shape) -> str:
        """A shape as far as it is known: [m,·]."""
        return "[" + ",".join("·" if d.startswith("?") else d for d in map(self.find, s)) + "]"

    def misfit(self, e: Expression, a: Shape, what: str, b: Shape, hint: str) -> FormulaError:
        """The error for two shapes that do not fit."""
        return FormulaError(f"{self.shown(a)} {what} {self.shown(b)} does not fit: {hint}", e.span[0] + 1)

    def is_scalar(self, s: Shape) -> bool:
        """Whether a shape is [1,1]."""
        return self.find(s[0]) == self.find(s[1]) == "1"

    def visit(self, e: Expression) -> Shape:
        """The shape of a node, from those of its parts."""
        rule = _NODES.get(type(e))
        if rule is None:
            what = "an ellipsis" if isinstance(e, Dots) else "a derivative" if isinstance(e, Derivative) else "this"
            raise FormulaError(f"{what} cannot stand in what is differentiated", e.span[0] + 1)
        shape: Shape = rule(self, e)
        self.nodes[id(e)] = shape
        return shape

    def symbol(self, e: Symbol) -> Shape:
        """A symbol."""
        return self.shapes[e.name]

    def unify_shapes(self, a: Shape, b: Shape) -> bool:
        """Makes two shapes equal, if possible; whether they are equal now."""
        return self.unify(a[0], b[0]) and self.unify(a[1], b[1])

    def sum(self, e: Add | Subtract) -> Shape:
        """A sum; a scalar, one column or one row is added to all."""
        a, b = self.visit(e.left), self.visit(e.right)
        if self.is_scalar(a) or self.is_scalar(b):
            return a if self.is_scalar(b) else b
        result = []
        for x, y in zip(a, b, strict=True):
            x, y = self.find(x), self.find(y)
            if x != "1" and y != "1" and not self.unify(x, y):
                raise self.misfit(e, a, "plus", b, "a sum needs equal shapes, a column, a row or a scalar")
            result.append(y if x == "1" else x)
        if [self.find(d) for d in result] not in ([self.find(d) for d in a], [self.find(d) for d in b]):
            raise self.misfit(e, a, "plus", b, "a row and a column do not add")
        return result[0], result[1]

    def product(self, e: Product) -> Shape:
        """A product, by its operator."""
        a, b = self.visit(e.left), self.visit(e.right)
        one_is_scalar = self.is_scalar(a) or self.is_scalar(b)
        larger = b if self.is_scalar(a) else a
        if e.operator in ("", "·"):
            if one_is_scalar:
                return larger
            if not self.unify(a[1], b[0]):
                raise self.misfit(e, a, "times", b, "the inner dimensions differ")
            return a[0], b[1]
        if e.operator == "⊗":
            if self.find(a[1]) == "1" and self.find(b[1]) == "1":
                return a[0], b[0]
            if one_is_scalar:
                return larger
            raise self.misfit(e, a, "⊗", b, "an outer product takes two column vectors")
        if one_is_scalar or self.unify_shapes(a, b):
            return larger
        hint = "divide by a scalar, or entry by entry" if e.operator == "/" else "equal shapes are needed"
        raise self.misfit(e, a, "over" if e.operator == "/" else "∘", b, hint)

    def power(self, e: Power) -> Shape:
        """A power: of a square matrix, else entry by entry."""
        a, n = self.visit(e.of), self.visit(e.exponent)
        if not self.is_scalar(n):
            raise FormulaError(f"an exponent must be a scalar, not {self.shown(n)}", e.span[0] + 1)
        if e.elementwise or "1" in (self.find(a[0]), self.find(a[1])):
            return a
        if self.unify(a[0], a[1]):
            if not isinstance(e.exponent, Number) or e.exponent.value.denominator != 1:
                raise FormulaError("a matrix takes a whole number as its power", e.span[0] + 1)
            self.powers.add(id(e))
        return a

    def square(self, a: Shape, e: Expression, what: str) -> None:
        """Makes a shape square."""
        if not self.unify(a[0], a[1]):
            raise FormulaError(f"{what} needs a square matrix, not {self.shown(a)}", e.span[0] + 1)

    def inverse(self, e: Inverse) -> Shape:
        """An inverse."""
        a = self.visit(e.of)
        self.square(a, e, "an inverse")
        return a

    def call(self, e: Call) -> Shape:
        """A function."""
        shapes = [self.visit(argument) for argument in e.arguments]
        if e.function in ELEMENTWISE:
            return shapes[0]
        if self.strict and self.is_scalar(shapes[0]) and e.function in _OF_NO_SCALAR:
            raise FormulaError(f"{e.function} of a scalar", e.span[0] + 1)
        return _FUNCTIONS[e.function](self, e, *shapes)

    def entrywise(self, e: Call, *shapes: Shape) -> Shape:
        """A function of several arguments, entry by entry: of equal shapes, a scalar fits to all."""
        result = shapes[0]
        for shape in shapes[1:]:
            if self.is_scalar(result):
                result = shape
            elif not self.is_scalar(shape) and not self.unify_shapes(result, shape):
                shown = f"{self.shown(result)} and {self.shown(shape)}"
                raise FormulaError(f"{e.function} takes arguments of equal shapes, not {shown}", e.span[0] + 1)
        return result

    def same_shape(self, e: Call, a: Shape) -> Shape:
        """softmax."""
        return a

    def cross_entropy(self, e: Call, a: Shape, b: Shape) -> Shape:
        """A cross-entropy of two equal shapes, a scalar."""
        if not (self.unify_shapes(a, b) or self.is_scalar(b)):
            raise self.misfit(e, a, "∘", b, "a cross-entropy needs equal shapes")
        return SCALAR

    def of_square(self, e: Call, a: Shape) -> Shape:
        """A trace or a determinant of a square matrix, a scalar."""
        self.square(a, e, "a trace" if e.function == "trace" else "a determinant")
        return SCALAR

    def diagonal(self, e: Call, a: Shape) -> Shape:
        """The diagonal matrix of a column or a row; the diagonal of a square matrix as a column."""
        if self.find(a[1]) == "1":
            return a[0], a[0]
        if self.find(a[0]) == "1":
            return a[1], a[1]
        self.square(a, e, "diag")
        return a[0], "1"

    def reduction(self, e: Call, a: Shape) -> Shape:
        """A norm, a sum or a mean: of everything, down each column (axis 0) or along each row (axis 1)."""
        if e.axis is None:
            return SCALAR
        return ("1", a[1]) if e.axis == 0 else (a[0], "1")

    def entry(self, e: Entry) -> Shape:
        """An entry, or a row."""
        a = self.visit(e.of)
        places = [1] if len(e.indices) == 1 and self.find(a[0]) == "1" else [0, 1][: len(e.indices)]
        if len(e.indices) > 2:
            raise FormulaError("a matrix has two indices", e.span[0] + 1)
        for place, index in zip(places, e.indices, strict=True):
            if not self.unify(a[place], self.index(index, e)):
                raise FormulaError(f"the index {index} does not run along {self.shown(a)}", e.span[0] + 1)
        return SCALAR if len(places) == 2 or "1" in map(self.find, a) else ("1", a[1])

    def index(self, i: Index, e: Expression) -> str:
        """The dimension that a bound index runs along."""
        if i.variable is None or i.offset or i.variable not in self.indices:
            raise FormulaError(f"the index {i} is bound by no sum", e.span[0] + 1)
        return self.indices[i.variable]

    def iverson(self, e: Iverson) -> Shape:
        """[j = k]."""
        if not self.unify(self.index(e.left, e), self.index(e.right, e)):
            raise FormulaError("these indices run over different dimensions", e.span[0] + 1)
        return SCALAR

    def big_sum(self, e: BigSum) -> Shape:
        """A sum over an index."""
        used = {i.variable for node in walk(e.body) if isinstance(node, Entry) for i in node.indices}
        if e.index not in used or (e.lower is not None and e.lower != Index(None, 1)):
            raise FormulaError("this sum runs over no index of an entry: write its terms", e.span[0] + 1)
        if e.index in self.indices:
            raise FormulaError(f"the index {e.index} is bound by a sum around this one", e.span[0] + 1)
        before = self.indices
        size = self.fresh()
        if e.upper is not None:
            if e.upper.offset and (e.upper.variable is not None or e.upper.offset < 0):
                raise FormulaError(f"this sum ends at {e.upper} where a size is expected: write n or 5", e.span[0] + 1)
            size = size_of(str(e.upper), e.span[0] + 1)
        self.indices = {**before, e.index: size}
        self.sums[id(e)] = size
        shape = self.visit(e.body)
        self.indices = before
        return shape


# A node → the rule for its shape.
_NODES: dict[type[Expression], Callable[..., Shape]] = {
    Number: lambda self, e: SCALAR,
    Constant: lambda self, e: SCALAR,
    Symbol: Inference.symbol,
    Ones: lambda self, e: (e.dim, "1"),
    Identity: lambda self, e: (e.dim, e.dim),
    Entry: Inference.entry,
    Iverson: Inference.iverson,
    Negative: lambda self, e: self.visit(e.of),
    Add: Inference.sum,
    Subtract: Inference.sum,
    Product: Inference.product,
    Transpose: lambda self, e: self.visit(e.of)[::-1],
    Inverse: Inference.inverse,
    Power: Inference.power,
    Call: Inference.call,
    BigSum: Inference.big_sum,
}

# A function of whole matrices (`functions.WHOLE`) → the rule for its shape.
_FUNCTIONS: dict[str, Callable[..., Shape]] = {
    "softmax": Inference.same_shape,
    "cross_entropy": Inference.cross_entropy,
    "trace": Inference.of_square,
    "det": Inference.of_square,
    "diag": Inference.diagonal,
    "norm": Inference.reduction,
    "norm1": Inference.reduction,
    "sum": Inference.reduction,
    "mean": Inference.reduction,
    "max": Inference.entrywise,
    "min": Inference.entrywise,
    "clip": Inference.entrywise,
}
_OF_NO_SCALAR = {"softmax", "sum", "mean", "cross_entropy", "diag"}
