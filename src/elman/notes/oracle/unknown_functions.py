"""Functions that a page applies and does not define, φ(z) and l(o, y): smooth functions chosen by their names.

A claim that holds for any function holds for these; one that needs a property of the function does not.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from elman.calculus.functions import Array
from elman.errors import FormulaError


def entrywise_value(name: str, x: Array, primes: int, *, positive: bool = False) -> Array:
    """φ(x) = a x + b sin(c x + d) in each entry, or its derivative of the order `primes`; b e^{a x} + d e^{-c x} where
    it must be positive, as under a logarithm.
    """
    a, b, c, d = _coefficients(name)
    if positive:
        return np.asarray(b * a**primes * np.exp(a * x) + d * (-c) ** primes * np.exp(-c * x))
    wave: Array = b * c**primes * np.sin(c * x + d + primes * np.pi / 2)
    line: Array = a * x if primes == 0 else np.full_like(wave, a if primes == 1 else 0.0)
    return np.asarray(line + wave)


@lru_cache(maxsize=1024)
def _coefficients(name: str) -> tuple[float, ...]:
    """a, b, c, d of a function."""
    return tuple(np.random.default_rng(zlib.crc32(name.encode())).uniform(0.4, 1.1, 4))


def scalar_value(name: str, arguments: Sequence[Array], primes: int, *, positive: bool = False) -> Array:
    """l(o, y), a number [1,1] that depends on every entry of every argument, and on products of them; √(1 + l²) where
    it must be positive.

    Raises `FormulaError` for a derivative, which is by no one argument.
    """
    if primes:
        raise FormulaError(f"{name} is a number of several values: write by which of them it is differentiated")
    total = pull = np.zeros((1, 1))
    for k, x in enumerate(arguments):
        rows, columns = x.shape[-2:]
        weight, phase, along = _weights(name, k, rows, columns)
        total = total + (weight * np.sin(x + phase)).sum((-2, -1), keepdims=True)
        pull = pull + (along * x).sum((-2, -1), keepdims=True)
    value = total + 0.2 * pull * pull
    return np.asarray(np.sqrt(1 + value * value) if positive else value)


@lru_cache(maxsize=256)
def _weights(name: str, k: int, rows: int, columns: int) -> Array:
    """For each entry of the argument number k of a function, how it counts in the value: three of [rows,columns]."""
    drawn = np.random.default_rng([zlib.crc32(name.encode()), k]).uniform(0.4, 1.2, (3, rows, columns))
    drawn.setflags(write=False)
    return drawn
