"""Along which axis a page's softmax runs: its prose says so, else the axis under which more of its claims hold."""

from __future__ import annotations

import re

from elman.calculus.expression import Call, Derivative, Expression, walk
from elman.calculus.values.evaluate import evaluate
from elman.errors import FormulaError
from elman.notes.model.page_model import TIME, PageModel, free_indices, free_times
from elman.notes.oracle.agreement import agreement
from elman.notes.oracle.evaluation_point import HORIZON, EvaluationPoint
from elman.notes.oracle.oracle import Oracle

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


def softmax_axis(model: PageModel, prose: str, sizes: dict[str, int], remarks: list[str]) -> int | None:
    """0 or 1 where the page has a softmax of a matrix that states no axis of its own, else None; `remarks` says why."""
    if not _is_open(model, sizes):
        return None
    said = stated_axis(prose)
    if said is not None:
        if said == 1:
            remarks.append(f"softmax runs {WORDS[said]}, as the page says")
        return said
    held = [_held(Oracle(model, EvaluationPoint(tuple(sizes.items()), 0, axis))) for axis in (0, 1)]
    axis = int(held[1] > held[0])
    if held[0] != held[1]:
        remarks.append(
            f"softmax is taken to run {WORDS[axis]}: "
            f"{held[axis]} equations hold so, and {held[1 - axis]} {WORDS[1 - axis]}"
        )
    return axis


def stated_axis(prose: str) -> int | None:
    """The axis that a sentence about the softmax names; None where none does, or where two differ."""
    found: set[int] = set()
    for sentence in _SENTENCE.split(prose):
        if re.search("softmax", sentence, re.IGNORECASE):
            found |= {axis for axis, pattern in ((1, _ROWS), (0, _COLUMNS)) if pattern.search(sentence)}
    return found.pop() if len(found) == 1 else None


def _is_open(model: PageModel, sizes: dict[str, int]) -> bool:
    """Whether some softmax of a matrix, as far as one can see, has no axis of its own."""
    oracle = Oracle(model, EvaluationPoint(tuple(sizes.items())))
    return any(_of_matrix(node, oracle) for d in model.equations.values() for x in d for node in walk(x.value))


def _of_matrix(node: Expression, oracle: Oracle) -> bool:
    if not (isinstance(node, Call) and node.function == "softmax" and node.axis is None):
        return False
    argument = node.arguments[0]
    bound = dict.fromkeys(free_indices(argument), 0) | dict.fromkeys(free_times(argument), HORIZON - 1)
    try:
        return 1 not in evaluate(argument, oracle.scope({**bound, TIME: HORIZON - 1})).shape[-2:]
    except FormulaError:
        return True  # what it is of may be the mistake of the page


def _held(oracle: Oracle) -> int:
    """How many of the page's equations between derivatives and formulas hold."""
    count = 0
    for statement in oracle.model.statements:
        for sign, part in zip(statement.relation.operators, statement.parts[1:], strict=True):
            if sign in ("=", ":=") and not isinstance(part, Derivative):
                try:
                    count += agreement(oracle, statement.parts[0], part, quick=True).any
                except FormulaError:
                    continue
    return count
