"""What the tests of the parsers share: a formula → what was read of it, as text."""

from __future__ import annotations

from elman.calculus.printing.render import text
from elman.calculus.syntax.names import Names
from elman.calculus.syntax.parse import read_formula

NO_NAMES = Names()


def read(formula: str, names: Names = NO_NAMES, form: str = "latex") -> list[str]:
    """The statements of a formula, which is read as a whole."""
    reading = read_formula(formula, names, form)
    assert not reading.not_read, reading.not_read
    return [text(relation) for relation in reading.relations]


def refused(formula: str, names: Names = NO_NAMES, form: str = "latex") -> list[tuple[str, str]]:
    """The parts of a formula that cannot be read, without the white space around them, and why."""
    reading = read_formula(formula, names, form)
    return [(formula[n.span[0] : n.span[1]].strip(), n.error.reason) for n in reading.not_read]
