"""The chain rule itself: ∂L/∂w = ∂L/∂y ∂y/∂h ∂h/∂w holds for any functions L(y), y(h) and h(w).

A page may state it of letters without equations: of a figure, or of a network that it describes in words. Such a claim
says itself how its letters depend on one another. It holds unless an equation of the page speaks of another way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

from elman.calculus.expression import (
    MATRIX_PRODUCTS,
    BigSum,
    Derivative,
    Expression,
    Symbol,
    base_of,
    factors_of,
    symbols,
)
from elman.calculus.matrix_form.sum_terms import summands
from elman.notes.model.page_model import PageModel, free_indices, letter_of
from elman.notes.model.unknown_losses import supplied_losses

_PRODUCTS = (*MATRIX_PRODUCTS, "∘")
_MOST_PATHS = 32
_RUNNING = frozenset("ijklmn")

Path = tuple[Expression, ...]
"""What is differentiated, what it is differentiated by, and so on to the last letter."""


def is_chain_rule(model: PageModel, left: Expression, part: Expression) -> bool:
    """Whether `left = part` is the chain rule: `part` is a chain of derivatives from what `left` differentiates to what
    it differentiates by, or a sum of such chains, one for each way; and no equation of the page has another way.
    """
    if not isinstance(left, Derivative) or left.at is not None:
        return False
    paths = [_path(term, left) for term in summands(part)]
    found = [path for path in paths if path is not None]
    if len(found) < len(paths) or all(len(path) == 2 for path in found) or len(set(found)) < len(found):
        return False
    steps: dict[Expression, list[Expression]] = {}
    for path in found:
        for above, below in pairwise(path):
            if below not in steps.setdefault(above, []):
                steps[above].append(below)
    if len(list(_ways(steps, left.of, left.wrt))) != len(found):
        return False  # a way from one chain into another is left out
    return all(_is_all(model, above, below, left.wrt) for above, below in steps.items())


def _path(term: Expression, left: Derivative) -> Path | None:
    """The letters of a chain, from the first to the last; None for a term that is no chain from the one to the other
    letter of `left`, or one with an index that neither a sum nor `left` has.
    """
    bound = set[str]()
    while isinstance(term, BigSum):
        bound.add(term.index)
        term = term.body
    factors = factors_of(term, _PRODUCTS)
    if not all(isinstance(f, Derivative) and f.at is None for f in factors):
        return None
    derivatives = [f for f in factors if isinstance(f, Derivative)]
    for chain in (derivatives, derivatives[::-1]):
        path = (chain[0].of, *(f.wrt for f in chain))
        joined = all(a.wrt == b.of for a, b in pairwise(chain))
        if joined and path[0] == left.of and path[-1] == left.wrt and _has_letters(path):
            between = set[str]().union(*(_indices(e) for e in path[1:-1]))
            given = _indices(left.of) | _indices(left.wrt)
            return path if between - given == bound else None
    return None


def _indices(e: Expression) -> set[str]:
    """The indices of an entry, and a letter below a name that is one on most pages: k of v_k."""
    letter = letter_of(e)
    label = letter.name.rpartition("_")[2] if letter is not None else ""
    return free_indices(e) | ({label} & _RUNNING if letter is not None and letter.name != label else set())


def _has_letters(path: Path) -> bool:
    """Whether a path is one of letters and entries, each another one."""
    letters = [base_of(e) for e in path]
    return all(isinstance(e, Symbol) for e in letters) and len(set(path)) == len(path)


def _ways(steps: Mapping[Expression, list[Expression]], start: Expression, end: Expression) -> Iterator[Path]:
    """The ways from one letter to another, `_MOST_PATHS` of them at most."""
    stack: list[Path] = [(start,)]
    count = 0
    while stack and count <= _MOST_PATHS:
        way = stack.pop()
        if way[-1] == end:
            count += 1
            yield way
        stack += [(*way, after) for after in steps.get(way[-1], ()) if after not in way]


def _is_all(model: PageModel, above: Expression, below: list[Expression], end: Expression) -> bool:
    """Whether a letter depends on the last one through the letters that its chains have behind it, and on each of
    these, as far as the page has an equation of it.
    """
    letter = base_of(above)
    assert isinstance(letter, Symbol)
    if letter.name in model.named or letter.name in model.roles.recurrent:
        return False
    behind = {e.name for e in map(base_of, below) if isinstance(e, Symbol)}
    last = base_of(end)
    assert isinstance(last, Symbol)
    unknown = supplied_losses(model)
    if letter.name not in model.equations or letter.name in unknown:
        # It may be a function of any letter that those behind it are not functions of.
        within = behind.union(*(_reached(model, name, set()) for name in behind))
        others = set(model.equations) - within - set(unknown)
        return not any(last.name in _reached(model, name, behind) - behind for name in others)
    reached = _reached(model, letter.name, behind)
    if last.name in reached - behind:
        return False
    return behind <= reached or not _is_closed(model, reached)


def _name(e: Expression) -> str:
    letter = letter_of(e)
    return "" if letter is None else letter.name


def _is_closed(model: PageModel, letters: set[str]) -> bool:
    """Whether the page says all that some letters depend on: it differentiates none of those without an equation, and
    no numbered part y_1 of any.
    """
    nodes = (node for s in model.own_statements() for node in s.nodes())
    differentiated = {_name(n.of) for n in nodes if isinstance(n, Derivative)}
    whole = {name.rpartition("_")[0] for name in differentiated if name.rpartition("_")[2].isdigit()}
    return letters.isdisjoint(differentiated - set(model.equations) | whole)


def _reached(model: PageModel, name: str, but: set[str]) -> set[str]:
    """The letters that the equations of a letter lead to, none of them through the letters `but`."""
    found, stack = set[str](), [name]
    while stack:
        for d in model.equations.get(stack.pop(), ()):
            for s in symbols(d.value):
                if s.name not in found:
                    found.add(s.name)
                    stack += [] if s.name in but else [s.name]
    return found
