"""How `elman check` reads public pages of hand-derived gradients, compared with a key that was made by reading them.

    python benchmarks/read_pages.py FOLDER [KEY] [--json] [--page NAME]

FOLDER holds the pages, each under its name in KEY (pages.json beside this script); nothing is fetched, and pages that
are not in FOLDER are listed as missing. `elman check` runs on each page in a process of its own, whose processor time
is the page's. The key says by hand which lines claim a derivative, which of the page's formulas are wrong, and which
are doubtful (these count neither way). A place is a line, "12", a range, "12-14", or either in a notebook's cell,
"7:12". A derivative line is judged if every claim on it has a verdict, partly judged if some have. A false alarm is a
claim marked wrong on a line that the key does not list as wrong. `--page` prints every claim of one page.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

KEY = Path(__file__).with_name("pages.json")
LIMIT = 300  # seconds, after which a page counts as a crash

NO_CLAIM = {"not a claim"}
NO_VERDICT = {"not read", "not checked", "undefined symbol"}
RIGHT = {"holds", "definition", "holds transposed"}

Place = tuple[int, int]
"""Cell and line; the cell is 0 outside notebooks."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of `elman check` on a page gave: `outcome` is "read", "refused" or "crashed"."""

    outcome: str
    claims: tuple[Mapping[str, Any], ...] = ()
    seconds: float = 0.0
    changed: bool = False
    message: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """The figures of one page. `errors` are the key's wrong formulas; a passed one has only claims that hold."""

    page: str
    outcome: str
    derivatives: int
    judged: int
    partly: int
    alarms: int
    errors: int
    marked: int
    passed: int
    changed: bool
    seconds: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("key", type=Path, nargs="?", default=KEY)
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument("--page", metavar="NAME", help="print every claim of this page")
    options = parser.parse_args()
    key = json.loads(options.key.read_text())
    if options.page:
        if options.page not in key:
            parser.error(f"{options.page} is not in {options.key}")
        print_claims(run(options.folder / options.page), key[options.page])
        return 0
    present = [name for name in key if (options.folder / name).is_file()]
    results = [count(name, run(options.folder / name), key[name]) for name in present]
    missing = [name for name in key if name not in present]
    if options.json:
        print(json.dumps({"pages": [asdict(c) for c in results], "total": totals(results), "missing": missing}))
    else:
        print(table(results))
        if missing:
            print(f"missing: {', '.join(missing)}")
    return 0


def run(page: Path) -> Run:
    """`elman check --json --fix` on a page, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        fixed = Path(folder) / page.name
        arguments = [sys.executable, "-m", "elman", "check", str(page), "--json", "--fix", str(fixed)]
        environment = os.environ | {"PYTHONIOENCODING": "utf-8"}
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        try:
            done = subprocess.run(arguments, capture_output=True, check=False, timeout=LIMIT, env=environment)
        except subprocess.TimeoutExpired:
            return Run("crashed", seconds=LIMIT, message=f"no answer within {LIMIT} s")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        changed = fixed.is_file() and fixed.read_bytes() != page.read_bytes()
    message = done.stderr.decode(errors="replace").strip()
    if done.returncode == 2 and "Traceback" not in message:
        return Run("refused", seconds=seconds, message=message)
    try:
        claims = json.loads(done.stdout)["claims"]
    except (ValueError, KeyError):
        return Run("crashed", seconds=seconds, message=message)
    return Run("read", tuple(claims), seconds, changed, message)


def places(written: Iterable[str | int]) -> list[set[Place]]:
    """The places that each entry of a key names: 12, "12-14", "7:12" (cell 7), "7:12-14"."""
    found = []
    for entry in written:
        cell, _, lines = str(entry).rpartition(":")
        first, _, last = lines.partition("-")
        found.append({(int(cell or 0), line) for line in range(int(first), int(last or first) + 1)})
    return found


def place(claim: Mapping[str, Any]) -> Place:
    return claim.get("cell") or 0, claim["line"]


def kind(claim: Mapping[str, Any]) -> str:
    """What a claim's verdict means here: "right", "wrong", "no verdict" or "no claim"."""
    verdict = claim["verdict"]
    if verdict in NO_CLAIM:
        return "no claim"
    if verdict in NO_VERDICT:
        return "no verdict"
    return "right" if verdict in RIGHT else "wrong"


def count(page: str, result: Run, key: Mapping[str, Any]) -> Counts:
    """Compares a page's claims with its key."""
    on: dict[Place, list[str]] = {}
    for claim in result.claims:
        on.setdefault(place(claim), []).append(kind(claim))
    wrong = places(entry["line"] for entry in key.get("wrong", ()))
    excused: set[Place] = set().union(*wrong, *places(key.get("doubtful", ())))
    errors = [[kind for where in entry for kind in on.get(where, ())] for entry in wrong]
    lines = [[kind for where in entry for kind in on.get(where, ())] for entry in places(key["derivative_lines"])]
    verdicts = [{kind in ("right", "wrong") for kind in line if kind != "no claim"} for line in lines]
    marked = sum("wrong" in error for error in errors)
    return Counts(
        page=page,
        outcome=result.outcome,
        derivatives=len(lines),
        judged=sum(verdict == {True} for verdict in verdicts),
        partly=sum(verdict == {True, False} for verdict in verdicts),
        alarms=sum(kinds.count("wrong") for where, kinds in on.items() if where not in excused),
        errors=len(errors),
        marked=marked,
        passed=sum("right" in error and not {"wrong", "no verdict"} & set(error) for error in errors),
        changed=result.changed and not wrong,
        seconds=round(result.seconds, 2),
    )


def totals(results: Sequence[Counts]) -> dict[str, Any]:
    """The sums over the pages, and what is counted in pages."""
    summed = ("derivatives", "judged", "partly", "alarms", "errors", "marked", "passed")
    return {
        "pages": len(results),
        **{name: sum(getattr(c, name) for c in results) for name in summed},
        "pages with alarms": sum(c.alarms > 0 for c in results),
        "right pages changed by --fix": sum(c.changed for c in results),
        "refused": sum(c.outcome == "refused" for c in results),
        "crashed": sum(c.outcome == "crashed" for c in results),
        "slowest": max((c.seconds for c in results), default=0.0),
        "slowest page": max(results, key=lambda c: c.seconds).page if results else "",
    }


def table(results: Sequence[Counts]) -> str:
    """One row a page, then the totals in words."""
    width = max((len(c.page) for c in results), default=4)
    rows = [f"{'page':<{width}}  deriv  judged  partly  alarms  errors  marked  passed    cpu s"]
    for c in results:
        notes = [c.outcome] * (c.outcome != "read") + ["--fix changes a right page"] * c.changed
        rows.append(
            f"{c.page:<{width}}  {c.derivatives:5}  {c.judged:6}  {c.partly:6}  {c.alarms:6}  {c.errors:6}  "
            f"{c.marked:6}  {c.passed:6}  {c.seconds:7.2f}  {', '.join(notes)}".rstrip()
        )
    t = totals(results)
    share = 100 * t["judged"] / t["derivatives"] if t["derivatives"] else 0
    rows += [
        "",
        f"{t['pages']} pages, {t['refused']} refused whole, {t['crashed']} crashed",
        f"{t['derivatives']} derivative lines: {t['judged']} judged ({share:.0f} %), {t['partly']} partly",
        f"{t['alarms']} false alarms, on {t['pages with alarms']} pages",
        f"{t['errors']} genuine errors: {t['marked']} marked, {t['errors'] - t['marked']} unmarked, "
        f"of these {t['passed']} passed as right",
        f"{t['right pages changed by --fix']} pages without an error that --fix changes",
        f"slowest: {t['slowest']:.2f} s of processor time ({t['slowest page']})",
    ]
    return "\n".join(rows)


def print_claims(result: Run, key: Mapping[str, Any]) -> None:
    """Each claim of a page with its verdict and diagnosis, and what the key says of its line."""
    reasons = {where: entry["why"] for entry in key["wrong"] for where in places([entry["line"]])[0]}
    doubtful: set[Place] = set().union(*places(key.get("doubtful", ())))
    derivatives: set[Place] = set().union(*places(key["derivative_lines"]))
    print(f"{result.outcome}, {result.seconds:.2f} s of processor time", result.message)
    for claim in result.claims:
        where = place(claim)
        alarm = kind(claim) == "wrong" and where not in reasons and where not in doubtful
        said = f"{claim['verdict']}: {claim['diagnosis']}" if claim["diagnosis"] else claim["verdict"]
        print(
            f"{where[0]}:{where[1]}" if where[0] else where[1],
            "d" if where in derivatives else " ",
            "ALARM" if alarm else "     ",
            f"{claim['left']} = {claim['formula']}  | {said}",
        )
        if where in reasons:
            print(f"        the key: wrong, {reasons[where]}")
        elif where in doubtful:
            print("        the key: doubtful")


if __name__ == "__main__":
    sys.exit(main())
