"""Four levels, one file format, and ids that equal the library's."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.config import LEVELS, TextConfig
from elman.errors import ConfigError, TextError
from elman.text.plain_text import unix_line_ends
from elman.text.tokenizer import LONGEST_LEARNT, Tokenizer

SAMPLE = "the cat sat\non the mat\n\nthe ünï çödé 你好 🐈\n"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.text(
    "ab \n\r\t\x1c\x85\u3000the你", max_size=40
)


def trained(level: str, text: str = SAMPLE, **options: int) -> Tokenizer:
    if level == "bpe":
        options.setdefault("vocab_size", 270)
    return Tokenizer.train([text], TextConfig(level, **options))


@pytest.fixture(scope="module")
def all_levels() -> dict[str, Tokenizer]:
    return {level: trained(level) for level in LEVELS}


@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=150, deadline=None)
@given(text=TEXTS)
def test_encoding_equals_the_library(all_levels: dict[str, Tokenizer], level: str, text: str) -> None:
    tokenizer = all_levels[level]
    library = tokenizers.Tokenizer.from_str(tokenizer.to_json())
    ids, oov = tokenizer.encode_with_oov(text)
    read = text if level == "byte" else unix_line_ends(text)
    assert ids.tolist() == library.encode(read).ids
    assert len(oov) == len(ids)
    assert all(ids[oov] == tokenizer.unk)


@pytest.mark.parametrize("level", ["byte", "bpe"])
@settings(max_examples=100, deadline=None)
@given(text=TEXTS)
def test_bytes_and_pairs_give_any_text_back(all_levels: dict[str, Tokenizer], level: str, text: str) -> None:
    tokenizer = all_levels[level]
    assert tokenizer.decode(tokenizer.encode(text)) == (text if level == "byte" else unix_line_ends(text))


def test_char_and_word_give_their_own_text_back(all_levels: dict[str, Tokenizer]) -> None:
    for level in ("char", "word"):
        assert all_levels[level].decode(all_levels[level].encode(SAMPLE)) == SAMPLE


@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=40, deadline=None)
@given(ids=st.lists(st.integers(0, 10_000), max_size=30))
def test_a_stream_of_pushes_is_the_whole(all_levels: dict[str, Tokenizer], level: str, ids: list[int]) -> None:
    tokenizer = all_levels[level]
    ids = [k % tokenizer.V for k in ids]
    decoder = tokenizer.decoder()
    assert "".join(decoder.push(k) for k in ids) + decoder.flush() == tokenizer.decode(ids)


@pytest.mark.parametrize("level", LEVELS)
def test_a_tokenizer_read_again_is_the_same(all_levels: dict[str, Tokenizer], level: str) -> None:
    tokenizer = all_levels[level]
    again = Tokenizer.from_json(tokenizer.to_json())
    assert (again.level, again.V, again.eos, again.unk) == (level, tokenizer.V, tokenizer.eos, tokenizer.unk)
    assert again.encode(SAMPLE).tolist() == tokenizer.encode(SAMPLE).tolist()
    assert again.tokens == tokenizer.tokens


@pytest.mark.parametrize("level", LEVELS)
def test_each_line_end_is_one_token(all_levels: dict[str, Tokenizer], level: str) -> None:
    tokenizer = all_levels[level]
    assert (tokenizer.encode(SAMPLE) == tokenizer.eos).sum() == SAMPLE.count("\n")
    assert tokenizer.decode([tokenizer.eos]) == "\n"


@pytest.mark.parametrize("level", ["char", "word", "bpe"])
@settings(max_examples=100, deadline=None)
@given(lines=st.lists(st.sampled_from(["the cat", "", "\r", "a\rb", " "])), cuts=st.lists(st.integers(0, 60)))
def test_a_line_end_may_be_written_as_windows_does(
    all_levels: dict[str, Tokenizer], level: str, lines: list[str], cuts: list[int]
) -> None:
    """And may be cut anywhere, between two pieces."""
    tokenizer = all_levels[level]
    unix, windows = ("".join(line.rstrip("\r") + end for line in lines) for end in ("\n", "\r\n"))
    assert tokenizer.encode(windows).tolist() == tokenizer.encode(unix).tolist()
    places = [0, *sorted(cuts), len(windows)]
    pieces = [windows[a:b] for a, b in itertools.pairwise(places)]
    assert "".join(tokenizer.as_read(pieces)) == unix


def test_the_vocabulary_has_no_windows_line_ends() -> None:
    unix = Tokenizer.train(["a b\nc\n"], TextConfig("char"))
    assert Tokenizer.train(["a b\r", "\nc\r\n"], TextConfig("char")).tokens == unix.tokens
    assert "\r" in Tokenizer.train(["a\rb\n"], TextConfig("char"))  # a \r by itself is a character


def test_level_byte_leaves_every_byte() -> None:
    tokenizer = trained("byte")
    data = bytes(range(256)) + b"\r\n"
    assert bytes(tokenizer.encode(data.decode(errors="surrogateescape")).astype("uint8")) == data


@pytest.mark.parametrize("level", LEVELS)
def test_what_is_no_text_is_refused(all_levels: dict[str, Tokenizer], level: str) -> None:
    with pytest.raises(TextError, match=r"surrogate U\+D800 at character 2, which is no character"):
        all_levels[level].encode("ab\ud800")
    with pytest.raises(TextError, match="a text is expected, not bytes"):
        all_levels[level].encode(b"ab")  # type: ignore[arg-type]
    if level != "byte":
        with pytest.raises(TextError, match="not UTF-8: byte 0xFF at character 1"):
            all_levels[level].encode("a\udcff")


@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
def test_surfaces_are_the_texts_of_the_tokens(all_levels: dict[str, Tokenizer], level: str, text: str) -> None:
    tokenizer = all_levels[level]
    ids, oov = tokenizer.encode_with_oov(text)
    surfaces = tokenizer.surfaces(text)
    assert [s for s, is_oov in zip(surfaces, oov, strict=True) if not is_oov] == [
        tokenizer.tokens[k] for k in ids[~oov]
    ]
    assert all(s not in tokenizer for s, is_oov in zip(surfaces, oov, strict=True) if is_oov)


def test_words_are_ordered_by_descending_count() -> None:
    tokenizer = trained("word", "b a c\nb a\nb <unk>\n")
    assert tokenizer.tokens == ["<unk>", "<eos>", "b", "a", "c"]
    ids, oov = tokenizer.encode_with_oov("b zebra <unk>\n")
    assert ids.tolist() == [2, 0, 0, 1]
    assert oov.tolist() == [False, True, False, False]  # a literal <unk> is in the vocabulary
    assert "a" in tokenizer
    assert "zebra" not in tokenizer


def test_vocabularies_are_limited_by_size_and_count() -> None:
    text = "a a a b b c\n"
    assert trained("word", text, vocab_size=4).tokens == ["<unk>", "<eos>", "a", "b"]
    assert trained("word", text, min_count=3).tokens == ["<unk>", "<eos>", "a"]
    assert trained("char", text, vocab_size=4).tokens == ["<unk>", "\n", " ", "a"]
    assert trained("bpe", text, vocab_size=258).V <= 258


def test_byte_pairs_of_a_text_without_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the library it is one word, on which its work grows with the square: it learns from parts of it."""
    lengths: list[int] = []
    library = tokenizers.Tokenizer.train_from_iterator

    def watched(hf: tokenizers.Tokenizer, pieces: Iterator[str], trainer: object) -> None:
        pieces = list(pieces)
        lengths.extend(len(word) for piece in pieces for word, _ in hf.pre_tokenizer.pre_tokenize_str(piece))
        library(hf, iter(pieces), trainer)

    dna = "".join(random.Random(1).choices("ACGT", k=100_000))
    chinese = "".join(map(chr, range(0x4E00, 0x5200))) * 3
    monkeypatch.setattr(tokenizers.Tokenizer, "train_from_iterator", watched)
    for text in (dna, chinese):
        tokenizer = trained("bpe", text, vocab_size=300)
        assert max(lengths) == LONGEST_LEARNT
        assert tokenizer.V == 300
        assert len(tokenizer.encode(text)) < 0.8 * len(text.encode())
        assert tokenizer.decode(tokenizer.encode(text)) == text
        assert Tokenizer.from_json(tokenizer.to_json()).encode(text).tolist() == tokenizer.encode(text).tolist()


def test_words_of_a_usual_length_give_the_pairs_that_the_library_finds() -> None:
    text = "the cat sat on the mat, and the dog ran\n" * 20 + "x" * 200 + "\n"
    hf = tokenizers.Tokenizer.from_str(trained("byte").to_json())
    hf.pre_tokenizer = trained("bpe").hf.pre_tokenizer
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    hf.train_from_iterator([text], tokenizers.trainers.BpeTrainer(vocab_size=290, initial_alphabet=alphabet))
    assert trained("bpe", text, vocab_size=290).hf.get_vocab() == hf.get_vocab()


def test_byte_ids_are_the_bytes() -> None:
    tokenizer = trained("byte")
    assert tokenizer.V == 256
    assert tokenizer.encode("é\n").tolist() == [0xC3, 0xA9, 10]


def test_pieces_give_the_vocabulary_of_the_whole() -> None:
    whole, pieces = trained("word"), Tokenizer.train(SAMPLE.splitlines(keepends=True), TextConfig("word"))
    assert pieces.tokens == whole.tokens


def test_a_word_after_a_prompt_begins_with_a_blank(all_levels: dict[str, Tokenizer]) -> None:
    tokenizer = all_levels["word"]
    cat = tokenizer.encode("cat")[0]
    assert tokenizer.decoder(after=tokenizer.encode("the")).push(cat) == " cat"
    assert tokenizer.decoder(after=tokenizer.encode("the\n")).push(cat) == "cat"
    assert tokenizer.decoder().push(cat) == "cat"


def test_other_tokenizer_files_are_refused() -> None:
    for text in ("", "{}", "[1]", '{"model": {"type": "Unigram"}}'):
        with pytest.raises(TextError, match="not written by Elman"):
            Tokenizer.from_json(text)
    with pytest.raises(TextError, match="only white space"):
        trained("word", " \n \n")


def test_invalid_text_options_are_refused() -> None:
    with pytest.raises(ConfigError, match="level is 'syllable'; choose one of byte, char, word, bpe"):
        TextConfig("syllable")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="256"):
        TextConfig("byte", vocab_size=100)
    with pytest.raises(ConfigError, match="over 256"):
        TextConfig("bpe", vocab_size=100)
