"""The front door: a page → its report."""

from __future__ import annotations

import time
from pathlib import Path

from elman.notes.claims import claims_of
from elman.notes.explain import settle
from elman.notes.page import Page
from elman.notes.read import read_page
from elman.notes.verdict import Report


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
