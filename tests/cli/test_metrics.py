"""elman metrics: the records of a run as CSV and JSON."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from command_line import Run, fails


def recorded(run: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_all_records_are_a_table(word_run: Path, command: Run) -> None:
    rows = list(csv.DictReader(command("metrics", word_run).stdout.splitlines()))
    expected = recorded(word_run)
    assert [row["kind"] for row in rows] == [record["kind"] for record in expected]
    for row, record in zip(rows, expected, strict=True):
        assert set(record) <= set(row)
        for key, cell in row.items():
            value = record.get(key)
            assert cell == ("" if value is None else value if isinstance(value, str) else json.dumps(value)), key
    assert json.loads(command("metrics", word_run, "--json").stdout) == expected


def test_one_kind_has_its_own_columns(word_run: Path, command: Run) -> None:
    found = command("metrics", word_run, "--kind", "validation").stdout.splitlines()
    columns = "step,epoch,nats_per_token,train_nats_per_token,best,learning_rate,seconds,wrong"
    assert found[0] == columns
    assert len(found) == 5  # the header, and four epochs
    assert found[1].split(",")[4] in ("true", "false")
    assert json.loads(command("metrics", word_run, "--kind", "rescue", "--json").stdout) == []


def test_a_list_is_one_cell(word_run: Path, command: Run, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(word_run, copy)
    record = {
        "kind": "flow", "step": 0, "sequences": 2, "T": 8, "verdict": "healthy", "decay_rate": 0.5, "reach": 3,
        "mean_slope": 0.1, "flat": 0.0, "sigma_max": 1.5, "spectral_radius": 0.9, "cancellation": None,
        "log10_norms_by_lag": [-1.5, None, 2.0], "seconds": 0.25,
    }  # fmt: skip
    (copy / "metrics.jsonl").write_text(json.dumps(record) + "\n")
    (row,) = csv.DictReader(command("metrics", copy, "--kind", "flow").stdout.splitlines())
    assert (row["log10_norms_by_lag"], row["cancellation"], row["verdict"]) == ("-1.5 null 2.0", "", "healthy")


def test_what_is_no_run_or_damaged(word_run: Path, command: Run, tmp_path: Path) -> None:
    fails(command("metrics", tmp_path), "no config.json")
    copy = tmp_path / "copy"
    shutil.copytree(word_run, copy)
    (copy / "metrics.jsonl").write_text('{"kind": "step", "step": -3}\n')
    fails(command("metrics", copy), "metrics.jsonl, line 1")
    (copy / "metrics.jsonl").unlink()
    assert command("metrics", copy, "--json").stdout == "[]\n"


@pytest.mark.parametrize("kind", ["", "stop"])
def test_kinds_that_there_are_not(word_run: Path, command: Run, kind: str) -> None:
    fails(command("metrics", word_run, "--kind", kind), "is not one of 'step', 'validation', 'flow', 'rescue'")
