"""What training recorded of its gradients: norms, clipping, and the lens where `--watch-gradients` was set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from elman.gradient_flow.json_values import json_value
from elman.gradient_flow.trajectory import Doubles
from elman.representation import short_repr

LENS = ("reach", "decay_rate", "spectral_radius", "sigma_max", "mean_slope", "flat", "cancellation")


@dataclass(frozen=True)
class History:
    """Columns of metrics.jsonl; NaN where nothing was recorded.

    step [n]            with gradient_norm, nats_per_token, learning_rate [n], and clipped, skipped [n]: the share of
                        the steps since the line before
    validation_step [v] with validation_nats [v]
    rescues             the steps at which a checkpoint was restored
    flow_step [m]       with `flow` by the names in LENS, verdicts, and log10_norms_by_lag [m,T]
    clip                the limit on the gradient's norm; 0: none
    """

    step: Doubles
    gradient_norm: Doubles
    nats_per_token: Doubles
    learning_rate: Doubles
    clipped: Doubles
    skipped: Doubles
    validation_step: Doubles
    validation_nats: Doubles
    rescues: Doubles
    flow_step: Doubles
    flow: Mapping[str, Doubles]
    verdicts: tuple[str, ...]
    log10_norms_by_lag: Doubles
    clip: float

    __repr__ = short_repr

    @classmethod
    def of(cls, records: Iterable[Mapping[str, Any]], clip: float = 0.0, record_every: int = 1) -> History:
        """From the lines of metrics.jsonl; unknown kinds and keys are ignored."""
        by_kind: dict[str, list[Mapping[str, Any]]] = {"step": [], "validation": [], "rescue": [], "flow": []}
        for record in records:
            by_kind.get(record.get("kind", ""), []).append(record)
        steps, valid, flow = by_kind["step"], by_kind["validation"], by_kind["flow"]
        T = max((len(r.get("log10_norms_by_lag") or ()) for r in flow), default=0)
        norms = np.full((len(flow), T), np.nan)
        for row, record in zip(norms, flow, strict=True):
            values = [np.nan if v is None else v for v in record.get("log10_norms_by_lag") or ()]
            row[: len(values)] = values
        return cls(
            step=_column(steps, "step"), gradient_norm=_column(steps, "gradient_norm"),
            nats_per_token=_column(steps, "nats_per_token"), learning_rate=_column(steps, "learning_rate"),
            clipped=_column(steps, "clipped") / record_every, skipped=_column(steps, "skipped") / record_every,
            validation_step=_column(valid, "step"), validation_nats=_column(valid, "nats_per_token"),
            rescues=_column(by_kind["rescue"], "step"), flow_step=_column(flow, "step"),
            flow={name: _column(flow, name) for name in LENS},
            verdicts=tuple(str(r.get("verdict", "")) for r in flow), log10_norms_by_lag=norms, clip=clip,
        )  # fmt: skip

    @property
    def steps(self) -> int:
        """The last recorded step."""
        return int(max(np.nanmax(self.step, initial=0), np.nanmax(self.flow_step, initial=0)))

    @property
    def recorded(self) -> bool:
        """Whether there are any records."""
        return len(self.step) > 0 or self.watched

    @property
    def watched(self) -> bool:
        """Whether training recorded the lens."""
        return len(self.flow_step) > 0

    def binned(self, count: int) -> dict[str, Doubles]:
        """The step lines averaged into at most `count` bins: step, norm, shares, and the norm's lowest and highest."""
        parts = np.array_split(np.arange(len(self.step)), max(1, min(count, len(self.step))))
        names = {"step": "step", "gradient_norm": "gradient_norm", "clipped": "clipped", "skipped": "skipped"}
        columns = {key: [_mean(getattr(self, name)[part]) for part in parts] for key, name in names.items()}
        norms = [self.gradient_norm[part] for part in parts]
        finite = [values[np.isfinite(values)] for values in norms]
        columns["lowest"] = [values.min(initial=np.inf) for values in finite]
        columns["highest"] = [values.max(initial=-np.inf) for values in finite]
        return {key: np.array([np.nan if v is None else v for v in column]) for key, column in columns.items()}

    def as_dict(self) -> dict[str, Any]:
        """A summary and the lens's columns, as JSON values."""
        norms = self.gradient_norm[np.isfinite(self.gradient_norm)]
        result: dict[str, Any] = json_value({
            "steps": self.steps,
            "clip": self.clip,
            "gradient_norm_median": float(np.median(norms)) if len(norms) else None,
            "gradient_norm_largest": float(norms.max()) if len(norms) else None,
            "clipped_share": _mean(self.clipped),
            "skipped_share": _mean(self.skipped),
            "rescues": len(self.rescues),
            "lens_steps": [int(step) if np.isfinite(step) else None for step in self.flow_step],
            "lens_verdicts": self.verdicts,
            **{f"lens_{_JSON_NAMES.get(name, name)}": self.flow[name] for name in LENS},
            "lens_log10_norms_by_lag": self.log10_norms_by_lag,
        })  # fmt: skip
        return result


_JSON_NAMES = {"sigma_max": "largest_singular_value", "flat": "saturated_share"}


def _column(records: list[Mapping[str, Any]], key: str) -> Doubles:
    values = [record.get(key) for record in records]
    return np.array([v if isinstance(v, int | float) else np.nan for v in values], np.float64)


def _mean(values: Doubles) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None
