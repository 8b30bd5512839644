"""The command line as a user meets it: every command, every wrong call, in processes of their own."""

from __future__ import annotations

import json
import math
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import COMMANDS, Run, fails

import elman
from elman.checkpoint import RunFolder, load_model, save_model
from elman.thread_count import processors, threads
from elman.wording import count


def test_version_and_help(command: Run) -> None:
    assert command("--version").stdout == f"elman {elman.__version__}\n"
    overview = command("--help").stdout
    for name in COMMANDS:
        assert name in overview
        help_text = command(name, "--help").stdout
        assert f"Example:  {'echo' if name == 'score' else 'elman'}" in help_text
        assert "--json" in help_text


def test_version_imports_nothing_heavy(command: Run) -> None:
    code = (
        "import sys, elman.cli; print([m for m in ('numpy', 'tokenizers', 'rich', 'safetensors') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_train_says_what_it_does(tmp_path: Path, corpus: Path, command: Run) -> None:
    done = command(
        "train", corpus, "--out", tmp_path / "r", "--epochs", 2, "--hidden", 16, "--batch-size", 4, "--bptt", 8,
        "--json",
    )  # fmt: skip
    assert done.returncode == 0
    summary = json.loads(done.stdout)
    assert summary["epochs"] == 2
    assert summary["reason"] == "epochs"
    assert "held out" in done.stderr
    assert re.search(r"epoch +2 +step .* train perplexity [\d.]+ +valid perplexity [\d.]+", done.stderr)
    assert f"elman generate {tmp_path / 'r'}" in done.stderr
    assert "\x1b" not in done.stderr  # plain lines, no terminal
    records = [json.loads(line) for line in (tmp_path / "r" / "metrics.jsonl").read_text().splitlines()]
    assert {"step", "validation"} == {record["kind"] for record in records}
    best = min(r["nats_per_token"] for r in records if r["kind"] == "validation")
    assert summary["validation_perplexity"] == pytest.approx(math.exp(best))


@pytest.mark.parametrize("level", ["byte", "char", "word", "bpe"])
def test_every_level_from_stdin_to_text(tmp_path: Path, corpus: Path, command: Run, level: str) -> None:
    out = tmp_path / level
    options = ["--vocab-size", "300"] if level == "bpe" else []
    done = command(
        "train", "-", "--out", out, "--level", level, "--epochs", 1, "--hidden", 16, "--embed", 16, "--batch-size", 2,
        "--bptt", 8, *options, stdin=corpus.read_text(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(command("evaluate", out, corpus, "--json").stdout)
    assert found["characters"] == len(corpus.read_text())
    assert found["line_ends"] == 120
    assert 0 < found["bits_per_character"] < 8
    assert command("generate", out, "the cat", "--seed", 1, "--max-tokens", 5).stdout.startswith("the cat")
    assert command("score", out, stdin="the cat\n").stdout.startswith("log10=-")


def test_folders_and_several_files_and_their_own_validation(tmp_path: Path, corpus: Path, command: Run) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text(corpus.read_text())
    done = command(
        "train",
        tmp_path / "texts",
        corpus,
        "--valid",
        corpus,
        "--out",
        tmp_path / "r",
        "--epochs",
        1,
        "--batch-size",
        4,
    )
    assert done.returncode == 0, done.stderr
    assert f"validation: {corpus}" in done.stderr


def test_evaluate_table(word_run: Path, corpus: Path, command: Run) -> None:
    shown = command("evaluate", word_run, corpus).stdout
    for name in ("perplexity including OOV", "excluding OOV", "per word", "bits per character", "bits per byte"):
        assert name in shown


def test_score_a_line_out_for_a_line_in(word_run: Path, command: Run) -> None:
    lines = ["the cat sat", "", "the zebra", "the cat sat"]
    out = command("score", word_run, stdin="\n".join(lines) + "\n").stdout.splitlines()
    assert len(out) == 4
    assert out[0] == out[3]
    assert "tokens=3 oov=1" in out[2]
    assert out[1].endswith("tokens=1 oov=0")
    natural = command("score", word_run, "--base", "e", stdin="the cat sat\n").stdout
    value = float(natural.split()[0].removeprefix("ln="))
    assert value == pytest.approx(float(out[0].split()[0].removeprefix("log10=")) * math.log(10), abs=1e-5)


def test_score_per_token_and_json(word_run: Path, command: Run) -> None:
    (line,) = command("score", word_run, "--per-token", stdin="the zebra\n").stdout.splitlines()
    total, *tokens = line.split("\t")
    assert [t.split()[0] for t in tokens] == ["the", "zebra", "<eos>"]
    assert sum(float(t.split()[1]) for t in tokens) == pytest.approx(float(total.split()[0][6:]), abs=1e-5)
    found = json.loads(command("score", word_run, "--per-token", "--json", stdin="the zebra\n").stdout)
    assert found["base"] == "log10"
    assert [t["oov"] for t in found["per_token"]] == [False, True, False]
    assert command("score", word_run, "--json", "--line-buffered", stdin="a\nb\n").stdout.count("\n") == 2


NBEST = "1 the cat sat on the mat\n1 the mat the on sat cat\n2 zebra\n1 the cat sat on the mat\n2 the dog ran\n"


def test_nbest(word_run: Path, command: Run) -> None:
    best = command("score", word_run, "--nbest", "best", "--oov-penalty", -50, stdin=NBEST).stdout
    assert best == "1 the cat sat on the mat\n2 the dog ran\n"
    everything = command("score", word_run, "--nbest", "all", stdin=NBEST).stdout.splitlines()
    assert [line.split()[0] for line in everything] == ["1", "1", "2", "1", "2"]
    assert everything[0] == everything[3]
    alone = command("score", word_run, stdin="the dog ran\n").stdout
    assert everything[4].split()[1] == alone.split()[0].removeprefix("log10=")
    penalty = json.loads(
        command("score", word_run, "--oov-penalty", -5, "--json", "--per-token", stdin="zebra\n").stdout
    )
    assert penalty["per_token"][0]["log_probability"] == pytest.approx(-5)
    fails(command("score", word_run, "--nbest", "all", stdin="1 a\n\n"), "line 2 of the n-best list is empty")


def test_train_from_a_run_and_with_a_vocabulary(word_run: Path, corpus: Path, command: Run, tmp_path: Path) -> None:
    done = command("train", corpus, "--from", word_run, "--out", tmp_path / "more", "--epochs", 1, "--lr", 1e-9)
    assert done.returncode == 0, done.stderr
    more, lm = elman.load(tmp_path / "more"), elman.load(word_run)
    assert more.score("the cat sat") == pytest.approx(lm.score("the cat sat"), rel=1e-4)
    words = tmp_path / "words.txt"
    words.write_text("the\ncat\n")
    done = command("train", corpus, "--vocab", words, "--out", tmp_path / "few", "--epochs", 1, "--hidden", 4)
    assert done.returncode == 0, done.stderr
    assert elman.load(tmp_path / "few").tokenizer.tokens == ["<unk>", "<eos>", "the", "cat"]


def test_score_after_a_context_and_without_a_reset(word_run: Path, command: Run) -> None:
    lm = elman.load(word_run)
    found = json.loads(command("score", word_run, "--after", "the cat", "--json", stdin="sat on\n").stdout)
    assert found["log_probability"] == pytest.approx(lm.score("sat on", after="the cat"), rel=1e-12)
    assert found["tokens"] == 3
    told = command("score", word_run, "--after", "the zebra", stdin="sat\n").stderr
    assert "not in the vocabulary: 1 of the context's 2 tokens" in told
    out = command("score", word_run, "--no-reset", "--base", "e", "--json", stdin="the cat\nthe cat\n").stdout
    first, second = (json.loads(line)["log_probability"] for line in out.splitlines())
    assert first == pytest.approx(lm.score("the cat", base=math.e), rel=1e-12)
    assert second == pytest.approx(lm.score("the cat", after="the cat\n", base=math.e), rel=1e-12)
    best = command("score", word_run, "--nbest", "best", "--after", "the", stdin="1 zebra zebra\n1 cat sat\n").stdout
    assert best == "1 cat sat\n"


def test_next(word_run: Path, command: Run) -> None:
    lines = command("next", word_run, "the cat", "--top", 4).stdout.splitlines()
    expected = elman.load(word_run).next("the cat", 4)
    assert lines == [f"{probability:.6f}\t{token}" for token, probability in expected]
    found = json.loads(command("next", word_run, "the cat", "--top", 4, "--json").stdout)
    assert found["context"] == "the cat"
    assert [each["token"] for each in found["next"]] == [token for token, _ in expected]
    assert [each["probability"] for each in found["next"]] == pytest.approx([p for _, p in expected], rel=1e-6)
    assert "not in the vocabulary: 1 of the context's 2 tokens" in command("next", word_run, "the zebra").stderr


def test_generate_with_a_beam_and_other_limits(word_run: Path, command: Run) -> None:
    lm = elman.load(word_run)
    expected = lm.continuation("the cat", beams=3)
    assert command("generate", word_run, "the cat", "--beam", 3).stdout == f"the cat{expected.text}\n"
    found = json.loads(command("generate", word_run, "the cat", "--beam", 3, "--json").stdout)
    assert found == {"prompt": "the cat", "text": expected.text, "log_probability": expected.log_prob, "base": "log10"}
    drawn = command("generate", word_run, "the", "--seed", 1, "--min-p", 0.2, "--repetition-penalty", 1.5).stdout
    assert drawn == f"the{lm.generate('the', seed=1, min_p=0.2, repetition_penalty=1.5)}\n"


def test_next_shows_a_line_end_on_one_line(char_run: Path, command: Run) -> None:
    assert any(line.endswith("\t\\n") for line in command("next", char_run, "--top", 99).stdout.splitlines())


def test_generate(word_run: Path, command: Run) -> None:
    arguments = ("generate", word_run, "the", "--max-tokens", 8, "--seed", 5)
    assert command(*arguments).stdout == command(*arguments).stdout
    three = command(*arguments, "--count", 3, "--json").stdout.splitlines()
    assert len({json.loads(line)["text"] for line in three}) == 3
    done = command("generate", word_run, "the zebra", "--max-tokens", 2)
    assert "not in the vocabulary: 1 of the prompt's 2 tokens" in done.stderr


def test_info(word_run: Path, command: Run) -> None:
    found = json.loads(command("info", word_run, "--json").stdout)
    assert found["model"]["Dh"] == 16
    assert found["validation_perplexity"] > 1
    assert json.loads(command("info", "--json").stdout)["backend"].startswith(("native", "numpy"))
    assert "validation perplexity" in command("info", word_run).stdout


def test_perplexities_beyond_a_billion_are_short(word_run: Path, tmp_path: Path, command: Run) -> None:
    """Of a run whose model is sure of what does not come: every bias of U is far off but one."""
    run = tmp_path / "sure"
    shutil.copytree(word_run, run)
    _, _, p = load_model(RunFolder(run))
    p.b_2[:] = -1e4
    p.b_2[0] = 0
    save_model(RunFolder(run), p)
    text = tmp_path / "t.txt"
    text.write_text("the cat sat\n")
    assert re.search(r"perplexity including OOV +\d\.\d\de\+43\d\d ", command("evaluate", run, text).stdout)
    found = json.loads(command("evaluate", run, text, "--json").stdout)
    assert found["perplexity_including_oov"] is None
    assert found["nats_per_token"] == pytest.approx(1e4, rel=0.01)
    assert re.search(r"perplexity \d\.\d\de\+", command("flow", run, text, "--steps", 4).stdout)


def test_blanks_are_evaluated(char_run: Path, tmp_path: Path, command: Run) -> None:
    text = tmp_path / "blanks.txt"
    text.write_text("   ")
    assert re.search(r"perplexity per word +– +over 0 words", command("evaluate", char_run, text).stdout)
    assert json.loads(command("evaluate", char_run, text, "--json").stdout)["perplexity_per_word"] is None


@pytest.mark.parametrize(
    ("content", "level", "sentence"),
    [
        (b"", "word", "is empty: give a text with something in it"),
        (b"good \xff\n", "word", "is not UTF-8: byte 0xFF at offset 5"),
        (b"\x7fELF\0\0", "word", "is binary: it has a zero byte at offset 4"),
        (b"o", "char", "the text to train on has 1 token, and at least 2 are needed"),
        (b" \n \n", "word", "only white space"),
    ],
)
def test_texts_that_do_not_do(tmp_path: Path, command: Run, content: bytes, level: str, sentence: str) -> None:
    text, out = tmp_path / "t.txt", tmp_path / "r"
    text.write_bytes(content)
    fails(command("train", text, "--valid", text, "--out", out, "--level", level), sentence)
    assert not out.exists()


def test_an_empty_part_of_the_text_is_named(tmp_path: Path, corpus: Path, command: Run) -> None:
    nothing = tmp_path / "nothing.txt"
    nothing.write_text("o")
    options = ("--out", tmp_path / "r", "--level", "char")
    sentence = f"the text to validate on, {nothing}, has 1 token, and at least 2 are needed"
    fails(command("train", corpus, "--valid", nothing, *options), sentence)
    sentence = "held out for validation, the last 0 bytes of the text, has 0 tokens, and at least 2 are needed"
    fails(command("train", corpus, "--held-out", "0.0001", *options), sentence)


@pytest.mark.parametrize(("chosen", "used", "words"), [
    ((), "char", "so --level char is used"),
    (("--level", "word"), "word", "nearly every word will be a new one; --level char or bpe fits it better"),
    (("--level", "bpe", "--vocab-size", 300), "bpe", "learning up to 44 byte pairs"),
    (("--level", "byte"), "byte", ""),
])  # fmt: skip
def test_a_text_without_blanks(tmp_path: Path, command: Run, chosen: tuple[object, ...], used: str, words: str) -> None:
    text = tmp_path / "dna.txt"
    text.write_text("\n".join("".join(random.Random(k).choices("ACGT", k=60)) for k in range(60)) + "\n")
    size = ("--epochs", 1, "--hidden", 8, "--embed", 8, "--batch-size", 2, "--bptt", 4)
    done = command("train", text, "--out", tmp_path / "r", *size, *chosen)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "r" / "config.json").read_text())["text"]["level"] == used
    told = done.stderr[: done.stderr.index("corpus ")]
    assert words in told
    assert ("the text has hardly any blanks (1.6% of its characters)" in told) == (used in ("char", "word"))


def test_level_byte_takes_any_file(tmp_path: Path, command: Run) -> None:
    binary, out = tmp_path / "any.bin", tmp_path / "r"
    binary.write_bytes(bytes(range(256)) * 20)
    size = ("--epochs", 1, "--hidden", 8, "--embed", 8, "--batch-size", 2, "--bptt", 4)
    fails(command("train", binary, "--out", out), "level byte alone reads any bytes")
    assert command("train", binary, "--out", out, "--level", "byte", *size).returncode == 0
    assert json.loads(command("evaluate", out, binary, "--json").stdout)["tokens"] == 256 * 20
    assert command("score", out, binary).stdout.count("\n") == 21
    assert command("flow", out, binary, "--steps", 8).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["train", "nowhere.txt"], "nowhere.txt does not exist"),
        (["train", "{corpus}", "--activation", "gelu"], "'gelu' is not one of 'sigmoid', 'tanh', 'relu'"),
        (["train", "{corpus}", "--level", "byte", "--vocab-size", "9"], "leave out --vocab-size"),
        (["train", "{corpus}", "--valid", "{corpus}", "--held-out", "0.1"], "contradict each other"),
        (["train", "{corpus}", "--held-out", "2"], "held-out is 2.0; it must be over 0 and under 1"),
        (["train", "{corpus}", "--tie", "--embed", "8", "--hidden", "16"], "tied output weights need d = Dh"),
        (["train", "{corpus}", "--exact", "--precision", "bf16"], "--exact contradicts --precision bf16"),
        (["train", "{corpus}", "--exact", "--skip-below", "1e-6"], "--exact contradicts"),
        (["train", "{corpus}", "--layers", "0"], "layers is 0; it must be a whole number from 1 to 64"),
        (["train", "{corpus}", "--layers", "2", "--omega", "1"], "--omega is of one recurrent layer: leave it out"),
        (["train", "{corpus}", "--layers", "2", "--floss", "9"], "--floss is of one recurrent layer: leave it out"),
        (["train", "{corpus}", "--layers", "2", "--watch-gradients", "9"], "leave it out, or take --layers 1"),
        (["train", "{corpus}", "--skip"], "--skip connects layers, and there is one: add --layers 2"),
        (["train", "{corpus}", "--variational-dropout", "--dropout", "0"], "and dropout is 0 here: add --dropout"),
        (["flow", "{deep}", "{corpus}", "--layer", "3"], "layer is 3; it must be a number from 0 to 2"),
        (["flow", "{run}", "{corpus}", "--layer", "1"], "layer is 1; it must be 0, as the network has one layer"),
        (["train", "{corpus}", "--dropout", "1"], "dropout is 1.0; it must be from 0 to under 1"),
        (["train", "{corpus}", "--max-time", "-3"], "max-time is -3.0; it must be over 0"),
        (["train", "--resume", "{run}", "--lr", "1"], "contradicts --lr"),
        (["train", "--resume", "{run}", "--exact"], "contradicts --exact"),
        (["train", "{corpus}", "--resume", "{run}"], "contradicts TEXT"),
        (["train", "--resume", "nowhere"], "there is no run at nowhere"),
        (["evaluate", "nowhere", "{corpus}"], "there is no run at nowhere"),
        (["evaluate", "{run}", "nowhere.txt"], "nowhere.txt does not exist"),
        (["evaluate", "{run}"], "was trained on a text, not on a task, so name the TEXT to measure it on"),
        (["score", "{run}", "nowhere.txt"], "nowhere.txt does not exist"),
        (["score", "{run}", "--base", "3"], "'3' is not one of"),
        (["score", "{run}", "--per-token", "--nbest", "all"], "contradict each other"),
        (["generate", "{run}", "the", "--temperature", "-1"], "temperature is -1.0; it must be at least 0"),
        (["generate", "{run}", "the", "--top-p", "0"], "top-p is 0.0"),
        (["score", "{run}", "--nbest", "best", "--no-reset"], "hypotheses are not lines of one text"),
        (["score", "{run}", "--mix", "ngram", "--no-bos"], "the parts of a mixture begin at a line"),
        (
            ["generate", "{run}", "--beam", "2", "--seed", "1", "--top-k", "3"],
            "--beam looks for the likeliest text and contradicts --top-k, --seed: leave that out",
        ),
        (["generate", "{run}", "--min-p", "2"], "min-p is 2.0; it must be from 0 to 1"),
        (["generate", "{run}", "--repetition-penalty", "0"], "repetition-penalty is 0.0; it must be at least 1"),
        (["next", "{run}", "the", "--top", "0"], "top is 0; it must be a whole number from 1 to 2^63 - 1"),
        (["bench", "--shapes", "char-small,huge"], "shape 'huge' is not known; choose among word-small"),
        (["bench", "--seconds", "0"], "seconds is 0.0; it must be over 0"),
        (["bench", "--seconds", "inf"], "seconds is inf; it must be over 0 seconds and finite"),
        (["train", "{corpus}", "--max-time", "inf"], "max-time is inf; it must be over 0 seconds and finite"),
        (["train", "{corpus}", "--clip", "inf"], "clip is inf; it must be at least 0 and finite"),
        (["generate", "{run}", "the", "--top-k", "9" * 23], "it must be a whole number from 0 to 2^63 - 1"),
        (["generate", "{run}", "the", "--max-tokens", "9" * 23], "it must be a whole number from 0 to 2^63 - 1"),
        (["train", "{corpus}", "--vocab-size", "9" * 23], "vocab-size is"),
        (["train", "{corpus}", "--hidden", "9" * 23], "it must be a whole number, at least 1"),
        (["score", "{run}", "{corpus}", "--oov-penalty", "nan"], "oov-penalty is nan; it must be a finite number"),
        (["score", "{run}", "{corpus}", "--oov-penalty", "-inf"], "oov-penalty is -inf; it must be a finite number"),
        (["dance"], "No such command 'dance'"),
    ],
)
def test_wrong_calls(
    command: Run, corpus: Path, word_run: Path, deep_run: Path, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    filled = [a.format(corpus=corpus, run=word_run, deep=deep_run) for a in arguments]
    fails(command(*filled, cwd=tmp_path), sentence)
    assert not list(tmp_path.glob("runs/*/config.json"))


@pytest.mark.parametrize("value", ["abc", "0", "-1", "2.5", "²", "9" * 23])
@pytest.mark.parametrize("arguments", [["info"], ["flow", "{run}"]])
def test_threads_that_are_no_number_are_refused(
    command: Run, word_run: Path, monkeypatch: pytest.MonkeyPatch, value: str, arguments: list[str]
) -> None:
    monkeypatch.setenv("ELMAN_THREADS", value)
    fails(command(*(a.format(run=word_run) for a in arguments)), "it must be a whole number from 1 to 1,024")


def test_more_threads_than_processors_are_told_and_not_used(
    command: Run, word_run: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    available = processors()
    told = f"elman: 1,000 threads were asked for, but this process may use {count(available, 'processor')}: "
    done = command("evaluate", word_run, corpus, "--threads", 1000)
    assert done.stderr.startswith(told)
    assert done.returncode == 0
    monkeypatch.setenv("ELMAN_THREADS", "1000")
    assert threads() == available
    bench = command("bench", "--shapes", "char-small", "--seconds", 0.01, "--json")
    assert bench.stderr.startswith(told)
    assert json.loads(bench.stdout)["threads"] == available


def test_bench_measures_steps_and_products(command: Run) -> None:
    done = command("bench", "--shapes", "char-small", "--seconds", 0.01, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["threads"] >= 1
    float32 = found["shapes"]["char-small"]["float32"]
    assert float32["gflops"] == pytest.approx(float32["tokens_per_second"] * 6 * (64 + 128 + 96) * 128 / 1e9)
    assert float32["share_of_roofline"] == pytest.approx(float32["gflops"] / float32["roofline_gflops"])
    table = command("bench", "--shapes", "char-small", "--seconds", 0.01).stdout
    assert re.search(r"^char-small +float32 +[\d,]+ +\d+ +\d+% of \d+( +\d+% of \d+)?$", table, re.MULTILINE)
    assert found["tiles"] is False or "amx" in found["backend"]
    assert f"{found['processor']}, matrix tiles: {'used' if found['tiles'] else 'not used'}" in table


def test_a_line_of_100_MB(tmp_path: Path, word_run: Path, command: Run) -> None:
    path = tmp_path / "long.txt"
    with path.open("wb") as file:
        for _ in range(100):
            file.write(b"the cat sat on " * 69905)
    fails(command("score", word_run, path), "line 1 of")
