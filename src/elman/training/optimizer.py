"""SGD and Adam over `Parameters`, with the clipping factor folded into the step; and the average of their weights.

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
from elman.training.saved import ADAM_COUNT, AVERAGE, AVERAGE_COUNT

Arrays = dict[str, NDArray[Any]]

BETA = (0.9, 0.999)
EPS = 1e-8
AVERAGED_EVERY = 20
"""Steps between the weights that an average counts."""
AT_ONCE = 2**16
"""Numbers of an average that are changed at a time, so that they stay in the cache."""


class Optimizer:
    """What the trainer needs of an optimizer: a step, and its arrays for the checkpoint."""

    def step(self, p: Parameters, gradients: Gradients, rate: Any, scale: Any) -> None:
        """Moves the weights in place against scale times the gradients.

        On a device rate and scale may be numbers of the device; where scale is 0 there, nothing changes.
        """
        raise NotImplementedError

    def to_use(self, p: Parameters) -> Parameters:
        """The weights to measure and to keep: those of p, unless there is an average of them."""
        return p

    def arrays(self) -> Arrays:
        """The arrays that an exact resume needs; on the host they are not copies."""
        return {}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of what `arrays` returns."""
        return {}

    def restore(self, arrays: Arrays) -> None:
        """Restores what `arrays` returned."""


class SGD(Optimizer):
    """w ← (1 - rate · decay) w - rate · scale · ∂J/∂w."""

    def __init__(self, decay: float = 0.0) -> None:
        self.decay = decay

    def step(self, p: Parameters, gradients: Gradients, rate: Any, scale: Any) -> None:
        """Moves the weights in place."""
        if self.decay:
            _shrink(p, gradients, rate * self.decay)
        weights = dict(p.distinct())
        for name, gradient in gradients.distinct():
            w = weights[name]
            if isinstance(gradient, Rows):
                p.kernels.sgd(_rows(w), _rows(gradient.values), rate * scale, gradient.index)
            else:
                p.kernels.sgd(w, gradient, rate * scale)


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, Algorithm 1, in its "corrected rate" form of section 2), with decoupled weight decay.

    AdamW (Loshchilov and Hutter 2019, Algorithm 2): a step also multiplies the weights by 1 - rate · decay.
    """

    def __init__(self, p: Parameters, decay: float = 0.0) -> None:
        self.kernels, self.decay = p.kernels, decay
        self.m = {name: self.kernels.xp.zeros_like(w) for name, w in p.distinct()}
        self.v = {name: self.kernels.xp.zeros_like(w) for name, w in p.distinct()}
        self.count = self.kernels.counter()

    def step(self, p: Parameters, gradients: Gradients, rate: Any, scale: Any) -> None:
        """Moves the weights and the moments in place."""
        self.count += scale > 0
        if self.decay:
            _shrink(p, gradients, rate * self.decay)
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


class Averaged(Optimizer):
    """Another optimizer, and the average of the weights over about the last `share` of its steps.

    The t-th weights w that are counted, every AVERAGED_EVERY steps, change it by

        w̄ ← w̄ + (w - w̄) / (1 + share (t - 1)),

    so that the weight of the earlier ones falls as a power of t (Shamir and Zhang, "Stochastic gradient descent for
    non-smooth optimization", 2013, section 4, with η = 1/share - 1). share 1 is the mean. How long the run will be
    does not matter. The weights that learn are not changed by it. Arrays of the host.
    """

    def __init__(self, learning: Optimizer, p: Parameters, share: float) -> None:
        self.learning, self.share = learning, share
        self.average = {name: w.copy() for name, w in p.distinct()}
        self.count = 0

    def step(self, p: Parameters, gradients: Gradients, rate: Any, scale: Any) -> None:
        """The other optimizer's step; the average then counts the weights, where it is their turn."""
        self.learning.step(p, gradients, rate, scale)
        if self.count % AVERAGED_EVERY == 0:
            factor = 1 / (1 + self.share * (self.count // AVERAGED_EVERY))
            for name, w in p.distinct():
                flat, average = w.reshape(-1), self.average[name].reshape(-1)
                for start in range(0, len(flat), AT_ONCE):
                    part = slice(start, start + AT_ONCE)
                    average[part] += w.dtype.type(factor) * (flat[part] - average[part])
        self.count += 1

    def to_use(self, p: Parameters) -> Parameters:
        """The average."""
        return p.with_arrays(self.average)

    def arrays(self) -> Arrays:
        """The other optimizer's arrays, the average, and the number of steps taken."""
        average = {f"{AVERAGE}{name}": w for name, w in self.average.items()}
        return self.learning.arrays() | average | {AVERAGE_COUNT: np.array([self.count], np.int64)}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The average has the shapes of the weights."""
        average = {f"{AVERAGE}{name}": w.shape for name, w in self.average.items()}
        return self.learning.shapes() | average | {AVERAGE_COUNT: (1,)}

    def restore(self, arrays: Arrays) -> None:
        """Restores what `arrays` returned, in place."""
        self.learning.restore(arrays)
        for name, w in self.average.items():
            w[...] = arrays[f"{AVERAGE}{name}"]
        self.count = int(arrays[AVERAGE_COUNT][0])


def _shrink(p: Parameters, gradients: Gradients, share: float) -> None:
    """Makes the matrices of weights smaller by this share of themselves, in place; biases stay. Arrays of the host.

    Where a gradient comes as rows, only those rows: a word's weights decay as often as they learn.
    """
    weights = dict(p.distinct())
    for name, gradient in gradients.distinct():
        w, kept = weights[name], weights[name].dtype.type(1 - share)
        if w.ndim == 1:
            continue
        if isinstance(gradient, Rows):
            w[gradient.index[gradient.index >= 0]] *= kept
        else:
            w *= kept


def _rows(array: Any) -> Any:
    """The array itself, or of a vector its view as a column: rows of one number."""
    return array[:, None] if array.ndim == 1 else array


def make_optimizer(config: TrainingConfig, p: Parameters) -> Optimizer:
    """The optimizer that the configuration names, with an average where it asks for one."""
    decay = config.weight_decay
    learning = Adam(p, decay) if config.optimizer == "adam" else SGD(decay)
    return Averaged(learning, p, config.average) if config.average else learning
