"""SGD and Adam over `Parameters`, with the clipping factor folded into the step.

The gradient of E comes as rows, and so do those of U and b_2 with a sampled output layer; only those rows of the
weights and of their moments are touched ("lazy" Adam: the moments of a word that does not occur do not change).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.config import TrainingConfig
from elman.model.embedding import Rows
from elman.model.parameters import Gradients, Parameters
from elman.training.saved import ADAM_COUNT

Arrays = dict[str, NDArray[Any]]

BETA = (0.9, 0.999)
EPS = 1e-8


class Optimizer:
    """What the trainer needs of an optimizer: a step, and its arrays for the checkpoint."""

    def step(self, p: Parameters, gradients: Gradients, rate: Any, scale: Any) -> None:
        """Moves the weights in place against scale times the gradients.

        On a device rate and scale may be numbers of the device; where scale is 0 there, nothing changes.
        """
        raise NotImplementedError

    def arrays(self) -> Arrays:
        """The arrays that an exact resume needs; on the host they are not copies."""
        return {}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of what `arrays` returns."""
        return {}

    def restore(self, arrays: Arrays) -> None:
        """Restores what `arrays` returned."""


class SGD(Optimizer):
    """w ← w - rate · scale · ∂J/∂w."""

    def step(self, p: Parameters, gradients: Gradients, rate: Any, scale: Any) -> None:
        """Moves the weights in place."""
        weights = dict(p.distinct())
        for name, gradient in gradients.distinct():
            w = weights[name]
            if isinstance(gradient, Rows):
                p.kernels.sgd(_rows(w), _rows(gradient.values), rate * scale, gradient.index)
            else:
                p.kernels.sgd(w, gradient, rate * scale)


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, Algorithm 1, in its "corrected rate" form of section 2)."""

    def __init__(self, p: Parameters) -> None:
        self.kernels = p.kernels
        self.m = {name: self.kernels.xp.zeros_like(w) for name, w in p.distinct()}
        self.v = {name: self.kernels.xp.zeros_like(w) for name, w in p.distinct()}
        self.count = self.kernels.counter()

    def step(self, p: Parameters, gradients: Gradients, rate: Any, scale: Any) -> None:
        """Moves the weights and the moments in place."""
        self.count += scale > 0
        root = (1 - BETA[1] ** self.count) ** 0.5
        rate, eps = rate * root / (1 - BETA[0] ** self.count), EPS * root
        weights = dict(p.distinct())
        for name, gradient in gradients.distinct():
            w, m, v = weights[name], self.m[name], self.v[name]
            if isinstance(gradient, Rows):
                w, m, v, g = (_rows(each) for each in (w, m, v, gradient.values))
                self.kernels.adam(w, g, m, v, rate, BETA, eps, scale, gradient.index)
            else:
                self.kernels.adam(w, gradient, m, v, rate, BETA, eps, scale)

    def arrays(self) -> Arrays:
        """Both moments of every weight, and the number of steps taken."""
        host = self.kernels.host
        moments = {f"adam.{part}.{name}": host(a) for part in "mv" for name, a in getattr(self, part).items()}
        return moments | {ADAM_COUNT: np.array([int(self.count)], np.int64)}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Both moments of every weight have its shape."""
        moments = {f"adam.{part}.{name}": tuple(a.shape) for part in "mv" for name, a in getattr(self, part).items()}
        return moments | {ADAM_COUNT: (1,)}

    def restore(self, arrays: Arrays) -> None:
        """Restores what `arrays` returned, in place."""
        for part in "mv":
            for name, moment in getattr(self, part).items():
                moment[...] = self.kernels.array(arrays[f"adam.{part}.{name}"])
        self.count *= 0
        self.count += int(arrays[ADAM_COUNT][0])


def _rows(array: Any) -> Any:
    """The array itself, or of a vector its view as a column: rows of one number."""
    return array[:, None] if array.ndim == 1 else array


def make_optimizer(config: TrainingConfig, p: Parameters) -> Optimizer:
    """The optimizer that the configuration names."""
    return Adam(p) if config.optimizer == "adam" else SGD()
