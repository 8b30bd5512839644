"""Reading texts from files, folders and memory; what is not a text is refused."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.config import TextConfig
from elman.errors import TextError
from elman.text.corpus import Corpus, read_lines
from elman.text.tokenizer import Tokenizer


def write(path: Path, data: bytes | str) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def test_pieces_are_the_text_whatever_its_length(tmp_path: Path) -> None:
    text = "héllo wörld 你好 " * 200_000 + "end\n"
    corpus = Corpus.from_paths([write(tmp_path / "a.txt", text)])
    pieces = list(corpus.pieces())
    assert len(pieces) > 2
    assert "".join(pieces) == text
    assert all(piece[-1] in " \n" for piece in pieces)  # no word is cut


def test_a_text_without_any_blank_is_cut_between_characters(tmp_path: Path) -> None:
    text = "你" * 1_000_000
    assert "".join(Corpus.from_paths([write(tmp_path / "a", text)]).pieces()) == text


@settings(max_examples=50, deadline=None)
@given(text=st.text(min_size=1).filter(lambda s: "\0" not in s), share=st.floats(0.01, 0.9))
def test_training_and_held_out_part_make_the_whole(text: str, share: float) -> None:
    corpus = Corpus.from_text(text)
    start = corpus.held_out_start(share)
    assert "".join(corpus.pieces(0, start)) + "".join(corpus.pieces(start)) == text


def test_the_held_out_part_begins_with_a_line_and_keeps_to_its_limit() -> None:
    corpus = Corpus.from_text("a line of text\n" * 1000)
    start = corpus.held_out_start(0.05)
    assert start == 14250
    assert corpus.size - corpus.held_out_start(0.05, 100) == 90


def test_files_and_folders_follow_each_other_each_from_a_new_line(tmp_path: Path) -> None:
    folder = tmp_path / "books"
    (folder / "deep").mkdir(parents=True)
    write(folder / "b.txt", "second\n")
    write(folder / "a.txt", "first")
    write(folder / "deep" / "c.txt", "third")
    write(folder / "picture.png", b"\x89PNG\0")
    corpus = Corpus.from_paths([folder, write(tmp_path / "d", "\ufefffourth")])
    text = "".join(corpus.pieces())
    assert text == "first\nsecond\nthird\nfourth"
    assert corpus.size == len(text)


def test_every_boundary_of_several_files_splits_the_same_text(tmp_path: Path) -> None:
    paths = [write(tmp_path / name, text) for name, text in (("a", "one"), ("b", "two\n"), ("c", "three"))]
    corpus = Corpus.from_paths(paths)
    for cut in range(corpus.size + 1):
        assert "".join([*corpus.pieces(0, cut), *corpus.pieces(cut)]) == "one\ntwo\nthree"


def test_the_embedded_corpus_is_there() -> None:
    corpus = Corpus.embedded()
    assert corpus.size > 400_000
    assert "assert_stmt" in "".join(corpus.pieces())


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"fine \xff text", "not UTF-8: byte 0xFF at offset 5"),
        (b"x" * 2**20 + b"\xe4\xbd" + b"!", f"byte 0xE4 at offset {2**20}"),
        (b"x" * (2**20 - 1) + b"\xe4\xbdz", f"byte 0xE4 at offset {2**20 - 1}"),
        (b"ends in a character cut \xe4\xbd", "byte 0xE4 at offset 24"),
        (b"MZ\0\1", "binary: it has a zero byte at offset 2"),
        ("hello".encode("utf-16"), "is UTF-16, expected UTF-8"),
    ],
)
def test_binary_and_non_utf8_texts_are_refused_with_the_offset(tmp_path: Path, data: bytes, sentence: str) -> None:
    with pytest.raises(TextError, match=sentence):
        list(Corpus.from_paths([write(tmp_path / "t.txt", data)]).pieces())


@pytest.mark.parametrize(
    "data", [b"\xef\xbb\xbf", b"fine \xff text", b"MZ\0\1\r\n\xe4\xbd", "hello".encode("utf-16"), bytes(range(256))]
)
def test_level_byte_reads_any_bytes_as_they_are(tmp_path: Path, data: bytes) -> None:
    corpus = Corpus.from_paths([write(tmp_path / "t.bin", data + b"!")]).at_level("byte")
    assert corpus.size == len(data) + 1
    tokenizer = Tokenizer.train([], TextConfig("byte"))
    ids = [tokenizer.encode(piece) for piece in corpus.pieces()]
    assert bytes(np.concatenate(ids).astype(np.uint8)) == data + b"!"
    lines = list(read_lines(io.BytesIO(data), "x", "byte"))
    assert b"\n".join(tokenizer.bytes_of(line) for line in lines) == data.removesuffix(b"\n")


def test_the_temporary_copy_of_stdin_lives_as_long_as_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"one \xff\n")))
    corpus = Corpus.from_paths(["-"]).at_level("byte")
    assert list(corpus.pieces()) == list(corpus.pieces()) == ["one \udcff\n"]


def test_a_missing_stdin_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(TextError, match="stdin is closed: name a file to read"):
        Corpus.from_paths(["-"])


def test_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TextError, match="does not exist"):
        Corpus.from_paths([tmp_path / "none.txt"])
    with pytest.raises(TextError, match=r"folder without \.txt files"):
        Corpus.from_paths([tmp_path])


def test_lines_come_in_order_without_their_ends() -> None:
    stream = io.BytesIO("\ufeffone\r\n\ntwo \u2028 still\r\r\nthree\r".encode())
    assert list(read_lines(stream, "x")) == ["one", "", "two \u2028 still", "three\r"]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"good\nbad \xff\n", "line 2 of x is not UTF-8: byte 0xFF at offset 9"),
        (b"a\0b", "line 1 has a zero byte at offset 1"),
        (b"short\n" + b"y" * 101, "line 2 of x is longer than"),
    ],
)
def test_bad_lines_are_named(data: bytes, sentence: str) -> None:
    with pytest.raises(TextError, match=sentence):
        list(read_lines(io.BytesIO(data), "x", longest=100))
