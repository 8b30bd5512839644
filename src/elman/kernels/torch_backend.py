"""The torch backend: plain PyTorch operations, on any device and in any precision that they know.

On CUDA, where Triton is installed, the recurrence and the softmax's gradient are kernels of triton_recurrence.py.

Its arrays are tensors. Nothing on the plain path imports it: `backend_of` does where parameters are tensors, and
`elman.torch`, whose operators run on it where Elman's own kernels cannot.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from elman.kernels.contributions import Contributions
from elman.kernels.groups import Groups
from elman.kernels.numpy_backend import LIMIT, LOGITS_BYTES

ACTIVATE: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.Tensor.sigmoid_, "tanh": torch.Tensor.tanh_, "relu": torch.Tensor.relu_,
}  # fmt: skip


def activation_gradient(h: Tensor, activation: str) -> Tensor:
    """f'(z), told from h = f(z) alone: h∘(1-h), 1-h∘h, or 1 where h > 0."""
    if activation == "sigmoid":
        return h * (1 - h)
    if activation == "tanh":
        return 1 - h * h
    return (h > 0).to(h.dtype)


@cache
def _kernels(device: str) -> Any:
    """The Triton kernels for a kind of device; None where there are none, and nothing of Triton is imported.

    cuda; and cpu where TRITON_INTERPRET asks for Triton's interpreter. Read once.
    """
    interpreted = os.environ.get("TRITON_INTERPRET", "0") not in ("", "0")
    if not (device == "cuda" or (device == "cpu" and interpreted)) or importlib.util.find_spec("triton") is None:
        return None
    return importlib.import_module("elman.kernels.triton_recurrence")


def _precision() -> str:
    """What PyTorch's own float32 products run in, which is the kernels' precision too."""
    products = torch.backends.cuda.matmul
    by_name = hasattr(products, "fp32_precision")  # PyTorch 2.9 and later
    return "tf32" if (products.fp32_precision == "tf32" if by_name else products.allow_tf32) else "ieee"


def recurrence(u: Tensor, W_h: Tensor, h_0: Tensor, activation: str) -> Tensor:
    """h [T+1,B,Dh] from u [T,B,Dh]: h[0] = h_0, h[t+1] = f(W_h h[t] + u[t])."""
    kernels = _kernels(u.device.type)
    if kernels and kernels.takes(u, W_h):
        found: Tensor = kernels.recurrence(u, W_h, h_0, activation, _precision())
        return found
    activate = ACTIVATE[activation]
    h = u.new_empty((len(u) + 1, *u.shape[1:]))
    h[0] = h_0
    for t in range(len(u)):
        activate(torch.addmm(u[t], h[t], W_h.T, out=h[t + 1]))  # z = W_h h^(t-1) + W_e e + b_1
    return h


def recurrence_gradient(dh: Tensor, h: Tensor, W_h: Tensor, activation: str, cut: float = 0.0) -> Tensor:
    """dz [T,B,Dh]: dz[t] = (dh[t] + dz[t+1] W_h) ∘ f'(z[t]), f' from h[t+1]; the sum within ±cut where cut > 0."""
    kernels = _kernels(dh.device.type)
    if kernels and kernels.takes(dh, W_h):
        found: Tensor = kernels.recurrence_gradient(dh, h, W_h, activation, cut, _precision())
        return found
    dz = activation_gradient(h[1:], activation)
    for t in range(len(dh) - 1, -1, -1):
        gamma = torch.addmm(dh[t], dz[t + 1], W_h) if t < len(dh) - 1 else dh[t]  # γ^(t) = dh^(t) + δ2^(t+1) W_h
        dz[t] *= gamma.clamp(-cut, cut) if cut else gamma
    return dz


def gpus() -> int:
    """How many GPUs PyTorch sees."""
    return int(torch.cuda.device_count())


class TorchBackend:
    """The hot operations on tensors of one device, float32 or float64; J is float64."""

    xp = torch

    def __init__(self, device: str = "cpu") -> None:
        self.device = torch.device(device)

    @property
    def name(self) -> str:
        """What `elman info` would show."""
        return f"torch ({self.device})"

    def array(self, values: Any, like: Tensor | None = None) -> Tensor:
        """The values on the device, in the type of `like` where it is given; shared memory where nothing changes."""
        if isinstance(values, np.ndarray) and not values.flags.writeable:
            values = values.copy()  # a tensor cannot promise not to write
        return torch.as_tensor(values, device=self.device, dtype=None if like is None else like.dtype)

    def host(self, array: Tensor) -> Any:
        """A NumPy array of the same numbers; on a CPU it shares their memory."""
        return array.detach().cpu().numpy()

    def zeros(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Zeros in the type of `like`."""
        return like.new_zeros(shape)

    def recurrence(self, u: Tensor, W_h: Tensor, h_0: Tensor, activation: str, rows: Any = None) -> Tensor:
        """h [T+1,B,Dh] from u [T,B,Dh], or u [n,Dh] and rows [T,B]: h[0] = h_0, h[t+1] = f(W_h h[t] + u[t])."""
        return recurrence(u if rows is None else u[rows], W_h, h_0, activation)

    def recurrence_gradient(self, dh: Tensor, h: Tensor, W_h: Tensor, activation: str, cut: float = 0.0) -> Tensor:
        """dz [T,B,Dh]: dz[t] = (dh[t] + dz[t+1] W_h) ∘ f'(z[t]), the sum held within ±cut where cut > 0."""
        return recurrence_gradient(dh, h, W_h, activation, cut)

    def state_gradient(self, dh: Tensor, slope: Tensor, W_h: Tensor) -> tuple[Tensor, Tensor, int]:
        """γ, dz [T,B,Dh] and an exponent: γ[t] = dh[t] + dz[t+1] W_h and dz[t] = γ[t] ∘ slope[t], times 2^-exponent."""
        gamma, W_h = dh.to(torch.float64, copy=True), W_h.double()
        dz, exponent = torch.empty_like(gamma), 0
        for t in range(len(dh) - 1, -1, -1):
            if t < len(dh) - 1:
                gamma[t] += dz[t + 1] @ W_h
            torch.mul(gamma[t], slope[t], out=dz[t])
            if float(gamma[t].abs().max()) > LIMIT:
                gamma /= LIMIT
                dz[t:] /= LIMIT
                exponent += 300
        return gamma, dz, exponent

    def contributions(self, terms: Contributions) -> None:
        """None: nothing of its own, the caller goes lag by lag."""

    def softmax_cross_entropy(
        self, h: Tensor, U: Tensor, b_2: Tensor, y: Tensor, scale: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """J [N] and scale times dh [N,Dh], dU [V,Dh], db_2 [V]; the logits only ever stand a chunk at a time."""
        J, dh = h.new_empty(len(h), dtype=torch.float64), torch.empty_like(h)
        dU, db_2 = torch.zeros_like(U), torch.zeros_like(b_2)
        for part, theta in _logits(h, U, b_2):
            J[part], delta1 = _to_delta1(theta, y[part], scale)
            torch.matmul(delta1, U, out=dh[part])  # ∂J/∂h = δ1 U
            dU.addmm_(delta1.T, h[part])  # ∂J/∂U = δ1^T h^T
            db_2 += delta1.sum(0)  # ∂J/∂b_2 = δ1^T 1_B
        return J, dh, dU, db_2

    def cross_entropy(self, h: Tensor, U: Tensor, b_2: Tensor, y: Tensor) -> Tensor:
        """J [N], float64, in chunks of rows."""
        return torch.cat([_to_J(theta, y[part])[0] for part, theta in _logits(h, U, b_2)])

    def cross_entropy_gradient(self, h: Tensor, U: Tensor, b_2: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """J [N], float64, and dh = (ŷ - y) U [N,Dh], in chunks of rows."""
        J, dh = h.new_empty(len(h), dtype=torch.float64), torch.empty_like(h)
        for part, theta in _logits(h, U, b_2):
            J[part], delta1 = _to_delta1(theta, y[part], 1.0)
            torch.matmul(delta1, U, out=dh[part])
        return J, dh

    def product(
        self, a: Tensor, b: Tensor, a_transposed: bool = False, b_transposed: bool = False, bias: Tensor | None = None
    ) -> Tensor:
        """a b [M,N], either one read transposed where asked, plus the bias [N] on every row."""
        left, right = a.T if a_transposed else a, b.T if b_transposed else b
        return left @ right if bias is None else torch.addmm(bias, left, right)

    def sum_of_squares(self, x: Tensor) -> float:
        """Σ x² over all of x, in float64."""
        return float(torch.linalg.vector_norm(x, dtype=torch.float64).square())

    def sum_columns(self, x: Tensor) -> Tensor:
        """Σ over the rows of x [N,n]: [n]."""
        return x.sum(0)

    def group(self, tokens: Any, V: int) -> Groups:
        """Which of the tokens [N], each under V, are the same; the tokens are the host's, so nothing waits for them."""
        found = Groups.of(tokens)
        index, inverse, order, start = map(self.array, (found.index, found.inverse, found.order, found.start))
        return Groups(index, inverse, order, start)

    def sum_rows(self, values: Tensor, groups: Groups) -> Tensor:
        """The sum of each distinct token's rows of values [N,d]: [n,d]; in the order of the tokens, on every device."""
        return torch.segment_reduce(values[groups.order], "sum", offsets=groups.start, axis=0)

    def sampler(self, inputs: Tensor, W_h: Tensor, U: Tensor, b_2: Tensor, activation: str) -> None:
        """None: nothing of its own, tokens are drawn one by one by the caller."""

    def sgd(self, w: Tensor, g: Tensor, rate: float, rows: Tensor | None = None) -> None:
        """w ← w - rate g, in place; or w[rows] alone, where g has just those rows and none stands twice."""
        if rows is None:
            w.sub_(g, alpha=rate)
        else:
            w.index_add_(0, rows, g, alpha=-rate)

    def adam(
        self,
        w: Tensor,
        g: Tensor,
        m: Tensor,
        v: Tensor,
        rate: float,
        beta: tuple[float, float],
        eps: float,
        scale: float,
        rows: Tensor | None = None,
    ) -> None:
        """Adam's step in place on the gradient scale·g, called g here; of w, m and v the rows alone, where given.

        m ← β1 m + (1-β1) g    v ← β2 v + (1-β2) g²    w ← w - rate m/(√v + ε)
        """
        if rows is not None:
            parts = [array[rows] for array in (w, m, v)]
            self.adam(parts[0], g, parts[1], parts[2], rate, beta, eps, scale)
            for array, part in zip((w, m, v), parts, strict=True):
                array[rows] = part
            return
        m.mul_(beta[0]).add_(g, alpha=(1 - beta[0]) * scale)
        v.mul_(beta[1]).addcmul_(g, g, value=(1 - beta[1]) * scale * scale)
        w.addcdiv_(m, v.sqrt().add_(eps), value=-rate)


def _logits(h: Tensor, U: Tensor, b_2: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """θ = U h + b_2 for so many rows of h at a time, and which they are."""
    at_once = max(1, LOGITS_BYTES // (len(U) * U.element_size()))
    chunks = -(-len(h) // at_once)
    rows = -(-len(h) // chunks)  # chunks of even size
    for start in range(0, len(h), rows):
        part = slice(start, min(start + rows, len(h)))
        yield part, torch.addmm(b_2, h[part], U.T)


def _to_J(theta: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """J and Σ exp(θ - max θ) of each row; θ becomes exp(θ - max θ), so that nothing overflows."""
    theta -= theta.amax(1, keepdim=True)
    at_target = theta.gather(1, y[:, None]).squeeze(1).double()
    total = theta.exp_().sum(1)
    return total.double().log() - at_target, total


def _to_delta1(theta: Tensor, y: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """J of each row and δ1 = scale (ŷ - y), in θ's place."""
    kernels = _kernels(theta.device.type)
    if kernels and theta.dtype == torch.float32:
        return kernels.softmax_gradient(theta, y, scale), theta
    J, total = _to_J(theta, y)
    theta *= (scale / total)[:, None]
    at_target = torch.expm1(-J) * scale  # ŷ - 1, without the difference of two close numbers
    return J, theta.scatter_(1, y[:, None], at_target.to(theta.dtype)[:, None])
