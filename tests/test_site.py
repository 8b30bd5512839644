"""The documentation as a site: built strictly, with every formula typeset, and nothing that a browser would fetch."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FETCHED = re.compile(r'<(?:script|link|img|iframe)[^>]* (?:src|href)="(?:https?:)?//[^"]*"')
needs_mkdocs = pytest.mark.skipif(
    find_spec("material") is None or find_spec("mkdocstrings") is None, reason="the extra docs is not installed"
)


def test_every_page_is_in_the_site() -> None:
    """A new page of docs/ has its place in the navigation, `nav` in mkdocs.yml."""
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert f": {page.name}\n" in navigation, page.name


@needs_mkdocs
@pytest.mark.slow
def test_the_site_is_built_strictly_and_fetches_nothing(tmp_path: Path) -> None:
    """Strictly: a broken link, anchor, formula or directive of the reference fails."""
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    pages = {path.relative_to(tmp_path / "site").as_posix(): path.read_text(encoding="utf-8") for path in
             (tmp_path / "site").rglob("*.html")}  # fmt: skip
    assert {"index.html", "tutorial.html", "tutorial.zh-CN.html", "reference/elman.html"} <= set(pages)
    for name, html in pages.items():
        assert not FETCHED.search(html), name
        assert "arithmatex" not in html, name
        assert "flowchart" not in html, name
    assert pages["derivation.html"].count("<math") > 200
    assert 'href="tutorial.html"' in pages["index.html"]
    assert "<th>what passes</th>" in pages["architecture.html"]
    assert "<th>传递的内容</th>" in pages["architecture.zh-CN.html"]


@needs_mkdocs
@pytest.mark.slow
@pytest.mark.parametrize("broken", ["[there](nowhere.md)", "[there](guide.md#nowhere)", "$\\nocommand{x}$"])
def test_a_page_with_something_broken_fails(tmp_path: Path, broken: str) -> None:
    for name in ("docs", "examples", "src", "tests", "benchmarks"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "docs").unlink()
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    for name in ("mkdocs.yml", "README.md", "README.zh-CN.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    with (tmp_path / "docs" / "tutorial.md").open("a", encoding="utf-8") as file:
        file.write(f"\n{broken}\n")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "tutorial.md" in done.stderr
