"""A page, a report of it, a counterexample; and HTML that is checked to be well formed."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from elman.notes.judge.verdict import Claim, Repair, Report, Verdict
from elman.notes.oracle.counterexample import Counterexample
from elman.notes.page.page import Page
from elman.notes.page.reader import page_of

TEXT = r"""# Notes <b>

Some *prose* with `code` and $W \in \mathbb{R}^{m \times n}$, then $a = c$.

$$ z = W x = W^T x $$

    今天的注

```python
z.shape = [B,V]
h = W @ z
```

| symbol | shape |
|---|---|
| $W$ | $[m,n]$ |

$$ \frac{a}{ $$
"""
POINT = Counterexample(
    {"m": 3, "n": 5}, {"i": 1, "j": 2}, {"x": ((0.5,), (-1.25,))}, ((3, 5), (3, 5)), (2, 1), -0.215, 0.2494
)


def claim(page: Page, formula: str, verdict: Verdict, left: str = "", **more: object) -> Claim:
    start = page.text.index(formula)
    line, column, cell = page.place(start)
    return Claim(line, column, start, start + len(formula), left, formula, verdict, cell=cell, **more)  # type: ignore[arg-type]


def example_page() -> Page:
    return page_of(TEXT, path=Path("notes.md"))


def example_report(page: Page) -> Report:
    start = page.text.index("W^T x")
    fix = Repair("W x", start, start + 5, "W x", ("drop the transpose",), (Verdict.EXTRA_TRANSPOSE,))
    return Report(
        "notes.md",
        (
            claim(page, "c$", Verdict.SIGN, "a", diagnosis="it is -1 times `b`"),
            claim(page, "W x", Verdict.HOLDS, "z", shapes=((0, 1, "[m,n]"), (2, 3, "[n,1]")), reading="defines z"),
            claim(page, "W^T x", Verdict.EXTRA_TRANSPOSE, "z", diagnosis="<does not fit>", fixes=(fix,)),
            claim(page, "[B,V]", Verdict.SHAPE, "shape of z", diagnosis="it is [m,1]"),
            claim(page, "W @ z", Verdict.UNDEFINED, "h", diagnosis="z has no shape: declare one"),
            claim(page, r"\frac{a}{", Verdict.NOT_READ, diagnosis="{ is not closed (line 18, column 9)"),
        ),
        ("the layout is mixed", "reading: W a matrix [m,n]"),
        skipped=2,
        seconds=0.25,
    )


class Checked(HTMLParser):
    """Tags closed as they were opened, and no address outside the page."""

    VOID = frozenset({"meta", "br", "hr", "wbr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        assert tag not in {"link", "img", "iframe", "b1"}
        self.scripts += tag == "script"
        assert "src" not in given
        if given.get("id"):
            self.ids.append(str(given["id"]))
        if str(given.get("href", "")).startswith("#"):
            self.targets.append(str(given["href"])[1:])
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def checked(html: str) -> Checked:
    parser = Checked()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    assert parser.scripts == 1  # the report's own
    assert len(parser.ids) == len(set(parser.ids))
    assert set(parser.targets) <= set(parser.ids)
    return parser
