"""The learning rate over a run.

cosine, linear  from lr down to lr_floor · lr as the run's progress goes from 0 to 1
constant        lr throughout
mikolov         lr until validation gains less than 0.3 % of its log-probability over an epoch, then half as
                much every epoch; the second such epoch ends the run (rnnlm 0.4b; Mikolov et al. 2011)

All begin with `warmup` steps in which lr rises from 0 in a straight line.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from elman.config import TrainingConfig
from elman.schema import AMOUNT_OR_INFINITE, limits
from elman.training.records import FACTOR

MIN_IMPROVEMENT = 1.003
"""rnnlm's ratio of the old log-probability to the new under which an epoch gained too little."""


def learning_rate(config: TrainingConfig, step: int, progress: float) -> float:
    """The rate of step `step` (from 0); progress: the share of the run that is over, 0 to 1."""
    warmup = min(1.0, (step + 1) / (config.warmup + 1))
    share = min(max(progress, 0.0), 1.0)
    if config.schedule == "cosine":
        share = (1 - math.cos(math.pi * share)) / 2
    elif config.schedule != "linear":
        share = 0.0
    return config.lr * warmup * (1 - (1 - config.lr_floor) * share)


@dataclass
class MikolovRule:
    """The state of the rule between epochs: the factor on lr, and whether it is being halved."""

    factor: float = field(default=1.0, metadata=limits(FACTOR))
    halving: bool = False
    last: float = field(default=math.inf, metadata=limits(AMOUNT_OR_INFINITE))

    def after_epoch(self, validation: float) -> bool:
        """Updates the factor by the epoch's validation loss (mean nats); True where the run should end."""
        missed = validation * MIN_IMPROVEMENT > self.last
        if missed and self.halving:
            return True
        self.halving = self.halving or missed
        if self.halving:
            self.factor /= 2
        self.last = min(self.last, validation)
        return False
