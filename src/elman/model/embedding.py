"""The embedding: from tokens to vectors (docs/derivation.md, sections 1 and 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.kernels import Groups, Kernels
from elman.representation import short_repr

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]


def shapes(V: int, d: int) -> dict[str, tuple[int, ...]]:
    """The shapes of the parameters."""
    return {"E": (V, d)}


@dataclass
class Rows:
    """A gradient that is zero except in some rows: `values[k]` is row `index[k]`; no row occurs twice.

    index [n], as in `Groups`: a row below 0 is one of a token that does not occur · values [n,d] · shape (V, d), that
    of the whole. Of a vector: values [n], shape (V,).
    """

    index: Integers
    values: Floats
    shape: tuple[int, ...]

    __repr__ = short_repr

    def dense(self) -> Floats:
        """The whole [V,d] array."""
        values: Any = self.values
        on_host = isinstance(values, np.ndarray)
        whole: Floats = np.zeros(self.shape, values.dtype) if on_host else values.new_zeros(self.shape)
        whole[self.index] = values
        return whole


@dataclass(slots=True)
class Embedded:
    """e of a window x [T,B], and what its backward pass needs again: the input of a layer.

    Above the first layer e is h of the layer below, and nothing else but the mask is there. Where nothing
    distinguishes two occurrences of a token, their e is computed once; dropout and real inputs do.

    e      [n,d], one row for each distinct token; or [T·B,d], one for each token, in time order
    rows   int [T,B]: e[rows[t,b]] is what sequence b reads at step t; None where e has a row for each token
    words  which tokens of x are the same; None where e has no tokens
    mask   [T·B,d], the dropout of e; None without
    x      [T·B,V], real inputs; None for tokens
    """

    e: Floats
    rows: Integers | None
    words: Groups | None
    mask: Floats | None = None
    x: Floats | None = None

    __repr__ = short_repr


@dataclass(slots=True)
class Embedding:
    """e = E x. E [V,d]: a row for each token, the transpose of the notes' E."""

    E: Floats
    kernels: Kernels

    __repr__ = short_repr

    def forward(self, x: Integers, mask: Floats | None = None) -> Embedded:
        """e of tokens x int [T,B]; mask [T,B,d] for dropout."""
        words = self.kernels.group(x.reshape(-1), len(self.E))
        e = self.E[words.index]  # e = E x                                                   [n,d]
        if mask is None:
            return Embedded(e, words.inverse.reshape(x.shape), words)
        mask = mask.reshape(-1, self.E.shape[1])
        return Embedded(e[words.inverse] * mask, None, words, mask)  # [T·B,d]

    def forward_of_reals(self, x: Floats) -> Embedded:
        """e of x [T,B,V], real numbers in place of one-hot columns: a mixture of tokens."""
        T, B, V = x.shape
        flat = self.kernels.array(np.ascontiguousarray(x.reshape(T * B, V)), self.E)
        e = self.kernels.product(flat, self.E)  # e = E x, as rows                                 [T·B,d]
        return Embedded(e, None, None, x=flat)

    def backward(self, de: Floats, embedded: Embedded) -> Rows:
        """dE from de, which has the shape of `embedded.e`."""
        V, d = self.E.shape
        if embedded.x is not None:
            dE = self.kernels.product(embedded.x, de, a_transposed=True)  # dE = Σ_i de^(i) x^(i)T   [V,d]
            return Rows(self.kernels.array(np.arange(V)), dE, (V, d))
        assert embedded.words is not None, "inputs that are not real are tokens"
        if embedded.mask is not None:
            de = self.kernels.sum_rows(de * embedded.mask, embedded.words)  # Σ over a token's occurrences [n,d]
        return Rows(embedded.words.index, de, (V, d))
