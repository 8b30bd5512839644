"""The page of `elman flow`: its data are the numbers of the lens, whatever the tokens and the network are."""

from __future__ import annotations

import base64
import json
import re

import numpy as np
import pytest
from flow_page import NAMES, Page
from networks import problem

from elman.cli.flow_runs import RunFlow
from elman.cli.flow_summary import summary
from elman.gradient_flow.history import History
from elman.gradient_flow.report import as_html
from elman.gradient_flow.view import Subject, View
from elman.translation import in_language

WATCH = "elman train --watch-gradients N"


def view_of(T: int = 12, activation: str = "tanh") -> View:
    p, *_ = problem(V=7, activation=activation)
    ids = np.random.default_rng(1).integers(0, 7, T + 1)
    return View.of(p, ids, [f"w{k}" for k in ids], Subject("a model", "sizes", "a text", 0, " "))


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_the_page_has_every_pair_in_16_bits(activation: str) -> None:
    view = view_of(activation=activation)
    (network,) = json.loads(Page(as_html([view], {})).data)["networks"]
    pairs = np.tril_indices(view.T)
    for name in NAMES:
        packed = network["norms"][name]
        codes = np.frombuffer(base64.b64decode(packed["codes"]), "<u2").astype(float)
        table = view.flow.log10_norms(name)[pairs]
        there = np.isfinite(table)
        assert ((codes > 0) == there).all()
        assert np.abs(packed["low"] + (codes[there] - 1) * packed["step"] - table[there]).max() <= packed["step"]
        assert packed["step"] < 1e-2
    for name in ("W_h", "W_e"):
        cosines = np.frombuffer(base64.b64decode(network["loss_shares"][name]["cosines"]), "<i2") / 32767
        assert np.abs(cosines - view.loss_shares[name].cosines[pairs]).max() < 1e-4


def test_tokens_cannot_break_out_of_the_page() -> None:
    p, *_ = problem(V=7)
    ids = np.arange(6)
    tokens = ["<b>", "</script><script>alert(1)</script>", "&amp;", '"', "'", "<!--"]
    text = as_html([View.of(p, ids, tokens, Subject("</title>", "<i>", "<u>"))], {"</script>": History.of([])})
    assert "<script>alert" not in text
    assert Page(text).tokens == tokens
    assert text.count("</script>") == 2  # the data's and the program's own
    assert text.count("</title>") == 1


def test_a_network_without_gradient_flow_has_a_page() -> None:
    p, *_ = problem(V=7, activation="tanh")
    p.W_h[...] = 0
    ids = np.arange(6)
    view = View.of(p, ids, list("abcdef"), Subject("zero", ""))
    text = as_html([view], {})
    (network,) = json.loads(Page(text).data)["networks"]
    assert network["by_lag"]["h"][1:] == [None] * 4
    assert view.diagnosis.verdict == "vanishing"
    assert "NaN" not in Page(text).data
    assert "Infinity" not in Page(text).data


def test_the_page_is_in_the_current_language() -> None:
    with in_language("zh"):
        text = as_html([view_of()], {"a model": History.of([{"kind": "step", "step": 1, "gradient_norm": 1.0}])})
    body = re.sub("<(script|style).*?</\\1>", "", text, flags=re.DOTALL)
    assert '<html lang="zh-Hans">' in body
    for words in (
        "前面每个词元对一个预测的梯度的贡献",
        "可达步数",
        "最大奇异值 σ<sub>max</sub>",
        "裁剪或跳过的步",
    ):
        assert words in body
    assert not re.search(r"[a-z]{3,} [a-z]{2,} [a-z]{2,}", re.sub("<[^>]*>", "", body).replace(WATCH, ""))
    words = json.loads(Page(text).data)["words"]
    assert words["reach {n}"] == "可达 {n} 步"
    assert len(words) > 30
    assert json.loads(Page(as_html([view_of()], {})).data)["words"] == {}


@pytest.mark.parametrize("growth", [1.3, 4.0])
def test_the_numbers_of_an_exploding_network_stay_short(growth: float, capsys: pytest.CaptureFixture[str]) -> None:
    p, *_ = problem(V=7, activation="relu")
    p.W_h[...] = growth * np.eye(p.Dh)
    ids = np.random.default_rng(1).integers(0, 7, 201)
    view = View.of(p, ids, [f"w{k}" for k in ids], Subject("a model", "sizes", "a text", 0, " "))
    assert view.diagnosis.verdict == "exploding"
    summary([RunFlow("a model", None, view)])
    text = capsys.readouterr().out
    assert re.search(r", [\d.]+(e\+\d+)? nats per token \(perplexity [\d.^]+(e\+\d+)?\)$", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) < 140
    assert max(map(len, re.findall(r"\d+", re.sub("<script.*?</script>", "", as_html([view], {}), flags=re.S)))) < 10
