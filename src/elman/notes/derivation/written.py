"""The derived page: the forward equations, and every gradient with its chain, its rule, its shapes and its result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from elman.calculus.constants import constants
from elman.calculus.expression import Call, Expression, Ones, Symbol, Transpose, factors_of, symbols, transform, walk
from elman.calculus.forward_equations import ChainStep, Equation, ForwardModel, Stage
from elman.calculus.loss_parts import with_parts_written_out
from elman.calculus.printing.render import latex
from elman.translation import sentence, sign, translate

_LAYOUTS = {
    "shape": "The gradient with respect to an intermediate result, its error, has the transposed shape of that result; "
    "every other gradient has the shape of what it is taken with respect to.",
    "denominator": "Denominator layout: every gradient has the shape of what it is taken with respect to.",
    "numerator": "Numerator layout: every gradient has the transposed shape of what it is taken with respect to.",
}


_HEADINGS = {
    Stage.TOTAL: "The sum over the steps",
    Stage.INITIAL: "The initial state",
    Stage.WHOLE: "The loss of all steps",
}


def derivation_page(
    forward: ForwardModel, steps: Sequence[ChainStep], remarks: Sequence[str] = (), title: str = ""
) -> Iterator[str]:
    """The lines of the page, in Markdown; `remarks` are sentences for its introduction, `title` is its heading."""
    yield "# " + (title or translate("Derivation"))
    yield ""
    of_loss = f"The gradients of ${latex(forward.loss)}$, derived from the forward equations."
    yield f"{translate(of_loss)}{sign(' ')}{translate(_LAYOUTS[forward.layout])}"
    yield ""
    for remark in (*_constants(forward, steps), *remarks):
        yield translate(remark)
        yield ""
    yield "## " + translate("Forward equations")
    yield ""
    for e in _in_order(forward):
        yield f"$$ {latex(e.left)} = {latex(_as_on_page(e.right, forward))} $$"
        yield ""
    if forward.total is not None:
        yield f"$$ {latex(forward.total.left)} = {latex(forward.total.right)} $$"
        yield ""
    yield "```python"
    yield from _shape_lines(forward, steps)
    yield "```"
    heading = ""
    for step in steps:
        new = _heading(step, forward)
        if new != heading:
            yield ""
            yield f"## {translate(new)}"
        heading = new
        yield from _step(step, forward)


def _constants(forward: ForwardModel, steps: Sequence[ChainStep]) -> Iterator[str]:
    """The constants of the page, by which no gradient is taken."""
    equations = (*forward.equations, *([] if forward.total is None else [forward.total]))
    nodes = [node for e in equations for node in walk(e.right)]
    derived = {s.left.wrt.name for s in steps if isinstance(s.left.wrt, Symbol)}
    given = sorted(constants(with_parts_written_out(forward)) - derived - forward.sizes)
    if given:
        letters = {node.name: latex(node) for node in nodes if isinstance(node, Symbol)}
        names = ", ".join(f"${letters[name]}$" for name in given if name in letters)
        yield f"{names}: constant, so no gradient is taken with respect to {'it' if len(given) == 1 else 'them'}."


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
    return _HEADINGS.get(step.stage, "At step t")


def _step(step: ChainStep, forward: ForwardModel) -> Iterator[str]:
    """One gradient: the chain, the rule that applies, the shapes of the factors in order, the result."""
    left = latex(step.left)
    yield ""
    if step.chain is not None:
        yield translate(f"The chain rule: $\\displaystyle {left} = {latex(_as_on_page(step.chain, forward))}$.")
    yield f"{sentence(translate(step.rule))}{sign(' ')}{translate(_shapes_of(step, forward))}"
    yield ""
    named = f"{latex(step.letter)} = " if step.letter is not None else ""
    yield f"$$ {named}{left} = {latex(_as_on_page(step.result, forward))} $$"


def _shapes_of(step: ChainStep, forward: ForwardModel) -> str:
    """The shapes of the factors of a result, as in [Dh,B][B,Dh] → [Dh,Dh]."""
    errors = {error.name: forward.error_shape(name) for name, error in forward.errors.items() if name in forward.shapes}
    shapes = {**forward.shapes, **errors}
    factors = [_factor_shape(f, shapes) for f in factors_of(step.result)]
    if len(factors) < 2 or any(f is None for f in factors):
        return f"Its shape: ${_shape(step.shape)}$."
    return f"The shapes in order: ${''.join(_shape(f) for f in factors if f is not None)} \\to {_shape(step.shape)}$."


def _as_on_page(e: Expression, forward: ForwardModel) -> Expression:
    """A formula with the axis of the page left out at every softmax: the page says it once."""

    def change(node: Expression) -> Expression:
        if not isinstance(node, Call) or node.function != "softmax" or not forward.axis:
            return node
        return replace(node, axis=None if node.axis == forward.axis else 0)

    return transform(e, change)


def _shape(shape: tuple[str, str]) -> str:
    return f"[{shape[0]},{shape[1]}]"


def _factor_shape(e: Expression, shapes: dict[str, tuple[str, str]]) -> tuple[str, str] | None:
    if isinstance(e, Transpose):
        inner = _factor_shape(e.of, shapes)
        return None if inner is None else inner[::-1]
    if isinstance(e, Ones) and e.dim is not None:
        return e.dim, "1"
    return shapes.get(e.name) if isinstance(e, Symbol) else None
