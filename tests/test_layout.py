"""The house rules that a machine can check: who may import whom, private names, circles, heavy imports, clocks."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "elman"

EVERYBODY = {
    "errors",
    "schema",
    "arguments",
    "config",
    "files",
    "thread_count",
    "translation",
    "wording",
    "representation",
    "notebook_html",
}
MAY_IMPORT = {
    "errors": set(),
    "schema": set(),
    "arguments": set(),
    "thread_count": set(),
    "config": set(),
    "files": set(),
    "translation": set(),
    "wording": set(),
    "representation": set(),
    "notebook_html": set(),
    "text": set(),
    "kernels": {"model.activations"},
    "calculus": set(),
    "notes": {"calculus", "model.reference"},
    "model": {"kernels"},
    "checkpoint": {"model", "text"},
    "training": {"text", "model", "checkpoint", "kernels", "inference.evaluate", "gradient_flow"},
    "ngram": set(),
    "inference": {"text", "model", "checkpoint", "kernels", "ngram"},
    "gradient_flow": {"text", "model", "kernels"},
    "language_model": {"text", "model", "checkpoint", "inference", "ngram", "training.metrics_file"},
    "train_model": {"training", "language_model"},
    "jupyter": {"notes", "training.records"},
    "export": {"text", "model", "checkpoint", "ngram", "inference.company", "language_model"},
    "torch": {"kernels", "model", "language_model"},
    "serve": {"text", "model", "kernels.protocol", "inference", "language_model", "gradient_flow", "notes"},
}


# Inside these rooms the data goes down the list: a file imports from its own line and from those above it.
ORDER = {
    "calculus": [
        "expression", "functions", "syntax", "shapes", "values", "index_form", "matrix_form", "printing",
        "conventions", "differentiation", "derive_formula", "forward_equations", "loss_parts", "constants", "gradients",
        "__init__",
    ],
    "notes": [
        "page", "model", "oracle", "judge", "repair", "report", "check_page", "derivation", "derive_page", "__init__",
    ],
}  # fmt: skip


def imports(path: Path) -> set[str]:
    """The rooms of elman that a file imports: `elman.text.corpus` → text, text.corpus."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "elman":
            modules = [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {module.removeprefix("elman").strip(".") for module in modules}
        elif isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("elman.") for alias in node.names if alias.name.startswith("elman.")}
    return {name for name in found if name}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_who_may_import_whom(room: str) -> None:
    files = (SOURCE / room).rglob("*.py") if (SOURCE / room).is_dir() else [SOURCE / f"{room}.py"]
    rooms = {p.stem if p.is_file() else p.name for p in SOURCE.iterdir()}
    allowed = MAY_IMPORT[room] | EVERYBODY | {room}
    for path in files:
        for name in imports(path):
            if name.split(".")[0] not in rooms:
                continue  # a name of elman/__init__.py
            assert any(name == a or name.startswith(f"{a}.") or a.startswith(f"{name}.") for a in allowed), (
                f"{path.relative_to(ROOT)} imports elman.{name}"
            )


@pytest.mark.parametrize("room", ORDER)
def test_inside_a_room_imports_go_one_way(room: str) -> None:
    order = ORDER[room]
    assert {p.stem for p in (SOURCE / room).iterdir() if p.stem != "__pycache__"} == set(order)
    for path in (SOURCE / room).rglob("*.py"):
        here = order.index(path.relative_to(SOURCE / room).parts[0].removesuffix(".py"))
        for name in imports(path):
            parts = name.split(".")
            if parts[0] == room and len(parts) > 1 and parts[1] in order:
                assert order.index(parts[1]) <= here, f"{path.relative_to(ROOT)} imports elman.{name}"


def module_of(path: Path) -> str:
    """`src/elman/text/corpus.py` → text.corpus, and a package by its folder's name; "" is elman itself."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def test_there_is_no_import_circle() -> None:
    """Between files, imports inside functions and for the type checker included; a package's front door may import
    what is in it."""
    modules = {module_of(path): path for path in SOURCE.rglob("*.py")}
    needs = {name: (imports(path) & set(modules)) - {name} for name, path in modules.items()}
    for name, found in needs.items():  # `from elman.text.corpus import Corpus` is of the file, not of its package
        needs[name] = {n for n in found if not any(other.startswith(f"{n}.") for other in found)}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        pytest.fail(f"these files import each other: {' → '.join(error.args[1])}")


def root_of(node: ast.expr) -> str:
    """The first name of `a.b.c`; "" where it begins with a call or the like."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def private_names(path: Path) -> Iterator[str]:
    """Names with a leading underscore that a file takes from another of ours: imported, or asked of an object."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    own = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    own |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    own |= {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}
    libraries = {a.asname or a.name.split(".")[0] for n in nodes if isinstance(n, ast.Import) for a in n.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("elman"):
            yield from (alias.name for alias in node.names if re.match("_[a-z]", alias.name, re.IGNORECASE))
        elif isinstance(node, ast.Attribute) and node.attr not in own and root_of(node) not in libraries - {"elman"}:
            yield from re.findall("^_[a-zA-Z].*", node.attr)


PUBLIC_ALL_THE_SAME = {"_native", "_replace", "_asdict", "_fields", "_repr_html_", "_catalog"}
"""The built kernels' module, what Python's named tuples offer to everybody, and what notebooks ask of a
value, and the messages of gettext."""


@pytest.mark.parametrize("folder", ["src/elman", "tests", "benchmarks"])
def test_no_private_name_is_used_in_another_file(folder: str) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        found = set(private_names(path)) - PUBLIC_ALL_THE_SAME
        assert not found, f"{path.relative_to(ROOT)} uses {', '.join(sorted(found))}"


CLOCK = re.compile(r"^\s*(?:assert|while) .*(?:perf_counter|monotonic|process_time|time\.time|elapsed|seconds\b)")


def test_no_test_asserts_a_wall_clock_time() -> None:
    """Growth is counted, or compared as process times of two sizes with slack; a busy machine passes every test."""
    for path in [*(ROOT / "tests").rglob("test_*.py"), *(ROOT / "tests" / "support").glob("*.py")]:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            assert not CLOCK.search(line) or path == Path(__file__), (
                f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
            )


def test_verdicts_do_not_read_the_clock() -> None:
    for path in [*(SOURCE / "notes").rglob("*.py"), *(SOURCE / "calculus").rglob("*.py")]:
        if path.name != "check_page.py":  # which says how long it took
            assert not re.search(r"\b(?:import time|from time)\b", path.read_text()), path


def test_the_library_changes_no_setting_of_the_interpreter() -> None:
    for path in SOURCE.rglob("*.py"):
        assert "setrecursionlimit" not in path.read_text(), path


def test_every_room_is_under_a_rule() -> None:
    rooms = {p.stem for p in SOURCE.iterdir() if p.suffix == ".py" or (p.is_dir() and (p / "__init__.py").exists())}
    assert rooms - set(MAY_IMPORT) == {"__init__", "__main__", "cli"}  # those may import all


def test_nobody_imports_the_command_line() -> None:
    for path in SOURCE.rglob("*.py"):
        if "cli" not in path.parts and path.name != "__main__.py":
            assert not any(name.split(".")[0] == "cli" for name in imports(path)), path


def may_use_torch(path: Path) -> bool:
    rooms = (SOURCE / "torch", SOURCE / "training" / "device.py", SOURCE / "export" / "templates")
    return path.name.startswith(("torch_", "triton_")) or path in rooms or path.parent in rooms


def test_no_framework_no_pickle_no_eval_and_no_printing_but_in_the_command_line() -> None:
    for path in SOURCE.rglob("*.py"):
        text = path.read_text()
        assert not re.search(r"\b(import|from) (jax|tensorflow|pickle)\b", text), path
        assert path.name.startswith("triton_") or not re.search(r"\b(import|from) triton\b", text), path
        assert may_use_torch(path) or not re.search(r"\b(import|from) torch\b", text), path
        assert not re.search(r"(?<![.\w])(eval|exec)\(", text), path
        if "cli" not in path.parts:
            assert not re.search(r"(?<![.\w])print\(", text), path


def test_importing_elman_loads_nothing_heavy() -> None:
    code = (
        "import sys, elman; print([m for m in ('numpy', 'torch', 'tokenizers', 'click', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_pytorch_is_imported_by_its_own_room_alone() -> None:
    """With every other room imported (but for what other extras or the native kernels need) it is not there."""
    mine = sorted(
        ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")
        for path in SOURCE.rglob("*.py")
        if not may_use_torch(path) and path.name != "__main__.py"
    )
    code = (
        "import contextlib, importlib, sys\n"
        "sys.modules['tensorboardX'] = None  # it imports PyTorch where that is installed\n"
        f"for name in {mine}:\n"
        "    with contextlib.suppress(ImportError): importlib.import_module(name)\n"
        "assert 'torch' not in sys.modules and 'elman.torch' not in sys.modules\n"
        "assert 'elman.training.start' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_reference_stands_alone() -> None:
    assert imports(SOURCE / "model" / "reference.py") == set()


def test_the_rooms_of_formulas_open_from_the_front_door() -> None:
    code = "import elman; print(elman.notes.check.__name__, elman.calculus.derive('a^T x', 'x').text)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "check a\n"
