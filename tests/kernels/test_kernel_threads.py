"""The kernels' pool of threads, one a process: Python threads take turns at it, a forked child makes its own."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

native = pytest.importorskip(
    "elman.kernels.native_kernels", reason="the native kernels were not built", exc_type=ImportError
)
_native = native._native

ROUNDS = 4
CALLERS = 4


@pytest.fixture(autouse=True)
def pool_of_three() -> Iterator[None]:
    before = _native.get_threads()
    native.use_threads(3)
    yield
    native.use_threads(before)


def job(kernels: Any, seed: int) -> Callable[[], list[bytes]]:
    """A call of each kernel on operands of its own; what it returns are the results' bits."""
    generator = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape, np.float32)

    T, B, Dh, V = 5, 6, 264, 1000  # from 256 hidden units on, few sequences are split by units: a barrier a step
    u, W_h, h_0, dh = normal(T, B, Dh), normal(Dh, Dh) / 32, normal(B, Dh), normal(T, B, Dh)
    rows, U, b_2, y = normal(T * B, Dh), normal(V, Dh) / 16, normal(V), generator.integers(0, V, T * B)
    deep, wide = normal(400, 520), normal(400, 520)  # a product over 1 MiB: its output is kept and written again
    uniform = generator.random(10)

    def run() -> list[bytes]:
        h = kernels.recurrence(u, W_h, h_0, "tanh")
        w, m, v = U.copy(), np.zeros_like(U), np.ones_like(U)
        kernels.adam(w, U, m, v, 0.1, (0.9, 0.999), 1e-8, 1.0)
        state = h_0[0].copy()
        sampler = kernels.sampler(u.reshape(-1, Dh), W_h, rows, b_2[: T * B], "tanh")
        tokens = sampler.draw(state, 1, uniform, 0.7, 0, 1.0, -1)
        found = [
            h, kernels.recurrence_gradient(dh, h, W_h, "tanh"), *kernels.softmax_cross_entropy(rows, U, b_2, y, 1.0),
            kernels.product(deep, wide, a_transposed=True), kernels.product(deep, wide, b_transposed=True),
            kernels.sum_columns(rows), kernels.sum_rows(rows, kernels.group(y, V)), w, m, v, state, tokens,
            np.array(kernels.sum_of_squares(U)),
        ]  # fmt: skip
        return [array.tobytes() for array in found]

    return run


def test_python_threads_get_what_they_would_alone() -> None:
    kernels = native.NativeKernels()
    jobs = [job(kernels, seed) for seed in range(CALLERS)]
    alone = [run() for run in jobs]
    together = threading.Barrier(CALLERS)

    def caller(k: int) -> list[list[bytes]]:
        together.wait()
        return [jobs[k]() for _ in range(ROUNDS)]

    with ThreadPoolExecutor(CALLERS) as callers:
        for expected, found in zip(alone, callers.map(caller, range(CALLERS)), strict=True):
            assert all(each == expected for each in found)


# From 3.12 on Python warns of every fork beside threads, whoever's they are; that this one works is what is tested.
@pytest.mark.filterwarnings("ignore:.* is multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system")
@pytest.mark.parametrize("busy", [False, True])
def test_a_forked_child_computes_the_same(busy: bool) -> None:
    """With the parent's pool at rest, and while another Python thread keeps it busy."""
    run, beside = (job(native.NativeKernels(), seed) for seed in range(2))
    expected = run()
    context = multiprocessing.get_context("fork")
    over = threading.Event()

    def keep_busy() -> None:
        while not over.is_set():
            beside()

    other = threading.Thread(target=keep_busy)
    if busy:
        other.start()
    try:
        for _ in range(ROUNDS):
            here, there = context.Pipe(duplex=False)
            child = context.Process(target=lambda there=there: there.send(run()))
            child.start()
            there.close()
            try:
                assert here.poll(60), "the child hangs"
                assert here.recv() == expected
                child.join(60)
                assert child.exitcode == 0
            finally:
                child.kill()
    finally:
        over.set()
        if busy:
            other.join()
    assert run() == expected  # the parent's own pool is as it was
