"""The page of `elman serve` in Chromium: typed into, read by its labels, at two widths. Skipped without Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import CHROMIUM, Tab, browsing
from serving import serving

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

TEXT = "the cat sat on the <b>zebra</b>\nthe dog"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browsing(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture(scope="module")
def address(word_run: Path, char_run: Path, deep_run: Path) -> Iterator[str]:
    with serving(word_run, char_run, deep_run) as (_, address):
        yield address


def opened(tab: Tab, address: str, width: int = 1200) -> None:
    tab.errors.clear()
    tab.size(width, 900)
    tab.open(f"{address}/")
    tab.wait("document.querySelector('#next button')")


def typed(tab: Tab, text: str) -> None:
    """Types a text, and waits until it is read and looked at."""
    tab.run("document.getElementById('text').focus()")
    tab.type(text)
    tab.wait(f"document.querySelectorAll('#panels [role=option]').length > {len(text.split())}")
    tab.wait("document.querySelector('.say').textContent")


def select(tab: Tab, name: str, value: str) -> None:
    tab.run(
        f"(() => {{ const node = document.getElementById({name!r}); node.value = {value!r};"
        " node.dispatchEvent(new Event('change')); }})()".replace("}})", "})")
    )


@pytest.mark.parametrize("width", [420, 1200])
def test_a_text_is_read_as_it_is_typed(tab: Tab, address: str, width: int) -> None:
    opened(tab, address, width)
    typed(tab, TEXT)
    assert tab.run("[...document.querySelectorAll('#panels .tok[role=option]')].map(n => n.textContent)") == [
        "the", "cat", "sat", "on", "the", "<b>zebra</b>", "⏎", "the", "dog"
    ]  # fmt: skip
    assert tab.run("document.querySelectorAll('#panels b').length") == 0
    labels = tab.run("[...document.querySelectorAll('#panels .tok[role=option]')].map(n => n.ariaLabel)")
    assert all(" bits" in label for label in labels)
    assert "not in the vocabulary" in labels[5]
    assert tab.run("document.querySelectorAll('#panels .tok.surprise').length") == 9
    assert "After the text" in tab.run("document.querySelector('.say').textContent")
    assert tab.run("document.documentElement.scrollWidth - innerWidth") <= 0
    assert tab.errors == []


def test_the_page_is_in_the_language_of_the_browser(tab: Tab, address: str) -> None:
    tab.language("zh-CN")
    try:
        opened(tab, address, 420)
        typed(tab, TEXT)
        assert tab.run("document.documentElement.lang") == "zh-Hans"
        shown = tab.run("document.body.innerText")
        for words in ("阅读文本", "下一个词元", "从光标处续写", "意外程度", "9 个词元", "文本之后："):
            assert words in shown
        tab.run("document.getElementById('tint-gradient').click()")
        tab.wait("document.querySelector('.say').textContent.startsWith('预测“')")
        shown = tab.run("document.body.innerText")
        for word in ("bits", "token", "norm", "Choose", "Continue", "Gradient", "Text"):
            assert word not in shown
        assert tab.run("document.getElementById('notes').placeholder").startswith("粘贴一份推导")
        assert "\\frac" in tab.run("document.getElementById('notes').placeholder")
        assert tab.run("document.documentElement.scrollWidth - innerWidth") <= 0
        assert tab.errors == []
    finally:
        tab.language("en-US")


def test_the_keyboard_chooses_a_token_and_its_gradient_is_shown(tab: Tab, address: str) -> None:
    opened(tab, address)
    typed(tab, TEXT)
    tab.run("document.querySelector('[role=listbox]').focus()")
    for _ in range(5):
        tab.press("ArrowLeft", 37)
    tab.wait("document.querySelector('.say').textContent.startsWith('“the”: ')")
    active = tab.run("document.querySelector('[role=listbox]').getAttribute('aria-activedescendant')")
    assert tab.run(f"document.getElementById({active!r}).ariaSelected") == "true"
    tab.run("document.getElementById('tint-gradient').click()")
    tab.wait("document.querySelector('.say').textContent.startsWith('The gradient of predicting “the”')")
    tinted = tab.run("[...document.querySelectorAll('#panels .tok')].map(n => /with|against/.test(n.className))")
    assert tinted == [True] * 5 + [False] * 5  # the line end before the text, and the four tokens before the chosen one
    tab.run("document.querySelectorAll('#next button')[1].click()")
    tab.wait("document.querySelectorAll('#next [aria-pressed=true]').length === 1")
    name = tab.run("document.querySelector('#next [aria-pressed=true] .name').textContent")
    tab.wait(f"document.querySelector('.say').textContent.startsWith('The gradient of predicting “{name}”')")
    tab.run("document.getElementById('weight-e').click()")
    tab.wait("document.querySelector('.say').textContent.includes('with respect to e:')")
    assert tab.errors == []


def test_two_models_are_compared(tab: Tab, address: str) -> None:
    opened(tab, address)
    typed(tab, TEXT)
    select(tab, "other", "deep")
    tab.wait("document.querySelectorAll('.panel').length === 2 && document.querySelectorAll('#next ul').length === 2")
    tab.run("document.getElementById('tint-difference').click()")
    tab.wait("document.querySelectorAll('.panel .with, .panel .against').length === 18")
    labels = tab.run("[...document.querySelectorAll('#panels .tok[role=option]')].map(n => n.ariaLabel)")
    assert ("more than deep" in labels[0]) == ("fewer than word" in labels[9])
    tab.run("document.getElementById('tint-gradient').click()")
    tab.wait("document.querySelectorAll('.say')[1].textContent.includes('with respect to W_h of layer 0')")
    select(tab, "layer", "2")
    tab.wait("document.querySelectorAll('.say')[1].textContent.includes('of layer 2')")
    select(tab, "other", "char")  # other tokens: nothing to take a difference of
    tab.wait("document.getElementById('tint-difference').disabled")
    assert tab.errors == []


def test_a_text_is_continued_and_stopped(tab: Tab, address: str) -> None:
    opened(tab, address)
    typed(tab, "the cat")
    tab.run("document.getElementById('seed').value = 1; document.getElementById('draw').click()")
    tab.wait("document.getElementById('drawing').textContent === 'Done.'")
    drawn = tab.run("document.querySelector('.output').textContent")
    assert re.match(r"the cat\s\S", drawn)
    tab.run("document.querySelector('#drawn button').click()")
    tab.wait(f"document.querySelectorAll('#panels .tok[role=option]').length === {2 + 60}")
    tab.run("document.getElementById('count').value = 4096; document.getElementById('draw').click()")
    tab.wait("document.querySelector('.output').textContent.length > 300")
    tab.run("document.getElementById('stop').click()")
    tab.wait("/Stopped|Done/.test(document.getElementById('drawing').textContent)")
    assert tab.errors == []


def test_the_page_asks_for_the_key(tab: Tab, word_run: Path) -> None:
    with serving(word_run, "--api-key", "secret") as (_, address):
        tab.open(f"{address}/")
        for key in ("wrong", "secret"):
            tab.wait("document.getElementById('ask').open && !document.getElementById('key').value")
            tab.run("document.getElementById('key').focus()")
            tab.type(key)
            tab.run("document.querySelector('#key-form button').click()")
        tab.wait("document.querySelector('#next button')")


PAGE = r"""$$ z = W x $$
$$ J = z^T z $$
$$ \frac{\partial J}{\partial x} = 2 W z $$
"""
VERDICTS = "document.getElementById('report').contentDocument.body"


@pytest.mark.parametrize("width", [420, 1200])
def test_a_derivation_is_checked_as_it_is_typed(tab: Tab, address: str, width: int) -> None:
    opened(tab, address, width)
    tab.run("document.getElementById('tab-reading').focus()")
    tab.press("ArrowRight", 39)
    assert tab.run("document.activeElement.id") == "tab-checking"
    tab.wait("!document.getElementById('checking').hidden && document.getElementById('reading').hidden")
    tab.run("document.getElementById('notes').focus()")
    tab.type(PAGE)
    tab.wait("document.getElementById('checked').textContent === '2 of 3 claims hold, 1 does not.'")
    assert "missing transpose" in tab.run(f"{VERDICTS}.textContent")
    assert tab.run(f"{VERDICTS}.querySelectorAll('math').length") >= 3
    assert tab.run("document.documentElement.scrollWidth - innerWidth") <= 0
    tab.run("document.querySelector('.place').click()")
    assert tab.run("getSelection().toString()").strip() == "2 W z"
    tab.run("document.querySelectorAll('#repairs button')[1].click()")
    tab.wait("document.getElementById('checked').textContent === 'All 3 claims hold.'")
    assert "2 W^T z" in tab.run("document.getElementById('notes').value")
    tab.run("document.execCommand('undo')")
    tab.wait("document.getElementById('checked').textContent === '2 of 3 claims hold, 1 does not.'")
    assert tab.errors == []


def test_elman_check_serves_a_page(tab: Tab, tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text(PAGE)
    with serving(tmp_path / "notes.md", "--serve", name="check") as (_, address):
        tab.open(f"{address}/")
        tab.wait("document.getElementById('checked').textContent === '2 of 3 claims hold, 1 does not.'")
        assert tab.run("document.querySelector('.tabs').hidden && document.getElementById('reading').hidden")
        assert tab.run("document.getElementById('notes').value") == PAGE
    assert tab.errors == []
