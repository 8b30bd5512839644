"""Language models to PyTorch and back: the same losses, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import problem

import elman
from elman.config import ACTIVATIONS
from elman.errors import ConfigError
from elman.model.network import losses

torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)

from elman.torch import ElmanRNN, RecurrentLanguageModel, from_torch, to_torch  # noqa: E402  # needs PyTorch

nn = torch.nn
KINDS = [(activation, tie, layers) for activation in ACTIVATIONS for tie in (False, True) for layers in (1, 3)]


def network(activation: str, tie: bool, layers: int) -> tuple[elman.Parameters, np.ndarray, np.ndarray]:
    p, x, y, _ = problem(d=7 if tie else 5, activation=activation, tie=tie, layers=layers)
    return p, x, y


def torch_losses(module: Any, x: np.ndarray, y: np.ndarray, state: Any = None) -> tuple[Any, Any]:
    """J [T,B] and the state afterwards."""
    theta, state = module(torch.from_numpy(x), state)
    J = nn.functional.cross_entropy(theta.flatten(0, 1), torch.from_numpy(y).flatten(), reduction="none")
    return J.reshape(y.shape), state


def assert_same_losses(module: Any, p: elman.Parameters, x: np.ndarray, y: np.ndarray) -> None:
    J, state = torch_losses(module, x, y)
    true, h = losses(p, x, y)
    np.testing.assert_allclose(J.detach().numpy(), true, rtol=1e-12)
    J, _ = torch_losses(module, x, y, state)  # the carried state is the same one
    np.testing.assert_allclose(J.detach().numpy(), losses(p, x, y, h)[0], rtol=1e-12)


@pytest.mark.parametrize(("activation", "tie", "layers"), KINDS)
def test_the_same_losses_there_and_back(activation: str, tie: bool, layers: int) -> None:
    p, x, y = network(activation, tie, layers)
    module = to_torch(p)
    assert type(module.rnn) is nn.RNN
    assert module.rnn.nonlinearity == ("relu" if activation == "relu" else "tanh")
    assert (module.linear.weight is module.embedding.weight) == tie
    assert_same_losses(module, p, x, y)
    back = from_torch(module)
    assert (back.activation, back.tied, back.depth) == (activation, tie, layers)
    for (name, array), (_, found) in zip(p.items(), back.items(), strict=True):
        if name == "b_2":
            np.testing.assert_allclose(found, array, rtol=1e-14, atol=1e-15)
        else:
            assert np.array_equal(found, array), name
    assert_same_losses(module, back, x, y)


@pytest.mark.parametrize(("activation", "tie", "layers"), KINDS)
def test_what_pytorch_has_trained_comes_back(activation: str, tie: bool, layers: int) -> None:
    """Both biases have moved, and tied weights together."""
    p, x, y = network(activation, tie, layers)
    module = to_torch(p)
    first = p.E.copy()
    optimizer = torch.optim.Adam(module.parameters(), 1e-2)
    began = float(torch_losses(module, x, y)[0].mean().detach())
    for _ in range(20):
        optimizer.zero_grad()
        J = torch_losses(module, x, y)[0].mean()
        J.backward()
        optimizer.step()
    assert float(J.detach()) < began - 0.1
    assert np.array_equal(p.E, first)  # a copy was trained
    assert_same_losses(module, from_torch(module), x, y)


def test_a_fresh_module_is_a_network_too() -> None:
    module = RecurrentLanguageModel(13, 5, 7, dtype=torch.float64, layers=2)
    x, y = np.random.default_rng(0).integers(0, 13, (2, 6, 3))
    assert_same_losses(module, from_torch(module), x, y)


def test_a_trained_run_in_pytorch(lm: elman.LanguageModel) -> None:
    module = to_torch(lm)
    assert module.linear.weight.dtype == torch.float32
    tokens = np.array(lm.tokenizer.encode("the cat sat on the mat and the dog ran"))[:, None]
    J, _ = torch_losses(module, tokens[:-1], tokens[1:])
    np.testing.assert_allclose(J.detach().numpy(), losses(lm.p, tokens[:-1], tokens[1:])[0], rtol=1e-4, atol=1e-5)


class Theirs(nn.Module):
    """A model of somebody else's, with other names."""

    def __init__(self, rnn: Any, bias: bool = True, between: Any = None) -> None:
        super().__init__()
        self.words = nn.Embedding(13, 5, dtype=torch.float64)
        self.layers = nn.ModuleList([rnn, between or nn.Dropout(0.5)])
        self.head = nn.Linear(7, 13, bias=bias, dtype=torch.float64)

    def forward(self, x: Any, state: Any = None) -> tuple[Any, Any]:
        output, state = self.layers[0](self.words(x), state)
        return self.head(self.layers[1](output)), state


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize(
    ("kind", "nonlinearity"), [(nn.RNN, "tanh"), (nn.RNN, "relu"), (ElmanRNN, "sigmoid"), (ElmanRNN, "tanh")]
)
def test_anybodys_model_of_these_layers(kind: Callable[..., Any], nonlinearity: str, layers: int, bias: bool) -> None:
    module = Theirs(kind(5, 7, layers, nonlinearity=nonlinearity, bias=bias, dtype=torch.float64), bias).eval()
    p = from_torch(module)
    assert p.activation == nonlinearity
    x, y = np.random.default_rng(0).integers(0, 13, (2, 6, 3))
    assert_same_losses(module, p, x, y)


def test_what_cannot_be_converted_is_refused() -> None:
    double = {"dtype": torch.float64}
    odd = Theirs(nn.RNN(5, 7, **double))
    odd.scale = nn.Parameter(torch.ones(()))
    nested = Theirs(nn.RNN(5, 7, **double))
    nested.layers.bias = nn.Parameter(torch.zeros(7))
    held = Theirs(nn.RNN(5, 7, **double))
    held.words.max_norm = 1.0
    for module, sentence in (
        (Theirs(nn.LSTM(5, 7, **double)), "has 0 layers of nn.RNN, expected one"),
        (Theirs(nn.RNN(5, 7, bidirectional=True, **double)), "an RNN of both directions"),
        (Theirs(nn.RNN(5, 6, **double)), r"do not fit each other: .* 7 inputs and 13 outputs after 6 units"),
        (Theirs(nn.RNN(5, 7, **double), between=nn.LayerNorm(7)), "has LayerNorm, which Elman's network does not have"),
        (Theirs(nn.RNN(5, 7, **double), between=nn.Linear(7, 7)), "has 2 layers of nn.Linear"),
        (odd, "has scale, which"),
        (nested, "has layers.bias, which"),
        (held, "max_norm"),
        (Theirs(nn.RNN(5, 7, **double)).half(), r"torch.float16: convert them to float32 with module.float\(\) first"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            from_torch(module)
    with pytest.raises(ConfigError, match="tied weights need d = Dh"):
        RecurrentLanguageModel(13, 5, 7, tie=True)
    with pytest.raises(ConfigError, match="skip connections"):
        to_torch(problem(layers=2, skip=True)[0])
    with pytest.raises(ConfigError, match="activation is 'gelu'"):
        RecurrentLanguageModel(13, 5, 7, "gelu")


def test_the_guides_examples_run() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guide.md").read_text()
    section = guide.split("## With PyTorch\n")[1].split("\n## ")[0]
    names: dict[str, Any] = {}
    swap, convert = re.findall(r"^```python\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    exec(swap, names)
    assert isinstance(names["model"].rnn, ElmanRNN)
    assert names["losses"][-1] < 0.2 < 1 < names["losses"][0]
    exec(convert, names)
    assert names["theta"].shape == (35, 8, 50)
    assert np.array_equal(names["back"].W_h, names["p"].W_h)
