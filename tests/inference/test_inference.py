"""Evaluating, scoring, generating: exact, independent of batches, and the same from every side."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import as_reference

import elman
from elman.errors import ConfigError, ElmanError, TextError
from elman.inference import predictor
from elman.inference.generate import Sampling, before_stop, choose
from elman.inference.score import GROUP
from elman.model import reference

pytestmark = pytest.mark.usefixtures("every_kernels")


@pytest.fixture(params=["one layer", "three layers"])
def lm(request: pytest.FixtureRequest) -> elman.LanguageModel:
    """A small word-level model."""
    return elman.load(request.getfixturevalue("word_run" if request.param == "one layer" else "deep_run"))


SENTENCES = ["the cat sat on the mat", "the dog", "", "the zebra ran", "the cat sat on the mat", "hen " * 50]


def by_hand(lm: elman.LanguageModel, text: str) -> list[float]:
    """ln p of each token by the reference, in float64, one token after the other."""
    p = lm.p.astype("float64")
    y = lm.tokenizer.encode(text)
    x = np.concatenate([[lm.tokenizer.eos], y[:-1]])
    trace = reference.forward(as_reference(p), x[:, None], y[:, None], np.zeros((p.state_size, 1)))
    return [-float(J) for J in trace.J]


def test_scores_equal_the_reference(lm: elman.LanguageModel) -> None:
    for sentence in SENTENCES:
        expected = by_hand(lm, sentence + "\n")
        assert lm.score(sentence, base=math.e) == pytest.approx(sum(expected), rel=1e-12)
        assert lm.score(sentence) == pytest.approx(sum(expected) / math.log(10), rel=1e-12)
        assert lm.score(sentence, eos=False, base=math.e) == pytest.approx(sum(expected[:-1]), rel=1e-12)


def test_full_scores_as_kenlm_gives_them(lm: elman.LanguageModel) -> None:
    found = list(lm.full_scores("the zebra ran"))
    assert [round(s.log_prob, 9) for s in found] == [round(v / math.log(10), 9) for v in by_hand(lm, "the zebra ran\n")]
    assert [s.oov for s in found] == [False, True, False, False]
    assert [length for _, length, _ in found] == [2, 3, 4, 5]
    assert sum(s.log_prob for s in lm.full_scores("the dog")) == pytest.approx(lm.score("the dog"))
    assert "cat" in lm
    assert "zebra" not in lm


def test_a_continuation_is_scored_after_its_context(lm: elman.LanguageModel) -> None:
    for context, sentence in (("the cat", "sat on"), ("the dog ran\nthe zebra", "fell"), ("the cat\n", "the hen")):
        n = len(sentence.split())
        expected = by_hand(lm, f"{context} {sentence}\n")[-n - 1 :]
        assert lm.score(sentence, after=context, base=math.e) == pytest.approx(sum(expected), rel=1e-12)
        scored = lm.score(sentence, eos=False, after=context, base=math.e)
        assert scored == pytest.approx(sum(expected[:-1]), rel=1e-12)
        full = list(lm.full_scores(sentence, after=context, base=math.e))
        assert [s.log_prob for s in full] == pytest.approx(expected, rel=1e-12)
        assert full[0].length == 2 + len(lm.tokenizer.encode(context))
        many = list(lm.scores([sentence, "the ox", sentence], after=context))
        assert [s.total() for s in many] == pytest.approx(
            [lm.score(s, after=context, base=math.e) for s in (sentence, "the ox", sentence)], rel=1e-12
        )
        together, alone = (lm.score(s, bos=False, eos=False) for s in (f"{context} {sentence}", context))
        assert lm.score(sentence, bos=False, eos=False, after=context) == pytest.approx(together - alone, rel=1e-9)


def test_without_a_reset_the_lines_are_one_text(lm: elman.LanguageModel) -> None:
    lines = ["the cat sat", "", "the zebra ran on", "the cat sat"]
    expected = by_hand(lm, "\n".join(lines) + "\n")
    found = list(lm.scores(lines, reset=False))
    assert np.concatenate([s.log_probs for s in found]) == pytest.approx(expected, rel=1e-12)
    without_ends = np.concatenate([s.log_probs for s in lm.scores(lines, eos=False, reset=False)])
    assert without_ends == pytest.approx([*expected[:3], *expected[5:9], *expected[10:13]], rel=1e-12)
    later = list(lm.scores(lines[1:], reset=False, after="the cat sat\n"))
    assert [s.total() for s in later] == pytest.approx([s.total() for s in found[1:]], rel=1e-12)


def test_the_likeliest_next_tokens(lm: elman.LanguageModel) -> None:
    tokens = [token for token in lm.tokenizer.tokens if token not in ("<unk>", "<eos>")]
    for context, separator in (("", ""), ("the cat", " "), ("the cat sat\n", ""), ("the cat\nthe zebra", " ")):
        expected = {token: math.exp(by_hand(lm, f"{context}{separator}{token}")[-1]) for token in tokens}
        expected["<eos>"] = math.exp(by_hand(lm, f"{context}\n")[-1])
        everything = lm.next(context, top=None)
        assert sum(p for _, p in everything) == pytest.approx(1, rel=1e-12)
        found = dict(everything)
        assert {token: found[token] for token in expected} == pytest.approx(expected, rel=1e-10)
        assert [p for _, p in everything] == sorted(found.values(), reverse=True)
        assert lm.next(context, top=3) == everything[:3]
    assert len(lm.next()) == 10
    assert len(lm.next(top=10**6)) == lm.p.V


def test_a_prompt_may_be_longer_than_a_window(lm: elman.LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = dict(lm.next("the cat sat on the mat", top=None))
    monkeypatch.setattr(predictor, "WINDOW", 2)
    assert dict(lm.next("the cat sat on the mat", top=None)) == pytest.approx(whole, rel=1e-12)


def test_stepping_token_by_token_gives_the_score(lm: elman.LanguageModel) -> None:
    for bos in (True, False):
        state, total = lm.begin(bos), 0.0
        for token in ["the", "cat", "sat", "\n"]:
            log_prob, state = lm.step(state, token)
            total += log_prob
        assert state.length == 4
        assert total == pytest.approx(lm.score("the cat sat", bos=bos), rel=1e-12)
    with pytest.raises(ConfigError, match="is 2 tokens"):
        lm.step(state, "the cat")


def test_batches_change_no_digit_and_keep_the_order(lm: elman.LanguageModel) -> None:
    many = [" ".join(s.split()[: 1 + k % 7]) for k, s in enumerate(SENTENCES * 400)]
    alone = {s: lm.score(s, base=math.e) for s in set(many)}
    for sentence, found in zip(many, lm.scores(many), strict=True):
        assert found.total() == pytest.approx(alone[sentence], rel=1e-12)
    read_together = many[:GROUP]
    again = [found.total() for found in lm.scores(read_together)]
    assert len(set(zip(read_together, again, strict=True))) == len(alone)  # equal lines, equal scores


def test_a_long_sentence_goes_through_in_windows(lm: elman.LanguageModel) -> None:
    long = "the cat sat " * 1500
    assert lm.score(long, base=math.e) == pytest.approx(sum(by_hand(lm, long + "\n")), rel=1e-10)


def test_evaluation_equals_the_reference_and_every_denominator_is_right(lm: elman.LanguageModel) -> None:
    text = "the zebra ran\n\nthe cat  sat on"
    found = lm.evaluate(text)
    log_probs = by_hand(lm, text + "\n")
    assert (found.tokens, found.line_ends, found.oov, found.words) == (10, 3, 1, 10)
    assert found.characters == len(text) + 1  # the last line's end is predicted, and so counted
    assert found.nats == pytest.approx(-sum(log_probs), rel=1e-6)
    known = sum(log_probs) - log_probs[1]
    assert found.perplexity_excluding_oov == pytest.approx(math.exp(-known / 9), rel=1e-6)
    assert lm.perplexity(text) == found.perplexity_including_oov
    figures = found.as_dict()
    assert figures["bits_per_character"] == pytest.approx(found.nats / math.log(2) / found.characters)


def test_evaluation_does_not_depend_on_pieces_or_windows(
    lm: elman.LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "the cat sat on the mat\nthe zebra fell\n" * 30
    whole = lm.evaluate(text).as_dict()
    pieces = lm.evaluate([text[:100], "", text[100:103], text[103:]] if text[99] == " " else text.splitlines(True))
    assert pieces.as_dict() == whole
    monkeypatch.setattr(predictor, "WINDOW", 7)
    windows = lm.evaluate(text).as_dict()
    for name, figure in whole.items():
        assert windows[name] == pytest.approx(figure, rel=1e-6), name


def test_line_ends_of_windows_change_no_figure(char_run: Path) -> None:
    """Scored by line and evaluated as a text; the run was trained on a text without a \\r."""
    lm = elman.load(char_run)
    assert lm.evaluate("the cat\r\nsat\r\n") == lm.evaluate("the cat\nsat\n")
    assert lm.evaluate(["the cat\r", "\nsat\r", "\n"]) == lm.evaluate("the cat\nsat\n")
    assert lm.score("the cat\r\nsat") == lm.score("the cat\nsat")
    assert -lm.score("the cat", base=math.e) == pytest.approx(lm.evaluate("the cat\r\n").nats)
    assert lm.generate("the\r\n", seed=1) == lm.generate("the\n", seed=1)


def test_a_text_of_blanks_has_figures_but_none_per_word(char_run: Path) -> None:
    found = elman.load(char_run).evaluate("   ")
    assert (found.tokens, found.words) == (3, 0)
    assert math.isnan(found.as_dict()["perplexity_per_word"])
    assert found.perplexity_including_oov > 1


def test_characters_have_words_too(char_run: Path) -> None:
    found = elman.load(char_run).evaluate("the cat\nsat ☃")
    assert (found.tokens, found.characters, found.bytes, found.words, found.oov) == (13, 13, 15, 5, 1)


def test_an_empty_text_cannot_be_evaluated(lm: elman.LanguageModel) -> None:
    with pytest.raises(TextError, match="the text is empty"):
        lm.evaluate("")


def test_the_same_seed_draws_the_same_text(lm: elman.LanguageModel) -> None:
    assert lm.generate("the", seed=3) == lm.generate("the", seed=3)
    assert lm.generate("the", seed=3) != lm.generate("the", seed=4)
    assert lm.generate("the", temperature=0) == lm.generate("the", top_k=1, seed=9) == lm.generate("the", top_p=1e-9)


def test_generation_continues_its_prompt(lm: elman.LanguageModel) -> None:
    greedy = lm.generate("the cat", max_tokens=6, temperature=0)
    assert greedy[0] in " \n"
    longer = lm.generate("the cat" + " sat on the mat and" * 300, max_tokens=3, temperature=0)
    assert longer
    assert lm.generate("the", max_tokens=0) == ""
    state = lm.begin()
    for word in ("the", "cat"):
        _, state = lm.step(state, word)
    likeliest = max((w for w in lm.tokenizer.tokens if w != "<unk>"), key=lambda w: lm.step(state, w)[0])
    assert greedy.startswith("\n" if likeliest == "<eos>" else f" {likeliest}")


def test_unknown_is_never_drawn_unless_asked(lm: elman.LanguageModel) -> None:
    before = lm.p.b_2[0]
    lm.p.b_2[0] += 50
    try:
        assert "<unk>" not in lm.generate("the", seed=0)
        drawn = "".join(lm.stream("the", Sampling(5, unknown=True), np.random.default_rng(0)))
        assert "<unk>" in drawn
    finally:
        lm.p.b_2[0] = before  # to the bit: other tests use the model


def test_unknown_is_allowed_from_python_as_on_the_command_line(lm: elman.LanguageModel) -> None:
    before = lm.p.b_2[0]
    lm.p.b_2[0] += 50
    try:
        assert "<unk>" in lm.generate("the", seed=0, max_tokens=5, unknown=True)
        assert lm.generate("the", seed=0, min_p=0.5) == lm.generate("the", seed=0, min_p=0.5)
        assert "<unk>" not in lm.generate("the", seed=0, min_p=0.5)
    finally:
        lm.p.b_2[0] = before


def test_min_p_keeps_what_has_its_share_of_the_likeliest() -> None:
    p = np.array([0.4, 0.1, 0.3, 0.15, 0.05])
    for temperature, share, kept in ((1.0, 0.3, {0, 2, 3}), (2.0, 0.45, {0, 1, 2, 3}), (0.5, 0.5, {0, 2}), (1, 1, {0})):
        relative = (p / p.max()) ** (1 / temperature)
        assert set(np.flatnonzero(relative >= share).tolist()) == kept
        generator = np.random.default_rng(0)
        sampling = Sampling(temperature=temperature, min_p=share)
        drawn = np.bincount([choose(np.log(p), sampling, generator) for _ in range(4000)], minlength=5) / 4000
        expected = np.where(relative >= share, relative, 0)
        np.testing.assert_allclose(drawn, expected / expected.sum(), atol=0.032)  # 4 standard deviations


def test_a_repeated_token_is_penalised(lm: elman.LanguageModel) -> None:
    """Greedily, by the formula: p^r for what was read or drawn."""
    r, tokens = 3.0, ["the", "cat"]
    for _ in range(8):
        p = {token: q ** (r if token in tokens else 1) for token, q in lm.next(" ".join(tokens), top=None)}
        del p["<unk>"], p["<eos>"]
        tokens.append(max(p, key=lambda token: p[token]))
    penalty, bias = lm.tokenizer.eos, lm.p.b_2[lm.tokenizer.eos]
    lm.p.b_2[penalty] = -1e4  # no line end: the loop above has none
    try:
        fresh = elman.LanguageModel(lm.p, lm.tokenizer)
        found = fresh.generate("the cat", temperature=0, max_tokens=8, repetition_penalty=r)
    finally:
        lm.p.b_2[penalty] = bias
    assert found.split() == tokens[2:]
    assert lm.generate("the", seed=1, repetition_penalty=1.0) == lm.generate("the", seed=1)


@settings(max_examples=60, deadline=None)
@given(
    logits=st.lists(st.floats(-5, 5), min_size=2, max_size=12), k=st.integers(0, 5), share=st.floats(0.01, 1),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_top_k_and_top_p_draw_among_the_likeliest(logits: list[float], k: int, share: float, seed: int) -> None:
    values = np.array(logits)
    probabilities = np.exp(values) / np.exp(values).sum()
    drawn = choose(np.log(probabilities), Sampling(top_k=k, top_p=share), np.random.default_rng(seed))
    above = probabilities[probabilities > probabilities[drawn]]
    if k:
        assert len(above) < k
    if not k:
        assert above.sum() <= share + 1e-9


def test_drawing_follows_the_probabilities() -> None:
    probabilities = np.array([0.5, 0.3, 0.2])
    generator = np.random.default_rng(0)
    drawn = np.bincount([choose(np.log(probabilities), Sampling(), generator) for _ in range(20_000)]) / 20_000
    np.testing.assert_allclose(drawn, probabilities, atol=0.015)  # 4 standard deviations


@pytest.mark.parametrize(
    ("pieces", "stop", "expected"),
    [
        (["ab", "cd", "ef"], ["de"], "abc"),
        (["a", "b", "c"], ["x"], "abc"),
        (["one\n", "two"], ["\n"], "one"),
        (["aab", "aac"], ["aac", "zz"], "aab"),
        (["aa", "aa"], ["aab"], "aaaa"),
        (["x"], [], "x"),
    ],
)
def test_stop_strings_across_pieces(pieces: list[str], stop: list[str], expected: str) -> None:
    assert "".join(before_stop(iter(pieces), stop)) == expected


@pytest.mark.parametrize("bad", [
        {"temperature": -1}, {"top_p": 0.0}, {"top_k": -1}, {"stop": ("",)}, {"min_p": 1.5}, {"min_p": -0.1},
        {"repetition_penalty": 0.5}, {"repetition_penalty": math.inf},
    ],
)  # fmt: skip
def test_sampling_that_makes_no_sense_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ElmanError, match="it must be"):
        Sampling(**bad)  # type: ignore[arg-type]
