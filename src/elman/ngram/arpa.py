r"""ARPA files, the text format of n-gram models that KenLM, SRILM and others write.

    \data\
    ngram 1=4
    ngram 2=3

    \1-grams:
    -0.7    <unk>
    -99     <s>     -0.3
    …
    \end\

A line is log10 p, the words, and log10 of the backoff weight where there is one. White space and backslashes inside a
token are written \xNN or \uNNNN.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from elman.errors import TextError
from elman.files import open_input
from elman.ngram.model import NgramModel, Order

Floats = NDArray[np.floating[Any]]
Counts = NDArray[np.int64]

BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"
BLOCK = 100_000
"""The lines that are read or written at a time."""
LARGEST = 2**38
"""The most bytes of a file."""
IMPOSSIBLE = -99.0
"""log10 p of what is never predicted, as SRILM writes it; a smaller one is read as this one."""

_ESCAPED = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4}))")


def escaped(token: str) -> str:
    """A token without white space."""
    return "".join(
        c if not c.isspace() and c != "\\" else f"\\x{ord(c):02x}" if ord(c) < 256 else f"\\u{ord(c):04x}"
        for c in token
    )


def unescaped(name: str) -> str:
    """The token that was written so."""
    return _ESCAPED.sub(lambda match: chr(int(match[1] or match[2], 16)), name)


def save_arpa(model: NgramModel, tokens: Sequence[str], unk: int | None, path: Path) -> None:
    """Writes a model as an ARPA file, as `write_arpa` does."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        write_arpa(model, tokens, unk, file)


def write_arpa(model: NgramModel, tokens: Sequence[str], unk: int | None, file: IO[str]) -> None:
    """Writes a model; tokens: the text of each token, of which `unk` is written `<unk>` and the line end `</s>`."""
    names = [*map(escaped, tokens), BEGIN]
    names[model.eos] = END
    if unk is not None:
        names[unk] = UNKNOWN
    if len(set(names)) < len(names):
        raise TextError(
            "two tokens have the same name in an ARPA file: <s>, </s> and <unk> have a meaning of their own"
        )
    file.write("\\data\\\n")
    for n, order in enumerate(model.orders, 1):
        file.write(f"ngram {n}={len(order)}\n")
    before = [""]
    for n, order in enumerate(model.orders, 1):
        file.write(f"\n\\{n}-grams:\n")
        written = [
            f"{before[c]} {names[w]}" if n > 1 else names[w] for c, w in zip(order.context, order.word, strict=True)
        ]
        log_probs, backoffs = order.log_prob / math.log(10), order.backoff / math.log(10)
        has_backoff = n < model.order
        for k, text in enumerate(written):
            log_prob = 0.0 if n == 1 and text == BEGIN else log_probs[k]
            file.write(f"{log_prob:.7g}\t{text}" + (f"\t{backoffs[k]:.7g}\n" if has_backoff else "\n"))
        before = written
    file.write("\n\\end\\\n")


def read_arpa(path: Path, ids: Mapping[str, int] | None = None) -> tuple[NgramModel, list[str]]:
    """The model of an ARPA file and its tokens, by id.

    ids: the ids of a network's tokens (with `</s>` for its line end), which the model then has; n-grams with other
    words are left out, and a token that the file does not have gets the probability of `<unk>`. Raises TextError, with
    the line, for a file that is no ARPA file.
    """
    with open_input(path, LARGEST, TextError, "give an ARPA file") as stream:
        return _Reader(stream, str(path), ids).read()


class _Reader:
    """One pass over a file."""

    def __init__(self, stream: IO[bytes], name: str, ids: Mapping[str, int] | None) -> None:
        self.stream, self.name, self.line_number = stream, name, 0
        self.given = ids
        self.index: dict[bytes, int] = {}
        self.tokens: list[str] = []

    def fault(self, reason: str) -> TextError:
        return TextError(f"{self.name} is no ARPA file: line {self.line_number} {reason}")

    def line(self) -> bytes:
        """The next line that is not empty, without its end."""
        for line in self.stream:
            self.line_number += 1
            if line.strip():
                return line.strip()
        self.line_number += 1
        raise self.fault("ends too soon, before \\end\\")

    def read(self) -> tuple[NgramModel, list[str]]:
        sizes = self._sizes()
        orders: list[Order] = []
        keys: list[Counts] = []
        for n, size in enumerate(sizes, 1):
            words, log_prob, backoff = self._section(n, size)
            if n == 1:
                orders.append(self._single_words(words[:, 0], log_prob, backoff))
                continue
            kept = (words >= 0).all(axis=1) & (words[:, 1:] < self.V).all(axis=1)
            words, log_prob, backoff = words[kept], log_prob[kept], backoff[kept]
            context = words[:, 0]
            for k in range(1, n - 1):
                context = _rows(keys[k - 1], context * (self.V + 1) + words[:, k])
            if (context < 0).any():
                raise self.fault(f"ends {n}-grams of which one has a context that is no {n - 1}-gram")
            key = context * (self.V + 1) + words[:, -1]
            order = np.argsort(key, kind="stable")
            if len(key) > 1 and (np.diff(key[order]) == 0).any():
                raise self.fault(f"ends {n}-grams of which two are equal")
            keys.append(key[order])
            orders.append(Order(context[order], words[order, -1], log_prob[order], backoff[order]))
        if (line := self.line()) != b"\\end\\":
            raise self.fault(f"is {_shown(line)}, expected \\end\\")
        return NgramModel(orders, self.index[END.encode()]), self.tokens

    def _sizes(self) -> list[int]:
        """The number of n-grams of each order, from the head of the file."""
        if (line := self.line()) != b"\\data\\":
            raise self.fault(f"is {_shown(line)}, expected \\data\\")
        sizes: list[int] = []
        while (line := self.line()) != b"\\1-grams:":
            match = re.fullmatch(rb"ngram\s+(\d{1,2})\s*=\s*(\d{1,15})", line)
            if match is None or int(match[1]) != len(sizes) + 1:
                raise self.fault(f"is {_shown(line)}, expected ngram {len(sizes) + 1}=COUNT")
            sizes.append(int(match[2]))
        if not sizes or not sizes[0]:
            raise self.fault("begins the 1-grams, and the file has none")
        return sizes

    def _section(self, n: int, size: int) -> tuple[Counts, Floats, Floats]:
        """The words [M,n] of all n-grams of one order, -1 for a word that is left out, and their figures as ln [M]."""
        if n > 1 and (line := self.line()) != b"\\%d-grams:" % n:
            raise self.fault(f"is {_shown(line)}, expected \\{n}-grams:")
        words, log_probs, backoffs = [], [], []
        for start in range(0, size, BLOCK):
            lines = [self.line() for _ in range(min(BLOCK, size - start))]
            w, p, b = self._parsed(lines, n)
            words.append(w)
            log_probs.append(p)
            backoffs.append(b)
        if not words:
            return np.zeros((0, n), np.int64), np.zeros(0, np.float32), np.zeros(0, np.float32)
        return np.concatenate(words), np.concatenate(log_probs), np.concatenate(backoffs)

    def _parsed(self, lines: list[bytes], n: int) -> tuple[Counts, Floats, Floats]:
        fields = [line.split() for line in lines]
        for k, field in enumerate(fields):
            if not n + 1 <= len(field) <= n + 2:
                self.line_number -= len(lines) - 1 - k
                raise self.fault(
                    f"is {_shown(lines[k])}, expected log10 p, {n} word{'s' * (n > 1)}, and a backoff or none"
                )
        names = list(itertools.chain.from_iterable(field[1 : n + 1] for field in fields))
        if n == 1:
            self._add(names)
        found = np.fromiter((self.index.get(name, -2) for name in names), np.int64, len(names)).reshape(-1, n)
        if (found == -2).any():
            row = int(np.flatnonzero((found == -2).any(axis=1))[0])
            self.line_number -= len(lines) - 1 - row
            raise self.fault(f"is {_shown(lines[row])}, which has a word that is no 1-gram")
        return (
            found,
            self._numbers([f[0] for f in fields], lines),
            self._numbers([f[n + 1] if len(f) == n + 2 else b"0" for f in fields], lines),
        )

    def _numbers(self, texts: list[bytes], lines: list[bytes]) -> Floats:
        """Logarithms to base 10 as natural ones, none below `IMPOSSIBLE`."""
        try:
            values = np.array(texts).astype(np.float64)
        except ValueError:
            values = np.array([_number(text) for text in texts])
        if not np.isfinite(values).all() and not (values[~np.isfinite(values)] == -np.inf).all():
            row = int(np.flatnonzero(~np.isfinite(values) & (values != -np.inf))[0])
            self.line_number -= len(lines) - 1 - row
            raise self.fault(f"is {_shown(lines[row])}, whose logarithm is no number")
        return (np.maximum(values, IMPOSSIBLE) * math.log(10)).astype(np.float32)

    def _add(self, names: list[bytes]) -> None:
        """Gives each word of the 1-grams its id: that of the network, -1 if this has none, or the next one."""
        for name in names:
            if name in self.index:
                raise self.fault(f"ends 1-grams of which {_shown(name)} is one twice")
            if name == BEGIN.encode():
                self.index[name] = -1  # known when all words are
                continue
            token = unescaped(name.decode(errors="backslashreplace"))
            if self.given is None:
                self.index[name] = len(self.tokens)
                self.tokens.append(token)
            else:
                self.index[name] = self.given.get(token, -1)

    def _single_words(self, words: Counts, log_prob: Floats, backoff: Floats) -> Order:
        """The 1-grams by id; a token that the file does not have gets what `<unk>` has."""
        if self.given is not None:
            self.tokens = sorted(self.given, key=lambda token: self.given[token])  # type: ignore[index]
        if END.encode() not in self.index or self.index[END.encode()] < 0:
            raise self.fault("ends the 1-grams, and </s> is none of them")
        self.V = len(self.tokens)
        begins = np.array([name == BEGIN.encode() for name in self.index])
        self.index[BEGIN.encode()] = self.V
        words = np.where(begins, self.V, words)
        unknown = (
            int(np.flatnonzero([name == UNKNOWN.encode() for name in self.index])[0])
            if UNKNOWN.encode() in self.index
            else None
        )
        rest = IMPOSSIBLE * math.log(10) if unknown is None else float(log_prob[unknown])
        p = np.full(self.V + 1, rest, np.float32)
        weight = np.zeros(self.V + 1, np.float32)
        there = words >= 0
        p[words[there]], weight[words[there]] = log_prob[there], backoff[there]
        p[self.V] = 0.0  # the beginning of a line is given
        every = np.arange(self.V + 1)
        return Order(np.zeros(self.V + 1, np.int64), every, p, weight)


def _rows(keys: Counts, wanted: Counts) -> Counts:
    """The rows of n-grams by their keys; -1 for those that are not there."""
    if not len(keys):
        return np.full(len(wanted), -1)
    at = np.searchsorted(keys, wanted)
    at[at == len(keys)] = 0
    return np.where(keys[at] == wanted, at, -1)


def _number(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _shown(line: bytes) -> str:
    """A line for a message, at most 60 characters."""
    text = line[:60].decode(errors="backslashreplace")
    return repr(text + "…" * (len(line) > 60))
