"""An HTML page that needs nothing else: its style, its data as JSON and its scripts are inside, from page/."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from typing import Any

from elman.gradient_flow.figure_text import translated_words
from elman.gradient_flow.json_values import json_value
from elman.translation import CHINESE, current_language


def document(title: str, body: str, data: Mapping[str, Any], scripts: Sequence[str]) -> str:
    """The page in the current language.

    `body` is HTML; `scripts`, files of page/, find `data` in DATA of numbers.js, the first of them.
    """
    page = resources.files("elman.gradient_flow") / "page"
    style = (page / "flow.css").read_text(encoding="utf-8")
    script = "".join((page / name).read_text(encoding="utf-8") for name in scripts)
    data = {**data, "words": translated_words(script)}
    content = json.dumps(json_value(data), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    language = "zh-Hans" if current_language() == CHINESE else current_language()
    return (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n{body}"
        '\n<script type="application/json" id="data">' + content.replace("<", "\\u003c") + "</script>\n"
        f"<script>\n{script}</script>\n</body>\n</html>\n"
    )
