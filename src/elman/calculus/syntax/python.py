"""The Python-like form: `a.T @ X @ b`, `delta1 @ U * h*(1-h)`. Python's own parser reads it; nothing is executed."""

from __future__ import annotations

import ast
import os
import threading
import warnings
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from elman.calculus.expression import (
    Add,
    Call,
    Comparison,
    Entry,
    Expression,
    Index,
    Negative,
    Number,
    Power,
    Product,
    Relation,
    Subtract,
    Symbol,
    Transpose,
)
from elman.calculus.functions import SPELLINGS, arity
from elman.calculus.syntax.code_signs import CALLS, SIZED, as_python, einsum
from elman.calculus.syntax.names import TIME_LETTERS, Names, canonical
from elman.calculus.syntax.tokens import MAX_DEPTH, MAX_DIGITS
from elman.errors import FormulaError

_MAX_LENGTH = 10_000
_NAMESPACES = {"np", "numpy", "torch", "jnp", "F", "linalg", "special", "math", "scipy"}


def parse_python(text: str, names: Names) -> list[Relation]:
    """The statement in `text`: one expression, or a chain `left = right`."""
    if len(text) > _MAX_LENGTH:
        raise FormulaError(f"this formula is longer than {_MAX_LENGTH} signs: split it", _MAX_LENGTH)
    depth = 0
    for column, c in enumerate(text, 1):
        depth += (c in "([{") - (c in ")]}")
        if depth > 40:
            raise FormulaError("brackets nest deeper than 40", column)
    code, places = as_python(text.strip())
    try:
        tree = syntax_tree(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        column = places[min(getattr(error, "offset", None) or 1, len(places)) - 1] + 1
        raise FormulaError(f"not read as Python: {getattr(error, 'msg', 'too deep')}", column) from None
    if len(tree.body) != 1:
        raise FormulaError("one formula at a time", 1)
    lead = len(text) - len(text.lstrip())
    reader = _Reader(names, code, [lead + place for place in places])
    statement = tree.body[0]
    if isinstance(statement, ast.Expr):
        part = reader.read(statement.value)
        return [Relation((part,), (), (part.span,))]
    if isinstance(statement, ast.Assign):
        parts = tuple(reader.read(part) for part in [*statement.targets, statement.value])
        return [Relation(parts, ("=",) * (len(parts) - 1), tuple(part.span for part in parts))]
    raise FormulaError("only expressions and assignments are read", 1)


_quiet: dict[int, threading.Lock] = {}
"""By process, since a forked child may have been born while another thread held its parent's."""


def syntax_tree(code: str) -> ast.Module:
    """Python's syntax tree, without the parser's warnings about style. Raises what `ast.parse` raises.

    One thread at a time: the filter of warnings is one for the process, so a thread that restores it would end the
    filter of another, whose warning may then be an error, or leave that filter for good.
    """
    with _quiet.setdefault(os.getpid(), threading.Lock()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(code)


class _Reader:
    """Reads nodes of Python's syntax tree into expressions; `_NODES` has the method for each kind of node."""

    def __init__(self, names: Names, text: str, places: list[int]) -> None:
        self.names = names
        self.places = places
        self.text = text
        self.depth = 0

    def span(self, node: ast.expr) -> tuple[int, int]:
        """Where the node is in the source; columns of `ast` count bytes of a line."""
        lines = self.text.split("\n")
        encoded = lines[node.lineno - 1].encode()
        before = sum(len(line) + 1 for line in lines[: node.lineno - 1])
        start = before + len(encoded[: node.col_offset].decode(errors="ignore"))
        end = before + len(encoded[: node.end_col_offset or 0].decode(errors="ignore"))
        return self.places[min(start, len(self.places) - 1)], self.places[min(end, len(self.places) - 1)]

    def error(self, node: ast.expr, message: str) -> FormulaError:
        """An error at the beginning of a node."""
        return FormulaError(message, self.span(node)[0] + 1)

    def not_read(self, node: ast.expr) -> FormulaError:
        """The error for a node that has no meaning in a formula."""
        return self.error(node, f"`{ast.unparse(node)[:40]}` is not read in a formula")

    def read(self, node: ast.expr) -> Expression:
        """The expression that a node is; `FormulaError` where it is none."""
        if self.depth > MAX_DEPTH:
            raise self.error(node, f"this formula nests deeper than {MAX_DEPTH}: name its parts")
        method = _NODES.get(type(node))
        if method is None:
            raise self.not_read(node)
        self.depth += 1
        found = method(self, node)
        self.depth -= 1
        return found

    # --- leaves ---

    def constant(self, node: ast.Constant) -> Expression:
        """A number."""
        if not isinstance(node.value, int | float) or isinstance(node.value, bool):
            raise self.not_read(node)
        if not abs(node.value) < 10.0**MAX_DIGITS:
            raise self.error(node, f"a number of more than {MAX_DIGITS} digits is not read")
        return Number(Fraction(str(node.value)), span=self.span(node))

    def name(self, node: ast.Name) -> Symbol:
        """A symbol."""
        name = canonical(node.id)
        return Symbol(self.names.resolve(name) or name, latex="", span=self.span(node))

    def subscript(self, node: ast.Subscript) -> Expression:
        """`h[t-1]`, a time step, where h has them or the index is t; `y[j, b]`, an entry; `slogdet(X)[1]`."""
        is_log = isinstance(node.value, ast.Call) and ast.unparse(node.value.func).rpartition(".")[2] == "slogdet"
        if is_log and isinstance(node.value, ast.Call) and ast.unparse(node.slice) in ("1", "-1"):
            inner = Call("det", (self.read(node.value.args[0]),)) if node.value.args else None
            if inner is not None:
                return Call("ln", (Call("abs", (inner,)),), span=self.span(node))
        if not isinstance(node.value, ast.Name):
            raise self.not_read(node)
        symbol = self.name(node.value)
        places = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        indices = tuple(self.index(place) for place in places)
        if len(indices) == 1 and (symbol.name in self.names.timed or indices[0].variable in TIME_LETTERS):
            return replace(symbol, time=indices[0], span=self.span(node))
        return Entry(symbol, indices, span=self.span(node))

    def index(self, node: ast.expr) -> Index:
        """A time step or an index."""
        match node:
            case ast.Name():
                return Index(node.id)
            case ast.Constant(value=int(number)):
                return Index(None, number)
            case ast.BinOp(left=ast.Name(id=name), op=ast.Add() | ast.Sub(), right=ast.Constant(value=int(number))):
                return Index(name, number if isinstance(node.op, ast.Add) else -number)
        raise self.error(node, "this is not read as an index: write i, t-1 or 0")

    # --- operators ---

    def unary(self, node: ast.UnaryOp) -> Expression:
        """-a and +a."""
        if isinstance(node.op, ast.USub):
            return Negative(self.read(node.operand), span=self.span(node))
        if isinstance(node.op, ast.UAdd):
            return self.read(node.operand)
        raise self.not_read(node)

    def binary(self, node: ast.BinOp) -> Expression:
        """A sum, a product, a quotient or a power."""
        left, right = self.read(node.left), self.read(node.right)
        build = _BINARY.get(type(node.op))
        if build is None:
            raise self.error(node, "this operator is not known: write one of + - * / @ **")
        return replace(build(left, right), span=self.span(node))

    def compare(self, node: ast.Compare) -> Expression:
        """x > 0, 1 where it holds and else 0."""
        sign = _SIGN_OF.get(type(node.ops[0]))
        if len(node.ops) != 1 or sign is None:
            raise self.not_read(node)
        return Comparison(self.read(node.left), self.read(node.comparators[0]), sign, span=self.span(node))

    def attribute(self, node: ast.Attribute) -> Expression:
        """`a.T`."""
        if node.attr not in ("T", "mT"):
            raise self.not_read(node)
        return Transpose(self.read(node.value), span=self.span(node))

    # --- calls ---

    def call(self, node: ast.Call) -> Expression:
        """A function, as `f(x)`, `np.f(x)` or the method `x.f()`."""
        special = self.special(node)
        if special is not None:
            return replace(special, span=self.span(node))
        axis = self.axis(node)
        function = node.func
        sized = ast.unparse(function).rpartition(".")[2] in SIZED
        arguments = [] if sized else [self.read(a) for a in node.args]
        while isinstance(function, ast.Attribute):
            if not _is_namespace(function.value):  # a method: x.sum(0), x.dot(y)
                arguments = [self.read(function.value), *arguments]
            function = ast.copy_location(ast.Name(function.attr), function)
        if not isinstance(function, ast.Name):
            raise self.error(node, "this call is not known: write f(x), np.f(x) or x.f()")
        return replace(self.called(function.id, arguments, axis, node), span=self.span(node))

    def special(self, node: ast.Call) -> Expression | None:
        """A function whose arguments NumPy or PyTorch orders in its own way; None for any other."""
        path = ast.unparse(node.func)
        name = path.rpartition(".")[2]
        if name == "cross_entropy" and path.startswith(("F.", "torch.", "nn.", "functional.")) and len(node.args) == 2:
            logits, target = map(self.read, node.args)
            return Call("cross_entropy", (target, Call("softmax", (logits,))))
        if name == "norm" and len(node.args) == 2:
            return self.norm(node)
        if name == "einsum" and node.args and isinstance(node.args[0], ast.Constant):
            found = einsum(str(node.args[0].value), [self.read(a) for a in node.args[1:]])
            if found is None:
                raise self.error(node, "this einsum is not read: write the product with @, * and .T")
            return found
        return None

    def norm(self, node: ast.Call) -> Expression:
        """np.linalg.norm(x, 1)."""
        kind = ast.unparse(node.args[1]).strip("'\"")
        name = {"1": "norm1", "2": "norm", "fro": "norm"}.get(kind)
        if name is None:
            raise self.error(node, f"the norm {kind} is not known: write 1, 2 or 'fro'")
        return Call(name, (self.read(node.args[0]),))

    def axis(self, node: ast.Call) -> int | None:
        """The axis that a call states: by name, or in its last place where a sum, a mean or a softmax has it."""
        given = [k.value for k in node.keywords if k.arg in ("axis", "dim")]
        if [k for k in node.keywords if k.arg not in ("axis", "dim", "keepdims")]:
            raise self.error(node, "this named argument is not known: write axis, dim or keepdims")
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

    def called(self, name: str, arguments: list[Expression], axis: int | None, node: ast.Call) -> Expression:
        """The function `name` of some arguments."""
        if name in SIZED and len(node.args) == 1:
            return SIZED[name](self.size(node.args[0], name))
        count, build = CALLS.get(name, (0, None))
        if build is not None and len(arguments) == count:
            return build(*arguments)
        if name not in SPELLINGS:
            raise self.error(node, f"the function {name} is not known")
        function = SPELLINGS[name]
        expected = arity(function)
        if len(arguments) != expected:
            raise self.error(node, f"{name} takes {expected} argument{'s' * (expected > 1)}, not {len(arguments)}")
        return Call(function, tuple(arguments), axis=axis)

    def size(self, argument: ast.expr, name: str) -> str:
        """n of `np.eye(n)`, `np.ones(n)` and `np.ones((n, 1))`."""
        if name == "ones" and isinstance(argument, ast.Tuple):
            if not argument.elts:
                raise self.error(argument, "a size is expected here, and none is given: write a number or a name")
            if ast.unparse(argument.elts[-1]) == "1":
                argument = argument.elts[0]
        return ast.unparse(argument)


def _is_namespace(node: ast.expr) -> bool:
    """np, torch, np.linalg."""
    if isinstance(node, ast.Name):
        return node.id in _NAMESPACES
    return isinstance(node, ast.Attribute) and node.attr in _NAMESPACES


# A node of Python's syntax tree → the method that reads it.
_NODES: dict[type[ast.expr], Callable[..., Expression]] = {
    ast.Constant: _Reader.constant,
    ast.Name: _Reader.name,
    ast.Subscript: _Reader.subscript,
    ast.UnaryOp: _Reader.unary,
    ast.BinOp: _Reader.binary,
    ast.Attribute: _Reader.attribute,
    ast.Call: _Reader.call,
    ast.Compare: _Reader.compare,
}

_SIGN_OF: dict[type[ast.cmpop], str] = {
    ast.Eq: "=", ast.NotEq: "≠", ast.Lt: "<", ast.LtE: "≤", ast.Gt: ">", ast.GtE: "≥",
}  # fmt: skip

_BINARY: dict[type[ast.operator], Callable[[Expression, Expression], Expression]] = {
    ast.Add: Add,
    ast.Sub: Subtract,
    ast.MatMult: lambda a, b: Product(a, b, "@"),
    ast.Mult: lambda a, b: Product(a, b, "∘"),
    ast.Div: lambda a, b: Product(a, b, "/"),
    ast.Pow: lambda a, b: Power(a, b, elementwise=True),
}
