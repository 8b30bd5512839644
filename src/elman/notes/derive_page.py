"""A page of forward equations → a page of gradients: each with its chain, its shapes, its rule and its result."""

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
from elman.calculus.forward_equations import ChainStep, Equation, ForwardModel
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
    """What was derived: `page`, as Markdown; `steps`, one by one; `report`, the check of the page."""

    page: Page
    steps: tuple[ChainStep, ...]
    report: Report

    @property
    def markdown(self) -> str:
        """The page's text."""
        return self.page.text

    @property
    def checked(self) -> int:
        """How many formulas of the page hold by value."""
        return sum(claim.good for claim in self.report.claims)


def derived(page: Page, wrt: Sequence[str] = (), layout: str = "shape") -> Derivation:
    """The gradient of a page's loss by everything, or by the names in `wrt`, from its forward equations.

    `layout` as in `calculus.gradients.Model`. The page that is made is itself checked, formula by formula, against the
    forward equations by complex step. Raises `FormulaError` where the page has no loss or an equation does not fit, and
    `DerivationError` if a formula of the result should not hold.
    """
    steps, markdown = _derived(page, wrt, layout)
    made = page_of(markdown, "markdown", Path("derivation.md"))
    report = check(made)
    false = [c for c in report.claims if not c.good]
    if false:
        raise DerivationError(
            f"the derived formula {false[0].left} = {false[0].formula} failed its check: please report it"
        )
    return Derivation(made, tuple(steps), report)


def steps_as_json(found: Derivation) -> list[dict[str, object]]:
    """Every gradient for machines."""
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
        for s in found.steps
    ]


def as_latex(found: Derivation) -> str:
    """The page as a LaTeX document."""
    lines = [r"\documentclass{article}", r"\usepackage{amsmath, amssymb}", r"\begin{document}"]
    fenced = False
    for line in found.markdown.splitlines():
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


def _derived(page: Page, wrt: Sequence[str], layout: str) -> tuple[list[ChainStep], str]:
    checker = Checker(page)
    model = checker.model
    if model.families:
        raise FormulaError(f"families of columns ({', '.join(sorted(model.families))}) are not derived: write a matrix")
    loss = _loss(model)
    _worth(checker, loss)
    sizes = dict.fromkeys((*checker.sampling.sizes(), "T"), ("1", "1"))
    forward = ForwardModel(
        tuple(_equations(model, loss)), {**sizes, **model.derived, **model.shapes}, _letter(model, loss),
        dict(_letters(model, layout)), model.roles.targets, layout, _earlier(model),
    )  # fmt: skip
    steps = gradients(forward)
    known = {s.left.wrt.name for s in steps if isinstance(s.left.wrt, Symbol)}
    missing = [name for name in wrt if name not in known]
    if missing:
        raise FormulaError(f"no gradient by {', '.join(missing)}: the loss depends on {', '.join(sorted(known))}")
    if wrt:
        steps = _needed(steps, wrt)
    return steps, "\n".join(_page(forward, steps))


def _earlier(model: PageModel) -> Index:
    """A letter for an earlier step that the page does not use for anything else."""
    words = {word for name in (*model.equations, *model.shapes, *model.named) for word in name.split("_")}
    return Index(next((letter for letter in ("i", "s", "k", "n", "m") if letter not in words), "q"))


def _worth(checker: Checker, loss: str) -> None:
    """Sees that the loss has a value: `FormulaError` where it is defined in a circle, or of shapes that do not fit."""
    oracle = next(checker.sampling.plain_oracles())
    with np.errstate(all="ignore"):
        oracle.value(_letter(checker.model, loss), oracle.scope({TIME: HORIZON - 1}))


def _needed(steps: list[ChainStep], wrt: Sequence[str]) -> list[ChainStep]:
    """The gradients by these names, and those whose letters they are written in, in order."""
    chosen = [isinstance(s.left.wrt, Symbol) and s.left.wrt.name in wrt for s in steps]
    while True:
        used = {x.name for s, kept in zip(steps, chosen, strict=True) if kept for x in symbols(s.result)}
        more = [kept or (s.letter is not None and s.letter.name in used) for s, kept in zip(steps, chosen, strict=True)]
        if more == chosen:
            return [s for s, kept in zip(steps, chosen, strict=True) if kept]
        chosen = more


def _loss(model: PageModel) -> str:
    """The letter that is differentiated, or else the one scalar that no other equation uses."""
    named = [name for name in sorted(model.roles.losses) if name in model.equations]
    if named:
        return named[0]
    used = {s.name for found in model.equations.values() for d in found for s in symbols(d.value)}
    shapes = {**model.derived, **model.shapes}
    ends = [name for name in model.equations if name not in used and shapes.get(name, ("1", "1")) == ("1", "1")]
    if len(ends) != 1:
        raise FormulaError("the page has no one loss: write J = …, a scalar that no other equation uses")
    return ends[0]


def _letter(model: PageModel, name: str) -> Symbol:
    d = model.defined(name, timed=True)
    assert d is not None
    return Symbol(name, Index(TIME) if model.has_time(d) else None, _spelling(model, name))


def _spelling(model: PageModel, name: str) -> str:
    return next((s.latex for st in model.statements for p in st.parts for s in symbols(p) if s.name == name), "")


def _equations(model: PageModel, loss: str) -> Iterator[Equation]:
    """The equations that the loss is made of, the left sides at t, every letter with its time step."""
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

        yield Equation(_letter(model, name), transform(value, timed))


def _letters(model: PageModel, layout: str) -> Iterator[tuple[str, Symbol]]:
    """The letters for errors: the page's own, where it has some and they lie as this layout has them, else δ with an
    index.
    """
    own: dict[str, Symbol] = {}
    for name, found in model.named.items():
        wrt = found[0].value.wrt if isinstance(found[0].value, Derivative) else None
        if isinstance(wrt, Symbol) and layout == "shape":
            own.setdefault(wrt.name, Symbol(name, latex=_spelling(model, name)))
    for name in model.equations:
        spelled = _spelling(model, name) or name
        yield name, own.get(name) or Symbol(f"delta_{name}", latex=f"\\delta_{{{spelled}}}")


# --- the page ---


_LAYOUTS = {
    "shape": "The errors that pass through the chain are rows, the transpose of what they are by; "
    "the gradients by given letters have the shape of these.",
    "denominator": "Denominator layout: every gradient has the shape of what it is by.",
    "numerator": "Numerator layout: every gradient has the shape of the transpose of what it is by.",
}


def _page(forward: ForwardModel, steps: Sequence[ChainStep]) -> Iterator[str]:
    yield "# Derivation"
    yield ""
    yield f"From the forward equations, the gradients of ${latex(forward.loss)}$. {_LAYOUTS[forward.layout]}"
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
    """The equations, what is used before what uses it."""
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
    of = step.left.wrt
    time = step.left.at or (of.time if isinstance(of, Symbol) else None)
    if time == forward.earlier:
        return f"At an earlier step {forward.earlier}"
    if time is None and step.chain is None:
        return "The sum over the steps"
    if time == Index(None, 0):
        return "The initial state"
    return "At step t"


def _step(step: ChainStep, forward: ForwardModel) -> Iterator[str]:
    """One gradient: the chain, the rule that applies, the order of the factors with their shapes, the result."""
    left = latex(step.left)
    yield ""
    if step.chain is not None:
        yield f"The chain: $\\displaystyle {left} = {latex(step.chain)}$."
    yield f"{step.rule[0].upper()}{step.rule[1:]}. {_shapes_of(step, forward)}"
    yield ""
    named = f"{latex(step.letter)} = " if step.letter is not None else ""
    yield f"$$ {named}{left} = {latex(step.result)} $$"


def _shapes_of(step: ChainStep, forward: ForwardModel) -> str:
    """The shapes of the factors of a result, as in [Dh,B][B,Dh] = [Dh,Dh]."""
    shapes = {**forward.shapes}
    for name, letter in forward.letters.items():
        if name in forward.shapes:
            r, c = forward.shapes[name]
            shapes[letter.name] = (c, r) if forward.rows else (r, c)
    total = f"${_shape(step.shape)}$"
    factors = [_factor_shape(f, shapes) for f in factors_of(step.result)]
    if len(factors) < 2 or any(f is None for f in factors):
        return f"Its shape: {total}."
    return f"In order: ${''.join(_shape(f) for f in factors if f is not None)} \\to {_shape(step.shape)}$."


def _shape(shape: tuple[str, str]) -> str:
    return f"[{shape[0]},{shape[1]}]"


def _factor_shape(e: Expression, shapes: dict[str, tuple[str, str]]) -> tuple[str, str] | None:
    if isinstance(e, Transpose):
        inner = _factor_shape(e.of, shapes)
        return None if inner is None else inner[::-1]
    if isinstance(e, Ones) and e.dim is not None:
        return e.dim, "1"
    return shapes.get(e.name) if isinstance(e, Symbol) else None
