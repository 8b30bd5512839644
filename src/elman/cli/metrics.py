"""elman metrics: the records of a run as a table; and the reading of metrics.jsonl.

Every line of that file is one of the records of training, but for a last one that a crash cut off.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from elman.cli.options import as_json, run_argument
from elman.cli.streams import show, show_json
from elman.errors import CheckpointError
from elman.files import is_there, open_input
from elman.schema import COUNTER, Source, mapping, parsed, read

if TYPE_CHECKING:
    from elman.training.records import WrittenRecord

LONGEST_LINE = 16 * 2**20
"""The most bytes of a line."""
RESTORE = "take a copy from elsewhere, or delete it to go on without what training recorded"

RECORDS = ("step", "validation", "flow", "rescue")
"""The kinds of records."""


@click.command(epilog="Example:  elman metrics runs/book --kind validation > validations.csv")
@run_argument
@click.option(
    "--kind",
    type=click.Choice(RECORDS),
    help="Only these records, with no column for others.  [default: all, and a first column that names the kind]",
)
@as_json
def metrics(run: Path, kind: str | None, as_json: bool) -> None:
    """Print what training recorded in RUN as CSV: a header, then one line for each record, in order.

    The columns are the keys of metrics.jsonl, which docs/guide.md explains. A cell is empty where a record has no such
    key, and where the number is not finite. --json prints the records as one list.
    """
    from elman.checkpoint import RunFolder, load_settings
    from elman.training.records import KINDS

    folder = RunFolder(run)
    load_settings(folder)
    rows = [{"kind": KINDS[type(record)], **vars(record)} for record in read_metrics(folder.metrics)]
    if kind:
        rows = [{key: value for key, value in row.items() if key != "kind"} for row in rows if row["kind"] == kind]
    if as_json:
        show_json(rows)
        return
    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(key)) for key in columns] for row in rows)
    show(table.getvalue(), end="")


def _cell(value: Any) -> str:
    """A value of a record as a cell: empty where it is null or not finite; a list is its numbers, with blanks."""
    if isinstance(value, list):
        return " ".join(_cell(each) or "null" for each in value)
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def read_metrics(path: Path) -> Iterator[WrittenRecord]:
    """The records of a run, in order; none where there is no such file. What follows the last line end is left out.

    Raises CheckpointError for a line that is no record.
    """
    from elman.checkpoint import LARGEST_METRICS
    from elman.training.records import KINDS, RECORDED

    classes: dict[str, Any] = {name: kind for kind, name in KINDS.items()}
    if not is_there(path, CheckpointError, RESTORE):
        return
    with open_input(path, LARGEST_METRICS, CheckpointError, RESTORE) as lines:
        number = 0
        while (line := lines.readline(LONGEST_LINE)).endswith(b"\n") or len(line) == LONGEST_LINE:
            number += 1
            source = Source(f"{path}, line {number}", CheckpointError, RESTORE)
            if not line.endswith(b"\n"):
                raise source.fault(f"it is longer than {LONGEST_LINE // 2**20} MB")
            values = dict(mapping(parsed(line, source), source))
            kind = values.pop("kind", None)
            if not isinstance(kind, str) or kind not in classes:
                raise source.refuse("kind", kind, f"one of {', '.join(classes)}")
            yield read(classes[kind], values, source, ranges={int: COUNTER, float: RECORDED}, null_is_nan=True)
