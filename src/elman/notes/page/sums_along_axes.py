"""Sums as programs write them, sum(A, dim=1, keepdim=True), in formulas: of the rows of A, or of its columns."""

from __future__ import annotations

import re
from collections.abc import Sequence

_CALL = re.compile(r"(?<![A-Za-z\\.])(?:np\s*\.\s*|torch\s*\.\s*)?sum\s*(?=\()|(?<=\.)sum\s*(?=\()")
_NAMED = re.compile(r",\s*(?:dim|axis)\s*=\s*(?P<axis>-?[12]|0)\s*(?:,\s*keepdims?\s*=\s*True\s*)?$", re.IGNORECASE)
_WORDS = {"0": "colsum", "-2": "colsum", "1": "rowsum", "-1": "rowsum"}


def with_sums_along_axes(text: str, places: Sequence[int]) -> tuple[str, list[int]]:
    """A formula with rowsum(A) and colsum(A) for such sums; `places` says for each offset, and the end, where it is in
    the formula as the page writes it.
    """
    found, kept, at = "", list[int](), 0
    if "=" in text:
        for call in _CALL.finditer(text):
            end = _closing(text, call.end())
            named = _NAMED.search(text[:end], call.end()) if end > 0 else None
            if named is None or named["axis"] not in _WORDS or call.start() < at:
                continue
            word = _WORDS[named["axis"]]
            inner, own = with_sums_along_axes(text[call.end() : named.start()], places[call.end() : named.start() + 1])
            found += text[at : call.start()] + word + inner + " " * (end - named.start())
            kept += [*places[at : call.start()], *[places[call.start()]] * len(word), *own[:-1]]
            kept += places[named.start() : end]
            at = end
    return found + text[at:], [*kept, *places[at:]]


def _closing(text: str, at: int) -> int:
    """Where the parenthesis that opens at `at` is closed, or -1."""
    depth = 0
    for k in range(at, len(text)):
        depth += (text[k] == "(") - (text[k] == ")")
        if depth == 0:
            return k
    return -1
