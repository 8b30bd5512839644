"""The text before the first stop string, found while the text grows."""

from __future__ import annotations

from collections.abc import Sequence


class StopSearch:
    """Takes a text in pieces, and returns each part as soon as it cannot belong to a stop string."""

    def __init__(self, stop: Sequence[str]) -> None:
        self.found = False
        self._stop = stop
        self._longest = max((len(text) for text in stop), default=0)
        self._pending = ""

    def push(self, piece: str) -> str:
        """What is sure of the text so far; after a stop string is `found`, push no more."""
        self._pending += piece
        places = [self._pending.find(text) for text in self._stop if text in self._pending]
        if places:
            self.found = True
            return self._pending[: min(places)]
        possible = range(min(self._longest - 1, len(self._pending)), 0, -1)  # lengths of a possible beginning of one
        unsure = next((n for n in possible if any(text.startswith(self._pending[-n:]) for text in self._stop)), 0)
        sure = self._pending[: len(self._pending) - unsure]
        self._pending = self._pending[len(sure) :]
        return sure

    def flush(self) -> str:
        """What is left at the end of the text."""
        return self._pending
