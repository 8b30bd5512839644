r"""The segments of a formula → its relations; each part is read on its own, and one that cannot be read leaves the
others.

A segment without a first part goes on with the relation before it. One behind a relation that relates indices (i = j),
or follows the word "if", is a condition of it; what follows \forall, and numbers such as (1), is none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile

from elman.calculus.expression import Comparison, Dots, Expression, Iverson, Relation, children
from elman.calculus.syntax.conditions import SIGNS, at_top, conditions, has_relation, is_index
from elman.calculus.syntax.cursor import Cursor
from elman.calculus.syntax.grammar import Grammar, is_operator, joined
from elman.calculus.syntax.names import PROBABILITIES, Names
from elman.calculus.syntax.segments import Segment, segments_of
from elman.calculus.syntax.tokens import DOTS, MAX_DEPTH, OPENING, Token, check_nesting
from elman.errors import FormulaError


@dataclass(frozen=True, slots=True)
class NotRead:
    """A part of a formula that cannot be read, from `span[0]` to `span[1]`, and why; `left` is the first part of its
    relation, where that was read: what the unread part would define.
    """

    span: tuple[int, int]
    error: FormulaError
    left: Expression | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of a formula, and what was not."""

    relations: tuple[Relation, ...]
    not_read: tuple[NotRead, ...]


def read_relations(tokens: list[Token], names: Names, parser: Callable[[Cursor], Grammar], length: int) -> Reading:
    """What a formula says; `parser` gives a parser of some tokens, `length` is the length of the text."""
    reader = _Reader(names, parser, length)
    for rows in _balanced(tokens, reader.not_read):
        reader.read(segments_of(rows, names))
    return Reading(tuple(reader.relations), tuple(sorted(reader.not_read, key=lambda n: n.span)))


def _balanced(tokens: list[Token], not_read: list[NotRead]) -> list[list[Token]]:
    """The rows whose brackets are closed, all at once where all are."""
    try:
        check_nesting(tokens)
        return [tokens]
    except FormulaError as whole:
        rows = _rows(tokens)
        if len(rows) == 1:
            not_read.append(NotRead((tokens[0].start, tokens[-1].end), whole))
            return []
    found = []
    for row in rows:
        try:
            check_nesting(row)
            found.append(row)
        except FormulaError as error:
            last = row[-2] if row[-1].kind == "newline" and len(row) > 1 else row[-1]
            not_read.append(NotRead((row[0].start, last.end), error))
    return found


def _rows(tokens: list[Token]) -> list[list[Token]]:
    """The rows of a formula, whatever brackets are open."""
    rows: list[list[Token]] = [[]]
    for token in tokens:
        rows[-1].append(token)
        if token.kind == "newline":
            rows.append([])
    return [row for row in rows if any(t.kind != "newline" for t in row)]


_OPPOSITE = {"=": "≠", "≠": "=", "<": "≥", "≥": "<", ">": "≤", "≤": ">"}


class _Reader:
    """Reads segments into relations."""

    def __init__(self, names: Names, parser: Callable[[Cursor], Grammar], length: int) -> None:
        self.names = names
        self.parser = parser
        self.length = length
        self.relations: list[Relation] = []
        self.not_read: list[NotRead] = []
        self.pending: list[tuple[Expression, ...]] = []  # conditions before their relation
        self.in_row = False  # whether the row has a relation, which a condition behind it belongs to

    def read(self, segments: list[Segment]) -> None:
        """Reads the segments of some rows."""
        skipped = 0
        for number, segment in enumerate(segments):
            if segment.is_first:
                self.in_row, self.pending = False, []
            if skipped:
                skipped -= 1
            elif skips := self._range_length(segments, number):
                skipped = skips - 1
            elif segment.before == "forall":
                self._tail(segment)
            elif _is_label(segment):
                continue
            elif self._is_condition(segment, segments[number + 1 : number + 2]):
                self._condition(segment)
            elif segment.before == "otherwise" and segment.is_empty:
                self._otherwise(segment)
            elif self._is_half_of_table(segment):
                if self.relations and self.relations[-1].parts:
                    self._spoil_last(segment)
                self.in_row = False
            else:
                row = list(takewhile(lambda s: not s.is_first, segments[number + 1 :]))
                self._relation(segment, any(self._restricts(further) for further in row))

    # --- conditions ---

    def _is_condition(self, segment: Segment, following: list[Segment]) -> bool:
        """Whether a segment restricts the relation before it, or the one behind it."""
        if segment.before == "if" and (segment.signs and segment.parts[0]):
            return self.in_row or bool(following and not following[0].is_first)
        tokens = segment.tokens
        if tokens and tokens[0].kind == "(" and tokens[-1].kind == ")" and not segment.signs:
            return self.in_row and has_relation(tokens[1:-1])
        if not segment.signs or not all(segment.parts):
            return False
        if not self.in_row:
            follows = bool(
                following and not following[0].is_first and following[0].before in ("comma", "colon", "arrow")
            )
            return follows and self._relates_indices(segment)
        signs = [sign for sign, _ in segment.signs]
        return self._relates_indices(segment) or (
            len(signs) == 1 and signs[0] in SIGNS - {"="} and segment.before != "row"
        )

    def _relates_indices(self, segment: Segment) -> bool:
        """Whether a segment is i = j, i ≠ j or j < k: indices, one of them a letter that is no quantity of the page."""
        if not segment.signs or any(sign not in SIGNS for sign, _ in segment.signs):
            return False
        if not all(part and is_index(part, self.names) for part in segment.parts):
            return False
        letters = [part for part in segment.parts if part[0].kind != "number"]
        return len(letters) > 1 or (len(letters) == 1 and letters[0][0].text in self.names.indices)

    def _condition(self, segment: Segment) -> None:
        tokens = segment.tokens
        try:
            found = conditions(self.parser(Cursor([], self.length)), tokens)
        except FormulaError as error:
            self.not_read.append(NotRead((tokens[0].start, tokens[-1].end), error))
            found = (Dots(span=(tokens[0].start, tokens[-1].end)),)
        self._attach(found)

    def _restricts(self, segment: Segment) -> bool:
        """Whether a segment behind a relation is a condition of it."""
        tokens = segment.tokens
        bracketed = bool(tokens) and tokens[0].kind == "(" and has_relation(tokens[1:-1])
        return segment.before in ("if", "otherwise") or bracketed or self._relates_indices(segment)

    def _otherwise(self, segment: Segment) -> None:
        """The condition of the relation before this one is not met."""
        before = self.relations[-2].conditions if len(self.relations) > 1 else ()
        one = before[0] if len(before) == 1 else None
        if isinstance(one, Iverson | Comparison):
            self._attach((replace(one, operator=_OPPOSITE[one.operator]),))
        else:
            self._attach((Dots(),))

    def _attach(self, found: tuple[Expression, ...]) -> None:
        """Adds conditions to the relation of this row, or keeps them for the one that comes."""
        if self.in_row and self.relations:
            last = self.relations[-1]
            self.relations[-1] = replace(last, conditions=(*last.conditions, *found))
        else:
            self.pending.append(found)

    def _tail(self, segment: Segment) -> None:
        """What is behind \\forall: a condition if it excludes an index."""
        if (
            segment.signs
            and all(sign in ("≠", "<", ">") for sign, _ in segment.signs)
            and self._relates_indices(segment)
        ):
            self._condition(segment)

    def _range_length(self, segments: list[Segment], number: int) -> int:
        """How many segments from here on are a range, k = 1, …, K or i ∈ S, which restricts nothing."""
        segment = segments[number]
        signs = [sign for sign, _ in segment.signs]
        if segment.before in ("for", "forall") and not signs:
            return 1  # for all i
        if segment.is_first or segment.before == "if" or len(signs) != 1 or not is_index(segment.parts[0], self.names):
            return 0
        if signs[0] in ("∈", "∉"):
            return 1
        if signs[0] != "=":
            return 0
        for length in (1, 2, 3):
            further = segments[number + length - 1 : number + length]
            if further and any(t.text in DOTS for t in further[0].tokens):
                after = segments[number + length : number + length + 1]
                return length + bool(after and after[0].before == "comma" and not after[0].signs)
        return 0

    # --- parts ---

    def _relation(self, segment: Segment, restricted: bool) -> None:
        """One relation; `restricted`: a condition follows in its row."""
        segment, behind = _with_condition_behind(segment)
        continues = not segment.parts[0]
        new_case = segment.before == "row" and (restricted or bool(behind))
        if continues and self.relations and not (new_case and self.relations[-1].conditions):
            self._extend(self.relations.pop(), segment)
        else:
            self._begin(segment, continues)
        self.in_row = True
        if behind:
            self._condition(Segment("if", False, [behind], []))

    def _is_half_of_table(self, segment: Segment) -> bool:
        """Whether a segment without a sign is behind an & of the same row: the row is that of a table, A = 1 & 2."""
        return segment.before == "cell" and self.in_row and not segment.signs

    def _spoil_last(self, segment: Segment) -> None:
        """Leaves out the part before an & that divides a table without its environment."""
        last = self.relations.pop()
        reason = r"& separates the cells of a table: write its rows within \begin{matrix} … \end{matrix}"
        error = FormulaError(reason, segment.parts[0][0].start + 1)
        left = last.parts[0] if len(last.parts) > 1 else None
        self.not_read.append(NotRead(last.regions[-1], error, left))
        cut = replace(last, parts=last.parts[:-1], operators=last.operators[:-1], regions=last.regions[:-1])
        self._keep(cut)

    def _begin(self, segment: Segment, continues: bool) -> None:
        """A relation of its own."""
        first = segment.signs[0] if segment.signs else ("", None)
        parts, regions = list[Expression](), list[tuple[int, int]]()
        if continues and self.relations:  # another case of the left side above
            left = self.relations[-1]
            parts, regions = [left.parts[0]], [left.regions[0]]
        elif continues and first[1] is not None:
            parts, regions = [Dots(span=(first[1].start, first[1].start))], [(first[1].start, first[1].start)]
        else:
            region = (segment.parts[0][0].start, segment.parts[0][-1].end)
            left_side = self._part(segment.parts[0], region, None, is_left=first[0] in ("=", ":="))
            if left_side is not None:
                parts, regions = [left_side], [region]
        base = Relation(tuple(parts), (), tuple(regions))
        is_new_start = continues and not self.relations
        self._extend(replace(base, continues=is_new_start), segment)

    def _extend(self, base: Relation, segment: Segment) -> None:
        """Adds the parts of a segment to a relation; one that cannot be read parts it, or is left out of a chain of
        equal things.
        """
        parts, operators, regions = list(base.parts), list(base.operators), list(base.regions)
        left = parts[0] if parts else None
        lost: list[str] = []  # the signs since the last part that was read
        for number, ((sign, token), part) in enumerate(zip(segment.signs, segment.parts[1:], strict=True), 1):
            if sign == "=" and not part and segment.signs[number : number + 1]:
                continue  # the sign ends one row and begins the next
            lost.append(sign)
            region = (token.end, part[-1].end if part else token.end)
            read = self._part(part, region, left, lenient=sign in ("∈", "∉", "~", "⊂", "⊆"))
            if read is None:
                continue
            if parts and all(s in ("=", ":=") for s in lost[:-1]):
                operators.append("=" if len(lost) > 1 and sign == ":=" else sign)
            elif parts:
                self._keep(replace(base, parts=tuple(parts), operators=tuple(operators), regions=tuple(regions)))
                base = Relation((), ())
                parts, operators, regions = [], [], []
            parts.append(read)
            regions.append(region)
            lost = []
        conditions_ = tuple(c for found in self.pending for c in found)
        self.pending = []
        new = replace(base, parts=tuple(parts), operators=tuple(operators), regions=tuple(regions))
        self._keep(replace(new, conditions=(*new.conditions, *conditions_)), bool(segment.signs))

    def _keep(self, relation: Relation, had_signs: bool = True) -> None:
        """Adds a relation; one of which a single part is left says nothing."""
        if len(relation.parts) > had_signs:
            self.relations.append(relation)

    def _part(
        self,
        tokens: list[Token],
        region: tuple[int, int],
        left: Expression | None,
        is_left: bool = False,
        lenient: bool = False,
    ) -> Expression | None:
        """One part; None where it cannot be read."""
        parser = self.parser(Cursor(joined(tokens), self.length))
        parser.is_left = is_left
        try:
            if not parser.cursor.tokens:
                raise FormulaError("something is missing at the end", region[1] + 1)
            found = parser.whole()
            check_depth(found)
        except FormulaError as error:
            if lenient:
                return Dots(span=region)
            self.not_read.append(NotRead(region, error, left))
            return None
        return found


def _is_label(segment: Segment) -> bool:
    """Whether a segment is the number of an equation, (1), (2a), (*), or words in brackets: (mean)."""
    tokens = segment.tokens
    if not segment.signs and len(tokens) > 3 and tokens[0].kind == "(" and tokens[-1].kind == ")":
        inner = tokens[1:-1]
        if any(t.kind == "prose" for t in inner) and not has_relation(inner):
            return True
        if all(t.kind == "letter" for t in inner) and all(a.end == b.start for a, b in pairwise(inner)):
            return True
    if segment.signs or not (2 < len(tokens) < 6 and tokens[0].kind == "(" and tokens[-1].kind == ")"):
        return False
    inner = tokens[1:-1]
    return inner[0].kind in ("number", "*") and all(t.kind in ("number", "letter", "*", "'", ".") for t in inner)


def _with_condition_behind(segment: Segment) -> tuple[Segment, list[Token]]:
    """A segment without the condition in parentheses at its end, and that condition: p_i p_j (i ≠ j)."""
    tokens = segment.parts[-1]
    if len(segment.parts) < 2 or not tokens or tokens[-1].kind != ")":
        return segment, []
    opened = next((i for i, t in reversed(at_top(tokens)) if t.kind in OPENING), None)
    if opened is None or opened == 0 or tokens[opened].text != "(" or not has_relation(tokens[opened + 1 : -1]):
        return segment, []
    before = tokens[opened - 1]
    if before.text in ("1", "I", "𝟙") or before.kind == "}" or is_operator(before):
        return segment, []
    if before.text in PROBABILITIES or any(t.kind == "|" for _, t in at_top(tokens[opened + 1 : -1])):
        return segment, []  # P(X = x), and not a condition of P
    kept = tokens[:opened]
    return replace(segment, parts=[*segment.parts[:-1], kept]), tokens[opened + 1 : -1]


def check_depth(e: Expression) -> None:
    """Raises `FormulaError` for an expression that nests too deep."""
    stack = [(e, 1)]
    while stack:
        node, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise FormulaError(f"this formula nests deeper than {MAX_DEPTH}: name its parts", node.span[0] + 1)
        stack += [(child, depth + 1) for child in children(node)]
