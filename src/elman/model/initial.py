"""The initial W_h.

orthogonal  Q uniform over the orthogonal matrices, times the gain: it preserves the length of a gradient (Saxe,
            McClelland and Ganguli 2014)
identity    the identity times the gain, meant for relu: IRNN (Le, Jaitly and Hinton 2015)
normal      independent entries of variance gain²/Dh, so that the spectral radius is about the gain (Girko's law)
sparse      15 nonzero entries in each row (Martens 2010); scaled to spectral radius 0.95, as Pascanu, Mikolov and
            Bengio (2013) did for tanh ("smart tanh" in their code)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.config import INITS
from elman.errors import ConfigError
from elman.kernels.blas_threads import on_one_thread

CONNECTIONS = 15
SPARSE_RADIUS = 0.95


@on_one_thread
def recurrent_weights(
    init: str, Dh: int, gain: float, spectral_radius: float | None, generator: np.random.Generator
) -> NDArray[np.float64]:
    """W_h [Dh,Dh], float64; scaled to the spectral radius if one is given.

    gain: 1, or 2 for the sigmoid. On one thread: the second one of OpenBLAS spins for a tenth of a second after its
    work, on a core that training needs. Raises ConfigError for an unknown init.
    """
    if init == "orthogonal":
        Q, R = np.linalg.qr(generator.standard_normal((Dh, Dh)))
        W_h: NDArray[Any] = gain * Q * np.sign(np.diag(R))  # the signs make Q uniform over the group
    elif init == "identity":
        W_h = gain * np.eye(Dh)
    elif init == "normal":
        W_h = generator.standard_normal((Dh, Dh)) * (gain / np.sqrt(Dh))
    elif init == "sparse":
        W_h = generator.standard_normal((Dh, Dh))
        for row in W_h:
            row[generator.permutation(Dh)[CONNECTIONS:]] = 0
        spectral_radius = SPARSE_RADIUS * gain if spectral_radius is None else spectral_radius
    else:
        raise ConfigError(f"init is {init!r}; choose one of {', '.join(INITS)}")
    if spectral_radius is not None:
        W_h = W_h * (spectral_radius / np.abs(np.linalg.eigvals(W_h)).max())
    return W_h
