"""Inputs are regular files of a limited size, outputs overwrite nothing, and every path gives one sentence."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from run_files import giant, pipe_with

from elman.cli import main
from elman.cli.outputs import require_output
from elman.errors import ConfigError, FileError
from elman.files import is_there, open_input, read_bytes, same_place, write_whole
from elman.notes.check_page import check
from elman.notes.page.reader import page_of
from elman.notes.report.html import as_html
from elman.text.corpus import Corpus

INPUTS = {
    "train": ("train", "{input}", "--out", "{out}"),
    "train --valid": ("train", "{text}", "--valid", "{input}", "--out", "{out}"),
    "train --vocab": ("train", "{text}", "--vocab", "{input}", "--out", "{out}"),
    "evaluate": ("evaluate", "{run}", "{input}"),
    "score": ("score", "{run}", "{input}"),
    "score --nbest": ("score", "{run}", "{input}", "--nbest", "all"),
    "flow": ("flow", "{run}", "{input}"),
    "check": ("check", "{input}"),
}
"""The commands that read a file, each with its file."""
RUNS = {
    "evaluate": ("evaluate", "{input}", "{text}"), "score": ("score", "{input}", "{text}"),
    "next": ("next", "{input}"), "metrics": ("metrics", "{input}"),
    "plot": ("plot", "{input}", "--json"),
    "train --from": ("train", "{text}", "--from", "{input}", "--out", "{out}"),
    "generate": ("generate", "{input}"), "flow": ("flow", "{input}"),
    "flow --compare": ("flow", "{run}", "{text}", "--compare", "{input}"),
    "info": ("info", "{input}"), "train --resume": ("train", "--resume", "{input}"),
}  # fmt: skip
"""The commands that read a run."""

Invoke = Callable[..., Result]


@pytest.fixture
def invoke(word_run: Path, corpus: Path, tmp_path: Path) -> Invoke:
    """A command in this process, with `input` in its place: a traceback fails the test."""

    def call(arguments: tuple[str, ...], given: Path | str = "") -> Result:
        known = {"input": given, "out": tmp_path / "out", "text": corpus, "run": word_run}
        return CliRunner().invoke(main, [part.format(**known) for part in arguments], catch_exceptions=False)

    return call


def refused(done: Result, *parts: str) -> None:
    assert done.exit_code == 2, done.output
    assert done.stderr.count("\n") == 1
    for part in parts:
        assert part in done.stderr


@pytest.mark.parametrize("arguments", INPUTS.values(), ids=INPUTS)
def test_an_input_that_is_no_file_is_refused_by_every_command(
    invoke: Invoke, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / "input.md"
    with pipe_with(path):
        refused(invoke(arguments, path), f"{path} is a pipe, expected a file: give ")
    path.unlink()
    path.symlink_to("/dev/zero")
    refused(invoke(arguments, path), f"{path} is a device, expected a file: give ")
    path.unlink()
    giant(path)
    refused(invoke(arguments, path), f"{path} is larger than ", ": give ")
    path.unlink()
    path.symlink_to(path.name)
    refused(invoke(arguments, path), f"cannot read {path}: Too many levels of symbolic links; give ")
    path.unlink()
    path.mkdir()
    refused(invoke(arguments, path), f"{path} is a folder")
    path.rmdir()
    refused(invoke(arguments, path), f"{path} does not exist: give ")
    assert not (tmp_path / "out").exists()


LONG = "x" * 300


@pytest.mark.parametrize("arguments", INPUTS.values(), ids=INPUTS)
def test_an_input_whose_name_is_too_long_is_refused(invoke: Invoke, arguments: tuple[str, ...]) -> None:
    refused(invoke(arguments, LONG), f"cannot read {LONG}: File name too long; give ")
    refused(invoke(arguments, f"a/{'b/' * 3000}c"), "File name too long")


@pytest.mark.parametrize("arguments", RUNS.values(), ids=RUNS)
def test_a_run_whose_name_is_too_long_or_that_is_a_pipe_is_refused(
    invoke: Invoke, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    refused(invoke(arguments, LONG), f"cannot read {LONG}: File name too long")
    (tmp_path / "loop").symlink_to("loop")
    refused(invoke(arguments, tmp_path / "loop"), f"cannot read {tmp_path / 'loop'}/config.json: Too many levels")
    with pipe_with(tmp_path / "pipe"):
        refused(invoke(arguments, tmp_path / "pipe"), "so it is no run")


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "{text}", "--out", "{input}"), ("check", "{notes}", "--html", "{input}"),
        ("check", "{notes}", "--fix", "{input}"), ("flow", "{run}", "{text}", "--steps", "8", "--html", "{input}"),
        ("derive", "{notes}", "--html", "{input}"),
    ],
)  # fmt: skip
def test_an_output_whose_name_is_too_long_is_refused(
    word_run: Path, corpus: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    notes = tmp_path / "notes.md"
    notes.write_text("$$f = x^T x$$\n")
    known = {"input": tmp_path / LONG, "text": corpus, "run": word_run, "notes": notes}
    refused(
        CliRunner().invoke(main, [part.format(**known) for part in arguments], catch_exceptions=False), "name too long"
    )


def test_a_name_that_is_just_short_enough_is_written(tmp_path: Path) -> None:
    """The temporary name beside it is no longer than it is."""
    for name in ("x" * 255, "é" * 127):
        write_whole(tmp_path / name, b"data")
        assert read_bytes(tmp_path / name, 4) == b"data"


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "notes.md"
    path.write_text("$$f = x^T x$$\n\n$$\\frac{\\partial f}{\\partial x} = 2 x$$\n")
    return path


def outputs_of(word_run: Path, corpus: Path, notes: Path) -> list[tuple[Path, list[str]]]:
    """Every option that names a file to write, with an input of its command."""
    flow = ["flow", str(word_run), str(corpus), "--steps", "8"]
    check = ["check", str(notes)]
    return [
        (notes, [*check, "--html"]), (notes, [*check, "--fix"]), (notes, ["derive", str(notes), "--html"]),
        (corpus, [*flow, "--html"]),
    ]  # fmt: skip


def test_an_output_never_overwrites_an_input(word_run: Path, corpus: Path, notes: Path, tmp_path: Path) -> None:
    for given, command in outputs_of(word_run, corpus, notes):
        before = given.read_bytes()
        link, hard = tmp_path / "link", tmp_path / "hard"
        link.symlink_to(given)
        hard.hardlink_to(given)
        for path in (given, link, hard, given.parent / "." / given.name):
            done = CliRunner().invoke(main, [*command, str(path)], catch_exceptions=False)
            refused(done, f"{path} is an input of this command: give another name to write to")
            assert given.read_bytes() == before
            assert link.is_symlink()
        link.unlink()
        hard.unlink()


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer.json", "model.safetensors", "metrics.jsonl", "training/state.safetensors",
             "training/train.npy", "training/valid.npy", "training/lock"]
)  # fmt: skip
def test_an_output_never_overwrites_a_file_of_a_run(
    word_run: Path, corpus: Path, notes: Path, tmp_path: Path, name: str
) -> None:
    run = Path(shutil.copytree(word_run, tmp_path / "run"))
    before = (run / name).read_bytes()
    for _, command in outputs_of(word_run, corpus, notes):
        done = CliRunner().invoke(main, [*command, str(run / name)], catch_exceptions=False)
        refused(done, f"{run / name} is a file of the run {run}: give another name to write to")
    assert (run / name).read_bytes() == before
    require_output(run / "flow.html", [], "flow.html")  # a file beside them is no file of the run


@pytest.mark.parametrize("name", ["metrics.jsonl", "tokenizer.json", "training/train.npy"])
def test_a_new_run_never_overwrites_its_text(tmp_path: Path, name: str) -> None:
    """In a folder that an unfinished start may have left, so that it counts as new."""
    text = tmp_path / "run" / name
    text.parent.mkdir(parents=True)
    text.write_text("the cat sat on the mat and the dog ran\n" * 60)
    for inputs in ([text], [tmp_path / "run" / "." / name], [__file__, "--valid", text]):
        done = CliRunner().invoke(main, ["train", *map(str, inputs), "--out", str(text.parents[name.count("/")])])
        refused(done, "would be overwritten by the run ", ": choose another --out")
        assert text.read_text().startswith("the cat sat")


def test_an_output_replaces_no_folder_device_or_pipe(word_run: Path, corpus: Path, notes: Path, tmp_path: Path) -> None:
    device, pipe = tmp_path / "null", tmp_path / "pipe"
    device.symlink_to("/dev/null")
    os.mkfifo(pipe)
    for _, command in outputs_of(word_run, corpus, notes):
        for path, sentence in (
            ("/", "/ is a folder, expected a file: name the file to write, such as /"),
            (".", ". is a folder, expected a file: name the file to write"),
            (tmp_path, f"{tmp_path} is a folder, expected a file: name the file to write"),
            (device, f"{device} is a device, expected a file: give another name"),
            (pipe, f"{pipe} is a pipe, expected a file: give another name"),
        ):
            refused(CliRunner().invoke(main, [*command, str(path)], catch_exceptions=False), sentence)
    assert device.is_symlink()
    assert pipe.is_fifo()


def test_a_file_is_not_written_over_what_is_no_file(tmp_path: Path) -> None:
    """Also where no command has asked before: a device would be replaced by a file."""
    (tmp_path / "null").symlink_to("/dev/null")
    for path, kind in ((Path("/"), "folder"), (Path(), "folder"), (tmp_path, "folder"), (tmp_path / "null", "device")):
        with pytest.raises(FileError) as error:
            write_whole(path, b"data")
        assert str(error.value) == f"cannot write {path}: it is a {kind}, expected a file"


def test_only_regular_files_up_to_the_limit_are_opened(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    with open_input(path, 5) as file:
        assert file.read() == b"12345"
    with pytest.raises(FileError) as error:
        open_input(path, 4, advice="give another")
    assert str(error.value) == f"{path} is larger than 0 MB, it has 5 bytes: give another"
    with pytest.raises(FileError, match=r"cannot read /proc/self/mem: Input/output error; give another"):  # noqa: SIM117
        with open_input(Path("/proc/self/mem"), 5, advice="give another") as file:
            file.read(5)
    for odd in ("a\0b", "/proc/self/mem/x", "/dev/fd/0/x"):
        with pytest.raises(FileError, match=r"cannot read|does not exist"):
            open_input(Path(odd), 5)


def test_what_cannot_be_read_is_said_in_a_sentence(
    word_run: Path, monkeypatch: pytest.MonkeyPatch, invoke: Invoke
) -> None:
    """The tests may run as root, who may read everything: the system's refusal is simulated."""
    closed = str(word_run / "closed")

    def denied(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *more: Any, **options: Any) -> Any:
            if str(path).startswith(closed):
                raise PermissionError(13, "Permission denied", str(path))
            return real(path, *more, **options)

        return call

    monkeypatch.setattr(os, "open", denied(os.open))
    monkeypatch.setattr(os, "stat", denied(os.stat))
    monkeypatch.setattr(os, "lstat", denied(os.lstat))
    monkeypatch.setattr(os, "mkdir", denied(os.mkdir))
    for method in ("stat", "lstat"):
        monkeypatch.setattr(Path, method, denied(getattr(Path, method)))
    for arguments in INPUTS.values():
        refused(invoke(arguments, closed), f"cannot read {closed}: Permission denied; give ")
    for arguments in RUNS.values():
        refused(invoke(arguments, closed), f"cannot read {closed}: Permission denied")
    refused(invoke(("train", "{text}", "--out", "{input}"), closed), f"{closed}", "Permission denied")


def test_a_text_whose_name_is_not_utf8_can_be_learnt_from_and_its_run_read(tmp_path: Path, invoke: Invoke) -> None:
    odd = tmp_path / os.fsdecode(b"na\xefve-\xff.txt")
    odd.write_text("the cat sat on the mat and the dog ran\n" * 60)
    assert Corpus.from_paths([odd]).name == f"{tmp_path}/na\\xefve-\\xff.txt"
    out = tmp_path / os.fsdecode(b"run-\xff")
    sizes = ("--hidden", "4", "--epochs", "1", "--batch-size", "2", "--bptt", "4")
    done = invoke(("train", "{input}", "--out", str(out), *sizes), odd)
    assert done.exit_code == 0, done.output
    for arguments in (("info", "{input}"), ("info", "{input}", "--json"), ("score", "{input}", str(odd))):
        assert invoke(arguments, out).exit_code == 0


def test_an_image_of_a_page_is_read_only_where_it_is_a_small_file(tmp_path: Path) -> None:
    """A pipe or a device beside the page is not waited for."""
    with pipe_with(tmp_path / "pipe.png"):
        (tmp_path / "zero.png").symlink_to("/dev/zero")
        (tmp_path / "loop.png").symlink_to("loop.png")
        (tmp_path / "real.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
        names = ("pipe", "zero", "loop", "real", LONG)
        page = page_of("\n\n".join(f"![{name[:9]}]({name}.png)" for name in names), path=tmp_path / "page.md")
        assert as_html(page, check(page)).count("<img ") == 1


def test_paths_are_compared_also_where_nothing_is_there(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    assert same_place(tmp_path / "none", tmp_path / "x" / ".." / "none")
    assert not same_place(tmp_path / "none", tmp_path / "other")
    assert not same_place(tmp_path / "loop", tmp_path / "other")
    assert is_there(tmp_path / "loop")
    assert not is_there(tmp_path / "none")
    with pytest.raises(ConfigError, match="is a folder"):
        require_output(tmp_path, [], "x.html")
