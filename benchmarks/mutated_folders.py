"""Runs every command that reads a run on mutated run folders: no traceback, hang, crash or more than 500 MB.

    python benchmarks/mutated_folders.py --folders 5000 --seed 0

Half of the folders have their checksums recomputed (mutations.py). For each folder a process is forked that runs the
commands in turn; the parent reports what went wrong in it, with the mutations and the command:

    traceback   an exception that is no error of the program's own, or a panic of a library
    words       exit code 2 without one sentence on stderr, or an exit code that there is none
    crash       the process was ended by a signal
    hang        it took more than HANG seconds of processor time, or OUTER seconds in all (an outer guard alone)
    memory      it took more than 500 MB

With --processes N, the commands of the first N folders run once more as a user runs them. The last line is the summary
as JSON; the exit code is 1 if anything went wrong.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ |= {"ELMAN_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

from mutations import mutate

from elman.checkpoint import RunFolder
from elman.cli import main as elman
from elman.config import Level, TaskConfig, TextConfig
from elman.text.corpus import Corpus
from elman.training.records import ValidationRecord
from elman.training.start import Sources, start, start_task

NEW_FOLDERS = ("transformers", "arpa", "onward")  # what the commands on one run folder write beside it
HANG, OUTER = 60, 600
MEMORY = 500 * 2**20
TEXT = "".join(
    f"the {a} sat on the {b} and the {b} ran\n" for a in ("cat", "dog", "ox", "hen") for b in ("mat", "hill")
)
SIZES = {"d": 4, "Dh": 6, "tie": False}
SETTINGS: dict[str, Any] = {
    "B": 2, "T": 5, "epochs": 2, "record_every": 3, "save_every": 5, "dropout": 0.1, "watch_gradients": 9,
    "validate_every": 11,
    "precision": "float32",
}  # fmt: skip


def main() -> int:
    arguments = _arguments()
    found: collections.Counter[str] = collections.Counter()
    outcomes: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory(prefix="elman-mutated-") as scratch:
        place = Path(scratch)
        text = place / "text.txt"
        text.write_text(TEXT * 3)
        originals = list(_originals(place, text))
        warm = Path(shutil.copytree(originals[0], place / "warm"))
        for call in _commands(warm, text, originals[0], place):
            _called(call, place / "printed")  # what the commands import is then there in each fork
        _remove(warm)
        largest = 0
        for k in range(arguments.first, arguments.first + arguments.folders):
            chance = random.Random(f"{arguments.seed}:{k}")
            folder = place / "run"
            shutil.copytree(chance.choice(originals), folder)
            done = mutate(folder, originals, chance, with_checksums=k % 2 == 0)
            if k - arguments.first < arguments.processes:
                untouched = Path(shutil.copytree(folder, place / "same", symlinks=True, copy_function=_same))
                for problem in _as_a_user(untouched, text, originals[0]):
                    found[problem.partition(":")[0]] += 1
                    print(f"folder {k}, in a process of its own, {'; '.join(done)}: {problem}", flush=True)
                _remove(untouched)
            report, peak = _in_a_fork(folder, text, originals[0], place)
            largest = max(largest, peak)
            outcomes.update(report["codes"])
            for problem in report["problems"]:
                found[problem.partition(":")[0]] += 1
                print(f"folder {k}, {'; '.join(done)}: {problem}", flush=True)
            _remove(folder)
            if k % 20 == 0:
                print(f"folder {k}", file=sys.stderr, flush=True)
    summary = {
        "folders": arguments.folders, "seed": arguments.seed, "commands": sum(outcomes.values()),
        "exit_codes": dict(sorted(outcomes.items())), "largest_memory_mb": round(largest / 2**20), **found,
    }  # fmt: skip
    print(json.dumps(summary))
    return 1 if found else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folders", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the number of the first folder, to repeat one")
    parser.add_argument("--processes", type=int, default=0)
    return parser.parse_args()


def _originals(place: Path, text: Path) -> Iterator[Path]:
    """Small runs that were stopped on their way: word with Adam, char with SGD, byte pairs, two layers, the adaptive
    and the sampled output, and a task.
    """
    corpus = Corpus.from_paths([text])
    kinds: list[tuple[str, Level, dict[str, Any], dict[str, Any]]] = [
        ("word", "word", {}, {}), ("char", "char", {}, {"optimizer": "sgd", "schedule": "mikolov"}),
        ("bpe", "bpe", {}, {}), ("layers", "word", {"layers": 2, "skip": True}, {"watch_gradients": 0}),
        ("adaptive", "word", {"output": "adaptive", "cutoffs": "10"}, {}),
        ("sampled", "word", {"output": "sampled"}, {"samples": 8}),
    ]  # fmt: skip
    for name, level, network, training in kinds:
        folder = RunFolder(place / name)
        config = TextConfig(level, vocab_size=270 if level == "bpe" else None)
        trainer = start(folder, Sources(corpus, None, 0.2), config, SIZES | network, SETTINGS | training)
        _stopped(trainer)
        yield folder.path
    folder = RunFolder(place / "task")
    small = {"B": 2, "epochs": 1, "record_every": 200, "save_every": 200, "validate_every": 950, "omega": 0.0}
    _stopped(start_task(folder, TaskConfig("xor", 10, 12), SIZES, small))
    yield folder.path


def _stopped(trainer: Any) -> None:
    """Trains up to the first validation, which is in the middle of a pass."""
    with trainer.run_folder.locked():
        for record in trainer.run():
            if isinstance(record, ValidationRecord):
                trainer.stop()


def _commands(run: Path, text: Path, other: Path, out: Path) -> list[list[str]]:
    """Every command that reads a run; the last goes on with it."""
    calls: list[Sequence[object]] = [
        ("info", run), ("info", run, "--json"), ("evaluate", run, text),
        ("evaluate", run, "--task-length", 10, "--json"), ("score", run, text, "--per-token"),
        ("score", run, text, "--json"), ("generate", run, "the", "--max-tokens", 5),
        ("generate", run, "--max-tokens", 5, "--json", "--seed", 1), ("flow", run),
        ("flow", run, text, "--steps", 8, "--html", out / "flow.html"), ("flow", run, text, "--steps", 8, "--json"),
        ("flow", other, text, "--steps", 8, "--compare", run), ("flow", run, text, "--steps", 8, "--init"),
        ("next", run, "the"), ("evaluate", run, text, "--mix", "ngram:2,cache"),
        ("generate", run, "the", "--beam", 2, "--max-tokens", 3), ("metrics", run),
        ("export", run, "--to", "transformers", "--out", out / NEW_FOLDERS[0]),
        ("export", run, "--to", "arpa", "--order", 2, "--out", out / NEW_FOLDERS[1]),
        ("train", "--from", run, text, "--epochs", 1, "--out", out / NEW_FOLDERS[2]),
        ("train", "--resume", run, "--epochs", 1),
    ]  # fmt: skip
    return [list(map(str, call)) for call in calls]


def _in_a_fork(run: Path, text: Path, other: Path, place: Path) -> tuple[dict[str, Any], int]:
    """What a forked process reports of all commands on a folder, and the most memory that it took, in bytes."""
    report_path, printed = place / "report.json", place / "printed"
    report_path.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (HANG, HANG))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.alarm(OUTER)
        report: dict[str, Any] = {"codes": [], "problems": [], "at": ""}
        for call in _commands(run, text, other, place):
            report["at"] = " ".join(call)
            report_path.write_text(json.dumps(report))
            code, output = _called(call, printed)
            report["codes"].append(f"{code}")
            report["problems"] += [f"{problem} of {call}" for problem in _problems(code, output)]
        report["at"] = ""
        report_path.write_text(json.dumps(report))
        os._exit(0)
    _, status, used = os.wait4(child, 0)
    report = (
        json.loads(report_path.read_text()) if report_path.exists() else {"codes": [], "problems": [], "at": "start"}
    )
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        kind = "hang" if number in (signal.SIGXCPU, signal.SIGALRM, signal.SIGKILL) else "crash"
        report["problems"].append(f"{kind}: {signal.Signals(number).name} in {report['at']}")
    peak = used.ru_maxrss * 1024
    if peak > MEMORY:
        report["problems"].append(f"memory: {peak / 2**20:.0f} MB")
    return report, peak


def _called(call: list[str], printed: Path) -> tuple[int, str]:
    """Exit code and all output, that of libraries included, of a command in this process."""
    with printed.open("w+b") as output:
        kept = os.dup(1), os.dup(2)
        for number in (1, 2):
            os.dup2(output.fileno(), number)
        try:
            elman(call, prog_name="elman")
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
        except BaseException as error:
            code = 99
            os.write(2, f"Traceback: {type(error).__name__}: {error}".encode(errors="replace"))
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            for number, old in zip((1, 2), kept, strict=True):
                os.dup2(old, number)
                os.close(old)
        output.seek(0)
        return code, output.read(2**20).decode(errors="replace")


def _as_a_user(run: Path, text: Path, other: Path) -> Iterator[str]:
    """The problems of the commands in processes of their own."""
    for call in _commands(run, text, other, run.parent):
        try:
            done = subprocess.run(
                [sys.executable, "-m", "elman", *call], capture_output=True, timeout=OUTER, check=False
            )
        except subprocess.TimeoutExpired:
            yield f"hang: {call}"
            continue
        output = (done.stdout + done.stderr).decode(errors="replace")
        if done.returncode < 0:
            yield f"crash: {signal.Signals(-done.returncode).name} in {call}"
        yield from (f"{problem} of {call}" for problem in _problems(done.returncode, output))


def _problems(code: int, output: str) -> Iterator[str]:
    """What is wrong with an exit code and its output."""
    if re.search(r"Traceback|panicked at|Warning:", output):
        yield f"traceback: {output[-300:]!r}"
    elif code not in (0, 1, 2):
        yield f"words: exit code {code}, {output[-300:]!r}"
    elif code == 2 and not re.search(r"(?m)^(elman: .*|Error: .*)\n\Z", output):
        yield f"words: {output[-300:]!r}"
    elif code == 0 and re.search(r"(?i)\bnan\b", output):
        yield f"words: NaN printed, {output[-300:]!r}"


def _same(source: str, target: str) -> None:
    """Copies a file as it is: pipes and sockets as new ones, sparse files sparsely."""
    path = Path(source)
    if path.is_fifo():
        os.mkfifo(target)
    elif path.is_socket():
        Path(target).touch()
    elif path.stat().st_size > 2**30:
        with Path(target).open("wb") as file:
            file.truncate(path.stat().st_size)
    else:
        shutil.copy(source, target)


def _remove(run: Path) -> None:
    """Removes a run and what the commands wrote beside it."""
    for folder in (run, *(run.parent / name for name in NEW_FOLDERS)):
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit(main())
