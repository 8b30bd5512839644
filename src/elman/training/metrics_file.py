"""The reading of metrics.jsonl.

Every line of that file is one of the records of training, but for a last one that a crash cut off.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from elman.checkpoint import LARGEST_METRICS
from elman.errors import CheckpointError
from elman.files import is_there, open_input
from elman.schema import COUNTER, Source, mapping, parsed, read
from elman.training.records import KINDS, RECORDED, WrittenRecord

LONGEST_LINE = 16 * 2**20
"""The most bytes of a line."""
RESTORE = "take a copy from elsewhere, or delete it to go on without what training recorded"


def as_row(record: WrittenRecord) -> dict[str, Any]:
    """A record as a row of a table: its kind (step, validation, flow, rescue), and its fields."""
    return {"kind": KINDS[type(record)], **vars(record)}


def read_metrics(path: Path) -> Iterator[WrittenRecord]:
    """The records of a run, in order; none where there is no such file. What follows the last line end is left out.

    Raises CheckpointError for a line that is no record.
    """
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
