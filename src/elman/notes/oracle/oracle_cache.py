"""Oracles that equal models share, and sizes for the names of dimensions."""

from __future__ import annotations

from collections.abc import Mapping

from elman.calculus.syntax.written_sizes import is_number
from elman.notes.model.page_model import PageModel
from elman.notes.oracle.evaluation_point import PRIMES, EvaluationPoint
from elman.notes.oracle.oracle import Oracle

_SHARED: dict[object, Oracle] = {}
SHARED_SIZE = 64


def sizes_of(shapes: dict[str, tuple[str, str]], shift: int = 0) -> dict[str, int]:
    """A prime for every name of a size, all different, the `shift` next ones in the place of the first; products are
    left to be multiplied out. A number beyond 9 is a name.
    """
    dims = [dim.replace(" ", "") for shape in shapes.values() for dim in shape]
    names = dict.fromkeys(word for dim in dims for word in dim.split("*") if not is_number(word))
    free = [prime for prime in PRIMES if str(prime) not in dims]
    free += [prime + 43 for prime in PRIMES]
    return {name: free[(i + shift) % len(free)] for i, name in enumerate(names)}


def model_key(model: PageModel) -> tuple[object, ...]:
    """All of a model that a value can depend on."""
    roles = model.roles
    return (
        tuple(sorted(model.shapes.items())), tuple(sorted(model.derived.items())),
        tuple((n, tuple((d.time, d.value) for d in f)) for n, f in sorted(model.equations.items())),
        tuple((n, tuple((d.time, d.value) for d in f)) for n, f in sorted(model.named.items())),
        tuple((k, d.value) for k, d in model.start.items()), model.timed, model.families, tuple(model.said.items()),
        roles.targets, roles.positive, roles.recurrent, roles.losses, tuple(sorted(roles.turned.items())),
    )  # fmt: skip


def shared_oracle(
    model: PageModel, point: EvaluationPoint, local: Mapping[str, tuple[str, str]] | None = None
) -> Oracle:
    """The oracle of a model at a point, `local` letters with their shapes; equal models share what was found."""
    key = (*model_key(model), point, tuple(sorted((local or {}).items())))
    if key not in _SHARED:
        while len(_SHARED) >= SHARED_SIZE:
            _SHARED.pop(next(iter(_SHARED)))
        _SHARED[key] = Oracle(model, point, dict(local or {}))
    return _SHARED[key]
