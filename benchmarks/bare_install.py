"""Does a wheel install and work where there is no compiler? What does it download, and what does a plain call import?

    python benchmarks/bare_install.py [WHEEL] [--python PYTHON] [--tests FILE …]

Builds a wheel of this clone where none is given. It is installed into a new environment of PYTHON, from wheels alone
and with nothing else on PATH. Then, in that environment: commands are run, the processor time of `elman --version` is
measured, and modules of the extras that a command tries to import are counted, by decoys with their names. `--tests`
runs files of tests against the installed wheel, in a copy of the clone without src/. It needs a package index.

It prints one JSON line, and exits with 1 where a command failed, the kernels are missing, an extra was imported, the
downloads have 40 MB or more or `elman --version` takes 0.15 s or more.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
EXTRAS = (
    "torch", "triton", "starlette", "uvicorn", "onnx", "onnxruntime", "transformers", "matplotlib", "tensorboardX",
    "IPython", "pandas",
)  # fmt: skip
UNUSED = ("huggingface_hub", "hf_xet", "httpx", "httpx2")
"""What tokenizers needs and Elman does not."""
TEST_TOOLS = ("pytest", "pytest-xdist", "hypothesis")
MEGABYTES, SECONDS = 40, 0.15
PROCESSES = 15
RUN = "run"
TEXT = str(ROOT / "examples" / "lighthouse.txt")
COMMANDS: list[list[str]] = [
    ["--version"],
    ["--help"],
    ["train", "--help"],
    ["train", TEXT, "--batch-size", "4", "--epochs", "2", "--out", RUN],
    ["train", "--resume", RUN, "--epochs", "3"],
    ["evaluate", RUN, TEXT],
    ["score", RUN, TEXT],
    ["next", RUN, "the keeper"],
    ["generate", RUN, "the keeper", "--max-tokens", "10", "--seed", "1"],
    ["metrics", RUN],
    ["flow", RUN, TEXT, "--html", "flow.html"],
    ["ngram", RUN, "--out", "ngram.arpa"],
    ["export", RUN, "--to", "transformers", "--out", "exported"],
    ["info", RUN],
    ["check", str(ROOT / "examples" / "right.md"), "--html", "right.html"],
    ["derive", "a^T X b", "--wrt", "X"],
]


def decoys(folder: Path, log: Path) -> None:
    """Modules with the names of the extras that note that they were imported, and are not there."""
    for name in (*EXTRAS, *UNUSED):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(
            f"with open({str(log)!r}, 'a') as file: file.write({name!r} + '\\n')\nraise ImportError({name!r})\n"
        )


class Environment:
    """A new environment whose PATH has nothing but its own programs."""

    def __init__(self, folder: Path, python: str) -> None:
        subprocess.run([python, "-m", "venv", folder], check=True)
        self.bin = folder / ("Scripts" if os.name == "nt" else "bin")
        kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "SYSTEM"))}
        self.variables = kept | {"PATH": str(self.bin), "HOME": str(folder)}

    def python(self, *arguments: object, **settings: Any) -> subprocess.CompletedProcess[str]:
        program = [str(self.bin / "python"), *map(str, arguments)]
        return subprocess.run(program, env=self.variables, capture_output=True, text=True, check=False, **settings)

    def pip(self, *arguments: object) -> None:
        done = self.python("-m", "pip", "--quiet", "--disable-pip-version-check", *arguments)
        if done.returncode:
            sys.exit(done.stderr)


def run_commands(environment: Environment, folder: Path) -> dict[str, Any]:
    """Each command with decoys: those that failed, and what was imported by which command."""
    log = folder / "imported"
    decoys(folder / "decoys", log)
    environment.variables["PYTHONPATH"] = str(folder / "decoys")
    failed, imported = {}, {}
    for command in COMMANDS:
        log.write_text("")
        done = environment.python("-m", "elman", *command, cwd=folder)
        if done.returncode:
            failed[" ".join(command)] = done.stderr
        if names := log.read_text().split():
            imported[" ".join(command)] = sorted(set(names))
    del environment.variables["PYTHONPATH"]
    return {"commands": len(COMMANDS), "failed": failed, "extras_imported": imported}


def version_seconds(environment: Environment) -> float:
    """Processor time of `elman --version`, the median of some processes."""
    found = []
    for _ in range(PROCESSES):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        environment.python(environment.bin / "elman", "--version")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(found)


def run_tests(environment: Environment, folder: Path, files: list[str]) -> dict[str, Any]:
    """What pytest says of these files, in a copy of the clone that has no src/elman to import."""
    environment.pip("install", *TEST_TOOLS)
    for name in ("tests", "docs", "examples", "benchmarks"):
        shutil.copytree(ROOT / name, folder / "clone" / name)
    shutil.copy(ROOT / "pyproject.toml", folder / "clone")
    done = environment.python("-m", "pytest", "-q", "-p", "no:cacheprovider", *files, cwd=folder / "clone")
    said = done.stdout.strip().splitlines()
    return {"pytest": said[-1] if said else done.stderr, "passed": done.returncode == 0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", nargs="?", type=Path)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--tests", nargs="+", default=[], metavar="FILE")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        wheel = arguments.wheel
        if wheel is None:
            build = [arguments.python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT]
            subprocess.run(build, check=True)
            (wheel,) = folder.glob("*.whl")
        environment, downloads = Environment(folder / "environment", arguments.python), folder / "downloads"
        environment.pip("download", "--no-cache-dir", "--only-binary", ":all:", "--dest", downloads, wheel.resolve())
        environment.pip("install", "--no-index", "--find-links", downloads, wheel.resolve())
        sizes = {path.name.partition("-")[0]: path.stat().st_size / 1e6 for path in downloads.iterdir()}
        result: dict[str, Any] = {
            "wheel": wheel.name,
            "downloads_MB": round(sum(sizes.values()), 2),
            "largest_MB": {name: round(size, 2) for name, size in sorted(sizes.items(), key=lambda it: -it[1])[:7]},
            "compiler": any(environment.python("-c", f"import shutil; print(shutil.which({name!r}))").stdout.strip()
                            != "None" for name in ("cc", "c++", "gcc", "g++", "clang")),
            "info": json.loads(environment.python("-m", "elman", "info", "--json").stdout),
            "version_processor_seconds": round(version_seconds(environment), 3),
            **run_commands(environment, folder),
        }  # fmt: skip
        if arguments.tests:
            result["tests"] = run_tests(environment, folder, arguments.tests)
    print(json.dumps(result, ensure_ascii=False))
    holds = (
        not result["failed"] and not result["extras_imported"] and not result["compiler"]
        and result["info"]["backend"].startswith("native") and result["downloads_MB"] < MEGABYTES
        and result["version_processor_seconds"] < SECONDS and result.get("tests", {"passed": True})["passed"]
    )  # fmt: skip
    sys.exit(not holds)


if __name__ == "__main__":
    main()
