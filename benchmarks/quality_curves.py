"""Perplexity against time: Elman's defaults beside language models of PyTorch's layers, on the same tokens.

    python benchmarks/quality_curves.py TRAIN VALID TEST --level word --times 10,30,60 [--side elman,LSTM,RNN_TANH]

Each side is trained once for each time, from the start, since schedules follow the time. Times are processor time of
one thread (`time.process_time`), so that what else the machine does matters less. Elman reads its text within its
time; PyTorch gets the tokens ready, and its validations are not counted. For PyTorch the best of three sensible
settings is printed, chosen on VALID: that of the example word_language_model (two layers, SGD at 20, divided by 4 where
validation does not improve), and two of one layer with Adam and a cosine schedule. TEST is read as one stream by every
side; all tokens count, `<eos>` and `<unk>` included; another perplexity is that without `<unk>`. A line for each side
and time, as JSON; bits are per token.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from elman.config import Level


@dataclass(frozen=True)
class Setting:
    """Of a network of PyTorch: sizes, batch and window, optimizer ("sgd" as in the example, or "adam") and its rate."""

    units: int
    layers: int = 1
    tied: bool = False
    dropout: float = 0.0
    B: int = 20
    T: int = 35
    optimizer: str = "adam"
    rate: float = 0.003


WORDS = (
    Setting(200, 2, dropout=0.2, optimizer="sgd", rate=20.0),
    Setting(200, tied=True, dropout=0.3),
    Setting(400, tied=True, dropout=0.5, rate=0.002),
)
CHARACTERS = (
    Setting(512, 2, dropout=0.2, T=64, optimizer="sgd", rate=20.0),
    Setting(512, B=32, T=64, dropout=0.1, rate=0.004),
    Setting(256, B=32, T=64, rate=0.006),
)
CLIP = 0.25
CHECKS = 10
"""Validations of a run of PyTorch, as tenths of its time."""
VALID_TOKENS = 20_000
"""Of VALID, for the validations and for choosing a setting."""
AT_ONCE = 2048
"""Steps of a stream that are evaluated together."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs=3, type=Path, metavar="TEXT", help="TRAIN, VALID and TEST")
    parser.add_argument("--level", choices=["word", "char"], default="word")
    parser.add_argument("--times", default="10,30,60", help="seconds of processor time")
    parser.add_argument("--side", default="elman,LSTM,RNN_TANH")
    parser.add_argument("--settings", default="1,2,3", help="of the three for PyTorch, those that are tried")
    parser.add_argument("--one", help=argparse.SUPPRESS)  # a run, in the process of its side
    options = parser.parse_args()
    if options.one:
        task = json.loads(options.one)
        print(json.dumps(elman_run(**task) if task.pop("side") == "elman" else torch_run(**task)))
        return
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(path) for path in options.texts]
        tried = [(WORDS if options.level == "word" else CHARACTERS)[int(n) - 1] for n in options.settings.split(",")]
        for seconds in map(float, options.times.split(",")):
            for side in options.side.split(","):
                print(json.dumps(best(side, seconds, paths, options.level, folder, tried)), flush=True)


def best(
    side: str, seconds: float, paths: list[str], level: str, folder: str, tried: Sequence[Setting]
) -> dict[str, Any]:
    """The result of a side for a time: for PyTorch, that of the setting tried that is best on the validation text."""
    common: dict[str, Any] = {"seconds": seconds, "paths": paths, "level": level, "folder": folder}
    if side == "elman":
        return {"side": side} | in_own_process({"side": side} | common)
    results = [in_own_process({"side": "torch", "layer": side, "setting": asdict(s)} | common) for s in tried]
    return {"side": side} | min(results, key=lambda result: float(result["valid_bits"]))


def in_own_process(task: dict[str, Any]) -> dict[str, Any]:
    """The result of one run."""
    command = [sys.executable, __file__, *task["paths"], "--one", json.dumps(task)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def result_of(
    seconds: float, valid: float, test: float, without_unk: float, tokens: int, **more: Any
) -> dict[str, Any]:  # fmt: skip
    """One line; valid, test, without_unk (of test): nats per token; tokens: that were learnt from."""
    return {
        "seconds": seconds, "valid_bits": round(valid / math.log(2), 4), "test_bits": round(test / math.log(2), 4),
        "valid_perplexity": round(math.exp(valid), 2), "test_perplexity": round(math.exp(test), 2),
        "test_perplexity_without_unk": round(math.exp(without_unk), 2),
        "tokens": tokens, **more,
    }  # fmt: skip


def elman_run(seconds: float, paths: list[str], level: Level, folder: str) -> dict[str, Any]:
    """Elman with its defaults for the time, on one thread."""
    time.perf_counter = time.monotonic = time.process_time  # before anything of Elman has its clock
    import os

    os.environ["ELMAN_THREADS"] = "1"
    import elman
    from elman.inference.evaluate import mean_loss

    out = Path(folder) / f"elman-{seconds:g}"
    lm = elman.train(paths[0], valid=paths[1], level=level, max_time=seconds, out=out)
    learnt = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    steps = max(line["step"] for line in learnt)
    training = json.loads((out / "config.json").read_text())["training"]
    _, valid, test = tokens_of(paths, lm.tokenizer)
    on_valid, on_test = mean_loss(lm.p, valid), mean_loss(lm.p, test)
    without_unk = mean_loss(lm.p, test, test[1:] != lm.tokenizer.unk)
    return result_of(seconds, on_valid, on_test, without_unk, steps * training["B"] * training["T"])


def tokens_of(paths: list[str], tokenizer: Any) -> list[Any]:
    """The tokens of the three texts, each after an `<eos>`, or after a line end at level char; of VALID the first."""
    texts = [Path(path).read_text(encoding="utf-8") for path in paths]
    train, valid, test = (np.concatenate([[tokenizer.eos], tokenizer.encode(text)]) for text in texts)
    return [train, valid[:VALID_TOKENS], test]


def torch_run(
    seconds: float, paths: list[str], level: Level, folder: str, layer: str, setting: dict[str, Any]
) -> dict[str, Any]:
    """A network of PyTorch; the weights that are best on the validation text are measured."""
    import torch

    from elman.config import TextConfig
    from elman.text.tokenizer import Tokenizer

    torch.set_num_threads(1)
    torch.manual_seed(1)
    s = Setting(**setting)
    tokenizer = Tokenizer.train([Path(paths[0]).read_text(encoding="utf-8")], TextConfig(level))
    train, valid, test = tokens_of(paths, tokenizer)
    network = TorchModel(tokenizer.V, layer, s)
    columns = torch.from_numpy(train[: len(train) // s.B * s.B].astype(np.int64)).reshape(s.B, -1).T
    rate, steps, position, spent, best_valid = s.rate, 0, 0, 0.0, math.inf
    optimizer: Any = (
        torch.optim.SGD(network.weights, lr=rate)
        if s.optimizer == "sgd"
        else torch.optim.Adam(network.weights, lr=rate)
    )
    kept, state, checked = network.copy(), None, 0
    while spent < seconds:
        began = time.process_time()
        if position + 1 >= len(columns):
            position, state = 0, None
        if s.optimizer == "adam":
            optimizer.param_groups[0]["lr"] = rate * (0.02 + 0.98 * (1 + math.cos(math.pi * spent / seconds)) / 2)
        x = columns[position : position + s.T]
        y = columns[position + 1 : position + 1 + s.T]
        loss, state = network.loss(x[: len(y)], y, state)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.weights, CLIP)
        optimizer.step()
        position, steps, spent = position + s.T, steps + 1, spent + time.process_time() - began
        if spent >= seconds * (checked + 1) / CHECKS:
            checked = int(spent / seconds * CHECKS)
            measured = float(network.losses(valid).mean())
            if measured < best_valid:
                best_valid, kept = measured, network.copy()
            elif s.optimizer == "sgd":
                optimizer.param_groups[0]["lr"] /= 4
    network.restore(kept)
    losses = network.losses(test)
    without_unk = float(losses[test[1:] != tokenizer.unk].mean())
    return result_of(seconds, best_valid, float(losses.mean()), without_unk, steps * s.B * s.T, setting=setting)


class TorchModel:
    """Embedding, layers of PyTorch, softmax; dropout of what enters and leaves the layers, as in the example."""

    def __init__(self, V: int, layer: str, s: Setting) -> None:
        import torch

        between = s.dropout if s.layers > 1 else 0.0
        kinds = {"LSTM": torch.nn.LSTM, "RNN_TANH": torch.nn.RNN}
        self.torch, self.embedding, self.linear = torch, torch.nn.Embedding(V, s.units), torch.nn.Linear(s.units, V)
        self.layers = kinds[layer](s.units, s.units, s.layers, dropout=between)
        self.drop = torch.nn.Dropout(s.dropout)
        torch.nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        torch.nn.init.uniform_(self.linear.weight, -0.1, 0.1)
        torch.nn.init.zeros_(self.linear.bias)
        if s.tied:
            self.linear.weight = self.embedding.weight
        self.modules = [self.embedding, self.layers, self.linear, self.drop]
        self.weights = list(dict.fromkeys(w for module in self.modules for w in module.parameters()))

    def loss(self, x: Any, y: Any, state: Any, reduction: str = "mean") -> tuple[Any, Any]:
        """The mean loss of a window [T,B], or that of each token; and the state after it, cut off from its past."""
        h, state = self.layers(self.drop(self.embedding(x)), state)
        logits = self.linear(self.drop(h))
        loss = self.torch.nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction=reduction)
        return loss, tuple(part.detach() for part in state) if isinstance(state, tuple) else state.detach()

    def losses(self, tokens: Any) -> Any:
        """Nats of each token of a stream but the first, each predicted from all before it."""
        stream = self.torch.from_numpy(tokens.astype(np.int64))[:, None]
        x, y = stream[:-1], stream[1:]
        for module in self.modules:
            module.eval()
        found, state = [], None
        with self.torch.no_grad():
            for start in range(0, len(x), AT_ONCE):
                part = slice(start, start + AT_ONCE)
                loss, state = self.loss(x[part], y[part], state, "none")
                found.append(loss.numpy())
        for module in self.modules:
            module.train()
        return np.concatenate(found)

    def copy(self) -> list[Any]:
        """The weights."""
        return [w.detach().clone() for w in self.weights]

    def restore(self, weights: list[Any]) -> None:
        """Sets the weights."""
        with self.torch.no_grad():
            for w, value in zip(self.weights, weights, strict=True):
                w.copy_(value)


if __name__ == "__main__":
    main()
