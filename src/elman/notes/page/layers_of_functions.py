"""The layer above a function, σ^l(z^l) and g^{[l]}(z^{[l]}): it is that of what the function is applied to.

What such a page claims, it claims of the functions of all layers, one function for all of them among these.
"""

from __future__ import annotations

import re

LAYER = r"\^\s*(?:\{\s*[\[(]?\s*[lL]\s*(?:[-+]\s*1\s*)?[\])]?\s*\}|[lL](?![A-Za-z]))"
_FUNCTION = r"(?:\\(?:sigma|phi|varphi|psi|Phi|Psi)(?![A-Za-z])|(?<![A-Za-z\\])[fg](?![A-Za-z]))"
_PRIMES = r"(?:'|′|\^\s*\{?\s*\\prime\s*\}?)*"
_LETTER = r"(?:\\(?:operatorname|mathrm|mathbf|mathit|text|bm|boldsymbol)\s*\{\s*[A-Za-z]+\s*\}|\\?[A-Za-z]+)"
_STEP = r"(?:_\s*(?:\{\s*\w\s*\}|\w))?"
_APPLIED = re.compile(
    rf"(?P<function>{_FUNCTION}\s*{_PRIMES}\s*)"
    rf"(?P<layer>\^\s*(?:\{{\s*(?P<first>(?:\\prime|'|′)?)\s*[\[(]?\s*(?P<l>[lL]\s*(?:[-+]\s*1)?)\s*[\])]?"
    rf"\s*(?P<prime>(?:\\prime|'|′)?)\s*\}}|(?P<bare>[lL])(?![A-Za-z])))"
    rf"(?P<behind>\s*{_PRIMES}\s*(?:\\(?:left|[bB]igg?l?)\s*)?\(\s*{_LETTER}\s*{_STEP}\s*(?P<other>{LAYER}))"
)


def without_layers_of_functions(text: str) -> str:
    """A formula with spaces, and a prime that is above, for the layer of a function that is applied to a letter of the
    same layer. All places stay as they are.
    """

    def spaces(m: re.Match[str]) -> str:
        layer = re.sub(r"\s", "", m["l"] or m["bare"])
        if re.sub(r"[\s^{}\[\]()]", "", m["other"]) != layer:
            return m.group()
        return m["function"] + ("'" if m["prime"] or m["first"] else "").ljust(len(m["layer"])) + m["behind"]

    return _APPLIED.sub(spaces, text)
