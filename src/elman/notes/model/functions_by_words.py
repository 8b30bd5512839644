"""Functions that only the words of a page name: "with g the softmax function" says what g(z) is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from elman.calculus.expression import Apply, Call, Expression, Symbol
from elman.notes.model.page_model import Statement
from elman.notes.model.statement_kinds import defined_letter
from elman.notes.page.page import Page

_BEHIND = re.compile(
    r"\s*[,，]?\s*(?:is|denotes|being|represents|stands\s+for|是|为|表示)?\s*(?:the|an?)?\s*"
    r"(?P<name>softmax|sigmoid|logistic|ReLU|tanh|hyperbolic\s+tangent|softplus)(?:\s+sigmoid)?"
    r"\s*(?:activation\s+)?(?:function|函数)",
    re.IGNORECASE,
)
_NAMES = {"logistic": "sigmoid", "hyperbolic tangent": "tanh"}


def with_functions_by_words(statements: Sequence[Statement], page: Page) -> tuple[Statement, ...]:
    """The statements with these functions, where no equation says otherwise what the letter is."""
    applied = {n.name for s in statements for n in s.nodes() if isinstance(n, Apply) and len(n.arguments) == 1}
    said = dict(_said(statements, page))
    defined = {left.name for s in statements if (left := defined_letter(s.parts[0])) is not None and len(s.parts) > 1}
    defined |= {s.parts[0].name for s in statements if isinstance(s.parts[0], Apply) and len(s.parts) > 1}
    known = {name: function for name, function in said.items() if function and name in applied - defined}
    if not known:
        return tuple(statements)

    def change(node: Expression) -> Expression:
        if not isinstance(node, Apply) or node.name not in known or len(node.arguments) != 1:
            return node
        return Call(known[node.name], node.arguments, node.primes, latex=node.latex, span=node.span)

    return tuple(s.transformed(change) for s in statements)


def _said(statements: Sequence[Statement], page: Page) -> Iterator[tuple[str, str]]:
    """The letters that a page calls a function, each with its name; empty where it calls one by several."""
    found: dict[str, set[str]] = {}
    for s in statements:
        letter = s.parts[0]
        if len(s.parts) != 1 or s.formula.kind != "inline" or not isinstance(letter, Symbol):
            continue
        match = _BEHIND.match(page.text, s.formula.outer[1])
        if match is not None:
            name = " ".join(match["name"].lower().split())
            found.setdefault(letter.name, set()).add(_NAMES.get(name, name))
    yield from ((letter, min(names) if len(names) == 1 else "") for letter, names in found.items())
