"""From forward equations to all gradients of a loss, each with its chain, its rule and its result.

An equation u = f(v, …) passes the error of u back to v: with G = ∂J/∂u in the shape of u, its part of ∂J/∂v is the
gradient of Σ G ∘ f with respect to v, which `derivative` finds, simplifies and verifies. What a loss at step t owes to
an earlier step i comes through the equations that use earlier values (backpropagation through time).

For example, z = W x and J = f(z) give ∂J/∂z = δ first, and then ∂J/∂W = ∂J/∂z ∂z/∂W = δ^T x^T in the layout "shape".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import reduce

from elman.calculus.constants import constants
from elman.calculus.derive_formula import Derived, derivative
from elman.calculus.expression import (
    Add,
    BigSum,
    Call,
    Derivative,
    Expression,
    Index,
    Negative,
    Number,
    Product,
    Subtract,
    Symbol,
    Transpose,
    shift_time,
    symbols,
    transform,
)
from elman.calculus.forward_equations import (
    LOSS_STEP,
    ChainStep,
    Dependencies,
    Equation,
    EquationError,
    ForwardModel,
    Stage,
)
from elman.calculus.loss_parts import with_parts_written_out
from elman.calculus.matrix_form.abbreviations import Definitions, abbreviate
from elman.calculus.matrix_form.sum_terms import sum_in_order, summands
from elman.calculus.matrix_form.transposes import move_transpose_inward
from elman.calculus.printing.render import latex
from elman.calculus.printing.rule_in_words import rule
from elman.calculus.shapes.inference import SCALAR, infer
from elman.errors import FormulaError


def gradients(model: ForwardModel, wrt: frozenset[str] = frozenset()) -> list[ChainStep]:
    """Every gradient of the loss: at the step of the loss and, where the model is recurrent, at the earlier ones.

    `wrt` are the names that a gradient is asked for, if any: a part of the loss or a constant among them has one too.
    Raises `EquationError` for an equation that is not differentiated, or where a gradient has no matrix form, and
    `FormulaError` where the loss has no equation.
    """
    definitions = {x.left: x.right for x in model.equations}
    model = with_parts_written_out(model, wrt)
    d = _Derivation(model, Dependencies(model), definitions, model.sizes | constants(model) - wrt)
    steps = [*d.errors(LOSS_STEP), *d.parameters(LOSS_STEP if model.loss.time is not None else None)]
    if d.dependencies.earlier:
        earlier = [*d.errors(model.earlier), *d.parameters(model.earlier)]
        steps += [*d.unused_at_loss_step(), *earlier, *d.sums_over_steps(earlier), *d.initial_states()]
    return [*steps, *d.of_all_steps(steps)]


@dataclass(frozen=True, slots=True)
class _Part:
    """What one equation passes back: a term of a gradient, its part of the chain (None: of the loss itself), and the
    rule in words.
    """

    term: Expression
    chain: Expression | None
    rule: str


@dataclass(frozen=True, slots=True)
class _Derivation:
    """The steps of a derivation, in order; `definitions` are the equations that results are abbreviated by, `numbers`
    the sizes and constants.
    """

    model: ForwardModel
    dependencies: Dependencies
    definitions: Definitions
    numbers: frozenset[str]

    # --- steps ---

    def errors(self, at: Index) -> Iterator[ChainStep]:
        """∂J/∂v at the step `at` for each v that has an equation, from all equations that use v."""
        at_loss = at == LOSS_STEP
        among = self.dependencies.current if at_loss else self.dependencies.earlier
        for name in self.dependencies.users_before_used(among):
            users = self.dependencies.users(name, at_loss_step=at_loss)
            if not users:
                continue
            v = self.model.symbol(name, at)
            total, chain, words = _joined([self.passed_back(user, offset, v) for user, offset in users])
            if any(offset < -1 for _, offset in users):
                words += "; the gradients with respect to steps after that of the loss are 0"
            result = self.transposed(total) if self.model.errors_are_rows else total
            shape, error = self.model.error_shape(name), self.model.error(name, at)
            stage = Stage.AT_LOSS if at_loss else Stage.EARLIER
            yield ChainStep(self.gradient_by(v), chain, words, result, shape, stage, error)

    def unused_at_loss_step(self) -> Iterator[ChainStep]:
        """∂J/∂v = 0 at the step of the loss, for each v that the loss uses at earlier steps alone."""
        for name in sorted(self.dependencies.earlier & self.dependencies.defined - self.dependencies.current):
            v = self.model.symbol(name, LOSS_STEP)
            if v.time is None:
                continue
            words = "the loss uses it at earlier steps only"
            shape, error = self.model.error_shape(name), self.model.error(name, LOSS_STEP)
            yield ChainStep(self.gradient_by(v), None, words, Number(Fraction(0)), shape, Stage.AT_LOSS, error)

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
            shape, stage = self.model.gradient_shape(w.name), Stage.EARLIER if is_earlier else Stage.AT_LOSS
            yield ChainStep(left, chain, words, self.laid_out(total), shape, stage)

    def parameters_of(self, among: set[str]) -> list[Symbol]:
        """The symbols without equation and time in the equations of `among`, in alphabetical order: no sizes, no
        constants and no distributions.
        """
        found = {
            s.name: s
            for user in sorted(among)
            for s in self.dependencies.uses(user)
            if s.name not in self.dependencies.defined and s.time is None
        }
        names = sorted(found, key=lambda name: (name.upper(), name))
        given = self.model.distributions | self.numbers
        return [found[n] for n in names if n in self.model.shapes and n not in given]

    def sums_over_steps(self, earlier: Sequence[ChainStep]) -> Iterator[ChainStep]:
        """∂J/∂W = Σ_i ∂J/∂W|_(i) for each W that has a contribution at an earlier step."""
        i = self.model.earlier
        for step in earlier:
            w = step.left.wrt
            if step.left.at != i or not isinstance(w, Symbol):
                continue
            total = BigSum(str(i), Derivative(self.model.loss, w, i), Index(None, 1), LOSS_STEP)
            words = f"${latex(w)}$ is used at every step, so the contributions of the steps add up"
            yield ChainStep(self.gradient_by(w), None, words, total, self.model.gradient_shape(w.name), Stage.TOTAL)

    def initial_states(self) -> Iterator[ChainStep]:
        """∂J/∂h^(0) for each h whose earlier value an equation uses: what the first step passes back."""
        for name in sorted(self.dependencies.earlier & self.dependencies.defined):
            if not self.model.has_time(name):
                continue
            h = self.model.symbol(name, Index(None, 0))
            users = [u for u in self.dependencies.users(name, at_loss_step=False) if u[1] < 0]
            if not users:
                continue
            total, _, _ = _joined([self.passed_back(user, offset, h) for user, offset in users])
            words = "no equation defines it: its gradient is what the first step passes back"
            shape = self.model.gradient_shape(name)
            yield ChainStep(self.gradient_by(h), None, words, self.laid_out(total), shape, Stage.INITIAL)

    def of_all_steps(self, steps: Sequence[ChainStep]) -> Iterator[ChainStep]:
        """∂L/∂W = Σ_t ∂J^(t)/∂W + ∂R/∂W, where L adds up the loss J^(t) of the steps, and R."""
        total = self.model.total
        if total is None:
            return
        of_steps = [s.left.wrt for s in steps if s.left.at is None and isinstance(s.left.wrt, Symbol)]
        alone = symbols(total.right) - {self.model.loss, *of_steps, *(Symbol(name) for name in self.numbers)}
        for w in (*(w for w in of_steps if w.time is None), *sorted(alone, key=lambda s: s.name)):
            if w.name in self.dependencies.defined or w.name not in self.model.shapes:
                continue
            shape = self.model.gradient_shape(w.name)
            words = f"${latex(total.left)}$ adds up the losses of the steps, and a gradient is linear"
            parts = [part for summand in summands(total.right) for part in self.of_summand(summand, w, w in of_steps)]
            yield ChainStep(Derivative(total.left, w), None, words, sum_in_order(parts), shape, Stage.WHOLE)

    def of_summand(self, e: Expression, w: Symbol, in_steps: bool) -> Iterator[Expression]:
        """The gradient of one summand of the loss of all steps: of the steps, or of what is added to them."""
        loss = self.model.loss
        if loss in symbols(e):
            if in_steps:
                yield transform(e, lambda node: Derivative(loss, w) if node == loss else node)
        elif w in symbols(e):
            found = derivative(e, w, self.model.shapes).expression
            assert found is not None
            yield self.laid_out(found)

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
        chain: Expression | None = None
        if user != self.model.loss.name:
            u = self.model.symbol(user, user_at)
            chain = Product(self.gradient_by(u), Derivative(u, v), "")
        found = self.error_passed_back(equation, used)
        if found.expression is None:
            raise EquationError(
                user,
                f"the gradient with respect to {v.name} has no matrix form: give a part of the equation a name of its "
                "own",
            )
        term = abbreviate(found.expression, self.definitions, self.model.all_shapes())
        if user_at is not None:
            term = shift_time(term, "t", user_at)
        return _Part(term, chain, rule(equation.right, used, self.model.shapes))

    def error_passed_back(self, equation: Equation, v: Symbol) -> Derived:
        """The gradient of Σ G ∘ f with respect to `v`, where G is the error of the left side and f the right side; of
        the loss, that of f itself.
        """
        name, model = equation.left.name, self.model
        try:
            if name == model.loss.name:
                return derivative(equation.right, v, model.shapes, "denominator", model.distributions, model.axis)
            error = model.error(name, equation.left.time)
            shapes = {**model.shapes, error.name: model.error_shape(name)}
            if shapes[error.name] == SCALAR:
                return derivative(Product(error, equation.right, "·"), v, shapes, distributions=())
            G = Transpose(error) if model.errors_are_rows else error
            return derivative(Call("sum", (Product(G, equation.right, "∘"),)), v, shapes, distributions=())
        except FormulaError as problem:
            raise EquationError(name, problem.reason) from None

    # --- expressions ---

    def gradient_by(self, v: Symbol) -> Derivative:
        return Derivative(self.model.loss, v)

    def laid_out(self, e: Expression) -> Expression:
        """The gradient with respect to a parameter, in the layout of the model."""
        return self.transposed(e) if self.model.layout == "numerator" else e

    def transposed(self, e: Expression) -> Expression:
        """The transpose, with what is written without transposes kept together."""
        return move_transpose_inward(Transpose(e), self.is_scalar)

    def is_scalar(self, e: Expression) -> bool:
        sizes = dict.fromkeys(self.model.sizes, SCALAR)
        try:
            found = infer(e, {**sizes, **self.model.all_shapes()})
        except FormulaError:
            return False
        return found.of(found.tree) == SCALAR


def _joined(parts: Sequence[_Part]) -> tuple[Expression, Expression | None, str]:
    """The sum of what several equations pass back, what the loss itself contributes first; its chain, and the rules.

    There is no chain where the loss alone uses the symbol.
    """
    ordered = sorted(parts, key=lambda part: part.chain is not None)
    total = sum_in_order([_positive(p.term) for p in ordered])
    words = "; ".join(dict.fromkeys(p.rule for p in ordered))
    if ordered[-1].chain is None:
        return total, None, words
    return total, reduce(Add, (p.chain or _positive(p.term) for p in ordered)), words


def _positive(e: Expression) -> Expression:
    """y - u rather than -(u - y)."""
    if isinstance(e, Negative) and isinstance(e.of, Subtract):
        return Subtract(e.of.right, e.of.left)
    return e
