"""Doubts about indices and sums: an equation of one entry, one example or one case, a sum that leaves one out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from elman.calculus.expression import (
    BigProduct,
    BigSum,
    Call,
    Derivative,
    Entry,
    Expression,
    Index,
    Iverson,
    Power,
    Product,
    Symbol,
    base_of,
    children,
    has_derivative,
    symbols,
    transform,
    walk,
    with_children,
)
from elman.calculus.printing.render import text
from elman.calculus.syntax.names import fold
from elman.notes.judge.checker import Checker
from elman.notes.judge.judgement import Judgement
from elman.notes.model.page_model import (
    Definition,
    PageModel,
    everything_in,
    free_indices,
    free_times,
    names_in,
)
from elman.notes.oracle.agreement import agreement
from elman.notes.page.page import SUPPLIED
from elman.notes.repair.edits import over_other_indices
from elman.notes.repair.explanation import Explanation

OR = re.compile(r"\{\s*or\s*\}|或")  # one equation or the other
_ONE_EXAMPLE = re.compile(
    r"\b(?:for|of|on|with|consider\w*|take|using)\s+(?:just\s+|only\s+)?(?:one|an?|each|every)\s+(?:single\s+)?(?:training\s+)?"
    r"(?:example|sample|instance|data\s*point|observation)\b|(?:单个|一个|单一|每个|某个)(?:训练)?(?:样本|样例)",
    re.I,
)


def _sizes_of(entry: Entry, index: str, model: PageModel) -> Iterator[str]:
    """The declared sizes over which an index runs in an entry; empty where none is declared."""
    letter = entry.of.name if isinstance(entry.of, Symbol) else ""
    if letter in model.families:
        return
    shape = model.shapes.get(letter, ("",) * len(entry.indices))
    yield from (size for place, size in zip(entry.indices, shape, strict=False) if place.variable == index)


def runs_to_another_size(checker: Checker, e: Explanation) -> str:
    """Σ_{k=0}^{K-1} a_ik, where a is declared as [M,n] and nothing in the sum has K entries: K may be n, or a slip."""
    model = checker.model
    totals = [
        n
        for n in everything_in(model, (e.judgement.left, e.judgement.expression))
        if isinstance(n, BigSum | BigProduct)
    ]
    running = {total.index for total in totals}  # i of Σ_i Σ_{j=1}^{i-1} is no size
    for total in totals:
        if total.upper is None or total.upper.variable is None or total.upper.variable in running:
            continue
        upper = model.bounds.get(total.upper.variable, total.upper.variable)
        sizes = {
            size
            for entry in walk(total.body)
            if isinstance(entry, Entry)
            for size in _sizes_of(entry, total.index, model)
        }
        if not all(sizes):
            continue
        if sizes and fold(upper) not in map(fold, sizes):
            return f"whether {min(sizes)} is {upper} is not known: write one of the two in all shapes"
    return ""


def size_on_one_side(checker: Checker, e: Explanation) -> str:
    """m_1 / φ - m_2 / (1 - φ), where nothing on the left side has m_1 terms or entries: it counts something unread."""
    j = e.judgement
    if j.result.error is not None or checker.declares_shapes(j):
        return ""
    model, sizes = checker.model, checker.sampling.sizes()
    known = set[str]()
    for node in everything_in(model, [j.left]):
        if isinstance(node, Symbol):
            known |= {node.name, *model.shapes.get(node.name, ()), *model.derived.get(node.name, ())}
        elif isinstance(node, BigSum | BigProduct) and node.upper is not None and node.upper.variable:
            known.add(node.upper.variable)
    known |= {model.bounds[name] for name in known if name in model.bounds}
    for node in walk(j.expression):
        if not isinstance(node, Symbol) or node.name not in sizes:
            continue
        if {node.name, model.bounds.get(node.name)}.isdisjoint(known):
            return f"one side alone depends on {text(node)}, which counts nothing on the other: write what it is"
    return ""


def one_of_several(checker: Checker, e: Explanation) -> str:
    """`= y - 1 \\text{ or } y - 0`: each side of "or" may hold in a case of its own."""
    j = e.judgement
    start, end = j.statement.region(j.part)
    written = j.statement.formula.text
    first, last = max(written.rfind(r"\\", 0, start), 0), written.find(r"\\", end)
    row = written[first : last if last >= 0 else len(written)]
    if j.result.error is not None or OR.search(row) is None:
        return ""
    return "it may be about one of several cases, as it says “or”: say where each of them holds"


def index_of_one_entry(checker: Checker, e: Explanation) -> str:
    """An equation of one entry, E_i = -a_i b_i with nothing that binds i, says nothing of a sum over i; and it may mean
    that sum, as i occurs twice.
    """
    nodes = list(everything_in(checker.model, (e.judgement.left, e.judgement.expression)))
    summed = {n.index for n in nodes if isinstance(n, BigSum | BigProduct)}
    for name in sorted({n.name for n in nodes if isinstance(n, Symbol)}):
        for d in checker.model.equations.get(name, ()):
            letter = text(Symbol(name))
            if d.statement >= 0 and checker.model.statements[d.statement].formula.kind == SUPPLIED:
                continue  # said in words
            written = _arguments_of(checker, d)
            for index in sorted(free_indices(d.value) - set(d.indices)):
                if re.search(rf"(?<![A-Za-z\\]){index}(?![A-Za-z])", written):
                    continue  # P(X = o | Y = c), L(v_c, U): of one c, as it says
                if index in summed:
                    return f"the equation of {letter} is for one {index}: write that index behind its letter"
                if _occurrences(d.value, index) > 1:
                    return f"the equation of {letter} is for one {index}: write the sum if it is over all of them"
    return ""


def _arguments_of(checker: Checker, d: Definition) -> str:
    """What stands in parentheses on the left side of a definition, as the page writes it."""
    left = checker.model.statements[d.statement].source(0) if d.statement >= 0 else ""
    return left.partition("(")[2]


def _occurrences(e: Expression, index: str) -> int:
    return sum(isinstance(n, Entry) and any(i.variable == index for i in n.indices) for n in walk(e))


def sum_of_equal_terms(checker: Checker, e: Explanation) -> str:
    """Σ_{i=1}^m (y - t)^2 over examples: its letters are those of example i, although they do not say so. But
    Σ_j a_il is a slip where Σ_l a_il, of a claim that has no other l, makes it hold.
    """
    left, part = e.judgement.left, e.judgement.expression
    for node in everything_in(checker.model, (left, part)):
        if isinstance(node, BigSum) and symbols(node.body) and not _has_index(node.body, node.index):
            if any(_holds_with_sum(checker, e.judgement, node, other) for other in over_other_indices(node)):
                continue
            return f"no letter of the sum over {node.index} has this index: write it at those that it runs over"
    return ""


def _holds_with_sum(checker: Checker, j: Judgement, node: BigSum, other: BigSum) -> bool:
    """Whether a claim holds with another sum in place of one on its right side, and has one free index less."""
    part = transform(j.expression, lambda n: other if n == node else n)
    if not free_indices(part) < free_indices(j.expression):
        return False
    return all(agreement(o, j.left, part).plain for o in checker.sampling.oracles(j.statement))


def of_one_example(checker: Checker, e: Explanation) -> str:
    """ŷ - y where the loss is a mean over all examples: it is of one, where the words below the loss say so."""
    j = e.judgement
    of = j.left.of if isinstance(j.left, Derivative) else None
    if not isinstance(of, Symbol) or j.result.ratio is None:
        return ""
    for d in checker.model.equations.get(of.name, ()):
        if d.statement < 0 or not any(isinstance(n, BigSum | Call) for n in walk(d.value)):
            continue
        below = checker.model.statements[d.statement].formula.outer[1]
        if _ONE_EXAMPLE.search(checker.page.text, below, j.statement.formula.start):
            return f"it may be of one example, and {text(of)} is of all: write another letter for the loss of one"
    return ""


def summed_over_its_step(checker: Checker, e: Explanation) -> str:
    """∂J_t/∂W = Σ_t ∂J_t/∂W: J_t of the left side is the sum, of no step t. So it is in the rows below."""
    s = e.judgement.statement
    free = free_indices(s.parts[0]) | free_times(s.parts[0])
    for total in (part for part in s.parts[1:] if isinstance(part, BigSum)):
        if total.index in free and total.body == s.parts[0]:
            return f"{total.index} is bound by the sum: write the left side without it"
    return ""


def _has_index(e: Expression, index: str) -> bool:
    """Whether an expression has an index, at an entry, as a time step or as a letter."""
    return index in free_indices(e) | free_times(e) | {s.name for s in symbols(e)}


def total_of_all(checker: Checker, e: Explanation) -> str:
    """E^N = Σ_{n=1}^N … beside E^n, that of one example: E^N is the sum, and not that of example N."""
    left = e.judgement.left
    last = left.time.variable if isinstance(left, Symbol) and left.time is not None else None
    if isinstance(left, Power) and isinstance(left.of, Symbol) and isinstance(left.exponent, Symbol):
        last = left.exponent.name if left.of.name in checker.model.timed else None
    sums = (n for n in walk(e.judgement.expression) if isinstance(n, BigSum) and n.upper is not None)
    if last is None or not any(n.upper is not None and n.upper.variable == last for n in sums):
        return ""
    return f"{text(left)} is of all {last}, and elsewhere of one: write another letter for one of them"


def last_of_all(checker: Checker, e: Explanation) -> str:
    """1 - p_K = Σ_{k=1}^{K-1} p_k: p_K is the last of all, and not the one with any index K."""
    j = e.judgement
    ends = {n.upper.variable for n in walk(j.expression) if isinstance(n, BigSum) and n.upper is not None}
    for node in (n for part in (j.left, j.expression) for n in walk(part) if isinstance(n, Entry | Symbol)):
        below = {i.variable for i in node.indices} if isinstance(node, Entry) else {*node.name.split("_")[1:]}
        for index in sorted(str(end) for end in below & ends):
            return f"{text(node)} may be the last of all, as sums end at {index}: write another letter for one of them"
    return ""


def one_hot_entry(checker: Checker, e: Explanation) -> str:
    """Σ_w y_w ln ŷ_w = ln ŷ_o of a one-hot y holds for the o at which y is 1."""
    j = e.judgement
    if has_derivative(j.left, j.expression):
        return ""
    one_sided = free_indices(j.left) ^ free_indices(j.expression)
    for node in (n for part in (j.left, j.expression) for n in walk(part)):
        of = base_of(node)
        if isinstance(of, Symbol) and of.name in checker.page.one_hot and one_sided:
            return f"{text(of)} is one-hot, and this may be about the entry that is 1: say which it is"
    return ""


def one_apart_from_a_sum(checker: Checker, e: Explanation) -> str:
    """ln σ(u_o) + Σ_k ln σ(-u_k) by u_o: the k of the sum may be others than o, as negative samples are."""
    j, model = e.judgement, checker.model
    by = base_of(j.left.wrt) if isinstance(j.left, Derivative) else None
    if not isinstance(by, Symbol) or j.result.error is not None:
        return ""
    equations = [d.value for name in names_in(model, (j.left, j.expression)) for d in model.equations.get(name, ())]
    nodes = [n for part in (j.left, j.expression, *equations) for n in walk(part)]
    terms = [n for value in equations for n in _outside_functions(value)]
    ones = {n.indices[0].variable for n in nodes if isinstance(n, Entry) and n.of == by} & model.fixed
    for one in sorted(name for name in ones if name is not None):
        if any(isinstance(n, BigSum) and n.index == one for n in nodes):
            continue
        running = {n.index for n in terms if isinstance(n, BigSum) and _has_entry(n.body, by, n.index)}
        if running and _holds_apart(checker, j, by, one):
            return f"it holds where {one} is none of the {min(running)} of the sum: say so"
    return ""


def _outside_functions(e: Expression) -> Iterator[Expression]:
    """The nodes of an expression that are not within a function or a denominator: a sum that normalises has all
    entries.
    """
    yield e
    for child in _outer_children(e):
        yield from _outside_functions(child)


def _outer_children(e: Expression) -> tuple[Expression, ...]:
    """The children of an expression that are not within a function or a denominator."""
    if isinstance(e, Call | Power):
        return ()
    return children(e)[:1] if isinstance(e, Product) and e.operator == "/" else children(e)


def _holds_apart(checker: Checker, j: Judgement, letter: Symbol, one: str) -> bool:
    """Whether a claim holds where no outer sum over the entries of a letter has the entry `one`."""
    apart = _with_sums_apart(checker.model, letter, one)
    others = sorted(free_indices(j.left) - {one})
    conditions = tuple(Iverson(Index(i), Index(one), "≠") for i in others)
    left, right = (_apart(part, letter, one) for part in (j.left, j.expression))
    sampled = checker.sampling.oracles(j.statement)
    tried = (checker.oracles.new(apart, o.point, o.local, (*o.conditions, *conditions)) for o in sampled)
    return all(agreement(o, left, right).any for o in tried)


def _with_sums_apart(model: PageModel, letter: Symbol, one: str) -> PageModel:
    """The model with outer sums over entries of a letter that leave out the entry `one`."""

    def changed(d: Definition) -> Definition:
        return replace(d, value=_apart(d.value, letter, one))

    return replace(model, equations={name: tuple(map(changed, found)) for name, found in model.equations.items()})


def _apart(e: Expression, letter: Symbol, one: str) -> Expression:
    """An expression without the entry `one` in its sums over the entries of a letter; a sum within a function or a
    denominator has all entries.
    """
    kept = {id(child) for child in children(e)} - {id(child) for child in _outer_children(e)}
    changed = (child if id(child) in kept else _apart(child, letter, one) for child in children(e))
    e = with_children(e, tuple(changed))
    if not isinstance(e, BigSum) or not _has_entry(e.body, letter, e.index):
        return e
    return replace(e, body=Product(Iverson(Index(e.index), Index(one), "≠"), e.body))


def _has_entry(e: Expression, letter: Symbol, index: str) -> bool:
    """Whether an expression has an entry of a letter at an index."""
    return any(isinstance(n, Entry) and n.of == letter and Index(index) in n.indices for n in walk(e))
