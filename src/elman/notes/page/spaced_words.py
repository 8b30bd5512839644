"""Words whose letters programs that read formulas from pictures set apart, n e t beside \\text{net}, or join with the
letter before them: \\operatorname{Wdiag}.
"""

from __future__ import annotations

import re
from functools import lru_cache

_UPRIGHT = re.compile(r"\\(?:operatorname\*?|mathrm|text|textrm|mathsf|mathit)\s*\{[\s~]*([A-Za-z]{3,})\s*\}")
_APART = re.compile(r"(?:\\mathrm\s*\{\s*(?P<first>[A-Za-z])\s*\}|(?<![A-Za-z\\])[A-Za-z])(?: [A-Za-z])+(?![A-Za-z])")
_JOINED = re.compile(r"\\operatorname\{([A-Z])(diag|softmax|tanh|sigmoid)\}")


def with_whole_words(text: str, page: str) -> str:
    """A formula with n e t as one word where its page writes this word upright, and with the letter before a function
    apart from it. All places stay as they are, but those of such a letter.
    """

    def joined(m: re.Match[str]) -> str:
        word = _word(m)
        return word.ljust(len(m.group())) if word in words else m.group()

    words = _words(page)
    text = _APART.sub(joined, text) if words else text
    return _JOINED.sub(r"\1\\operatorname{\2}", text)


def _word(m: re.Match[str]) -> str:
    return (m["first"] or "") + re.sub(r"\\mathrm\s*\{[^}]*\}|\s", "", m.group())


@lru_cache(maxsize=4)
def _words(page: str) -> frozenset[str]:
    """The upright words of a page whose letters stand apart elsewhere on it."""
    apart = {_word(m) for m in _APART.finditer(page)}
    return frozenset(_UPRIGHT.findall(page)) & apart
