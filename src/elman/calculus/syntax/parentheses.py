r"""Parentheses that a group in braces leaves open, or closes once too often: \frac{\partial f(g(x)}{\partial x}.

A group is whole in itself, so that a slip in it cannot mean anything else. A part of a relation is, too: one
parenthesis too many at its end is dropped, and one that opens behind d/dx and is not closed is closed at its end.
"""

from __future__ import annotations

from elman.calculus.syntax.tokens import CLOSING, OPENING, Token

_BETWEEN_PARTS = ("=", "newline", "end")


def with_parentheses_closed(tokens: list[Token]) -> list[Token]:
    """The tokens of a formula with one parenthesis more, or one less, at the end of each group that needs it."""
    found: list[Token] = []
    around: list[int] = []  # the parentheses that are open in the groups around
    depth = 0
    for token in tokens:
        if token.kind == "{":
            around.append(depth)
            depth = 0
        elif token.kind == "}" and around:
            if depth == 1:
                found.append(Token(")", ")", token.start, token.start))
            elif depth == -1 and found[-1].kind == ")":
                found.pop()
            depth = around.pop()
        elif token.kind in ("(", ")"):
            depth += 1 if token.kind == "(" else -1
        found.append(token)
    return _with_parts_closed(found)


def _with_parts_closed(tokens: list[Token]) -> list[Token]:
    """The tokens with the parentheses at the ends of parts that are needed; as they are, where not every part is whole
    then, as in 1(i = j).
    """
    found: list[Token] = []
    start = braces = 0
    for i, token in enumerate([*tokens, Token("end", "", len(tokens), len(tokens))]):
        braces += (token.kind == "{") - (token.kind == "}")
        if token.kind in _BETWEEN_PARTS and braces <= 0:
            part = _closed(tokens[start:i])
            if part is None:
                return tokens
            found += part + tokens[i : i + 1]
            start = i + 1
    return found


def _closed(part: list[Token]) -> list[Token] | None:
    """A part of a relation with one parenthesis more or less at its end, if it needs that; None if it is not whole."""
    open_: list[int] = []
    for i, token in enumerate(part):
        if token.kind in OPENING and token.kind != "begin":
            open_.append(i)
        elif token.kind in CLOSING:
            if not open_:
                last = next(k for k in reversed(range(len(part))) if part[k].kind != "&")
                return part[:i] + part[i + 1 :] if token.kind == ")" and i == last else None
            open_.pop()
    if not open_:
        return part
    if len(open_) > 1 or part[open_[0]].kind != "(" or not _is_behind_derivative(part, open_[0]):
        return None
    end = part[-1].end
    return [*part, Token(")", ")", end, end)]


def _is_behind_derivative(part: list[Token], at: int) -> bool:
    r"""Whether a parenthesis is behind the sign of a derivative with nothing above it: \frac{d}{dx} (."""
    if at < 2 or part[at - 1].kind != "}":
        return False
    opening, depth = at - 1, 0
    for opening in range(at - 1, -1, -1):
        depth += (part[opening].kind == "}") - (part[opening].kind == "{")
        if depth == 0:
            break
    above = [t.text for t in part[max(opening - 4, 0) : opening]]
    return above[1:] in (["{", "d", "}"], ["{", "partial", "}"])
