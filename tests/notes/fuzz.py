"""Hostile pages and formulas for the checker and the derivatives: `python tests/notes/fuzz.py --minutes 10`.

Pages of the tests are cut, spliced, doubled, nested, misspelt and sprinkled with signs and commands; every one must
end within `SECONDS` in a report, whose HTML runs and fetches nothing, or in an error of the family. Prints what
failed, and exits with 1 if anything did.
"""

from __future__ import annotations

import argparse
import random
import re
import signal
import sys
import time
import traceback
from pathlib import Path

from click.testing import CliRunner

from elman.cli import main as main_command
from elman.errors import ElmanError
from elman.notes.check_page import check
from elman.notes.derive_page import derive
from elman.notes.page.reader import page_of
from elman.notes.report.controls import SCRIPT
from elman.notes.report.html import as_html

SECONDS = 120
UNSAFE = re.compile(
    r"""<(?:script|iframe|object|embed|link)|<[^<>]*\s(?:on\w+|src|style=[^<>]*url)\s*=|href="\s*javascript""", re.I
)
PIECES = (
    r"\frac{", r"\partial ", r"{", r"}", "(", ")", "[", "]", "$", "$$", "^T", "^{(t-1)}", "_{", "|_{(i)}", "=", "+",
    "-", r"\sum_{i=1}^t ", r"\circ ", r"\otimes ", r"\hat{", r"\left(", r"\right)", r"\begin{align}",
    r"\end{align}", "&",
    r"\\", "\n\n", "```", "'", '"', "%", r"\newcommand{\x}{\x\x}", r"\x", "\0", "\u202e", "𝛅", "é", "汉字", "1e309",
    "9" * 400, "0/0", r"\sqrt{-1}", r"\ln 0", "J", "h", "W_h", ".shape = [", "B", "import os",
    "__import__('os').system('true')", "lambda: 0", "[x for x in ().__class__.__bases__]", "a.T @ ", "**" * 50,
    "<!-- elman check: off -->", "|" * 60, "{" * 60, "(" * 60, r"\mathrm{tr}(", r"\det ", "^{-1}",
    r"\mathrm{softmax}(", "\t", "    ", "_0", "1_{784}", "I_{99999999999}", "²", ".shape = [784,0]\n",
    "784*", "N = 784", "<script>", "</script>", "<img src=//x onerror=f()>", "<b onclick=f()>", "<!--", "-->",
    "](javascript:f())", "![a](", "<details>", "</p>", r"\text{<script>", r"\href{javascript:f()}{x}", "\ue0001\ue001",
)  # fmt: skip
FORMULAS = (
    "a^T X b",
    r"\|A x - b\|^2",
    r"\mathrm{tr}(A X B)",
    r"\ln\det X",
    "a.T @ X @ b",
    "CE(y, softmax(U h + b))",
    "x^T A x",
)


class HangError(Exception):
    """What the alarm raises."""


def alarm(*_: object) -> None:
    raise HangError


def mutated(text: str, others: list[str], rng: random.Random) -> str:
    for _ in range(rng.choice((1, 1, 2, 3, 8, 30))):
        i, j = sorted((rng.randrange(len(text) + 1), rng.randrange(len(text) + 1)))
        kind = rng.randrange(8)
        if kind == 0:
            text = text[:i] + rng.choice(PIECES) + text[i:]
        elif kind == 1:
            text = text[:i] + text[min(j, i + rng.choice((1, 3, 20))) :]
        elif kind == 2:
            other = rng.choice(others)
            k = rng.randrange(len(other) + 1)
            text = text[:i] + other[k : k + rng.choice((5, 40, 400))] + text[i:]
        elif kind == 3:
            text = text[:i] + text[i : i + rng.choice((3, 30))] * rng.choice((2, 5, 20)) + text[i:]
        elif kind == 4:
            text = text[:i] + "".join(rng.sample(PIECES, rng.choice((2, 5, 12)))) + text[i:]
        elif kind in (5, 6) and (at := [k for k in range(i, j) if text[k].isalnum()]):
            k = rng.choice(at)  # one letter or digit for another: a page that is nearly right
            text = text[:k] + rng.choice("aijknstTNBDhwxWXJ0129") + text[k + 1 :]
        else:
            text = text[:i] + chr(rng.choice((rng.randrange(1, 128), rng.randrange(0x2000, 0x2400)))) + text[i + 1 :]
    return text[:20_000]


def trial(pages: list[str], rng: random.Random) -> str:
    """One hostile input, tried; returns what it was."""
    if rng.random() < 0.3:
        formula = mutated(rng.choice(FORMULAS), list(FORMULAS), rng) * rng.choice((1, 1, 1, 200))
        wrt = rng.choice(("X", "x", "U", "h^(t-1)", "W_h", "\\", ""))
        call = ["derive", "--wrt", wrt, "--layout", rng.choice(("denominator", "numerator")), "--", formula]
        done = CliRunner().invoke(main_command, call)  # as a user calls it: exit code 0 or 2
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return formula
    text = rng.choice(pages)
    start = rng.randrange(len(text))
    text = text if rng.random() < 0.4 else text[start : start + rng.choice((200, 1000, 3000))]
    text = mutated(text, pages, rng)
    page = page_of(text, rng.choice(("markdown", "latex", "text")))
    report = check(page)
    html = as_html(page, report)
    html = re.sub(r'value="[^"]*"', "", html.replace(SCRIPT, "").replace("<script></script>", ""))
    unsafe = UNSAFE.search(html)
    assert unsafe is None, html[max(unsafe.start() - 200, 0) : unsafe.end() + 200]
    if rng.random() < 0.3:
        derive(page)
    return text


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    folder = Path(__file__).parent
    pages = [p.read_text() for p in sorted((folder / "pages").glob("*")) if p.suffix in (".md", ".tex", ".txt")]
    pages.append((folder.parents[1] / "docs" / "derivation.md").read_text())
    signal.signal(signal.SIGALRM, alarm)
    tried = refused = failed = 0
    slowest = 0.0
    end = time.monotonic() + 60 * options.minutes
    while time.monotonic() < end:
        seed = options.seed * 1_000_000 + tried
        tried += 1
        started = time.monotonic()
        signal.alarm(SECONDS)
        try:
            trial(pages, random.Random(seed))
        except ElmanError:
            refused += 1
        except Exception:
            failed += 1
            print(
                f"seed {seed} after {time.monotonic() - started:.1f} s:\n{traceback.format_exc()[-1500:]}", flush=True
            )
        finally:
            signal.alarm(0)
        slowest = max(slowest, time.monotonic() - started)
    print(f"{tried} inputs, {refused} refused with an error of the family, {failed} failed, slowest {slowest:.1f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
