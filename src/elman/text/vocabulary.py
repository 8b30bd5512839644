"""A vocabulary that is given instead of learnt: a file with one token a line, or a list."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from elman.config import Level
from elman.errors import ConfigError, TextError
from elman.files import open_input
from elman.schema import in_words
from elman.text.corpus import read_lines
from elman.text.tokenizer import Tokenizer

LARGEST_VOCABULARY = 2**30
"""The most bytes of a file."""


def read_vocabulary(path: Path, level: Level) -> Tokenizer:
    """The tokenizer of a file with one token a line.

    Raises TextError for a file that cannot be read, and the errors of `given_vocabulary`.
    """
    with open_input(path, LARGEST_VOCABULARY, TextError, "give a file with one token a line") as stream:
        return given_vocabulary(read_lines(stream, str(path)), level, f"the vocabulary {path}")


def given_vocabulary(tokens: Iterable[str], level: Level, name: str = "the vocabulary") -> Tokenizer:
    """A tokenizer of these tokens, in their order, after `<unk>` and the line end, which may be among them.

    Raises TextError where one is no token of the level, is there twice, or there is none; ConfigError at a level whose
    tokens are not listed.
    """
    if level not in ("word", "char"):
        raise ConfigError(f"--vocab lists words or characters, and a token of level {level} is neither: leave it out")
    make = Tokenizer.of_words if level == "word" else Tokenizer.of_characters
    always = make([])  # <unk> and the line end
    found: dict[str, int] = {}
    for number, token in enumerate(tokens, 1):
        if not isinstance(token, str):
            raise TextError(f"token {number} of {name} is {in_words(token)}; it must be a text")
        if token in found:
            raise TextError(f"token {number} of {name}, {in_words(token)}, is token {found[token]} too: list it once")
        if token not in always.tokens and always.surfaces(token) != [token]:
            kind = "word, without blanks" if level == "word" else "character"
            raise TextError(f"token {number} of {name}, {in_words(token)}, is not one {kind}")
        found[token] = number
    tokenizer = make([token for token in found if token not in always.tokens])
    if tokenizer.V == always.V:
        raise TextError(f"{name} is empty: list one token a line")
    return tokenizer
