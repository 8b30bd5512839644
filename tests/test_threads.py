"""Threads and forks of a program that uses Elman: every public call gives the digits that it gives alone."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from scripts import script
from threadpoolctl import ThreadpoolController

import elman
from elman.calculus.syntax.python import syntax_tree
from elman.kernels import choose_again, native_built
from elman.kernels.blas_threads import on_all_threads, on_one_thread
from elman.kernels.numpy_kernels import NumpyKernels
from elman.kernels.workers import Workers
from elman.text.tokenizer import Tokenizer

THREADS = 8


@pytest.fixture(params=["native", "numpy"])
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "native" and not native_built():
        pytest.skip("the native kernels were not built")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ELMAN_BACKEND", request.param)
        patch.setenv("ELMAN_THREADS", "2")
        choose_again()
        yield request.param
    choose_again()


def large_model() -> elman.LanguageModel:
    """Its vocabulary is so large that the elementwise passes are divided among threads."""
    p = elman.Parameters.initialise(4000, 8, 16)
    return elman.LanguageModel(p, Tokenizer.of_words([f"w{k}" for k in range(3998)]))


SENTENCE = " ".join(f"w{k}" for k in range(60))


def test_eight_threads_get_the_digits_of_one(backend: str, tmp_path: Path) -> None:
    threads = script("threads")
    assert not threads.differences(threads.public_calls(tmp_path, V=1500, Dh=32), THREADS, THREADS)


# From 3.12 on Python warns of every fork beside threads, whoever's they are; that this one works is what is tested.
@pytest.mark.filterwarnings("ignore:.* is multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system")
def test_a_forked_child_scores_as_its_parent(backend: str) -> None:
    """The threads of the parent's elementwise passes do not exist in the child, which waited for them for ever."""
    lm = large_model()
    expected = lm.score(SENTENCE)
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=lambda: there.send(lm.score(SENTENCE)))
    child.start()
    try:
        assert here.poll(120), "the child hangs"
        assert here.recv() == expected
    finally:
        child.kill()
        child.join()


AFTER_MAIN = """
import sys, threading
sys.path[:0] = sys.argv[1:]
from test_threads import SENTENCE, large_model
lm = large_model()
expected = lm.score(SENTENCE)
def late():
    threading.main_thread().join()
    print(lm.score(SENTENCE) == expected)
threading.Thread(target=late).start()
"""


def test_a_thread_that_outlives_the_main_thread_still_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python closes every pool of threads when the main thread ends, also for threads that go on."""
    monkeypatch.setenv("ELMAN_THREADS", "2")
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", AFTER_MAIN, str(here), str(here / "support")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_workers_keep_the_error_state_of_their_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """An overflow that the trainer expects is no warning, in whichever thread it happens."""
    monkeypatch.setenv("ELMAN_THREADS", "2")
    w, g = (np.full((600, 1000), 3e38, np.float32) for _ in range(2))
    with np.errstate(all="ignore"):
        NumpyKernels().sgd(w, -g, 10.0)
    assert np.isinf(w).all()


def test_a_failed_pass_is_over_when_its_error_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its other pieces still wrote to the caller's memory, which the next call uses again."""
    monkeypatch.setenv("ELMAN_THREADS", "2")
    failed, done = threading.Event(), []

    def work(piece: slice) -> None:
        if piece.start == 0:
            failed.set()
            raise ZeroDivisionError
        failed.wait(60)
        threading.Event().wait(0.05)  # the error is on its way to the caller
        done.append(piece)

    with pytest.raises(ZeroDivisionError):
        Workers().run(work, [slice(0, 1), slice(1, 2)])
    assert done == [slice(1, 2)]


def blas_threads() -> int:
    return max(pool["num_threads"] for pool in ThreadpoolController().info() if pool["user_api"] == "blas")


def test_decompositions_side_by_side_restore_the_threads_of_the_blas() -> None:
    """Each restored what it had found: the one that ended last left the process with one thread."""
    began, over, seen = threading.Event(), threading.Event(), []

    @on_one_thread
    def one() -> None:
        began.set()
        over.wait(60)
        seen.append(blas_threads())

    @on_one_thread
    def other() -> None:
        seen.append(blas_threads())

    before = blas_threads()
    threads = [threading.Thread(target=work) for work in (one, other)]
    threads[0].start()
    began.wait(60)
    threads[1].start()
    threads[1].join(0.05)  # time to go wrong; where it is too short, the test passes
    over.set()
    for thread in threads:
        thread.join(60)
    assert seen == [1, 1]
    assert blas_threads() == before


def test_products_do_not_see_the_one_thread_of_a_decomposition() -> None:
    """The number of threads decides the last bits of a product."""
    began, over, seen = threading.Event(), threading.Event(), []

    @on_one_thread
    def decomposition() -> None:
        began.set()
        over.wait(60)

    @on_all_threads
    def product() -> None:
        seen.append(blas_threads())

    if (before := blas_threads()) < 2:
        pytest.skip("NumPy's BLAS has one thread")
    threads = [threading.Thread(target=decomposition), threading.Thread(target=product)]
    threads[0].start()
    began.wait(60)
    threads[1].start()
    threads[1].join(0.05)  # time to go wrong; where it is too short, the test passes
    over.set()
    for thread in threads:
        thread.join(60)
    assert seen == [before]
    on_one_thread(product)()  # within a decomposition it does not wait for itself
    assert seen == [before, 1]


def test_the_parsers_filter_of_warnings_ends_with_it() -> None:
    """Two threads that enter and leave `catch_warnings` crosswise leave the filter of the one to the program."""
    threads = script("threads")
    before, code = list(warnings.filters), r"'a\d'"

    def parse() -> None:
        for _ in range(300):
            syntax_tree(code)

    with warnings.catch_warnings(), threads.switching_often():
        warnings.simplefilter("error")
        inside = list(warnings.filters)
        with ThreadPoolExecutor(THREADS) as pool:
            for done in [pool.submit(parse) for _ in range(THREADS)]:
                done.result()
        assert warnings.filters == inside
    assert warnings.filters == before
