"""Counters, in the text format of Prometheus."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper ends of the histogram of the durations, in seconds."""


class Metrics:
    """What the server has done since it began; any thread may count."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._prompt_tokens: Counter[str] = Counter()
        self._tokens: Counter[str] = Counter()
        self._durations: Counter[float] = Counter()
        self._seconds, self._rounds, self._drawn = 0.0, 0, 0
        self.requests_in_progress = 0
        self.texts = 0

    def answered(self, method: str, path: str, status: int, seconds: float) -> None:
        """A request was answered. path: a route, never what a client wrote."""
        with self._lock:
            self._requests[method, path, status] += 1
            self._seconds += seconds
            self._durations[next((end for end in BUCKETS if seconds <= end), float("inf"))] += 1

    def completed(self, model: str, prompt_tokens: int, tokens: int) -> None:
        """A completion was answered."""
        with self._lock:
            self._prompt_tokens[model] += prompt_tokens
            self._tokens[model] += tokens

    def stepped(self, texts: int) -> None:
        """The worker drew one token of each of so many texts."""
        with self._lock:
            self._rounds += 1
            self._drawn += texts

    def text(self) -> str:
        """All of it."""
        with self._lock:
            lines = [
                *_family("elman_requests_total", "counter", "Requests answered.", (
                    (f'{{method="{method}",path="{path}",status="{status}"}}', n)
                    for (method, path, status), n in sorted(self._requests.items())
                )),
                *_family("elman_prompt_tokens_total", "counter", "Tokens of the prompts of completions.",
                         self._by_model(self._prompt_tokens)),
                *_family("elman_completion_tokens_total", "counter", "Tokens of the texts of completions.",
                         self._by_model(self._tokens)),
                *_family("elman_drawn_tokens_total", "counter", "Tokens drawn.", [("", self._drawn)]),
                *_family("elman_rounds_total", "counter", "Rounds of the worker, each one token of every text.",
                         [("", self._rounds)]),
                *_family("elman_requests_in_progress", "gauge", "Requests being answered.",
                         [("", self.requests_in_progress)]),
                *_family("elman_texts_in_progress", "gauge", "Texts being worked on.", [("", self.texts)]),
                *self._histogram(),
            ]  # fmt: skip
        return "\n".join(lines) + "\n"

    def _by_model(self, counts: Counter[str]) -> Iterable[tuple[str, float]]:
        return [(f'{{model="{_escaped(model)}"}}', n) for model, n in sorted(counts.items())]

    def _histogram(self) -> list[str]:
        name, total = "elman_request_duration_seconds", 0
        lines = [f"# HELP {name} From the arrival of a request to the end of its answer.", f"# TYPE {name} histogram"]
        for end in (*BUCKETS, float("inf")):
            total += self._durations[end]
            lines.append(f'{name}_bucket{{le="{"+Inf" if end == float("inf") else end}"}} {total}')
        return [*lines, f"{name}_sum {self._seconds}", f"{name}_count {total}"]


def _family(name: str, kind: str, help_text: str, samples: Iterable[tuple[str, float]]) -> list[str]:
    return [f"# HELP {name} {help_text}", f"# TYPE {name} {kind}", *(f"{name}{labels} {n}" for labels, n in samples)]


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
