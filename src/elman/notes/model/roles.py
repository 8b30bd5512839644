"""The roles of a page's names, from their use: targets, losses, states, and transposed letters of derivatives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction

from elman.calculus.expression import (
    Add,
    Apply,
    BigSum,
    Call,
    Comparison,
    Derivative,
    Entry,
    Expression,
    Inverse,
    Negative,
    Number,
    Power,
    Product,
    Subtract,
    Symbol,
    Transpose,
    children,
    factors_of,
    symbols,
    walk,
)
from elman.notes.model.page_model import Definition, PageModel, Roles


def with_roles(model: PageModel) -> PageModel:
    """The model with its `roles`."""
    of, by = set[str](), set[str]()
    for statement in model.statements:
        for part in statement.parts:
            for node in walk(part):
                if isinstance(node, Derivative):
                    of |= {s.name for s in [_letter(node.of)] if s}
                    by |= {s.name for s in [_letter(node.wrt)] if s}
    used = [*_values(model), *_all_parts(model)]
    given = {n.name for e in used for n in walk(e) if isinstance(n, Symbol | Apply)} - set(model.equations)
    roles = Roles(
        targets=frozenset(given & _targets(model)),
        positive=frozenset(given & under_logarithms(model)),
        shares=frozenset(given & _shares(model)),
        definite=frozenset(given & (_under_determinants(model) | _of_quadratic_forms(model))),
        symmetric=frozenset(given & (model.symmetric | _covariances(_all_parts(model)))),
        recurrent=earlier(model),
        losses=frozenset(of - by),
        labels={name: values for name, values in _labels(model).items() if name in given and name not in by},
        turned=_turned(model),
    )
    return replace(model, roles=roles)


def _values(model: PageModel) -> list[Expression]:
    return [d.value for found in model.equations.values() for d in found]


def _letter(e: Expression) -> Symbol | None:
    if isinstance(e, Entry):
        return _letter(e.of)
    return e if isinstance(e, Symbol) else None


def _all_parts(model: PageModel) -> list[Expression]:
    return [part for statement in model.statements for part in statement.parts]


def _targets(model: PageModel) -> set[str]:
    """y in y ln ŷ and in CE(y, ŷ), where ŷ comes from a softmax."""
    found: set[str] = set()
    for part in [*_all_parts(model), *_values(model)]:
        for node in walk(part):
            if isinstance(node, Call) and node.function == "cross_entropy":
                found |= {s.name for s in [_letter(node.arguments[0])] if s}
            sides = _factors_of_loss(node)
            if sides is not None and any(
                isinstance(n, Call) and n.function == "ln" and _from_softmax(n.arguments[0], model)
                for n in walk(sides[1])
            ):
                found |= {s.name for n in _outside_functions(sides[0]) for s in [_letter(n)] if s}
    return found


def _factors_of_loss(e: Expression) -> tuple[Expression, Expression] | None:
    """y and ln ŷ of y^T ln ŷ and ⟨y, ln ŷ⟩; None for anything but a product."""
    if isinstance(e, Product):
        return e.left, e.right
    return (e.arguments[0], e.arguments[1]) if isinstance(e, Call) and e.function == "inner" else None


def _outside_functions(e: Expression) -> Iterator[Expression]:
    """The nodes of an expression that are no arguments of functions without an equation."""
    yield e
    if not isinstance(e, Apply):
        for child in children(e):
            yield from _outside_functions(child)


def _from_softmax(e: Expression, model: PageModel) -> bool:
    letter = _letter(e)
    if letter is not None:
        own = [d for (name, _), d in model.start.items() if name == letter.name]  # a^L = softmax(z^L)
        definitions = [*own, model.defined(letter.name)]
        return any(d is not None and any(is_softmax(n) for n in walk(d.value)) for d in definitions)
    return any(is_softmax(n) for n in walk(e))


def is_softmax(e: Expression) -> bool:
    """softmax(z), or its entries written out: e^{z_i} / Σ_k e^{z_k}."""
    if isinstance(e, Call):
        return e.function == "softmax"
    if not (isinstance(e, Product) and e.operator == "/" and isinstance(e.right, BigSum)):
        return False
    return all(isinstance(side, Call) and side.function == "exp" for side in (e.left, e.right.body))


def under_logarithms(model: PageModel) -> set[str]:
    """Names of letters and of applied functions under a logarithm or a root, alone or in a sum or product; and those in
    the sums and products that such letters are.
    """
    found, stack = set[str](), list(_of_logarithms(model))
    while stack:
        for name in _names_in_sums_and_products(stack.pop()):
            if name not in found:
                found.add(name)
                stack += [d.value for d in model.equations.get(name, ())]
    return found


def _of_logarithms(model: PageModel) -> Iterator[Expression]:
    """What stands under the logarithms and roots of a page; a power of -1/2 is a root."""
    for part in _all_parts(model):
        for node in walk(part):
            if isinstance(node, Call) and node.function in ("ln", "sqrt"):
                yield node.arguments[0]
            elif isinstance(node, Power) and _is_broken(node.exponent):
                yield node.of


def _names_in_sums_and_products(e: Expression) -> Iterator[str]:
    if isinstance(e, Add) or (isinstance(e, Product) and e.operator in ("", "·", "@", "/")):
        yield from _names_in_sums_and_products(e.left)
        yield from _names_in_sums_and_products(e.right)
    elif isinstance(e, Transpose):
        yield from _names_in_sums_and_products(e.of)
    elif isinstance(e, BigSum):
        yield from _names_in_sums_and_products(e.body)
    elif isinstance(e, Apply):
        yield e.name
    elif letter := _letter(e):
        yield letter.name


def _shares(model: PageModel) -> set[str]:
    """Names p under a logarithm as 1 - p, which are between 0 and 1."""
    logarithms = (n for part in _all_parts(model) for n in walk(part) if isinstance(n, Call) and n.function == "ln")
    rests = (n.arguments[0] for n in logarithms)
    letters = (_letter(e.right) for e in rests if isinstance(e, Subtract) and e.left == Number(Fraction(1)))
    return {letter.name for letter in letters if letter is not None}


def _is_broken(e: Expression) -> bool:
    """Whether an exponent is a number that is not whole: 1/2, -3/2, 0.5."""
    if isinstance(e, Negative):
        return _is_broken(e.of)
    if isinstance(e, Product) and e.operator == "/":
        one, other = _number(e.left), _number(e.right)
        return one is not None and other is not None and other != 0 and (one / other) % 1 != 0
    number = _number(e)
    return number is not None and number % 1 != 0


def _labels(model: PageModel) -> dict[str, tuple[float, ...]]:
    """The numbers that a letter is compared with, where it is never asked whether it is greater or less than one."""
    found, ordered = dict[str, set[float]](), set[str]()
    for node in (n for part in [*_all_parts(model), *_values(model)] for n in walk(part)):
        if not isinstance(node, Comparison):
            continue
        for side, other in ((node.left, node.right), (node.right, node.left)):
            letter = _letter(side)
            if letter is None:
                continue
            number = _number(other)
            if number is None or node.operator not in ("=", "≠"):
                ordered.add(letter.name)
            else:
                found.setdefault(letter.name, set()).add(number)
    return {
        name: tuple(sorted(numbers if len(numbers) > 1 else {*numbers, float(numbers == {0.0})}))
        for name, numbers in found.items()
        if name not in ordered
    }


def _number(e: Expression) -> float | None:
    """A number, which may have a sign."""
    if isinstance(e, Negative):
        number = _number(e.of)
        return None if number is None else -number
    return float(e.value) if isinstance(e, Number) else None


def _of_quadratic_forms(model: PageModel) -> set[str]:
    """Matrices of quadratic forms under logarithms and roots: S in ln(1 + v^T S^{-1} v)."""
    found: set[str] = set()
    for inner in _of_logarithms(model):
        for node in walk(inner):
            factors = factors_of(node)
            if len(factors) >= 3 and factors[-3] == Transpose(factors[-1]):
                matrix = factors[-2]
                found |= {s.name for s in [_letter(matrix.of if isinstance(matrix, Inverse) else matrix)] if s}
    return found


def _under_determinants(model: PageModel) -> set[str]:
    """Matrices whose determinant is under a logarithm or a root, as in ln det S, ln det(2 S) and det(S)^{-1/2}."""
    return set(_with_determinants(_of_logarithms(model)))


def _with_determinants(expressions: Iterable[Expression]) -> Iterator[str]:
    """The matrices of which expressions are the determinants."""
    for e in expressions:
        if isinstance(e, Call) and e.function == "det":
            yield from (s.name for s in symbols(e))


def _covariances(parts: list[Expression]) -> set[str]:
    """The Σ of a normal density, e^{-(x - μ)^T Σ^-1 (x - μ) / 2}, or what stands for it where det(S)^{-1/2} is, too."""
    found: set[str] = set()
    roots = (n.of for part in parts for n in walk(part) if isinstance(n, Power) and _is_broken(n.exponent))
    spread = set(_with_determinants(roots))
    powers = (n for part in parts for n in walk(part) if isinstance(n, Call) and n.function == "exp")
    for node in (n for power in powers for n in walk(power) if isinstance(n, Product)):
        factors = factors_of(node)[-3:]
        if len(factors) == 3 and isinstance(factors[0], Transpose) and factors[0].of == factors[2]:
            inner = factors[1].of if isinstance(factors[1], Inverse) else None
            if isinstance(inner, Symbol) and (inner.name.split("_")[0] == "Sigma" or inner.name in spread):
                found.add(inner.name)
    return found


def earlier(model: PageModel) -> frozenset[str]:
    """Names whose value at an earlier time step is used in an equation."""
    found: set[str] = set()
    for definitions in model.equations.values():
        for d in definitions:
            here = d.time.offset if d.time is not None else 0
            for node in walk(d.value):
                if isinstance(node, Symbol) and node.time is not None and node.time.variable is not None:
                    same = d.time is None or node.time.variable == d.time.variable
                    found |= {node.name} if same and node.time.offset < here else set()
    return frozenset(found)


def _turned(model: PageModel) -> dict[str, bool]:
    """For letters of derivatives with a declared shape: whether it is the transpose of the variable's shape."""
    found: dict[str, bool] = {}
    for name, definitions in model.named.items():
        declared, of = model.shapes.get(name), _by(definitions[0])
        shape = (model.shapes.get(of) or model.derived.get(of)) if of else None
        if declared is None or shape is None or shape[0] == shape[1]:
            continue
        found[name] = is_transposed(declared, shape)
    return found


def is_transposed(declared: tuple[str, str], shape: tuple[str, str]) -> bool:
    """Whether `declared` is `shape` transposed; where neither fits, whether one of its sizes says so."""
    if declared == shape:
        return False
    if declared == shape[::-1]:
        return True
    return declared[0] == shape[1] or declared[1] == shape[0]


def _by(d: Definition) -> str | None:
    letter = _letter(d.value.wrt) if isinstance(d.value, Derivative) else None
    return letter.name if letter else None
