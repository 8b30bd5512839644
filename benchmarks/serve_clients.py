"""Do the clients that people have work with `elman serve`? Each is used as it is installed from its registry.

    pip install openai lm_eval schemathesis        # in an environment of their own; those that are missing are skipped
    python benchmarks/serve_clients.py [RUN TEXT]

* openai: models, completions, a stream, errors.
* lm_eval, `local-completions` with the server's own tokenizer: the log probabilities of a perplexity task and of a
  multiple-choice task, compared with those of `LanguageModel`.
* schemathesis: requests made from /openapi.json.

Without RUN it trains a small model of examples/lighthouse.txt. It prints one JSON line, and exits with 1 where a client
was not content.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import elman

EXAMPLE = Path(__file__).parents[1] / "examples" / "lighthouse.txt"
KEY = "a-key"
EXAMPLES = 100
"""Requests that schemathesis makes of each operation in a phase."""


@contextmanager
def serving(run: Path) -> Iterator[tuple[str, str]]:
    """The address of a server, and the name of its model."""
    command = [sys.executable, "-m", "elman", "serve", str(run), "--port", "0", "--api-key", KEY, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            started = json.loads(server.stdout.readline())
            yield started["url"], started["models"][0]
        finally:
            server.terminate()


def try_openai(url: str, lm: elman.LanguageModel) -> dict[str, Any]:
    import openai

    client = openai.OpenAI(base_url=url, api_key=KEY)
    (model,) = [each.id for each in client.models.list()]
    settings = {"max_tokens": 30, "temperature": 0.7, "seed": 1}
    prompts = ["the keeper", "the sea"]
    expected = [lm.generate(prompt, max_tokens=30, temperature=0.7, seed=1) for prompt in prompts]
    whole = client.completions.create(model=model, prompt=prompts, logprobs=2, **settings)
    parts = [""] * len(prompts)
    for event in client.completions.create(model=model, prompt=prompts, stream=True, **settings):
        parts[event.choices[0].index] += event.choices[0].text
    try:
        client.completions.create(model="none", prompt="a")
    except openai.NotFoundError as error:
        refused = error.code == "model_not_found"
    return {
        "version": openai.__version__,
        "content": [choice.text for choice in whole.choices] == expected and parts == expected and refused,
    }


def try_lm_eval(url: str, model: str, lm: elman.LanguageModel, text: str, folder: Path) -> dict[str, Any]:
    os.environ["OPENAI_API_KEY"] = KEY  # where it looks for the key of completions
    import lm_eval
    from lm_eval.tasks import TaskManager

    lines = [line for line in text.splitlines() if line.split()][:40]
    documents = ["\n".join(lines[k : k + 8]) + "\n" for k in range(0, len(lines), 8)]
    questions: list[dict[str, Any]] = [
        {"context": " ".join(line.split()[:2]), "endings": [" ".join(line.split()[2:]), " ".join(line.split()[:1:-1])]}
        for line in lines if len(line.split()) > 4
    ]  # fmt: skip
    (folder / "documents.jsonl").write_text("".join(json.dumps({"text": each}) + "\n" for each in documents))
    (folder / "questions.jsonl").write_text("".join(json.dumps(each) + "\n" for each in questions))
    for name, task in (
        ("perplexity", "output_type: loglikelihood_rolling\ndoc_to_text: ''\ndoc_to_target: '{{text}}'\nmetric_list:\n"
                       "  - metric: word_perplexity\n"),
        ("choice", "output_type: multiple_choice\ndoc_to_text: '{{context}}'\ndoc_to_choice: '{{endings}}'\n"
                   "doc_to_target: 0\nmetric_list:\n  - metric: acc\n"),
    ):  # fmt: skip
        data = folder / ("documents.jsonl" if name == "perplexity" else "questions.jsonl")
        (folder / f"{name}.yaml").write_text(
            f"task: elman_{name}\ndataset_path: json\ndataset_kwargs:\n  data_files:\n    test: {data}\n"
            f"test_split: test\n{task}"
        )
    found = lm_eval.simple_evaluate(
        model="local-completions",
        model_args={
            "base_url": f"{url}/completions", "model": model, "tokenizer_backend": "remote", "auth_token": KEY,
            "num_concurrent": 4, "max_length": 10_000,
        },
        tasks=["elman_perplexity", "elman_choice"],
        task_manager=TaskManager(include_path=str(folder)),
        batch_size=4,
    )  # fmt: skip
    ours = [-lm.evaluate(document).nats for document in documents]
    theirs = [_number(sample["resps"][0]) for sample in found["samples"]["elman_perplexity"]]
    difference = max(abs(a - b) / abs(b) for a, b in zip(theirs, ours, strict=True))
    choices = 0.0
    for sample, question in zip(found["samples"]["elman_choice"], questions, strict=True):
        for response, ending in zip(sample["resps"], question["endings"], strict=True):
            context = question["context"]
            expected = _natural(lm, f"{context} {ending}") - _natural(lm, context)
            choices = max(choices, abs(_number(response) - expected))
    return {
        "version": lm_eval.__version__, "documents": len(documents), "questions": len(questions),
        "largest_relative_difference_to_evaluate": difference, "largest_difference_to_score": choices,
        "accuracy": found["results"]["elman_choice"]["acc,none"],
        "content": difference < 1e-6 and choices < 1e-9,
    }  # fmt: skip


def _number(response: Any) -> float:
    """The log probability in a response of lm_eval: a number, or a tuple that begins with one, in lists."""
    while isinstance(response, list | tuple):
        response = response[0]
    return float(response)


def _natural(lm: elman.LanguageModel, text: str) -> float:
    return lm.score(text, eos=False, base=math.e)


def try_schemathesis(url: str) -> dict[str, Any]:
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{url.removesuffix('/v1')}/openapi.json", "--checks", "all",
        "-H", f"Authorization: Bearer {KEY}", "--max-examples", str(EXAMPLES), "--request-timeout", "60",
    ]  # fmt: skip
    if program := shutil.which("schemathesis", path=str(Path(sys.executable).parent)):
        command[:3] = [program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    tail = [line.strip() for line in done.stdout.splitlines() if "generated" in line or "failures" in line]
    return {"said": tail, "content": done.returncode == 0} | ({} if done.returncode == 0 else {"output": done.stdout})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", type=Path)
    parser.add_argument("text", nargs="?", type=Path, default=EXAMPLE)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run = arguments.run or folder / "run"
        if arguments.run is None:
            train = ["train", str(arguments.text), "--batch-size", "4", "--out", str(run)]
            subprocess.run([sys.executable, "-m", "elman", *train], check=True, capture_output=True)
        lm, text = elman.load(run), arguments.text.read_text()
        results: dict[str, Any] = {}
        with serving(run) as (url, model):
            attempts: dict[str, Callable[[], dict[str, Any]]] = {
                "openai": lambda: try_openai(url, lm),
                "lm_eval": lambda: try_lm_eval(url, model, lm, text, folder),
                "schemathesis": lambda: try_schemathesis(url),
            }
            for name, attempt in attempts.items():
                if importlib.util.find_spec(name) is None:
                    results[name] = f"not installed: pip install {name}"
                    continue
                results[name] = attempt()
        print(json.dumps(results))
    sys.exit(any(isinstance(result, dict) and not result["content"] for result in results.values()))


if __name__ == "__main__":
    main()
