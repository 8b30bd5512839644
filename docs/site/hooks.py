"""What `mkdocs build` does with our pages: formulas become MathML, diagrams tables, links those of the site.

The pages are written for a code host: README.md is the first page, and links lead to files of the repository. Here
README.md, CONTRIBUTING.md and CHANGELOG.md become pages of the site, the reference gets a page for each room, and a
link to a source file leads to the code host that `repo_url` in mkdocs.yml names; without one, it is only its text.
"""

from __future__ import annotations

import logging
import posixpath
import re
from html import unescape
from pathlib import Path
from urllib.parse import urldefrag

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import elman
from elman.notes.report.displayed_math import displayed_math

LOG = logging.getLogger("mkdocs.hooks.elman")
ROOT = Path(__file__).parents[2]
FROM_ROOT = {
    "README.md": "index.md",
    "README.zh-CN.md": "index.zh-CN.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
"""Pages that are not in docs/: their file → their page."""
ROOMS = ("elman", "calculus", "notes", "gradient_flow", "torch", "jupyter", "export")
_FENCE = re.compile(r"(^(`{3,}|~{3,})[^\n]*\n.*?^\2[ \t]*$)", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(?P<image>!?)\[(?P<text>(?:[^\[\]]|\[[^\[\]]*\])*)\]\((?P<target>[^()\s]+)\)")
_BOX, _ARROW = r"(\w+)(?:\[([^\]]*)\])?", r'(?:-->(?:\|"?([^|"]*)"?\|)?|-\.(\w+)\.->)'
_EDGE = re.compile(rf"^[ ]*{_BOX} {_ARROW} {_BOX}$")
_FORMULA = re.compile(r'<(span|div) class="arithmatex">(?:\\\(|\\\[)(.*?)(?:\\\)|\\\])</\1>', re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that are not in docs/."""
    for source, page in FROM_ROOT.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    for room in ROOMS:
        name = "elman" if room == "elman" else f"elman.{room}"
        files.append(File.generated(config, f"reference/{room}.md", content=f"# {name}\n\n{_reference(name)}"))
    return files


def _reference(name: str) -> str:
    """The directives for what a room offers: everything in its `__all__` but constants."""
    module = ROOT / "src" / name.replace(".", "/") / "__init__.py"
    offered = re.search(r"__all__ = \[(.*?)\]", module.read_text(encoding="utf-8"), re.DOTALL)
    names = re.findall(r'"(\w+)"', offered[1]) if offered else []
    homes = {each: getattr(getattr(elman, each), "__module__", name) if name == "elman" else name for each in names}
    return "\n\n".join(f"::: {homes[each]}.{each}" for each in names if not each.startswith("_") and not each.isupper())


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turns the links of the repository into those of the site; fenced code stays as it is."""
    there = {target: source for source, target in FROM_ROOT.items()}
    source = there.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def link(found: re.Match[str]) -> str:
        path, anchor = urldefrag(found["target"])
        if not path or ":" in path:
            return found[0]
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        if target in FROM_ROOT or target.startswith("docs/"):
            inside = FROM_ROOT.get(target, target.removeprefix("docs/"))
            relative = posixpath.relpath(inside, posixpath.dirname(page.file.src_uri) or ".")
            return f"{found['image']}[{found['text']}]({relative}{'#' + anchor if anchor else ''})"
        if not (ROOT / target).exists():
            LOG.warning("%s links to %s, which is not there", source, target)
        if not config.repo_url:
            return found["text"]
        return f"[{found['text']}]({config.repo_url.rstrip('/')}/blob/main/{target})"

    pieces = _FENCE.split(markdown)  # text, fence, its sign, text, …
    pieces[::3] = [_LINK.sub(link, piece) for piece in pieces[::3]]
    pieces[1::3] = [_diagram(piece, source) if piece.startswith("```mermaid") else piece for piece in pieces[1::3]]
    del pieces[2::3]
    return "".join(pieces)


def _diagram(fence: str, source: str) -> str:
    """A Mermaid diagram as a table of its arrows: the script that draws it would have to be fetched."""
    names: dict[str, str] = {}
    heads = "| 起点 | 传递的内容 | 终点 |" if source.endswith(".zh-CN.md") else "| from | what passes | to |"
    rows = [heads, "|---|---|---|"]
    for line in fence.splitlines()[2:-1]:
        edge = _EDGE.match(line)
        if edge is None:
            LOG.warning("%s: an arrow of a diagram is not read: %s", source, line)
            continue
        one, one_label, passes, other_passes, two, two_label = edge.groups()
        names |= {name: label for name, label in ((one, one_label), (two, two_label)) if label}
        cells = names.get(one, one), passes or other_passes or "", names.get(two, two)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Typesets the formulas."""

    def formula(found: re.Match[str]) -> str:
        display = found[1] == "div"
        math = displayed_math(unescape(found[2]).strip(), display)
        if math is None:
            LOG.warning("%s: a formula is not typeset: %s", page.file.src_uri, found[2])
            return found[0]
        return f'<div class="formula">{math}</div>' if display else math

    return _FORMULA.sub(formula, html)
