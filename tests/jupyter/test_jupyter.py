"""What a session and a notebook show: short lines, scoped HTML, `%%check`, progress, tables."""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import elman
from elman.errors import ConfigError, MissingExtraError
from elman.inference.score import SentenceScore
from elman.jupyter import Progress
from elman.jupyter.magic import check_cell
from elman.notebook_html import STYLE, Line, chart, figure
from elman.notes.derive_page import derive
from elman.notes.page.reader import page_of, read_page
from elman.representation import LONGEST_LINE
from elman.training.records import StepRecord, StopRecord, ValidationRecord

EXAMPLES = Path(__file__).parents[2] / "examples"
FORWARD = """
$W \\in \\mathbb{R}^{m \\times n}$, $x \\in \\mathbb{R}^{n \\times 1}$, $y \\in \\mathbb{R}^{m \\times 1}$

$$ z = W x $$

$$ J = \\frac{1}{2} \\| z - y \\|^2 $$
"""


def of_a_network() -> tuple[elman.Parameters, Any]:
    p = elman.Parameters.initialise(500, 40, 40, layers=1)
    x = np.arange(200).reshape(100, 2)
    return p, elman.gradient_flow.decompose(p, x, x)


def values() -> dict[str, Any]:
    """Something of every kind that a user is given, most of it of thousands of numbers."""
    p, flow = of_a_network()
    x = np.zeros((5, 2), int)
    deep = elman.Parameters.initialise(500, 40, 40, layers=3)
    return {
        "parameters": p, "deep": deep, "gradients": elman.loss_and_gradients(deep, x, x)[1], "flow": flow,
        "trajectory": flow.trajectory, "totals": flow.totals, "diagnosis": elman.gradient_flow.diagnose(flow),
        "report": elman.notes.check(EXAMPLES / "wrong.md"), "page": read_page(EXAMPLES / "wrong.md"),
        "derivation": derive(page_of(FORWARD)), "derived": elman.calculus.derive("a^T X X b", "X"),
        "scores": SentenceScore(np.zeros(2000), np.zeros(2000, int), np.zeros(2000, bool)),
    }  # fmt: skip


def test_every_value_is_shown_on_one_short_line() -> None:
    for name, value in values().items():
        assert len(repr(value)) <= LONGEST_LINE, name
        assert "\n" not in repr(value), name
        assert " at 0x" not in repr(value), name
    p, flow = of_a_network()
    assert repr(p).startswith("Parameters(E=float32[500,40], W_e=float32[40,40], W_h=")
    assert repr(flow) == "<Flow T=100 B=2 d=40 Dh=40 sigmoid>"
    assert repr(elman.calculus.derive("a^T X b", "X")).startswith("<Derived a b^T: [m,n], denominator layout")


class Balanced(HTMLParser):
    """Raises where the tags do not nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)
        self.seen.add(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def checked_html(html: str) -> str:
    parser = Balanced()
    parser.feed(html)
    assert parser.open == []
    assert not parser.seen & {"script", "link", "iframe", "img"}
    assert len(html) < 40_000
    return html


def test_the_html_of_every_value_is_whole_and_small(lm: elman.LanguageModel) -> None:
    shown = values() | {"model": lm, "evaluation": lm.evaluate("the cat sat\n")}
    for name in ("parameters", "deep", "flow", "diagnosis", "report", "derivation", "derived", "model", "evaluation"):
        html = checked_html(shown[name]._repr_html_())
        assert html.startswith('<div class="elman-block"><style>'), name
    assert "<math" in shown["report"]._repr_html_()
    assert "wrong sign" in shown["report"]._repr_html_()
    assert "polyline" in lm._repr_html_()
    assert "perplexity including oov" in shown["evaluation"]._repr_html_()


def test_the_style_changes_nothing_else_on_a_page() -> None:
    rules = re.findall(r"([^{}]+)\{[^{}]*\}", STYLE)
    assert len(rules) > 10
    for selector in ",".join(rules).split(","):
        assert re.match(r"\.elman-block( |$)", selector), selector


def test_text_from_outside_is_escaped(lm: elman.LanguageModel, tmp_path: Path) -> None:
    page = tmp_path / "<b>page.md"
    page.write_text("$$ x = <script>alert(1)</script> $$\n")
    assert "<script" not in checked_html(elman.notes.check(page)._repr_html_())
    assert "<b>" not in elman.notes.check(page)._repr_html_()


def test_a_damaged_record_does_not_hide_a_model(word_run: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(word_run, copy)
    (copy / "metrics.jsonl").write_text("no record\n")
    assert "parameters" in elman.load(copy)._repr_html_()


def test_metrics_are_rows(lm: elman.LanguageModel, word_run: Path) -> None:
    rows = lm.metrics
    assert {row["kind"] for row in rows} == {"step", "validation"}
    assert [row["epoch"] for row in rows if row["kind"] == "validation"] == [1, 2, 3, 4]
    assert elman.LanguageModel(lm.p, lm.tokenizer).metrics == []
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(rows)
    assert len(table) == len(rows)
    assert {"kind", "step", "nats_per_token"} <= set(table.columns)


def test_dir_names_the_rooms() -> None:
    assert {"LanguageModel", "train", "calculus", "gradient_flow", "jupyter", "notes", "torch"} <= set(dir(elman))
    with pytest.raises(AttributeError, match="no attribute 'rooms'"):
        _ = elman.rooms


def test_charts_leave_out_what_is_not_finite() -> None:
    nan, infinite = float("nan"), float("inf")
    assert chart([Line("a", [0, 1, 2], [1, nan, 2])], "x", "y").count(",") >= 2
    assert chart([Line("a", [0, 1, 2], [1, nan, infinite])], "x", "y") == ""
    assert chart([Line("<", [0, 1], [1, 1]), Line("b", [0, 1], [2, 3], dashed=True)], "x", "y").count("&lt;") == 2
    assert [figure(v) for v in (1234567, 0.123456, nan, infinite, True, 1234.5)] == [
        "1,234,567", "0.1235", "–", "infinite", "yes", "1,234.50",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "cell",
    ["$$ z = W x $$\n", "\\section{A}\n\\begin{align} z &= W x \\end{align}\n", "z = W x\n"],
)
def test_a_cell_is_checked(cell: str) -> None:
    report = check_cell("", cell)
    assert [claim.left for claim in report.claims] == ["z"]
    assert report.holds


def test_a_cell_with_options() -> None:
    wrong = check_cell("--model elman --kind markdown", "$$ \\frac{\\partial J}{\\partial U} = h \\delta_1 $$\n")
    assert len(wrong.claims) == 1
    for line in ("--unknown", "--kind html", "'"):
        with pytest.raises(ConfigError, match="%%check"):
            check_cell(line, "z = W x")
    with pytest.raises(ConfigError, match="model"):
        check_cell("--model other", "z = W x")


class Session:
    """What an extension sees of IPython."""

    def __init__(self) -> None:
        self.magics: dict[str, Callable[[str, str], Any]] = {}

    def register_magic_function(self, function: Callable[[str, str], Any], kind: str, name: str) -> None:
        assert kind == "cell"
        self.magics[name] = function


def test_the_extension_adds_the_magic(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session()
    elman.load_ipython_extension(session)
    assert session.magics["check"]("", "$$ z = W x $$").holds
    assert "--model" in (session.magics["check"].__doc__ or "")

    class UsageError(Exception):
        pass

    error = types.ModuleType("IPython.core.error")
    error.UsageError = UsageError  # type: ignore[attr-defined]
    for name in ("IPython", "IPython.core"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "IPython.core.error", error)
    with pytest.raises(UsageError, match="--kind"):
        session.magics["check"]("--unknown", "z = W x")


def test_progress_replaces_one_block(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    class Handle:
        def update(self, html: str) -> None:
            shown.append(html)

    def display(html: str, display_id: bool) -> Handle:
        assert display_id
        assert not shown
        shown.append(html)
        return Handle()

    fake = types.ModuleType("IPython.display")
    fake.HTML, fake.display = str, display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", fake)
    progress = Progress()
    progress(StepRecord(50, 1, 1000, 4.5, 1.0, 0, 0, 0.01, 1.0, 1000.0))
    for epoch in (1, 2):
        progress(ValidationRecord(100 * epoch, epoch, 5.0 - epoch, 4.0, True, 0.01, 2.0))
    progress(StopRecord(200, 2, "epochs", 3.0, 0, 0, 3.0))
    assert len(shown) == 4
    assert "polyline" not in shown[1]
    assert "polyline" in checked_html(shown[2])
    assert "Trained 200 steps" in shown[3]


def test_progress_without_ipython_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", None)
    monkeypatch.setitem(sys.modules, "IPython.display", None)
    with pytest.raises(MissingExtraError, match="IPython is not installed"):
        Progress()


def words_of(html: str) -> str:
    """What a block says, without its style and its formulas."""
    plain = re.sub(r"<style>.*?</style>|<math.*?</math>", "", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", plain).split()) + " ".join(re.findall(r'aria-label="([^"]*)"', plain))


def test_blocks_are_in_the_reader_s_language(lm: elman.LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    flow, x = elman.gradient_flow, np.arange(12).reshape(12, 1)
    shown = {
        "model": (
            lm,
            ("词元数 V", "隐藏单元数 Dh", "共享权重", "每词元的奈特数：验证（实线），训练（虚线），随"),
        ),
        "weights": (lm.p, ("个参数", "元素绝对值的平均")),
        "flow": (flow.decompose(lm.p, x, x), ("时间步数 T", "往回的步数", "（虚线）")),
        "diagnosis": (flow.diagnose(flow.decompose(lm.p, x, x)), ("梯度流：", "可达步数", "饱和的单元", "谱半径")),
        "evaluation": (lm.evaluate("the cat sat\n"), ("困惑度（含 OOV）", "每字符的比特数", "行尾数")),
        "derived": (
            elman.calculus.derive("s^T A s", "s"),
            ("关于", "的导数：", "，采用分母布局", "约定：s 是 n 维列向量；A 是 n × n 矩阵", "个随机点上验证"),
        ),
        "derivation": (derive(page_of(FORWARD)), ("个梯度", "按数值核对了本页的", "个公式", "范数平方的一半的梯度")),
    }
    english = {name: value._repr_html_() for name, (value, _) in shown.items()}
    monkeypatch.setenv("ELMAN_LANG", "zh")
    for name, (value, expected) in shown.items():
        said = words_of(checked_html(value._repr_html_()))
        for part in expected:
            assert part in said, (name, part, said)
        assert not re.search(r"[a-z]{3,} [a-z]{3,}", said), (name, said)
    monkeypatch.setenv("ELMAN_LANG", "en")
    assert {name: value._repr_html_() for name, (value, _) in shown.items()} == english


def test_progress_is_in_the_reader_s_language(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = types.ModuleType("IPython.display")
    fake.HTML, fake.display = str, lambda html, display_id: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", fake)
    monkeypatch.setenv("ELMAN_LANG", "zh")
    progress = Progress()
    for step in (100, 200):
        progress(ValidationRecord(step, 1, 4.0, 4.5, True, 0.01, 2.0))
    assert words_of(progress.html()).startswith("正在训练 验证，每词元的奈特数")
    progress(StopRecord(12345, 2, "epochs", 3.0, 0, 0, 67.0))
    assert words_of(progress.html()).startswith("训练了 12,345 步，用时 67 秒")
