"""The torch backend: plain PyTorch operations, on any device and in any precision that they know.

On CUDA, where Triton is installed, the recurrence, the softmax's gradient and the updates are Triton kernels
(triton_recurrence.py, triton_softmax.py, triton_update.py); ELMAN_TRITON=0 in the environment leaves them out.

Its arrays are tensors. Nothing on the plain path imports it: `backend_of` does where parameters are tensors, and
`elman.torch`, whose operators run on it where Elman's own kernels cannot.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from elman.kernels import torch_softmax, torch_update
from elman.kernels.contributions import Contributions
from elman.kernels.devices import triton_kernels
from elman.kernels.groups import Groups
from elman.kernels.host_arrays import kept_of
from elman.kernels.numpy_backend import LIMIT
from elman.kernels.torch_products import factor, in_tf32, input_precision, product

Result = TypeVar("Result")

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


def recurrence(u: Tensor, W_h: Tensor, h_0: Tensor, activation: str) -> Tensor:
    """h [T+1,B,Dh] from u [T,B,Dh]: h[0] = h_0, h[t+1] = f(W_h h[t] + u[t]).

    Where u is float32 and W_h bfloat16, the factors of each product are bfloat16 and all else is float32.
    """
    kernels = triton_kernels(u.device.type, "recurrence")
    if kernels and kernels.takes(u, W_h):
        found: Tensor = kernels.recurrence(u, W_h, h_0, activation, input_precision())
        return found
    activate = ACTIVATE[activation]
    h = u.new_empty((len(u) + 1, *u.shape[1:]))
    h[0] = h_0
    for t in range(len(u)):
        activate(product(h[t].to(W_h.dtype), W_h.T, plus=u[t], out=h[t + 1]))  # z = W_h h^(t-1) + W_e e + b_1
    return h


def recurrence_gradient(dh: Tensor, h: Tensor, W_h: Tensor, activation: str, cut: float = 0.0) -> Tensor:
    """dz [T,B,Dh]: dz[t] = (dh[t] + dz[t+1] W_h) ∘ f'(z[t]), f' from h[t+1]; the sum within ±cut where cut > 0."""
    kernels = triton_kernels(dh.device.type, "recurrence")
    if kernels and kernels.takes(dh, W_h):
        found: Tensor = kernels.recurrence_gradient(dh, h, W_h, activation, cut, input_precision())
        return found
    dz = activation_gradient(h[1:], activation)
    for t in range(len(dh) - 1, -1, -1):
        # γ^(t) = dh^(t) + δ2^(t+1) W_h
        gamma = product(dz[t + 1].to(W_h.dtype), W_h, plus=dh[t]) if t < len(dh) - 1 else dh[t]
        dz[t] *= gamma.clamp(-cut, cut) if cut else gamma
    return dz


def gpus() -> int:
    """How many GPUs PyTorch sees."""
    return int(torch.cuda.device_count())


def _precise(method: Callable[..., Result]) -> Callable[..., Result]:
    """In TF32 where that is the backend's precision."""

    @wraps(method)
    def within(self: TorchBackend, *arguments: Any, **options: Any) -> Result:
        with in_tf32(self.precision == "tf32"):
            return method(self, *arguments, **options)

    return within


class TorchBackend:
    """The hot operations on tensors of one device, float32 or float64; J is float64.

    precision: of the products of float32 (torch_products.py); float32: what PyTorch's own run in.
    """

    xp = torch

    def __init__(self, device: str = "cpu", precision: str = "float32") -> None:
        self.device, self.precision = torch.device(device), precision

    def at(self, precision: str) -> TorchBackend:
        """The same device in another precision."""
        return TorchBackend(str(self.device), precision)

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

    def counter(self) -> Tensor:
        """0 on the device, to be counted up from there."""
        return torch.zeros((), dtype=torch.float64, device=self.device)

    def dropout_mask(self, shape: tuple[int, ...], rate: float, generator: Any, like: Tensor) -> Tensor:
        """Inverted dropout: each entry 0 or 1/keep, drawn on the device: by a generator of PyTorch's, or of that seed.

        So the same masks on the same device, and others on the host.
        """
        if not isinstance(generator, torch.Generator):
            seed = int(generator.integers(2**63))
            generator = torch.Generator(self.device).manual_seed(seed)
        kept = kept_of(rate) / 2**16
        drawn = torch.rand(shape, device=self.device, dtype=like.dtype, generator=generator)
        return (drawn < kept).to(like.dtype) / kept

    @_precise
    def recurrence(self, u: Tensor, W_h: Tensor, h_0: Tensor, activation: str, rows: Any = None) -> Tensor:
        """h [T+1,B,Dh] from u [T,B,Dh], or u [n,Dh] and rows [T,B]: h[0] = h_0, h[t+1] = f(W_h h[t] + u[t])."""
        return recurrence(u if rows is None else u[rows], factor(W_h, self.precision), h_0, activation)

    @_precise
    def recurrence_gradient(self, dh: Tensor, h: Tensor, W_h: Tensor, activation: str, cut: float = 0.0) -> Tensor:
        """dz [T,B,Dh]: dz[t] = (dh[t] + dz[t+1] W_h) ∘ f'(z[t]), the sum held within ±cut where cut > 0."""
        return recurrence_gradient(dh, h, factor(W_h, self.precision), activation, cut)

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

    @_precise
    def softmax_cross_entropy(
        self, h: Tensor, U: Tensor, b_2: Tensor, y: Tensor, scale: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """J [N] and scale times dh [N,Dh], dU [V,Dh], db_2 [V]; the logits only ever stand a chunk at a time."""
        return torch_softmax.softmax_cross_entropy(h, U, b_2, y, scale, self.precision)

    @_precise
    def cross_entropy(self, h: Tensor, U: Tensor, b_2: Tensor, y: Tensor) -> Tensor:
        """J [N], float64, in chunks of rows."""
        return torch_softmax.cross_entropy(h, U, b_2, y, self.precision)

    @_precise
    def cross_entropy_gradient(self, h: Tensor, U: Tensor, b_2: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """J [N], float64, and dh = (ŷ - y) U [N,Dh], in chunks of rows."""
        return torch_softmax.cross_entropy_gradient(h, U, b_2, y, self.precision)

    @_precise
    def product(
        self, a: Tensor, b: Tensor, a_transposed: bool = False, b_transposed: bool = False, bias: Tensor | None = None
    ) -> Tensor:
        """a b [M,N], either one read transposed where asked, plus the bias [N] on every row."""
        left, right = factor(a, self.precision), factor(b, self.precision)
        return product(left.T if a_transposed else left, right.T if b_transposed else right, bias, dtype=a.dtype)

    def sum_of_squares(self, x: Tensor) -> Tensor:
        """Σ x² over all of x, in float64, on the device."""
        return torch.linalg.vector_norm(x, dtype=torch.float64).square()

    def sum_columns(self, x: Tensor) -> Tensor:
        """Σ over the rows of x [N,n]: [n]."""
        return x.sum(0)

    def group(self, tokens: Any, V: int) -> Groups:
        """Which of the tokens [N], each under V, are the same; those under 0 do not occur.

        Nothing waits for the device.
        """
        tokens = self.array(tokens).long()
        there, tokens = (tokens >= 0).long(), tokens % V
        occurs = torch.zeros(V, dtype=torch.int64, device=self.device).index_add_(0, tokens, there) > 0
        before = occurs.cumsum(0) - occurs.long()  # how many tokens under this one occur
        token = torch.arange(V, device=self.device)
        place = torch.where(occurs, before, occurs.sum() + token - before)  # those that do not occur stand behind
        index = torch.empty_like(token).scatter_(0, place, torch.where(occurs, token, token - V))
        return Groups(index=index[: min(len(tokens), V)], inverse=place[tokens])

    def sum_rows(self, values: Tensor, groups: Groups) -> Tensor:
        """The sum of each distinct token's rows of values [N,d]: [n,d]."""
        return torch.ops.aten.embedding_dense_backward(values, groups.inverse, len(groups.index), -1, False)

    def sampler(self, inputs: Tensor, W_h: Tensor, U: Tensor, b_2: Tensor, activation: str) -> None:
        """None: nothing of its own, tokens are drawn one by one by the caller."""

    def sgd(self, w: Tensor, g: Tensor, rate: Any, rows: Tensor | None = None) -> None:
        """w ← w - rate g, in place; or w[rows] alone (torch_update.sgd)."""
        torch_update.sgd(w, g, rate, rows)

    def adam(
        self,
        w: Tensor,
        g: Tensor,
        m: Tensor,
        v: Tensor,
        rate: Any,
        beta: tuple[float, float],
        eps: Any,
        scale: Any,
        rows: Tensor | None = None,
    ) -> None:
        """Adam's step in place on the gradient scale·g; of w, m and v the rows alone, where given."""
        torch_update.adam(w, g, m, v, rate, beta, eps, scale, rows)
