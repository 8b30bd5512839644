"""The axis of a page's softmax: the one that its text states, else the one with which more of its equations hold."""

from __future__ import annotations

import re
from dataclasses import replace

from elman.calculus.expression import Call, Derivative, Expression, walk
from elman.errors import FormulaError
from elman.notes.model.page_model import TIME, PageModel, free_indices, free_times
from elman.notes.model.statement_kinds import defined_letter
from elman.notes.oracle.agreement import agreement
from elman.notes.oracle.evaluation_point import HORIZON, EvaluationPoint
from elman.notes.oracle.oracle import Oracle, Oracles
from elman.notes.oracle.sizes import sizes_in

WORDS = ("down each column", "along each row")
_SENTENCE = re.compile(r"[.!?。!?]\s|\n[ \t]*\n|\n[ \t]*[-*#|]|\$\$|```")
_ROWS = re.compile(
    r"\brow[- ]?wise\b|\b(?:each|every|a|per|single) row\b|\brow by row\b|\balong (?:the |its )?rows?\b"
    r"|按行|逐行|每一?行|\b(?:axis|dim)\s*=\s*(?:1|-1)\b",
    re.IGNORECASE,
)
_COLUMNS = re.compile(
    r"\bcolumn[- ]?wise\b|\b(?:each|every|a|per|single) column\b|\bcolumn by column\b"
    r"|\b(?:down|along) (?:the |its )?columns?\b|按列|逐列|每一?列|\b(?:axis|dim)\s*=\s*0\b",
    re.IGNORECASE,
)


def softmax_axis(model: PageModel, prose: str, oracles: Oracles) -> tuple[int | None, str]:
    """0 or 1 where the page has a softmax of a matrix that states no axis of its own, else None; and why, in words."""
    point = EvaluationPoint(tuple(sizes_in(model).items()))
    if not _is_open(model, oracles.new(model, point)):
        return None, ""
    stated = stated_axis(prose)
    if stated is not None:
        return stated, f"softmax runs {WORDS[stated]}, as the page says" if stated == 1 else ""
    holding = [_holding(oracles.new(model, replace(point, softmax_axis=axis))) for axis in (0, 1)]
    axis = int(holding[1] > holding[0])
    if holding[0] == holding[1]:
        return axis, ""
    return axis, (
        f"softmax is assumed to run {WORDS[axis]}: {holding[axis]} equations hold then, and {holding[1 - axis]} if it "
        f"runs {WORDS[1 - axis]}"
    )


def stated_axis(prose: str) -> int | None:
    """The axis that a sentence about the softmax names; None where none does, or where two differ."""
    found: set[int] = set()
    for sentence in _SENTENCE.split(prose):
        if re.search("softmax", sentence, re.IGNORECASE):
            found |= {axis for axis, pattern in ((1, _ROWS), (0, _COLUMNS)) if pattern.search(sentence)}
    return found.pop() if len(found) == 1 else None


def _is_open(model: PageModel, oracle: Oracle) -> bool:
    """Whether some softmax of a matrix may be without an axis of its own."""
    values = [d.value for found in model.equations.values() for d in found]
    for s in model.statements:  # other equations of a letter that has one
        letter = defined_letter(s.parts[0])
        values += s.parts[1:] if letter is not None and letter.name in model.equations else ()
    return any(_of_matrix(node, oracle) for e in values for node in walk(e))


def _of_matrix(node: Expression, oracle: Oracle) -> bool:
    if not (isinstance(node, Call) and node.function == "softmax" and node.axis is None):
        return False
    argument = node.arguments[0]
    bound = dict.fromkeys(free_indices(argument), 0) | dict.fromkeys(free_times(argument), HORIZON - 1)
    try:
        return 1 not in oracle.evaluate(argument, {**bound, TIME: HORIZON - 1}).shape[-2:]
    except FormulaError:
        return True  # its argument may be the mistake of the page


def _holding(oracle: Oracle) -> int:
    """How many of the page's equations between derivatives and formulas hold."""
    return sum(
        agreement(oracle, statement.parts[0], part, quick=True).any
        for statement in oracle.model.statements
        for sign, part in zip(statement.relation.operators, statement.parts[1:], strict=True)
        if sign in ("=", ":=") and not isinstance(part, Derivative)
    )
