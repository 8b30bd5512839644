"""Do other programs compute from an export what Elman computes?

    python benchmarks/export_readers.py

Trains a small model of every level, with one and with several layers, tied and not, with each activation; exports it in
every format, reads it with transformers, ONNX Runtime, PyTorch and KenLM (those that are installed), and prints the
largest difference of each figure, relative where the figure is over 1. Ends with a line of JSON; exit code 1 where a
difference is over 1e-5.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import math
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import elman
from elman.export import export
from elman.model.network import hidden_states

MODELS: list[dict[str, Any]] = [
    {"level": "word", "tie": True, "activation": "sigmoid"},
    {"level": "word", "layers": 2, "tie": False, "activation": "sigmoid"},
    {"level": "word", "layers": 2, "tie": True, "activation": "sigmoid"},
    {"level": "char", "layers": 2, "tie": False, "activation": "tanh"},
    {"level": "char", "tie": False, "activation": "sigmoid", "precision": "float64"},
    {"level": "byte", "tie": False, "activation": "relu"},
    {"level": "word", "tie": False, "activation": "sigmoid", "output": "adaptive", "cutoffs": "6,10"},
    {"level": "bpe", "vocab_size": 320, "layers": 3, "tie": True, "activation": "sigmoid"},
    {"level": "word", "layers": 3, "skip": True, "tie": False, "activation": "sigmoid"},
]
LINES = [
    f"{who} {verb} the {what} in the {where} ."
    for who, verb, what, where in itertools.product(
        ("the keeper", "she", "Zoë"), ("saw", "lit", "cleaned"), ("lamp", "boat", "glass"), ("morning", "night")
    )
]
TEXT = "the keeper saw the boat in the night .\nZoë cleaned the unseen glass .\n\nshe lit the lamp"
PROMPTS = ("the keeper", "she lit", "")
LIMIT = 1e-5


def trained(folder: Path, **settings: Any) -> elman.LanguageModel:
    """A small model with these settings."""
    embed = 20 if settings["tie"] else 12
    return elman.train(
        texts=LINES * 2, out=folder, hidden=20, embed=embed, epochs=3, batch_size=4, bptt=8, seed=1, **settings
    )


def with_transformers(lm: elman.LanguageModel, folder: Path) -> dict[str, float]:
    """Loss, tokens and greedy texts, one prompt at a time, padded together, and with beams."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    export(lm, "transformers", folder)
    tokenizer = AutoTokenizer.from_pretrained(str(folder), trust_remote_code=True)
    model = AutoModelForCausalLM.from_pretrained(str(folder), trust_remote_code=True).eval()
    inputs = tokenizer(TEXT, return_tensors="pt")
    ids = inputs["input_ids"]
    ours = [lm.tokenizer.eos, *lm.tokenizer.encode(TEXT).tolist()]
    log_probs = next(lm.scores([TEXT], eos=False)).log_probs
    with torch.no_grad():
        out = model(**inputs, labels=ids)
        first = model(ids[:, :5])
        rest = model(ids[:, 5:], state=first.state)
    found = {
        "tokens": float(ids[0].tolist() != ours),
        "loss": abs(float(out.loss) + float(log_probs.mean())),
        "state": _apart(torch.cat([first.logits, rest.logits], 1), out.logits),
        "decoded": float(tokenizer.decode(ids[0, 1:]) != lm.tokenizer.decode(ours[1:])),
    }
    texts = 0
    for prompt in PROMPTS:
        given = tokenizer(prompt, return_tensors="pt")
        whole = model.generate(**given, max_new_tokens=20, do_sample=False)[0]
        new = whole[len(given["input_ids"][0]) :].tolist()
        decoder = lm.tokenizer.decoder(after=lm.tokenizer.encode(prompt))
        text = "".join(map(decoder.push, new)) + decoder.flush()
        texts += text != lm.generate(prompt, max_tokens=20, temperature=0)
    found["texts of greedy generation"] = float(texts)
    found["padded together"] = _padded(model, tokenizer, torch)
    beams, again = (
        model.generate(
            **tokenizer(PROMPTS[0], return_tensors="pt"),
            max_new_tokens=6,
            num_beams=4,
            do_sample=False,
            use_cache=cache,
        )
        for cache in (True, False)
    )
    found["beams"] = float(beams.tolist() != again.tolist())
    saved = folder.with_name(folder.name + "-saved")
    model.save_pretrained(str(saved))
    read_again = AutoModelForCausalLM.from_pretrained(str(saved), trust_remote_code=True).eval()
    with torch.no_grad():
        found["saved again"] = _apart(read_again(ids).logits, out.logits)
    return found


def _padded(model: Any, tokenizer: Any, torch: Any) -> float:
    """The largest difference between the logits after prompts of several lengths together, and each alone."""
    each = [tokenizer(prompt, return_tensors="pt")["input_ids"][0] for prompt in PROMPTS]
    longest = max(map(len, each))
    ids = torch.stack([torch.cat([row.new_zeros(longest - len(row)), row]) for row in each])
    mask = torch.stack([torch.cat([row.new_zeros(longest - len(row)), row.new_ones(len(row))]) for row in each])
    with torch.no_grad():
        together = model(ids, attention_mask=mask).logits[:, -1]
        alone = torch.stack([model(row[None]).logits[0, -1] for row in each])
    return _apart(together, alone)


def _ours(lm: elman.LanguageModel) -> tuple[Any, Any, Any]:
    """Two sequences x [T,2], and ln ŷ [T,2,V] and the state [2,n·Dh] after them, by Elman in float64."""
    p = lm.p.astype("float64")
    ids = np.array([lm.tokenizer.eos, *lm.tokenizer.encode(TEXT).tolist()])
    x = np.stack([ids[:-1], ids[1:]], axis=1)
    forward = hidden_states(p, x, p.initial_state(2))
    return x, p.output.log_probabilities(forward.h_out), forward.h_T


def _apart(one: Any, other: Any) -> float:
    """The largest difference, relative to the other where that is over 1."""
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    return float((np.abs(one - other) / np.maximum(1, np.abs(other))).max())


def _log_softmax(logits: Any) -> Any:
    shifted = np.asarray(logits, np.float64)
    shifted = shifted - shifted.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def with_onnx_runtime(lm: elman.LanguageModel, folder: Path) -> dict[str, float]:
    """The logits (as ln ŷ) and the state of a window, and of its steps one by one."""
    import onnxruntime

    export(lm, "onnx", folder)
    x, expected, h_T = _ours(lm)
    window, step = (
        onnxruntime.InferenceSession(str(folder / f"{name}.onnx"), providers=["CPUExecutionProvider"])
        for name in ("window", "step")
    )
    h = np.zeros((2, lm.p.state_size), np.float32)
    logits, h_out = window.run(None, {"tokens": x, "h": h})
    steps = []
    for row in x:
        one, h = step.run(None, {"tokens": row, "h": h})
        steps.append(one)
    return {
        "window": _apart(_log_softmax(logits), expected),
        "state": _apart(h_out, h_T),
        "steps": _apart(_log_softmax(np.stack(steps)), expected),
        "state after the steps": _apart(h, h_T),
    }


def with_torch(lm: elman.LanguageModel, folder: Path) -> dict[str, float]:
    """The logits (as ln ŷ) of the exported module, whole and in two parts."""
    import torch

    export(lm, "torch", folder)
    spec = importlib.util.spec_from_file_location("exported_model", folder / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model, config = module.load(folder)
    x, expected, _ = _ours(lm)
    with torch.no_grad():
        logits, _ = model(torch.from_numpy(x))
        first, state = model(torch.from_numpy(x[:4]))
        rest, _ = model(torch.from_numpy(x[4:]), state)
    return {
        "window": _apart(_log_softmax(logits.numpy()), expected),
        "in two parts": _apart(torch.cat([first, rest]), logits),
        "line end": float(config["line_end"] != lm.tokenizer.eos),
    }


def with_kenlm(lm: elman.LanguageModel, folder: Path) -> dict[str, float]:
    """log10 p of a line by KenLM and by Elman's own reading of the n-grams."""
    import kenlm

    export(lm, "arpa", folder, order=3)
    model = kenlm.Model(str(folder / "ngram.arpa"))
    from elman.inference.company import ngram_of_run
    from elman.ngram.arpa import escaped

    assert lm.run is not None
    ours = ngram_of_run(lm.run, lm.tokenizer, 3)
    line = LINES[3]
    ids = [*lm.tokenizer.encode(line).tolist(), lm.tokenizer.eos]
    log_probs, _ = ours.read(ours.begin(), np.array(ids))
    words = " ".join(escaped(lm.tokenizer.tokens[k]) for k in ids[:-1])
    return {"line": abs(model.score(words, bos=True, eos=True) - float(log_probs.sum()) / math.log(10)) / len(ids)}


READERS: dict[str, tuple[str, Callable[[elman.LanguageModel, Path], dict[str, float]]]] = {
    "transformers": ("transformers", with_transformers),
    "onnx": ("onnxruntime", with_onnx_runtime),
    "torch": ("torch", with_torch),
    "arpa": ("kenlm", with_kenlm),
}
"""By format: the package that reads it, and what is compared."""


def main() -> int:
    largest: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for k, settings in enumerate(MODELS):
            lm = trained(Path(folder) / f"run-{k}", **settings)
            print(", ".join(f"{name} {value}" for name, value in settings.items()))
            for kind, (package, reader) in READERS.items():
                if importlib.util.find_spec(package) is None:
                    print(f"  {kind}: {package} is not installed")
                    continue
                if kind == "torch" and "skip" in settings:
                    continue  # nn.RNN has no skip connections
                if kind == "arpa" and settings["level"] != "word":
                    continue  # a stream without sentences, whose first n-grams KenLM would begin differently
                found = reader(lm, Path(folder) / f"{kind}-{k}")
                print(f"  {kind}: " + ", ".join(f"{name} {value:.1e}" for name, value in found.items()))
                largest[kind] = max(largest.get(kind, 0.0), *found.values())
    print(json.dumps({"limit": LIMIT, "largest_difference": largest}))
    return int(any(not value <= LIMIT for value in largest.values()))


if __name__ == "__main__":
    sys.exit(main())
