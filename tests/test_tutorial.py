"""The tutorials in both languages: their commands run in order, with the output that they print where it is exact."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TUTORIALS = ["tutorial.md", "tutorial.zh-CN.md"]
EXACT = ("elman check", "elman derive")
"""Commands whose output does not depend on the machine; that of the others is shown by way of example."""

pytestmark = pytest.mark.skipif(os.name != "posix", reason="its commands are those of a POSIX shell")


@pytest.fixture(scope="module")
def shell_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which `elman` is the package under test."""
    programs = tmp_path_factory.mktemp("bin")
    elman = programs / "elman"
    elman.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m elman "$@"\n')
    elman.chmod(0o755)
    language = {"ELMAN_LANG": "", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "LANGUAGE": ""}
    return os.environ | language | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHONIOENCODING": "utf-8"}


def calls(block: str) -> list[tuple[str, str]]:
    """The commands of a block, each with the output below it."""
    return [(call, output) for call, output in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)]


@pytest.mark.slow
@pytest.mark.parametrize("name", TUTORIALS)
def test_the_commands_of_the_tutorial_run(name: str, tmp_path: Path, shell_environment: dict[str, str]) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    language = {"ELMAN_LANG": "zh" if "zh" in name else ""}  # as the Chinese one says
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    ran = 0
    for found in re.finditer(r"^```(\w+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        kind, block = found.groups()
        if kind == "markdown":
            saved_as = re.findall(r"`(\w+\.md)`", text[: found.start()])[-1]
            (tmp_path / saved_as).write_text(block, encoding="utf-8")
        for call, output in calls(block) if kind == "console" else []:
            done = subprocess.run(
                ["sh", "-c", call],
                cwd=tmp_path,
                env=shell_environment | language,
                capture_output=True,
                encoding="utf-8",
                check=False,
            )
            wrong = call.startswith("elman check mine.md")
            assert done.returncode == wrong, f"{call}\n{done.stdout}{done.stderr}"
            if call.startswith(EXACT) and output:
                shown = done.stdout + done.stderr  # what was written, and where to, comes last
                assert re.sub(r"\d+e-\d+", "0", shown) == re.sub(r"\d+e-\d+", "0", output), call
            ran += 1
    assert ran >= 13
    assert (tmp_path / "flow.html").exists()
    report = (tmp_path / "mine.html").read_text(encoding="utf-8")
    assert ('<html lang="zh-Hans">' in report) == (name == "tutorial.zh-CN.md")


def test_the_tutorials_have_the_same_steps() -> None:
    """Heading by heading, and command by command but for the text and the language."""
    one, other = ((ROOT / "docs" / name).read_text(encoding="utf-8") for name in TUTORIALS)
    for pattern in (r"^## (\d\.)?", r"^\$ (\w+ ?\w*)"):
        assert re.findall(pattern, one, re.MULTILINE) == re.findall(pattern, other, re.MULTILINE)
    assert re.findall(r"^pip .*", one, re.MULTILINE) == re.findall(r"^pip .*", other, re.MULTILINE)
