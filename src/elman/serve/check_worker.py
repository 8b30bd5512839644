"""The process that checks pages for the server: a line of JSON in, a line of JSON out, until its input ends.

It is another process since a check is Python's own work for seconds, and can be ended where nobody waits for it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from elman.errors import ElmanError
from elman.notes import check
from elman.notes.page.language import language_for
from elman.notes.page.reader import guessed_page
from elman.notes.report.html import body_html
from elman.notes.report.json_report import as_json
from elman.translation import in_language

NAME = Path("Your page")
"""Its title; there is no such file, and none is read."""
SHOWN = ("holds", "summary", "wrong", "not_checked", "holding", "claims", "remarks")
"""What is taken of the JSON report."""


def answer(text: str) -> dict[str, Any]:
    """The report of a page, and its HTML, in the language of `elman check`. Raises TextError for a directive that is
    not known.
    """
    page = guessed_page(text, NAME)
    with in_language(language_for(page)):
        report = check(page)
        found = as_json(report)
        return {name: found[name] for name in SHOWN} | {"html": body_html(page, report, None)}


def main() -> None:
    """Answers until the input ends."""
    for line in sys.stdin.buffer:
        try:
            found: dict[str, Any] = {"answer": answer(json.loads(line)["text"])}
        except ElmanError as error:
            found = {"refused": str(error)}
        sys.stdout.buffer.write(json.dumps(found, allow_nan=False).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
