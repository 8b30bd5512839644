"""The worker thread that steps all texts together: one token of each in a round, whichever request it belongs to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from elman.errors import ElmanError
from elman.serve.choice import Choice
from elman.serve.drawing import Drawing
from elman.serve.metrics import Metrics


@dataclass(eq=False)
class Job:
    """The texts of one prompt of a request.

    tell       called by the worker after a round that ended the job, or, if `each_round`, after every one
    cancelled  set where nobody waits for the job any more
    error      why it ended before its texts did
    """

    drawing: Drawing
    choices: Sequence[Choice]
    tell: Callable[[], None]
    each_round: bool = False
    cancelled: bool = False
    error: ElmanError | None = field(default=None)

    @property
    def live(self) -> list[Choice]:
        """The texts that have not ended."""
        return [choice for choice in self.choices if choice.finish_reason is None]

    @property
    def ended(self) -> bool:
        """Whether there is nothing left to draw."""
        return self.cancelled or self.error is not None or not self.live


class Engine:
    """Takes jobs from any thread, and draws them in one of its own."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._jobs: list[Job] = []
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="elman-serve", daemon=True)

    def start(self) -> None:
        """Starts the worker."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the worker runs."""
        return self._thread.is_alive()

    def submit(self, job: Job) -> None:
        """Adds a job to the next round."""
        with self._changed:
            self._jobs.append(job)
            self._changed.notify()

    def stop(self) -> None:
        """Ends the worker after its round."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._jobs or self._stopping)
                if self._stopping:
                    return
                jobs = list(self._jobs)
            self._round(jobs)
            with self._changed:
                self._jobs = [job for job in self._jobs if not job.ended]

    def _round(self, jobs: Sequence[Job]) -> None:
        """One token of each text of each job."""
        of_drawing: dict[int, list[Job]] = {}
        for job in jobs:
            if not job.ended:
                of_drawing.setdefault(id(job.drawing), []).append(job)
        for together in of_drawing.values():
            choices = [choice for job in together for choice in job.live]
            try:
                together[0].drawing.step(choices)
            except ElmanError as error:
                for job in together:
                    job.error = error
            self._metrics.stepped(len(choices))
        for job in jobs:
            if job.ended or job.each_round:
                job.tell()
