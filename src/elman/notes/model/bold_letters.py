"""Letters that a page uses twice: x for a number, and under a later heading a bold x for a vector.

The two are one letter on most pages, which are not strict about fonts. They are two where all that is bold and all that
is plain lie apart, with a heading between them, and below it the page first says what is computed from the letter.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace

from elman.calculus.expression import Expression, Symbol, has_derivative, symbols
from elman.notes.model.page_model import Statement

_BOLD = re.compile(r"\\(?:mathbf|bm|boldsymbol|bold|pmb|vec)\b")
_ENOUGH = 2  # statements that have the letter in each of the two ways


def with_bold_letters(statements: Sequence[Statement], declared: Collection[str]) -> tuple[Statement, ...]:
    """The statements with a letter of its own for what is written in another font below a heading; `declared` are the
    letters whose shapes the page declares.
    """
    renamed = {name: found for name, found in _written_twice(statements).items() if name not in declared}
    if not renamed:
        return tuple(statements)

    def change(node: Expression) -> Expression:
        if not isinstance(node, Symbol) or node.name not in renamed or is_bold(node) != renamed[node.name]:
            return node
        return replace(node, name=f"{node.name}_{'bold' if renamed[node.name] else 'plain'}")

    return tuple(s.transformed(change) for s in statements)


def _written_twice(statements: Sequence[Statement]) -> dict[str, bool]:
    """The letters that are two, and whether the later of the two is bold."""
    places: dict[str, tuple[set[int], set[int]]] = defaultdict(lambda: (set(), set()))
    for k, s in enumerate(statements):
        for node in s.nodes():
            if isinstance(node, Symbol):
                places[node.name][is_bold(node)].add(k)
    found: dict[str, bool] = {}
    for name, (plain, bold) in places.items():
        if min(len(plain), len(bold)) < _ENOUGH:
            continue
        is_later = min(bold) > max(plain)
        if not is_later and min(plain) <= max(bold):
            continue
        last, first = (max(plain), min(bold)) if is_later else (max(bold), min(plain))
        apart = statements[last].formula.heading != statements[first].formula.heading
        if apart and _is_computed_from(statements[first], name):
            found[name] = is_later
    return found


def _is_computed_from(s: Statement, name: str) -> bool:
    """Whether a statement computes something from a letter, y = f(x), and has no derivatives."""
    right = {n.name for part in s.parts[1:] for n in symbols(part)}
    return s.is_equation and name in right and not has_derivative(*s.parts)


def is_bold(letter: Symbol) -> bool:
    """Whether a letter is written in bold, or with an arrow, as vectors are."""
    return _BOLD.search(letter.latex) is not None
