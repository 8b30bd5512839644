"""One network over one stretch of text, with every number that the summary, the plots and the report show."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from elman.errors import ShapeError, TextError
from elman.gradient_flow.decomposition import Flow, decompose
from elman.gradient_flow.diagnosis import Diagnosis, diagnose
from elman.gradient_flow.jacobians import jacobian_singular_values, largest_singular_value
from elman.gradient_flow.reach import Truncation, norms_by_lag, truncation
from elman.gradient_flow.trajectory import LARGEST_SLOPE, Doubles, Floats, Integers
from elman.gradient_flow.within import Within, within_losses
from elman.model.parameters import Parameters

SHOWN = ("W_h", "W_e", "e", "h")
FEWEST_TOKENS = 4
"""With fewer there is no rate at which anything could fade."""
TAUS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
LAGS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384)
JACOBIAN_WORK = 32 * 512**3
"""Jacobians are followed as far back as lag·Dh³ allows: a second or two."""
QUANTILES = (100, 90, 75, 50, 25, 10, 0)
"""Of the singular values, in percent: the largest, bands around the median, the smallest."""


@dataclass(frozen=True)
class Named:
    """What is looked at, in words: `label` is short, `description` says the sizes; `separator` parts the tokens."""

    label: str
    description: str
    text: str = ""
    start: int = 0
    separator: str = ""


@dataclass(frozen=True)
class View:
    """A flow with what is told of it. Token j ≥ 1 is what loss j - 1 predicts, token i what step i reads.

    tokens [T+1] texts · oov [T+1] · bounds, by name: log10 of what `norms_by_lag` cannot exceed, [T] ·
    singular_lags [n] and singular_values [n,Dh], log10, of ∂h^(T)/∂h^(T-k) · chosen: the loss that is shown first
    """

    named: Named
    flow: Flow
    tokens: Sequence[str]
    oov: Sequence[bool]
    diagnosis: Diagnosis
    within: Mapping[str, Within]
    by_lag: Mapping[str, Doubles]
    bounds: Mapping[str, Doubles]
    singular_lags: Sequence[int]
    singular_values: Doubles
    truncations: Sequence[Truncation]
    chosen: int

    @classmethod
    def of(
        cls, p: Parameters, ids: Integers, tokens: Sequence[str], named: Named, *, oov: Sequence[bool] = (),
        h_0: Floats | None = None, at: int | None = None,
    ) -> View:  # fmt: skip
        """ids [T+1]: what step 0 reads, then the text. h_0 [1,Dh] is the state before it.

        Raises TextError for a text under FEWEST_TOKENS, ShapeError for an `at` that is no loss.
        """
        T = len(ids) - 1
        if T < FEWEST_TOKENS:
            raise TextError(f"the text has {T} tokens from there on, and at least {FEWEST_TOKENS} are needed")
        if at is not None and not 0 <= at < T:
            raise ShapeError(f"at is {at}, and the window has the losses 0 to {T - 1}")
        flow = decompose(p, ids[:-1, None], ids[1:, None], h_0)
        found = diagnose(flow)
        farthest = min(T, max(1, JACOBIAN_WORK // p.Dh**3))
        lags = [lag for lag in LAGS if lag <= farthest]
        return cls(
            named=named, flow=flow, tokens=list(tokens), oov=list(oov) or [False] * (T + 1),
            diagnosis=found, within=within_losses(flow),
            by_lag={name: norms_by_lag(flow, name) for name in SHOWN},
            bounds={name: bound_by_lag(flow, name, found.numbers.one_step_bound) for name in SHOWN},
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
        """log10 of the singular values' QUANTILES at each lag, [n,7]; taken among the logarithms, so that -∞ may be."""
        n = self.singular_values.shape[1] - 1
        picked = [round((100 - q) / 100 * n) for q in QUANTILES]
        return np.asarray(self.singular_values[:, picked])

    def as_dict(self) -> dict[str, Any]:
        """The summary as plain JSON values, keys in whole words; what is not finite is None."""
        way, numbers = self.flow.trajectory, asdict(self.diagnosis.numbers)
        for name in ("largest_loss", "largest_step"):
            share, at = numbers.pop(name)
            numbers |= {f"{name}_share": share, f"{name}_at": at}
        numbers["largest_singular_value"] = numbers.pop("sigma_max")
        numbers["saturated_share"] = numbers.pop("flat")
        found: dict[str, Any] = plain({
            "model": self.named.label,
            "description": self.named.description,
            "text": self.named.text,
            "start": self.named.start,
            "steps": self.T,
            "oov": sum(self.oov),
            "nats_per_token": self.nats_per_token,
            "activation": way.p.activation,
            "verdict": self.diagnosis.verdict,
            "findings": list(self.diagnosis.findings),
            "diagnosis": self.diagnosis.text,
            **numbers,
            "truncation": [asdict(each) for each in self.truncations],
            "log10_norms_by_lag": {name: self.by_lag[name] for name in SHOWN},
            "log10_bounds_by_lag": {name: self.bounds[name] for name in SHOWN},
            "singular_values": {
                "lags": list(self.singular_lags),
                "percentiles": list(QUANTILES),
                "log10": self.quantiles(),
            },
            "chosen_loss": self.loss_as_dict(self.chosen),
        })  # fmt: skip
        return found

    def loss_as_dict(self, t: int) -> dict[str, Any]:
        """One loss: what it predicts, and what each step contributes to its ∂J^(t)/∂W_h."""
        norms = self.flow.log10_norms("W_h")
        shares = self.within["W_h"].shares(norms)
        return {
            "at": t,
            "predicts": self.tokens[t + 1],
            "nats": float(self.flow.trajectory.J[t]),
            "log10_norm": float(self.within["W_h"].log10_norms[t]),
            "contributions": [
                {"step": i, "reads": self.tokens[i], "log10_norm": float(norms[t, i]), "share": float(shares[t, i])}
                for i in range(t + 1)
            ],
        }


def farthest_loss(flow: Flow, share: float = 0.95) -> int:
    """The loss, of the later half, whose own gradient by W_h reaches farthest back; of several the largest."""
    norms = flow.log2_norms_by_lag["W_h"]
    top = norms.max(axis=0)
    held = np.cumsum(np.exp2(norms - np.where(np.isneginf(top), 0.0, top)), axis=0)
    own = (held < share * held[-1]).sum(axis=0)
    half = flow.T // 2
    return half + int(np.lexsort((top[half:], own[half:]))[-1])


def bound_by_lag(flow: Flow, name: str, one_step: float) -> Doubles:
    """log10 of what Σ_t ‖contribution of step t-k to J^(t)‖ cannot exceed at each lag k, [T].

    one_step: the bound on ‖∂h^(i+1)/∂h^(i)‖_2 (jacobians.bound).

    ‖γ^(t,i)‖ ≤ ‖γ^(t,t)‖ bound^k, and ‖δ‖ ≤ max σ' ‖γ‖; the rest is the norm of what W is multiplied with at step i,
    or for e that of W_e.
    """
    way, T = flow.trajectory, flow.T
    own = flow.log2_norms_by_lag["h"][0]
    beside = np.zeros(T)
    slope = math.log2(LARGEST_SLOPE[way.p.activation]) if name != "h" else 0.0
    with np.errstate(divide="ignore"):
        if name == "e":
            beside += np.log2(largest_singular_value(way.p.W_e))
        elif name != "h":
            rows = way.h[:-1] if name == "W_h" else way.e
            beside = np.log2(np.linalg.norm(rows.astype(np.float64), axis=(1, 2)))
        per_step = np.log2(one_step)
        found = np.full(T, -np.inf)
        for k in range(T):
            each = own[k:] + beside[: T - k]
            top = each.max()
            if not np.isneginf(top):
                found[k] = np.log2(np.exp2(each - top).sum()) + top + slope + (k * per_step if k else 0.0)
    result: Doubles = found * np.log10(2)
    return result


def plain(value: Any) -> Any:
    """The same as JSON can hold it: arrays as lists, what is not finite as None."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value
