"""From forward equations to every gradient: the chain, the order of the factors, the rule, the result.

An equation u = f(v, …) passes the error of u on to v: with G = ∂J/∂u in u's own shape, ∂J/∂v is the gradient of Σ G ∘ f
by v, which `derivative` finds, simplifies and verifies. Over time, what a loss at step t says of an earlier step i
comes through the equations that ask for an earlier value (backpropagation through time).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
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
from elman.calculus.forward_equations import ChainStep, Dependencies, Equation, ForwardModel, T, offset_of
from elman.calculus.matrix_form.abbreviations import abbreviate
from elman.calculus.matrix_form.transposes import move_transpose_inward
from elman.calculus.printing.rule_in_words import rule
from elman.calculus.shapes.inference import Shape
from elman.errors import FormulaError


def gradients(model: ForwardModel) -> list[ChainStep]:
    """Every gradient of the loss, at the step of the loss and, where the model recurs, at the earlier ones."""
    return _Deriver(_with_loss_of_logits(model), model).steps()


class _Deriver:
    def __init__(self, model: ForwardModel, written: ForwardModel) -> None:
        self.model = model
        self.written = written
        self.flow = Dependencies(model)
        self.timed = model.loss.time is not None
        self.found: list[ChainStep] = []

    def steps(self) -> list[ChainStep]:
        for name in self.flow.order(self.flow.live):
            self._variable(name, self.flow.live, now=True)
        self._parameters(self.flow.live, T if self.timed else None)
        if self.flow.earlier:
            for name in self.flow.order(self.flow.earlier):
                self._variable(name, self.flow.earlier, now=False)
            self._parameters(self.flow.earlier, self.model.earlier)
            self._sums()
            self._initial()
        return self.found

    # --- steps ---

    def _variable(self, name: str, among: set[str], now: bool) -> None:
        """∂J/∂v of a letter that has an equation, from all that uses v."""
        at = (T if now else self.model.earlier) if self._is_timed(name) else None
        target = self._symbol(name, at)
        users = self.flow.users(name, among, now)
        if users:
            total, chain, words = self._gathered(users, target, at)
            result = move_transpose_inward(Transpose(total)) if self.model.rows else total
            self.found.append(
                ChainStep(
                    self._derivative(target), chain, words, result, self.model.error_shape(name), self._letter(name, at)
                )
            )

    def _gathered(
        self, users: Sequence[tuple[str, int]], target: Symbol, at: Index | None
    ) -> tuple[Expression, Expression | None, str]:
        """What all users pass on to `target`, the chains that lead there (None: the loss itself uses it), the rules."""
        terms, chains, rules = zip(*(self._through(user, target, at) for user in users), strict=True)
        total, chain = reduce(Add, terms), reduce(Add, chains)
        return total, None if isinstance(chain, Derivative) else chain, "; ".join(dict.fromkeys(rules))

    def _through(self, user: tuple[str, int], target: Symbol, at: Index | None) -> tuple[Expression, Expression, str]:
        """What `user` passes on to `target`: the term, the chain of derivatives, the rule."""
        name, offset = user
        e = self.model.equation(name)
        assert e is not None
        by = replace(target, time=None if target.time is None else Index("t", offset))
        if name == self.model.loss.name:
            found = derivative(e.right, by, self.model.shapes, distributions=self.model.distributions)
            chain: Expression = self._derivative(target)
        else:
            found = self._pulled(e, by)
            passed = None if at is None else Index(at.variable, at.offset - offset)
            u = self._symbol(name, passed if self._is_timed(name) else None)
            chain = Product(self._derivative(u), Derivative(u, target), "")
        term = self._in_letters(found.expression or _no_matrix(by))
        if at is not None:  # it stood at t + offset
            term = shift_time(term, "t", Index(at.variable, at.offset - offset))
        return term, chain, rule(e.right, by)

    def _pulled(self, e: Equation, by: Symbol) -> Derived:
        """The gradient of Σ G ∘ f by `by`, G the error of the left side."""
        letter = self._letter(e.left.name, e.left.time)
        error = Transpose(letter) if self.model.rows else letter
        shapes = {**self.model.shapes, letter.name: self.model.error_shape(e.left.name)}
        weighed: Expression = Call("sum", (Product(error, e.right, "∘"),))
        return derivative(weighed, by, shapes, distributions=())

    def _in_letters(self, e: Expression) -> Expression:
        """What an equation names, by its letter: σ(z) as h, σ'(z) as h ∘ (1 - h)."""
        shapes = {**self.model.shapes, **{x.name: self.model.error_shape(n) for n, x in self.model.letters.items()}}
        return abbreviate(e, {x.left: x.right for x in self.written.equations}, shapes)

    def _parameters(self, among: set[str], at: Index | None) -> None:
        """∂J/∂W of what is given at every step alike, or the part of one step where earlier steps have one too."""
        given = {
            s.name: s
            for u in sorted(among)
            for s in self.flow.uses(u)
            if s.name not in self.flow.defined and s.time is None
        }
        for name in sorted(given, key=lambda n: (n.upper(), n)):
            if name not in self.model.shapes or name in self.model.distributions:
                continue
            barred = at is not None and self._in_earlier(name)
            if at == self.model.earlier and not barred:
                continue
            users = [
                (user, 0)
                for user in sorted(among & self.flow.defined)
                if any(s.name == name for s in self.flow.uses(user))
                and not (user == self.model.loss.name and at == self.model.earlier)
            ]
            total, chain, words = self._gathered(users, given[name], at)
            left = Derivative(self._loss(), given[name], at if barred else None)
            self.found.append(ChainStep(left, chain, words, self._laid(total), self._laid_shape(name)))

    def _in_earlier(self, name: str) -> bool:
        return any(s.name == name for u in self.flow.earlier for s in self.flow.uses(u))

    def _sums(self) -> None:
        """The same letters act at every step: the gradient is the sum of what the steps contribute."""
        barred = [s.left.wrt for s in self.found if s.left.at == self.model.earlier]
        for wrt in barred:
            assert isinstance(wrt, Symbol)
            part = Derivative(self._loss(), wrt, self.model.earlier)
            total = BigSum(str(self.model.earlier), part, Index(None, 1), T)
            words = "the letter acts at every step, so the contributions add up"
            self.found.append(ChainStep(Derivative(self._loss(), wrt), None, words, total, self._laid_shape(wrt.name)))

    def _laid(self, e: Expression) -> Expression:
        """The gradient by a given letter, as the layout has it."""
        return move_transpose_inward(Transpose(e)) if self.model.layout == "numerator" else e

    def _laid_shape(self, name: str) -> Shape:
        shape = self.model.shapes[name]
        return shape[::-1] if self.model.layout == "numerator" else shape

    def _initial(self) -> None:
        """∂J/∂h^(0), of what every earlier step is asked for: what the first step passes on."""
        asked = sorted(
            {
                s.name
                for u in self.flow.earlier
                for s in self.flow.uses(u)
                if offset_of(s) == -1 and s.name in self.flow.defined
            }
        )
        for name in asked:
            target = self._symbol(name, self.model.earlier)
            step = next((s for s in self.found if s.left.wrt == target), None)
            if step is None or any(
                offset_of(s) == 0 and s.name == name for u in self.flow.earlier for s in self.flow.uses(u)
            ):
                continue
            zero = Symbol(name, Index(None, 0), step.left.wrt.latex if isinstance(step.left.wrt, Symbol) else "")
            result = shift_time(step.result, str(self.model.earlier), Index(None, 0))
            result = move_transpose_inward(Transpose(result)) if self.model.layout == "shape" else result
            self.found.append(
                ChainStep(Derivative(self._loss(), zero), None,
                     "nothing made it: its gradient is what the first step passes on", result, self._laid_shape(name))
            )  # fmt: skip

    # --- symbols ---

    def _is_timed(self, name: str) -> bool:
        e = self.model.equation(name)
        return self.timed and e is not None and e.left.time is not None

    def _symbol(self, name: str, at: Index | None) -> Symbol:
        e = self.model.equation(name)
        assert e is not None
        return replace(e.left, time=at)

    def _loss(self) -> Symbol:
        return self.model.loss

    def _derivative(self, wrt: Symbol) -> Derivative:
        return Derivative(self._loss(), wrt)

    def _letter(self, name: str, at: Index | None) -> Symbol:
        letter = self.model.letters[name]
        return replace(letter, time=at if self._is_timed(name) else None)


def _no_matrix(by: Symbol) -> Expression:
    raise FormulaError(
        f"the gradient by {by.name} has no matrix form here: give a part of the equation a name of its own"
    )


def _with_loss_of_logits(model: ForwardModel) -> ForwardModel:
    """The model with a softmax that only the loss uses written into the loss: their derivatives cancel to ŷ - y."""
    loss = model.equation(model.loss.name)
    if loss is None:
        raise FormulaError(f"the loss {model.loss.name} has no equation")
    for s in symbols(loss.right):
        e = model.equation(s.name)
        users = [x for x in model.equations if any(u.name == s.name for u in symbols(x.right))]
        if e is None or len(users) != 1 or not (isinstance(e.right, Call) and e.right.function == "softmax"):
            continue

        def change(node: Expression, name: str = s.name, value: Expression = e.right) -> Expression:
            return value if isinstance(node, Symbol) and node.name == name else node

        merged = replace(loss, right=transform(loss.right, change))
        equations = [merged if x is loss else x for x in model.equations]
        return replace(model, equations=equations)
    return model
