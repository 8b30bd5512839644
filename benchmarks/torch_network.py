"""Elman's network in PyTorch, for the benchmarks that compare a training step of the two."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class TorchNetwork:
    """The tanh network that is equal to the sigmoid one, h = (1+g)/2, on a device; its loss over x and y [T,B].

    chunked: use linear_cross_entropy, if this PyTorch has it. half: the type of products under autocast (None: no
    autocast); the weights are float32 in any case.
    """

    def __init__(self, p: Any, x: Any, y: Any, device: str = "cpu", chunked: bool = False, half: Any = None) -> None:
        self.device, self.chunked, self.half = torch.device(device), chunked, half
        self.embedding, self.rnn, self.linear = (
            layer.to(device)
            for layer in (torch.nn.Embedding(p.V, p.d), torch.nn.RNN(p.d, p.Dh), torch.nn.Linear(p.Dh, p.V))
        )
        self.weights = [*self.embedding.parameters(), *self.rnn.parameters(), *self.linear.parameters()]
        with torch.no_grad():
            for weight, value in (
                (self.embedding.weight, p.E),
                (self.rnn.weight_ih_l0, p.W_e / 2),
                (self.rnn.weight_hh_l0, p.W_h / 4),
                (self.rnn.bias_ih_l0, p.b_1 / 2 + p.W_h.sum(axis=1) / 4),
                (self.linear.weight, p.U / 2),
                (self.linear.bias, p.b_2 + p.U.sum(axis=1) / 2),
            ):
                weight.copy_(torch.from_numpy(value))
            self.rnn.bias_hh_l0.zero_()
        rnn = self.rnn
        self.loop_weights = (rnn.weight_ih_l0, rnn.weight_hh_l0, rnn.bias_ih_l0, rnn.bias_hh_l0)
        self.x, self.y = torch.from_numpy(x).to(device), torch.from_numpy(y).reshape(-1).to(device)
        self.g_0 = torch.full((1, x.shape[1], p.Dh), -1.0, device=device)  # g = 2h - 1 of h = 0

    def autocast(self) -> Any:
        """The autocast context of the loss."""
        return torch.autocast(self.device.type, self.half or torch.bfloat16, enabled=self.half is not None)

    def states(self) -> Tensor:
        """The states g [T,B,Dh]."""
        g: Tensor = self.rnn(self.embedding(self.x), self.g_0)[0]
        return g

    def loss(self) -> Tensor:
        """The loss J."""
        with self.autocast():
            return self.cross_entropy(self.states())

    def cross_entropy(self, g: Tensor) -> Tensor:
        """J from the states g."""
        g = g.flatten(0, 1)
        if self.chunked:
            return torch.nn.functional.linear_cross_entropy(
                g,
                self.linear.weight,
                self.y,
                linear_bias=self.linear.bias,
                options=torch.nn.LinearCrossEntropyOptions(),
            )
        return torch.nn.functional.cross_entropy(self.linear(g), self.y)

    def gradients(self) -> dict[str, Tensor]:
        """The gradients for the sigmoid network's parameters, by the chain rule from the last backward; copies."""
        rnn, linear = self.rnn, self.linear
        db, dc = rnn.bias_ih_l0.grad, linear.bias.grad
        return {
            "E": self.embedding.weight.grad.clone(), "W_e": rnn.weight_ih_l0.grad / 2,
            "W_h": rnn.weight_hh_l0.grad / 4 + db[:, None] / 4, "b_1": db / 2,
            "U": linear.weight.grad / 2 + dc[:, None] / 2, "b_2": dc.clone(),
        }  # fmt: skip


class TorchLoop(TorchNetwork):
    """The same with a Python loop over time instead of nn.RNN, which torch.compile does not compile."""

    def states(self) -> Tensor:
        """The states g [T,B,Dh]."""
        W_ih, W_hh, b_ih, b_hh = self.loop_weights
        u = torch.nn.functional.linear(self.embedding(self.x), W_ih, b_ih + b_hh)
        g, states = self.g_0[0], []
        for u_t in u:
            g = torch.tanh(u_t + torch.nn.functional.linear(g, W_hh))
            states.append(g)
        return torch.stack(states)

    def loss(self) -> Tensor:
        """J, defined again: torch.compile never compiles a function for which it has given up once."""
        with self.autocast():
            return self.cross_entropy(self.states())
