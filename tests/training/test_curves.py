"""Learning curves: the numbers of the records, and a plot that repeats to the byte."""

from __future__ import annotations

import io
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Run, fails

from elman.errors import ConfigError
from elman.training.curves import curve, require_one_measure
from elman.training.curves_page import as_html
from elman.training.records import RescueRecord, ValidationRecord

RECORDS = [
    ValidationRecord(10, 1, math.log(8.0), math.log(16.0), True, 0.01, 1.5),
    RescueRecord(12, 10, 0.5),
    ValidationRecord(20, 2, math.log(4.0), math.nan, True, 0.01, 2.5),
    ValidationRecord(30, 3, 800.0, math.log(2.0), False, 0.01, 4.0),
]


def test_a_curve_has_the_numbers_of_the_validations() -> None:
    of_words = curve("a", RECORDS, "word", "step")
    assert (of_words.measure, of_words.at) == ("perplexity", (10, 20, 30))
    assert of_words.valid == pytest.approx((8, 4, math.nan), nan_ok=True)
    assert of_words.train == pytest.approx((16, math.nan, 2), nan_ok=True)
    of_characters = curve("a", RECORDS, "char", "seconds")
    assert (of_characters.measure, of_characters.at) == ("bits", (1.5, 2.5, 4.0))
    assert of_characters.valid[:2] == pytest.approx((3, 2))
    task = curve("a", [ValidationRecord(5, 1, 0.2, 0.3, True, 0.01, 1, 0.25)], "word", "epoch", task=True)
    assert (task.measure, task.at, task.valid, task.train) == ("wrong", (1,), (0.25,), (0.3,))


def test_curves_without_a_common_axis_are_refused() -> None:
    with pytest.raises(ConfigError, match="a is measured in perplexity and b in bits per token"):
        require_one_measure([curve("a", RECORDS, "word", "step"), curve("b", RECORDS, "byte", "step")])
    with pytest.raises(ConfigError, match="a has no validation yet"):
        curve("a", RECORDS[1:2], "word", "step")


def test_the_points_of_the_command(word_run: Path, char_run: Path, command: Run, tmp_path: Path) -> None:
    found = json.loads(command("plot", word_run, word_run, "--against", "epoch", "--json").stdout)
    lines = [json.loads(line) for line in (word_run / "metrics.jsonl").read_text().splitlines()]
    expected = [math.exp(line["nats_per_token"]) for line in lines if line["kind"] == "validation"]
    assert found["against"] == "epoch"
    assert [each["at"] for each in found["curves"]] == [[1, 2, 3, 4]] * 2
    assert found["curves"][0]["valid"] == pytest.approx(expected)
    assert found["curves"][0]["label"] == str(word_run)
    fails(command("plot", word_run, char_run, "--json"), "plot runs of one kind together")
    fails(command("plot", word_run), "--out is missing")
    fails(command("plot", word_run, "--out", tmp_path / "a.gif"), "end its name in .png, .svg, .pdf, .html")
    fails(command("plot", tmp_path, "--json"), "no config.json")
    fails(command("plot", "--json"), "Missing argument 'RUN...'")


@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_the_plot_is_written_and_repeats(word_run: Path, command: Run, tmp_path: Path, kind: str) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    written = []
    for name in ("a", "b"):
        out = tmp_path / f"{name}.{kind}"
        done = command("plot", word_run, word_run, "--out", out)
        assert done.returncode == 0, done.stderr
        assert f"written: {out}" in done.stderr
        written.append(out.read_bytes())
    assert written[0] == written[1]
    assert written[0].startswith({"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}[kind])
    if kind == "svg":
        assert b"perplexity" in written[0]
        assert b"validation" in written[0]


def test_the_page_needs_nothing_else(word_run: Path, command: Run, tmp_path: Path) -> None:
    out = tmp_path / "curves.html"
    done = command("plot", word_run, word_run, "--against", "epoch", "--out", out)
    assert done.returncode == 0, done.stderr
    page = out.read_text()
    data = json.loads(re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)[0])
    points = json.loads(command("plot", word_run, word_run, "--against", "epoch", "--json").stdout)["curves"]
    assert data["curves"] == points
    assert (data["x"], data["y"]) == ("epoch", "perplexity")
    assert not re.search(r"(?:src|href)=|url\((?!#)|@import", page)


def test_the_page_shows_what_cannot_be_drawn() -> None:
    nothing = ValidationRecord(7, 1, math.nan, math.nan, False, 0.01, 1)
    page = as_html([curve("a</script>", RECORDS, "word", "step"), curve("b", [nothing], "word", "step")], "step")
    assert page.count("</script>") == 2
    assert "<th>a&lt;/script&gt;</th>" in page
    assert '<td class="n">3</td><td class="n">4</td><td class="n">20</td><td class="n">–</td>' in page
    assert '<th>b</th><td class="n">1</td><td class="n">–</td>' in page


def test_without_matplotlib_the_command_says_what_to_install(word_run: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None; from elman.cli.entry import run\n"
        f"sys.exit(run(['plot', {str(word_run)!r}, '--out', {str(tmp_path / 'a.svg')!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    fails(done, "the plots need matplotlib: pip install 'elman[plots]'")
    assert not list(tmp_path.iterdir())


def test_the_figure_draws_the_numbers() -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    from elman.gradient_flow.plots import styled
    from elman.training.curves_plot import curves_figure

    with styled():
        figure = curves_figure([curve("a_$1", RECORDS, "word", "step"), curve("b", RECORDS, "word", "step")], "step")
        (axes,) = figure.axes
        valid, train, *_ = axes.lines
        assert list(valid.get_xdata()) == [10, 20, 30]
        assert list(valid.get_ydata())[:2] == pytest.approx([8, 4])
        assert train.get_linestyle() == "--"
        assert len(axes.lines) == 4
        assert axes.get_yscale() == "log"
        nothing = ValidationRecord(1, 1, math.nan, math.nan, False, 0.01, 1)
        curves_figure([curve("a", [nothing], "word", "step")], "step").savefig(io.BytesIO())
