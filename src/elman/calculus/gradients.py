"""From forward equations to all gradients of a loss, each with its chain, its rule and its result.

An equation u = f(v, …) passes the error of u back to v: with G = ∂J/∂u in the shape of u, its part of ∂J/∂v is the
gradient of Σ G ∘ f with respect to v, which `derivative` finds, simplifies and verifies. What a loss at step t owes to
an earlier step i comes through the equations that use earlier values (backpropagation through time).

For example, z = W x and J = f(z) give ∂J/∂z = δ first, and then ∂J/∂W = ∂J/∂z ∂z/∂W = δ^T x^T in the layout "shape".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce

from elman.calculus.derive_formula import Derived, derivative
from elman.calculus.expression import (
    Add,
    BigSum,
    Call,
    Derivative,
    Expression,
    Index,
    Product,
    Symbol,
    Transpose,
    shift_time,
    symbols,
    transform,
)
from elman.calculus.forward_equations import LOSS_STEP, ChainStep, Dependencies, Equation, ForwardModel
from elman.calculus.matrix_form.abbreviations import Definitions, abbreviate
from elman.calculus.matrix_form.transposes import move_transpose_inward
from elman.calculus.printing.render import latex
from elman.calculus.printing.rule_in_words import rule
from elman.errors import FormulaError


def gradients(model: ForwardModel) -> list[ChainStep]:
    """Every gradient of the loss: at the step of the loss and, where the model is recurrent, at the earlier ones.

    Raises `FormulaError` where the loss has no equation or a gradient has no matrix form.
    """
    definitions = {x.left: x.right for x in model.equations}
    model = _with_softmax_in_loss(model)
    d = _Derivation(model, Dependencies(model), definitions)
    steps = [*d.errors(LOSS_STEP), *d.parameters(LOSS_STEP if model.loss.time is not None else None)]
    if not d.dependencies.earlier:
        return steps
    earlier = [*d.errors(model.earlier), *d.parameters(model.earlier)]
    return [*steps, *earlier, *d.sums_over_steps(earlier), *d.initial_states(earlier)]


@dataclass(frozen=True, slots=True)
class _Part:
    """What one equation passes back: a term of a gradient, its part of the chain, and the rule in words."""

    term: Expression
    chain: Expression
    rule: str


@dataclass(frozen=True, slots=True)
class _Derivation:
    """The steps of a derivation, in order; `definitions` are the equations that results are abbreviated by."""

    model: ForwardModel
    dependencies: Dependencies
    definitions: Definitions

    # --- steps ---

    def errors(self, at: Index) -> Iterator[ChainStep]:
        """∂J/∂v at the step `at` for each v that has an equation, from all equations that use v."""
        among = self.dependencies.current if at == LOSS_STEP else self.dependencies.earlier
        for name in self.dependencies.users_before_used(among):
            users = self.dependencies.users(name, at_loss_step=at == LOSS_STEP)
            if not users:
                continue
            v = self.model.symbol(name, at)
            total, chain, words = _joined([self.passed_back(user, offset, v) for user, offset in users])
            result = move_transpose_inward(Transpose(total)) if self.model.errors_are_rows else total
            shape, error = self.model.error_shape(name), self.model.error(name, at)
            yield ChainStep(self.gradient_by(v), chain, words, result, shape, error)

    def parameters(self, at: Index | None) -> Iterator[ChainStep]:
        """∂J/∂W at the step `at` (None without time steps) for each W without equation and time, such as a weight.

        Where the loss depends on W at earlier steps too, each step has its own contribution, ∂J/∂W|_(at).
        """
        is_earlier = at == self.model.earlier
        among = self.dependencies.earlier if is_earlier else self.dependencies.current
        users = sorted(among & self.dependencies.defined - ({self.model.loss.name} if is_earlier else set()))
        for w in self.parameters_of(among):
            is_contribution = at is not None and self.dependencies.has_use(w.name, self.dependencies.earlier)
            if is_earlier and not is_contribution:
                continue
            parts = [self.passed_back(u, 0, w, at) for u in users if self.dependencies.has_use(w.name, {u})]
            total, chain, words = _joined(parts)
            left = Derivative(self.model.loss, w, at if is_contribution else None)
            yield ChainStep(left, chain, words, self.laid_out(total), self.model.gradient_shape(w.name))

    def parameters_of(self, among: set[str]) -> list[Symbol]:
        """The symbols without equation and time in the equations of `among`, in alphabetical order."""
        found = {
            s.name: s
            for user in sorted(among)
            for s in self.dependencies.uses(user)
            if s.name not in self.dependencies.defined and s.time is None
        }
        names = sorted(found, key=lambda name: (name.upper(), name))
        return [found[n] for n in names if n in self.model.shapes and n not in self.model.distributions]

    def sums_over_steps(self, earlier: Sequence[ChainStep]) -> Iterator[ChainStep]:
        """∂J/∂W = Σ_i ∂J/∂W|_(i) for each W that has a contribution at an earlier step."""
        i = self.model.earlier
        for step in earlier:
            w = step.left.wrt
            if step.left.at != i or not isinstance(w, Symbol):
                continue
            total = BigSum(str(i), Derivative(self.model.loss, w, i), Index(None, 1), LOSS_STEP)
            words = f"${latex(w)}$ is used at every step, so the contributions of the steps add up"
            yield ChainStep(self.gradient_by(w), None, words, total, self.model.gradient_shape(w.name))

    def initial_states(self, earlier: Sequence[ChainStep]) -> Iterator[ChainStep]:
        """∂J/∂h^(0): the gradient at step i with i = 0, for each h that only the next step uses."""
        for name in sorted(self.dependencies.earlier & self.dependencies.defined):
            h = self.model.symbol(name, self.model.earlier)
            step = next((s for s in earlier if s.left.wrt == h and self.model.has_time(name)), None)
            used_before = self.dependencies.has_use(name, self.dependencies.earlier, offset=-1)
            used_at_once = self.dependencies.has_use(name, self.dependencies.earlier, offset=0)
            if step is None or not used_before or used_at_once:
                continue
            initial = replace(h, time=Index(None, 0))
            result = shift_time(step.result, str(self.model.earlier), Index(None, 0))
            if self.model.layout == "shape":
                result = move_transpose_inward(Transpose(result))
            words = "no equation defines it: its gradient is what the first step passes back"
            yield ChainStep(self.gradient_by(initial), None, words, result, self.model.gradient_shape(name))

    # --- what one equation passes back ---

    def passed_back(self, user: str, offset: int, v: Symbol, at: Index | None = None) -> _Part:
        """What the equation of `user` passes back to `v`, which it uses at the relative step `offset`.

        `at` is the step of the result where `v` itself has no time.
        """
        at = v.time or at
        equation = self.model.equation(user)
        assert equation is not None
        used = replace(v, time=None if v.time is None else Index("t", offset))
        user_at = None if at is None else Index(at.variable, at.offset - offset)
        if user == self.model.loss.name:
            found = derivative(equation.right, used, self.model.shapes, distributions=self.model.distributions)
            chain: Expression = self.gradient_by(v)
        else:
            found = self.error_passed_back(equation, used)
            u = self.model.symbol(user, user_at)
            chain = Product(self.gradient_by(u), Derivative(u, v), "")
        if found.expression is None:
            raise FormulaError(
                f"the gradient by {v.name} has no matrix form here: give a part of the equation a name of its own"
            )
        term = abbreviate(found.expression, self.definitions, self.model.all_shapes())
        if user_at is not None:
            term = shift_time(term, "t", user_at)
        return _Part(term, chain, rule(equation.right, used))

    def error_passed_back(self, equation: Equation, v: Symbol) -> Derived:
        """The gradient of Σ G ∘ f with respect to `v`, where G is the error of the left side and f the right side."""
        error = self.model.error(equation.left.name, equation.left.time)
        shapes = {**self.model.shapes, error.name: self.model.error_shape(equation.left.name)}
        G = Transpose(error) if self.model.errors_are_rows else error
        return derivative(Call("sum", (Product(G, equation.right, "∘"),)), v, shapes, distributions=())

    # --- expressions ---

    def gradient_by(self, v: Symbol) -> Derivative:
        return Derivative(self.model.loss, v)

    def laid_out(self, e: Expression) -> Expression:
        """The gradient with respect to a parameter, in the layout of the model."""
        return move_transpose_inward(Transpose(e)) if self.model.layout == "numerator" else e


def _joined(parts: Sequence[_Part]) -> tuple[Expression, Expression | None, str]:
    """The sum of what several equations pass back, the sum of their chains, and their rules.

    There is no chain where the loss alone uses the symbol.
    """
    total = reduce(Add, (p.term for p in parts))
    chain = reduce(Add, (p.chain for p in parts))
    return total, None if isinstance(chain, Derivative) else chain, "; ".join(dict.fromkeys(p.rule for p in parts))


def _with_softmax_in_loss(model: ForwardModel) -> ForwardModel:
    """The model with a softmax that only the loss uses written into the loss: their derivatives cancel to ŷ - y."""
    loss = model.equation(model.loss.name)
    if loss is None:
        raise FormulaError(f"the loss {model.loss.name} has no equation")
    for s in symbols(loss.right):
        e = model.equation(s.name)
        users = [x for x in model.equations if any(u.name == s.name for u in symbols(x.right))]
        if e is None or len(users) != 1 or not (isinstance(e.right, Call) and e.right.function == "softmax"):
            continue

        def written_out(node: Expression, name: str = s.name, value: Expression = e.right) -> Expression:
            return value if isinstance(node, Symbol) and node.name == name else node

        merged = replace(loss, right=transform(loss.right, written_out))
        return replace(model, equations=[merged if x is loss else x for x in model.equations])
    return model
