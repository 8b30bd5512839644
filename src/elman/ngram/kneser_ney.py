"""Interpolated modified Kneser-Ney smoothing (Chen and Goodman 1998, with the discounts of their equation 26).

For an n-gram c w let a(c w) be its count: for the longest order how often it stands in the text, for a shorter one how
many different words stand before it; an n-gram at the beginning of a line, before which nothing stands, keeps its
count. With t_k the number of n-grams of an order for which a is k,

    Y = t_1 / (t_1 + 2 t_2),   D_k = k - (k + 1) Y t_{k+1} / t_k for k = 1, 2 and 3 (D_3 for every count from 3 on),
    p(w | c) = (a(c w) - D_a) / Σ_x a(c x) + γ(c) p(w | c without its first word),
    γ(c) = (D_1 N_1(c) + D_2 N_2(c) + D_3 N_3+(c)) / Σ_x a(c x),

N_k(c) the number of words with a(c w) = k. Below single words is 1 / V. These are the conventions of KenLM's lmplz
(Heafield et al. 2013), whose probabilities it has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.errors import ConfigError, TextError
from elman.ngram.model import NgramModel, Order
from elman.representation import short_repr

Ids = NDArray[np.integer[Any]]
Floats = NDArray[np.floating[Any]]
Counts = NDArray[np.int64]

MOST = 10
"""The highest order."""
FALLBACK = (0.5, 1.0, 1.5)
"""The discounts of an order whose counts of counts give none: in a text of a few lines, or of few distinct tokens."""


@dataclass(frozen=True)
class Table:
    """The distinct n-grams of one order, sorted by (context, word): arrays [M].

    context, word  as in `Order`
    suffix         the row of the n-gram without its first word, in the order below
    count          how often it stands in the text
    begins         whether it stands at the beginning of a line
    """

    context: Counts
    word: Counts
    suffix: Counts
    count: Counts
    begins: NDArray[np.bool_]

    __repr__ = short_repr


def train(tokens: Ids, V: int, eos: int, order: int = 5, lines: bool = True) -> NgramModel:
    """An n-gram model of a text.

    tokens  the ids of the text, [n]; each from 0 to V - 1
    eos     the line end
    order   the most words of an n-gram, 1 to 10
    lines   whether lines are sentences: nothing before a line counts in it, as in KenLM. Without it, the text is one
            stream, as suits bytes and characters

    Raises ConfigError for an order out of range, and TextError for a text without tokens.
    """
    if not 1 <= order <= MOST:
        raise ConfigError(f"the order of an n-gram model is {order}; it must be 1 to {MOST}")
    if not len(tokens):
        raise TextError("an n-gram model needs a text with at least one token")
    tables = count_ngrams(np.asarray(tokens, np.int64), V, eos, order, lines)
    adjusted = [adjusted_counts(tables, k) for k in range(order)]
    orders: list[Order] = []
    p_below = np.full(V + 1, 1 / V)
    for k, (table, a) in enumerate(zip(tables, adjusted, strict=True)):
        contexts = len(tables[k - 1].word) if k else 1
        p, weight = interpolated(table, a, contexts, p_below if k == 0 else p_below[table.suffix])
        if k:
            below = orders[-1]
            orders[-1] = Order(below.context, below.word, below.log_prob, _ln(weight))
        else:
            p[V] = 1.0  # the beginning of a line is given
        orders.append(Order(table.context, table.word, _ln(p), np.zeros(len(p), np.float32)))
        p_below = p
    return NgramModel(orders, eos, lines)


def _ln(p: Floats) -> Floats:
    return np.log(p).astype(np.float32)


def count_ngrams(tokens: Counts, V: int, eos: int, order: int, lines: bool) -> list[Table]:
    """The distinct n-grams of each order with their counts. Single words are all V tokens, and V, a line beginning."""
    words, place = _with_beginnings(tokens, V, eos) if lines else (tokens, np.arange(len(tokens)))
    tables = [_single_words(words, V)]
    rows = words  # the row of the n-gram that ends at each place
    for n in range(2, order + 1):
        ends = np.flatnonzero(place >= n - 1)
        keys = rows[ends - 1] * (V + 1) + words[ends]
        distinct, first, inverse, count = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
        suffix = rows[ends[first]]
        begins = np.zeros(len(distinct), bool)
        if lines:
            begins[inverse[place[ends] == n - 1]] = True
        tables.append(Table(distinct // (V + 1), distinct % (V + 1), suffix, count, begins))
        rows = np.full(len(words), -1)
        rows[ends] = inverse
    return tables


def _with_beginnings(tokens: Counts, V: int, eos: int) -> tuple[Counts, Counts]:
    """The tokens with V, the beginning of a line, before each line; and the place of each in its line, from 0."""
    starts = np.flatnonzero(np.concatenate([[True], tokens[:-1] == eos]))
    words = np.insert(tokens, starts, V)
    begins = np.flatnonzero(words == V)
    place = np.arange(len(words)) - np.repeat(begins, np.diff(np.append(begins, len(words))))
    return words, place


def _single_words(words: Counts, V: int) -> Table:
    count = np.bincount(words, minlength=V + 1)
    nothing = np.zeros(V + 1, np.int64)
    return Table(nothing, np.arange(V + 1), nothing, count, np.arange(V + 1) == V)


def adjusted_counts(tables: list[Table], k: int) -> Counts:
    """a of each n-gram of order k + 1: how many different words stand before it, or its count."""
    table = tables[k]
    if k + 1 == len(tables):
        a = table.count.copy()
    else:
        a = np.bincount(tables[k + 1].suffix, minlength=len(table.word))
        a = np.where(table.begins, table.count, np.maximum(a, k > 0))  # nothing stands before the first of a stream
    if k == 0:
        a[-1] = 0  # the beginning of a line is never predicted
    return a


def discounts(a: Counts) -> tuple[float, float, float]:
    """D_1, D_2 and D_3 of an order, from the numbers of n-grams with each count."""
    t = np.bincount(np.minimum(a, 5), minlength=6)[:5].astype(float)
    if not t[1:4].all():
        return FALLBACK
    Y = t[1] / (t[1] + 2 * t[2])
    found = tuple(k - (k + 1) * Y * t[k + 1] / t[k] for k in (1, 2, 3))
    return (found[0], found[1], found[2]) if all(0 <= D <= k for k, D in enumerate(found, 1)) else FALLBACK


def interpolated(table: Table, a: Counts, contexts: int, p_below: Floats) -> tuple[Floats, Floats]:
    """p of each n-gram [M], and γ of each context [contexts], 1 where nothing follows.

    p_below: of each n-gram, the probability of its word after the shorter context, [M].
    """
    D = np.array([0.0, *discounts(a)])
    total = np.bincount(table.context, a, contexts)
    reserved = np.bincount(table.context, D[np.minimum(a, 3)], contexts)  # D_1 N_1 + D_2 N_2 + D_3 N_3+
    followed = total > 0
    gamma = np.where(followed, reserved / np.where(followed, total, 1), 1.0)
    rest = a - D[np.minimum(a, 3)]
    p = rest / np.where(followed, total, 1)[table.context] + gamma[table.context] * p_below
    return p, gamma
