"""Random expressions grown from the grammar, with shapes, for the tests of derivatives and of printing."""

from __future__ import annotations

import random
from fractions import Fraction

from elman.calculus.expression import (
    Add,
    BigSum,
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
    Subtract,
    Symbol,
    Transpose,
)

DIMENSIONS = ("m", "n", "p")
SCALARS = ("c", "lambda")
COLUMNS = ("x", "y_hat", "delta_1")
MATRICES = ("A", "W_h", "X")
FUNCTIONS = (
    "sigmoid", "tanh", "sin", "cos", "softplus", "arctan", "relu", "abs", "arcsinh", "softsign", "silu", "logsigmoid",
    "sech", "elu", "leakyrelu", "erf", "gelu",
)  # fmt: skip
Shape = tuple[str, str]


def number(value: int, below: int = 1) -> Number:
    return Number(Fraction(value, below))


class Grower:
    """Grows expressions of a wanted shape; `shapes` are those of the symbols used."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.shapes: dict[str, Shape] = {}
        self.letters = list("vusrqlkji")

    def choose(self, *options: object) -> object:
        return self.random.choice(options)

    def symbol(self, shape: Shape) -> Symbol:
        """A symbol of the shape: its name says the shape, so that it never has two."""
        rows, columns = shape
        if shape == ("1", "1"):
            name = self.random.choice(SCALARS)
        elif columns == "1":
            name = f"{self.random.choice(COLUMNS)}_{rows}"
        elif rows == "1":
            name = f"r_{columns}"
        else:
            name = f"{self.random.choice(MATRICES)}_{rows}{columns}"
        self.shapes[name] = shape
        time = self.random.choice((Index("t"), Index("t", -1))) if name[0] == "y" else None
        return Symbol(name, time)

    def grow(self, shape: Shape, depth: int) -> Expression:
        """An expression of the shape."""
        if depth <= 0 or self.random.random() < 0.1:
            return self.symbol(shape)
        if shape == ("1", "1"):
            return self.scalar(depth - 1)
        if shape[1] == "1":
            return self.column(shape, depth - 1)
        if shape[0] == "1":
            return Transpose(self.grow((shape[1], "1"), depth - 1))
        return self.matrix(shape, depth - 1)

    def any_shape(self) -> Shape:
        rows, columns = self.random.choice(DIMENSIONS), self.random.choice(DIMENSIONS)
        return self.random.choice((("1", "1"), (rows, "1"), (rows, columns)))

    def common(self, shape: Shape, d: int) -> Expression:
        """What every shape can be."""
        e = self.grow(shape, d)
        match self.random.randrange(10):
            case 9:
                return Call(self.random.choice(("max", "min")), (e, self.grow(shape, d)))
            case 0:
                return Add(e, self.grow(shape, d))
            case 1:
                return Subtract(e, self.grow(shape, d))
            case 2:
                return Product(e, self.grow(shape, d), "∘")
            case 3:
                return Product(self.grow(("1", "1"), d), e)
            case 4:
                return Negative(e)
            case 5:
                return Product(e, Add(number(2), Power(self.grow(shape, d), number(2), elementwise=True)), "/")
            case 6:
                return Power(e, number(self.random.choice((2, 3))), elementwise=True)
            case 7:
                return Product(number(self.random.randint(2, 5), self.random.choice((1, 2))), e)
            case _:
                return Call(self.random.choice(FUNCTIONS), (e,))

    def scalar(self, d: int) -> Expression:
        rows, columns = self.random.choice(DIMENSIONS), self.random.choice(DIMENSIONS)
        match self.random.randrange(20):
            case 16:
                return Call("logsumexp", (self.grow((rows, "1"), d),))
            case 17:
                return Call("normp", (self.grow((rows, "1"), d), number(self.random.choice((3, 4)))))
            case 18:
                return Call("trace", (Call("expm", (Call("tanh", (self.grow((rows, rows), d),)),)),))
            case 19:
                power = self.symbol(("1", "1"))
                return Power(Add(number(2), Power(self.grow(("1", "1"), d), number(2))), power)
            case 0:
                return Product(Transpose(self.grow((rows, "1"), d)), self.grow((rows, "1"), d))
            case 1:
                return Call("trace", (self.grow((rows, rows), d),))
            case 2:
                return Call("det", (Add(self.grow((rows, rows), d), Identity(rows)),))
            case 3:
                return Call(self.random.choice(("sum", "mean")), (self.grow((rows, columns), d),))
            case 4:
                return Call(self.random.choice(("norm", "norm1")), (self.grow((rows, "1"), d),))
            case 5:
                return Power(Call("norm", (self.grow((rows, columns), d),)), number(2))
            case 6:
                return Call("cross_entropy", (self.grow((rows, "1"), d), Call("softmax", (self.grow((rows, "1"), d),))))
            case 7:
                return Call("ln", (Add(number(2), Power(self.grow(("1", "1"), d), number(2))),))
            case 8:
                left, right = self.grow((rows, "1"), d), self.grow((columns, "1"), d)
                return Product(Product(Transpose(left), self.grow((rows, columns), d)), right)
            case 10:
                index = self.letters.pop()
                left, right = (Entry(self.grow((rows, "1"), d), (Index(index),)) for _ in range(2))
                return BigSum(index, Product(left, right))
            case 11:
                return Call("ln", (Call("det", (self.solid(rows, d),)),))
            case 12:
                return Call("exp", (Call("tanh", (self.grow(("1", "1"), d),)),))
            case 9:
                return Call("sqrt", (Add(number(1), Power(self.grow(("1", "1"), d), number(2))),))
            case _:
                return self.common(("1", "1"), d)

    def column(self, shape: Shape, d: int) -> Expression:
        rows, other = shape[0], self.random.choice(DIMENSIONS)
        match self.random.randrange(12):
            case 0 | 1 | 2:
                return Product(self.grow((rows, other), d), self.grow((other, "1"), d))
            case 3:
                return Call("softmax", (self.grow(shape, d),))
            case 4:
                return Call("diag", (self.grow((rows, rows), d),))
            case 5:
                return Call("sum", (self.grow((rows, other), d),), axis=1)
            case 6:
                return Product(self.solid(rows, d), self.grow(shape, d))
            case 7:
                return Add(self.grow(shape, d), self.grow(("1", "1"), d))
            case 8:
                return Product(self.grow((rows, other), d), Ones(other))
            case _:
                return self.common(shape, d)

    def matrix(self, shape: Shape, d: int) -> Expression:
        rows, columns = shape
        other = self.random.choice(DIMENSIONS)
        square = rows == columns
        match self.random.randrange(14):
            case 0 | 1 | 2:
                return Product(self.grow((rows, other), d), self.grow((other, columns), d))
            case 3 | 4:
                return Transpose(self.grow((columns, rows), d))
            case 5:
                return Add(self.grow(shape, d), self.grow(self.random.choice(((rows, "1"), ("1", columns))), d))
            case 6:
                return Product(self.grow((rows, "1"), d), self.grow((columns, "1"), d), "⊗")
            case 7:
                return Call("softmax", (self.grow(shape, d),), axis=self.random.choice((None, 0, 1)))
            case 8 if square:
                return Call("diag", (self.grow((rows, "1"), d),))
            case 9 if square:
                return self.solid(rows, d)
            case 10 if square:
                return Power(self.grow(shape, d), number(2))
            case 11:
                return Product(self.grow((rows, "1"), d), Transpose(self.grow((columns, "1"), d)))
            case _:
                return self.common(shape, d)

    def solid(self, dim: str, d: int) -> Expression:
        """The inverse of a matrix that is far from singular."""
        inner = Call("tanh", (self.grow((dim, dim), d),))
        return Inverse(Add(inner, Product(number(8), Identity(dim))))
