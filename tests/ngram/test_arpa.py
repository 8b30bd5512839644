"""ARPA files: written and read back, those of other tools, and damaged ones."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import pytest

from elman.errors import TextError
from elman.ngram.arpa import escaped, read_arpa, unescaped, write_arpa
from elman.ngram.kneser_ney import train

EOS = 1
TOKENS = ["<unk>", "\n", "sea", "wind", "a b", "\\", "\u2003", "光"]

# As SRILM writes it: -99 for what is never predicted, no backoff where nothing follows, more than one blank.
SRILM = """
\\data\\
ngram 1=5
ngram 2=3

\\1-grams:
-1.0\t<unk>
-0.5\t</s>
-99\t<s>\t-0.3
-0.7\tsea\t-0.2
-0.9\twind

\\2-grams:
-0.1\t<s> sea
-0.4   sea   wind
-0.6\tsea </s>

\\end\\
"""


def saved(folder: Path, text: str) -> Path:
    path = folder / "model.arpa"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("order", [1, 2, 4])
def test_a_model_is_read_back(tmp_path: Path, order: int) -> None:
    ids = np.random.default_rng(3).zipf(1.4, 400) % len(TOKENS)
    model = train(ids, len(TOKENS), EOS, order)
    text = io.StringIO()
    write_arpa(model, TOKENS, 0, text)
    again, tokens = read_arpa(saved(tmp_path, text.getvalue()))
    assert tokens == ["<unk>", "</s>", *TOKENS[2:]]
    assert [len(o) for o in again.orders] == [len(o) for o in model.orders]
    assert np.allclose(again.read(again.begin(), ids)[0], model.read(model.begin(), ids)[0], rtol=1e-6)


def test_a_file_of_another_tool(tmp_path: Path) -> None:
    model, tokens = read_arpa(saved(tmp_path, SRILM))
    sea, wind, end = map(tokens.index, ("sea", "wind", "</s>"))
    log_probs, state = model.read(model.begin(), [sea, wind, sea, end])
    expected = [-0.1, -0.4, -0.7, -0.6]  # wind has no backoff weight, so 0
    assert log_probs / math.log(10) == pytest.approx(expected, abs=1e-6)
    assert state == model.begin()
    assert model.next(model.begin())[wind] / math.log(10) == pytest.approx(-0.3 - 0.9, abs=1e-6)


def test_the_tokens_of_a_network(tmp_path: Path) -> None:
    """Words that the network has not are left out; what the file has not gets the probability of <unk>."""
    ids = {"<unk>": 0, "</s>": 1, "rain": 2, "sea": 3}
    model, tokens = read_arpa(saved(tmp_path, SRILM), ids)
    assert tokens == ["<unk>", "</s>", "rain", "sea"]
    log_probs, _ = model.read(model.begin(), [3, 1, 2, 0])
    assert log_probs / math.log(10) == pytest.approx([-0.1, -0.6, -0.3 - 1.0, -1.0], abs=1e-6)
    assert len(model.orders[1]) == 2


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("\\data\\", "data", r"line 2 is 'data', expected \\data\\"),
        ("ngram 2=3", "ngram 3=3", r"line 4 is 'ngram 3=3', expected ngram 2=COUNT"),
        ("ngram 2=3", "ngram 2=4", r"line 18 is .*, expected log10 p, 2 words"),
        ("ngram 2=3", "ngram 2=2", r"line 16 is .*, expected \\end\\"),
        ("-0.7\tsea", "x\tsea", r"line 10 is .*, whose logarithm is no number"),
        ("-0.7\tsea", "nan\tsea", r"line 10 is .*, whose logarithm is no number"),
        ("sea   wind", "sea   rain", r"line 15 is .*, which has a word that is no 1-gram"),
        ("-0.9\twind", "-0.9\tsea", r"one twice"),
        ("-0.5\t</s>", "-0.5\tdone", r"and </s> is none of them"),
        ("-0.4   sea   wind", "-0.4 sea </s>", r"2-grams of which two are equal"),
        ("\\end\\", "", r"ends too soon"),
        ("ngram 1=5", "ngram 1=0", r"and the file has none"),
        ("-0.7\tsea\t-0.2", "-0.7\tsea\t-0.2\t3", r"line 10 is .*, expected log10 p, 1 word,"),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(tmp_path: Path, old: str, new: str, reason: str) -> None:
    assert old in SRILM
    with pytest.raises(TextError, match=reason):
        read_arpa(saved(tmp_path, SRILM.replace(old, new, 1)))


def test_a_context_must_be_there(tmp_path: Path) -> None:
    text = SRILM.replace("ngram 2=3\n", "ngram 2=3\nngram 3=1\n").replace(
        "\n\\end", "\n\\3-grams:\n-0.2\twind sea wind\n\n\\end"
    )
    with pytest.raises(TextError, match="3-grams of which one has a context that is no 2-gram"):
        read_arpa(saved(tmp_path, text))


@pytest.mark.parametrize("token", [*TOKENS, "", "x\ty", "\\x41"])
def test_tokens_with_white_space(token: str) -> None:
    assert not any(c.isspace() for c in escaped(token))
    assert unescaped(escaped(token)) == token
