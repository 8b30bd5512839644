"""The README is true: its commands and code run, its map names what is there, its links lead somewhere."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from command_line import COMMANDS, TEXT, Run

import elman
from elman.translation import in_language, translate

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
CHINESE = (ROOT / "README.zh-CN.md").read_text(encoding="utf-8")
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "README.zh-CN.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
]


TRANSLATED = [page for page in (ROOT / "docs").glob("*.zh-CN.md") if page.stem != "tutorial.zh-CN"]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, command: Run) -> Path:
    """A folder with the examples in which the README's first block was run, as it is printed."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "examples", folder / "examples")
    block, _ = blocks(README, "console")
    for line in block.splitlines():
        piped, _, call = line.removeprefix("$ ").rpartition(" | ")
        words = shlex.split(call)
        assert words[0] == "elman"
        stdin = " ".join(shlex.split(piped)[1:]) + "\n" if piped else None
        done = command(*words[1:], stdin=stdin, cwd=folder)
        assert done.returncode == ("examples/wrong.md" in words), done.stderr
    return folder


def test_the_examples_are_right_and_wrong(command: Run) -> None:
    right, wrong = (
        json.loads(command("check", ROOT / "examples" / f"{name}.md", "--json").stdout)["claims"]
        for name in ("right", "wrong")
    )
    assert all(claim["good"] for claim in right)
    assert [claim["verdict"] for claim in wrong if not claim["good"]] == ["wrong sign", "wrong order"]
    assert [claim["fixes"][0]["formula"] for claim in wrong if not claim["good"]] == ["p - y", "X^T (p - y)"]


@pytest.mark.parametrize("readme", [README, CHINESE], ids=["English", "Chinese"])
def test_python_blocks_run(readme: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    names: dict[str, object] = {}
    python = blocks(readme, "python")
    assert len(python) == 2
    for block in python:
        exec(block, names)
    assert names["log_prob"] < 0


def test_the_chinese_readme_has_the_same_commands(folder: Path, command: Run) -> None:
    """And one more, whose output it prints."""
    first, in_chinese, last = blocks(CHINESE, "console")
    assert [first, last] == blocks(README, "console")
    call, _, output = in_chinese.partition("\n")
    assert command(*shlex.split(call.removeprefix("$ elman ")), cwd=folder).stdout == output
    without_comments = [
        re.sub(r" *#.*", "", "".join(blocks(text, "sh") + blocks(text, "python"))) for text in (README, CHINESE)
    ]
    assert without_comments[0] == without_comments[1]


def test_the_commands_of_the_picture_run(tmp_path: Path, command: Run) -> None:
    """In less time."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    for line in blocks(README, "console")[1].splitlines():
        words = shlex.split(line.removeprefix("$ ").replace("--epochs 20", "--epochs 1"))
        assert words[0] == "elman"
        done = command(*words[1:], cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert "Gradient flow: runs/chars" in (tmp_path / "chars.html").read_text(encoding="utf-8")
    for picture in ("flow.png", "flow.zh-CN.png"):
        assert (ROOT / "docs" / picture).stat().st_size < 300_000


def test_the_two_commands_are_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^make (\S+)", "".join(blocks(README, "sh")), re.MULTILINE)
    assert targets == ["train", "test"]
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_every_path_of_the_map_is_there_and_every_room_is_on_the_map() -> None:
    paths = re.findall(r"^\| `([^`]+)` \|", README, re.MULTILINE)
    assert len(paths) > 8
    for path in paths:
        assert (ROOT / path).exists(), path
    for room in (ROOT / "src" / "elman").iterdir():
        if room.is_dir() and (room / "__init__.py").exists():
            assert f"src/elman/{room.name}/" in paths


def test_the_chinese_readme_names_the_same_size_and_pages() -> None:
    """Or the translation of a page."""
    for pattern in (r"\d+(?= MB)", r"\]\((docs/\w[^)]*\.md)"):
        assert set(re.findall(pattern, README)) <= set(re.findall(pattern, CHINESE.replace(".zh-CN", ""))), pattern


def skeleton_of(page: str) -> list[str]:
    """What a translation keeps, in order: levels of headings, formulas, code, pictures, and the rows of tables.

    Of a diagram these are the boxes with their paths, and the arrows with the letters at them, but not the words.
    """
    fences = r"^```.*?^```$"
    kept = re.findall(rf"{fences}|^\$\$.*?\$\$$|^#+ |\]\([^)]*\.png\)|^\|", page, re.DOTALL | re.MULTILINE)
    console = [re.sub(r"\n[^$`].*| --lang zh", "", part) if part.startswith("```console") else part for part in kept]
    words = r"<br>[^]|]*|(?<=\|)[a-z一-鿿]+(?=\|)|(?<=-\.)\w+"
    drawn = [re.sub(words, "", part) if part.startswith("```mermaid") else part for part in console]
    return [re.sub(r" *#.*", "", part) if part.startswith("```") else part for part in drawn]


@pytest.mark.parametrize("page", TRANSLATED, ids=lambda page: page.stem)
def test_a_translated_page_has_all_that_its_original_has(page: Path) -> None:
    """And the same figures; the tutorial, whose text is another, has a test of its own."""
    original = page.with_name(page.name.replace(".zh-CN", "")).read_text(encoding="utf-8")
    text = page.read_text(encoding="utf-8")
    assert skeleton_of(text) == skeleton_of(original)
    named = f"]({page.name})"
    assert named in original
    figures = [set(re.findall(r"\d[\d,.]*\d(?= ?(?:%|MB))", each)) for each in (original, text)]
    assert figures[0] == figures[1]


def inline_of(page: str, sign: str) -> set[str]:
    """The code (sign `) or the formulas (sign $) inside the sentences of a page."""
    sentences = re.sub(r"^```.*?^```$|\$\$.*?\$\$", "", page, flags=re.DOTALL | re.MULTILINE)
    if sign != "`":
        sentences = re.sub("`[^`\n]+`", "", sentences)
    sign = re.escape(sign)
    return {" ".join(each.split()) for each in re.findall(f"{sign}([^{sign}]+){sign}", sentences)}


@pytest.mark.parametrize("page", TRANSLATED, ids=lambda page: page.stem)
def test_a_translated_page_has_the_formulas_and_the_code_of_the_sentences(page: Path) -> None:
    """Anywhere, or as a part of a longer one. Messages that are quoted are those in Chinese."""
    original = page.with_name(page.name.replace(".zh-CN", "")).read_text(encoding="utf-8")
    text = page.read_text(encoding="utf-8").replace(".zh-CN", "")
    for sign in "`$":
        there = inline_of(text, sign)
        with in_language("zh"):
            absent = [each for each in inline_of(original, sign) if not any(each in one for one in there)]
            missing = [each for each in absent if translate(each) not in there]
        assert not missing, f"not in {page.name}: {missing}"


def test_chinese_pages_lead_to_chinese_pages() -> None:
    """Where there is one, but for the line that names the original."""
    for page in (*TRANSLATED, ROOT / "README.zh-CN.md", ROOT / "docs" / "tutorial.zh-CN.md"):
        text = page.read_text(encoding="utf-8").split("\n", 4)[-1]
        for target in re.findall(r"\]\(([^)#]+\.md)", text):
            if not target.endswith(".zh-CN.md"):
                assert not (page.parent / target.replace(".md", ".zh-CN.md")).exists(), (page.name, target)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (document.parent / target).exists(), target


@pytest.fixture
def guide_folder(tmp_path: Path, word_run: Path) -> Path:
    """The run and the texts that the guide's examples of inference name."""
    for name in ("book", "other"):
        shutil.copytree(word_run, tmp_path / "runs" / name)
    for name in ("other.txt", "sentences.txt", "book.txt"):
        (tmp_path / name).write_text(TEXT[:1000])
    return tmp_path


@pytest.mark.parametrize("section", ["Train", "Evaluate", "Next", "Score", "Generate", "Metrics", "Plot"])
def test_the_guides_examples_of_inference_run(
    section: str, guide_folder: Path, command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    guide = (ROOT / "docs" / "guide.md").read_text()
    text = re.search(rf"^## {section}\n(.*?)(?=^## )", guide, re.DOTALL | re.MULTILINE)
    assert text
    monkeypatch.chdir(guide_folder)
    if section == "Train":
        elman.train("book.txt", out="runs/deep", layers=2, hidden=8, epochs=1)
        elman.train("book.txt", out="runs/large", output="adaptive", hidden=8, epochs=1)
    for block in blocks(text[1], "python"):
        exec(block, {})
    if section == "Train":
        return  # its commands are long runs; test_cli.py has short ones
    calls = [line for block in blocks(text[1], "sh") for line in block.splitlines()]
    assert calls
    for line in calls:
        call, _, name = line.partition(" > ")[0].partition(" < ")
        words = shlex.split(call, comments=True)
        assert words[0] == "elman"
        if words[1] == "plot" and "--out" in words and find_spec("matplotlib") is None:
            continue
        done = command(*words[1:], stdin=(guide_folder / name).read_bytes() if name else None, cwd=guide_folder)
        assert done.returncode == 0, done.stderr


def test_every_option_of_the_guide_exists(command: Run) -> None:
    guide = (ROOT / "docs" / "guide.md").read_text()
    known = "".join(command(name, "--help").stdout for name in COMMANDS)
    of_torchrun = {"--nproc-per-node"}
    for option in set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", guide)) - of_torchrun:
        assert option in known, option
