"""The limits of the device (products, copies, latency), and the recurrence alone, timed by the device's events."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from gpu_gate import largest_error, reason
from gpu_sides import HALF, Step, captured, set_products
from torch import Tensor

from elman.kernels import device_kernels

LARGE = {"square": 8192, "copy": 2**30, "steps": 1024}
SMALL = {"square": 512, "copy": 2**26, "steps": 64}
"""Rows of the square product, bytes of the copy, steps of the latency measurement. SMALL: for a trial on a CPU."""
TURNS = 3


@dataclass
class Clock:
    """Times steps on a device: by CUDA events on a GPU, else by the system clock."""

    device: str

    @property
    def cuda(self) -> bool:
        """Whether the device is a GPU."""
        return bool(torch.device(self.device).type == "cuda")

    def synchronise(self) -> None:
        """Waits until the device has finished its work."""
        if self.cuda:
            torch.cuda.synchronize(self.device)

    def seconds(self, step: Step, count: int, wait: Step | None = None) -> float:
        """Seconds per step, of `count` steps in a row, from an event before the first to an event after the last.

        Nothing waits for the device in between. With `wait`, which waits for the last step, the system clock is used.
        """
        if self.cuda and wait is None:
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            for _ in range(count):
                step()
            end.record()
            end.synchronize()
            return float(begin.elapsed_time(end)) / 1e3 / count
        self.synchronise()
        began = time.perf_counter()
        for _ in range(count):
            step()
        if wait:
            wait()
        return (time.perf_counter() - began) / count

    def count(self, step: Step, seconds: float, wait: Step | None = None) -> int:
        """How many steps take about `seconds`, estimated from three after a warm-up step."""
        self.seconds(step, 1, wait)
        return max(3, min(100_000, round(seconds / self.seconds(step, 3, wait))))

    def median(self, step: Step, seconds: float) -> float:
        """The median seconds per step over TURNS turns."""
        count = self.count(step, seconds)
        return statistics.median(self.seconds(step, count) for _ in range(TURNS))


def machine(clock: Clock, precisions: list[str], seconds: float) -> dict[str, Any]:
    """The device's peak operations per second by precision, its copied bytes per second, and its latency per time step.

    The bytes of a copy count twice, as read and as written. The latency is that of Elman's recurrence, forward and
    backward, at the smallest size, B = 1 and Dh = 16, with many steps in a call, in seconds per step.
    """
    sizes = LARGE if clock.cuda else SMALL
    n = sizes["square"]
    peak: dict[str, float] = {}
    latency: dict[str, dict[str, Any]] = {}
    for precision in precisions:
        set_products(precision)
        a, b = (torch.randn(n, n, device=clock.device).to(HALF.get(precision, torch.float32)) for _ in range(2))
        out = torch.empty_like(a)
        peak[precision] = 2.0 * n**3 / clock.median(lambda a=a, b=b, out=out: torch.mm(a, b, out=out), seconds)  # type: ignore[misc]
        try:
            forward, both = elman_layer(Layer.draw(16, 1, sizes["steps"], clock.device, precision))
            latency[precision] = {
                "forward": clock.median(forward, seconds) / sizes["steps"],
                "both": clock.median(both, seconds) / sizes["steps"],
            }
        except Exception as error:  # a precision that Elman lacks: the others are used
            latency[precision] = {"not_measured": reason(error)}
    source = torch.zeros(sizes["copy"] // 4, device=clock.device)
    target = torch.empty_like(source)
    copied = clock.median(lambda: target.copy_(source), seconds)
    return {"peak": peak, "copy": 2.0 * sizes["copy"] / copied, "latency": latency}


@dataclass
class Layer:
    """A tanh layer's weights and inputs, e and dh [T,B,Dh], W_e and W_h [Dh,Dh], b [Dh], h_0 [B,Dh]."""

    e: Tensor
    W_e: Tensor
    W_h: Tensor
    b: Tensor
    h_0: Tensor
    dh: Tensor

    @classmethod
    def draw(cls, Dh: int, B: int, T: int, device: str, precision: str) -> Layer:
        """The same numbers on each call, in the type of the precision."""
        generator = torch.Generator().manual_seed(0)

        def draw(bound: float, *shape: int) -> Tensor:
            values = (2 * torch.rand(shape, generator=generator) - 1) * bound
            return values.to(device, HALF.get(precision, torch.float32))

        bound = Dh**-0.5
        return cls(
            draw(1, T, B, Dh), draw(bound, Dh, Dh), draw(bound, Dh, Dh), draw(bound, Dh), draw(1, B, Dh),
            draw(1, T, B, Dh),
        )  # fmt: skip

    def double(self) -> Layer:
        """The same in float64."""
        return Layer(*(value.double() for value in vars(self).values()))


Layers = tuple[Callable[[], Tensor], Callable[[], dict[str, Tensor]]]


def elman_layer(layer: Layer) -> Layers:
    """(forward, both): Elman's recurrence with its input product, h [T,B,Dh]; the same with all gradients of Σ h∘dh.

    In bf16 as in training: the factors of products are bf16, sums and states float32.
    """
    half = layer.W_h.dtype == torch.bfloat16
    kernels = device_kernels(str(layer.e.device)).at("bf16" if half else "float32")
    e, W_e, W_h, b, h_0, dh = (value.float() if half else value for value in vars(layer).values())
    rows_of_e = e.flatten(0, 1)

    def run() -> Tensor:
        u = kernels.product(rows_of_e, W_e, b_transposed=True, bias=b).reshape(dh.shape)
        h: Tensor = kernels.recurrence(u, W_h, h_0, "tanh")
        return h

    def both() -> dict[str, Tensor]:
        h = run()
        dz = kernels.recurrence_gradient(dh, h, W_h, "tanh")
        rows, before = dz.flatten(0, 1), h[:-1].flatten(0, 1)
        return {
            "h": h[1:], "e": kernels.product(rows, W_e).reshape(e.shape),
            "W_e": kernels.product(rows, rows_of_e, a_transposed=True),
            "W_h": kernels.product(rows, before, a_transposed=True),
            "b": rows.sum(0), "h_0": kernels.product(dz[0], W_h),
        }  # fmt: skip

    return lambda: run()[1:], both


def torch_layer(layer: Layer) -> Layers:
    """(forward, both): the same by nn.RNN, with its weights in the type of its inputs."""
    Dh = len(layer.W_h)
    rnn = torch.nn.RNN(Dh, Dh, device=layer.e.device, dtype=layer.e.dtype)
    with torch.no_grad():
        for name, value in (("weight_ih_l0", layer.W_e), ("weight_hh_l0", layer.W_h), ("bias_ih_l0", layer.b)):
            getattr(rnn, name).copy_(value)
        rnn.bias_hh_l0.zero_()
    e, h_0 = layer.e.clone().requires_grad_(), layer.h_0[None].clone().requires_grad_()
    leaves = {"e": e, "W_e": rnn.weight_ih_l0, "W_h": rnn.weight_hh_l0, "b": rnn.bias_ih_l0, "h_0": h_0}

    def forward() -> Tensor:
        with torch.no_grad():
            output: Tensor = rnn(e, h_0)[0]
        return output

    def both() -> dict[str, Tensor]:
        h = rnn(e, h_0)[0]
        gradients = dict(zip(leaves, torch.autograd.grad(h, list(leaves.values()), layer.dh), strict=True))
        return gradients | {"h": h.detach(), "h_0": gradients["h_0"][0]}

    return forward, both


def recurrence_alone(
    sizes: tuple[int, int, int], precision: str, clock: Clock, seconds: float
) -> dict[str, dict[str, Any]]:
    """Seconds of a layer of sizes (Dh, B, T) by Elman and nn.RNN: forward, with backward, and both in a CUDA graph.

    Both are first compared with nn.RNN in float64.
    """
    set_products(precision)
    results: dict[str, dict[str, Any]] = {}
    layer = Layer.draw(*sizes, clock.device, precision)
    exact = {name: value.detach() for name, value in torch_layer(layer.double())[1]().items()}
    for name, make in (("elman", elman_layer), ("nn.RNN", torch_layer)):
        if name == "elman" and precision == "float16":
            continue
        figures: dict[str, Any] = {}
        try:
            forward, both = make(layer)
            figures["error"] = largest_error(both(), exact, precision)
            for kind, step in (("forward", forward), ("both", both)):
                figures[kind] = clock.median(step, seconds)
                if clock.cuda:
                    figures[f"{kind}_graph"] = clock.median(captured(step), seconds)
        except Exception as error:  # reported, whatever it is, and the others go on
            figures["not_measured"] = reason(error)
        results[name] = figures
    return results
