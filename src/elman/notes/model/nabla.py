"""∇ without a letter below it: by what the text says ("the gradient with respect to X"), else by the one letter by
which the page differentiates; in ∇f(w) by w, not by a step w^(k) of it, and in g(x) = ∇f(x) by x.
Where an equation says ∇W = ∂J/∂W, ∇b is ∂J/∂b.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from elman.calculus.expression import Apply, Derivative, Entry, Expression, Symbol, symbols, transform
from elman.errors import FormulaError
from elman.notes.model.page_model import Statement, Unread

_BY = re.compile(
    r"(?:gradient|derivative|nabla|differentiat\w+|梯度|导数|求导).{0,80}?"
    r"(?:with respect to|w\.?\s?r\.?\s?t\.?|by|关于|对)\W*(?:the\s+)?(?:\w+\s*)?$",
    re.IGNORECASE,
)
_OPEN = Symbol("")
_WHY = "∇ needs below it the symbol by which to differentiate: ∇_W J"


def with_gradients_by(statements: Sequence[Statement]) -> tuple[tuple[Statement, ...], tuple[Unread, ...]]:
    """The statements with a letter for every bare ∇, numbered anew; and those for which none was found."""
    if not any(_is_open(n) for s in statements for n in s.nodes()):
        return tuple(statements), ()
    of = next((loss for s in statements if (loss := _differentiated_by_what_follows(s)) is not None), None)
    if of is not None:
        statements = [s.transformed(lambda node: _of_loss(node, of)) for s in statements]
    derivatives = [n for s in statements for n in s.nodes() if isinstance(n, Derivative)]
    others = {n.wrt for n in derivatives if isinstance(n.wrt, Symbol) and n.wrt != _OPEN}
    by = next(iter(others)) if len(others) == 1 else None
    kept: list[Statement] = []
    unread: list[Unread] = []
    for s in statements:
        said = s.parts[0] if len(s.parts) == 1 and s.formula.kind == "inline" else None
        if isinstance(said, Symbol) and _BY.search(s.formula.before):
            by = said
        found = _own_argument(s) or by or _argument_of(s, statements) or _only_letter(s)
        if not any(map(_is_open, s.nodes())):
            kept.append(replace(s, number=len(kept)))
        elif found is None:
            span = s.region(0)[0], s.region(len(s.parts) - 1)[1]
            unread.append(Unread(s.formula, FormulaError(_WHY, span[0] + 1), span))
        else:
            changed = s.with_parts(_by(part, found) for part in s.parts)
            kept.append(replace(changed, number=len(kept)))
    return tuple(kept), tuple(unread)


def _differentiated_by_what_follows(s: Statement) -> Symbol | Apply | None:
    """The loss J of ∇W = ∂J/∂W; None for any other equation."""
    left = s.parts[0]
    if not s.is_equation or not isinstance(left, Derivative) or not _is_open(left):
        return None
    found = (part.of for part in s.parts[1:] if isinstance(part, Derivative) and part.wrt == left.of)
    return next((of for of in found if isinstance(of, Symbol | Apply)), None)


def _of_loss(node: Expression, loss: Symbol | Apply) -> Expression:
    """∇b as ∂J/∂b, where ∇ is that of the loss J."""
    if not isinstance(node, Derivative) or not _is_open(node) or not isinstance(node.of, Symbol | Entry):
        return node
    return replace(node, of=replace(loss, span=(0, 0)), wrt=node.of) if node.of != loss else node


def _is_open(e: Expression) -> bool:
    return isinstance(e, Derivative) and e.wrt == _OPEN


def _own_argument(s: Statement) -> Symbol | None:
    """The letter x of g(x) = ∇f(x), which says what the gradient g of f is at any x."""
    left, *others = s.parts
    if not isinstance(left, Apply) or left.primes or len(left.arguments) != 1:
        return None
    (x,) = left.arguments
    of = [part.of for part in others if isinstance(part, Derivative) and _is_open(part)]
    same = all(isinstance(f, Apply) and f.arguments == left.arguments for f in of)
    return x if of and same and isinstance(x, Symbol) else None


def _only_letter(s: Statement) -> Expression | None:
    """The one letter of what is differentiated."""
    found = {x for n in s.nodes() if _is_open(n) and isinstance(n, Derivative) for x in symbols(n.of)}
    return found.pop() if len(found) == 1 else None


def _argument_of(s: Statement, statements: Sequence[Statement]) -> Expression | None:
    """The one letter on which the page says that the function f of ∇f depends: A of f(A) = …"""
    names = {n.of.name for n in s.nodes() if isinstance(n, Derivative) and _is_open(n) and isinstance(n.of, Symbol)}
    left = (other.parts[0] for other in statements if len(other.parts) > 1)
    arguments = {n.arguments for n in left if isinstance(n, Apply) and n.name in names and not n.primes}
    if len(arguments) != 1 or len(names) != 1:
        return None
    first, *others = arguments.pop()
    return first if isinstance(first, Symbol) and not others else None


def _by(e: Expression, letter: Expression) -> Expression:
    def change(node: Expression) -> Expression:
        if not isinstance(node, Derivative) or node.wrt != _OPEN:
            return node
        return replace(node, wrt=_without_step(letter, node.of))

    return transform(e, change)


def _without_step(letter: Expression, of: Expression) -> Expression:
    """The letter w for a step w^(k) of it, where what is differentiated has w and no step of it: ∇f(w)."""
    if not isinstance(letter, Symbol) or letter.time is None:
        return letter
    steps = {s.time for s in symbols(of) if s.name == letter.name}
    return replace(letter, time=None) if steps == {None} else letter
