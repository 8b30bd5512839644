"""elman metrics: the records of a run as a table."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

import click

from elman.cli.options import as_json, run_argument
from elman.cli.streams import show, show_json

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
    from elman.training.metrics_file import as_row, read_metrics

    folder = RunFolder(run)
    load_settings(folder)
    rows = [as_row(record) for record in read_metrics(folder.metrics)]
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
