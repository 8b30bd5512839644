"""The numbers behind the names of sizes, and the shapes of letters, at one evaluation point."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from elman.calculus.syntax.written_sizes import is_number, is_written
from elman.notes.model.page_model import PageModel
from elman.notes.oracle.evaluation_point import HORIZON, EvaluationPoint, UnknownSizeError

_PRIMES = (3, 5, 7, 2, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43)
_OTHERS = tuple(prime + 43 for prime in _PRIMES)  # 45 … 86, none of them one of the primes above
_FEW = 6  # names of sizes, of which none has a large number
_USES_OF_A_BOUND = 3  # a bound of a sum counts as much as this many uses in shapes
_LARGEST_INDEX = 30  # the largest index written as a number for which a size is made large enough
_FIRST_ELSEWHERE = 97  # the primes from here on are for names beyond those, and for numbers that no shape has


def sizes_of(
    shapes: Mapping[str, tuple[str, str]],
    shift: int = 0,
    others: Iterable[str] = (),
    exact: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """A number for each name of a size in `shapes`, and for those in `others`, all different, most of them primes; for
    those in `exact` the number there.

    A number beyond 9 is a name, too; products such as 4*H are left to be multiplied out. `shift` starts with a later
    prime, so that a second point has other sizes.
    """
    exact = exact or {}
    dims = [dim.replace(" ", "") for dim in (*(d for shape in shapes.values() for d in shape), *others)]
    names = list(dict.fromkeys(word for dim in dims for word in dim.split("*") if not is_number(word)))
    taken = {*dims, *map(str, exact.values())}
    free = [*(prime for prime in _PRIMES if str(prime) not in taken), *_OTHERS]
    more = primes_from(2 * _FIRST_ELSEWHERE)
    free += [next(more) for _ in range(len(names) - len(free))]
    return {name: exact.get(name, free[(i + shift) % len(free)]) for i, name in enumerate(names)}


def sizes_in(model: PageModel, shift: int = 0) -> dict[str, int]:
    """The same for a model: the sizes of its shapes, and those that bounds of sums alone name. Where these are many,
    the smallest numbers are for those that are used most; none is smaller than an index that is a number there.
    """
    found = sizes_of(model.shapes, shift, model.bounds.values(), model.exact)
    names = [name for name in found if name not in model.exact]
    if len(names) > _FEW:
        uses = Counter(word for shape in model.shapes.values() for dim in shape for word in dim.split("*"))
        uses.update(_USES_OF_A_BOUND * [*model.bounds.values()])
        by_use = sorted(names, key=lambda name: -uses[name])
        found |= dict(zip(by_use, [found[name] for name in names], strict=True))
    largest = _largest_indices(model)
    for name, least in largest.items():
        if name not in names or found[name] >= least:
            continue
        free = (n for n in names if found[n] >= least and found[name] >= largest.get(n, 0))
        other = min(free, key=found.__getitem__, default=None)
        if other is not None:
            found[name], found[other] = found[other], found[name]
        elif least <= _LARGEST_INDEX:
            found[name] = next(prime for prime in primes_from(least) if prime not in found.values())
    return found


def _largest_indices(model: PageModel) -> dict[str, int]:
    """The largest index that is a number, x_{i3}, by the name of the size that it counts."""
    largest: dict[str, int] = {}
    for name, indices in model.numbered.items():
        for size, index in zip(model.shapes.get(name, ()), indices, strict=False):
            largest[size] = max(index, largest.get(size, 0))
    return largest


def primes_from(start: int) -> Iterator[int]:
    """The primes from `start` (at least 2) on."""
    n = start
    while True:
        if all(n % k for k in range(2, int(n**0.5) + 1)):
            yield n
        n += 1


class Sizes:
    """The sizes of a model at a point: what names of sizes are, and which shapes letters have.

    `local` are the shapes of letters that only one statement has.
    """

    def __init__(self, model: PageModel, point: EvaluationPoint, local: Mapping[str, tuple[str, str]]) -> None:
        self.model = model
        self.point = point
        self.local = local
        self._known = dict(point.sizes)
        self._names = {number: name for name, number in reversed(model.said.items()) if number != "1"}
        self._elsewhere: dict[str, int] = {}  # numbers that no shape of the page has: 1_{784}
        self._recurring: dict[str, tuple[int, int]] = {}

    def number(self, number: int) -> int:
        """What a size written as a number, 784, is here: the number itself where it is no size of the page."""
        name = self._names.get(str(number))
        return self._known.get(str(number), number) if name is None else self.dimension(name)

    def dimension(self, name: str) -> int:
        """The size behind a name; T is the number of time steps unless a shape uses it.

        Raises `UnknownSizeError` for a name that no shape has.
        """
        total = 1
        for factor in name.replace(" ", "").split("*"):
            total *= self._factor(self._names.get(factor, factor))
        return total

    def _factor(self, name: str) -> int:
        if is_number(name):
            return int(name)
        size = self._known.get(name)
        if size is not None:
            return size
        if is_written(name):
            return self._size_elsewhere(name)
        if name in self.model.bounds:
            bound = self.model.bounds[name]
            return int(bound) if is_number(bound) else self._known[bound]
        if name == "T" or name in self.model.counts:
            return HORIZON
        raise UnknownSizeError(f"the dimension {name} is not known")

    def _size_elsewhere(self, number: str) -> int:
        """A size of its own for each number that no shape has: what is written with two such numbers does not fit."""
        if number not in self._elsewhere:
            taken = {*self._known.values(), *self._elsewhere.values()}
            self._elsewhere[number] = next(n for n in primes_from(_FIRST_ELSEWHERE) if n not in taken)
        return self._elsewhere[number]

    @cached_property
    def last(self) -> int:
        """The last time step."""
        return self.dimension("T")

    def shape(self, name: str) -> tuple[int, int] | None:
        """The declared shape of a name, or the one that was found for a recurring name; None where there is none."""
        declared = self.model.shapes.get(name) or self.local.get(name)
        if declared is None:
            return self._recurring.get(name)
        return self.dimension(declared[0]), self.dimension(declared[1])

    def declared_or_derived(self, name: str) -> tuple[int, int] | None:
        """The same, or else the shape that the section gives a name which an equation defines."""
        shape = self.shape(name)
        if shape is None and name in self.model.derived:
            rows, columns = self.model.derived[name]
            shape = self.dimension(rows), self.dimension(columns)
        return shape

    def set_recurring(self, name: str, shape: tuple[int, int]) -> None:
        """Records the shape that the equation of a recurring name gives it."""
        self._recurring[name] = shape

    def as_text(self, shape: tuple[int, ...]) -> str:
        """A shape in the page's own names: [V,B]."""
        names = {size: name for name, size in self._elsewhere.items()}
        names |= {size: name for name, size in reversed(self.point.sizes)}
        return "[" + ",".join(names.get(n, str(n)) if n != 1 else "1" for n in shape) + "]"
