"""Token files and parallel streams."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.config import TextConfig
from elman.errors import CheckpointError, TextError
from elman.text.batches import Streams, open_tokens, write_tokens
from elman.text.tokenizer import Tokenizer


@settings(max_examples=100, deadline=None)
@given(N=st.integers(1, 200), B=st.integers(1, 9), T=st.integers(1, 12))
def test_every_token_is_predicted_and_fewer_than_B_twice(N: int, B: int, T: int) -> None:
    tokens = np.arange(N + 1)
    if N < B * T:
        with pytest.raises(TextError, match="fewer than one window"):
            Streams(tokens, B, T)
        return
    streams = Streams(tokens, B, T)
    windows = [streams.window(k) for k in range(len(streams))]
    predicted = np.concatenate([y.ravel() for _, y in windows])
    assert set(predicted.tolist()) == set(range(1, N + 1))
    assert len(predicted) - N < B
    for x, y in windows:
        assert (y == x + 1).all()
        assert x.shape[1] == B
        assert 1 <= len(x) <= T
    for (_, before), (x, _) in itertools.pairwise(windows):
        assert (x[0] == before[-1]).all()  # the state that is carried belongs to the token before


def test_tokens_on_disk(tmp_path: Path) -> None:
    text = "a b\nc"
    tokenizer = Tokenizer.train([text], TextConfig("word"))
    counts = write_tokens(tmp_path / "t.npy", ["a b\n", "zzz c"], tokenizer)
    tokens = open_tokens(tmp_path / "t.npy")
    assert tokens.dtype == np.uint8
    assert (counts.tokens, counts.oov) == (6, 1)
    eos = tokenizer.eos
    # a line end before the text, and one after its last line
    assert tokens.tolist() == [eos, *tokenizer.encode("a b\nzzz c\n").tolist()]


@pytest.mark.parametrize(("V", "dtype"), [(256, np.uint8), (257, np.uint16), (70_000, np.uint32)])
def test_the_smallest_type_that_holds_V(tmp_path: Path, V: int, dtype: type) -> None:
    text = " ".join(f"w{k}" for k in range(V - 2)) + "\n"
    tokenizer = Tokenizer.train([text], TextConfig("word"))
    assert tokenizer.V == V
    write_tokens(tmp_path / "t.npy", [text], tokenizer)
    assert open_tokens(tmp_path / "t.npy").dtype == dtype


def test_a_text_of_one_token_is_refused(tmp_path: Path) -> None:
    tokenizer = Tokenizer.train(["x"], TextConfig("char"))
    with pytest.raises(TextError, match="has 1 token, and at least 2 are needed"):
        write_tokens(tmp_path / "t.npy", ["x"], tokenizer)


@pytest.mark.parametrize("data", [b"", b"\x93NUMPY", b"nonsense" * 20])
def test_damaged_files_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "t.npy").write_bytes(data)
    with pytest.raises(CheckpointError, match="is damaged"):
        open_tokens(tmp_path / "t.npy")
