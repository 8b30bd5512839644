"""`elman flow`: the summary, the JSON, the report in one page, what training recorded, and invalid calls."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Run
from flow_page import NAMES, Page
from networks import problem

import elman
from elman.gradient_flow import decompose, diagnose, norms_by_lag
from elman.gradient_flow.history import LENS, History
from elman.gradient_flow.loss_shares import loss_shares
from elman.gradient_flow.view import farthest_loss
from elman.gradient_flow.visible_tokens import text_direction, visible
from elman.model.network import hidden_states


@pytest.fixture(scope="module")
def watched(command: Run, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("flow") / "watched"
    sizes = ("--epochs", 4, "--hidden", 16, "--batch-size", 4, "--bptt", 8, "--record-every", 5)
    done = command("train", corpus, "--out", out, *sizes, "--watch-gradients", 20, "--activation", "tanh")
    assert done.returncode == 0, done.stderr
    return out


def said(command: Run, *arguments: object, **more: Any) -> dict[str, Any]:
    done = command("flow", *arguments, "--json", **more)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_numbers_are_those_of_the_decomposition(command: Run, watched: Path, corpus: Path) -> None:
    found = said(command, watched, corpus, "--steps", 40, "--start", 7)
    lm = elman.load(watched)
    p = lm.p.astype("float64")
    ids = np.concatenate([[lm.tokenizer.eos], lm.tokenizer.encode(corpus.read_text())])[: 7 + 41]
    h_0 = hidden_states(p, ids[:7, None], p.initial_state(1)).h[-1]
    flow = decompose(p, ids[7:-1, None], ids[8:, None], h_0)
    expected = diagnose(flow, lm.config)
    assert (found["steps"], found["start"], found["oov"]) == (40, 7, 0)
    assert (found["verdict"], found["diagnosis"]) == (expected.verdict, expected.text)
    numbers = expected.numbers
    for key, value in {
        "reach": numbers.reach, "decay_rate": numbers.decay_rate, "spectral_radius": numbers.spectral_radius,
        "largest_singular_value": numbers.sigma_max, "mean_slope": numbers.mean_slope,
        "saturated_share": numbers.flat, "cancellation": numbers.cancellation,
    }.items():  # fmt: skip
        assert found[key] == pytest.approx(value, rel=1e-9), key
    for name in NAMES:
        assert np.allclose(found["log10_norms_by_lag"][name], norms_by_lag(flow, name))
        bounds = np.array(found["log10_bounds_by_lag"][name], float)
        assert (np.array(found["log10_norms_by_lag"][name]) <= bounds + 1e-9).all(), name
    loss = found["chosen_loss"]
    t = loss["at"]
    assert t == farthest_loss(flow)
    assert loss["nats"] == pytest.approx(float(flow.trajectory.J[t]))
    whole = sum(flow.contribution("W_h", t, i) for i in range(t + 1))
    assert loss["log10_norm"] == pytest.approx(np.log10(np.linalg.norm(whole)))
    assert sum(each["share"] for each in loss["contributions"]) == pytest.approx(1)
    for each in loss["contributions"]:
        term = flow.contribution("W_h", t, each["step"])
        assert each["share"] == pytest.approx((term * whole).sum() / (whole**2).sum(), abs=1e-9)


def test_the_keys_in_the_guide_exist(command: Run, watched: Path, corpus: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guide.md").read_text()
    _, table = guide.split("| in the terminal | key of `--json` | meaning |\n")
    rows = table.split("\n\n")[0].splitlines()[1:]
    keys = [key for row in rows for key in re.findall(r"`(\w+)`", row.split(" | ")[1])]
    assert len(keys) > 10
    assert set(keys) <= set(said(command, watched, corpus, "--steps", 30))


def test_the_summary_has_the_numbers_and_fits_140_columns(command: Run, watched: Path, corpus: Path) -> None:
    done = command("flow", watched, corpus, "--steps", 30)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^reach +\d+ steps", done.stdout, re.MULTILINE)
    assert re.search(r"^spectral radius +[\d.]+ +of W_h: its largest \|eigenvalue\|$", done.stdout, re.MULTILINE)
    assert "the loss at" in done.stdout
    assert "the lens," in done.stdout
    lines = done.stdout.replace(f"{watched}", "RUN").replace(f"{corpus}", "TEXT").splitlines()
    assert max(map(len, lines)) < 140


def test_init_is_the_network_before_training(command: Run, watched: Path, corpus: Path) -> None:
    before, after = (said(command, watched, corpus, *more) for more in (("--init",), ()))
    assert before["nats_per_token"] > after["nats_per_token"] + 0.5
    assert before["model"].endswith("before training")
    assert before["history"] is None
    assert before["largest_singular_value"] == pytest.approx(1, rel=1e-5)  # orthogonal, and tanh


def test_two_runs_side_by_side(command: Run, watched: Path, word_run: Path, corpus: Path, tmp_path: Path) -> None:
    page = tmp_path / "two.html"
    both = said(command, watched, corpus, "--compare", word_run, "--html", page)
    (other,) = both["compared"]
    alone = said(command, word_run, corpus, "--at", both["chosen_loss"]["at"])  # both show one prediction
    assert other == {k: v for k, v in alone.items() if k != "compared"}
    assert (both["activation"], other["activation"]) == ("tanh", "sigmoid")
    assert len(json.loads(Page(page.read_text()).data)["networks"]) == 2
    shown_ = command("flow", watched, corpus, "--compare", word_run).stdout
    assert f"(1) {watched}" in shown_
    assert f"(2) {word_run}" in shown_


def test_without_a_text_it_shows_what_training_recorded(command: Run, watched: Path, word_run: Path) -> None:
    lines = [json.loads(line) for line in (watched / "metrics.jsonl").read_text().splitlines()]
    flows = [line for line in lines if line["kind"] == "flow"]
    norms = [line["gradient_norm"] for line in lines if line["kind"] == "step"]
    found = said(command, watched)["history"]
    assert found["lens_steps"] == [line["step"] for line in flows]
    assert found["lens_reach"] == [line["reach"] for line in flows]
    assert found["lens_largest_singular_value"] == [line["sigma_max"] for line in flows]
    assert found["lens_verdicts"] == [line["verdict"] for line in flows]
    assert found["lens_log10_norms_by_lag"] == [line["log10_norms_by_lag"] for line in flows]
    assert found["gradient_norm_median"] == pytest.approx(np.median(norms))
    assert said(command, word_run)["history"]["lens_steps"] == []
    assert "--watch-gradients N does" in command("flow", word_run).stdout


def test_a_text_from_stdin(command: Run, watched: Path, corpus: Path) -> None:
    piped = said(command, watched, "-", "--steps", 20, stdin=corpus.read_text())
    named = said(command, watched, corpus, "--steps", 20)
    assert piped["log10_norms_by_lag"] == named["log10_norms_by_lag"]


def test_unknown_words_are_counted(command: Run, watched: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.txt"
    path.write_text("the zebra sat on the xylophone and the mat ran under the cat\n" * 2)
    assert said(command, watched, path, "--steps", 13)["oov"] == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere", "{corpus}"), "there is no run at nowhere"),
        (("{run}", "nowhere.txt"), "nowhere.txt does not exist"),
        (("{run}", "--steps", "50"), "--steps needs a text: name TEXT after RUN"),
        (("{run}", "--init", "--at", "3"), "--at, --init need a text: name TEXT after RUN"),
        (
            ("{run}", "{corpus}", "--at", "100", "--steps", "20"),
            "at is 100; it must be a loss of the window, from 0 to 19",
        ),
        (("{run}", "{corpus}", "--start", "999999"), "has 0 tokens after the first 999,999, and at least 4 are needed"),
        (("{run}", "{corpus}", "--steps", "3"), "3 is not in the range"),
        (("{run}", "{corpus}", "--html", "{corpus}"), "is an input of this command: give another name to write to"),
        (
            ("{run}", "{corpus}", "--html", "."),
            ". is a folder, expected a file: name the file to write, such as flow.html",
        ),
        (("{run}", "{corpus}", "--html", "no/where.html"), "no/where.html"),
        (("{run}", "{corpus}", "--format", "svg"), "--format is for plots in a folder: give --png FOLDER with it"),
        (("{run}", "{corpus}", "--compare", "nowhere"), "there is no run at nowhere"),
    ],
)
def test_invalid_arguments_are_refused(
    command: Run, watched: Path, corpus: Path, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    done = command("flow", *(a.format(run=watched, corpus=corpus) for a in arguments), cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_the_page_fetches_nothing_and_has_every_number(
    command: Run, watched: Path, corpus: Path, tmp_path: Path
) -> None:
    path = tmp_path / "flow.html"
    done = command("flow", watched, corpus, "--steps", 30, "--html", path)
    assert done.returncode == 0, done.stderr
    assert f"written: {path}" in done.stderr
    text = path.read_text()
    page = Page(text)
    assert not re.search(r"""(src|href)=|@import|url\((?!#)|fetch\(|XMLHttp""", text)
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")  # a namespace, which nothing fetches
    assert {tag for tag, _ in page.tags} >= {"html", "title", "style", "script", "canvas", "noscript"}
    found = said(command, watched, corpus, "--steps", 30)
    assert len(page.tokens) == 31
    assert page.tokens[0] == "⏎"
    assert page.tokens[1:5] == corpus.read_text().split()[:4]
    (network,) = json.loads(page.data)["networks"]
    assert network["T"] == 30
    for name in NAMES:
        page_norms, own_norms = (
            np.array(each, float) for each in (network["by_lag"][name], found["log10_norms_by_lag"][name])
        )
        assert np.allclose(page_norms, own_norms, atol=1e-6, equal_nan=True)  # None is NaN here: nothing flows
    assert found["diagnosis"].replace("_", "") in re.sub("<[^>]*>", "", text.replace("&#x27;", "'"))


@pytest.mark.parametrize("B", [1, 3])
def test_shares_and_cosines_within_a_loss_are_those_of_the_matrices(B: int) -> None:
    p, x, y, h_0 = problem(T=9, B=B)
    flow = decompose(p, x, y, h_0)
    found = loss_shares(flow)
    for name in ("W_h", "W_e"):
        norms = flow.log10_norms(name)
        shares = found[name].shares(norms)
        for t in range(9):
            terms = [flow.contribution(name, t, i) for i in range(t + 1)]
            whole = sum(terms)
            assert found[name].log10_norms[t] == pytest.approx(np.log10(np.linalg.norm(whole)))
            for i, term in enumerate(terms):
                along = (term * whole).sum()
                assert shares[t, i] == pytest.approx(along / (whole**2).sum(), abs=1e-9)
                assert found[name].cosines[t, i] == pytest.approx(
                    along / np.linalg.norm(term) / np.linalg.norm(whole), abs=1e-9
                )
            assert not shares[t, t + 1 :].any()


def test_incomplete_records_are_read_as_far_as_possible() -> None:
    records = [
        {"kind": "step", "step": 10, "gradient_norm": 2.0, "clipped": 5, "skipped": 1},
        {"kind": "step", "step": 20, "gradient_norm": None, "clipped": 10, "skipped": 0},
        {"kind": "news", "step": 20},
        {"kind": "flow", "step": 0, "reach": 3, "log10_norms_by_lag": [0.5, None]},
        {"kind": "flow", "step": 20, "reach": 4, "log10_norms_by_lag": [0.5, -1.0, -2.0]},
        {"kind": "rescue", "step": 15},
    ]
    found = History.of(records, clip=1.0, record_every=10)
    assert found.clipped.tolist() == [0.5, 1.0]
    assert np.isnan(found.gradient_norm[1])
    assert found.log10_norms_by_lag.shape == (2, 3)
    assert np.isnan(found.log10_norms_by_lag[0, 1:]).all()
    assert found.flow["reach"].tolist() == [3, 4]
    assert np.isnan(found.flow["sigma_max"]).all()
    assert set(found.flow) == set(LENS)
    assert found.rescues.tolist() == [15]
    assert found.as_dict()["gradient_norm_median"] == 2.0
    json.dumps(found.as_dict(), allow_nan=False)
    empty = History.of([])
    assert not empty.watched
    assert empty.as_dict()["gradient_norm_median"] is None


def test_records_are_binned_by_mean_and_range() -> None:
    records = [{"kind": "step", "step": k, "gradient_norm": float(k % 10 + 1), "clipped": 0} for k in range(1000)]
    found = History.of(records).binned(100)
    assert len(found["step"]) == 100
    assert found["gradient_norm"].tolist() == [5.5] * 100
    assert found["lowest"].tolist() == [1.0] * 100
    assert found["highest"].tolist() == [10.0] * 100


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (" ", "␣"), ("\n", "⏎"), ("<eos>", "⏎"), ("\t", "⇥"), ("", "⟨⟩"), (" the", " the"), ("a\nb", "a⏎b"),
        ("\u200b", "⟨200B⟩"), ("\u202e", "⟨202E⟩"), ("\u0301", "◌\u0301"), ("\u3000", "⟨3000⟩"), ("é", "é"),
        ("中", "中"), ("\x00", "⟨0000⟩"), ("👍", "👍"),
    ],
)  # fmt: skip
def test_every_token_is_visible(token: str, expected: str) -> None:
    assert visible(token) == expected


def test_the_direction_of_the_text() -> None:
    assert text_direction(["שלום", "עולם", "a"]) == "rtl"
    assert text_direction(["hello", "שלום"]) == "ltr"
    assert text_direction(["1", "."]) == "ltr"
