"""Letters over whose values the sums of a page run: x of Σ_x p(x) f(x), which is no index of entries.

A distribution that the page samples from and does not define, x ~ p(x), is any that sums to 1: e^{u(x)} / Σ_y e^{u(y)}.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from elman.calculus.expression import Apply, BigSum, Call, Entry, Expression, Index, Product, Symbol
from elman.notes.model.page_model import Statement

_SAMPLED = re.compile(r"(?:\\sim|~|∼)\s*\Z")
_BETWEEN = r"(?:[,;|]|\\(?:mid|vert)(?![A-Za-z]))"


def running_values(statements: Sequence[Statement]) -> frozenset[str]:
    """Such letters, and those without a prime: of Σ_{x'} p(x') both x' and x."""
    nodes = [n for s in statements for n in s.nodes()]
    indices = {i.variable for n in nodes if isinstance(n, Entry) for i in n.indices}
    indices |= {n.time.variable for n in nodes if isinstance(n, Symbol) and n.time is not None}
    found = {name for s in statements for name in _running(s)}
    plain = {name.rstrip("'") for name in found}
    return frozenset(name for name in found | plain if not indices & {name, name.rstrip("'"), f"{name}'"})


def with_distributions(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements with such distributions as functions that sum to 1."""
    names = {n.name for s in statements for n in s.nodes() if isinstance(n, Apply) and _is_sampled(n, s.formula.text)}
    if not names:
        return tuple(statements)

    def change(node: Expression) -> Expression:
        return _normalised(node) if isinstance(node, Apply) and node.name in names and not node.primes else node

    return tuple(s.transformed(change) for s in statements)


def value_of(e: Apply) -> Symbol | None:
    """The argument x of p_w(x) that is one of the values of which sums run over x; None where there is none."""
    letters = (a for a in e.arguments if isinstance(a, Symbol))
    return next((a for a in letters if a.time is not None and str(a.time.variable).rstrip("'") == a.name), None)


def _is_sampled(e: Apply, text: str) -> bool:
    """Whether p(x) is written behind a ~, as what x is drawn from."""
    return value_of(e) is not None and _SAMPLED.search(text, 0, e.span[0]) is not None


def _normalised(e: Apply) -> Expression:
    value = value_of(e)
    if value is None or value.time is None:
        return e
    other = replace(value, time=Index(f"{value.time.variable}''"))
    arguments = tuple(other if a == value else a for a in e.arguments)
    own, total = Call("exp", (e,)), Call("exp", (replace(e, arguments=arguments),))
    return Product(own, BigSum(str(other.time), total), "/", span=e.span)


def _running(s: Statement) -> Iterator[str]:
    """What the sums of a statement run over that has no bounds and is an argument in them."""
    for node in s.nodes():
        if not isinstance(node, BigSum) or node.lower is not None or not node.index:
            continue
        text = s.formula.text[slice(*node.span)]
        letter = re.escape(node.index) if len(node.index.rstrip("'")) == 1 else re.escape("\\" + node.index)
        if re.search(rf"(?:\(|{_BETWEEN})\s*{letter}\s*(?=\)|{_BETWEEN})", text):
            yield node.index
