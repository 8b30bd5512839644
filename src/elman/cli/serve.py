"""elman serve: models behind the OpenAI completions API."""

from __future__ import annotations

from pathlib import Path

import click

from elman.cli.options import as_json, mix, threads
from elman.cli.serving import HOST, KEY_VARIABLE, PORT, listening_at, require_extra, run, wanted_key
from elman.cli.streams import show, show_json
from elman.translation import translate


@click.command(epilog="Example:  elman serve runs/book --port 8000")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@click.option("--host", default=HOST, show_default=True, metavar="ADDRESS", help="The address to listen on.")
@click.option(
    "--port", default=PORT, show_default=True, type=click.IntRange(0, 65535), help="The port; 0: any free one."
)
@click.option(
    "--api-key", metavar="KEY",
    help=f"The key that clients must send. The environment variable {KEY_VARIABLE} gives it unseen.  [default: none]",
)  # fmt: skip
@click.option("--max-tokens", default=4096, show_default=True, metavar="N", help="The largest max_tokens of a request.")
@click.option(
    "--max-prompt-tokens", default=16_384, show_default=True, metavar="N",
    help="The most tokens of a prompt.",
)  # fmt: skip
@click.option("--max-prompts", default=64, show_default=True, metavar="N", help="The most prompts of a request.")
@click.option(
    "--max-texts", default=1024, show_default=True, metavar="N",
    help="The most texts (prompts times n) of all requests at a time; more are answered with 429.",
)  # fmt: skip
@click.option("--max-seconds", default=120.0, show_default=True, metavar="S", help="The longest time of an answer.")
@click.option("--max-body", default=1 << 20, show_default=True, metavar="BYTES", help="The largest body of a request.")
@click.option("--max-connections", default=512, show_default=True, metavar="N", help="The most open connections.")
@mix
@as_json
@threads
def serve(
    runs: tuple[Path, ...],
    host: str,
    port: int,
    api_key: str | None,
    max_tokens: int,
    max_prompt_tokens: int,
    max_prompts: int,
    max_texts: int,
    max_seconds: float,
    max_body: int,
    max_connections: int,
    mix: tuple[str, ...],
    as_json: bool,
) -> None:
    """Serve the models in RUN... over HTTP: the OpenAI completions API, and a page for people.

    A model is called by the name of its folder. Only this machine can connect unless --host says otherwise. Ctrl-C and
    SIGTERM stop the server when its answers have ended, or after five seconds. --mix is for every run, whose name is
    then that of its mixture. --json prints the address and the models as one line of JSON.
    """
    require_extra("elman serve")
    from elman.serve.limits import Limits
    from elman.serve.served_model import load_models

    limits = Limits(max_body, max_prompts, max_prompt_tokens, max_tokens, max_seconds, max_texts, max_connections)
    key = wanted_key(api_key)
    models = load_models(runs, mix)
    listening, base = listening_at(host, port, key)
    if as_json:
        show_json({"url": f"{base}/v1", "models": list(models)})
    else:
        show(translate(f"Serving {', '.join(models)} at {base}/v1 (page: {base}/). Ctrl-C stops."))
    run(models, listening, limits, key)
