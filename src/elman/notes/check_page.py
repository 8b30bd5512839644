"""The front door: a page → its report."""

from __future__ import annotations

import time
from pathlib import Path

from elman.notes.judge.verdict import Report
from elman.notes.page.page import Page
from elman.notes.page.reader import read_page
from elman.notes.repair.diagnose import settle
from elman.notes.report.assemble_report import claims_of


def check(page: str | Path | Page, model: str | None = None) -> Report:
    """Checks a page: a path (Markdown, LaTeX, a notebook, plain text) or a `Page` that was read.

    `model="elman"` supplies the forward equations of this package's network for a page that has gradients only. Raises
    `TextError` where the page cannot be read; whatever is wrong on it is in the report.
    """
    started = time.monotonic()
    given = page if isinstance(page, Page) else read_page(Path(page))
    checker = settle(given, model)
    return Report(
        str(given.path),
        claims_of(checker),
        tuple(checker.remarks),
        given.skipped,
        time.monotonic() - started,
        given.text,
    )
