"""The house rules that a machine can hold: who may import whom, and what is not pulled in."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "elman"

EVERYBODY = {"errors", "config", "files", "wording"}
MAY_IMPORT = {
    "errors": set(),
    "config": set(),
    "files": set(),
    "wording": set(),
    "text": set(),
    "kernels": {"model.activations"},
    "calculus": set(),
    "notes": {"calculus", "model.reference"},
    "model": {"kernels"},
    "checkpoint": {"model", "text"},
    "training": {"text", "model", "checkpoint", "kernels", "inference.evaluate", "gradient_flow"},
    "inference": {"text", "model", "checkpoint", "kernels"},
    "gradient_flow": {"text", "model", "kernels"},
    "language_model": {"text", "model", "checkpoint", "inference"},
    "torch": {"kernels", "model", "language_model"},
}


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


def test_every_room_is_under_a_rule() -> None:
    rooms = {p.stem for p in SOURCE.iterdir() if p.suffix == ".py" or (p.is_dir() and (p / "__init__.py").exists())}
    assert rooms - set(MAY_IMPORT) == {"__init__", "__main__", "cli"}  # those may import all


def test_nobody_imports_the_command_line() -> None:
    for path in SOURCE.rglob("*.py"):
        if "cli" not in path.parts and path.name != "__main__.py":
            assert not any(name.split(".")[0] == "cli" for name in imports(path)), path


def may_use_torch(path: Path) -> bool:
    rooms = (SOURCE / "torch", SOURCE / "training" / "device.py")
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
