"""The page and the report that the tests of the report share."""

from __future__ import annotations

import pytest
from report_examples import example_page, example_report

from elman.notes.judge.verdict import Report
from elman.notes.page.page import Page


@pytest.fixture
def page() -> Page:
    return example_page()


@pytest.fixture
def report(page: Page) -> Report:
    return example_report(page)
