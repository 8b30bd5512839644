"""Words in a subscript without braces, as programs write them: y_pred is y_{pred}."""

from __future__ import annotations

from elman.calculus.syntax.tokens import Token


def with_words_below(tokens: list[Token]) -> list[Token]:
    """The tokens of a formula with braces around the letters and digits that touch an underscore."""
    found: list[Token] = []
    i = 0
    while i < len(tokens):
        found.append(tokens[i])
        i += 1
        if found[-1].kind != "_":
            continue
        end = i
        while end < len(tokens) and _belongs(tokens[end]) and tokens[end].start == tokens[end - 1].end:
            end += 1
        if end - i > 1:
            first, last = tokens[i].start, tokens[end - 1].end
            found += [Token("{", "{", first, first), *tokens[i:end], Token("}", "}", last, last)]
            i = end
    return found


def _belongs(token: Token) -> bool:
    return token.kind in ("letter", "number")
