"""`elman serve` under load: connections that ask again and again, for so many seconds. Only Python is needed.

    python benchmarks/serve_load.py RUN [--connections 64] [--seconds 600] [--max-tokens 32]

It first proves that a text under load is the one that `elman generate` draws, then prints one JSON line: requests,
errors, requests and tokens a second, p50 and p99 of a request, and the server's memory after the first tenth and at the
end. It exits with 1 where a request failed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import elman

SEEDS = 8


class Client:
    """One connection that is kept open."""

    def __init__(self, port: int, body: dict[str, Any]) -> None:
        self.port, self.body = port, body
        self.seconds: list[float] = []
        self.errors: list[str] = []

    async def ask_until(self, end: float, texts: dict[int, str], first_seed: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        seed = first_seed
        while time.monotonic() < end:
            seed = (seed + 1) % SEEDS
            began = time.monotonic()
            content = json.dumps(self.body | {"seed": seed}).encode()
            head = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
            try:
                answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(answer.partition("content-length: ")[2].partition("\r")[0])
                value = json.loads(await reader.readexactly(length))
                if value["choices"][0]["text"] != texts[seed]:
                    self.errors.append("another text")
            except (OSError, EOFError, ValueError, KeyError, asyncio.IncompleteReadError) as error:
                self.errors.append(repr(error))
                break
            self.seconds.append(time.monotonic() - began)
        writer.close()


async def load(
    port: int, body: dict[str, Any], connections: int, seconds: float, texts: dict[int, str]
) -> list[Client]:
    clients = [Client(port, body) for _ in range(connections)]
    end = time.monotonic() + seconds
    await asyncio.gather(*(client.ask_until(end, texts, k) for k, client in enumerate(clients)))
    return clients


def resident(pid: int) -> float:
    """Megabytes of memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--max-tokens", type=int, default=32)
    given = parser.parse_args()
    lm = elman.load(given.run)
    body = {"prompt": "the", "max_tokens": given.max_tokens, "temperature": 0.8}
    texts = {seed: lm.generate("the", max_tokens=given.max_tokens, temperature=0.8, seed=seed) for seed in range(SEEDS)}
    command = [sys.executable, "-m", "elman", "serve", str(given.run), "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            port = int(json.loads(server.stdout.readline())["url"].rpartition(":")[2].partition("/")[0])
            begun = asyncio.run(load(port, body, given.connections, given.seconds / 10, texts))
            first = resident(server.pid)
            clients = asyncio.run(load(port, body, given.connections, given.seconds * 9 / 10, texts))
            last = resident(server.pid)
        finally:
            server.terminate()
    times = sorted(each for client in clients for each in client.seconds)
    errors = [error for client in [*begun, *clients] for error in client.errors]
    rate = len(times) / (given.seconds * 9 / 10)
    print(json.dumps({
        "connections": given.connections, "seconds": given.seconds, "requests": len(times), "errors": len(errors),
        "requests_per_second": round(rate, 1), "tokens_per_second": round(rate * given.max_tokens),
        "p50_ms": round(1000 * times[len(times) // 2], 1), "p99_ms": round(1000 * times[len(times) * 99 // 100], 1),
        "megabytes_first": round(first, 1), "megabytes_last": round(last, 1), "examples_of_errors": errors[:3],
    }))  # fmt: skip
    sys.exit(bool(errors))


if __name__ == "__main__":
    main()
