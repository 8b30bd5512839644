"""The plots of `elman flow` for print: they draw the numbers of the lens, in files that repeat to the byte."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from command_line import Run

import elman
from elman.errors import ConfigError
from elman.gradient_flow.history import LENS, History
from elman.gradient_flow.view import Subject, View
from elman.translation import catalogue, in_language

pytest.importorskip("matplotlib", reason="matplotlib is not installed")
from matplotlib.font_manager import findfont, get_font
from matplotlib.text import Text

from elman.gradient_flow import drawing, plots, token_plot

WORDS = ["the", "cat", "sat", "on", "mat", "$x_1$", "_", "狗", "כלב", "\n", " ", "e\u0301", "\U0001f600", "\ue000"]


def view(
    T: int = 40, label: str = "a run", W_h: float = 1.0, separator: str = " ", seed: int = 0, activation: str = "tanh"
) -> View:
    p = elman.Parameters.initialise(len(WORDS), 6, 12, seed=seed, activation=activation, dtype="float64")
    p.W_h[:] *= W_h
    ids = np.random.default_rng(seed).integers(0, len(WORDS), T + 1)
    oov = [k % 7 == 3 for k in range(T + 1)]
    return View.of(p, ids, [WORDS[k] for k in ids], Subject(label, "small", "made up", 0, separator), oov=oov)


def history(steps: int = 300, looks: int = 12, clip: float = 1.0) -> History:
    norms = np.exp(np.random.default_rng(0).standard_normal(steps))
    records: list[dict[str, Any]] = [
        {"kind": "step", "step": 5 * k, "gradient_norm": None if k == 7 else norms[k], "clipped": k % 5, "skipped": 0,
         "nats_per_token": 5 - 0.01 * k, "learning_rate": 0.001}
        for k in range(steps)
    ]  # fmt: skip
    records += [{"kind": "validation", "step": 500, "nats_per_token": 3.25}, {"kind": "rescue", "step": 700}]
    records += [
        {"kind": "flow", "step": 100 * k, "verdict": "healthy", **dict.fromkeys(LENS, 0.1 * k + 0.5),
         "log10_norms_by_lag": [-0.3 * lag if lag < 19 else None for lag in range(20)]}
        for k in range(looks)
    ]  # fmt: skip
    return History.of(records, clip, record_every=5)


def drawn(name: str, views: list[View], histories: dict[str, History] | None = None) -> Any:
    """The figure of one plot."""
    with plots.styled():
        return plots.figure(next(plot for plot in plots.plan(views, histories or {}) if plot.name == name))


def width(path: Path) -> int:
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    return int(struct.unpack(">I", head[16:20])[0])


def text_alone(T: int, separator: str) -> Any:
    """What the layout of a view's tokens needs of it, without the gradients of so long a text."""
    tokens = [WORDS[k] for k in np.random.default_rng(0).integers(0, len(WORDS), T + 1)]
    return SimpleNamespace(tokens=tokens, subject=Subject("long", "", separator=separator), chosen=3 * T // 4)


ONE = ["heat-map", "tokens", "by-lag", "singular-values", "norms", "lens"]
TWO = ["heat-map-1", "heat-map-2", "tokens-1", "tokens-2", "by-lag", "singular-values-1", "singular-values-2"]


def test_a_folder_gets_a_file_for_each_plot(tmp_path: Path) -> None:
    written = plots.write_plots(tmp_path / "new" / "plots", "png", [view()], {"a run": history()})
    assert [path.name for path in written] == [f"{name}.png" for name in ONE]
    assert sorted(path.name for path in (tmp_path / "new" / "plots").iterdir()) == sorted(p.name for p in written)
    assert {width(path) for path in written} == {990}  # 3.3 inches of 300 dots


@pytest.mark.parametrize("name", ["all.png", "all.svg", "all.pdf", "all.PNG"])
def test_all_plots_on_one_page(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    assert plots.write_plots(path, "svg", [view()], {"a run": history()}) == [path]
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[name[-3:].lower()]
    assert path.read_bytes().startswith(start)
    if start == b"\x89PNG":
        assert width(path) == 1980
    assert list(tmp_path.iterdir()) == [path]


def test_the_plots_of_two_networks(tmp_path: Path) -> None:
    views = [view(label="_before $training$"), view(label="a/long/" * 12 + "run", seed=1)]
    histories = {views[1].subject.label: history(looks=1)}
    written = plots.write_plots(tmp_path, "png", views, histories)
    assert [path.stem for path in written] == [*TWO, "norms-2", "lens-2"]
    plots.write_plots(tmp_path / "page.pdf", "png", views, histories)


def test_a_page_has_the_plots_of_every_layer() -> None:
    views = [view(12, f"a run, layer {n}", seed=n) for n in range(3)]
    with plots.styled():
        page = plots.page(plots.plan(views, {}))
    titles = [part.get_suptitle() for part in page.subfigs]
    for n in range(3):
        assert sum(f"a run, layer {n}" in title for title in titles) == 3  # heat map, tokens, singular values
    by_lag = drawn("by-lag", views)
    curves = [line for line in by_lag.axes[0].lines if line.get_linestyle() == "-"]
    assert len(curves) == len({line.get_color() for line in curves}) == 3


def test_the_plots_of_training_records_only(tmp_path: Path) -> None:
    unwatched = History.of([{"kind": "step", "step": k, "gradient_norm": 1.0 + k, "clipped": 0} for k in range(3)])
    assert not unwatched.watched
    assert [path.stem for path in plots.write_plots(tmp_path, "pdf", [], {"a run": unwatched})] == ["norms"]
    watched = history(looks=3)
    assert [p.name for p in plots.plan([], {"x": watched, "y": unwatched})] == ["norms-1", "norms-2", "lens-1"]


def test_nothing_to_plot_and_unknown_kinds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing to plot"):
        plots.write_plots(tmp_path / "out", "png", [], {"a run": History.of([])})
    with pytest.raises(ConfigError, match="gif"):
        plots.write_plots(tmp_path / "out", "gif", [view()], {})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", plots.KINDS)
def test_the_same_numbers_give_the_same_bytes(tmp_path: Path, kind: str) -> None:
    shown, past = [view()], {"a run": history()}
    first = [path.read_bytes() for path in plots.write_plots(tmp_path / "a", kind, shown, past)]
    assert first == [path.read_bytes() for path in plots.write_plots(tmp_path / "b", kind, shown, past)]


def test_text_in_svg_is_text(tmp_path: Path) -> None:
    written = plots.write_plots(tmp_path, "svg", [view()], {"a run": history()})
    text = {path.stem: path.read_text() for path in written}
    for name, said in (
        ("heat-map", "loss"), ("heat-map", "step"), ("by-lag", ", steps back"), ("by-lag", "bound"),
        ("singular-values", "median"), ("norms", "gradient norm"), ("norms", "clip limit 1"),
        ("norms", "training step"), ("lens", "reach, steps"), ("lens", "decay per step"), ("tokens", ">cat<"),
        ("tokens", "$x_1$"), ("tokens", "with this gradient"),
    ):  # fmt: skip
        assert said in text[name], (name, said)


def labels(made: Any) -> str:
    """The texts of a figure, one a line."""
    return "\n".join(text.get_text() for text in made.findobj(Text))


def test_plots_are_in_chinese_where_a_font_has_its_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "chinese_font", lambda: "DejaVu Sans")
    with in_language("zh"):
        assert not plots.lacks_font()
        assert "滞后步数 $k$" in labels(drawn("by-lag", [view()]))
        assert "损失 $t$" in labels(drawn("heat-map", [view()]))
        past = labels(drawn("norms", [], {"a run": history()}))
        assert "裁剪上限 1" in past
        assert "训练步" in past
        assert not re.search("[a-z]{3,} [a-z]{2,}", labels(drawn("lens", [], {"a run": history()})))


def test_plots_are_in_english_where_no_font_has_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not with a box for each character."""
    monkeypatch.setattr(plots, "chinese_font", lambda: None)
    with in_language("zh"):
        assert plots.lacks_font()
        assert "lag $k$, steps back" in labels(drawn("by-lag", [view()]))
        assert not re.search("[\u4e00-\u9fff]", labels(drawn("norms", [], {"a run": history()})))
    assert not plots.lacks_font()


def test_the_chinese_font_has_every_character() -> None:
    font = plots.chinese_font()
    if font is None:
        pytest.skip("no font with Chinese characters is installed")
    found = get_font(findfont(font))
    for translated in catalogue("zh", "figures").values():
        assert all(found.get_char_index(ord(each)) for each in re.findall("[\u3000-\u9fff]", translated)), translated


def test_the_curves_are_the_numbers_of_the_view() -> None:
    shown, past = view(), history()
    axes = drawn("by-lag", [shown]).axes[0]
    norm, bound, reach = axes.lines
    for line, values in ((norm, shown.by_lag["W_h"]), (bound, shown.bounds["W_h"])):
        assert np.array_equal(line.get_ydata(), np.where(np.isfinite(values), values, np.nan), equal_nan=True)
    assert (bound.get_linestyle(), reach.get_linestyle()) == ("--", ":")
    assert set(reach.get_xdata()) == {shown.diagnosis.numbers.reach}

    largest, median, smallest, one = drawn("singular-values", [shown]).axes[0].lines
    for line, column in ((largest, 0), (median, 3), (smallest, 6)):
        assert np.array_equal(line.get_ydata(), shown.quantiles()[:, column])
        assert list(line.get_xdata()) == list(shown.singular_lags)
    assert set(one.get_ydata()) == {0}

    table = drawn("heat-map", [shown]).axes[0].images[0].get_array()
    below = np.tri(shown.T, dtype=bool) & np.isfinite(shown.flow.log10_norms("W_h"))
    assert (~np.ma.getmaskarray(table) == below).all()
    assert np.array_equal(table[below], shown.flow.log10_norms("W_h")[below])

    above, under = drawn("norms", [], {"a run": past}).axes
    binned = past.binned(drawing.POINTS)
    assert np.allclose(above.lines[0].get_ydata(), np.log10(binned["gradient_norm"]))
    assert set(above.lines[1].get_ydata()) == {0.0}  # log10 of the limit 1
    assert np.array_equal(under.lines[0].get_ydata(), binned["clipped"])

    looks = drawn("lens", [], {"a run": past}).axes
    assert np.array_equal(looks[1].lines[0].get_ydata(), past.flow["reach"])
    assert np.array_equal(looks[2].lines[0].get_ydata(), past.flow["decay_rate"])
    assert np.array_equal(looks[0].collections[0].get_array().compressed(), np.repeat(-0.3 * np.arange(19), 12))


def test_the_tints_show_norms_and_the_signs_of_shares() -> None:
    shown = view()
    loss, found = shown.loss_as_dict(shown.chosen), token_plot.strengths(shown)
    assert len(found) == shown.chosen + 1
    assert max(strength for strength, _ in found) == 1
    top = max(step["log10_norm"] for step in loss["contributions"])
    for (strength, against), step in zip(found, loss["contributions"], strict=True):
        assert against == (step["share"] < 0)
        assert strength == pytest.approx(max(0, 1 - (top - step["log10_norm"]) / 3))
    assert {against for _, against in found} == {False, True}
    blue, orange = token_plot.tint(1, False), token_plot.tint(1, True)
    assert blue[2] > blue[0]
    assert orange[0] > orange[2]
    patches = drawn("tokens", [shown]).axes[0].patches
    drawn_tints = {patch.get_facecolor()[:3] for patch in patches}
    assert {token_plot.tint(*each) for each in found if each[0] > 0} <= drawn_tints


def test_the_range_is_three_decades_and_ten_times_the_reach() -> None:
    shown = view(60)
    axes = drawn("by-lag", [shown]).axes[0]
    top = np.max(shown.by_lag["W_h"][np.isfinite(shown.by_lag["W_h"])])
    assert axes.get_ylim()[0] == pytest.approx(max(top - 3, shown.by_lag["W_h"].min()))
    assert axes.get_xlim()[1] <= max(4, 10 * shown.diagnosis.numbers.reach) + 0.5
    scale = drawn("heat-map", [shown]).axes[0].images[0].norm
    assert scale.vmax - scale.vmin <= 3 + 1e-9


def test_every_plot_says_what_it_is() -> None:
    with plots.styled():
        for plot in plots.plan([view(seed=0), view(label="another", seed=1)], {}):
            made = plots.figure(plot)
            title = made.get_suptitle() or "".join(text.get_text() for axes in made.axes for text in axes.texts)
            assert title, plot.kind
            if plot.kind != "tokens":
                assert any(axes.get_legend() for axes in made.axes), plot.kind


def test_words_are_not_broken_at_the_end_of_a_line() -> None:
    text = "the keeper of the lighthouse wrote in his book " * 6 + "x" * 90 + " end"
    p = elman.Parameters.initialise(3, 4, 5, dtype="float64", activation="tanh")
    of_characters = View.of(p, np.zeros(len(text), int), list(text), Subject("none", "", "", 0, ""))
    placed = token_plot.TokenLayout(of_characters, plots.WIDTH).placed
    lines = [[each.k for each in placed if each.line == n] for n in range(placed[-1].line + 1)]
    assert [k for line in lines for k in line] == list(range(len(text)))
    inside = text.index("x")
    for line in lines[1:]:
        assert text[line[0] - 1] == " " or inside <= line[0] < inside + 90, text[line[0] - 5 : line[0] + 5]


@pytest.mark.filterwarnings("ignore:Glyph")  # a machine need not have a font for every script
@pytest.mark.parametrize("separator", ["", " "])
def test_tokens_stay_on_the_page_and_apart(separator: str) -> None:
    text = token_plot.TokenLayout(text_alone(400, separator), plots.WIDTH)
    for before, after in zip(text.placed, text.placed[1:], strict=False):
        assert after.k == before.k + 1
        assert after.line > before.line or after.x >= before.x + before.width - 1e-9
        assert after.x + after.width <= plots.WIDTH
    long = token_plot.TokenLayout(text_alone(2000, separator), plots.WIDTH)
    assert long.lines <= token_plot.MOST_LINES
    assert long.view.chosen + 1 in [each.k for each in long.placed]


@pytest.mark.parametrize(
    ("T", "W_h", "activation"), [(4, 1, "tanh"), (40, 0, "tanh"), (4, 0, "relu"), (100, 1e-6, "tanh")]
)
def test_zero_contributions_are_not_drawn(tmp_path: Path, T: int, W_h: float, activation: str) -> None:
    """Warnings are errors here: none comes of -∞, of few points, or of norms beyond a float64."""
    shown = view(T, W_h=W_h, activation=activation)
    for kind in plots.KINDS:
        plots.write_plots(tmp_path / kind, kind, [shown], {})
    if W_h == 0:
        assert np.isnan(drawn("by-lag", [shown]).axes[0].lines[0].get_ydata()[1:]).all()


def test_plots_of_a_text_without_any_gradient(tmp_path: Path) -> None:
    p = elman.Parameters.initialise(3, 4, 5, dtype="float64", activation="relu")
    p.W_h[:], p.U[:] = 0, 0
    nothing = View.of(p, np.zeros(9, int), ["a"] * 9, Subject("none", "", "", 0, ""))
    assert len(plots.write_plots(tmp_path, "png", [nothing], {})) == 4


def test_the_users_own_style_is_left_alone(tmp_path: Path) -> None:
    import matplotlib

    with matplotlib.rc_context({"font.size": 30, "svg.fonttype": "path"}):
        before = dict(matplotlib.rcParams)
        plots.write_plots(tmp_path / "theirs", "svg", [view()], {})
        assert dict(matplotlib.rcParams) == before
    plots.write_plots(tmp_path / "plain", "svg", [view()], {})
    assert (tmp_path / "theirs/by-lag.svg").read_bytes() == (tmp_path / "plain/by-lag.svg").read_bytes()


def test_no_pyplot_is_needed() -> None:
    code = "import sys, elman.gradient_flow.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_missing_package_is_reported_in_one_sentence() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\nfrom elman.errors import MissingExtraError\n"
        "try: import elman.gradient_flow.plots\nexcept MissingExtraError as error: sys.stdout.write(str(error))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "the plots need matplotlib: pip install 'elman[plots]'"


def test_from_the_command_line(command: Run, char_run: Path, corpus: Path, tmp_path: Path) -> None:
    done = command("flow", char_run, corpus, "--steps", 30, "--png", tmp_path / "plots", "--format", "svg")
    assert done.returncode == 0, done.stderr
    names = sorted(path.stem for path in (tmp_path / "plots").iterdir())
    assert names == sorted(name for name in ONE if name != "lens")
    done = command("flow", char_run, corpus, "--steps", 30, "--png", tmp_path / "none" / "all.png")
    assert done.returncode == 2
    assert "cannot write" in done.stderr
