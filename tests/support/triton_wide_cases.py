"""The kernels of many units, run as triton_cases.py is and beside it: sizes, types, and programs that wait.

Fewer multiprocessors than there are make for larger tiles. In the interpreter each step is a launch of its own, so the
waiting is proved by processes, one a program, on shared memory; on a GPU by the same numbers from either way.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from triton_cases import DEVICE, EXACT, TOLERANCE, doubles, error, normal, tensor

from elman.config import ACTIVATIONS
from elman.kernels import torch_recurrence
from elman.kernels import triton_recurrence as kernels
from elman.kernels import triton_wide as wide

F, H = torch.float32, torch.bfloat16
TYPES = [(F, F), (H, H), (F, H)]  # of the states and of W_h
SHAPES = [(1, 1, 520, 33), (5, 3, 272, 9), (2, 17, 300, 10), (2, 33, 257, 10), (2, 65, 300, 10)]
"""T, B, Dh and multiprocessors: each tile once."""


def drawn(shape: tuple[int, int, int], dtype: Any, factors: Any) -> tuple[Any, ...]:
    T, B, Dh = shape
    generator = np.random.default_rng(sum(shape))
    u, h_0, dh = (normal(generator, dtype, *size) for size in ((T, B, Dh), (B, Dh), (T, B, Dh)))
    return u, normal(generator, factors, Dh, Dh, scale=0.5 * Dh**-0.5), h_0, dh


@pytest.mark.parametrize("types", TYPES, ids=["float32", "bfloat16", "mixed"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_recurrence_and_its_gradient(
    shape: tuple[int, int, int, int], types: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    *size, processors = shape
    monkeypatch.setattr(wide, "processors", lambda u: processors)
    which = SHAPES.index(shape)
    assert wide.tile(*size[1:], processors) == wide.TILES[which]
    activation = sorted(ACTIVATIONS)[(which + TYPES.index(types)) % 3]  # each with each type and each tile
    (dtype, factors), (u, W_h, h_0, dh) = types, drawn(tuple(size), *types)
    h = torch_recurrence.recurrence(u, W_h, h_0, activation)
    assert h.dtype == dtype
    assert torch.equal(h[0], h_0)
    assert error(h, EXACT.recurrence(*doubles(u, W_h, h_0), activation)) < TOLERANCE[factors]
    for cut, W in ((0.0, W_h), (0.5, W_h.T.contiguous().T)):
        dz = torch_recurrence.recurrence_gradient(dh, h, W, activation, cut)
        assert dz.dtype == dtype
        assert error(dz, EXACT.recurrence_gradient(*doubles(dh, h, W_h), activation, cut)) < TOLERANCE[factors]
        assert not cut or dz.abs().max() <= cut


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_w_h_in_either_order_and_through_torch_recurrence(activation: str) -> None:
    u, W_h, h_0, dh = drawn((2, 1, 257), F, F)
    turned = W_h.T.contiguous().T
    h = torch_recurrence.recurrence(u, W_h, h_0, activation)
    mine = torch.cat([h_0[None], torch.full_like(u, float("nan"))])
    wide.fill(u, turned, mine, activation, "ieee")
    assert torch.equal(h, mine)
    dz = torch_recurrence.recurrence_gradient(dh, h, W_h, activation)
    mine = torch.full_like(dz, float("nan"))
    wide.fill_gradient(dh, h, turned, mine, activation, 0.0, "ieee")
    assert torch.equal(dz, mine)


@pytest.mark.parametrize("Dh", [20, 257])
def test_beside_a_bfloat16_W_h_factors_alone_lose_digits(Dh: int) -> None:
    u, W_h, h_0, dh = drawn((2, 3, Dh), F, H)
    h_0, dh[1] = h_0.to(H).float(), dh[1].to(H)  # exact as factors
    h = torch_recurrence.recurrence(u[:1], W_h, h_0, "tanh")
    assert error(h, EXACT.recurrence(*doubles(u[:1], W_h, h_0), "tanh")) < TOLERANCE[F]
    ones = torch.ones(3, 3, Dh, device=DEVICE)
    dz = torch_recurrence.recurrence_gradient(dh, ones, W_h, "relu")
    assert error(dz, EXACT.recurrence_gradient(*doubles(dh, ones, W_h), "relu")) < TOLERANCE[F]
    h = torch_recurrence.recurrence(0 * u, torch.eye(Dh, dtype=H, device=DEVICE), ones[0] + 2**-12, "relu")
    assert (h[0] == 1 + 2**-12).all()
    assert (h[1] == 1).all()


@pytest.mark.parametrize("T", [0, 1])
@pytest.mark.parametrize("B", [0, 1])
def test_no_steps_or_no_rows(T: int, B: int) -> None:
    u, W_h, h_0, dh = drawn((T, B, 257), F, F)
    h = torch_recurrence.recurrence(u, W_h, h_0, "tanh")
    assert h.shape == (T + 1, B, 257)
    assert torch.equal(h[0], h_0)
    assert torch_recurrence.recurrence_gradient(dh, h, W_h, "tanh").shape == (T, B, 257)


def test_what_is_no_number_is_not_hidden() -> None:
    u, W_h, h_0 = tensor(np.zeros((3, 2, 257))), tensor(np.eye(257)), tensor(np.ones((2, 257)))
    u[1, 0, 2] = float("nan")
    h = kernels.recurrence(u, W_h, h_0, "relu")
    assert torch.isnan(h[2, 0, 2])
    assert not torch.isnan(h[:, 1]).any()
    dz = kernels.recurrence_gradient(torch.where(torch.isnan(u), u, 1.0), torch.ones_like(h) / 2, W_h, "relu", 0.1)
    assert torch.isnan(dz[1, 0, 2])
    assert not torch.isnan(dz[2]).any()
    W_h[0, 0] = float("inf")
    assert torch.equal(kernels.recurrence_gradient(u[:1] + 1, h[:2], W_h, "relu"), u[:1] + 1)  # one step reads no W_h


def test_the_smallest_tile_whose_programs_all_run_at_once() -> None:
    for processors in (16, 108, 132):
        for B in (1, 16, 17, 64, 128, 500):
            for Dh in (257, 512, 1000, 2048, 4096):
                found = wide.tile(B, Dh, processors)
                needed = {each: -(-B // each[0]) * -(-Dh // each[1]) for each in wide.TILES}
                assert found == next((each for each in wide.TILES if needed[each] <= processors), None)
    assert [wide.tile(128, Dh, 132) for Dh in (512, 1024, 2048, 4096)] == list(wide.TILES[1:])
    assert wide.tile(1, 8448, 132) == (32, 64)
    assert wide.tile(128, 4225, 132) is None


def test_too_many_rows_and_units_run_on_plain_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wide, "processors", lambda u: 4)
    u, W_h, h_0, dh = drawn((2, 3, 257), F, F)
    assert not kernels.takes(u, W_h)
    h = torch_recurrence.recurrence(u, W_h, h_0, "tanh")
    assert error(h, EXACT.recurrence(*doubles(u, W_h, h_0), "tanh")) < TOLERANCE[F]
    dz = torch_recurrence.recurrence_gradient(dh, h, W_h, "tanh")
    assert error(dz, EXACT.recurrence_gradient(*doubles(dh, h, W_h), "tanh")) < TOLERANCE[F]


def one_program(number: int, T: int, sizes: tuple[int, ...], u: Any, W_h: Any, h: Any, dh: Any, dz: Any, arrived: Any):
    """All steps of one program of the grid, both ways, while others run the rest of it."""
    from triton.runtime import interpreter

    interpreter.interpreter_builder.grid_idx = (number, 0, 0)
    interpreter.interpreter_builder.set_grid_idx = lambda *_: None
    # It would copy each tensor onto itself, and undo what others stored meanwhile.
    interpreter.GridExecutor._restore_args_dev = lambda *_: None
    tile = {"ROWS": 16, "COLS": 16, "K": 16, "ACTIVATION": "tanh", "PRECISION": "ieee", "WIDEN": False}
    wide.recurrence_program[(1,)](u, W_h, h, arrived[0], 0, T, *sizes, 1, sizes[1], **tile)
    wide.recurrence_gradient_program[(1,)](
        dh[-1], h[-1], W_h, dz[-1], arrived[1], 0, T, *sizes, sizes[1], 1, 0.5, CUT=True, **tile
    )


def processes_wait_for_each_other() -> None:
    T, B, Dh = 8, 20, 40
    u, W_h, h_0, dh = drawn((T, B, Dh), F, F)
    h, dz = torch.full((T + 1, B, Dh), float("nan")), torch.full((T, B, Dh), float("nan"))  # not to be read too soon
    h[0] = h_0
    shared = [each.share_memory_() for each in (u, W_h, h, dh, dz, torch.zeros(2, 2, dtype=torch.int32))]
    context = torch.multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["elman.kernels.triton_wide"])
    programs = [context.Process(target=one_program, args=(n, T, (B, Dh), *shared)) for n in range(2 * 3)]
    try:
        for program in programs:
            program.start()
        for program in programs:
            program.join(60)
        assert [program.exitcode for program in programs] == [0] * len(programs)
    finally:
        for program in programs:
            program.kill()
    assert error(h, EXACT.recurrence(*doubles(u, W_h, h_0), "tanh")) < TOLERANCE[F]
    assert error(dz, EXACT.recurrence_gradient(*doubles(dh, h, W_h), "tanh", 0.5)) < TOLERANCE[F]
    assert shared[-1].tolist() == [[3 * (T - 1)] * 2] * 2


def one_launch_is_a_launch_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    T, both = 300, []
    u, W_h, h_0, dh = drawn((T, 65, 1000), F, F)
    at_once, singly = wide.launches, lambda T: [(t, t + 1) for t in range(T)]
    for launches in (at_once, singly):
        monkeypatch.setattr(wide, "launches", launches)
        h = kernels.recurrence(u, W_h, h_0, "tanh")
        both.append((h, kernels.recurrence_gradient(dh, h, W_h, "tanh", 0.5)))
    assert all(error(one, doubles(other)[0]) < TOLERANCE[F] for one, other in zip(*both, strict=True))
    monkeypatch.setattr(wide, "launches", at_once)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        h = kernels.recurrence(u, W_h, h_0, "tanh")
        dz = kernels.recurrence_gradient(dh, h, W_h, "tanh", 0.5)
    for _ in range(3):
        h.zero_()  # not to be read too soon
        dz.zero_()
        graph.replay()
        assert all(map(torch.equal, (h, dz), both[0]))


if kernels.INTERPRETED:

    def test_programs_wait_for_each_other() -> None:
        processes_wait_for_each_other()

else:

    def test_programs_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
        one_launch_is_a_launch_a_step(monkeypatch)
