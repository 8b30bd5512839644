"""`ElmanRNN`: a module with the interface of `torch.nn.RNN`, with the sigmoid too, on Elman's kernels."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from elman.config import ACTIVATIONS
from elman.errors import ConfigError, ShapeError
from elman.torch.operators import states


class ElmanRNN(torch.nn.Module):  # type: ignore[misc]  # PyTorch is not there for the type checker
    """h^(t) = f(W_ih x^(t) + b_ih + W_hh h^(t-1) + b_hh), as `torch.nn.RNN`: the same call and state_dict.

    nonlinearity: "tanh" (as torch.nn.RNN's), "relu" or "sigmoid". num_layers: each layer above the first reads h of the
    layer below, of which `dropout` sets that share to 0 during training. Weights of layer n: weight_ih_ln [Dh,d] (above
    the first [Dh,Dh]), weight_hh_ln [Dh,Dh] and, with bias, bias_ih_ln and bias_hh_ln [Dh]; they begin uniform in
    ±1/√Dh. These and the dropout masks are the numbers that torch.nn.RNN draws.

    On a CPU, float32 runs on Elman's kernels (on ELMAN_THREADS threads; torch.set_num_threads has no effect); on CUDA,
    float32 and bfloat16 run on its Triton kernels, if Triton is installed; all else, torch.func's transforms too, on
    plain PyTorch operations. Derivatives of every order are exact. Under torch.autocast the input product is cast, the
    recurrence itself keeps the weights' precision, and the output has the type of torch.nn.RNN's.

    `output` is a view of the states that the backward pass needs: PyTorch raises an error if it was changed in place
    before. Raises ConfigError for both directions, projections, and dropout without a layer above.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise ConfigError(f"{name} is {size!r}; it must be a whole number from 1 on")
        if nonlinearity not in ACTIVATIONS:
            raise ConfigError(f"nonlinearity is {nonlinearity!r}; choose one of {', '.join(ACTIVATIONS)}")
        for name, given, only, instead in (
            ("bidirectional", bidirectional, False, "run a second ElmanRNN over the reversed sequence"),
            ("proj_size", proj_size, 0, "put torch.nn.Linear after the layer"),
        ):
            if given != only:
                raise ConfigError(f"{name} is {given!r}, and ElmanRNN has only {only}: {instead}")
        if not isinstance(dropout, int | float) or isinstance(dropout, bool) or not 0 <= dropout <= 1:
            raise ConfigError(f"dropout is {dropout!r}; it must be a number from 0 to 1")
        if dropout and num_layers == 1:
            raise ConfigError(
                f"dropout is {dropout}, and acts only between layers, of which there is one: set num_layers=2, or put "
                "torch.nn.Dropout after the layer"
            )
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.nonlinearity, self.bias, self.batch_first = nonlinearity, bias, batch_first
        self.dropout, self.bidirectional, self.proj_size = float(dropout), False, 0

        def empty(*shape: int) -> Any:
            return torch.nn.Parameter(torch.empty(shape, device=device, dtype=dtype))

        for n in range(num_layers):
            setattr(self, f"weight_ih_l{n}", empty(hidden_size, hidden_size if n else input_size))
            setattr(self, f"weight_hh_l{n}", empty(hidden_size, hidden_size))
            if bias:
                setattr(self, f"bias_ih_l{n}", empty(hidden_size))
                setattr(self, f"bias_hh_l{n}", empty(hidden_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws every weight uniformly from ±1/√Dh, as torch.nn.RNN does."""
        bound = 1 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            torch.nn.init.uniform_(weight, -bound, bound)

    def flatten_parameters(self) -> None:
        """Does nothing, as there is no cuDNN buffer; models that use torch.nn.RNN call it."""

    def extra_repr(self) -> str:
        """The layer's line in a printed model."""
        flags = f", num_layers={self.num_layers}" if self.num_layers > 1 else ""
        flags += "" if self.bias else ", bias=False"
        flags += ", batch_first=True" if self.batch_first else ""
        flags += f", dropout={self.dropout:g}" if self.dropout else ""
        return f"{self.input_size}, {self.hidden_size}, nonlinearity={self.nonlinearity!r}{flags}"

    def forward(self, input: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """output [T,B,Dh] (every h of the last layer) and h_n [n,B,Dh] (the last h of each of the n layers), from input
        [T,B,d] and h_0 [n,B,Dh].

        With batch_first input is [B,T,d] and output [B,T,Dh]; without a batch input is [T,d], h_0 and h_n [n,Dh].
        h_0 is 0 if it is None. Raises ShapeError where shapes or types do not fit, ConfigError for packed sequences.
        """
        x, h_0 = self._checked(input, hx)
        h = self._states(0, x, h_0[0])
        ends = [h[-1]]
        for n in range(1, self.num_layers):
            h = self._states(n, functional.dropout(h[1:], self.dropout, self.training), h_0[n])
            ends.append(h[-1])
        output, h_n = h[1:], torch.stack(ends)  # a copy: users may change the state that they carry
        if input.dim() == 2:
            return output.squeeze(1), h_n.squeeze(1)
        return (output.transpose(0, 1) if self.batch_first else output), h_n

    def _states(self, n: int, x: Tensor, h_0: Tensor) -> Tensor:
        """h [T+1,B,Dh] of layer n, in the type of its input product, from what it reads x and h_0 [B,Dh]."""
        bias = getattr(self, f"bias_ih_l{n}") + getattr(self, f"bias_hh_l{n}") if self.bias else None
        u = functional.linear(x, getattr(self, f"weight_ih_l{n}"), bias)  # W_e e + b_1                  [T,B,Dh]
        W_h = getattr(self, f"weight_hh_l{n}")
        h = states(u.to(W_h.dtype), W_h, h_0.to(W_h.dtype), self.nonlinearity)
        return h.to(u.dtype)  # differs from the weights' type only under autocast

    def _checked(self, input: Tensor, hx: Tensor | None) -> tuple[Tensor, Tensor]:
        """x [T,B,d] and h_0 [n,B,Dh]."""
        if isinstance(input, torch.nn.utils.rnn.PackedSequence):
            raise ConfigError("ElmanRNN takes no PackedSequence: give the padded tensor, and mask the loss")
        d, Dh, n = self.input_size, self.hidden_size, self.num_layers
        axes = "[B,T,d]" if self.batch_first else "[T,B,d]"
        if input.dim() not in (2, 3) or input.shape[-1] != d or 0 in input.shape:
            raise ShapeError.of("input", tuple(input.shape), f"{axes} or [T,d] with d = {d}, none of them 0")
        if not self._takes(input):
            raise ShapeError(f"input is {input.dtype}, expected {self.weight_ih_l0.dtype} as the weights are")
        batched = input.dim() == 3
        x = input.unsqueeze(1) if not batched else input.transpose(0, 1) if self.batch_first else input
        B = x.shape[1]
        if hx is None:
            return x, x.new_zeros((n, B, Dh))
        expected = (n, B, Dh) if batched else (n, Dh)
        if tuple(hx.shape) != expected:
            raise ShapeError.of("h_0", tuple(hx.shape), f"[{n},{'B,' * batched}Dh] = {expected}")
        if not self._takes(hx):
            raise ShapeError(f"h_0 is {hx.dtype}, expected {self.weight_ih_l0.dtype} as the weights are")
        return x, hx.reshape(n, B, Dh)

    def _takes(self, x: Tensor) -> bool:
        """Whether x has the weights' type, or autocast converts it."""
        if x.dtype == self.weight_ih_l0.dtype:  # first: PyTorch before 2.7 cannot compile the test for autocast
            return True
        device = x.device.type
        return bool(torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device))
