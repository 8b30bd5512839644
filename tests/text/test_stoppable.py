"""Ctrl-C during a call that does not return for it, and errors of what it reads."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

import pytest

from elman.config import TextConfig
from elman.errors import TextError
from elman.text.stoppable import WORKER, stoppable
from elman.text.tokenizer import Tokenizer


def interrupt() -> None:
    """Ctrl-C, as the terminal sends it: to the process, whichever thread runs."""
    signal.raise_signal(signal.SIGINT)


@pytest.fixture
def ctrl_c(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_it_returns_when_the_work_is_done() -> None:
    found: list[int] = []
    stoppable(lambda items: found.extend(items), [1, 2, 3], contextlib.nullcontext)
    assert found == [1, 2, 3]


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_while_it_computes() -> None:
    """The work hangs until the test ends; nothing but the exception can return here."""
    release = threading.Event()

    def work(items: Iterator[int]) -> None:
        list(items)
        interrupt()
        release.wait()

    with pytest.raises(KeyboardInterrupt):
        stoppable(work, [1], contextlib.nullcontext)
    (worker,) = (thread for thread in threading.enumerate() if thread.name == WORKER)
    release.set()
    worker.join()


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_while_a_text_is_read_ends_the_work() -> None:
    def pieces() -> Iterator[str]:
        interrupt()
        while True:
            yield "the cat sat\n"

    with pytest.raises(KeyboardInterrupt):
        Tokenizer.train(pieces(), TextConfig("bpe", vocab_size=300))
    assert not any(thread.name == WORKER for thread in threading.enumerate())


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_while_the_thread_begins_ends_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = threading.Thread.start

    def begin_interrupted(thread: threading.Thread) -> None:
        begin(thread)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", begin_interrupted)
    with pytest.raises(KeyboardInterrupt):
        Tokenizer.train(iter(lambda: "the cat sat\n", ""), TextConfig("bpe", vocab_size=300))
    assert not any(thread.name == WORKER for thread in threading.enumerate())


def test_an_error_of_the_text_is_raised_as_it_is() -> None:
    def pieces() -> Iterator[str]:
        yield "fine\n"
        raise TextError("it is binary")

    with pytest.raises(TextError, match="it is binary"):
        Tokenizer.train(pieces(), TextConfig("bpe", vocab_size=300))


def test_what_is_waited_for_is_named() -> None:
    told: list[str] = []

    @contextlib.contextmanager
    def waiting(what: str) -> Iterator[None]:
        told.append(what)
        yield

    Tokenizer.train(["the cat\n"], TextConfig("bpe", vocab_size=300), waiting)
    assert told == ["learning up to 44 byte pairs"]
