"""The Python-like form: `a.T @ X @ b`, `delta1 @ U * h*(1-h)`. Read with Python's own parser; nothing is executed."""

from __future__ import annotations

import ast
import warnings
from dataclasses import replace
from fractions import Fraction

from elman.calculus.expression import (
    Add,
    Call,
    Entry,
    Expression,
    Identity,
    Index,
    Inverse,
    Negative,
    Number,
    Ones,
    Power,
    Product,
    Relation,
    Subtract,
    Symbol,
    Transpose,
)
from elman.calculus.functions import SPELLINGS
from elman.calculus.syntax.names import TIME_LETTERS, Names, canonical
from elman.calculus.syntax.tokens import MAX_DEPTH, MAX_DIGITS
from elman.errors import FormulaError

_MAX_LENGTH = 10_000
_NAMESPACES = {"np", "numpy", "torch", "jnp", "F", "linalg"}


def parse_python(text: str, names: Names) -> list[Relation]:
    """The statement in `text`: one expression, or a chain `left = right`."""
    if len(text) > _MAX_LENGTH:
        raise FormulaError(f"this formula is longer than {_MAX_LENGTH} signs: split it", _MAX_LENGTH)
    depth = 0
    for column, c in enumerate(text, 1):
        depth += (c in "([{") - (c in ")]}")
        if depth > 40:
            raise FormulaError("brackets nest deeper than 40", column)
    stripped = text.strip()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Python would say of its style is nobody's business here
            tree = ast.parse(stripped)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        column = getattr(error, "offset", None) or 1
        raise FormulaError(f"not read as Python: {getattr(error, 'msg', 'too deep')}", column) from None
    if len(tree.body) != 1:
        raise FormulaError("one formula at a time", 1)
    reader = _Reader(names, stripped, len(text) - len(text.lstrip()))
    statement = tree.body[0]
    if isinstance(statement, ast.Expr):
        part = reader.read(statement.value)
        return [Relation((part,), (), (part.span,))]
    if isinstance(statement, ast.Assign):
        parts = tuple(reader.read(part) for part in [*statement.targets, statement.value])
        return [Relation(parts, ("=",) * (len(parts) - 1), tuple(part.span for part in parts))]
    raise FormulaError("only expressions and assignments are read", 1)


class _Reader:
    def __init__(self, names: Names, text: str, offset: int) -> None:
        self.names = names
        self.offset = offset
        self.text = text
        self.depth = 0

    def span(self, node: ast.expr) -> tuple[int, int]:
        """Where the node stands; columns of `ast` count bytes of a line, a formula is one line."""
        encoded = self.text.split("\n")[node.lineno - 1].encode()
        before = sum(len(line) + 1 for line in self.text.split("\n")[: node.lineno - 1])
        start = before + len(encoded[: node.col_offset].decode(errors="ignore")) + self.offset
        end = before + len(encoded[: node.end_col_offset or 0].decode(errors="ignore")) + self.offset
        return start, end

    def error(self, node: ast.expr, message: str) -> FormulaError:
        return FormulaError(message, self.span(node)[0] + 1)

    def read(self, node: ast.expr) -> Expression:
        if self.depth > MAX_DEPTH:
            raise self.error(node, f"this formula nests deeper than {MAX_DEPTH}: name its parts")
        self.depth += 1
        found = self._read(node)
        self.depth -= 1
        return found

    def _read(self, node: ast.expr) -> Expression:
        span = self.span(node)
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
            return self._number(node, node.value, span)
        if isinstance(node, ast.Name):
            name = canonical(node.id)
            return Symbol(self.names.resolve(name) or name, latex="", span=span)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return Negative(self.read(node.operand), span=span)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd):
            return self.read(node.operand)
        if isinstance(node, ast.BinOp):
            return self._binary(node, span)
        if isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
            return Transpose(self.read(node.value), span=span)
        if isinstance(node, ast.Call):
            return self._call(node, span)
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            return self._indexed(node, span)
        raise self.error(node, f"`{ast.unparse(node)[:40]}` is not read in a formula")

    def _indexed(self, node: ast.Subscript, span: tuple[int, int]) -> Expression:
        """`h[t-1]`, a time step, where h has them or the index is t; `y[j, b]`, an entry."""
        symbol = self.read(node.value)
        assert isinstance(symbol, Symbol)
        places = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        indices = tuple(self._index(place) for place in places)
        if len(indices) == 1 and (symbol.name in self.names.timed or indices[0].variable in TIME_LETTERS):
            return replace(symbol, time=indices[0], span=span)
        return Entry(symbol, indices, span=span)

    def _index(self, node: ast.expr) -> Index:
        match node:
            case ast.Name():
                return Index(node.id)
            case ast.Constant(value=int(number)):
                return Index(None, number)
            case ast.BinOp(left=ast.Name(id=name), op=ast.Add() | ast.Sub(), right=ast.Constant(value=int(number))):
                return Index(name, number if isinstance(node.op, ast.Add) else -number)
        raise self.error(node, "this is not read as an index: write i, t-1 or 0")

    def _number(self, node: ast.Constant, value: float, span: tuple[int, int]) -> Number:
        if not abs(value) < 10.0**MAX_DIGITS:
            raise self.error(node, f"a number of more than {MAX_DIGITS} digits is not read")
        return Number(Fraction(str(value)), span=span)

    def _binary(self, node: ast.BinOp, span: tuple[int, int]) -> Expression:
        left, right = self.read(node.left), self.read(node.right)
        match node.op:
            case ast.Add():
                return Add(left, right, span=span)
            case ast.Sub():
                return Subtract(left, right, span=span)
            case ast.MatMult():
                return Product(left, right, "·", span=span)
            case ast.Mult():
                return Product(left, right, "∘", span=span)
            case ast.Div():
                return Product(left, right, "/", span=span)
            case ast.Pow():
                return Power(left, right, elementwise=True, span=span)
        raise self.error(node, "of Python's operators + - * / @ ** are read")

    def _call(self, node: ast.Call, span: tuple[int, int]) -> Expression:
        axis = self._axis(node)
        function = node.func
        sized = ast.unparse(function).rpartition(".")[2] in ("eye", "ones")
        arguments = [] if sized else [self.read(a) for a in node.args]
        while isinstance(function, ast.Attribute):
            if (isinstance(function.value, ast.Name) and function.value.id in _NAMESPACES) or (
                isinstance(function.value, ast.Attribute) and function.value.attr in _NAMESPACES
            ):
                function = ast.copy_location(ast.Name(function.attr), function)
            else:  # a method: x.sum(0), x.dot(y)
                arguments = [self.read(function.value), *arguments]
                function = ast.copy_location(ast.Name(function.attr), function)
        if not isinstance(function, ast.Name):
            raise self.error(node, "this call is not read")
        return self._named_call(function.id, arguments, axis, node, span)

    def _axis(self, node: ast.Call) -> int | None:
        given = [k.value for k in node.keywords if k.arg in ("axis", "dim")]
        if [k for k in node.keywords if k.arg not in ("axis", "dim", "keepdims")]:
            raise self.error(node, "of named arguments axis, dim and keepdims are read")
        method = isinstance(node.func, ast.Attribute) and node.func.attr in ("sum", "mean", "softmax")
        is_module = method and isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) in _NAMESPACES
        if not given and method and len(node.args) == 1 + is_module:
            given = [node.args.pop()]
        if not given:
            return None
        value = given[0]
        negative = isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub)
        constant = value.operand if negative and isinstance(value, ast.UnaryOp) else value
        if not isinstance(constant, ast.Constant) or not isinstance(constant.value, int) or constant.value > 2:
            raise self.error(value, "an axis is 0, 1, -1 or -2")
        return constant.value if not negative else 2 - constant.value

    def _named_call(
        self, name: str, arguments: list[Expression], axis: int | None, node: ast.Call, span: tuple[int, int]
    ) -> Expression:
        if name in ("inv", "pinv") and len(arguments) == 1:
            return Inverse(arguments[0], span=span)
        if name == "diagflat" and len(arguments) == 1:
            return Call("diag", tuple(arguments), operand="vector", span=span)
        if name in ("transpose",) and len(arguments) == 1:
            return Transpose(arguments[0], span=span)
        if name in ("outer",) and len(arguments) == 2:
            return Product(arguments[0], arguments[1], "⊗", span=span)
        if name in ("dot", "matmul", "mm") and len(arguments) == 2:
            return Product(arguments[0], arguments[1], "·", span=span)
        if name in ("multiply", "mul") and len(arguments) == 2:
            return Product(arguments[0], arguments[1], "∘", span=span)
        if name == "logdet" and len(arguments) == 1:
            return Call("ln", (Call("det", tuple(arguments)),), span=span)
        if name in ("eye", "ones") and len(node.args) == 1:
            argument = node.args[0]
            if name == "ones" and isinstance(argument, ast.Tuple) and ast.unparse(argument.elts[-1]) == "1":
                argument = argument.elts[0]
            return (Identity if name == "eye" else Ones)(ast.unparse(argument), span=span)
        if name == "matrix_power" and len(arguments) == 2:
            return Power(arguments[0], arguments[1], span=span)
        if name in ("square",) and len(arguments) == 1:
            return Power(arguments[0], Number(Fraction(2)), elementwise=True, span=span)
        if name not in SPELLINGS:
            raise self.error(node, f"the function {name} is not known")
        function = SPELLINGS[name]
        expected = 2 if function == "cross_entropy" else 1
        if len(arguments) != expected:
            raise self.error(node, f"{name} takes {expected} argument{'s' * (expected > 1)}, not {len(arguments)}")
        return Call(function, tuple(arguments), axis=axis, span=span)
