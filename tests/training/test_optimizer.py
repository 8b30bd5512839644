"""The rules that update the weights."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from elman.config import TrainingConfig
from elman.model.bptt import loss_and_gradients
from elman.model.parameters import Gradients, Parameters
from elman.training.optimizer import make_optimizer

RATE, DECAY = 0.02, 0.3


def network(**more: Any) -> Parameters:
    return Parameters.initialise(9, 4, 4, seed=3, dtype="float64", **more)


def gradients_of(p: Parameters) -> Gradients:
    x = np.array([[1, 2], [2, 5]])
    return loss_and_gradients(p, x, x + 1)[1]


def after_steps(name: str, p: Parameters, weight_decay: float, steps: int = 1) -> dict[str, Any]:
    p = copy.deepcopy(p)
    optimizer = make_optimizer(TrainingConfig(optimizer=name, weight_decay=weight_decay), p)  # type: ignore[arg-type]
    for _ in range(steps):
        optimizer.step(p, gradients_of(p), RATE, 1.0)
    return dict(p.distinct())


@pytest.mark.parametrize("name", ["adam", "sgd"])
@pytest.mark.parametrize("network_options", [{}, {"tie": True}, {"layers": 2}, {"cutoffs": (3,)}])
def test_weight_decay_is_apart_from_the_gradient(name: str, network_options: dict[str, Any]) -> None:
    p = network(**network_options)
    before = dict(p.distinct())
    plain, decayed = (after_steps(name, p, decay) for decay in (0.0, DECAY))
    for key, w in before.items():
        if w.ndim == 1:
            expected = plain[key]
        elif key == "E" and not p.tied:
            expected = plain[key] - RATE * DECAY * w * np.isin(np.arange(9), [1, 2, 5])[:, None]
        else:
            expected = plain[key] - RATE * DECAY * w
        np.testing.assert_allclose(decayed[key], expected, rtol=1e-12, atol=1e-15, err_msg=key)


def test_adam_with_weight_decay_is_that_of_pytorch() -> None:
    torch = pytest.importorskip("torch", exc_type=ImportError)
    p = network(tie=True)
    ours = after_steps("adam", p, DECAY, steps=3)
    learning = copy.deepcopy(p)
    weights = {key: torch.tensor(w, requires_grad=True) for key, w in learning.distinct()}
    groups = [
        {"params": [w for w in weights.values() if (w.ndim > 1) == matrices], "weight_decay": DECAY * matrices}
        for matrices in (True, False)
    ]
    theirs = torch.optim.AdamW(groups, lr=RATE)
    for _ in range(3):
        for key, gradient in gradients_of(learning).distinct():
            weights[key].grad = torch.tensor(np.asarray(gradient))
        theirs.step()
        for key, w in learning.distinct():
            w[...] = weights[key].detach().numpy()
    for key, w in weights.items():
        np.testing.assert_allclose(ours[key], w.detach().numpy(), rtol=1e-6, atol=1e-9, err_msg=key)
