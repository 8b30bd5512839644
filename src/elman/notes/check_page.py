"""`check`: a page → its report."""

from __future__ import annotations

import os
import time
from pathlib import Path

from elman.errors import TextError
from elman.notes.page.page import Page
from elman.notes.page.reader import read_page
from elman.notes.repair.diagnose import explained
from elman.notes.report.assemble_report import claims_of
from elman.notes.report.notebook_report import PageReport


def check(page: str | Path | Page, model: str | None = None) -> PageReport:
    """Checks the formulas of a page: a file (Markdown, LaTeX, notebook, plain text), or a `Page` that was read before.

    `model="elman"` adds the forward equations of this package's network, for a page that has only gradients. Raises
    `TextError` if the file cannot be read, and `ConfigError` if the model is not known. Mistakes on the page raise
    nothing: they are in the report.
    """
    if not isinstance(page, str | os.PathLike | Page):
        raise TextError(f"the page is {type(page).__name__}, expected a path or a Page")
    started = time.monotonic()
    given = page if isinstance(page, Page) else read_page(Path(page))
    page_explained = explained(given, model)
    return PageReport(
        str(given.path),
        claims_of(page_explained),
        page_explained.remarks,
        given.skipped,
        time.monotonic() - started,
        given.text,
        given,
    )
