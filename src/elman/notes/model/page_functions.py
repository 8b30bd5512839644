"""Functions that a page defines by an equation, f(x) = x^2, and losses written with what they depend on, L(y, ŷ).

f(x) is the letter f, whose equation has the letter x; f(W x) is that equation with W x for x. A function of one letter
that is defined within a chain, y = f(x) = x^2, is its value everywhere, and one of an entry, y = f(z_i) = z_i - m, of
this entry. At the end of a chain, y = g(z) = f(x) says that f(x) is y. A function that the page never defines stays as
it is, but for a loss: L(y, ŷ) and L are one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import TypeGuard

from elman.calculus.expression import (
    Add,
    Apply,
    BigProduct,
    BigSum,
    Call,
    Derivative,
    Entry,
    Expression,
    Index,
    Negative,
    Number,
    Product,
    Subtract,
    Symbol,
    Transpose,
    base_of,
    children,
    has_derivative,
    shift_time,
    symbols,
    transform,
    walk,
    with_children,
)
from elman.calculus.shapes.kinds import usual_costs
from elman.notes.model.page_model import Statement, Unread, free_indices, free_times
from elman.notes.model.running_values import value_of
from elman.notes.model.statement_kinds import defined_letter, is_mention

_OTHER_INDICES = "jklpqrsuv"
_DEEPEST = 4  # functions within functions that are replaced by their equations


@dataclass(frozen=True, slots=True)
class _Function:
    """f(x) = value; `value` is None where the page gives the letter no plain value. `is_letter`: the letter f stands
    for f(x), as the left side of its equation. `is_exact`: nothing is known of f at any other arguments.
    `is_behind`: the value is not the first of its chain. `applied_to` are the letters to which the page applies it.
    """

    name: str
    parameters: tuple[Expression, ...]
    value: Expression | None
    is_letter: bool
    is_exact: bool = False
    is_behind: bool = False
    applied_to: frozenset[str] = frozenset()


def with_letters_for_functions(statements: Sequence[Statement], unread: Sequence[Unread] = ()) -> tuple[Statement, ...]:
    """The statements with every application of a function that the page defines replaced; `unread` are the parts of
    the page that are not read, as may be what a function is.
    """
    defined = {left.name for s in statements if (left := defined_letter(s.parts[0])) is not None}
    applied = _letters_applied_to(statements)
    functions = [
        replace(f, applied_to=applied.get(f.name, frozenset()))
        for s in reversed(statements)
        for f in _functions(s, defined)
    ]
    known = {f.name: f for f in functions if f.is_letter}
    first = _first_applications(statements)
    for name, s in _said_below(statements, defined):
        if name in first and first[name].number < s.number and first[name].formula.heading != s.formula.heading:
            known.pop(name, None)  # it is another function there
    ends = [f for s in statements if (f := _at_the_end(s)) is not None and all(f.name != g.name for g in functions)]
    functions += ends
    known |= {f.name: f for f in reversed(ends)}
    open_ends = {u.formula.start for u in unread}
    losses = _losses(statements) - {f.name for f in functions}
    losses |= {s.parts[0].name for s in statements if _is_of_example(s.parts[0])}
    if not functions and not losses:
        return tuple(statements)
    names = {f.name for f in functions} | {s.parts[0].name for s in statements if isinstance(s.parts[0], Symbol)}
    found = []
    for s in statements:
        own = {f.name: replace(f, applied_to=applied.get(f.name, frozenset())) for f in _functions(s, defined)}
        gone = set(_said_anew(s, known)) | set(own)
        known = {name: f for name, f in known.items() if name not in gone} | own  # the latest is the last
        last = s.parts[-1]
        if s.formula.start in open_ends and isinstance(last, Apply) and last.name in known:
            known = {name: f for name, f in known.items() if name != last.name}
        parts = (_replaced(part, known, losses, k == 0) for k, part in enumerate(_named(s, known, names)))
        found.append(s.with_parts(parts))
    return tuple(found)


def _first_applications(statements: Sequence[Statement]) -> dict[str, Statement]:
    """By its name, the first statement that applies each function."""
    found: dict[str, Statement] = {}
    for s in statements:
        for name in {n.name for n in s.nodes() if isinstance(n, Apply)}:
            found.setdefault(name, s)
    return found


def _said_below(statements: Sequence[Statement], defined: Collection[str]) -> Iterator[tuple[str, Statement]]:
    """The functions that the page first defines within a line, each with this statement."""
    seen = set[str]()
    for s in statements:
        for f in _functions(s, defined):
            if f.name not in seen and s.formula.is_within_text:
                yield f.name, s
            seen.add(f.name)


def _letters_applied_to(statements: Sequence[Statement]) -> dict[str, frozenset[str]]:
    """By its name, the letters y to which each function is applied, c(y)."""
    found: dict[str, set[str]] = {}
    for node in (n for s in statements for n in s.nodes()):
        if isinstance(node, Apply) and len(node.arguments) == 1 and isinstance(node.arguments[0], Symbol):
            found.setdefault(node.name, set()).add(node.arguments[0].name)
    return {name: frozenset(letters) for name, letters in found.items()}


def _named(s: Statement, known: dict[str, _Function], names: Collection[str]) -> tuple[Expression, ...]:
    """The parts of a statement, with J(v, o, U) called J_softmax, where that is the latest function of these arguments
    whose name begins so, and the page defines no J itself.
    """

    def change(node: Expression) -> Expression:
        if not isinstance(node, Apply) or len(node.arguments) < 2 or node.name in names:
            return node
        labelled = (f for f in reversed(known.values()) if f.name.startswith(f"{node.name}_") and f.is_letter)
        same = next((f for f in labelled if f.parameters == node.arguments), None)
        return node if same is None else replace(node, name=same.name)

    return tuple(transform(part, change) for part in s.parts)


def _functions(s: Statement, defined: Collection[str]) -> Iterator[_Function]:
    """The functions that a statement defines: f of f(x, y) = …, and f of y = f(x) = x^2. Of the latter, only f(x)
    itself is known where it has several arguments, or where the page defines another letter of the value, which may
    depend on x.
    """
    equal = [operator in ("=", ":=") for operator in s.relation.operators]
    for k, (left, value) in enumerate(pairwise(s.parts)):
        if not isinstance(left, Apply) or left.primes or not equal[k] or (k and not equal[k - 1]):
            continue
        if (own := value_of(left)) is not None and own not in symbols(value):
            continue  # p(x) = p(y) p(z), where x is the pair of y and z
        value = _differentiated(left, value, defined) or value
        behind = _with_parameters(left, s.parts[1:], s.relation.operators[1:]) if k == 0 else None
        value = behind or value
        entries = k > 0 or len(left.arguments) > 1  # J(v_c, o, U) depends on one column v_c of V
        if not all(isinstance(a, Symbol) or (entries and isinstance(a, Entry)) for a in left.arguments):
            continue
        plain = not any(
            isinstance(n, Derivative) or (isinstance(n, Apply) and n.name == left.name) for n in walk(value)
        )
        others = {n.name for n in symbols(value)} - {n.name for n in symbols(left)}
        if k == 0 or (plain and {*left.arguments} <= {*walk(value)}):
            is_exact = k > 0 and (len(left.arguments) > 1 or not others.isdisjoint(defined))
            yield _Function(left.name, left.arguments, value if plain else None, k == 0, is_exact, behind is not None)


def _with_parameters(left: Apply, values: Sequence[Expression], operators: Sequence[str]) -> Expression | None:
    """What f is in f(x) = s = x^2, where s, the letter for it, is first; None where the first value has the parameters,
    or none has them.
    """
    own = set(symbols(left))
    if not own or not own.isdisjoint(symbols(values[0])):
        return None
    equal = (value for value, operator in zip(values[1:], operators, strict=False) if operator in ("=", ":="))
    found = next((value for value in equal if own <= set(symbols(value))), None)
    return None if found is None or has_derivative(found) else found


def _at_the_end(s: Statement) -> _Function | None:
    """The function f of y = g(z) = f(x); None for any other statement."""
    *before, last = s.parts
    equal = all(operator in ("=", ":=") for operator in s.relation.operators)
    if len(before) < 2 or not equal or not isinstance(last, Apply) or not isinstance(before[0], Symbol):
        return None
    return None if last.primes else _Function(last.name, last.arguments, before[0], is_letter=False, is_exact=True)


def _said_anew(s: Statement, known: Mapping[str, _Function]) -> Iterator[str]:
    """The functions f of y = f(x) = x + c within a chain that are something else there than was said above: the page
    gives the name to one function after the other.
    """
    equal = [operator in ("=", ":=") for operator in s.relation.operators]
    for k, (left, value) in enumerate(pairwise(s.parts)):
        if not (k and equal[k] and equal[k - 1] and isinstance(left, Apply) and left.name in known):
            continue
        if not {*left.arguments}.isdisjoint(walk(value)) and _replaced(left, known, set(), False) != value:
            yield left.name


def _differentiated(left: Apply, value: Expression, defined: Collection[str]) -> Expression | None:
    """What f is where a page says f(x) = ∂g(x)/∂x, or ∂ ln g(x)/∂x, of a function g without an equation: g'(x), or
    g'(x) / g(x); None for anything else.
    """
    if not isinstance(value, Derivative) or left.arguments != (value.wrt,):
        return None
    logarithm = isinstance(value.of, Call) and value.of.function == "ln" and not value.of.primes
    of = value.of.arguments[0] if isinstance(value.of, Call) and logarithm else value.of
    if not isinstance(of, Apply) or of.arguments != left.arguments or of.name in {*defined, left.name}:
        return None
    slope = replace(of, primes=of.primes + 1)
    return Product(slope, of, "/", span=value.span) if logarithm else slope


def _losses(statements: Sequence[Statement]) -> set[str]:
    """Functions of letters that are differentiated, or that stand without arguments elsewhere: L(y, ŷ)."""
    found, plain, other = set[str](), set[str](), set[str]()
    for part in (part for s in statements if not is_mention(s) for part in s.parts):
        for node in walk(part):
            if isinstance(node, Derivative) and isinstance(node.of, Apply):
                found.add(node.of.name)
            if isinstance(node, Symbol):
                plain.add(node.name)
            if isinstance(node, Apply) and not (all(isinstance(a, Symbol) for a in node.arguments) and not node.primes):
                other.add(node.name)
            if isinstance(node, Apply) and value_of(node) is not None:
                other.add(node.name)  # p_w(x), of which sums run over x
    other -= _always_differentiated(statements)
    applied = {n.name for s in statements for n in s.nodes() if isinstance(n, Apply)}
    return (found | (plain & applied)) - other - (_within_chains(statements) - plain)


def _always_differentiated(statements: Sequence[Statement]) -> set[str]:
    """The functions f of ∂f(A)/∂A and ∂f(c_kl)/∂c_pq that stand nowhere but where they are differentiated, by several
    letters: what such letters lead to, a loss.
    """
    by, elsewhere = dict[str, set[Expression]](), set[str]()
    for part in (part for s in statements for part in s.parts):
        inside = set[int]()
        for node in walk(part):
            of = node.of if isinstance(node, Derivative) else None
            letter = _letter_in(of.arguments[0]) if isinstance(of, Apply) and len(of.arguments) == 1 else None
            if isinstance(node, Derivative) and isinstance(of, Apply) and letter is not None and not of.primes:
                by.setdefault(of.name, set()).add(base_of(node.wrt))
                inside.add(id(of))
            elif (isinstance(node, Apply) and id(node) not in inside) or isinstance(node, Symbol):
                elsewhere.add(node.name)
    return {name for name, letters in by.items() if len(letters) > 1} - elsewhere


def _letter_in(e: Expression) -> Symbol | None:
    """The letter of A, A^T or a_kl; None for anything else."""
    letter = base_of(e.of if isinstance(e, Transpose) else e)
    return letter if isinstance(letter, Symbol) else None


def _within_chains(statements: Sequence[Statement]) -> set[str]:
    """The functions of which the page says what they are within a chain: p of y = p(u, w) = u / w."""
    return {
        part.name
        for s in statements
        for part in s.parts[1:-1]
        if isinstance(part, Apply) and not any(n.name == part.name for n in symbols(s.parts[0]))
    }


def _replaced(
    e: Expression, known: Mapping[str, _Function], losses: set[str], is_left: bool, depth: int = 0
) -> Expression:
    def change(node: Expression) -> Expression:
        if isinstance(node, Derivative):
            return _by_another_letter(node, known)
        if not isinstance(node, Apply):
            return node
        letter = Symbol(node.name, _step_of(node), node.latex or node.name, span=node.span)
        if node.name in losses:
            return _of_example(node, letter)
        function = known.get(node.name)
        if function is None:
            return node
        usual = _usual_name(function) if node.primes and node.arguments != function.parameters else None
        if usual is not None:
            return Call(usual, node.arguments, node.primes, latex=node.latex, span=node.span)
        if function.is_letter and (node.arguments == function.parameters or (is_left and node is e)):
            return _derivative(letter, function, node.primes) or node
        if node.primes or function.value is None or depth >= _DEEPEST:
            return node
        if node.arguments == function.parameters:
            return replace(_replaced(function.value, known, losses, False, depth + 1), span=node.span)
        if function.is_exact or _is_of_numbers(function, node.arguments[0]):
            return node
        within = dict(zip(function.parameters, node.arguments, strict=False))
        if len(node.arguments) != len(function.parameters) or not all(isinstance(p, Symbol) for p in within):
            return node
        value = _applied(_with_other_indices(function.value, node.arguments), within)
        return replace(_replaced(value, known, losses, False, depth + 1), span=node.span)

    return transform(e, change)


def _applied(e: Expression, within: Mapping[Expression, Expression]) -> Expression:
    """An expression with the arguments of a function in place of its parameters. Where g is applied to x_i, one of
    several x, the x_j in its value are the others.
    """
    if isinstance(e, Symbol):
        return within.get(e, e)
    if isinstance(e, Entry) and e.of in within and base_of(within[e.of]) == e.of != within[e.of]:
        return e
    return with_children(e, tuple(_applied(child, within) for child in children(e)))


def _with_other_indices(value: Expression, arguments: Sequence[Expression]) -> Expression:
    """The value of a function whose sums run over other indices than those of its arguments: g(x_i) of g(x) = Σ_i a_i x
    is Σ_j a_j x_i.
    """
    taken = {name for a in arguments for name in (*free_indices(a), *free_times(a))}

    def change(node: Expression) -> Expression:
        if not isinstance(node, BigSum | BigProduct) or node.index not in taken:
            return node
        used = taken | {n.index for n in walk(value) if isinstance(n, BigSum | BigProduct)} | free_indices(node)
        index = next((name for name in _OTHER_INDICES if name not in used), node.index)
        return replace(node, index=index, body=shift_time(node.body, node.index, Index(index)))

    return transform(value, change)


def _by_another_letter(node: Derivative, known: Mapping[str, _Function]) -> Derivative:
    """∂c/∂y of the function c(x) = x^2 as that of c(y); the derivative as it is where the letter c stands for c(x)."""
    f = known.get(node.of.name) if isinstance(node.of, Symbol) and node.of.time is None else None
    by = base_of(node.wrt)
    if (
        not isinstance(node.of, Symbol)
        or f is None
        or f.value is None
        or len(f.parameters) != 1
        or not isinstance(by, Symbol)
        or node.at is not None
    ):
        return node
    (x,) = f.parameters
    if not isinstance(x, Symbol) or by in symbols(f.value) - {x} or (by == x and not f.is_behind):
        return node
    if by != x and by.name not in f.applied_to:
        return node
    if _is_of_numbers(f, by):
        return replace(node, of=Apply(f.name, (by,), latex=node.of.latex, span=node.of.span))
    return replace(node, of=transform(f.value, lambda n: by if n == x else n))


def _is_of_numbers(f: _Function, argument: Expression) -> bool:
    """Whether c(x), of a small letter, is another function than c(R) = (R^T R)^{-1/2}: that of numbers."""
    (x, *_), of_vector = f.parameters, any(isinstance(n, Transpose) for n in walk(f.value or argument))
    if not of_vector or not isinstance(x, Symbol) or not isinstance(argument, Symbol):
        return False
    return usual_costs(x.name)["matrix"] == 0 and usual_costs(argument.name)["matrix"] > 0


def _usual_name(f: _Function) -> str | None:
    """The function σ or tanh of every entry that a page writes out as f(z) = 1 / (1 + e^{-z}); None for any other."""
    if len(f.parameters) != 1 or f.value is None:
        return None
    (z,) = f.parameters
    up, down = Call("exp", (z,)), Call("exp", (Negative(z),))
    one = Number(Fraction(1))
    if f.value in (Product(one, Add(one, down), "/"), Product(up, Add(one, up), "/"), Product(up, Add(up, one), "/")):
        return "sigmoid"
    return "tanh" if f.value == Product(Subtract(up, down), Add(up, down), "/") else None


def _step_of(node: Apply) -> Index | None:
    """The step k of g(z^(k)), whose letter is g^(k), and the value of which sums run; None of any other function."""
    if (value := value_of(node)) is not None:
        return value.time
    (only, *others) = node.arguments
    return only.time if isinstance(only, Symbol) and not others else None


def _is_of_example(e: Expression) -> TypeGuard[Apply]:
    """Whether this is L(y_i, ŷ_i)."""
    return isinstance(e, Apply) and not e.primes and isinstance(_of_example(e, Symbol(e.name)), Entry)


def _of_example(node: Apply, letter: Symbol) -> Expression:
    """L(y, ŷ) as L, and L(y_i, ŷ_i), the loss of an example, as its entry L_i."""
    indices = {a.indices if isinstance(a, Entry) else () for a in node.arguments}
    first = next(iter(indices), ())
    if len(node.arguments) == 1 or len(indices) > 1 or len(first) != 1 or first[0].variable is None or first[0].offset:
        return letter
    return Entry(replace(letter, span=(0, 0)), first, span=node.span)


def _derivative(letter: Symbol, function: _Function, primes: int) -> Expression | None:
    """f'(x) as ∂f/∂x; None where f has several arguments."""
    if primes == 0:
        return letter
    if primes > 1 or len(function.parameters) != 1:
        return None
    return Derivative(letter, function.parameters[0], span=letter.span)
