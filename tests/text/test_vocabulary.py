"""Vocabularies that are given: files and lists of tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from elman.errors import ConfigError, TextError
from elman.text.vocabulary import given_vocabulary, read_vocabulary


def test_the_ids_are_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes("dog\r\nwähren\ncat\n<eos>\nox".encode())
    tokenizer = read_vocabulary(path, "word")
    assert tokenizer.tokens == ["<unk>", "<eos>", "dog", "währen", "cat", "ox"]
    ids, oov = tokenizer.encode_with_oov("cat hen ox\n")
    assert ids.tolist() == [4, 0, 5, 1]
    assert oov.tolist() == [False, True, False, False]
    characters = given_vocabulary(["b", " ", "a"], "char")
    assert characters.tokens == ["<unk>", "\n", "b", " ", "a"]
    assert characters.encode("a b\nc").tolist() == [4, 3, 2, 1, 0]


@pytest.mark.parametrize(
    ("tokens", "level", "kind", "sentence"),
    [
        (["a", "b", "a"], "word", TextError, "token 3 of the vocabulary, 'a', is token 1 too: list it once"),
        (["a", "b c"], "word", TextError, "token 2 of the vocabulary, 'b c', is not one word"),
        (["a", ""], "word", TextError, "token 2 of the vocabulary, '', is not one word"),
        (["a\u2003b"], "word", TextError, "is not one word"),
        (["a", "bc"], "char", TextError, "token 2 of the vocabulary, 'bc', is not one character"),
        (["a", 5], "word", TextError, "token 2 of the vocabulary is 5; it must be a text"),
        ([], "word", TextError, "the vocabulary is empty"),
        (["<unk>", "<eos>"], "word", TextError, "the vocabulary is empty"),
        (["a"], "bpe", ConfigError, "a token of level bpe is neither"),
        (["a"], "byte", ConfigError, "a token of level byte is neither"),
    ],
)
def test_lists_that_are_no_vocabulary(tokens: list[Any], level: Any, kind: type, sentence: str) -> None:
    with pytest.raises(kind, match=sentence):
        given_vocabulary(tokens, level)


def test_files_that_are_no_vocabulary(tmp_path: Path) -> None:
    with pytest.raises(TextError, match=r"nowhere\.txt does not exist"):
        read_vocabulary(tmp_path / "nowhere.txt", "word")
    path = tmp_path / "twice.txt"
    path.write_text("a\nb\nb\n")
    with pytest.raises(TextError, match=r"token 3 of the vocabulary .*twice\.txt, 'b', is token 2 too"):
        read_vocabulary(path, "word")
