"""What one request may ask for, and how much the server takes on at a time."""

from __future__ import annotations

from dataclasses import dataclass

from elman.arguments import WHOLE_FROM_1, require
from elman.config import POSITIVE
from elman.errors import ConfigError

MOST_STOPS = 16
LONGEST_STOP = 256
"""Characters of a stop string."""
MOST_CHOICES = 16
"""The largest n: choices for each prompt."""
MOST_ALTERNATIVES = 20
"""The largest number of alternatives for each token (logprobs)."""


@dataclass(frozen=True)
class Limits:
    """The limits of a server.

    body           bytes of a request
    prompts        prompts of a request
    prompt_tokens  tokens of a prompt
    tokens         the largest max_tokens
    seconds        the time from a request's arrival to the end of its answer
    texts          texts (prompts times n) of all requests at a time; more are refused with 429
    connections    open connections; more are refused with 503

    Raises ConfigError for values out of range.
    """

    body: int = 1 << 20
    prompts: int = 64
    prompt_tokens: int = 16_384
    tokens: int = 4096
    seconds: float = 120.0
    texts: int = 1024
    connections: int = 512

    def __post_init__(self) -> None:
        for name in ("body", "prompts", "prompt-tokens", "tokens", "texts", "connections"):
            require(f"max-{name}", getattr(self, name.replace("-", "_")), int, WHOLE_FROM_1)
        require("max-seconds", self.seconds, float, POSITIVE)
        if self.texts < self.prompts * MOST_CHOICES:
            raise ConfigError(
                f"max-texts is {self.texts}; it must be at least {self.prompts * MOST_CHOICES}, which one request may "
                f"ask for (max-prompts times {MOST_CHOICES}): raise it, or lower --max-prompts"
            )
