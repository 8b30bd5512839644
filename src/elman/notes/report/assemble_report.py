"""Explanations → the claims of the report, with places, shapes, and repairs as replacements of the page's text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from elman.calculus.expression import Derivative, Expression, Symbol, walk
from elman.calculus.printing.python import python
from elman.calculus.printing.render import latex, text
from elman.calculus.shapes.kinds import is_called_a_loss
from elman.errors import FormulaError
from elman.notes.judge.checker import Checker
from elman.notes.judge.claim_kinds import ELLIPSIS
from elman.notes.judge.judgement import Judgement
from elman.notes.judge.verdict import Claim, Repair, Verdict
from elman.notes.model.last_layer import as_written
from elman.notes.model.page_model import TIME, Statement
from elman.notes.model.roles import is_transposed
from elman.notes.oracle.evaluation_point import HORIZON
from elman.notes.page.page import SUPPLIED, Formula, Page, ShapeLine
from elman.notes.repair.diagnose import ExplainedPage
from elman.notes.repair.explanation import Candidate, Explanation
from elman.notes.repair.perplexity import perplexity, speaks_of_perplexity

_BARE_NABLA = re.compile(r"\\nabla(?![A-Za-z])\s*(?!_)[A-Za-z\\(]|∇\s*[A-Za-z\\(]")
_SPACE = re.compile(r"\s+")
_WRITTEN_OUT = re.compile(r"\\[lcvd]?dots(?![A-Za-z])|\\dots[cb](?![A-Za-z])|\.\.\.|…")
_AS_IN_A_PROGRAM = re.compile(r"\b(?:dim|axis)\s*=")


def claims_of(page: ExplainedPage) -> tuple[Claim, ...]:
    """All claims in the order of the page."""
    found: list[Claim] = []
    for section in page.sections:
        checker = section.checker
        given = section.explanations.values()
        found += [_claim(checker, e) for e in given if e.judgement.statement.formula.kind != SUPPLIED]
        for statement in checker.model.own_statements():
            found += _no_claim(checker, statement)
    found += _unread(page.checker)
    found += _shape_claims(page)
    return tuple(sorted(found, key=lambda c: (c.start, c.end)))


def _claim(checker: Checker, e: Explanation) -> Claim:
    j = e.judgement
    start, end = (j.statement.formula.start + n for n in j.statement.region(j.part))
    reading = e.reading
    if j.result.column and e.holds:
        reading = "for one column (B = 1)"
    elif j.result.summed and e.holds:
        reading = (reading + "; " if reading else "") + "the loss of each column, summed over the batch"
    line, column, _ = checker.page.place(start)
    left, right = j.statement.source(j.beside), j.statement.source(j.part)
    # What is written with an ellipsis, or in a formula as in a program, was read by entries: no repair would fit it.
    signs = (_WRITTEN_OUT,) if j.statement.formula.kind == "code" else (_WRITTEN_OUT, _AS_IN_A_PROGRAM)
    sources = [j.statement.source(k) for k in range(len(j.statement.parts))]
    written_out = any(sign.search(source) for sign in signs for source in sources)
    repairs = () if written_out else tuple(_repair(checker, e, f) for f in e.candidates)
    return Claim(
        line, column, start, end, left, right, e.verdict, e.diagnosis, reading, repairs, _shapes(checker, j),
        e.candidates[0].verdicts if e.candidates else (e.verdict,), j.statement.formula.cell,
        j.result.counterexample if e.verdict.is_wrong else None,
    )  # fmt: skip


def _repair(checker: Checker, e: Explanation, f: Candidate) -> Repair:
    """A repair replaces the part, or everything from the left side on where that changes too."""
    j = e.judgement
    start, end = j.statement.region(j.part)
    formula = j.statement.formula
    show = _code(checker, j) if formula.kind == "code" else _latex(checker)
    part = show(f.part) if f.part != j.expression else formula.text[start:end]
    words = tuple(dict.fromkeys(edit.words for edit in f.edits))
    kinds = f.verdicts or (e.verdict,)
    if f.left == j.left:
        return Repair(part, formula.start + start, formula.start + end, part, words, kinds)
    first, after = j.statement.region(0)
    left = show(f.left)
    whole = left + formula.text[after:start] + part
    return Repair(f"{left} = {part}", formula.start + first, formula.start + end, whole, words, kinds)


def _latex(checker: Checker) -> Callable[[Expression], str]:
    return (lambda e: latex(as_written(e))) if checker.model.last_layer else latex


def _code(checker: Checker, j: Judgement) -> Callable[[Expression], str]:
    """Prints expressions as NumPy code; their shapes tell a scaling (*) from a matrix product (@)."""
    oracle = checker.sampling.oracles(j.statement)[0]

    def shape_of(e: Expression) -> tuple[str, str]:
        try:
            rows, columns = oracle.evaluate(e, {TIME: HORIZON - 1}).shape[-2:]
        except (FormulaError, ValueError):
            return "rows", "columns"  # not known: no scalar, and not square
        return str(rows), str(columns)

    return lambda e: python(e, shape_of)


def _shapes(checker: Checker, j: Judgement) -> tuple[tuple[int, int, str], ...]:
    """The shape under each letter of a part, by its place in the part's source, which is on one line."""
    if j.alone:
        return ()  # its letters are not what they are in the section
    oracle = checker.sampling.oracles(j.statement)[0]
    start, end = j.statement.region(j.part)

    def place(at: int) -> int:
        return len(_SPACE.sub(" ", j.statement.formula.text[start:at]))

    found = []
    for node in walk(j.expression):
        if isinstance(node, Symbol) and start <= node.span[0] < node.span[1] <= end:
            shape = oracle.values.shape_of(node.name)
            if shape is not None:
                found.append((place(node.span[0]), place(node.span[1]), oracle.sizes.as_text(shape)))
    return tuple(found)


# --- formulas that claim nothing ---


def _no_claim(checker: Checker, statement: Statement) -> Iterator[Claim]:
    reasons = [checker.why_no_claim(statement, k) for k in range(1, len(statement.parts))]
    if not all(reasons) and statement.formula.kind != SUPPLIED:
        for k, reason in enumerate(reasons, 1):
            if reason == ELLIPSIS:  # a part of a chain whose other parts are judged
                begin, stop = (statement.formula.start + place for place in statement.region(k))
                yield _nothing(checker, statement.formula, begin, stop, reason)
    if not all(reasons) or statement.formula.kind == SUPPLIED:
        return
    why = reasons[0] if reasons else "no equation"
    if why in ("no equation", "this is no equation") and (
        statement.formula.kind != "display" or statement.relation.operators[:1] == ("∈",)
    ):
        return
    start = statement.formula.start + statement.region(0)[0]
    end = statement.formula.start + statement.region(len(statement.parts) - 1)[1]
    yield _nothing(checker, statement.formula, start, end, why)


def _unread(checker: Checker) -> Iterator[Claim]:
    for unread in checker.model.unread:
        formula, error = unread.formula, unread.error
        begin, stop = unread.span
        if not formula.text[begin:stop].strip():
            begin, stop = 0, len(formula.text)
        piece = formula.text[begin:stop]
        start = formula.start + stop - len(piece.lstrip())
        end = formula.start + begin + len(piece.rstrip())
        if "=" in formula.text:
            line, column, _ = checker.page.place(start)
            at = checker.page.place(formula.start + (error.column or 1) - 1)
            why = f"{error.reason} (line {at[0]}, column {at[1]})"
            shown = _SPACE.sub(" ", piece.strip())
            yield Claim(line, column, start, end, "", shown, Verdict.NOT_READ, why, cell=formula.cell)
        elif formula.kind == "display":
            yield _nothing(checker, formula, start, end, f"no equation stands here ({error.reason})")


def _nothing(checker: Checker, formula: Formula, start: int, end: int, why: str) -> Claim:
    proposal = _perplexity(checker, formula, start, end)
    if proposal is not None:
        why = "left open; the words before it speak of perplexity, the exponential of the mean loss per token"
    line, column, _ = checker.page.place(start)
    shown = _SPACE.sub(" ", checker.page.text[start:end])
    fixes = (proposal,) if proposal is not None else ()
    return Claim(line, column, start, end, "", shown, Verdict.NOT_A_CLAIM, why, fixes=fixes, cell=formula.cell)


def _perplexity(checker: Checker, formula: Formula, start: int, end: int) -> Repair | None:
    """The definition of perplexity, where a page announces it and leaves it open."""
    value = perplexity(checker) if speaks_of_perplexity(formula) else None
    if value is None:
        return None
    whole = f"P = {latex(value)}"
    return Repair(whole, start, end, whole, ("define it",), (Verdict.NOT_A_CLAIM,))


# --- declared shapes ---


def _shape_claims(page: ExplainedPage) -> Iterator[Claim]:
    """Declared shapes of letters for derivatives: that of what they are by, or its transpose."""
    for line in page.checker.page.shapes:
        checker = _section_of(page, line)
        name = checker.model.aliases.get(line.name, line.name)
        if "0" in (line.rows, line.columns):
            why = "a size of 0 is given where one from 1 on is expected: write a number or a name"
            yield _shape_claim(checker, line, Verdict.NOT_READ, why, None)
            continue
        if name in page.reshaped:
            right, why = page.reshaped[name]
            yield _shape_claim(checker, line, Verdict.SHAPE, why, _shape_repair(checker.page, line, right))
        if name not in checker.model.named or line.start < 0:
            continue
        shape = _shape_of(checker, name)
        if shape is None:
            continue
        declared = (line.rows, line.columns)
        if declared in (shape, shape[::-1]):
            words = "rows: a transpose of it" if declared != shape else "its own shape"
            yield _shape_claim(checker, line, Verdict.HOLDS, words, None)
            continue
        right = shape[::-1] if is_transposed(declared, shape) else shape
        fix = _shape_repair(checker.page, line, right)
        of = checker.model.named[name][0].value
        assert isinstance(of, Derivative)
        if _is_by_a_bare_nabla(checker, name) or _may_be_a_jacobian(line, of, shape):
            continue  # by which letter is a guess, or a Jacobian matrix
        why = f"it is the gradient by {_name(of.wrt)}, which is [{shape[0]},{shape[1]}]"
        yield _shape_claim(checker, line, Verdict.SHAPE, why, fix)


def _may_be_a_jacobian(line: ShapeLine, of: Derivative, shape: tuple[str, str]) -> bool:
    """Whether a letter that is declared as [m,n] may be the Jacobian matrix of several functions: the page does not say
    that one number is differentiated, and the shape has another size than the letter that it is by.
    """
    loss = isinstance(of.of, Symbol) and is_called_a_loss(of.of.name)
    return not loss and "1" not in (line.rows, line.columns) and {line.rows, line.columns}.isdisjoint({*shape} - {"1"})


def _is_by_a_bare_nabla(checker: Checker, name: str) -> bool:
    """Whether a letter stands for a ∇f that does not say by what, and that has a shape of its own: A = ∇f(X)."""
    statement = checker.model.named[name][0].statement
    return statement >= 0 and _BARE_NABLA.search(checker.model.statements[statement].formula.text) is not None


def _section_of(page: ExplainedPage, line: ShapeLine) -> Checker:
    """The checker of the section in which a shape is declared."""
    for section in reversed(page.sections):
        first = next(iter(section.checker.model.own_statements()), None)
        if first is not None and first.formula.outer[0] <= line.start:
            return section.checker
    return page.checker


def _shape_repair(page: Page, line: ShapeLine, shape: tuple[str, str]) -> Repair:
    written = line.written(*shape, page.text[line.start : line.end])
    words = f"[{shape[0]},{shape[1]}], not [{line.rows},{line.columns}]"
    return Repair(f"[{shape[0]},{shape[1]}]", line.start, line.end, written, (words,), (Verdict.SHAPE,))


def _name(e: Expression) -> str:
    return text(e)


def _shape_of(checker: Checker, name: str) -> tuple[str, str] | None:
    d = checker.model.named[name][0]
    wrt = d.value.wrt if isinstance(d.value, Derivative) else None
    if not isinstance(wrt, Symbol):
        return None
    if wrt.name in checker.model.shapes:
        return checker.model.shapes[wrt.name]
    oracle = next(iter(checker.sampling.plain_oracles()))
    shape = oracle.values.shape_of(wrt.name)
    if shape is None:
        return None
    rows, columns = oracle.sizes.as_text(shape)[1:-1].split(",")
    return rows, columns


def _shape_claim(checker: Checker, line: ShapeLine, verdict: Verdict, why: str, fix: Repair | None) -> Claim:
    start = line.start
    at = checker.page.place(start)
    shown = checker.page.text[line.start : line.end]
    diagnosis, reading = ("", why) if verdict == Verdict.HOLDS else (why, "")
    return Claim(
        at[0], at[1], start, line.end, f"shape of {line.name}", shown, verdict, diagnosis, reading,
        (fix,) if fix else (), cell=line.cell,
    )  # fmt: skip
