"""Reading metrics.jsonl, up to a line that a crash cut off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from elman.errors import CheckpointError


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The records of a run, in order, up to the first damaged line; no records where there is no such file."""
    records: list[dict[str, Any]] = []
    try:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                record = json.loads(line)
                if not isinstance(record, dict):
                    break
                records.append(record)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}") from None
    except ValueError:
        pass
    return records
