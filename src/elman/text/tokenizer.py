"""Text ↔ token ids, at four levels. Each is a Hugging Face tokenizer, stored in one `tokenizer.json`.

    byte   256 tokens, the id is the byte                         the line end is the byte 10
    char   `<unk>`, then code points, the most frequent first     the line end is "\\n"
    word   `<unk>`, `<eos>`, then words, the most frequent first  the line end is `<eos>`
    bpe    byte pairs, learnt from the text                       the line end is always a token of its own

At each level the line end is one token, `eos`, which is also read before a text. The library defines the ids. The byte,
char and word levels also compute them directly, several times as fast; a test compares the two on any Unicode text.

Line ends are those of plain_text.py at each level but byte, which reads any bytes as they are: where they are not
UTF-8, the text has them as Python's `surrogateescape` writes them. No other text has surrogates.
"""

from __future__ import annotations

import codecs
import itertools
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache, cached_property
from typing import Any

import numpy as np
import tokenizers
from numpy.typing import NDArray
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers

from elman.config import LEVELS, Level, TextConfig
from elman.errors import ConfigError, TextError
from elman.schema import Source, fits, in_words, is_text, mapping, parsed, require
from elman.text.plain_text import unix_line_ends, unix_line_ends_of, utf8
from elman.text.stoppable import stoppable

Ids = NDArray[np.int64]
Waiting = Callable[[str], AbstractContextManager[object]]
"""Shows, while it is entered, that something takes long: what it is."""
UNK, EOS = "<unk>", "<eos>"
LONGEST_LEARNT = 256
"""Bytes of a word that byte pairs are learnt from at a time."""

_PYTHON_BLANKS = re.compile("[\x1c-\x1f]")
"""Characters that `str.split` treats as white space, and Unicode, and so the library, does not."""


class Tokenizer:
    """V tokens: `tokens[id]` is a token's text, `eos` the id of the line end, `unk` the id of `<unk>` or None."""

    def __init__(self, hf: tokenizers.Tokenizer, level: Level) -> None:
        self.hf, self.level = hf, level
        vocabulary = hf.get_vocab()
        self.V = len(vocabulary)
        self._byte_of = _byte_vocabulary()
        names = [""] * self.V
        for token, k in vocabulary.items():
            names[k] = token
        self._names = names
        self.unk: int | None = vocabulary[UNK] if level in ("char", "word") else None
        self.eos: int = vocabulary[{"word": EOS, "char": "\n"}.get(level, _byte_characters()[10])]
        self._ids = vocabulary
        if level == "char":
            points = np.array([[ord(c), k] for c, k in vocabulary.items() if c != UNK], np.int64)
            self._of_point = np.full(sys.maxunicode + 1, -1, np.int32)
            self._of_point[points[:, 0]] = points[:, 1]

    @cached_property
    def tokens(self) -> list[str]:
        """The text of each token, by id; a byte that is not a character by itself is written \\xNN."""
        if self.level in ("char", "word"):
            return self._names
        return [self._bytes(name).decode(errors="backslashreplace") for name in self._names]

    @classmethod
    def train(cls, pieces: Iterable[str], config: TextConfig, waiting: Waiting = nullcontext) -> Tokenizer:
        """Learns the vocabulary of a text in pieces that do not cut words. Raises TextError for one without words.

        waiting: shows that something takes long, after the text has been read: a context manager of its name.
        """
        pieces = _as_read(pieces, config.level)
        if config.level == "byte":
            hf = _library_tokenizer("byte", _byte_vocabulary())
        elif config.level == "bpe":
            if config.min_count != 1:
                raise ConfigError("level bpe has no unknown tokens: leave out --min-count, or choose --vocab-size")
            hf = _train_bpe(pieces, config.vocab_size or TextConfig.BPE_VOCAB_SIZE, waiting)
        else:
            hf = _train_counted(pieces, config)
        return cls(hf, config.level)

    @classmethod
    def of_words(cls, words: Sequence[str]) -> Tokenizer:
        """A tokenizer of level word with these words, in this order, after `<unk>` and `<eos>`."""
        return cls(_library_tokenizer("word", {token: k for k, token in enumerate([UNK, EOS, *words])}), "word")

    @classmethod
    def of_characters(cls, characters: Sequence[str]) -> Tokenizer:
        """A tokenizer of level char with these characters, in this order, after `<unk>` and the line end."""
        return cls(_library_tokenizer("char", {token: k for k, token in enumerate([UNK, "\n", *characters])}), "char")

    def with_more(self, tokens: Iterable[str]) -> Tokenizer:
        """The same with more words or characters, whose ids follow. Raises ConfigError at another level."""
        if self.level not in ("word", "char"):
            raise ConfigError(f"--grow adds words or characters, and level {self.level} has tokens for any text")
        more = {token: self.V + k for k, token in enumerate(tokens)}
        return Tokenizer(_library_tokenizer(self.level, self._ids | more), self.level)

    def by_frequency(self, counts: Sequence[int] | Ids) -> Tokenizer:
        """The same tokens with their ranks by `counts` [V] as ids; `<unk>` and the line end `\n` or `<eos>` first."""
        first = (self.unk, self.eos) if self.level in ("char", "word") else ()
        order = sorted(range(self.V), key=lambda k: (k not in first, 0 if k in first else -counts[k], k))
        _, _, merges = _taken_apart(json.loads(self.to_json()))
        ranked = {self._names[k]: rank for rank, k in enumerate(order)}
        return Tokenizer(_library_tokenizer(self.level, ranked, merges), self.level)

    @classmethod
    def from_json(cls, text: str) -> Tokenizer:
        """The tokenizer in a `tokenizer.json` that `to_json` wrote. Raises TextError for anything else.

        The library gets the vocabulary and the merges alone, once they are checked: it may crash on what else a file
        holds.
        """
        content = mapping(parsed(text, _FILE), _FILE)
        frame, vocabulary, merges = _taken_apart(content)
        level = next((level for level in LEVELS if _alike(frame, _frame(level))), None)
        if level is None:
            raise _FILE.fault("it does not encode as one of Elman's levels does")
        _check_vocabulary(vocabulary, level)
        _check_merges(merges, vocabulary, level)
        with _FILE.reading():
            return cls(_library_tokenizer(level, vocabulary, merges), level)

    def to_json(self) -> str:
        """The tokenizer in the library's JSON format."""
        return str(self.hf.to_str(pretty=True))

    def __contains__(self, token: str) -> bool:
        return self._name(token) in self._ids

    def id_of(self, token: str) -> int:
        """The id of the token with this text. Raises TextError where there is none."""
        if token not in self:
            raise TextError(f"{token!r} is not one of the {self.V:,} tokens of this vocabulary: encode it as text")
        return self._ids[self._name(token)]

    def encode(self, text: str) -> Ids:
        """Token ids, int64 [n]; each "\\n" gives one line end, and none is added."""
        return self.encode_with_oov(text)[0]

    def encode_with_oov(self, text: str) -> tuple[Ids, NDArray[np.bool_]]:
        """Token ids [n], and which of them replace text that is not in the vocabulary (OOV).

        A literal `<unk>` in the text is the token `<unk>`, not an OOV. Raises TextError for what is no Unicode text.
        """
        data = self.bytes_of(text)
        if self.level == "byte":
            ids = np.frombuffer(data, np.uint8).astype(np.int64)
            return ids, np.zeros(len(ids), bool)
        text = unix_line_ends(text)
        if self.level == "char":
            ids = self._of_point[np.frombuffer(text.encode("utf-32-le"), np.uint32)].astype(np.int64)
        elif self.level == "word":
            find, words = self._ids.get, self._words(text)
            ids = np.fromiter((find(word, -1) for word in words), np.int64, len(words))
        else:
            ids = np.array(self.hf.encode(text, add_special_tokens=False).ids, np.int64)
        oov = ids < 0
        ids[oov] = self.unk or 0
        return ids, oov

    def surfaces(self, text: str) -> list[str]:
        """The text of each token of `encode(text)`, also of those that are not in the vocabulary."""
        if self.level == "char":
            return list(unix_line_ends(text))
        if self.level == "word":
            return self._words(unix_line_ends(text))
        return [self.tokens[k] for k in self.encode(text).tolist()]

    def bytes_of(self, text: str) -> bytes:
        """The text as UTF-8; at level byte, as the bytes it was read from. Raises TextError for what is no text."""
        return utf8(text, any_bytes=self.level == "byte")

    def as_read(self, pieces: Iterable[str]) -> Iterable[str]:
        """A text in pieces, with its line ends as this level reads them."""
        return _as_read(pieces, self.level)

    def _words(self, text: str) -> list[str]:
        """Words and line ends as the library cuts them."""
        if not _PYTHON_BLANKS.search(text):
            return text.replace("\n", f" {EOS} ").split()
        return [word for word, _ in self.hf.pre_tokenizer.pre_tokenize_str(self.hf.normalizer.normalize_str(text))]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of token ids; words are joined by one space, and line ends are newlines."""
        decoder = self.decoder()
        return "".join([decoder.push(int(k)) for k in ids]) + decoder.flush()

    def decoder(self, after: Sequence[int] | Ids = ()) -> Decoder:
        """A decoder of the tokens that follow `after` (a prompt's ids)."""
        return Decoder(self, len(after) > 0 and int(after[-1]) != self.eos)

    def _name(self, token: str) -> str:
        """The library's name of the token with this text."""
        if self.level in ("char", "word"):
            return token
        return "".join(_byte_characters()[byte] for byte in token.encode(errors="surrogatepass"))

    def _bytes(self, token: str) -> bytes:
        return bytes(self._byte_of[character] for character in token)


class Decoder:
    """Decodes tokens one by one. `push` returns text that no later token changes; all parts together are the text."""

    def __init__(self, tokenizer: Tokenizer, in_line: bool) -> None:
        self._tokenizer = tokenizer
        self._in_line = in_line
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, token: int) -> str:
        """The text that this token completes; may be empty inside a character of several bytes."""
        tokenizer = self._tokenizer
        name = tokenizer._names[token]
        if tokenizer.level == "char":
            return name
        if tokenizer.level == "word":
            if token == tokenizer.eos:
                self._in_line = False
                return "\n"
            space, self._in_line = " " * self._in_line, True
            return space + name
        return self._utf8.decode(tokenizer._bytes(name))

    def flush(self) -> str:
        """The replacement for an incomplete last character, or nothing."""
        return self._utf8.decode(b"", True)


def _as_read(pieces: Iterable[str], level: Level) -> Iterable[str]:
    return pieces if level == "byte" else unix_line_ends_of(pieces)


def _train_counted(pieces: Iterable[str], config: TextConfig) -> tokenizers.Tokenizer:
    """Characters or words by descending count; of equal counts in the order of their text."""
    counts: Counter[str] = Counter()
    for piece in pieces:
        if config.level == "char":
            counts.update(piece)
        elif _PYTHON_BLANKS.search(piece):
            counts.update(word for word, _ in pre_tokenizers.WhitespaceSplit().pre_tokenize_str(piece))
        else:
            counts.update(piece.split())
    if not counts:
        raise TextError("the text to learn from has only white space: give a text with words in it")
    first = [UNK, "\n"] if config.level == "char" else [UNK, EOS]
    ranked = sorted((-n, token) for token, n in counts.items() if n >= config.min_count and token not in first)
    size = len(ranked) if config.vocab_size is None else config.vocab_size - len(first)
    vocabulary = {token: k for k, token in enumerate([*first, *(token for _, token in ranked[:size])])}
    return _library_tokenizer(config.level, vocabulary)


def _train_bpe(pieces: Iterable[str], V: int, waiting: Waiting) -> tokenizers.Tokenizer:
    """Learns byte pairs. The library's work on a word grows with the square of its length, so that longer words are
    learnt from in parts: a text without blanks, such as Chinese or DNA, is one long word to it.
    """
    hf = _library_tokenizer("bpe", {})
    usual = hf.pre_tokenizer
    in_parts = pre_tokenizers.Split(Regex(f"[\\s\\S]{{{LONGEST_LEARNT}}}"), "isolated")
    hf.pre_tokenizer = pre_tokenizers.Sequence([usual, in_parts])
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=V, initial_alphabet=alphabet, special_tokens=[], show_progress=False)
    stoppable(
        lambda given: hf.train_from_iterator(given, trainer),
        pieces,
        lambda: waiting(f"learning up to {V - len(alphabet):,} byte pairs"),
    )
    hf.pre_tokenizer = usual
    return hf


def _library_tokenizer(
    level: Level, vocabulary: dict[str, int], merges: Iterable[Sequence[str]] = ()
) -> tokenizers.Tokenizer:
    """The library's tokenizer of a level, as Elman writes it; it reads no others."""
    if level in ("char", "word"):
        hf = tokenizers.Tokenizer(models.WordLevel(vocabulary, unk_token=UNK))
    else:
        pairs = [(first, second) for first, second in merges]
        hf = tokenizers.Tokenizer(models.BPE(vocab=vocabulary, merges=pairs))
        hf.decoder = decoders.ByteLevel()
    if level == "byte":
        hf.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    elif level == "bpe":
        hf.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Split("\n", "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
    elif level == "char":
        hf.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
        hf.decoder = decoders.Fuse()
    else:
        hf.normalizer = normalizers.Replace("\n", f" {EOS} ")
        hf.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return hf


_FILE = Source("this tokenizer.json was not written by Elman", TextError, "use the one of a run folder")


def _taken_apart(content: dict[str, Any]) -> tuple[dict[str, Any], dict[str, int], list[list[str]]]:
    """A tokenizer.json without vocabulary and merges, the vocabulary, and the merges."""
    model = dict(mapping(content.get("model"), _FILE, "model"))
    vocabulary = mapping(model.pop("vocab", None), _FILE, "model.vocab")
    merges = model.pop("merges", [])
    require(list[list[str]], merges, _FILE, "model.merges")
    return content | {"model": model}, vocabulary, merges


@cache
def _frame(level: Level) -> dict[str, Any]:
    """What a tokenizer.json of this level holds besides vocabulary and merges."""
    vocabulary = {UNK: 0} if level in ("char", "word") else {}
    return _taken_apart(json.loads(_library_tokenizer(level, vocabulary).to_str()))[0]


def _alike(a: Any, b: Any) -> bool:
    """Whether two JSON values are equal. What is null, false or empty may be absent: versions of the library differ."""
    if isinstance(a, dict) and isinstance(b, dict):
        return all(_alike(a.get(key), b.get(key)) for key in a.keys() | b.keys())
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return all(_alike(*pair) for pair in zip(a, b, strict=True))
    return bool(a == b or not (a or b))


def _check_vocabulary(vocabulary: dict[str, Any], level: Level) -> None:
    """Raises TextError unless the ids are 0 … V - 1, and the tokens are such as the level has."""
    V = len(vocabulary)
    missing = bytearray(b"\1") * V
    for token, k in vocabulary.items():
        if not is_text(token):
            raise _FILE.fault(f"its token {in_words(token)} is no text")
        if not (fits(int, k) and 0 <= k < V and missing[k]):
            raise _FILE.fault(f"the id of token {in_words(token)} is {in_words(k)}, expected each of 0 to {V - 1} once")
        missing[k] = 0
    needed = {"char": (UNK, "\n"), "word": (UNK, EOS)}.get(level, tuple(_byte_vocabulary()))
    if absent := [token for token in needed if token not in vocabulary]:
        raise _FILE.fault(f"its vocabulary lacks {in_words(absent[0])}")
    if level == "byte" and vocabulary != _byte_vocabulary():
        raise _FILE.fault("its ids are not the bytes")
    if level == "char":
        allowed = (token == UNK or len(token) == 1 for token in vocabulary)
    else:
        allowed = (level == "word" or _byte_vocabulary().keys() >= set(token) for token in vocabulary)
    for token, is_allowed in zip(vocabulary, allowed, strict=True):
        if not is_allowed:
            raise _FILE.fault(f"its token {in_words(token)} is none of level {level}")


def _check_merges(merges: list[list[str]], vocabulary: dict[str, int], level: Level) -> None:
    """Raises TextError unless each merge joins two tokens to a third; only level bpe has any."""
    for merge in merges:
        if level != "bpe" or len(merge) != 2 or not {*merge, "".join(merge)} <= vocabulary.keys():
            raise _FILE.fault(f"its merge {' '.join(map(in_words, merge))} does not join two tokens to a third")


def _byte_vocabulary() -> dict[str, int]:
    return {character: byte for byte, character in _byte_characters().items()}


@cache
def _byte_characters() -> dict[int, str]:
    """The library's printable character for each byte: its own if printable, else the next one from U+0100."""
    spare = itertools.count(256)
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    return {byte: chr(byte if byte in printable else next(spare)) for byte in range(256)}
