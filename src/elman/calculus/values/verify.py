"""Derivatives verified by the complex step at random points whose dimensions are pairwise different primes.

f(x + ih) has f'(x) h as its imaginary part, without the cancellation of a difference (Squire & Trapp, SIAM Review
1998).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from elman.calculus.expression import Call, Inverse, Symbol, children, symbols, walk
from elman.calculus.functions import Array
from elman.calculus.shapes.inference import Shapes
from elman.calculus.syntax.names import fold
from elman.calculus.syntax.written_sizes import is_number
from elman.calculus.values.environment import Environment
from elman.calculus.values.evaluate import evaluate
from elman.errors import FormulaError

POINTS = 3
STEP = 1e-30


@dataclass(frozen=True, slots=True)
class SamplePoint:
    """Sizes of the dimensions, values [m,n] of the symbols."""

    sizes: Mapping[str, int]
    values: Mapping[Symbol, Array]

    def scope(self, changed: Mapping[Symbol, Array] | None = None) -> Environment:
        """The scope in which an expression is evaluated here, some symbols changed; a dimension is a scalar, too."""
        now = {**self.values, **(changed or {})}

        def symbol(s: Symbol, _: Environment) -> Array:
            if s in now:
                return now[s]
            if s.time is None and fold(s.name) in self.sizes:
                return np.array([[float(self.sizes[fold(s.name)])]])
            raise FormulaError(f"{s.name} has no value")

        return Environment(symbol, self.size, written=lambda n: self.sizes.get(str(n), n), literal=True)

    def size(self, name: str) -> int:
        """The size of a dimension by its name; `FormulaError` if no shape has it."""
        if name in self.sizes:
            return self.sizes[name]
        raise FormulaError(f"the dimension {name} is not known")


def distinct_sizes(count: int, taken: Collection[int] = ()) -> list[int]:
    """Pairwise different primes, 3, 5, 2, 7, 11, …, as many as asked for, none of them in `taken`.

    Every name of a size, and every size written as a number beyond 9, gets one of its own: two that are different on
    the page never fit together by accident.
    """
    primes = (n for n in itertools.count(7) if all(n % k for k in range(2, int(n**0.5) + 1)))
    return list(itertools.islice((n for n in itertools.chain((3, 5, 2), primes) if n not in taken), count))


def points(
    shapes: Shapes, distributions: set[str], axis: int = 0, seed: int = 0, count: int = POINTS
) -> Iterator[SamplePoint]:
    """Random points at which the formula has a finite real value; the columns of `distributions` sum to 1, or the rows
    where `axis` is 1.

    Raises `FormulaError` if there is none among those tried.
    """
    generator = np.random.default_rng(seed)
    dims = list(shapes.dimensions())
    primes = distinct_sizes(len(dims), {int(d) for d in shapes.literal_sizes()})
    orders = [dims[k:] + dims[:k] for k in range(max(1, len(dims)))]
    orders += [order[::-1] for order in orders]
    found = 0
    for number, draw in itertools.product(range(2 * count), _DRAWS):
        order = orders[(found + number) % len(orders)]
        sizes = dict(zip(order, primes, strict=True))
        point = SamplePoint(sizes, _values(shapes, sizes, distributions, axis, generator, draw))
        if _is_sound(shapes, point, generator):
            yield point
            found += 1
            if found == count:
                return
    if found == 0:
        raise FormulaError("no point was found at which this formula has a real value")


def _is_sound(shapes: Shapes, point: SamplePoint, generator: np.random.Generator) -> bool:
    """Whether the formula has a finite real value here that does not depend on rounding, as a singular inverse does."""
    nearby = {s: v * (1 + 1e-12 * generator.standard_normal(v.shape)) for s, v in point.values.items()}
    with np.errstate(all="ignore"):
        try:
            value, near = evaluate(shapes.tree, point.scope()), evaluate(shapes.tree, point.scope(nearby))
            for node in walk(shapes.tree):
                if isinstance(node, Inverse) or (isinstance(node, Call) and node.function == "det"):
                    inner = evaluate(children(node)[0], point.scope())
                    if not np.isfinite(inner).all() or not np.linalg.cond(inner) < 1e5:
                        return False
        except (FormulaError, np.linalg.LinAlgError):
            return False
    if not (np.isfinite(value).all() and np.isfinite(near).all() and np.isrealobj(value)):
        return False
    return float(np.abs(value - near).max(initial=0.0)) <= 1e-7 * float(np.abs(value).max(initial=0.0))


Draw = Callable[[np.random.Generator, tuple[int, int]], Array]


def _identity(shape: tuple[int, int]) -> Array:
    return 2 * np.eye(*shape) if shape[0] == shape[1] > 1 else np.zeros(shape)


_DRAWS: tuple[Draw, ...] = (
    lambda g, shape: 0.6 * g.standard_normal(shape) + _identity(shape),
    lambda g, shape: g.uniform(0.2, 1.0, shape) + _identity(shape),
    lambda g, shape: g.uniform(0.02, 0.2, shape) + _identity(shape) / 4,
    lambda g, shape: g.uniform(1.0, 2.0, shape) + 4 * _identity(shape),
    lambda g, shape: g.standard_normal(shape),
    lambda g, shape: -g.uniform(0.2, 1.0, shape) - _identity(shape),
    lambda g, shape: g.standard_normal(shape),
    lambda g, shape: g.uniform(-1.0, 2.0, shape),
)


def _values(
    shapes: Shapes,
    sizes: Mapping[str, int],
    distributions: set[str],
    axis: int,
    generator: np.random.Generator,
    draw: Draw,
) -> dict[Symbol, Array]:
    values: dict[Symbol, Array] = {}
    for s in sorted(symbols(shapes.tree), key=lambda s: (s.name, str(s.time))):
        if s.name in shapes.sizes:
            continue  # its value is the size
        rows, columns = (int(d) if is_number(d) else sizes[d] for d in shapes.symbols[s.name])
        value = draw(generator, (rows, columns))
        if s.name in distributions:
            value = generator.uniform(0.2, 1.0, (rows, columns))
            value = value / value.sum(axis if 1 not in value.shape else int(rows == 1), keepdims=True)
        values[s] = _STRUCTURES[s.structure](value)
    return values


_STRUCTURES: dict[str, Callable[[Array], Array]] = {
    "": lambda a: a,
    "symmetric": lambda a: (a + a.T) / 2,
    "diagonal": lambda a: a * np.eye(len(a)),
}


def complex_step(shapes: Shapes, wrt: Symbol, point: SamplePoint) -> Array:
    """∂f/∂wrt at a point by complex step: [rows of wrt, columns of wrt, rows of f, columns of f]."""
    x = point.values[wrt]
    steps = np.eye(x.size).reshape(x.size, *x.shape) * (1j * STEP)
    with np.errstate(all="ignore"):
        value = evaluate(shapes.tree, point.scope({wrt: x + steps}))
    slopes = np.broadcast_to(value.imag / STEP, (x.size, *value.shape[-2:]))
    return slopes.reshape(*x.shape, *value.shape[-2:])


def relative_error(found: Array, true: Array) -> float:
    """The largest difference over the largest entry (or 0.001 where all are smaller); infinite where shapes differ."""
    if found.shape != true.shape or not np.isfinite(found).all() or not np.isfinite(true).all():
        return float("inf")
    scale = max(float(np.abs(true).max(initial=0.0)), 1e-3)
    return float(np.abs(found - true).max(initial=0.0)) / scale
