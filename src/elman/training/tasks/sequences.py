"""The sequences of the synthetic tasks, drawn from a generator.

temporal-order  c d … A … f B … e: A or B is at one step in [T/10, 2T/10) and at one in [5T/10, 6T/10), c to f at all
                others; at the end the network says which pair it was, AA, AB, BA or BB (Hochreiter and Schmidhuber
                1997, task 6a; Pascanu, Mikolov and Bengio 2013).
adding          (value, marker) at every step, values uniform in [0,1), two of them marked, one in the first tenth and
                one in the next four; at the end half the sum of the two (the same two papers).
copying         10 symbols of 5, then T blanks, a signal, and then the 10 in their order (the same; "memorization"
                in the second).
xor             bits, every third the exclusive or of the two before it; the network predicts the next (Elman 1990).
anbn            a^n b^n, n from 1 to 10, one after the other; the network predicts the next letter (Wiles and Elman
                1995; Rodriguez, Wiles and Elman 1999). From the first b of a string on, the next letter is determined
                until the next string has begun.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from elman.training.problem import Batch

Draw = Callable[[np.random.Generator, int, int], Batch]

SYMBOLS, COPIED = 5, 10
"""Of `copying`: how many symbols there are, and how many are to be copied."""
LONGEST_STRING = 10
"""Of `anbn`: the largest n."""

VOCABULARY: dict[str, tuple[str, ...]] = {
    "temporal-order": ("A", "B", "c", "d", "e", "f", "AA", "AB", "BA", "BB"),
    "adding": ("value", "marker"),
    "copying": ("1", "2", "3", "4", "5", "blank", "copy"),
    "xor": ("0", "1"),
    "anbn": ("a", "b"),
}
"""The tokens that a network reads and predicts, from id OFFSET on."""
OFFSET = 2
"""The ids before those: `<unk>` and `<eos>`, as in every vocabulary of words."""


def temporal_order(generator: np.random.Generator, T: int, B: int) -> Batch:
    """x [T,B] with two of A, B among c to f; y [1,B], the pair."""
    tenth, each = T // 10, np.arange(B)
    x = generator.integers(2, 6, (T, B))
    first, second = generator.integers(0, 2, (2, B))
    x[tenth + generator.integers(0, tenth, B), each] = first
    x[5 * T // 10 + generator.integers(0, tenth, B), each] = second
    return Batch(x, (6 + 2 * first + second)[None], T - 1)


def adding(generator: np.random.Generator, T: int, B: int) -> Batch:
    """x [T,B,2] of values and markers; y [1,B], half the sum of the marked values."""
    tenth, each = T // 10, np.arange(B)
    x = np.zeros((T, B, 2))
    x[..., 0] = generator.uniform(size=(T, B))
    first, second = generator.integers(0, tenth, B), tenth + generator.integers(0, 4 * T // 10, B)
    x[first, each, 1] = x[second, each, 1] = 1
    return Batch(x, ((x[first, each, 0] + x[second, each, 0]) / 2)[None], T - 1)


def copying(generator: np.random.Generator, T: int, B: int) -> Batch:
    """x [T+20,B]: the symbols, blanks, the signal, blanks; y [10,B], the symbols."""
    symbols = generator.integers(0, SYMBOLS, (COPIED, B))
    x = np.full((T + 2 * COPIED, B), SYMBOLS)
    x[:COPIED] = symbols
    x[T + COPIED - 1] = SYMBOLS + 1
    return Batch(x, symbols, T + COPIED)


def xor(generator: np.random.Generator, T: int, B: int) -> Batch:
    """x [T,B] of bits; y [T,B], the next ones."""
    bits = generator.integers(0, 2, (T // 3 + 1, 3, B))
    bits[:, 2] = bits[:, 0] ^ bits[:, 1]
    stream = bits.reshape(-1, B)[: T + 1]
    return Batch(stream[:-1], stream[1:])


def anbn(generator: np.random.Generator, T: int, B: int) -> Batch:
    """x [T,B] of letters; y [T,B], the next ones."""
    streams = np.empty((T + 1, B), np.int64)
    for b in range(B):
        letters: list[int] = []
        while len(letters) <= T:
            n = int(generator.integers(1, LONGEST_STRING + 1))
            letters += [0] * n + [1] * n
        streams[:, b] = letters[: T + 1]
    return Batch(streams[:-1], streams[1:])


DRAW: dict[str, Draw] = {
    "temporal-order": temporal_order, "adding": adding, "copying": copying, "xor": xor, "anbn": anbn,
}  # fmt: skip
"""Each task's sequences, with ids from 0 on. To add a task: a function here, its words, its name in elman.config."""


def predictable(name: str, batch: Batch) -> NDArray[np.bool_]:
    """Which y follow from the tokens before them, bool [T-first,B]; the batch has the ids of the vocabulary."""
    known = np.ones(batch.y.shape, bool)
    if name == "xor":
        known[:] = (np.arange(1, len(known) + 1) % 3 == 2)[:, None]
    elif name == "anbn":  # after an a either letter may follow; after a b the next is determined
        known = batch.x == OFFSET + 1
    return known
