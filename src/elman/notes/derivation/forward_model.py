"""The forward equations of a page, with its loss, as `gradients` takes them; what is not derived is refused by line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from elman.calculus.expression import Call, Derivative, Expression, Index, Symbol, shift_time, symbols, transform, walk
from elman.calculus.forward_equations import Equation, EquationError, ForwardModel
from elman.calculus.printing.render import latex
from elman.calculus.shapes.inference import SCALAR, infer
from elman.errors import FormulaError
from elman.notes.derivation.entries import BY_ENTRIES, defined_by_entries
from elman.notes.derivation.losses import Loss, loss_name, loss_of
from elman.notes.derivation.unread import check_is_read, set_aside
from elman.notes.judge.checker import Checker
from elman.notes.model.page_model import TIME, PageModel, Statement
from elman.notes.oracle.evaluation_point import HORIZON, CycleError
from elman.notes.oracle.softmax_axis import WORDS


def forward_model(checker: Checker, layout: str) -> tuple[ForwardModel, list[str]]:
    """The forward equations that the loss of a page depends on, and sentences about how the page was read; `layout` as
    in `ForwardModel`.

    Raises `FormulaError`, with the line where there is one, if the page has no one loss, if an equation that the loss
    depends on is not read, or if the loss has no value.
    """
    model = checker.model
    if model.families:
        raise FormulaError(f"families of columns ({', '.join(sorted(model.families))}) are not derived: write a matrix")
    name = loss_name(model)
    equations = {e.left.name: e for e in _equations(model, name, checker.sampling.softmax_axis)}
    used = {s.name for e in equations.values() for s in (e.left, *symbols(e.right))}
    check_is_read(model, name, used)
    _check_entries(model, used)
    _check_has_value(checker, equations, name)
    sizes = dict.fromkeys((*checker.sampling.sizes(), "T"), SCALAR)
    loss = loss_of(equations.pop(name), _total(model, name), {*used, *model.shapes, *sizes})
    if loss.equation.left.name in equations:  # L = Σ_t J^(t): the loss that is derived is the J^(t) of the page
        loss = replace(loss, equation=equations.pop(loss.equation.left.name))
    forward = ForwardModel(
        equations=(*equations.values(), loss.equation),
        shapes={**sizes, **model.derived, **model.shapes, loss.equation.left.name: SCALAR},
        loss=loss.equation.left,
        errors=dict(_errors(model, layout)),
        distributions=model.roles.targets,
        axis=checker.sampling.softmax_axis or 0,
        layout=layout,
        earlier=_earlier_step(model),
        total=loss.total,
    )
    return forward, list(_remarks(checker, loss, used))


def _remarks(checker: Checker, loss: Loss, used: set[str]) -> Iterator[str]:
    """How the page was read, where it could be read in other ways too."""
    model, axis = checker.model, checker.sampling.softmax_axis
    if axis is not None:
        yield f"The softmax is taken {WORDS[axis]}."
    if loss.is_last:
        left = loss.equation.left
        yield f"${latex(replace(left, time=None))}$ is ${latex(left)}$ at the last step."
    if any(d.part == BY_ENTRIES for name in used for d in model.equations.get(name, ())):
        yield "Equations that the page gives by entries are written with matrices."
    for formula in set_aside(model):
        yield f"Not read, and not needed here: {formula}."


def _total(model: PageModel, name: str) -> Equation | None:
    """The equation without time step of a name that also has one at each step: J = Σ_t J^(t)."""
    d = model.defined(name, timed=False)
    if d is None or len(model.equations[name]) < 2:
        return None
    return Equation(Symbol(name, None, _spelling(model, name)), _with_steps(d.value, model))


def _check_entries(model: PageModel, used: set[str]) -> None:
    """Raises `FormulaError` where a name in `used` is defined by entries that have no matrix form."""
    for statement in defined_by_entries(model):
        name = next(iter(symbols(statement.parts[0]))).name
        if name in used:
            line = line_of(statement)
            raise FormulaError(
                f"line {line}: {name} is defined by entries that have no matrix form: write it with whole matrices"
            )


def at_its_line(error: EquationError, model: PageModel) -> FormulaError:
    """The error of an equation with the line of the page that has it."""
    d = model.defined(error.name, timed=True)
    if d is None:
        return error
    return FormulaError(f"line {line_of(model.statements[d.statement])}: {error.reason}")


def line_of(statement: Statement) -> int:
    """The line of the page on which a statement begins."""
    return statement.formula.line_at(statement.region(0)[0])


def _earlier_step(model: PageModel) -> Index:
    """A letter for an earlier step that the page does not use for anything else."""
    words = {word for name in (*model.equations, *model.shapes, *model.named) for word in name.split("_")}
    return Index(next((letter for letter in ("i", "s", "k", "n", "m") if letter not in words), "q"))


def _check_has_value(checker: Checker, equations: Mapping[str, Equation], loss: str) -> None:
    """Raises `FormulaError` where the loss has no value: where it is circular, or the shapes of an equation, which is
    named, do not fit.
    """
    oracle = next(checker.sampling.plain_oracles())

    def problem(name: str) -> FormulaError | None:
        try:
            with np.errstate(all="ignore"):
                oracle.values.value(_left_side(checker.model, name), oracle.values.scope({TIME: HORIZON - 1}))
        except CycleError:
            raise
        except FormulaError as error:
            return error
        return None

    name, found = loss, problem(loss)
    looked_at = set[str]()
    while found is not None:
        looked_at.add(name)
        used = sorted({s.name for s in symbols(equations[name].right)} & equations.keys() - looked_at)
        problems = [(other, error) for other in used for error in [problem(other)] if error is not None]
        if not problems:
            raise EquationError(name, checker.sampling.in_letters(found, oracle))
        name, found = problems[0]


# --- the equations ---


def _left_side(model: PageModel, name: str) -> Symbol:
    d = model.defined(name, timed=True)
    assert d is not None
    return Symbol(name, Index(TIME) if model.has_time(d) else None, _spelling(model, name))


def _spelling(model: PageModel, name: str) -> str:
    """The LaTeX of a name as the page first writes it."""
    return next((s.latex for st in model.statements for p in st.parts for s in symbols(p) if s.name == name), "")


def _equations(model: PageModel, loss: str, softmax_axis: int | None) -> Iterator[Equation]:
    """The equations that the loss depends on, the left sides at t, every symbol with its time step."""
    needed, stack = set[str](), [loss]
    while stack:
        name = stack.pop()
        if name not in needed:
            needed.add(name)
            d = model.defined(name, timed=True)
            stack += [] if d is None else [s.name for s in symbols(d.value)]
    for name in model.equations:
        if name not in needed:
            continue
        d = model.defined(name, timed=True)
        assert d is not None
        value = d.value
        if d.time is not None and d.time.variable is not None:
            value = shift_time(value, d.time.variable, Index(TIME, -d.time.offset))

        yield Equation(_left_side(model, name), _with_axis(_with_steps(value, model), model, softmax_axis))


def _with_steps(e: Expression, model: PageModel) -> Expression:
    """The expression with the step t at every symbol that has time steps and is written without one."""

    def timed(node: Expression) -> Expression:
        if not isinstance(node, Symbol):
            return node
        bare = node.time is None and node.name in model.timed
        return replace(node, time=Index(TIME) if bare else node.time, below=False)

    return transform(e, timed)


def _with_axis(e: Expression, model: PageModel, axis: int | None) -> Expression:
    """The expression with the page's axis at every softmax of a matrix that states none."""
    if not axis or not any(isinstance(node, Call) and node.function == "softmax" for node in walk(e)):
        return e
    found = infer(e, {**model.derived, **model.shapes})
    matrices = {
        node.arguments
        for node in walk(found.tree)
        if isinstance(node, Call) and node.function == "softmax" and "1" not in found.of(node)
    }

    def along(node: Expression) -> Expression:
        if isinstance(node, Call) and node.function == "softmax" and node.axis is None and node.arguments in matrices:
            return replace(node, axis=axis)
        return node

    return transform(e, along)


def _errors(model: PageModel, layout: str) -> Iterator[tuple[str, Symbol]]:
    """The symbols for errors: the page's own, where it has some and the layout is theirs, else δ with an index."""
    own: dict[str, Symbol] = {}
    for name, found in model.named.items():
        wrt = found[0].value.wrt if isinstance(found[0].value, Derivative) else None
        if isinstance(wrt, Symbol) and layout == "shape":
            own.setdefault(wrt.name, Symbol(name, latex=_spelling(model, name)))
    for name in model.equations:
        spelled = _spelling(model, name) or name
        yield name, own.get(name) or Symbol(f"delta_{name}", latex=f"\\delta_{{{spelled}}}")
