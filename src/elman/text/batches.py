"""Token files, and the parallel streams that training reads from them.

The tokens of a text are stored in a .npy file, in the smallest unsigned type that holds V. The file is memory-mapped:
training reads one window at a time, whatever the size of the text. The first token is a line end. It is the input from
which the first real token is predicted, so that all tokens are predicted.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from elman.errors import CheckpointError, ConfigError, TextError
from elman.files import open_input
from elman.schema import Source
from elman.text.corpus import LARGEST_TEXT
from elman.text.tokenizer import Ids, Tokenizer
from elman.wording import count


@dataclass(frozen=True)
class TokenCounts:
    """Of a token file.

    tokens  how many are predicted
    oov     how many of them are not in the vocabulary
    unk     how many are `<unk>`: these, and those that are written so
    sha256  the checksum of all, for `open_tokens`
    """

    tokens: int
    oov: int
    unk: int
    sha256: str


def encode_stream(pieces: Iterable[str], tokenizer: Tokenizer) -> Iterator[tuple[Ids, NDArray[np.bool_]]]:
    """Yields (ids, oov) of each piece. At word level a line end is added if the last line has none."""
    last = "\n"
    for piece in tokenizer.as_read(pieces):
        if piece:
            last = piece[-1]
            yield tokenizer.encode_with_oov(piece)
    if tokenizer.level == "word" and last != "\n":
        yield np.array([tokenizer.eos]), np.array([False])


def count_tokens(pieces: Iterable[str], tokenizer: Tokenizer) -> NDArray[np.int64]:
    """How often each token occurs in a text, int64 [V]."""
    counts = np.zeros(tokenizer.V, np.int64)
    for ids, _ in encode_stream(pieces, tokenizer):
        counts += np.bincount(ids, minlength=tokenizer.V)
    return counts


def write_tokens(
    path: Path, pieces: Iterable[str], tokenizer: Tokenizer, what: str = "the text", advice: str = "give a longer text"
) -> TokenCounts:
    """Writes the tokens of a text to a .npy file, piece by piece.

    Raises TextError for a text of under two tokens: what it is, and what to do.
    """
    dtype = np.min_scalar_type(tokenizer.V - 1)
    tokens = unknown = unk = 0
    digest = hashlib.sha256()
    with path.open("wb") as file:

        def write(ids: Ids) -> None:
            data = ids.astype(dtype).tobytes()
            file.write(data)
            digest.update(data)

        _write_header(file, dtype, 0)  # overwritten at the end; until then the file has no tokens
        start = file.tell()
        write(np.array([tokenizer.eos]))
        for ids, oov in encode_stream(pieces, tokenizer):
            write(ids)
            tokens += len(ids)
            unknown += int(oov.sum())
            unk += int((ids == tokenizer.unk).sum()) if tokenizer.unk is not None else 0
        file.seek(0)
        _write_header(file, dtype, tokens + 1)
        assert file.tell() == start  # the header's size does not depend on the number of tokens
    if tokens < 2:
        raise TextError(f"{what} has {count(tokens, 'token')}, and at least 2 are needed: {advice}")
    return TokenCounts(tokens, unknown, unk, digest.hexdigest())


def _write_header(file: Any, dtype: np.dtype[Any], length: int) -> None:
    """Version 1.0 of the .npy format, padded with spaces to a fixed size, so that it can be overwritten in place."""
    content = f"{{'descr': {dtype.str!r}, 'fortran_order': False, 'shape': ({length},), }}"
    padded = content.ljust(128 - 10 - 1) + "\n"
    file.write(np.lib.format.magic(1, 0) + len(padded).to_bytes(2, "little") + padded.encode("ascii"))


def open_tokens(path: Path, sha256: str | None = None, *, V: int | None = None) -> NDArray[np.unsignedinteger[Any]]:
    """The tokens of a file, memory-mapped and read-only. Raises CheckpointError where `write_tokens` did not write it.

    sha256: the checksum that `write_tokens` returned; V: the size of the vocabulary; None: it is not known.

    The header is read here, not by NumPy: there is one form of it alone, and a damaged one may ask for any memory.
    """
    source = Source(f"{path} is damaged", CheckpointError, "train again from the text")
    with open_input(path, LARGEST_TEXT, CheckpointError, "train again from the text") as file:
        start, size = _HEADER_BYTES, os.fstat(file.fileno()).st_size
        header = _HEADER.fullmatch(file.read(start))
        if header is None:
            raise source.fault("its header is not that of a file of tokens")
        dtype, length = np.dtype(header["type"].decode()), int(header["length"])
        if length * dtype.itemsize != size - start:
            raise source.fault(
                f"its header says {length:,} tokens of {dtype.itemsize} bytes, it has {size - start:,} bytes"
            )
        if length < 3:
            raise CheckpointError(f"{path} has no tokens in it: train again from the text")
        if sha256 is not None and _checksum(file) != sha256:
            raise source.fault("its content does not match its checksum")
        tokens = np.memmap(file, dtype, "r", start, (length,))
    if V is not None and (largest := int(tokens.max())) >= V:
        raise source.fault(f"it has the token id {largest:,}, and the vocabulary has {V:,} tokens")
    return tokens


def _checksum(file: BinaryIO) -> str:
    """Of the rest of the file, a block at a time."""
    digest = hashlib.sha256()
    while block := file.read(2**20):
        digest.update(block)
    return digest.hexdigest()


_HEADER_BYTES = 128
_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00v\x00\{'descr': '(?P<type>\|u1|<u[248])', 'fortran_order': False, "
    rb"'shape': \((?P<length>[0-9]{1,15}),\), \} *\n"
)
"""What `_write_header` writes."""


class Streams:
    """B parallel streams over N+1 tokens, cut into windows of T steps.

    Each stream predicts L = ⌈N/B⌉ tokens, and stream b starts at ⌊b (N-L)/(B-1)⌋, so that all tokens are predicted. If
    B does not divide N, fewer than B of them are predicted twice in a pass. The last window may be shorter.
    Raises TextError where the text is shorter than one window, ConfigError for B or T below 1.
    """

    def __init__(self, tokens: NDArray[Any], B: int, T: int) -> None:
        if B < 1 or T < 1:
            raise ConfigError(f"batch size {B} and window {T} must both be at least 1")
        N = len(tokens) - 1
        if N < B * T:
            raise TextError(
                f"the text has {N:,} tokens, fewer than one window of {B} streams of {T}, {B * T:,}: "
                "give a longer text, or a smaller --batch-size or --bptt"
            )
        self.tokens, self.B, self.T = tokens, B, T
        self.predictions = N
        self.length = -(-N // B)
        self.starts = [b * (N - self.length) // (B - 1) if B > 1 else 0 for b in range(B)]

    @property
    def tokens_per_pass(self) -> int:
        """The predictions of one pass, B·L: `predictions`, plus the fewer than B that are made twice."""
        return self.B * self.length

    def __len__(self) -> int:
        return -(-self.length // self.T)

    def window(self, k: int) -> tuple[Ids, Ids]:
        """x and y of the k-th window, int64 [T,B] each, in C order."""
        begin, end = k * self.T, min((k + 1) * self.T, self.length)
        both = np.empty((end - begin + 1, self.B), np.int64)
        for b, start in enumerate(self.starts):
            both[:, b] = self.tokens[start + begin : start + end + 1]
        return both[:-1], both[1:]
