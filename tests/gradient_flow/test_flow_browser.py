"""The page of `elman flow` in Chromium: a script uses every control, and nothing fails. Skipped without Chromium."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import problem

from elman.gradient_flow.history import LENS, History
from elman.gradient_flow.report import as_html
from elman.gradient_flow.view import Subject, View

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")

WATCH = """<script>
const errors = [];
addEventListener("error", event => errors.push(event.message));
console.error = message => errors.push(`${message}`);
</script>"""
USE = """<script>
const send = (node, type, x, y) => {
  node.dispatchEvent(new PointerEvent(type, { clientX: x, clientY: y, bubbles: true }));
};
const press = (node, key, shiftKey) => {
  node.dispatchEvent(new KeyboardEvent("keydown", { key, shiftKey, bubbles: true }));
};
const over = (node, type) => {
  const box = node.getBoundingClientRect(), shares = Array.from({ length: 10 }, (_, k) => k / 10);
  for (const a of shares) for (const b of shares) send(node, type, box.left + a * box.width, box.top + b * box.height);
};
const shown = {};
for (const input of document.querySelectorAll("input[name=weight]")) {
  input.click();
  for (const network of document.querySelectorAll(".network")) {
    for (const token of network.querySelectorAll(".tok")) { token.click(); send(token, "pointerover", 0, 0); }
    for (const key of ["ArrowLeft", "ArrowRight", "Home", "End"]) for (const shift of [false, true])
      press(network.querySelector(".text"), key, shift);
    over(network.querySelector("canvas"), "pointermove");
    send(network.querySelector("canvas"), "pointerleave", 0, 0);
    network.querySelectorAll(".tok")[9].click();
    send(network.querySelectorAll(".tok")[5], "pointerover", 0, 0);
    (shown[input.value] ||= []).push([...network.querySelectorAll(".say p")].map(p => p.textContent));
  }
  for (const chart of document.querySelectorAll("svg.chart")) over(chart, "pointermove");
}
const blank = [...document.querySelectorAll("figure > div, figure canvas")].filter(node =>
  node.tagName === "CANVAS" ? !node.picture : !node.querySelector("svg path, svg polygon")).map(node => node.id);
const cut = [...document.querySelectorAll("svg.chart text")].filter(text => {
  const own = text.getBoundingClientRect(), all = text.ownerSVGElement.getBoundingClientRect();
  return own.left < all.left - 1 || own.right > all.right + 1 || own.bottom > all.bottom + 1;
}).map(text => text.textContent);
const copied = [];
navigator.clipboard.writeText = text => { copied.push(text); return Promise.resolve(); };
for (const button of document.querySelectorAll("button.copy")) button.click();
const wide = document.documentElement.scrollWidth - innerWidth;
document.title = JSON.stringify({ copied, errors, shown, blank, cut, wide });
</script>"""


def used(path: Path, text: str, width: int) -> dict[str, Any]:
    """What the page reports after the script used it."""
    path.write_text(text.replace("<head>", f"<head>{WATCH}", 1).replace("</body>", f"{USE}</body>"))
    assert BROWSER is not None
    call = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},900", "--dump-dom"]
    profile = f"--user-data-dir={path.parent / 'profile'}"
    done = subprocess.run([*call, profile, path.as_uri()], capture_output=True, text=True, timeout=100, check=True)
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title is not None
    found: dict[str, Any] = json.loads(html.unescape(title[1]))
    return found


def view_of(label: str, activation: str) -> View:
    p, *_ = problem(V=7, activation=activation)
    ids = np.random.default_rng(1).integers(0, 7, 25)
    return View.of(p, ids, [f"w{k}" for k in ids], Subject(label, "sizes", "a text", 0, " "))


def history() -> History:
    norms = [0.5 + k % 7 for k in range(40)]
    records: list[dict[str, Any]] = [
        {"kind": "step", "step": k, "gradient_norm": norm, "clipped": k % 2, "skipped": 0}
        for k, norm in enumerate(norms)
    ]
    looks = [
        {"kind": "flow", "step": 10 * k, **dict.fromkeys(LENS, 0.5 + k), "log10_norms_by_lag": [0.0, -1.5, None]}
        for k in range(4)
    ]
    return History.of([*records, *looks, {"kind": "rescue", "step": 9}], clip=1.0)


@pytest.mark.parametrize("width", [500, 1200])
def test_the_page_works(tmp_path: Path, width: int) -> None:
    views = [view_of("one", "tanh"), view_of("two", "sigmoid")]
    found = used(tmp_path / "flow.html", as_html(views, {"one": history()}, "elman flow one --at 3"), width)
    numbers, command = found["copied"]
    assert command == "elman flow one --at 3"
    assert f"Reach\t{views[0].diagnosis.numbers.reach} step" in numbers
    assert "within which" not in numbers
    assert found["errors"] == []
    assert found["blank"] == []
    assert found["cut"] == []
    assert found["wide"] <= 0  # nothing to scroll sideways for
    for name in ("W_h", "W_e", "e", "h"):
        for view, (loss, step) in zip(views, found["shown"][name], strict=True):
            assert loss.startswith(f"Loss 8 predicts “{view.tokens[9]}” with probability ")
            assert f"({view.flow.trajectory.J[8]:.3g} nats)" in loss
            norm = re.search(r"3 steps back: norm ([\d.]+)(?:·10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?", step)
            assert norm is not None, step
            exponent = int((norm[2] or "0").translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")))
            expected = view.flow.log10_norms(name)[8, 5]
            assert np.log10(float(norm[1])) + exponent == pytest.approx(expected, abs=5e-3)
        if name in ("W_h", "W_e"):
            share = view.loss_shares[name].shares(view.flow.log10_norms(name))[8, 5]
            assert ("works with it" if share > 0 else "works against it") in step


def test_a_page_of_training_records_only_works(tmp_path: Path) -> None:
    found = used(tmp_path / "flow.html", as_html([], {"one": history()}), 1200)
    assert (found["errors"], found["blank"], found["cut"]) == ([], [], [])
