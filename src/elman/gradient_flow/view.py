"""One network reading one window of text, with every number that the summary, the plots and the page show."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from elman.config import RunConfig
from elman.errors import ShapeError, TextError
from elman.gradient_flow.decomposition import Flow, decompose
from elman.gradient_flow.diagnosis import Diagnosis, diagnose
from elman.gradient_flow.jacobians import bound, jacobian_singular_values, largest_singular_value
from elman.gradient_flow.json_values import json_value
from elman.gradient_flow.loss_shares import LossShares, loss_shares
from elman.gradient_flow.reach import Truncation, norms_by_lag, truncation
from elman.gradient_flow.sweep import log2_norms
from elman.gradient_flow.trajectory import LARGEST_SLOPE, Doubles, Floats, Integers, Trajectory
from elman.model.parameters import Parameters
from elman.representation import short_repr
from elman.wording import count

QUANTITIES = ("W_h", "W_e", "e", "h")
"""The gradients that are shown: with respect to these weights and vectors."""
FEWEST_TOKENS = 4
"""With fewer there is no decay to measure."""
TAUS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
LAGS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384)
JACOBIAN_WORK = 32 * 512**3
"""Jacobians are computed up to the lag where lag·Dh³ reaches this: one or two seconds."""
QUANTILES = (100, 90, 75, 50, 25, 10, 0)
"""Of the singular values, in percent: the largest, two bands around the median, the smallest."""


@dataclass(frozen=True)
class Subject:
    """What a view is of, in words.

    label        the network, in short: the run's path
    description  the network's sizes
    text         the name of the text
    start        the tokens of the text before the window
    separator    what is printed between two tokens
    """

    label: str
    description: str
    text: str = ""
    start: int = 0
    separator: str = ""

    __repr__ = short_repr


@dataclass(frozen=True)
class View:
    """A flow with the numbers that are shown of it. Step i reads token i; loss t predicts token t + 1.

    tokens, oov      [T+1]: the text of each token, and whether it is out of vocabulary
    loss_shares      by name, for W_h and W_e: the signed shares of the steps in each loss's own gradient
    by_lag           by name, [T]: `norms_by_lag`
    bounds           by name, [T]: log10 of an upper bound on by_lag
    singular_lags    [n]: the lags k of singular_values
    singular_values  [n,Dh]: log10 of the singular values of ∂h^(T)/∂h^(T-k)
    chosen           the loss that is shown first
    """

    subject: Subject
    flow: Flow
    tokens: Sequence[str]
    oov: Sequence[bool]
    diagnosis: Diagnosis
    loss_shares: Mapping[str, LossShares]
    by_lag: Mapping[str, Doubles]
    bounds: Mapping[str, Doubles]
    singular_lags: Sequence[int]
    singular_values: Doubles
    truncations: Sequence[Truncation]
    chosen: int

    __repr__ = short_repr

    @classmethod
    def of(
        cls, p: Parameters, ids: Integers, tokens: Sequence[str], subject: Subject, *, oov: Sequence[bool] = (),
        h_0: Floats | None = None, at: int | None = None, layer: int = 0, config: RunConfig | None = None,
        trained: bool = True,
    ) -> View:  # fmt: skip
        """Decomposes the gradients over ids [T+1]: the token that step 0 reads, then the text.

        tokens and oov are [T+1]; h_0 [1,Dh] (a state of `Parameters`) is the state before the first token, zeros if
        None; `at` is the loss to show first, if None the one whose gradient reaches farthest back; layer: which one of
        a stack, the first is 0; config and trained are those of `diagnose`.

        Raises TextError for fewer than FEWEST_TOKENS tokens, ShapeError for an `at` outside the window, ConfigError for
        a layer that p does not have.
        """
        T = len(ids) - 1
        if T < FEWEST_TOKENS:
            raise TextError(
                f"the window has {count(T, 'token')}, and at least {FEWEST_TOKENS} are needed: give a longer text"
            )
        if at is not None and not 0 <= at < T:
            raise ShapeError(f"at is {at}; it must be a loss of the window, from 0 to {T - 1}")
        flow = decompose(p, ids[:-1, None], ids[1:, None], h_0, layer=layer)
        diagnosis = diagnose(flow, config, trained)
        farthest = min(T, max(1, JACOBIAN_WORK // p.Dh**3))
        lags = [lag for lag in LAGS if lag <= farthest]
        growth = growth_by_lag(flow.trajectory)
        return cls(
            subject=subject, flow=flow, tokens=list(tokens), oov=list(oov) or [False] * (T + 1),
            diagnosis=diagnosis, loss_shares=loss_shares(flow),
            by_lag={name: norms_by_lag(flow, name) for name in QUANTITIES},
            bounds={name: bound_by_lag(flow, name, growth) for name in QUANTITIES},
            singular_lags=lags, singular_values=jacobian_singular_values(flow.trajectory, lags=lags),
            truncations=truncation(flow, [tau for tau in TAUS if tau < T]),
            chosen=int(farthest_loss(flow)) if at is None else at,
        )  # fmt: skip

    @property
    def T(self) -> int:
        """Number of losses."""
        return self.flow.T

    @property
    def nats_per_token(self) -> float:
        """Mean J."""
        return float(self.flow.trajectory.J.mean())

    def quantiles(self) -> Doubles:
        """log10 of the QUANTILES of the singular values at each lag, [n,7]; not interpolated, since some may be -∞."""
        n = self.singular_values.shape[1] - 1
        picked = [round((100 - q) / 100 * n) for q in QUANTILES]
        return np.asarray(self.singular_values[:, picked])

    def as_dict(self) -> dict[str, Any]:
        """The summary as JSON values, with whole words as keys; None for what is not finite."""
        trajectory, numbers = self.flow.trajectory, asdict(self.diagnosis.numbers)
        for name in ("largest_loss", "largest_step"):
            share, at = numbers.pop(name)
            numbers |= {f"{name}_share": share, f"{name}_at": at}
        numbers["largest_singular_value"] = numbers.pop("sigma_max")
        numbers["saturated_share"] = numbers.pop("flat")
        result: dict[str, Any] = json_value({
            "model": self.subject.label,
            "description": self.subject.description,
            "text": self.subject.text,
            "start": self.subject.start,
            "steps": self.T,
            "oov": sum(self.oov),
            "nats_per_token": self.nats_per_token,
            "layer": trajectory.number,
            "activation": trajectory.p.activation,
            "verdict": self.diagnosis.verdict,
            "findings": list(self.diagnosis.findings),
            "diagnosis": self.diagnosis.text,
            "treatments": [asdict(each) for each in self.diagnosis.treatments],
            **numbers,
            "truncation": [asdict(each) for each in self.truncations],
            "log10_norms_by_lag": {name: self.by_lag[name] for name in QUANTITIES},
            "log10_bounds_by_lag": {name: self.bounds[name] for name in QUANTITIES},
            "singular_values": {
                "lags": list(self.singular_lags),
                "percentiles": list(QUANTILES),
                "log10": self.quantiles(),
            },
            "chosen_loss": self.loss_as_dict(self.chosen),
        })  # fmt: skip
        return result

    def loss_as_dict(self, t: int) -> dict[str, Any]:
        """One loss: the token it predicts, and the norm and signed share of each step in its ∂J^(t)/∂W_h."""
        norms = self.flow.log10_norms("W_h")
        shares = self.loss_shares["W_h"].shares(norms)
        return {
            "at": t,
            "predicts": self.tokens[t + 1],
            "nats": float(self.flow.trajectory.J[t]),
            "log10_norm": float(self.loss_shares["W_h"].log10_norms[t]),
            "contributions": [
                {"step": i, "reads": self.tokens[i], "log10_norm": float(norms[t, i]), "share": float(shares[t, i])}
                for i in range(t + 1)
            ],
        }


def farthest_loss(flow: Flow, share: float = 0.95) -> int:
    """The loss in the second half whose own gradient ∂J^(t)/∂W_h reaches farthest back; of equals the largest."""
    norms = flow.log2_norms_by_lag["W_h"]
    top = norms.max(axis=0)
    cumulative = np.cumsum(np.exp2(norms - np.where(np.isneginf(top), 0.0, top)), axis=0)
    reach_of_loss = (cumulative < share * cumulative[-1]).sum(axis=0)
    half = flow.T // 2
    return half + int(np.lexsort((top[half:], reach_of_loss[half:]))[-1])


def bound_by_lag(flow: Flow, name: str, growth: Doubles) -> Doubles:
    """log10 of an upper bound on Σ_t ‖contribution of step t-k to J^(t)‖ for each lag k, [T].

    growth: that of `growth_by_lag`. ‖γ^(t,i)‖ ≤ ‖δ1^(t) U‖ · growth and ‖δ‖ ≤ max σ' ‖γ‖. The remaining factor is the
    norm of what W is multiplied with at step i, or for e the norm of W_e.
    """
    trajectory, T = flow.trajectory, flow.T
    last = trajectory
    while last.above is not None:
        last = last.above
    own = log2_norms(last.dh, np.zeros(T))
    factor = np.zeros(T)
    slope = math.log2(LARGEST_SLOPE[trajectory.p.activation]) if name != "h" else 0.0
    with np.errstate(divide="ignore"):
        if name == "e":
            factor += np.log2(largest_singular_value(trajectory.weights.W_e))
        elif name != "h":
            rows = trajectory.h[:-1] if name == "W_h" else trajectory.e
            factor = np.log2(np.linalg.norm(rows.astype(np.float64), axis=(1, 2)))
        log2_bound = np.full(T, -np.inf)
        for k in range(T):
            each = own[k:] + factor[: T - k]
            top = each.max()
            if not np.isneginf(top):
                log2_bound[k] = np.log2(np.exp2(each - top).sum()) + top + slope + growth[k]
    result: Doubles = log2_bound * np.log10(2)
    return result


def growth_by_lag(trajectory: Trajectory) -> Doubles:
    """log2 of a bound on ‖γ^(t,t-k)‖ / ‖δ1^(t) U‖ for each lag k, [T].

    One step back in a layer stretches by at most a = max σ' σ_max(W_h) (jacobians.bound), so of the last layer it is
    a^k. Of a layer below, max σ' σ_max(W_e) of each layer that reads it times that layer's bound is added at every lag,
    and 1 at lag 0 if the output layer reads it: the bound of a sum over all paths.
    """
    p, T = trajectory.p, trajectory.T
    growth, from_above = np.zeros(0), np.full(T, -np.inf)
    from_above[0] = 0.0  # from the output layer
    for n in range(p.depth - 1, trajectory.number - 1, -1):
        layer = p.layers[n]
        step, read = (float(bound(p.activation, largest_singular_value(w), 1)) for w in (layer.W_h, layer.W_e))
        growth = from_above.copy()
        with np.errstate(divide="ignore"):
            for k in range(1, T):
                growth[k] = np.logaddexp2(growth[k - 1] + np.log2(step), from_above[k])
            through = growth + np.log2(read)
        from_above = np.logaddexp2(through, from_above) if p.skip else through
    return growth
