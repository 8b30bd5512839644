"""Chinese: every message is in the catalogue, placeholders agree, and commands and reports speak it."""

from __future__ import annotations

import gettext
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from command_line import COMMANDS, Run
from messages import HOLE, skeleton, templates, translated_templates

from elman.cli import main
from elman.cli.languages import language_of_call
from elman.cli.translated_help import DOMAIN, VERBATIM, example_columns, option_text, paragraphs
from elman.gradient_flow.figure_text import DOMAIN as FIGURES
from elman.gradient_flow.figure_text import words_of
from elman.inference.evaluate import Evaluation
from elman.notebook_html import DOMAIN as NOTEBOOK
from elman.notes import check
from elman.notes.judge.verdict import Verdict
from elman.notes.page.reader import page_of
from elman.serve.check_worker import answer
from elman.serve.page_words import DOMAIN as PAGE_WORDS
from elman.training.curves import ABSCISSA, WORDS
from elman.translation import (
    CATALOGUES,
    broken_between,
    catalogue,
    chosen_language,
    in_language,
    language_of_locale,
    listed,
    placeholders,
    translate,
)
from elman.wording import columns

SOURCE = Path(__file__).parents[1] / "src" / "elman"
HAN = re.compile("[\u4e00-\u9fff]")
CLAUSE = re.compile(r"(?<![\\A-Za-z])[a-z]{3,} [a-z]{2,} [a-z]{2,}")
CHINESE = CATALOGUES / "zh" / "LC_MESSAGES"

WORD_LISTS = {  # lists of words and patterns by which a page is read, printers of formulas: no sentences for people
    "notes/page": {"english_words", "chinese_words", "noun_phrases", "prose", "declarations", "scanner", "markdown",
                   "tables", "code", "latex", "language"},
    "notes/model": {"functions_by_words", "nabla"},
    "notes/report": {"displayed_math", "style"},
    "calculus/printing": {"mathml", "python", "render", "index_text", "printer"},
    "gradient_flow": {"drawing", "plots", "report", "token_plot", "decomposition", "number_text"},  # `said` has theirs
    "cli": {"man_pages", "settings", "bench"},
    "inference": {"evaluate"},
    "training": {"curves_plot", "curves_page"},
}  # fmt: skip
TRANSLATED_ROOMS = (
    "notes",
    "calculus",
    "cli",
    "gradient_flow",
    "text",
    "model",
    "training",
    "inference",
    "ngram",
    "export",
)
TRANSLATED_FILES = (
    "files.py",
    "errors.py",
    "config.py",
    "schema.py",
    "arguments.py",
    "checkpoint.py",
    "thread_count.py",
    "language_model.py",
    "train_model.py",
    "kernels/choose.py",
    "serve/limits.py",
    "serve/server.py",
)
NO_SENTENCES = {
    "Callable[[Any, Token], Node]", "{} and {}", "bold {}", "vec({}) vec({})^T", "{}.shape = [{}, {}]", "# Derivation",
    "b is a number, x is a column [n], x is a row [n], W is a matrix [m,n], W [m,n], f is any function, "
    "e is Euler's number, l numbers the layers, i numbers the examples, t numbers the steps",
    "elman %(version)s", "elman check --serve", "elman serve", "Build Dependencies", "a run ends with a StopRecord",
    "elman: a library computes", "{}={} tokens={} oov={}", "{'descr': {}, 'fortran_order': False, 'shape': ({},), }",
    " or {}", "never stop early", "{} {} bits", "{} perplexity {}", "Gradient treatments",
}  # fmt: skip
"""Strings with words in them that nobody is told, or that are English everywhere."""
FLAGS = re.compile(r"(--[a-z-]+( (below|over))?( [\w{}.]+)? ?)+")


_MANY = 3  # blanks of a string that is no accidental part of a sentence


def is_pattern(text: str) -> bool:
    """Whether a string is a pattern for a sentence that is in the catalogue by itself."""
    return text.startswith(("^", "default-src")) or (text.endswith("$") and "${" not in text)


def is_help(text: str, path: Path) -> bool:
    """Whether a string of the configuration is the help of an option, which is a sentence with its stop."""
    return path.name == "config.py" and text.endswith(".")


def sentences() -> dict[str, str]:
    """Every message, as a template → the first place that makes it."""
    found: dict[str, str] = {}
    of_rooms = [path for room in TRANSLATED_ROOMS for path in sorted((SOURCE / room).rglob("*.py"))]
    for path in [*of_rooms, *(SOURCE / name for name in TRANSLATED_FILES)]:
        folder = path.parent.relative_to(SOURCE).as_posix()
        if path.stem in WORD_LISTS.get(folder, ()) or "templates" in path.parts:
            continue
        elsewhere = NO_SENTENCES | {skeleton(text) for _, text in translated_templates(path, "label")}
        for line, text in [*templates(path), *translated_templates(path)]:
            if skeleton(text) in elsewhere or is_pattern(text) or is_help(text, path) or FLAGS.fullmatch(text):
                continue
            found.setdefault(skeleton(text), f"{path.relative_to(SOURCE)}:{line}")
    return found


def is_known(text: str, known: set[str]) -> bool:
    """Whether a sentence is translated, by itself or as part of another: it has many words, or a blank at its end."""
    part = text.strip(" ;")
    if text in known or part in known:
        return True
    if (part != text or part.count(" ") > _MANY) and any(text in message for message in known):
        return True
    return any(HAN.search(translate(text.replace(HOLE, filled))) for filled in ("X", "s"))


def test_no_sentence_is_missing_in_the_catalogue() -> None:
    """A new sentence: add it to elman.po, with names for its placeholders, and run `make messages`."""
    known = {skeleton(message) for message in catalogue("zh")}
    with in_language("zh"):
        missing = [f"{place}: {text}" for text, place in sentences().items() if not is_known(text, known)]
    assert not missing, "\n".join(["not in src/elman/locale/zh/LC_MESSAGES/elman.po:", *missing])


def help_pieces() -> Iterator[tuple[str, str]]:
    """Each text of the commands' help, and the command that it is first in."""
    top = click.Context(main, info_name="elman")
    for name in (None, *COMMANDS):
        command = main if name is None else main.get_command(top, name)
        assert command is not None
        ctx = top if name is None else click.Context(command, info_name=name, parent=top)
        for paragraph in [*paragraphs(command.help or ""), *paragraphs(command.epilog or "")]:
            if paragraph.startswith(VERBATIM):
                yield from ((example_columns(line)[-1], f"{name}") for line in paragraph.split("\n")[1:])
            elif paragraph and not paragraph.startswith("Example:"):
                yield paragraph, f"{name}"
        for parameter in command.get_params(ctx):
            if isinstance(parameter, click.Option) and (record := parameter.get_help_record(ctx)):
                yield record[1], f"{name} {parameter.opts[-1]}"


def test_no_text_of_the_help_is_missing_in_its_catalogue() -> None:
    """A new command, option or default in words: add it to help.po, and run `make messages`."""
    with in_language("zh"):
        missing = []
        for text, place in help_pieces():
            plain, *details = re.split(r"\s*\[(?=default: |required|x|\d)|\]", option_text(text))
            missing += [f"{place}: {text}"] if not HAN.search(plain) or CLAUSE.search(plain) else []
            missing += [f"{place}: [{detail}]" for detail in details if CLAUSE.search(detail)]
    assert not missing, "\n".join(["not in src/elman/locale/zh/LC_MESSAGES/help.po:", *missing])


def test_every_text_of_the_help_catalogue_is_used() -> None:
    used = {" ".join(re.sub(r"(\s*\[[^\[\]]+\])+$", "", text).split()) for text, _ in help_pieces()}
    for message in catalogue("zh", DOMAIN):
        long = message.count(" ") > 5 and not placeholders(message)
        assert not long or message in used or any(message in text for text, _ in help_pieces()), message


def figure_texts() -> Iterator[tuple[str, str]]:
    """Each text of plots and their pages as a template without names, and the place that makes it."""
    for path in [*sorted((SOURCE / "gradient_flow").glob("*.py")), *sorted((SOURCE / "training").glob("curves*.py"))]:
        for line, text in translated_templates(path, "said"):
            yield skeleton(text), f"{path.name}:{line}"
    for path in sorted((SOURCE / "gradient_flow" / "page").glob("*.js")):
        yield from ((skeleton(text), path.name) for text in words_of(path.read_text(encoding="utf-8")))
    yield from ((text, "curves.py") for text in (*WORDS.values(), *ABSCISSA.values()))
    yield from ((text, "diagnosis.py") for text in ("vanishing", "exploding", "saturated", "dominated", "healthy"))


def test_no_text_of_a_figure_is_missing_in_its_catalogue() -> None:
    """A new label or caption: add it to figures.po, and run `make messages`."""
    known = {skeleton(message) for message in catalogue("zh", FIGURES)}
    missing = [f"{place}: {text}" for text, place in figure_texts() if text not in known]
    assert not missing, "\n".join(["not in src/elman/locale/zh/LC_MESSAGES/figures.po:", *missing])


def notebook_texts() -> Iterator[tuple[str, str]]:
    """Each text of a block for notebooks as a template without names, and the place that makes it."""
    for path in sorted(SOURCE.rglob("*.py")):
        for line, text in translated_templates(path, "label"):
            yield skeleton(text), f"{path.name}:{line}"
    yield from ((name.replace("_", " "), "evaluate.py") for name in Evaluation(1.0, 1, 1.0, 1, 1, 1, 1, 1).as_dict())
    yield from ((text, "diagnosis.py") for text in ("vanishing", "exploding", "saturated", "dominated", "healthy"))
    yield from ((text, "derive_formula.py") for text in ("denominator", "numerator"))


def test_no_text_of_a_notebook_s_block_is_missing_in_its_catalogue() -> None:
    """A new label: add it to notebook.po, and run `make messages`."""
    known = {skeleton(message) for message in catalogue("zh", NOTEBOOK)}
    texts = dict(notebook_texts())
    missing = [f"{place}: {text}" for text, place in texts.items() if text not in known]
    assert not missing, "\n".join(["not in src/elman/locale/zh/LC_MESSAGES/notebook.po:", *missing])
    assert known == set(texts)


def page_texts() -> Iterator[str]:
    """The texts of the server's page: in its HTML, in what its scripts say, and the verdicts."""
    static = SOURCE / "serve" / "static"
    html = re.sub(r"<(noscript|title)>.*?</\1>|<!doctype[^>]*>", "", (static / "page.html").read_text(encoding="utf-8"))
    for text in [*re.findall(r">([^<>]+)<", html), *re.findall(r'(?:aria-label|placeholder|title)="([^"]*)"', html)]:
        plain = " ".join(text.split("\n\n")[0].split())
        if re.search("[a-z]{2}", plain) and plain not in {"Elman", "--api-key", "ELMAN_API_KEY"}:
            yield plain
    for path in sorted(static.glob("*.js")):
        yield from words_of(path.read_text(encoding="utf-8"))
    yield from Verdict


def test_no_text_of_the_server_s_page_is_missing_in_its_catalogue() -> None:
    """A new text of the page: add it to page.po, and run `make messages`."""
    known = catalogue("zh", PAGE_WORDS)
    missing = [text for text in page_texts() if text not in known]
    assert not missing, "\n".join(["not in src/elman/locale/zh/LC_MESSAGES/page.po:", *missing])
    assert set(known) == set(page_texts())


@pytest.mark.parametrize("domain", ["elman", DOMAIN, FIGURES, NOTEBOOK, PAGE_WORDS])
def test_placeholders_agree(domain: str) -> None:
    for message, translated in catalogue("zh", domain).items():
        assert set(placeholders(translated)) == set(placeholders(message)), message
        assert translated != message


@pytest.mark.parametrize("domain", ["elman", DOMAIN, FIGURES, NOTEBOOK, PAGE_WORDS])
def test_the_compiled_catalogue_is_that_of_the_source(tmp_path: Path, domain: str) -> None:
    """`make messages` compiles the catalogues; so does `msgfmt`."""
    compiled = tmp_path / "compiled.mo"
    source = CHINESE / f"{domain}.po"
    if compiler := shutil.which("msgfmt"):
        subprocess.run([compiler, "--check-format", "-o", compiled, source], check=True)
    else:
        pytest.importorskip("polib").pofile(str(source)).save_as_mofile(str(compiled))
    with compiled.open("rb") as new, (CHINESE / f"{domain}.mo").open("rb") as stored:
        found = [vars(gettext.GNUTranslations(file))["_catalog"] for file in (new, stored)]
    assert {k: v for k, v in found[0].items() if k} == {k: v for k, v in found[1].items() if k}


def test_a_sentence_is_translated_with_what_stands_in_it() -> None:
    with in_language("zh"):
        assert translate("q is not defined on this page") == "文中没有定义 q"
        assert translate("[n,1] times [m,1] does not fit: the inner dimensions differ") == (
            "[n,1] 与 [m,1] 相乘时形状不匹配：内侧维数不相等"
        )
        assert translate("reading: b a number, x a column [n]") == "解读：b 为标量，x 为列向量 [n]"
        assert translate("the index i is bound nowhere: write it by entries") == (
            "指标 i 既没有求和，也没有出现在左边：请按元素写出"
        )
        assert translate("column 1: \\int is not read: an integral is not read") == (
            "第 1 列：无法识别 \\int：不支持积分"
        )
        assert translate("a.md is a folder, expected a file: give another name") == (
            "a.md 是文件夹，应为文件：请换一个名称"
        )
        assert translate("the two sides differ: the left side is 1 and the right side 2.5 in entry (3,1)") == (
            "两边不相等：左边为 1，右边为 2.5（第 (3,1) 个元素）"
        )
        assert translate("written: fixed.md, with 2 repairs") == "已写入 fixed.md，改正 2 处"
        assert translate("X a matrix [m,n], a a column [m]") == "X 为矩阵 [m,n]，a 为列向量 [m]"
        assert translate("\\int is not read: an integral is not read") == "无法识别 \\int：不支持积分"
        assert translate("my old notes.md does not exist") == "my old notes.md 不存在"
        assert translate("no trace of it") == "no trace of it"
        assert translate("a sentence that nobody translated") == "a sentence that nobody translated"
        assert translate("transpose what nobody has translated yet") == "transpose what nobody has translated yet"
        assert listed(("4", "7", "9")) == "4、7 和 9"
    assert translate("q is not defined on this page") == "q is not defined on this page"


def test_lines_break_between_chinese_characters_but_not_before_a_comma() -> None:
    assert broken_between("左边，右边（第") == ["左", "边，", "右", "边", "（第"]
    assert broken_between("W^T") == ["W^T"]


def test_the_language_that_is_chosen() -> None:
    assert chosen_language(None, {}) is None
    assert chosen_language(None, {"ELMAN_LANG": "zh_CN.UTF-8"}) == "zh"
    assert chosen_language("en", {"ELMAN_LANG": "zh"}) == "en"
    assert chosen_language(None, {"ELMAN_LANG": "fr"}) is None
    assert language_of_locale({"LANG": "zh_CN.UTF-8"}) == "zh"
    assert language_of_locale({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}) is None
    assert language_of_locale({"LANGUAGE": "zh_TW:en", "LANG": "en_US.UTF-8"}) == "zh"


PAGE = r"""# 线性模型

设模型为 $z = W x + b$，损失函数为

$$J = \frac12 \|z - y\|^2$$

其中 $W \in \mathbb{R}^{m \times n}$，$x \in \mathbb{R}^n$，$b, y \in \mathbb{R}^m$。求导得

$$\frac{\partial J}{\partial z} = z - y$$

$$\frac{\partial J}{\partial W} = -(z - y) x^T$$

$$\frac{\partial J}{\partial x} = W (z - y)$$
"""


@pytest.mark.slow
def test_a_page_in_chinese_has_its_report_in_chinese(
    command: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ELMAN_LANG", "")
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    html = tmp_path / "page.html"
    found = command("check", str(page), "--html", str(html), "-v")
    assert found.returncode == 1
    assert "符号错误" in found.stdout
    assert "转置缺失" in found.stdout
    assert "改正：W^T (z - y)  （把 W 转置）" in found.stdout
    assert "5 个等式中有 3 个成立，2 个不成立" in found.stdout
    assert not CLAUSE.search(found.stdout)
    shown = html.read_text(encoding="utf-8")
    assert '<html lang="zh-Hans">' in shown
    assert "<b>反例</b>" in shown
    assert json.loads(command("check", str(page), "--json").stdout)["summary"].startswith("3 of 5")
    chosen = json.loads(command("check", str(page), "--json", "--lang", "zh").stdout)
    assert chosen["claims"][3]["verdict"] == "wrong sign"
    assert HAN.search(chosen["claims"][3]["diagnosis"])
    assert "claims hold" in command("check", str(page), "--lang", "en").stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", ["attention.md", "lstm-step.md", "two-layer-network.tex"])
def test_a_report_on_an_english_page_is_wholly_chinese(command: Run, name: str) -> None:
    page = Path(__file__).parent / "notes" / "pages" / name
    found = command("check", str(page), "--lang", "zh", "-v")
    assert not CLAUSE.search(found.stdout)
    assert "成立" in found.stdout


def test_a_notebook_and_the_server_s_page_speak_the_language_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ELMAN_LANG": "", "LANGUAGE": "", "LC_ALL": "C", "LANG": "C"}.items():
        monkeypatch.setenv(name, value)
    report = check(page_of(PAGE))
    shown = report._repr_html_()  # type: ignore[attr-defined]
    assert "5 个等式中有 3 个成立" in shown
    assert "反例" in shown
    assert report.claims[3].diagnosis.startswith("the right side is -1 times")
    assert answer(PAGE)["summary"].startswith("5 个等式中有 3 个成立")
    monkeypatch.setenv("ELMAN_LANG", "en")
    assert "3 of 5 claims hold" in report._repr_html_()  # type: ignore[attr-defined]


@pytest.mark.slow
def test_derive_speaks_chinese(command: Run, tmp_path: Path) -> None:
    found = command("derive", "a^T X b", "--wrt", "X", "--layout", "both", "--lang", "zh").stdout
    assert "分母布局" in found
    assert "分子布局" in found
    assert "X 是 m × n 矩阵" in found
    page = tmp_path / "model.md"
    page.write_text("$$z = W x + b$$\n\n$$J = \\frac12 \\|z - y\\|^2$$\n", encoding="utf-8")
    derived = command("derive", str(page), "--lang", "zh").stdout
    assert "链式法则" in derived
    assert not CLAUSE.search(derived)
    refused = command("derive", "\\int x", "--wrt", "x", "--lang", "zh")
    assert refused.returncode == 2
    assert "不支持积分" in refused.stderr


def test_commands_speak_chinese(command: Run, word_run: Path, corpus: Path, tmp_path: Path) -> None:
    """Messages, figures and the diagnosis; what a program reads stays as it is."""
    out = tmp_path / "run"
    small = ("--level", "word", "--epochs", 1, "--hidden", 8, "--embed", 4, "--batch-size", 4, "--bptt", 16)
    trained = command("train", corpus, "--out", out, *small, "--lang", "zh")
    assert trained.returncode == 0, trained.stderr
    for words in ("语料", "不同的有", "第   1 轮", "训练困惑度", "全部轮次完成：共", "最佳验证：困惑度"):
        assert words in trained.stderr
    shown = command("evaluate", word_run, corpus, "--lang=zh").stdout
    assert re.search(r"^困惑度（含 OOV） +[\d.]+   共 [\d,]+ 个词元$", shown, re.MULTILINE)
    assert not CLAUSE.search(shown)
    flow = command("flow", word_run, corpus, "--lang", "zh").stdout
    for words in ("每往回一步，梯度乘以", "可达步数", "谱半径", "中位数"):
        assert words in flow
    assert not CLAUSE.search(flow)
    assert "不在词表中" in command("next", word_run, "the zebra", "--lang", "zh").stderr
    assert "perplexity_including_oov" in command("evaluate", word_run, corpus, "--json", "--lang", "zh").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "--none"], "没有选项 '--none'"),
        (["trian"], "没有命令 'trian'"),
        (["generate"], "缺少参数 'RUN'"),
        (["train", "a.txt", "--epochs", "x"], "'--epochs' 的值无效：'x' 不是整数。"),
        (["train", "a.txt", "--epochs"], "选项 '--epochs' 需要一个值"),
        (["info", "a", "b"], "多余的参数（b）"),
        (["train", "my book.txt"], "my book.txt 不存在：请给出文本文件"),
        (["evaluate", "no run", "a.txt"], "no run 处没有运行"),
        (["train", "pyproject.toml", "--clip", "-1", "--level", "char"], "clip 为 -1.0；应为不小于 0 的有限数"),
    ],
)
def test_errors_are_in_chinese(command: Run, arguments: list[str], said: str) -> None:
    done = (
        command(*arguments, "--lang=zh")
        if arguments[-1] != "--epochs"
        else command(*arguments[:-1], "--lang=zh", "--epochs")
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert not re.search(r"(?m)^(Usage|Try|Error)", done.stderr)


@pytest.mark.parametrize(
    ("arguments", "variable", "said"),
    [
        (["--help", "--lang", "zh"], "", ("用法：elman", "命令：\n", "  train       用 TEXT 训练语言模型")),
        (["--lang", "zh", "train", "-h"], "", ("梯度的处理：\n", "[默认：200（word, bpe），128（char,", "示例：elman")),
        (["check", "--help"], "zh", ("选项：\n", "与 --serve 合用：端口", "退出码为 1")),
        ([], "zh", ("用法：elman", "循环神经网络语言模型")),
        (["derive", "--lang=zh", "--help"], "en", ("denominator（分母布局）", "只输出结果：文本、LaTeX")),
    ],
)
def test_the_help_is_in_chinese(
    command: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str], variable: str, said: tuple[str, ...]
) -> None:
    """In lines of at most 80 columns, where Chinese characters take two."""
    monkeypatch.setenv("ELMAN_LANG", variable)
    done = command(*arguments)
    shown = done.stdout or done.stderr
    for words in said:
        assert words in shown
    assert not CLAUSE.search(re.sub(r"(?m)^  (elman|示例：).*", "", shown))
    assert all(columns(line) <= 80 for line in shown.splitlines() if not line.startswith("  elman "))
    assert not re.search(r"[（\[]$", shown, re.MULTILINE)


def test_the_help_stays_english(command: Run) -> None:
    assert command("train", "--help").stdout.startswith("Usage: elman train [OPTIONS] [TEXT]...\n\n  Learn a language")
    assert not HAN.search(command("--help", "--lang", "en").stdout)


def test_the_language_before_a_command_is_that_of_its_report(command: Run, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("$$y = 2 x$$\n\n$$\\frac{dy}{dx} = 2$$\n", encoding="utf-8")
    assert "成立" in command("--lang", "zh", "check", page).stdout
    assert "claims hold" in command("--lang", "zh", "check", page, "--lang", "en").stdout


def test_the_language_of_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "ELMAN_LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C")
    assert language_of_call([]) == language_of_call(["info", "--lang"]) == "en"
    assert language_of_call(["next", "run", "--", "--lang", "zh"]) == "en"
    assert language_of_call(["next", "--lang", "en", "--lang=zh"]) == "zh"
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert language_of_call(["info"]) == "zh"
    assert language_of_call(["info", "--json"]) == "en"
    assert language_of_call(["info", "--json", "--lang", "zh"]) == "zh"
    assert language_of_call(["info", "--lang", "en"]) == "en"
    monkeypatch.setenv("ELMAN_LANG", "zh")
    assert language_of_call(["info", "--json", "--lang", "fr"]) == "zh"
