"""What may have been meant where a letter, a number, an entry or a derivative is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from elman.calculus.expression import Apply, Derivative, Entry, Expression, Index, Number, Ones, Symbol, Transpose
from elman.calculus.printing.render import text
from elman.calculus.syntax.written_sizes import is_written
from elman.notes.judge.verdict import Verdict
from elman.notes.repair.edits import Edit, placed, shifted
from elman.notes.repair.omissions import omissions, other_sizes
from elman.notes.repair.search_space import SearchSpace


def substitutions(space: SearchSpace, e: Expression) -> Iterator[tuple[Expression, Edit]]:
    """What may have been meant in place of `e`, each with the edit that it takes."""
    if isinstance(e, Symbol | Derivative | Entry):
        for other in shifted(e):
            yield other, Edit(Verdict.TIME, f"{text(other)}, not {text(e)}")
    if isinstance(e, Derivative) and isinstance(e.wrt, Symbol):
        for letter in space.letters:
            if letter.name != e.wrt.name and letter.name not in space.oracle.model.named:
                other = replace(e, wrt=placed(letter, e.wrt))
                yield other, Edit(Verdict.ARGUMENT, f"{text(other)}, not {text(e)}")
    if isinstance(e, Apply) and len(e.arguments) == 1 and e.primes < 2:
        words = f"{e.name}, not its derivative" if e.primes else f"the derivative of {e.name}"
        yield replace(e, primes=1 - e.primes), Edit(Verdict.OPERATOR, words)
    if isinstance(e, Number):
        for value in sorted({Fraction(1), Fraction(2), Fraction(1, 2), Fraction(0)} - {e.value}):
            yield Number(value), Edit(Verdict.FALSE, f"{value}, not {e.value}")
        sizes = {name for name, _ in space.oracle.point.sizes if is_written(name)}
        for other_size in sorted(sizes - {str(e.value)}) if str(e.value) in sizes else ():
            yield Number(Fraction(other_size)), Edit(Verdict.ARGUMENT, f"{other_size}, not {e.value}")
    if space.insert:
        for wider, kind, words in omissions(e, space.oracle):
            yield wider, Edit(kind, words)
    if isinstance(e, Symbol):
        for size, kind, words in other_sizes(e, space.oracle):
            yield size, Edit(kind, words)
        for letter in space.letters:
            if letter.name != e.name:
                for written in space.as_written(placed(letter, e)):
                    yield written, Edit(Verdict.ARGUMENT, f"{text(written)}, not {text(e)}")
    if isinstance(e, Entry) and isinstance(e.of, Transpose):
        other = replace(e, of=e.of.of)
        yield other, Edit(Verdict.EXTRA_TRANSPOSE, f"{text(other)}, not {text(e)}")
    if isinstance(e, Entry) and e.column:
        for letter in space.letters:
            for written in space.as_written(letter):
                if written != e:
                    yield written, Edit(Verdict.ARGUMENT, f"{text(written)}, not {text(e)}")
    elif isinstance(e, Entry) and isinstance(e.of, Symbol):
        for letter in space.letters:
            if letter.name != e.of.name:
                other = replace(e, of=placed(letter, e.of))
                yield other, Edit(Verdict.ARGUMENT, f"{text(other)}, not {text(e)}")
        if len(e.indices) == 2:
            other = replace(e, indices=e.indices[::-1])
            yield other, Edit(Verdict.ORDER, f"{text(other)}, not {text(e)}")
        for i in space.index_letters():
            if len(e.indices) == 1 and e.indices[0] != Index(i):
                other = replace(e, indices=(Index(i),))
                yield other, Edit(Verdict.ARGUMENT, f"{text(other)}, not {text(e)}")
    if isinstance(e, Ones):
        for name, _ in space.oracle.point.sizes:
            if name != e.dim:
                yield Ones(name), Edit(Verdict.SHAPE, f"1_{name}, not {text(e)}")
