"""The model of one claim: the definitions that it needs, the nearest ones, and nothing else of its page.

A derivative ∂u/∂v needs the equations on the paths from v to u. Every other letter may be anything: what holds then
holds on the page, too. The other models of a claim have the definitions of all its letters, and none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from itertools import chain

from elman.calculus.expression import (
    Apply,
    BigProduct,
    BigSum,
    Derivative,
    Expression,
    Index,
    Number,
    Symbol,
    shift_time,
    symbols,
    transform,
    walk,
)
from elman.notes.model.build import model_with
from elman.notes.model.definitions import Definitions, PageUse, definitions_of
from elman.notes.model.page_model import TIME, Definition, PageModel, Statement, free_times, letter_of
from elman.notes.model.roles import with_roles
from elman.notes.model.said_by_substitution import definitions_by_substitution
from elman.notes.model.said_by_the_way import definitions_within_chains
from elman.notes.model.stated_sizes import states_a_size
from elman.notes.model.unknown_losses import supplied_losses

Place = tuple[int, int]  # the number of a statement, and of a part in it, or -1
_LAST = Index("T")
_MOST_TRIED = 4  # definitions of one letter that are tried for a path


@dataclass(frozen=True, slots=True)
class SmallModel:
    """A model with one claim of a page, its last statement. `bare`: without definitions, for a claim whose letters are
    not those that the page defines: it differentiates what it writes out, and their definitions do not fit.
    """

    model: PageModel
    bare: bool = False
    reading: str = ""


class PageDefinitions:
    """All definitions of a page, whichever of them its model has; `model` is that of a section, its shapes not found
    yet. `said` are equations of losses that its model lacks.
    """

    def __init__(self, model: PageModel, said: Mapping[str, Definition] | None = None) -> None:
        self._model = model
        use = PageUse.of(model.statements)
        abbreviated = {(d.statement, d.part): d for found in model.equations.values() for d in found}
        self._equations: dict[str, list[Definition]] = {}
        self._named: dict[str, list[Definition]] = {}
        for s in model.statements:
            if states_a_size(s, model.said):
                continue
            found = definitions_of([s], use)
            for own, all_of in ((found.equations, self._equations), (found.named, self._named)):
                for name, definitions in own.items():
                    known = [abbreviated.get((d.statement, d.part), d) for d in definitions]
                    all_of.setdefault(name, []).extend(known)
        others = {*self._equations, *self._named}
        in_passing = (definitions_within_chains(s, others) for s in model.statements)
        for d in chain.from_iterable((*in_passing, *map(definitions_by_substitution, model.statements))):
            known = self._equations.setdefault(d.name, [])
            if d.time == _LAST:  # z^L = W^L a^(L-1) + b^L, of the last layer, says what any layer is
                d = replace(d, time=Index(TIME), value=shift_time(d.value, "T", Index(TIME)))
            if d not in known:
                known.append(d)
        for name in supplied_losses(model):  # what the section differentiates them by, they may depend on
            self._equations.setdefault(name, list(model.equations[name]))
        self._equations |= {name: [d] for name, d in (said or {}).items()}
        for name in self._named.keys() & self._equations.keys():  # of δ = ∂E/∂z, δ^l = W^T δ^(l+1) is a claim
            plain = [d for d in self._equations[name] if all(s.name != name for s in symbols(d.value))]
            self._equations[name] = plain

    def of_statement(self, number: int) -> PageDefinitions:
        """The definitions that one statement gives, whatever else the page says of the same letters."""
        found = copy(self)
        found._equations = {n: [d for d in of_name if d.statement == number] for n, of_name in self._equations.items()}
        found._named = {n: [d for d in of_name if d.statement == number] for n, of_name in self._named.items()}
        return found

    def equations(self, name: str, at: Place) -> list[Definition]:
        """The equations of a letter, the nearest before a place first."""
        return self._nearest(self._equations.get(name, []), at)

    def named(self, name: str, at: Place) -> list[Definition]:
        """The derivatives that a letter stands for, the nearest before a place first."""
        return self._nearest(self._named.get(name, []), at)

    def _nearest(self, found: Iterable[Definition], at: Place) -> list[Definition]:
        def distance(d: Definition) -> tuple[bool, bool, int]:
            return not self._model.has_own(d.statement), d.statement > at[0], abs(d.statement - at[0])

        return sorted((d for d in found if (d.statement, d.part) != at), key=distance)[:_MOST_TRIED]


def small_models(
    model: PageModel, definitions: PageDefinitions, claim: Statement, left: Expression, part: int, defines: bool
) -> Iterator[SmallModel]:
    """The models under which `left = part` of the statement `claim` is read by itself, the smallest first. Where the
    part does not define anything, it is not taken for a definition: it would hold by itself.
    """
    right = claim.parts[part]
    at = claim.number, -1 if defines else part
    seen: list[set[Place]] = []
    whole: PageModel | None = None
    for with_all in (False, True):
        chosen = _Chosen(definitions, at)
        chosen.add(left, right)
        if with_all:
            chosen.add_all(left, right)
        key = {(d.statement, d.part) for d in chosen.definitions()}
        if key not in seen:
            seen.append(key)
            whole = _model_of(model, chosen, claim, left, right)
            yield SmallModel(whole)
            yield from _in_examples(model, whole)
    if whole is not None and (one := _of_one_step(whole) or _of_one_example(whole)) is not None:
        yield SmallModel(one)
    elif whole is not None and _is_about_one_step(model) and (one := _of_one_step(whole, cut=True)) is not None:
        yield SmallModel(one, reading="of one step, what the step before gives it held fixed")
    yield from _of_its_own_definitions(model, definitions, claim, left, right, at, seen)
    if set() not in seen and _writes_out(left, right):
        yield SmallModel(_model_of(model, _Chosen(definitions, at), claim, left, right), bare=True)


def _of_its_own_definitions(
    model: PageModel,
    definitions: PageDefinitions,
    claim: Statement,
    left: Expression,
    right: Expression,
    at: Place,
    seen: Sequence[set[Place]],
) -> Iterator[SmallModel]:
    """The model with the definitions alone that the derivation of a claim states itself, where it states some."""
    chosen = _Chosen(definitions.of_statement(claim.number), at)
    chosen.add(left, right)
    key = {(d.statement, d.part) for d in chosen.definitions()}
    if not chosen.equations or key in seen:
        return
    own = _model_of(model, chosen, claim, left, right)
    yield SmallModel(own)
    if (one := _of_one_example(own)) is not None:
        yield SmallModel(one)


def _writes_out(*parts: Expression) -> bool:
    """Whether each derivative is of an expression that has what it is by."""
    derivatives = [n for part in parts for n in walk(part) if isinstance(n, Derivative)]
    letters = ((d, letter_of(d.wrt)) for d in derivatives)
    return bool(derivatives) and all(
        by is not None and not isinstance(d.of, Symbol) and by.name in {s.name for s in symbols(d.of)}
        for d, by in letters
    )


def _in_examples(model: PageModel, small: PageModel) -> Iterator[SmallModel]:
    """The model with an index that nothing binds at the value that an example of the page gives it, as the true class y
    of -ln p_y in "y = 2", counted from 1 or from 0.
    """
    for name, number in values_in_examples(model):
        if name in small.fixed:
            for at in range(max(number - 1, 0), number + 1):
                yield SmallModel(replace(small, fixed_at={name: at}), reading=f"entry {at + 1} is that of {name}")


def values_in_examples(model: PageModel) -> Iterator[tuple[str, int]]:
    """The letters that have a whole number within a line of the page, y = 2, with that number."""
    for s in model.statements:
        left, value = s.parts[0], s.parts[-1]
        if len(s.parts) != 2 or s.formula.kind != "inline":
            continue
        if isinstance(left, Symbol) and isinstance(value, Number) and value.value.denominator == 1:
            yield left.name, int(value.value)


class _Chosen:
    """The definitions that are chosen for a claim at this place."""

    def __init__(self, definitions: PageDefinitions, at: Place) -> None:
        self._all = definitions
        self._at = at
        self.equations: dict[str, Definition] = {}
        self.named: dict[str, Definition] = {}

    def definitions(self) -> Iterator[Definition]:
        """All that are chosen."""
        yield from self.equations.values()
        yield from self.named.values()

    def add(self, *parts: Expression) -> None:
        """Adds the derivatives that letters stand for, and the equations on the paths of all derivatives."""
        for name in dict.fromkeys(n.name for part in parts for n in walk(part) if isinstance(n, Symbol)):
            found = self._all.named(name, self._at)
            if found and not self._all.equations(name, self._at):
                self.named[name] = found[0]
        whole = [*parts, *(d.value for d in self.named.values())]
        derivatives = [n for part in whole for n in walk(part) if isinstance(n, Derivative)]
        by = dict.fromkeys(letter.name for d in derivatives for letter in [letter_of(d.wrt)] if letter is not None)
        names = dict.fromkeys(n.name for part in whole for n in walk(part) if isinstance(n, Symbol | Apply))
        for variable in by:
            reached: dict[str, bool] = {}
            for name in names:
                if name != variable:
                    self._reaches(name, variable, reached)

    def add_all(self, *parts: Expression) -> None:
        """Adds the equations of all letters, and of those in these."""
        stack = [*parts, *(d.value for d in self.definitions())]
        while stack:
            for node in walk(stack.pop()):
                if isinstance(node, Symbol) and node.name not in self.equations and node.name not in self.named:
                    found = self._all.equations(node.name, self._at)
                    if found:
                        self.equations[node.name] = found[0]
                        stack.append(found[0].value)

    def _reaches(self, name: str, variable: str, reached: dict[str, bool]) -> bool:
        """Whether a letter depends on another; its equations on the way are then chosen."""
        if name == variable:
            return True
        if name in reached:
            return reached[name]
        reached[name] = False
        known = self.equations.get(name)
        for d in [known] if known is not None else self._all.equations(name, self._at):
            inner = dict.fromkeys(n.name for n in walk(d.value) if isinstance(n, Symbol) and n.name != name)
            reaching = [other for other in inner if self._reaches(other, variable, reached)]
            if reaching:
                self.equations[name] = d
                reached[name] = True
                return True
        return False


def _model_of(model: PageModel, chosen: _Chosen, claim: Statement, left: Expression, right: Expression) -> PageModel:
    numbers = sorted({d.statement for d in chosen.definitions() if d.statement >= 0} - {claim.number})
    renumbered = {old: new for new, old in enumerate([*numbers, claim.number])}
    statements = [replace(model.statements[old], number=renumbered[old]) for old in numbers]
    relation = replace(claim.relation, parts=(left, right), operators=("=",), regions=claim.relation.regions[:2])
    statements.append(replace(claim, relation=relation, number=len(numbers), continued=None))

    def moved(d: Definition) -> Definition:
        return d if d.statement < 0 else replace(d, statement=renumbered[d.statement] if d.statement in numbers else -1)

    found = Definitions(
        {name: (moved(d),) for name, d in chosen.equations.items()},
        {name: (moved(d),) for name, d in chosen.named.items()},
        {},
    )
    own = frozenset((len(numbers),))
    small = model_with(replace(model, statements=tuple(statements), own=own), found)
    supplied = {name for name, d in chosen.equations.items() if d.statement < 0}
    return with_roles(replace(small, unknown=small.unknown | supplied))


def _is_about_one_step(model: PageModel) -> bool:
    """Whether a page derives the gradients of one step of what recurs: it has a step and the one before, no sum over
    steps, and no derivative between steps further apart.
    """
    nodes = [n for s in model.statements if len(s.parts) > 1 for n in s.nodes()]
    times = {n.time for n in nodes if isinstance(n, Symbol) and n.time is not None}
    if {(time.variable, time.offset) for time in times} != {(TIME, 0), (TIME, -1)} or model.start:
        return False
    return not any(
        (isinstance(n, BigSum | BigProduct) and n.index == TIME) or (isinstance(n, Derivative) and n.at is not None)
        for n in nodes
    )


def _of_one_example(model: PageModel) -> PageModel | None:
    """The model without steps, where all letters with one are of the same example k: ŷ^k is a letter, and E_k, without
    a step, is its loss. None where there are several steps, or no equation needs it.
    """
    parts = [part for s in model.statements for part in s.parts]
    defined = [d for found in model.equations.values() for d in found]
    parts += [d.value for d in defined]
    steps = {n.time for part in parts for n in walk(part) if isinstance(n, Symbol) and n.time is not None}
    if len(steps) != 1 or any(isinstance(n, Derivative) and n.at is not None for part in parts for n in walk(part)):
        return None
    (step,) = steps
    if (
        step.variable in (None, "T", TIME)
        or step.offset
        or not any(d.time is None and step.variable in free_times(d.value) for d in defined)
    ):
        return None
    return _without_steps(model, lambda s: replace(s, time=None))


def _of_one_step(model: PageModel, cut: bool = False) -> PageModel | None:
    """The model of one time step, where no letter of an earlier step has an equation, or with `cut` all of them lose
    it: h_(t-1) of a cell is a letter of its own. None where there is more to the time steps.
    """
    supplied = set(supplied_losses(model))
    defined = {n: found for table in (model.equations, model.named) for n, found in table.items() if n not in supplied}
    parts = [part for s in model.statements for part in s.parts]
    parts += [d.value for found in defined.values() for d in found]
    steps = {n.time for part in parts for n in walk(part) if isinstance(n, Symbol) and n.time is not None}
    if {step.offset for step in steps} != {0, -1} or len({step.variable for step in steps}) != 1:
        return None
    (variable,) = {step.variable for step in steps}
    for n in (n for part in parts for n in walk(part)):
        earlier = isinstance(n, Symbol) and n.time is not None and n.time.offset and n.name in defined
        if earlier and not cut:
            return None
        if (isinstance(n, Derivative) and n.at is not None) or (isinstance(n, BigSum) and n.index == variable):
            return None

    def alone(s: Symbol) -> Symbol:
        earlier = s.time is not None and s.time.offset
        name, latex = (f"{s.name}_before", f"{s.latex}_{{-1}}") if earlier else (s.name, s.latex)
        return replace(s, name=name, time=None, latex=latex)

    return _without_steps(model, alone)


def _without_steps(model: PageModel, alone: Callable[[Symbol], Symbol]) -> PageModel:
    """The model with a letter without steps, which `alone` gives, for each letter at a step."""
    supplied = set(supplied_losses(model))

    def change(node: Expression) -> Expression:
        return alone(node) if isinstance(node, Symbol) and node.time is not None else node

    def changed(d: Definition) -> Definition:
        value = d.value.body if d.name in supplied and isinstance(d.value, BigSum) else d.value
        return replace(d, time=None, value=transform(value, change))

    statements = tuple(s.transformed(change) for s in model.statements)
    found = Definitions(
        {name: tuple(map(changed, ds)) for name, ds in model.equations.items()},
        {name: tuple(map(changed, ds)) for name, ds in model.named.items()},
        {},
    )
    names = replace(model.names, timed=frozenset())
    one = model_with(replace(model, statements=statements, names=names, counts=frozenset()), found)
    return with_roles(replace(one, unknown=one.unknown | supplied))
