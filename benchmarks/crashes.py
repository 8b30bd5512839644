"""Interrupts training runs in every way, goes on with --resume, and compares the end with that of runs left in peace.

    python benchmarks/crashes.py kills --count 300 --seed 0
    python benchmarks/crashes.py cuts --count 30 --seed 0
    python benchmarks/crashes.py errors --count 60 --seed 0

kills   SIGKILL at random times and at random operations on files (so in set-up, flossing, steps, validations,
        checkpoints and resumes), one to four in a run, and SIGSTOP with SIGCONT between them.
cuts    Simulated power failures at random operations. What was not flushed is lost, kept, cut short or zero, and each
        name in a folder that was not flushed is the old or the new one, by chance.
errors  One operation (write, fsync, rename, open, unlink, lock, mkdir) fails with EIO, ENOSPC, EROFS or ENOLCK, once or
        from then on. The run must end with a sentence, leave nothing where there was no run yet, and be resumable.

Runs are of all levels, both optimizers and backends, and of synthetic tasks, with networks that train in about a
second. In the end model, checkpoint and records must be the same bytes, the readings of the clock left out. The last
line is a summary; the exit code is 1 where a run ends differently, or with anything but a sentence.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import fcntl
import io
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from elman.checkpoint import RunFolder, load_config, load_state
from elman.cli import main as elman_main
from elman.errors import ElmanError
from elman.kernels import choose_again, native_built
from elman.training.tasks import problem as tasks

tasks.STEPS_IN_EPOCH, tasks.HELD_OUT = 15, 40  # an epoch of a task is long

TEXT = "\n".join(
    f"the {animal} {verb} on the {place}"
    for animal in ("cat", "dog", "ox", "hen")
    for verb in ("sat", "ran", "fell", "slept")
    for place in ("mat", "roof", "hill", "lake")
) + "\n"  # fmt: skip
COMMON = "--hidden 12 --batch-size 4 --epochs 3 --save-every 4 --record-every 3 --validate-every 5 --patience 0"
KINDS = (
    "--level word --bptt 6 --dropout 0.2",
    "--level word --bptt 6 --optimizer sgd",
    "--level char --bptt 20 --watch-gradients 7",
    "--level byte --bptt 24 --floss 6",
    "--level bpe --vocab-size 270 --bptt 12 --optimizer sgd --schedule cosine",
    "--level word --bptt 6 --precision float64 --clip-adaptive 1",
    "--task xor --task-length 10-14 --epochs 1",
    "--task adding --task-length 10-12 --epochs 1",
)
ERRORS = (errno.EIO, errno.ENOSPC, errno.EROFS, errno.ENOLCK)
OPERATIONS = ("write", "fsync", "rename", "open", "unlink", "lock", "mkdir")


class PowerCutError(BaseException):
    """The power is gone."""


@dataclass
class Operations:
    """Counts the operations on files under a folder, and calls `at` before the one of this number.

    What Elman and its Python libraries do is seen; a library in another language is not.
    """

    root: Path
    number: int = 0
    at: Callable[[str], None] = lambda kind: None
    kind: str = ""
    log: list[str] = field(default_factory=list)
    on_flush: Callable[[int], None] = lambda descriptor: None

    def tick(self, kind: str) -> None:
        """One operation."""
        self.log.append(kind)
        number = self.log.count(kind) if self.kind else len(self.log)
        if self.number and (not self.kind or kind == self.kind) and number >= self.number:
            self.at(kind)

    def inside(self, path: Any) -> bool:
        """Whether the path is under the folder."""
        return isinstance(path, str | os.PathLike) and str(Path(os.fspath(path)).absolute()).startswith(str(self.root))

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Python's functions for files, with `tick` before each."""
        places: list[tuple[Any, str, Any]] = []

        def replaced(where: Any, name: str, kind: str, test: Callable[..., bool]) -> None:
            original = getattr(where, name)

            def counted(*arguments: Any, **options: Any) -> Any:
                if test(*arguments, **options):
                    self.tick(kind)
                return original(*arguments, **options)

            places.append((where, name, original))
            setattr(where, name, counted)

        by_path = self.inside
        kinds = {"replace": "rename", "remove": "unlink", "rmdir": "unlink", "truncate": "write"}
        for name in (*kinds, "rename", "unlink", "mkdir", "open"):
            replaced(os, name, kinds.get(name, name), lambda path, *_, **__: by_path(path))
        replaced(fcntl, "flock", "lock", lambda _, operation: operation != fcntl.LOCK_UN)
        places += [(os, "fsync", os.fsync), (io, "open", io.open)]
        fsync, opened = os.fsync, io.open

        def flushed(descriptor: int) -> None:
            self.tick("fsync")
            fsync(descriptor)
            self.on_flush(descriptor)

        def opening(path: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
            if not by_path(path):
                return opened(path, mode, *arguments, **options)
            self.tick("open")
            file = opened(path, mode, *arguments, **options)
            return _Written(file, self) if set(mode) & set("wa+x") else file

        os.fsync, io.open = flushed, opening  # type: ignore[assignment]
        try:
            yield
        finally:
            for where, name, original in reversed(places):
                setattr(where, name, original)


class _Written:
    """A file whose writes are operations."""

    def __init__(self, file: Any, operations: Operations) -> None:
        self._file, self._operations = file, operations

    def write(self, data: Any) -> int:
        self._operations.tick("write")
        return int(self._file.write(data))

    def __enter__(self) -> _Written:
        self._file.__enter__()
        return self

    def __exit__(self, *failure: object) -> None:
        self._file.__exit__(*failure)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class Disk:
    """What of the files under a folder would survive a power failure now."""

    def __init__(self, root: Path, chance: random.Random) -> None:
        self.root, self.chance = root, chance
        self.held: dict[int, int] = {}  # a descriptor of each file seen, which keeps its number and its content
        self.flushed: dict[int, bytes] = {}
        self.names: dict[Path, dict[str, int]] = {}
        for folder in (root, *(p for p in root.rglob("*") if p.is_dir())):
            self.names[folder] = self._listed(folder)
        for number in list(self.held):
            self.flushed[number] = self._content(number)

    def close(self) -> None:
        """Lets go of the files."""
        for descriptor in self.held.values():
            os.close(descriptor)

    def flush(self, descriptor: int) -> None:
        """After an fsync of a file or a folder."""
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path.is_dir():
            self.names[path] = self._listed(path)
        else:
            self._hold(path)
            number = path.stat().st_ino
            self.flushed[number] = self._content(number)

    def survive(self, after: Path) -> None:
        """Writes to another folder what a power failure leaves."""
        self._leave(self.root, after)

    def _leave(self, folder: Path, after: Path) -> None:
        after.mkdir(parents=True, exist_ok=True)
        old, new = self.names.get(folder, {}), self._listed(folder)
        for name in sorted(old.keys() | new.keys()):
            chosen = self.chance.choice([old, new]).get(name)
            if chosen is None:
                continue
            if chosen == 0:
                self._leave(folder / name, after / name)
            else:
                (after / name).write_bytes(self._after(chosen))

    def _after(self, number: int) -> bytes:
        now, flushed = self._content(number), self.flushed.get(number, b"")
        if now == flushed and number in self.flushed:
            return now
        cut = self.chance.randrange(len(now) + 1)
        same = next(
            (k for k, (a, b) in enumerate(zip(now, flushed, strict=False)) if a != b), min(len(now), len(flushed))
        )
        kept = max(cut, same)
        return self.chance.choice([flushed, now, now[:kept], now[:kept] + bytes(len(now) - kept)])

    def _listed(self, folder: Path) -> dict[str, int]:
        """The number of each file, 0 for folders."""
        if not folder.is_dir():
            return {}
        listed = {}
        for path in folder.iterdir():
            if path.name == "lock":
                continue
            if path.is_dir():
                listed[path.name] = 0
            else:
                self._hold(path)
                listed[path.name] = path.stat().st_ino
        return listed

    def _hold(self, path: Path) -> None:
        if path.stat().st_ino not in self.held:
            self.held[path.stat().st_ino] = _os_open(path, os.O_RDONLY)

    def _content(self, number: int) -> bytes:
        descriptor = self.held[number]
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


_os_open = os.open


def elman(*arguments: object) -> tuple[int, str]:
    """`elman …` in this process: its exit code, and what it wrote to stderr."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            elman_main([str(each) for each in arguments])
        except SystemExit as end:
            return int(end.code or 0), said.getvalue()
        except Exception:
            return 99, said.getvalue() + traceback.format_exc()
    return 0, said.getvalue()


def contents(path: Path) -> tuple[bytes, bytes, list[dict[str, Any]]]:
    """What must not differ between equal runs: model, checkpoint and records, without the readings of the clock."""
    run = RunFolder(path)
    config, _ = load_config(run)
    p, arrays, counters = load_state(run, run.state, config)
    del counters["progress"]["seconds"], counters["progress"]["metrics_bytes"]  # the length of a clock reading varies
    state = b"".join(a.tobytes() for _, a in sorted([*p.distinct(), *arrays.items()])) + json.dumps(counters).encode()
    records = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    for record in records:
        record.pop("seconds", None)
        record.pop("tokens_per_second", None)
    return run.model.read_bytes(), state, records


class Workshop:
    """The folder of all runs, and the ends of those that were left in peace."""

    def __init__(self, folder: Path, kinds: tuple[str, ...] = KINDS) -> None:
        self.folder, self.kinds = folder, kinds
        self.text = folder / "text.txt"
        self.text.write_text(TEXT)
        self.expected: dict[tuple[str, str], tuple[tuple[Any, ...], list[str], float]] = {}

    def choose(self, chance: random.Random) -> tuple[str, str]:
        """A backend and a kind of run."""
        backend = chance.choice(["native", "numpy"] if native_built() else ["numpy"])
        os.environ["ELMAN_BACKEND"] = backend
        choose_again()
        return backend, chance.choice(self.kinds)

    def arguments(self, kind: str) -> list[str]:
        """Of `elman train`, without its folder."""
        options = [*COMMON.split(), *kind.split()]
        return options if "--task" in kind else [str(self.text), *options]

    def left_in_peace(self, backend: str, kind: str) -> tuple[tuple[Any, ...], list[str], float]:
        """The end of such a run, its operations on files, and its seconds."""
        if (backend, kind) not in self.expected:
            root = self.folder / f"whole-{len(self.expected)}"
            root.mkdir()
            operations, began = Operations(root), time.monotonic()
            with operations.watched():
                code, said = elman("train", *self.arguments(kind), "--out", root / "run")
            assert code == 0, said
            self.expected[backend, kind] = contents(root / "run"), operations.log, time.monotonic() - began
        return self.expected[backend, kind]

    def go_on(self, kind: str, run: Path) -> tuple[int, str]:
        """Resumes the run, or starts it where there is none yet."""
        if (run / "config.json").exists():
            return elman("train", "--resume", run)
        return elman("train", *self.arguments(kind), "--out", run)


def fault(found: tuple[int, str], run: Path, expected: object) -> str:
    """Why the end of a run is not as expected; empty where it is."""
    code, said = found
    if code:
        return f"it ended with {code}: {said[-2000:]}"
    try:
        now = contents(run)
    except (ValueError, OSError, ElmanError) as failure:
        return f"its files cannot be read: {failure}"
    if now != expected:
        parts = ("the model", "the checkpoint", "the records")
        differs = [part for part, a, b in zip(parts, now, expected, strict=True) if a != b]  # type: ignore[call-overload]
        return f"it ended with other bytes: {' and '.join(differs)}"
    left = [path.name for path in run.rglob(".partial*")]
    return f"{left[0]} was left" if left else ""


def cut(shop: Workshop, chance: random.Random, counts: Counter[str]) -> str:
    """One run with one to three power failures."""
    backend, kind = shop.choose(chance)
    expected, log, _ = shop.left_in_peace(backend, kind)
    root = Path(tempfile.mkdtemp(dir=shop.folder))
    for _ in range(chance.randint(1, 3)):
        disk, after = Disk(root, chance), root.with_name(f"{root.name}+")

        operations = Operations(root, chance.randint(1, len(log)), on_flush=disk.flush)

        def fail(what: str, operations: Operations = operations, disk: Disk = disk, after: Path = after) -> None:
            operations.number = 0  # what the process still does, as its error is handled, does not matter
            disk.survive(after)
            counts[what] += 1
            raise PowerCutError

        operations.at = fail
        with operations.watched(), contextlib.suppress(PowerCutError):
            found = shop.go_on(kind, root / "run")
        disk.close()
        if after.exists():
            shutil.rmtree(root)
            root = after
        elif why := fault(found, root / "run", expected):  # it ended before
            return f"{backend} {kind}: {why}"
    why = fault(shop.go_on(kind, root / "run"), root / "run", expected)
    shutil.rmtree(root)
    return f"{backend} {kind}: {why}" if why else ""


def error(shop: Workshop, chance: random.Random, counts: Counter[str]) -> str:
    """One run in which an operation fails."""
    backend, kind = shop.choose(chance)
    expected, log, _ = shop.left_in_peace(backend, kind)
    operation, number = chance.choice(sorted(set(log) & set(OPERATIONS))), chance.choice(ERRORS)
    once = chance.random() < 0.5
    at = chance.randint(1, log.count(operation))
    root = Path(tempfile.mkdtemp(dir=shop.folder))
    run = root / "run"
    failed: list[str] = []

    def fail(what: str) -> None:
        if once and failed:
            return
        failed.append(what)
        raise OSError(number, os.strerror(number))

    with Operations(root, at, fail, operation).watched():
        code, said = shop.go_on(kind, run)
    name = f"{backend} {kind}: {errno.errorcode[number]} at {operation} {at}{'' if once else ' and later'}"
    counts[f"{operation} {errno.errorcode[number]}"] += 1
    sentences = [line for line in said.splitlines() if line.startswith("elman: ")]
    if code not in (0, 2) or "Traceback" in said or (code == 2 and len(sentences) != 1):
        return f"{name}: it ended with {code}: {said[-2000:]}"
    if code == 2 and not (run / "config.json").exists() and operation != "unlink" and list(root.iterdir()):
        return f"{name}: no run, but {', '.join(p.name for p in root.rglob('*'))} was left"
    why = fault(shop.go_on(kind, run), run, expected)
    shutil.rmtree(root)
    return f"{name}: {why}" if why else ""


def kill(shop: Workshop, chance: random.Random, counts: Counter[str], by_time: bool = True) -> str:
    """One run with one to four kills."""
    backend, kind = shop.choose(chance)
    expected, log, seconds = shop.left_in_peace(backend, kind)
    root = Path(tempfile.mkdtemp(dir=shop.folder))
    run = root / "run"
    for _ in range(chance.randint(1, 4)):
        timed = by_time and chance.random() < 0.6
        at = 0 if timed else chance.randint(1, len(log))
        child = os.fork()
        if child == 0:
            operations = Operations(root, at, lambda what: os.kill(os.getpid(), signal.SIGKILL))
            with operations.watched():
                code, said = shop.go_on(kind, run)
            (root / "said").write_text(said)
            os._exit(code)
        if timed:
            time.sleep(chance.random() * seconds)
            for _ in range(chance.randint(0, 2)):
                os.kill(child, signal.SIGSTOP)
                time.sleep(0.02)
                os.kill(child, signal.SIGCONT)
                counts["stops"] += 1
                time.sleep(chance.random() * seconds / 10)
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            counts["kills"] += 1
            counts["kills before there was a run"] += not (run / "config.json").exists()
        elif os.waitstatus_to_exitcode(status):
            return f"{backend} {kind}: it ended with {status}: {(root / 'said').read_text()[-2000:]}"
    why = fault(shop.go_on(kind, run), run, expected)
    shutil.rmtree(root)
    return f"{backend} {kind}: {why}" if why else ""


def series(what: str, count: int, seed: int, folder: Path, by_time: bool = True) -> tuple[list[str], Counter[str]]:
    """So many power failures, errors or kills; the faults that were found, and what was done how often."""
    shop, chance, counts, faults = Workshop(folder), random.Random(seed), Counter[str](), []
    done = 0
    while done < count:
        if what == "kills":
            found = kill(shop, chance, counts, by_time)
            done = counts["kills"]
        else:
            found = (cut if what == "cuts" else error)(shop, chance, counts)
            done = sum(counts.values())
        if found:
            faults.append(found)
    return faults, counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["kills", "cuts", "errors"])
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--without-clock", action="store_true", help="kills at operations alone: repeatable")
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        faults, counts = series(given.what, given.count, given.seed, Path(folder), not given.without_clock)
    for each in faults:
        print(f"  {each}")
    print("  " + ", ".join(f"{name}: {number}" for name, number in sorted(counts.items())))
    print(f"{given.what}: {given.count} with seed {given.seed}, {len(faults)} faults; {time.monotonic() - began:.0f} s")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
