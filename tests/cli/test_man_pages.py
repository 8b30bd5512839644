"""The manual pages come from the commands: each has one, and groff sets it without a warning where it is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from command_line import COMMANDS

from elman.cli.man_pages import pages, write


def test_every_command_has_a_page() -> None:
    found = pages()
    assert set(found) == {"elman.1", *(f"elman-{name}.1" for name in COMMANDS)}
    for name, text in found.items():
        for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "SEE ALSO"):
            assert f"\n.SH {heading}\n" in text, name
    assert "\\fB\\-\\-to [transformers|onnx|torch|arpa]\\fR" in found["elman-export.1"]
    assert ".SH EXAMPLE\n.nf\nelman export runs/book" in found["elman-export.1"]


def test_the_pages_in_chinese_are_wholly_chinese() -> None:
    found = pages("zh")
    assert set(found) == set(pages())
    for name, text in found.items():
        for heading in ("名称", "概述", "描述", "参见"):
            assert f"\n.SH {heading}\n" in text, name
        words = re.sub(r"(?s)\n\.nf\n.*?\n\.fi\n", "\n", text).replace("\\:", "").replace("\\-", "-")
        assert not re.search(r"(?m)^(?!\.|elman |\\fB)[^\n]*(?<![-\w])[a-z]{3,} [a-z]{2,} [a-z]{3,}", words), name
    assert "elman\\-score \\- " in found["elman-score.1"]
    assert "[默\\:认：\\:127.0.0.1]" in found["elman-serve.1"]
    assert ".SH 示例\n.nf\nelman export runs/book" in found["elman-export.1"]


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_groff_sets_them(tmp_path: Path) -> None:
    for path in write(tmp_path / "man"):
        assert (path.parent.name == "zh_CN") == ("名称" in path.read_text(encoding="utf-8"))
        call = ["groff", "-man", "-Kutf8", "-Tutf8", "-ww", "-rLL=100n", str(path)]
        done = subprocess.run(call, capture_output=True, text=True, check=True)
        assert done.stderr == "", path.name
        assert path.stem.upper() in done.stdout
