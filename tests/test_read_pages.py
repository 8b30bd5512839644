"""benchmarks/read_pages.py counts as its docstring says: on reports written here, and on tiny pages."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "read_pages.py"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("read_pages", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def claim(line: int, verdict: str, cell: int | None = None) -> dict[str, Any]:
    place = {"line": line} if cell is None else {"line": line, "cell": cell}
    return place | {"verdict": verdict, "left": "a", "formula": "b", "diagnosis": ""}


def key(derivatives: list[Any], wrong: tuple[Any, ...] = (), doubtful: tuple[Any, ...] = ()) -> dict[str, Any]:
    return {
        "derivative_lines": derivatives,
        "wrong": [{"line": line, "why": "so"} for line in wrong],
        "doubtful": list(doubtful),
    }


def test_places_are_lines_ranges_and_cells(bench: ModuleType) -> None:
    assert bench.places([3, "5-6", "7:1-2"]) == [{(0, 3)}, {(0, 5), (0, 6)}, {(7, 1), (7, 2)}]


def test_a_line_is_judged_partly_judged_or_not(bench: ModuleType) -> None:
    claims = (
        claim(1, "holds"),
        claim(2, "holds"),
        claim(2, "not read"),
        claim(3, "not checked"),
        claim(5, "wrong sign"),
    )
    counts = bench.count("p", bench.Run("read", claims), key([1, 2, 3, 4, "5-6"]))
    assert (counts.derivatives, counts.judged, counts.partly) == (5, 2, 1)


def test_alarms_are_wrong_verdicts_on_lines_that_are_not_wrong(bench: ModuleType) -> None:
    claims = (claim(1, "wrong sign"), claim(1, "does not hold"), claim(2, "does not hold"), claim(3, "does not hold"))
    counts = bench.count("p", bench.Run("read", claims), key([1], wrong=(2,), doubtful=(3,)))
    assert counts.alarms == 2
    assert (counts.errors, counts.marked) == (1, 1)


def test_no_alarm_without_a_verdict_of_wrong(bench: ModuleType) -> None:
    verdicts = ("holds", "definition", "holds transposed", "not a claim", "not read", "undefined symbol", "not checked")
    counts = bench.count("p", bench.Run("read", tuple(claim(1, v) for v in verdicts)), key([1]))
    assert counts.alarms == 0


def test_an_unmarked_error_is_passed_or_not_judged(bench: ModuleType) -> None:
    claims = (claim(1, "holds"), claim(2, "not read"), claim(3, "holds"), claim(4, "not read"))
    counts = bench.count(
        "p",
        bench.Run("read", claims),
        key(
            [],
            wrong=(
                1,
                2,
                "3-4",
                9,
            ),
        ),
    )
    assert (counts.errors, counts.marked, counts.passed) == (4, 0, 1)


def test_notebooks_count_by_cell(bench: ModuleType) -> None:
    claims = (claim(2, "does not hold", cell=4), claim(2, "does not hold", cell=5))
    counts = bench.count("p", bench.Run("read", claims), key(["4:2", "5:2"], wrong=("5:2",)))
    assert (counts.judged, counts.alarms, counts.marked) == (2, 1, 1)


def test_a_change_by_fix_counts_where_nothing_is_wrong(bench: ModuleType) -> None:
    changed = bench.Run("read", (), changed=True)
    assert bench.count("p", changed, key([])).changed
    assert not bench.count("p", changed, key([], wrong=(1,))).changed


def test_a_folder_of_pages(bench: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = "Let $W \\in \\mathbb{R}^{m \\times n}$, $y = Wx$, $L = y^T y$."
    right = f"{model}\n\n$$\\frac{{\\partial L}}{{\\partial x}} = 2 W^T y$$\n"
    (tmp_path / "right.md").write_text(right)
    (tmp_path / "wrong.md").write_text(right.replace("2 W^T y", "-2 W^T y"))
    (tmp_path / "binary.md").write_bytes(b"\0\1")
    keys = {"right.md": key([3]), "wrong.md": key([3], wrong=(3,)), "binary.md": key([]), "away.md": key([1])}
    (tmp_path / "key.json").write_text(json.dumps(keys))
    found = json.loads(output(bench, capsys, tmp_path, tmp_path / "key.json", "--json"))
    total = found["total"]
    assert found["missing"] == ["away.md"]
    assert (total["pages"], total["refused"], total["crashed"]) == (3, 1, 0)
    assert (total["derivatives"], total["judged"], total["alarms"]) == (2, 2, 0)
    assert (total["errors"], total["marked"], total["right pages changed by --fix"]) == (1, 1, 0)
    table = output(bench, capsys, tmp_path, tmp_path / "key.json")
    assert "2 derivative lines: 2 judged (100 %), 0 partly" in table
    assert "missing: away.md" in table
    page = output(bench, capsys, tmp_path, tmp_path / "key.json", "--page", "wrong.md")
    assert "wrong sign" in page
    assert "the key: wrong, so" in page


def output(bench: ModuleType, capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    before, sys.argv = sys.argv, ["read_pages.py", *map(str, arguments)]
    try:
        assert bench.main() == 0
    finally:
        sys.argv = before
    return capsys.readouterr().out


def test_a_process_that_ends_in_a_traceback_has_crashed(
    bench: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "p.md").write_text("$a = b$\n")
    program = tmp_path / "fails"
    program.write_text("#!/bin/sh\necho 'Traceback (most recent call last)' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    assert bench.run(tmp_path / "p.md").outcome == "crashed"
