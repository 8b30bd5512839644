"""How the shape of a node follows from the shapes of its parts: a rule for each node and for each function.

A rule joins the sizes that must be equal. It raises `ConflictError` where shapes do not fit, and adds a cost where they
fit but are seldom meant: a column to the power 2, a number added to a column. The search (`search.py`) takes the
reading with the lowest cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

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
    Subtract,
    Symbol,
    Transpose,
    factors_of,
    last_of,
    leaves_entries_open,
    walk,
)
from elman.calculus.functions import ELEMENTWISE
from elman.calculus.shapes.kinds import usual_costs
from elman.calculus.shapes.search import Variable
from elman.calculus.shapes.unification import SCALAR, Shape, Sizes
from elman.calculus.syntax.written_sizes import size_of
from elman.errors import FormulaError

# What a reading costs that fits and is seldom meant.
_LITERAL_ADDED = 0.1  # 1 - y
_LETTER_ADDED = 1.5  # x - μ, a number subtracted from every entry
_LETTER_ADDED_TO_A_MATRIX = 2.2
_FORMULA_ADDED = 3.0  # w^T x + b with a column b
# A column or a row (the first) added to a matrix, which may be X W, weights behind data (the second).
_BIAS = {(False, False): 1.7, (False, True): 2.9, (True, False): 1.4, (True, True): 0.6}
_ALONG_A_MATRIX, _REDUCED_ALONG = 1.5, 0.2  # a column or a row, or a sum over an axis, by entries along a matrix
_POWER_OF_A_COLUMN = 2.2
_POWER_OF_A_MATRIX = 1.5  # X^k, X^(1/2)
_OVER_A_COLUMN = 1.2
_OVER_A_MATRIX = 4.0
_COLUMN_SCALED = 0.75  # a x, with a number a and a column x
_MATRIX_SCALED = 0.6  # a X
_NUMBER_BEHIND = 1.4  # X β, with a number β
_COLUMN_BEFORE_A_FUNCTION = 0.35  # y ln(w^T x), with a column y
_NUMBER_AT = 2.5  # a @ x
_OUTER_TIMES_A_COLUMN = 0.6  # k x^T y with a column k
_TRANSPOSE_OF_A_NUMBER = 2.0
_OF_A_NUMBER = 2.5  # the norm, the trace of a number
_SOFTMAX_OF_A_NUMBER = 6.0
_DENOMINATOR_LAYOUT = 0.5
_FOUR_INDICES = 0.5  # a derivative of a matrix, or of a column by a matrix


class ConflictError(FormulaError):
    """Shapes that do not fit; `among` are the expressions whose letters have to be read otherwise."""

    def __init__(self, reason: str, at: Expression, among: tuple[Expression, ...] = ()) -> None:
        super().__init__(reason, at.span[0] + 1)
        self.among = among or (at,)


class OpaqueError(Exception):
    """The shape of this does not follow from its parts: a chain of derivatives, an ellipsis."""


class Inference(Sizes):
    """One attempt to give every node a shape, under one choice of what can be chosen.

    `fixed` are the declared shapes; `choices` say what each undeclared letter is, and how each unknown function is
    applied. `section`: the formulas of a page, where indices are free, bounds name sizes and derivatives have shapes.
    The results are `shapes` by name, `nodes` by id, `powers`, the ids of powers of square matrices, `along`, how
    columns and rows stand beside matrices, by id, `sums`, the size of each sum by id, `cost`, and `doubtful`, the
    expressions that it comes from.
    """

    def __init__(self, fixed: Mapping[str, Shape], choices: Mapping[Variable, str], section: bool = False) -> None:
        super().__init__()
        self.section = section
        self.choices = choices
        self.shapes: dict[str, Shape] = dict(fixed)
        self.nodes: dict[int, Shape] = {}
        self.powers: set[int] = set()
        self.along: dict[int, str] = {}
        self.sums: dict[int, str] = {}
        self.bound: dict[str, str] = {}
        self.free: dict[str, str] = {}
        self.cost = 0.0
        self.doubtful: list[Expression] = []

    def visit(self, e: Expression) -> Shape:
        """The shape of a node, from those of its parts."""
        rule = _NODES.get(type(e))
        if rule is None or (isinstance(e, Derivative | Dots | Apply) and not self.section):
            raise FormulaError(_refusal(e), e.span[0] + 1)
        shape: Shape = rule(self, e)
        self.nodes[id(e)] = shape
        return shape

    def doubt(self, cost: float, *among: Expression) -> None:
        """Adds to the cost of the reading."""
        self.cost += cost
        self.doubtful.extend(among)

    def misfit(self, e: Product | Add | Subtract, a: Shape, what: str, b: Shape, hint: str) -> ConflictError:
        """The error for two shapes that do not fit."""
        return ConflictError(f"{self.shown(a)} {what} {self.shown(b)} does not fit: {hint}", e, (e.left, e.right))

    # --- letters ---

    def symbol(self, e: Symbol) -> Shape:
        """A symbol: declared, or of the kind that was chosen."""
        if e.name not in self.shapes:
            self.shapes[e.name] = self.of_kind(self.choices[Variable("letter", e.name)])
        return self.shapes[e.name]

    def ones(self, e: Ones) -> Shape:
        """A column of ones."""
        return e.dim or self.fresh(), "1"

    def identity(self, e: Identity) -> Shape:
        """An identity matrix."""
        dim = e.dim or self.fresh()
        return dim, dim

    def of_kind(self, kind: str) -> Shape:
        """A new shape of a kind."""
        rows = "1" if kind in ("number", "row") else self.fresh()
        return rows, "1" if kind in ("number", "column") else self.fresh()

    def is_family(self, e: Entry) -> bool:
        """Whether an entry with one index is a column."""
        letter = e.of.name if isinstance(e.of, Symbol) else ""
        return len(e.indices) == 1 and (e.column or self.choices.get(Variable("letter", letter)) == "family")

    def entry(self, e: Entry) -> Shape:
        """An entry, a row, or a column of a family."""
        a = self.visit(e.of)
        if len(e.indices) > 2:
            if self.section:
                raise OpaqueError
            raise FormulaError("a matrix has two indices", e.span[0] + 1)
        if self.is_family(e):
            places = [1]
        else:
            places = [1] if len(e.indices) == 1 and self.find(a[0]) == "1" else [0, 1][: len(e.indices)]
        for place, index in zip(places, e.indices, strict=True):
            if not self.unify(a[place], self.index(index, e)):
                raise ConflictError(f"the index {index} does not run along {self.shown(a)}", e)
        if self.is_family(e):
            return a[0], "1"
        return SCALAR if len(places) == 2 or "1" in map(self.find, a) else ("1", a[1])

    def index(self, i: Index, e: Expression) -> str:
        """The size that an index runs along."""
        if i.variable is not None and (i.offset == 0 or self.section) and i.variable in self.bound:
            return self.bound[i.variable]
        if not self.section:
            raise FormulaError(f"the index {i} is bound by no sum", e.span[0] + 1)
        if i.variable is None:
            return self.fresh()
        return self.free.setdefault(i.variable, self.fresh())

    def iverson(self, e: Iverson) -> Shape:
        """[j = k]."""
        if self.section and None in (e.left.variable, e.right.variable):
            return SCALAR
        if not self.unify(self.index(e.left, e), self.index(e.right, e)):
            raise ConflictError("these indices run over different dimensions", e)
        return SCALAR

    # --- sums and products ---

    def sum(self, e: Add | Subtract) -> Shape:
        """A sum; a number, one column or one row is added to all, at a cost."""
        a, b = self.visit(e.left), self.visit(e.right)
        if self.is_scalar(a) and self.is_scalar(b):
            return a
        for number, array, part in ((a, b, e.left), (b, a, e.right)):
            if self.is_scalar(number):
                self.doubt(_cost_of_adding(part, "1" not in self.shape(array)), e.left, e.right)
                return array
        for vector, matrix, part in ((a, b, e.left), (b, a, e.right)):
            if not self.is_column(vector) or "1" in self.shape(matrix):
                continue
            across = self.is_across(vector, matrix) or not self.joins(vector[0], matrix[0])
            if across and self.is_along(part, vector, matrix):
                return matrix
        result = []
        for x, y in zip(self.shape(a), self.shape(b), strict=True):
            if x != "1" and y != "1" and not self.unify(x, y):
                raise self.misfit(e, a, "plus", b, "a sum needs equal shapes, a column, a row or a scalar")
            result.append(y if x == "1" else x)
        total = self.shape((result[0], result[1]))
        if total not in (self.shape(a), self.shape(b)):
            raise self.misfit(e, a, "plus", b, "a row and a column do not add")
        if self.shape(a) != self.shape(b):
            self._doubt_bias(e, a, b)
        return total

    def _doubt_bias(self, e: Add | Subtract, a: Shape, b: Shape) -> None:
        """A bias is as long as the weights have outputs: a column for W X, a row for X W."""
        is_row = "1" in (self.find(a[0]), self.find(b[0]))
        behind = any(_ends_with_weights(part) for part in (e.left, e.right))
        self.doubt(_BIAS[is_row, behind], e.left, e.right)

    def product(self, e: Product) -> Shape:
        """A product, by its operator."""
        if self.section and e.operator in ("", "·", "@") and _is_chain(e):
            raise OpaqueError
        a, b = self.visit(e.left), self.visit(e.right)
        return _PRODUCTS[e.operator](self, e, a, b)

    def juxtaposed(self, e: Product, a: Shape, b: Shape) -> Shape:
        """A matrix product, or a scaling."""
        if self.is_scalar(a) or self.is_scalar(b):
            self._doubt_scaling(e, a, b)
            return b if self.is_scalar(a) else a
        rows = self.shape(a)[0] == self.shape(b)[0] == "1"
        if rows and leaves_entries_open(e.left) and leaves_entries_open(e.right) and self.unify(a[1], b[1]):
            return a
        if not self.unify(a[1], b[0]):
            raise self.misfit(e, a, "times", b, "the inner dimensions differ")
        if self.is_column(b) and "1" not in self.shape(a) and _is_outer(e.left):
            self.doubt(_OUTER_TIMES_A_COLUMN, e.left)
        return a[0], b[1]

    def _doubt_scaling(self, e: Product, a: Shape, b: Shape) -> None:
        """A number behind an array is seldom meant, nor is one named like a column before an array that is."""
        if self.is_scalar(a) == self.is_scalar(b):
            return
        if self.is_scalar(b) and isinstance(e.right, Symbol):
            self.doubt(_NUMBER_BEHIND, e.left, e.right)
        if self.is_scalar(b) and isinstance(e.right, Call) and _are_latin(e.left):
            self.doubt(_COLUMN_BEFORE_A_FUNCTION, e.left)
        number, array, shape = (e.left, e.right, b) if self.is_scalar(a) else (e.right, e.left, a)
        if _are_latin(number) and (isinstance(array, Symbol) or _are_latin(array)):
            is_matrix = "1" not in self.shape(shape)
            self.doubt(_MATRIX_SCALED if is_matrix else _COLUMN_SCALED, e.left, e.right)

    def dotted(self, e: Product, a: Shape, b: Shape) -> Shape:
        """a · x: the dot product of two columns, else a product as in `juxtaposed`."""
        if self.are_columns(a, b):
            if not self.unify(a[0], b[0]):
                raise self.misfit(e, a, "·", b, "a dot product needs equal lengths")
            return SCALAR
        if self.is_scalar(a) or self.is_scalar(b) or self.fits((a[1], "1"), (b[0], "1")):
            return self.juxtaposed(e, a, b)
        if self.is_along(e.left, a, b):
            return b
        return self.juxtaposed(e, a, b)

    def at_sign(self, e: Product, a: Shape, b: Shape) -> Shape:
        """a @ b as in Python, where a column is an array of one axis and may stand for a row: x @ A is x^T A."""
        if self.are_columns(a, b):
            return self.dotted(e, a, b)
        if self.is_scalar(a) or self.is_scalar(b):
            self.doubt(_NUMBER_AT, e.left, e.right)
        if self.is_column(a) and not self.is_scalar(b) and self.find(b[0]) != "1":
            a = a[::-1]
        return self.juxtaposed(e, a, b)

    def is_column(self, a: Shape) -> bool:
        """Whether a shape is that of a column of more than one entry."""
        return self.find(a[1]) == "1" != self.find(a[0])

    def are_columns(self, a: Shape, b: Shape) -> bool:
        """Whether both shapes are columns."""
        return self.is_column(a) and self.is_column(b)

    def outer(self, e: Product, a: Shape, b: Shape) -> Shape:
        """a ⊗ b."""
        if self.find(a[1]) == "1" and self.find(b[1]) == "1":
            return a[0], b[0]
        if self.is_scalar(a) or self.is_scalar(b):
            return b if self.is_scalar(a) else a
        raise self.misfit(e, a, "⊗", b, "an outer product takes two column vectors")

    def hadamard(self, e: Product, a: Shape, b: Shape) -> Shape:
        """a ∘ b."""
        if self.is_scalar(a) or self.is_scalar(b) or self.fits(a, b):
            return b if self.is_scalar(a) else a
        if self.is_along(e.right, b, a):
            return a
        if self.is_along(e.left, a, b):
            return b
        raise self.misfit(e, a, "∘", b, "equal shapes are needed")

    def is_along(self, e: Expression, a: Shape, b: Shape) -> bool:
        """Whether `e`, of the shape `a`, stands on a page for a matrix of the shape `b` with equal rows or columns: a
        row, a column, or a column that stands for a row, as an array of one axis does in Python. It costs.
        """
        rows, columns = self.shape(a)
        if not self.section or "1" in self.shape(b) or (rows == "1") == (columns == "1"):
            return False
        if rows == "1":
            how = "row" if self.joins(columns, b[1]) else ""
        elif self.is_across(a, b) or not self.joins(rows, b[0]):
            how = "turned" if self.joins(rows, b[1]) else ""
        else:
            how = "column"
        if not how:
            return False
        self.along[id(e)] = how
        is_reduced = isinstance(e, Call) and e.axis is not None
        self.doubt(_REDUCED_ALONG if is_reduced else _ALONG_A_MATRIX, e)
        return True

    def is_across(self, a: Shape, b: Shape) -> bool:
        """Whether a column `a` is known to be as long as a matrix `b` is wide, and not as it is high."""
        return self.is_column(a) and self.find(a[0]) == self.find(b[1]) != self.find(b[0])

    def quotient(self, e: Product, a: Shape, b: Shape) -> Shape:
        """a / b."""
        if self.is_scalar(b):
            return a
        if isinstance(e.right, Transpose):
            hint = "put the whole divisor in parentheses"
            raise self.misfit(e, a, "over", b, hint)
        is_matrix = "1" not in self.shape(b)
        if self.is_scalar(a) or self.fits(a, b):
            self.doubt(_OVER_A_MATRIX if is_matrix else _OVER_A_COLUMN, e.right)
            return b
        if self.is_along(e.right, b, a):
            return a
        raise self.misfit(e, a, "over", b, "divide by a scalar, or entry by entry")

    def transpose(self, e: Transpose) -> Shape:
        """A^T; that of a number is seldom meant."""
        a = self.visit(e.of)
        if self.is_scalar(a):
            self.doubt(_TRANSPOSE_OF_A_NUMBER, e.of)
        return a[::-1]

    # --- powers, inverses, functions ---

    def power(self, e: Power) -> Shape:
        """A power: of a square matrix, else entry by entry."""
        a, n = self.visit(e.of), self.visit(e.exponent)
        if not self.is_scalar(n):
            if isinstance(e.of, Constant) or self.is_scalar(a):
                return n
            raise ConflictError(f"an exponent must be a scalar, not {self.shown(n)}", e, (e.exponent,))
        if e.elementwise or self.is_scalar(a):
            return a
        if "1" in self.shape(a):
            self.doubt(_POWER_OF_A_COLUMN, e.of)
            return a
        if self.unify(a[0], a[1]):
            if not isinstance(e.exponent, Number) or e.exponent.value.denominator != 1:
                self.doubt(_POWER_OF_A_MATRIX, e.of, e.exponent)
            self.powers.add(id(e))
        else:
            self.doubt(_POWER_OF_A_COLUMN, e.of)
        return a

    def square(self, a: Shape, e: Expression, what: str) -> None:
        """Makes a shape square."""
        if not self.unify(a[0], a[1]):
            raise ConflictError(f"{what} needs a square matrix, not {self.shown(a)}", e)

    def inverse(self, e: Inverse) -> Shape:
        """An inverse; that of a column is entry by entry."""
        a = self.visit(e.of)
        if self.is_column(a):
            return a
        self.square(a, e, "an inverse")
        return a

    def call(self, e: Call) -> Shape:
        """A function."""
        shapes = [self.visit(argument) for argument in e.arguments]
        if e.function in ELEMENTWISE:
            return shapes[0]
        rule = _FUNCTIONS[e.function]
        if self.is_scalar(shapes[0]) and not is_modulus(e) and rule is not Inference.entrywise:
            self.doubt(_SOFTMAX_OF_A_NUMBER if e.function in _OF_NO_SCALAR else _OF_A_NUMBER, *e.arguments)
        return rule(self, e, *shapes)

    def entrywise(self, e: Call, *shapes: Shape) -> Shape:
        """A function of several arguments, entry by entry: of equal shapes, a scalar fits to all."""
        result = shapes[0]
        for shape in shapes[1:]:
            if self.is_scalar(result):
                result = shape
            elif not self.is_scalar(shape) and not self.unify_shapes(result, shape):
                shown = f"{self.shown(result)} and {self.shown(shape)}"
                raise ConflictError(f"{e.function} takes arguments of equal shapes, not {shown}", e)
        return result

    def same_shape(self, e: Call, a: Shape) -> Shape:
        """softmax."""
        return a

    def cross_entropy(self, e: Call, a: Shape, b: Shape) -> Shape:
        """A cross-entropy of two equal shapes, a scalar."""
        if not (self.unify_shapes(a, b) or self.is_scalar(b)):
            reason = f"{self.shown(a)} ∘ {self.shown(b)} does not fit: a cross-entropy needs equal shapes"
            raise ConflictError(reason, e)
        return SCALAR

    def of_square(self, e: Call, a: Shape) -> Shape:
        """A trace or a determinant of a square matrix, a scalar."""
        self.square(a, e, "a trace" if e.function == "trace" else "a determinant")
        return SCALAR

    def square_matrix(self, e: Call, a: Shape) -> Shape:
        """A function of a square matrix, a matrix of the same shape."""
        self.square(a, e, e.function)
        return a

    def inner(self, e: Call, a: Shape, b: Shape) -> Shape:
        """An inner product of two equal shapes, a scalar."""
        self.entrywise(e, a, b)
        return SCALAR

    def norm_p(self, e: Call, a: Shape, p: Shape) -> Shape:
        """A norm with its exponent, a scalar."""
        if not self.is_scalar(p):
            raise ConflictError(f"the exponent of a norm must be a scalar, not {self.shown(p)}", e, e.arguments[1:])
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

    def apply(self, e: Apply) -> Shape:
        """A function that the page does not define: entry by entry, or a number."""
        shapes = [self.visit(argument) for argument in e.arguments]
        if e.name in self.shapes:
            return self.shapes[e.name]
        entrywise = self.choices.get(Variable("function", e.name)) == "entrywise"
        return shapes[0] if entrywise and shapes else SCALAR

    # --- sums over an index, cases, matrices by entries ---

    def big_sum(self, e: BigSum | BigProduct) -> Shape:
        """A sum or a product over an index."""
        used = {i.variable for node in walk(e.body) if isinstance(node, Entry) for i in node.indices}
        if not self.section and (e.index not in used or (e.lower is not None and e.lower != Index(None, 1))):
            raise FormulaError("this sum runs over no index of an entry: write its terms", e.span[0] + 1)
        if e.index in self.bound and not self.section:
            raise FormulaError(f"the index {e.index} is bound by a sum around this one", e.span[0] + 1)
        size = self.fresh()
        if e.upper is not None and e.index in used:
            size = self._page_bound(e, e.upper) if self.section else _written_bound(e, e.upper)
        self.sums[id(e)] = size
        with self.binding(e.index, size):
            return self.visit(e.body)

    @contextmanager
    def binding(self, index: str, size: str) -> Iterator[None]:
        """The scope of an index."""
        before = self.bound
        self.bound = {**before, index: size}
        try:
            yield
        finally:
            self.bound = before

    def _page_bound(self, e: BigSum | BigProduct, upper: Index) -> str:
        """The size that a bound names: N in 1 … N and in 0 … N-1; of other ranges, a size without a name."""
        lower = Index(None, 1) if e.lower is None else e.lower
        whole = lower.variable is None and upper.offset + 1 == lower.offset
        if upper.variable is None:
            number = upper.offset + 1 - lower.offset
            return str(number) if lower.variable is None and lower.offset in (0, 1) and number > 1 else self.fresh()
        if not whole or upper.variable in self.bound or upper.variable in self.free:
            return self.fresh()
        return f"~{size_of(upper.variable)}"

    def cases(self, e: Cases) -> Shape:
        """Cases: all values have one shape, and so have conditions that are taken entry by entry."""
        values = [self.visit(value) for value in e.values]
        found = next((s for s in values if not self.is_scalar(s)), SCALAR)
        for shape in [*values, *(self.visit(condition) for condition in e.conditions)]:
            if not self.is_scalar(shape) and not self.is_scalar(found) and not self.unify_shapes(found, shape):
                raise ConflictError(f"{self.shown(found)} and {self.shown(shape)} are cases of one value", e)
            found = shape if self.is_scalar(found) else found
        return found

    def comparison(self, e: Comparison) -> Shape:
        """[x > 0], entry by entry."""
        a, b = self.visit(e.left), self.visit(e.right)
        if self.is_scalar(a) or self.is_scalar(b) or self.unify_shapes(a, b):
            return b if self.is_scalar(a) else a
        reason = f"{self.shown(a)} {e.operator} {self.shown(b)} does not fit: equal shapes are needed"
        raise ConflictError(reason, e, (e.left, e.right))

    def matrix(self, e: Matrix) -> Shape:
        """A matrix by its entries, which are numbers."""
        for entry in (entry for row in e.rows for entry in row):
            if isinstance(entry, Dots):
                raise OpaqueError
            if not self.is_scalar(self.visit(entry)):
                raise ConflictError("an entry of a matrix must be a scalar", entry)
        return str(len(e.rows)), str(len(e.rows[0]))

    def pattern(self, e: Pattern) -> Shape:
        """A matrix by the formula of its cells: its indices run over as many as the letters with them have."""
        rows, columns = (self.fresh() if index else "1" for index in (e.row, e.column))
        columns = rows if e.is_square else columns
        with (
            self.binding(e.row, rows),
            self.binding(e.column, columns),
            self.binding(last_of(e.row), rows),
            self.binding(last_of(e.column), columns),
        ):
            if not self.is_scalar(self.visit(e.body)):
                raise OpaqueError
        return rows, columns

    # --- derivatives ---

    def derivative(self, e: Derivative) -> Shape:
        """∂f/∂x: the shape of x for a number f, that of f for a number x, [f,x] for columns."""
        of, by = self.visit(e.of), self.visit(e.wrt)
        if self.is_scalar(of):
            return by
        if self.is_scalar(by):
            return of
        if self.find(of[1]) != "1" or (self.find(by[1]) != "1" and not isinstance(e.wrt, Transpose)):
            self.doubt(_FOUR_INDICES, e)
            raise OpaqueError
        along = by[0] if self.find(by[1]) == "1" else by[1]
        if self.choices.get(Variable("layout", "")) == "denominator":
            self.doubt(_DENOMINATOR_LAYOUT)
            return along, of[0]
        return of[0], along


def is_modulus(e: Expression) -> bool:
    """Whether a call is written |x|: the absolute value of a number, the determinant of a matrix."""
    return isinstance(e, Call) and e.function == "det" and e.latex == "|" and not isinstance(e.arguments[0], Matrix)


def _refusal(e: Expression) -> str:
    if isinstance(e, Apply):
        return f"the function {e.name} is not known: write what it is, or a product as {e.name} x"
    what = "an ellipsis" if isinstance(e, Dots) else "a derivative" if isinstance(e, Derivative) else "this"
    return f"{what} cannot stand in what is differentiated"


def _are_latin(e: Expression) -> bool:
    """Whether the letters of an expression are lower-case Latin ones, and nothing in it is transposed."""
    nodes = list(walk(e))
    names = [n.name for n in nodes if isinstance(n, Symbol)]
    if not names or any(isinstance(n, Transpose | Entry) for n in nodes):
        return False
    return all(usual_costs(name)["column"] == 0 for name in names)


def _is_outer(e: Expression) -> bool:
    """Whether an expression is written k x^T, with a letter k."""
    return isinstance(e, Product) and isinstance(e.left, Symbol) and isinstance(e.right, Transpose)


def _ends_with_weights(e: Expression) -> bool:
    """Whether a product ends, and does not begin, with a matrix that is called weights: X W_1."""
    first, *_, last = factors_of(e) * 2
    is_weights = [isinstance(f, Symbol) and f.name.startswith(("W", "Theta")) for f in (first, last)]
    return is_weights == [False, True]


def _cost_of_adding(e: Expression, to_matrix: bool) -> float:
    """The cost of a number `e` that is added to every entry of a column or of a matrix."""
    nodes = list(walk(e))
    if any(isinstance(n, Transpose | Call | Apply | BigSum | BigProduct) for n in nodes):
        return _FORMULA_ADDED
    if not any(isinstance(n, Symbol) for n in nodes):
        return _LITERAL_ADDED
    return _LETTER_ADDED_TO_A_MATRIX if to_matrix else _LETTER_ADDED


def _is_chain(e: Product) -> bool:
    """Whether a product has two derivatives as factors: its order is the chain rule's, not that of matrices."""
    factors = [f.of if isinstance(f, Transpose) else f for f in factors_of(e)]
    return sum(isinstance(f, Derivative) for f in factors) > 1


def _written_bound(e: BigSum | BigProduct, upper: Index) -> str:
    if upper.offset and (upper.variable is not None or upper.offset < 0):
        raise FormulaError(f"this sum ends at {upper} where a size is expected: write n or 5", e.span[0] + 1)
    return size_of(str(upper), e.span[0] + 1)


def _opaque(self: Inference, e: Expression) -> Shape:
    raise OpaqueError


# A node → the rule for its shape.
_NODES: dict[type[Expression], Callable[..., Shape]] = {
    Number: lambda self, e: SCALAR,
    Constant: lambda self, e: SCALAR,
    Symbol: Inference.symbol,
    Ones: Inference.ones,
    Identity: Inference.identity,
    Entry: Inference.entry,
    Iverson: Inference.iverson,
    Comparison: Inference.comparison,
    Negative: lambda self, e: self.visit(e.of),
    Add: Inference.sum,
    Subtract: Inference.sum,
    Product: Inference.product,
    Transpose: Inference.transpose,
    Inverse: Inference.inverse,
    Power: Inference.power,
    Call: Inference.call,
    Apply: Inference.apply,
    Cases: Inference.cases,
    Matrix: Inference.matrix,
    Pattern: Inference.pattern,
    BigSum: Inference.big_sum,
    BigProduct: Inference.big_sum,
    Derivative: Inference.derivative,
    Dots: _opaque,
}

# The sign of a product → the rule for its shape.
_PRODUCTS: dict[str, Callable[[Inference, Product, Shape, Shape], Shape]] = {
    "": Inference.juxtaposed,
    "·": Inference.dotted,
    "@": Inference.at_sign,
    "⊗": Inference.outer,
    "∘": Inference.hadamard,
    "/": Inference.quotient,
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
    "prod": Inference.reduction,
    "inner": Inference.inner,
    "logsumexp": Inference.reduction,
    "norm2": Inference.reduction,
    "norminf": Inference.reduction,
    "normp": Inference.norm_p,
    "nuclear": Inference.reduction,
    "logdet": Inference.of_square,
    "expm": Inference.square_matrix,
    "logm": Inference.square_matrix,
    "pinv": lambda self, e, a: (a[1], a[0]),
    "polar": Inference.same_shape,
    "leading": Inference.same_shape,
    "min": Inference.entrywise,
    "clip": Inference.entrywise,
}
_OF_NO_SCALAR = {"softmax", "sum", "mean", "cross_entropy", "diag"}
