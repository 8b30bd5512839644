r"""Parentheses that a group in braces leaves open, or closes once too often: \frac{\partial f(g(x)}{\partial x}.

A group is whole in itself, so that a slip in it cannot mean anything else.
"""

from __future__ import annotations

from elman.calculus.syntax.tokens import Token


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
    return found
