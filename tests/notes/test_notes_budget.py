"""The work of a check is counted, never timed: the report of a page depends on the page alone."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from pathlib import Path

import pytest

import elman.notes
from elman.notes.check_page import check
from elman.notes.judge.verdict import Claim, Report, Verdict
from elman.notes.oracle.budget import Meter
from elman.notes.page.reader import page_of, read_page
from elman.notes.repair import diagnose
from elman.notes.repair.diagnose import explained

PAGES = Path(__file__).parent / "pages"
TANH = PAGES / "tanh-rnn.md"
WRONG = TANH.read_text().replace(r"+ \delta_{t+1} W_h^T", r"- \delta_{t+1} W_h").replace("s_t - y_t", "y_t - s_t")
SHAPES = "```\nx.shape = [n, 1]\nA.shape = [n, n]\n```\n"


def said(report: Report) -> tuple[object, ...]:
    """Everything that a report says, but for how long it took."""
    return report.claims, report.remarks, report.skipped


def claims(page: str) -> list[Claim]:
    return list(check(page_of(SHAPES + page)).claims)


def test_only_the_front_door_looks_at_a_clock() -> None:
    for path in Path(elman.notes.__file__).parent.rglob("*.py"):
        uses = any(f"import {name}\n" in path.read_text() for name in ("time", "datetime", "signal"))
        assert uses == (path.name == "check_page.py"), path


def test_a_clock_that_jumps_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = said(check(page_of(WRONG)))
    hours = itertools.count(0, 3600)
    for name in ("monotonic", "perf_counter", "time", "process_time"):
        monkeypatch.setattr(time, name, lambda: float(next(hours)))
    report = check(page_of(WRONG))
    jumped = report.seconds
    assert jumped >= 3600
    assert said(report) == expected
    assert any(not c.good and c.fixes for c in report.claims)


# Keeps a processor busy until its input ends: with the tests, so that a killed run leaves nothing behind.
BURN = """
import sys, threading
reader = threading.Thread(target=sys.stdin.read)
reader.start()
while reader.is_alive():
    sum(range(10_000))
"""


@pytest.mark.slow
def test_ten_busy_processes_change_nothing() -> None:
    text = SHAPES + "$$ y = A x $$\n$$ J = \\frac12 \\|y\\|^2 $$\n$$ \\frac{\\partial J}{\\partial A} = 2 x y^T $$\n"
    expected = said(check(page_of(text)))
    busy = [subprocess.Popen([sys.executable, "-I", "-S", "-c", BURN], stdin=subprocess.PIPE) for _ in range(10)]
    try:
        assert said(check(page_of(text))) == expected
        assert all(process.poll() is None for process in busy)
    finally:
        for process in busy:
            process.communicate()


def test_the_same_page_takes_the_same_work() -> None:
    spent = {explained(page_of(WRONG)).checker.meter.spent for _ in range(2)}
    assert len(spent) == 1
    assert 0 < spent.pop() < diagnose.ONE_CLAIM


def test_a_budget_is_a_share_of_one_meter() -> None:
    meter = Meter()
    meter.count(5)
    budget = meter.budget(3)
    meter.count(2)
    assert not budget.is_exhausted()
    meter.count(1)
    assert budget.is_exhausted()


@pytest.mark.parametrize("limit", [200, 2_000])
def test_what_a_budget_does_not_suffice_for_is_said_to_be_unchecked(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnose, "JUDGING", limit)
    report = check(TANH)
    unchecked = [c for c in report.claims if c.verdict is Verdict.NOT_CHECKED]
    assert unchecked
    assert all(c.diagnosis.startswith(f"the formulas before it took {limit:,} operations") for c in unchecked)
    assert min(c.line for c in unchecked) > min(c.line for c in report.claims if c.good)
    assert said(check(TANH)) == said(report)


def test_without_a_budget_for_repairs_the_verdicts_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    full = check(page_of(WRONG))
    monkeypatch.setattr(diagnose, "EXPLAINING", 0)
    bare = check(page_of(WRONG))
    assert [c.good for c in bare.claims] == [c.good for c in full.claims]
    wrong = [c for c in bare.claims if not c.good and not c.fixes]
    assert wrong
    assert all("no repair was searched for" in c.diagnosis for c in wrong)


# --- pages that lead far ---


def test_a_chain_of_many_equations_is_evaluated_from_its_start() -> None:
    chain = "".join(f"$$ y_{{{i}}} = A y_{{{i - 1}}} + x $$\n" for i in range(1, 300))
    page = "$$ y_{0} = A x $$\n" + chain + "$$ J = y_{299}^T y_{299} $$\n"
    page += r"$$ \frac{\partial J}{\partial y_{299}} = 2 y_{299} $$"
    assert {c.verdict for c in claims(page)} == {Verdict.HOLDS}


def test_long_sums_in_equations_that_use_each_other() -> None:
    terms = " + ".join(["x"] * 110)
    page = f"$$ u = A x + {terms} $$\n$$ v = A u + {terms} $$\n$$ w = A v + {terms} $$\n$$ J = w^T x $$\n"
    page += rf"$$ \frac{{\partial J}}{{\partial w}} = x + {terms} - 110 x $$"
    assert {c.verdict for c in claims(page)} == {Verdict.HOLDS}


def test_a_letter_defined_by_its_own_derivative_is_a_circle() -> None:
    found = claims(r"$$ \delta = \frac{\partial (\delta^T \delta)}{\partial x} $$" + "\n$$ J = \\delta^T x $$\n")
    assert found[0].verdict is Verdict.NOT_CHECKED
    assert found[0].diagnosis == "a third derivative is not evaluated: write the first one out"


def test_a_claim_of_too_many_time_steps_is_not_checked() -> None:
    steps = "abcdefghk"
    product = " + ".join(f"x^T h^{{({i})}}" for i in steps)
    page = "```\nh.shape = [n, 1]\n```\n$$ h_t = A h_{t-1} $$\n" + f"$$ {product} = {product} $$"
    assert claims(page)[-1].verdict is Verdict.NOT_CHECKED
    assert "combinations" in claims(page)[-1].diagnosis


def test_an_entry_with_three_indices_is_no_crash() -> None:
    report = check(page_of(r"$$ g_j = \frac{\partial L}{\partial w_{oji}} $$" + "\n$$ w_{oji} = w_{oji} $$"))
    assert not any(c.good or c.is_wrong for c in report.claims)


# --- sizes ---


@pytest.mark.parametrize("other", ["784", "17", "11", "104", "97"])
def test_numbers_that_no_shape_has_are_sizes_of_their_own(other: str) -> None:
    """1_10 and 1_784 do not fit, whatever small sizes the check uses for them."""
    (claim,) = (c for c in claims(f"$$ J = x^T x $$\n\n$$ J = 1_{{10}}^T 1_{{{other}}} + x^T x - 10 $$") if c.line > 6)
    assert not claim.good
    assert f"[1,10] times [{other},1]" in claim.diagnosis


def test_every_size_of_a_page_is_different() -> None:
    names = [f"n_{i}" for i in range(40)]
    page = page_of("\n".join(f"a_{i}.shape = [{name}, 784]" for i, name in enumerate(names)) + "\n$$ J = a_1^T a_1 $$")
    sizes = explained(page).checker.sampling.sizes()
    assert len(sizes) == 41
    assert len(set(sizes.values())) == 41


def test_a_number_of_the_page_is_no_name_of_another_size() -> None:
    page = "$$ s = 1_{12}^T b $$\n\n$$ s = 1_n^T b $$"
    text = "```\nb.shape = [12, 1]\nx.shape = [n, 1]\n```\n" + page
    assert [c.good for c in check(page_of(text)).claims] == [True, False]


def test_pages_are_read_alike_in_any_order() -> None:
    pages = [read_page(PAGES / name) for name in ("tanh-rnn.md", "relu-rnn.md", "linear-regression.md")]
    forward = [said(check(page)) for page in pages]
    assert [said(check(page)) for page in reversed(pages)] == forward[::-1]
