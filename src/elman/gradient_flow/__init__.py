"""The lens: what each earlier step contributes to a gradient, how far back it reaches, why it vanishes or explodes.

`decompose(parameters, x, y)` returns a `Flow`; `diagnose(flow)` says in one or two sentences what it shows;
`decompose_loss` decomposes the gradient of one loss alone. The modules in the order of the data:

    trajectory → sweep → total_gradients → contribution_norms → decomposition → loss_shares, reach, jacobians
    → diagnosis → view (with history, what training recorded) → report, plots, events
"""

from __future__ import annotations

from elman.gradient_flow.decomposition import Flow, decompose
from elman.gradient_flow.diagnosis import Diagnosis, diagnose
from elman.gradient_flow.jacobians import (
    bound,
    jacobian_singular_values,
    largest_singular_value,
    lyapunov_spectrum,
    saturation,
    spectral_radius,
)
from elman.gradient_flow.one_loss import LossGradient, decompose_loss
from elman.gradient_flow.reach import Truncation, cancellation, decay_rate, norms_by_lag, reach, truncation
from elman.gradient_flow.trajectory import Trajectory
from elman.kernels.contributions import NAMES

__all__ = [
    "NAMES",
    "Diagnosis",
    "Flow",
    "LossGradient",
    "Trajectory",
    "Truncation",
    "bound",
    "cancellation",
    "decay_rate",
    "decompose",
    "decompose_loss",
    "diagnose",
    "jacobian_singular_values",
    "largest_singular_value",
    "lyapunov_spectrum",
    "norms_by_lag",
    "reach",
    "saturation",
    "spectral_radius",
    "truncation",
]
