"""From a page of forward equations to a page of gradients: each with its chain, its rule, its shapes and its result.

`derive(read_page("model.md")).markdown` is the page that `elman derive model.md --wrt all` prints.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from elman.calculus.expression import (
    Derivative,
    Expression,
    Index,
    Ones,
    Symbol,
    Transpose,
    factors_of,
    shift_time,
    symbols,
    transform,
)
from elman.calculus.forward_equations import ChainStep, Equation, ForwardModel, Stage
from elman.calculus.gradients import gradients
from elman.calculus.printing.render import latex, text
from elman.errors import DerivationError, FormulaError
from elman.notes.check_page import check
from elman.notes.judge.checker import Checker
from elman.notes.judge.verdict import Report
from elman.notes.model.page_model import TIME, PageModel
from elman.notes.oracle.evaluation_point import HORIZON
from elman.notes.page.page import Page
from elman.notes.page.reader import page_of


@dataclass(frozen=True, slots=True)
class Derivation:
    """A derivation: `page`, as Markdown; its `forward` equations; `steps`, one for each gradient; `report`, its check."""

    page: Page
    forward: ForwardModel
    steps: tuple[ChainStep, ...]
    report: Report

    @property
    def markdown(self) -> str:
        """The text of the page."""
        return self.page.text

    @property
    def checked(self) -> int:
        """How many formulas of the page hold by value."""
        return sum(claim.good for claim in self.report.claims)


def derive(page: Page, wrt: Sequence[str] = (), layout: str = "shape") -> Derivation:
    """The gradients of a page's loss with respect to everything, or to the names in `wrt`, from its forward equations.

    `layout` as in `ForwardModel`. The resulting page is itself checked, formula by formula, against the forward
    equations by complex step. Raises `FormulaError` where the page has no loss or an equation does not fit, and
    `DerivationError` if a formula of the result does not hold.
    """
    checker = Checker(page)
    forward = _forward_model(checker, layout)
    steps = _needed(gradients(forward), wrt)
    result = page_of("\n".join(_page(forward, steps)), "markdown", Path("derivation.md"))
    report = check(result)
    wrong = [claim for claim in report.claims if not claim.good]
    if wrong:
        raise DerivationError(
            f"the derived formula {wrong[0].left} = {wrong[0].formula} failed its check: please report it"
        )
    return Derivation(result, forward, tuple(steps), report)


def steps_as_json(derivation: Derivation) -> list[dict[str, object]]:
    """Every gradient as plain values for JSON."""
    return [
        {
            "gradient": text(s.left),
            "letter": text(s.letter) if s.letter is not None else None,
            "chain": text(s.chain) if s.chain is not None else None,
            "result": text(s.result),
            "latex": latex(s.result),
            "shape": list(s.shape),
            "rule": s.rule.replace("$", ""),
        }
        for s in derivation.steps
    ]


def as_latex(derivation: Derivation) -> str:
    """The page as a LaTeX document."""
    lines = [r"\documentclass{article}", r"\usepackage{amsmath, amssymb}", r"\begin{document}"]
    fenced = False
    for line in derivation.markdown.splitlines():
        if line.startswith("```"):
            fenced = not fenced
            lines.append(r"\begin{verbatim}" if fenced else r"\end{verbatim}")
        elif fenced:
            lines.append(line)
        elif line.startswith("#"):
            depth, title = line.split(" ", 1)
            lines.append((r"\section*{" if depth == "#" else r"\subsection*{") + title + "}")
        elif line.startswith("$$"):
            lines.append(r"\[" + line.strip("$ ") + r"\]")
        else:
            lines.append(line)
    return "\n".join([*lines, r"\end{document}"])


# --- the forward model of a page ---


def _forward_model(checker: Checker, layout: str) -> ForwardModel:
    model = checker.model
    if model.families:
        raise FormulaError(f"families of columns ({', '.join(sorted(model.families))}) are not derived: write a matrix")
    loss = _loss(model)
    _check_has_value(checker, loss)
    sizes = dict.fromkeys((*checker.sampling.sizes(), "T"), ("1", "1"))
    return ForwardModel(
        equations=tuple(_equations(model, loss)),
        shapes={**sizes, **model.derived, **model.shapes},
        loss=_left_side(model, loss),
        errors=dict(_errors(model, layout)),
        distributions=model.roles.targets,
        layout=layout,
        earlier=_earlier_step(model),
    )


def _earlier_step(model: PageModel) -> Index:
    """A letter for an earlier step that the page does not use for anything else."""
    words = {word for name in (*model.equations, *model.shapes, *model.named) for word in name.split("_")}
    return Index(next((letter for letter in ("i", "s", "k", "n", "m") if letter not in words), "q"))


def _check_has_value(checker: Checker, loss: str) -> None:
    """Raises `FormulaError` where the loss has no value: where it is circular, or the shapes do not fit."""
    oracle = next(checker.sampling.plain_oracles())
    with np.errstate(all="ignore"):
        oracle.values.value(_left_side(checker.model, loss), oracle.values.scope({TIME: HORIZON - 1}))


def _needed(steps: list[ChainStep], wrt: Sequence[str]) -> list[ChainStep]:
    """The gradients with respect to these names (all without names) and those that they use, in order."""
    if not wrt:
        return steps
    known = {s.left.wrt.name for s in steps if isinstance(s.left.wrt, Symbol)}
    missing = [name for name in wrt if name not in known]
    if missing:
        raise FormulaError(f"no gradient by {', '.join(missing)}: the loss depends on {', '.join(sorted(known))}")
    chosen = [isinstance(s.left.wrt, Symbol) and s.left.wrt.name in wrt for s in steps]
    while True:
        used = {x.name for s, is_chosen in zip(steps, chosen, strict=True) if is_chosen for x in symbols(s.result)}
        more = [
            is_chosen or (s.letter is not None and s.letter.name in used)
            for s, is_chosen in zip(steps, chosen, strict=True)
        ]
        if more == chosen:
            return [s for s, is_chosen in zip(steps, chosen, strict=True) if is_chosen]
        chosen = more


def _loss(model: PageModel) -> str:
    """The name whose derivatives the page takes, or else the one scalar that no other equation uses."""
    named = [name for name in sorted(model.roles.losses) if name in model.equations]
    if named:
        return named[0]
    used = {s.name for found in model.equations.values() for d in found for s in symbols(d.value)}
    shapes = {**model.derived, **model.shapes}
    ends = [name for name in model.equations if name not in used and shapes.get(name, ("1", "1")) == ("1", "1")]
    if len(ends) != 1:
        raise FormulaError("the page has no one loss: write J = …, a scalar that no other equation uses")
    return ends[0]


def _left_side(model: PageModel, name: str) -> Symbol:
    d = model.defined(name, timed=True)
    assert d is not None
    return Symbol(name, Index(TIME) if model.has_time(d) else None, _spelling(model, name))


def _spelling(model: PageModel, name: str) -> str:
    """The LaTeX of a name as the page first writes it."""
    return next((s.latex for st in model.statements for p in st.parts for s in symbols(p) if s.name == name), "")


def _equations(model: PageModel, loss: str) -> Iterator[Equation]:
    """The equations that the loss depends on, the left sides at t, every symbol with its time step."""
    needed, stack = set[str](), [loss]
    while stack:
        name = stack.pop()
        if name not in needed:
            needed.add(name)
            stack += [s.name for d in model.equations.get(name, ()) for s in symbols(d.value)]
    for name in model.equations:
        if name not in needed:
            continue
        d = model.defined(name, timed=True)
        assert d is not None
        value = d.value
        if d.time is not None and d.time.variable is not None:
            value = shift_time(value, d.time.variable, Index(TIME, -d.time.offset))

        def timed(node: Expression) -> Expression:
            if not isinstance(node, Symbol):
                return node
            bare = node.time is None and node.name in model.timed
            return replace(node, time=Index(TIME) if bare else node.time, below=False)

        yield Equation(_left_side(model, name), transform(value, timed))


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


# --- the derived page ---


_LAYOUTS = {
    "shape": "The gradient with respect to an intermediate result, its error, has the transposed shape of that result; "
    "every other gradient has the shape of what it is taken with respect to.",
    "denominator": "Denominator layout: every gradient has the shape of what it is taken with respect to.",
    "numerator": "Numerator layout: every gradient has the transposed shape of what it is taken with respect to.",
}


def _page(forward: ForwardModel, steps: Sequence[ChainStep]) -> Iterator[str]:
    yield "# Derivation"
    yield ""
    yield f"The gradients of ${latex(forward.loss)}$, derived from the forward equations. {_LAYOUTS[forward.layout]}"
    yield ""
    yield "## Forward equations"
    yield ""
    for e in _in_order(forward):
        yield f"$$ {latex(e.left)} = {latex(e.right)} $$"
        yield ""
    yield "```python"
    yield from _shape_lines(forward, steps)
    yield "```"
    heading = ""
    for step in steps:
        new = _heading(step, forward)
        if new != heading:
            yield ""
            yield f"## {new}"
        heading = new
        yield from _step(step, forward)


def _in_order(forward: ForwardModel) -> list[Equation]:
    """The equations, each after those that it uses."""
    order: list[Equation] = []

    def visit(e: Equation) -> None:
        if e in order:
            return
        for s in sorted(symbols(e.right), key=lambda s: s.name):
            other = forward.equation(s.name)
            if other is not None and (s.time is None or s.time.offset == 0) and other is not e:
                visit(other)
        order.append(e)

    for e in forward.equations:
        visit(e)
    return order


def _shape_lines(forward: ForwardModel, steps: Sequence[ChainStep]) -> Iterator[str]:
    used = {s.name for e in forward.equations for s in (e.left, *symbols(e.right))}
    sizes = {word for shape in forward.shapes.values() for dim in shape for word in dim.split("*")}
    for name in sorted(used):
        shape = forward.shapes.get(name)
        if shape is not None and (shape != ("1", "1") or (forward.equation(name) is None and name not in sizes)):
            yield f"{name}.shape = [{shape[0]}, {shape[1]}]"
    done: set[str] = set()
    for step in steps:
        if step.letter is not None and step.letter.name not in done:
            done.add(step.letter.name)
            yield f"{step.letter.name}.shape = [{step.shape[0]}, {step.shape[1]}]"


def _heading(step: ChainStep, forward: ForwardModel) -> str:
    if forward.loss.time is None:
        return "Backward"
    if step.stage == Stage.EARLIER:
        return f"At an earlier step {forward.earlier}"
    return {Stage.TOTAL: "The sum over the steps", Stage.INITIAL: "The initial state"}.get(step.stage, "At step t")


def _step(step: ChainStep, forward: ForwardModel) -> Iterator[str]:
    """One gradient: the chain, the rule that applies, the shapes of the factors in order, the result."""
    left = latex(step.left)
    yield ""
    if step.chain is not None:
        yield f"The chain rule: $\\displaystyle {left} = {latex(step.chain)}$."
    yield f"{step.rule[0].upper()}{step.rule[1:]}. {_shapes_of(step, forward)}"
    yield ""
    named = f"{latex(step.letter)} = " if step.letter is not None else ""
    yield f"$$ {named}{left} = {latex(step.result)} $$"


def _shapes_of(step: ChainStep, forward: ForwardModel) -> str:
    """The shapes of the factors of a result, as in [Dh,B][B,Dh] → [Dh,Dh]."""
    errors = {error.name: forward.error_shape(name) for name, error in forward.errors.items() if name in forward.shapes}
    shapes = {**forward.shapes, **errors}
    factors = [_factor_shape(f, shapes) for f in factors_of(step.result)]
    if len(factors) < 2 or any(f is None for f in factors):
        return f"Its shape: ${_shape(step.shape)}$."
    return f"The shapes in order: ${''.join(_shape(f) for f in factors if f is not None)} \\to {_shape(step.shape)}$."


def _shape(shape: tuple[str, str]) -> str:
    return f"[{shape[0]},{shape[1]}]"


def _factor_shape(e: Expression, shapes: dict[str, tuple[str, str]]) -> tuple[str, str] | None:
    if isinstance(e, Transpose):
        inner = _factor_shape(e.of, shapes)
        return None if inner is None else inner[::-1]
    if isinstance(e, Ones) and e.dim is not None:
        return e.dim, "1"
    return shapes.get(e.name) if isinstance(e, Symbol) else None
