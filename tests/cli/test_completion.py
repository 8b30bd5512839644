"""The shells complete `elman`; each is asked itself where it is installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Run, fails


def completed(words: str, shell: str = "bash") -> list[str]:
    """What the program answers to a shell at the end of these words."""
    asked = {"_ELMAN_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    done = subprocess.run(
        [sys.executable, "-m", "elman"], env=os.environ | asked, capture_output=True, text=True, check=True
    )
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_commands_options_and_values_are_completed() -> None:
    assert completed("elman tr") == ["train"]
    assert "--batch-size" in completed("elman train --b")
    assert completed("elman export --to t") == ["transformers", "torch"]
    assert completed("elman completion z") == ["zsh"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell(shell: str, command: Run, tmp_path: Path) -> None:
    script = command("completion", shell).stdout
    assert f"_ELMAN_COMPLETE={shell}_complete" in script
    assert json.loads(command("completion", shell, "--json").stdout)["script"] == script.removesuffix("\n")
    if shutil.which(shell):
        (tmp_path / "script").write_text(script)
        subprocess.run([shell, "-n", str(tmp_path / "script")], check=True)


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
def test_bash_completes(command: Run, tmp_path: Path) -> None:
    (tmp_path / "script").write_text(command("completion", "bash").stdout)
    (tmp_path / "elman").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m elman "$@"\n')
    (tmp_path / "elman").chmod(0o755)
    call = (
        f"source {tmp_path}/script; COMP_WORDS=(elman ev); COMP_CWORD=1; "
        '_elman_completion "elman"; echo "${COMPREPLY[@]}"'
    )
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(["bash", "-c", call], env=os.environ | {"PATH": path}, capture_output=True, text=True)
    assert done.stdout == "evaluate\n", done.stderr


def test_another_shell_is_refused(command: Run) -> None:
    done = command("completion", "tcsh")
    fails(done, "Error: Invalid value for '{bash|zsh|fish}': 'tcsh' is not one of 'bash', 'zsh', 'fish'.")
