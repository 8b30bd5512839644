"""Worlds that equal models share, and sizes for the names of dimensions."""

from __future__ import annotations

from collections.abc import Mapping

from elman.notes.model import Model
from elman.notes.point import PRIMES, Point
from elman.notes.world import World

_SHARED: dict[object, World] = {}
SHARED_SIZE = 64


def sizes_of(shapes: dict[str, tuple[str, str]]) -> dict[str, int]:
    """A prime for every name of a size, all different; products are left to be multiplied out."""
    names = dict.fromkeys(
        word
        for shape in shapes.values()
        for dim in shape
        for word in dim.replace(" ", "").split("*")
        if not word.isdigit()
    )
    return {name: PRIMES[i % len(PRIMES)] + (43 if i >= len(PRIMES) else 0) for i, name in enumerate(names)}


def model_key(model: Model) -> tuple[object, ...]:
    """All of a model that a value can depend on."""
    facts = model.facts
    return (
        tuple(sorted(model.shapes.items())), tuple(sorted(model.derived.items())),
        tuple((n, tuple((d.time, d.value) for d in f)) for n, f in sorted(model.equations.items())),
        tuple((n, tuple((d.time, d.value) for d in f)) for n, f in sorted(model.named.items())),
        tuple((k, d.value) for k, d in model.start.items()), model.timed, model.families,
        facts.targets, facts.positive, facts.recurrent, facts.losses, tuple(sorted(facts.turned.items())),
    )  # fmt: skip


def shared_world(model: Model, point: Point, local: Mapping[str, tuple[str, str]] | None = None) -> World:
    """The world of a model at a point, `local` letters with their shapes; equal models share what was found."""
    key = (*model_key(model), point, tuple(sorted((local or {}).items())))
    if key not in _SHARED:
        while len(_SHARED) >= SHARED_SIZE:
            _SHARED.pop(next(iter(_SHARED)))
        _SHARED[key] = World(model, point, dict(local or {}))
    return _SHARED[key]
