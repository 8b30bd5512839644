"""What a page writes for a transpose besides T: A^t, (B C)^{Tr}.

A superscript t is a time step, a power or a transpose. It is a transpose on a page that has it above brackets and above
two capital letters, and that numbers no steps by t; Tr and tr are, where the page has them above brackets.
"""

from __future__ import annotations

import re

from elman.notes.page.page import Page

_ABOVE = r"\s*\^\s*(?:{sign}(?![a-zA-Z])|\{{\s*(?:\\(?:mathrm|text|rm)\s*)?\{{?\s*{sign}\s*\}})"
_STEPS = re.compile(r"_\s*(?:t\b|\{\s*t\b)|[({]\s*t\s*[-+)]|\bt\s*[-+=]\s*\d|(?:\\le|\\leq|<|\\in)\s*t\b")


def transpose_signs(page: Page) -> frozenset[str]:
    """The words that the page writes above what it transposes."""
    text = "\n".join(formula.text for formula in page.formulas if formula.kind != "code")
    found = {sign for sign in ("Tr", "tr") if re.search(r"[)\]]" + _ABOVE.format(sign=sign), text)}
    above_brackets = re.search(r"[)\]]" + _ABOVE.format(sign="t"), text)
    capitals = set(re.findall(r"\b([A-Z])" + _ABOVE.format(sign="t"), text))
    if above_brackets and len(capitals) > 1 and not _STEPS.search(text):
        found.add("t")
    return frozenset(found)
