"""`ElmanRNN`: a layer with the interface of `torch.nn.RNN`, with the sigmoid too, on Elman's kernels."""

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
    """h^(t) = f(W_ih x^(t) + b_ih + W_hh h^(t-1) + b_hh), as `torch.nn.RNN` of one layer: the same call and state_dict.

    nonlinearity: "tanh" (as torch.nn.RNN's), "relu" or "sigmoid". Weights: weight_ih_l0 [Dh,d], weight_hh_l0 [Dh,Dh]
    and, with bias, bias_ih_l0 and bias_hh_l0 [Dh]; they begin uniform in ±1/√Dh, with the same numbers as torch.nn.RNN.

    On a CPU, float32 runs on Elman's kernels (on ELMAN_THREADS threads; torch.set_num_threads has no effect); on CUDA,
    float32 and bfloat16 run on its Triton kernels, if Triton is installed; all else, torch.func's transforms too, on
    plain PyTorch operations. Derivatives of every order are exact. Under torch.autocast the input product is cast, the
    recurrence itself keeps the weights' precision, and the output has the type of torch.nn.RNN's.

    `output` is a view of the states that the backward pass needs: PyTorch raises an error if it was changed in place
    before. Raises ConfigError for more than one layer, both directions, dropout and projections.
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
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
            if not isinstance(size, int) or size < 1:
                raise ConfigError(f"{name} is {size!r}; it must be a whole number from 1 on")
        if nonlinearity not in ACTIVATIONS:
            raise ConfigError(f"nonlinearity is {nonlinearity!r}; choose one of {', '.join(ACTIVATIONS)}")
        for name, given, only, instead in (
            ("num_layers", num_layers, 1, "stack several ElmanRNN"),
            ("dropout", dropout, 0, "put torch.nn.Dropout after the layer"),
            ("bidirectional", bidirectional, False, "run a second ElmanRNN over the reversed sequence"),
            ("proj_size", proj_size, 0, "put torch.nn.Linear after the layer"),
        ):
            if given != only:
                raise ConfigError(f"{name} is {given!r}, and ElmanRNN has only {only}: {instead}")
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, 1
        self.nonlinearity, self.bias, self.batch_first = nonlinearity, bias, batch_first
        self.dropout, self.bidirectional, self.proj_size = 0.0, False, 0

        def empty(*shape: int) -> Any:
            return torch.nn.Parameter(torch.empty(shape, device=device, dtype=dtype))

        self.weight_ih_l0 = empty(hidden_size, input_size)
        self.weight_hh_l0 = empty(hidden_size, hidden_size)
        if bias:
            self.bias_ih_l0, self.bias_hh_l0 = empty(hidden_size), empty(hidden_size)
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
        flags = "" if self.bias else ", bias=False"
        flags += ", batch_first=True" if self.batch_first else ""
        return f"{self.input_size}, {self.hidden_size}, nonlinearity={self.nonlinearity!r}{flags}"

    def forward(self, input: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """output [T,B,Dh] (the h of every step) and h_n [1,B,Dh] (the last), from input [T,B,d] and h_0 [1,B,Dh].

        With batch_first input is [B,T,d] and output [B,T,Dh]; without a batch input is [T,d], h_0 and h_n [1,Dh].
        h_0 is 0 if it is None. Raises ShapeError where shapes or types do not fit, ConfigError for packed sequences.
        """
        x, h_0 = self._checked(input, hx)
        bias = self.bias_ih_l0 + self.bias_hh_l0 if self.bias else None
        u = functional.linear(x, self.weight_ih_l0, bias)  # W_e e + b_1                  [T,B,Dh]
        W_h = self.weight_hh_l0
        h = states(u.to(W_h.dtype), W_h, h_0.to(W_h.dtype), self.nonlinearity)
        h = h.to(u.dtype)  # differs from the weights' type only under autocast
        output, h_n = h[1:], h[-1:].clone()  # a copy: users may change the state that they carry
        if input.dim() == 2:
            return output.squeeze(1), h_n.squeeze(1)
        return (output.transpose(0, 1) if self.batch_first else output), h_n

    def _checked(self, input: Tensor, hx: Tensor | None) -> tuple[Tensor, Tensor]:
        """x [T,B,d] and h_0 [B,Dh]."""
        if isinstance(input, torch.nn.utils.rnn.PackedSequence):
            raise ConfigError("ElmanRNN takes no PackedSequence: give the padded tensor, and mask the loss")
        d, Dh = self.input_size, self.hidden_size
        axes = "[B,T,d]" if self.batch_first else "[T,B,d]"
        if input.dim() not in (2, 3) or input.shape[-1] != d or 0 in input.shape:
            raise ShapeError.of("input", tuple(input.shape), f"{axes} or [T,d] with d = {d}, none of them 0")
        if not self._takes(input):
            raise ShapeError(f"input is {input.dtype}, expected {self.weight_ih_l0.dtype} as the weights are")
        batched = input.dim() == 3
        x = input.unsqueeze(1) if not batched else input.transpose(0, 1) if self.batch_first else input
        B = x.shape[1]
        if hx is None:
            return x, x.new_zeros((B, Dh))
        expected = (1, B, Dh) if batched else (1, Dh)
        if tuple(hx.shape) != expected:
            raise ShapeError.of("h_0", tuple(hx.shape), f"{'[1,B,Dh]' if batched else '[1,Dh]'} = {expected}")
        if not self._takes(hx):
            raise ShapeError(f"h_0 is {hx.dtype}, expected {self.weight_ih_l0.dtype} as the weights are")
        return x, hx.reshape(B, Dh)

    def _takes(self, x: Tensor) -> bool:
        """Whether x has the weights' type, or autocast converts it."""
        if x.dtype == self.weight_ih_l0.dtype:  # first: PyTorch before 2.7 cannot compile the test for autocast
            return True
        device = x.device.type
        return bool(torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device))
