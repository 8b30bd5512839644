"""L = -y ln ŷ of a softmax ŷ: the loss is a number, so that y and ln ŷ, both vectors, make a dot product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from elman.calculus.expression import Call, Expression, Product, Symbol, walk
from elman.calculus.shapes.kinds import is_called_a_loss
from elman.notes.model.page_model import Statement
from elman.notes.model.roles import is_softmax
from elman.notes.model.statement_kinds import defined_letter


def with_dot_products(statements: Sequence[Statement], shapes: Mapping[str, object]) -> tuple[Statement, ...]:
    """The statements about losses with ⟨y, ln ŷ⟩ for y ln ŷ, but for letters whose `shapes` are declared and differ."""
    softmaxes = {
        left.name
        for s in statements
        if (left := defined_letter(s.parts[0])) is not None
        if any(is_softmax(n) for part in s.parts[1:] for n in walk(part))
    }

    def change(node: Expression) -> Expression:
        if not isinstance(node, Product) or node.operator not in ("", "·"):
            return node
        before, label = _last_apart(node.left)
        if not isinstance(label, Symbol) or label.name in softmaxes:
            return node
        predicted = _under_logarithm(node.right)
        if predicted is None or predicted.name not in softmaxes or label.time != predicted.time:
            return node
        one, other = shapes.get(label.name), shapes.get(predicted.name)
        if one is not None and other is not None and one != other:
            return node
        dot = Call("inner", (label, node.right), latex="⟨", span=node.span)
        return dot if before is None else replace(node, left=before, right=dot)

    return tuple(s.transformed(change) if _is_about_a_loss(s) else s for s in statements)


def _last_apart(e: Expression) -> tuple[Expression | None, Expression]:
    """What is before the last factor of a product, and that factor."""
    if isinstance(e, Product) and e.operator in ("", "·"):
        return e.left, e.right
    return None, e


def _under_logarithm(e: Expression) -> Symbol | None:
    """The letter ŷ of ln ŷ."""
    argument = e.arguments[0] if isinstance(e, Call) and e.function == "ln" else None
    return argument if isinstance(argument, Symbol) else None


def _is_about_a_loss(s: Statement) -> bool:
    letter = defined_letter(s.parts[0])
    return letter is not None and is_called_a_loss(letter.name)
