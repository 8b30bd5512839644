"""What `elman serve` and `elman check --serve` share: the extra they need, the key, and the address."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING

from elman.cli.streams import message
from elman.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from elman.serve.limits import Limits
    from elman.serve.served_model import ServedModel

KEY_VARIABLE = "ELMAN_API_KEY"
HOST, PORT = "127.0.0.1", 8000


def require_extra(command: str) -> None:
    """Raises MissingExtraError where the packages of the server are not installed."""
    try:
        import elman.serve.server  # noqa: F401
    except ModuleNotFoundError as error:
        package = (error.name or "a package").partition(".")[0]
        raise MissingExtraError(
            f"{command} needs {package}, which is not installed: pip install 'elman[serve]'"
        ) from None


def wanted_key(given: str | None) -> str | None:
    """The key that clients must send: the option, else the environment's. Raises ConfigError for one that no header
    can hold.
    """
    key = os.environ.get(KEY_VARIABLE) or None if given is None else given
    if key is not None and not (key.isascii() and key.isprintable() and key.strip() == key and key):
        raise ConfigError("the API key must be printable ASCII characters without blanks at its ends")
    return key


def listening_at(host: str, port: int, key: str | None) -> tuple[socket.socket, str]:
    """A socket that listens, and its address for a browser; says so where anybody may connect without a key."""
    from elman.serve.gate import is_loopback
    from elman.serve.server import listen

    listening = listen(host, port)
    address, chosen = listening.getsockname()[:2]
    if key is None and not is_loopback(address):
        message(f"anybody who can reach {address} can use this server: set {KEY_VARIABLE} to require a key")
    return listening, f"http://{f'[{address}]' if ':' in address else address}:{chosen}"


def run(
    models: Mapping[str, ServedModel], listening: socket.socket, limits: Limits, key: str | None, notes: str = ""
) -> None:
    """Serves until Ctrl-C or SIGTERM."""
    from elman.serve.server import serve

    serve(models, listening, limits, key, message, notes)
