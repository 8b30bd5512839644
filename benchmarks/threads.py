"""Calls the public functions from several Python threads at once, and compares every result with that of one thread.

    python benchmarks/threads.py --threads 8 --count 1000 --seed 0

Every function of `public_calls`, or those that `--only` names, is called `--count` times by each backend, the calls
divided among the threads, in a random order for each, with an interpreter that changes threads every microsecond.
Results are compared bit by bit. The last line is a summary; the exit code is 1 where a result differs or a call raises.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import elman
from elman.calculus import derive
from elman.gradient_flow import decompose, decompose_loss, diagnose, lyapunov_spectrum, truncation
from elman.inference.caches import ContinuousCache
from elman.inference.dynamic import DynamicEvaluation, mean_squares
from elman.inference.mixture import Mixture
from elman.inference.predictor import NetworkPredictor
from elman.kernels import choose_again, native_built
from elman.ngram.kneser_ney import train
from elman.notes import check
from elman.text.tokenizer import Tokenizer

SWITCH = 1e-6
"""Seconds between changes of the running Python thread."""
PAGE = r"""
The forward equations are $z = W x + b$, $a = \sigma(z)$, $J = \frac{1}{2} \|a - y\|^2$.

$$ \frac{\partial J}{\partial a} = a - y $$

$$ \frac{\partial J}{\partial W} = x ((a - y) \circ a \circ (1 - a))^T $$

    w = 'a\d'
    dz = (a - y) * a * (1 - a)
"""
"""A right formula, one that is transposed, and code whose string Python's parser warns of."""

Calls = Mapping[str, Callable[[], object]]


def public_calls(folder: Path, V: int = 3000, Dh: int = 48, seed: int = 0) -> Calls:
    """The public functions, on a model of V words with random weights."""
    generator = np.random.default_rng(seed)
    words = [f"w{k}" for k in range(V - 2)]
    tokenizer = Tokenizer.of_words(words)
    p = elman.Parameters.initialise(V, 24, Dh, activation="tanh", seed=seed)
    exact = p.astype("float64")
    lm = elman.LanguageModel(p, tokenizer)
    x, y = generator.integers(0, V, (2, 12, 3))
    sentences = [" ".join(generator.choice(words, size)) for size in generator.integers(1, 30, 24)]
    text = "\n".join(sentences) + "\n"
    page = folder / "page.md"
    page.write_text(PAGE)
    flow = decompose(p, x, y)
    stack = elman.LanguageModel(elman.Parameters.initialise(V, 24, Dh, layers=2, seed=seed), tokenizer)
    adaptive = elman.Parameters.initialise(V, 24, Dh, cutoffs=(V // 4,), seed=seed)
    ids = generator.integers(0, V, 120)
    cache = ContinuousCache(p, tokenizer.eos)
    dynamic = DynamicEvaluation(p, tokenizer.eos, mean_squares(p, tokenizer.eos, ids))
    counted = train(ids, V, tokenizer.eos, order=3)
    mixture = Mixture((NetworkPredictor(p, tokenizer.eos), counted, cache), (0.5, 0.3, 0.2))

    def gradients(q: elman.Parameters) -> list[bytes]:
        J, found, h_T = elman.loss_and_gradients(q, x, y)
        return [np.float64(J).tobytes(), h_T.tobytes(), *(each.tobytes() for each in found.arrays())]

    def step() -> list[float]:
        state, scores = lm.begin(), []
        for word in sentences[0].split():
            score, state = lm.step(state, word)
            scores.append(score)
        return scores

    def decomposition() -> list[bytes]:
        found = decompose(p, x, y)
        tables = [*found.log2_norms_by_lag.values(), *found.cosines_by_lag.values()]
        return [table.tobytes() for table in tables]

    return {
        "scores": lambda: [each.log_probs.tobytes() for each in lm.scores(sentences)],
        "full_scores": lambda: list(lm.full_scores(sentences[1])),
        "scores, after a context": lambda: list(lm.scores(sentences[:4], after=sentences[4])),
        "scores, lines of one text": lambda: list(lm.scores(sentences[:4], reset=False)),
        "scores, two layers": lambda: list(stack.scores(sentences)),
        "evaluate, adaptive output": lambda: elman.LanguageModel(adaptive, tokenizer).evaluate(text),
        "next": lambda: lm.next(sentences[3], top=20),
        "step": step,
        "perplexity": lambda: lm.perplexity(text),
        "evaluate": lambda: astuple(lm.evaluate(text)),
        "generate": lambda: lm.generate(sentences[2], max_tokens=40, temperature=0.9, top_k=50, seed=seed),
        "generate, drawn in Python": lambda: lm.generate(
            sentences[2], max_tokens=20, min_p=0.001, repetition_penalty=1.1, seed=seed
        ),
        "continuation": lambda: lm.continuation(sentences[2], beams=3, max_tokens=5),
        "NgramModel": lambda: counted.read(counted.begin(), ids)[0],
        "Mixture": lambda: mixture.read(mixture.begin(), ids[:20])[0],
        "ContinuousCache": lambda: cache.read(cache.begin(), ids)[0].tobytes(),
        "DynamicEvaluation": lambda: dynamic.read(dynamic.begin(), ids)[0].tobytes(),
        "loss_and_gradients": lambda: gradients(p),
        "loss_and_gradients, float64": lambda: gradients(exact),
        "decompose": decomposition,
        "decompose_loss": lambda: decompose_loss(p, x[:, :1], y[:, :1]),
        "truncation": lambda: truncation(flow),
        "diagnose": lambda: diagnose(flow),
        "lyapunov_spectrum": lambda: lyapunov_spectrum(flow.trajectory).tobytes(),
        "check": lambda: replace(check(page), seconds=0.0),
        "derive": lambda: derive(r"\|X w - y\|^2", wrt="w").text,
    }


def bits(value: Any) -> Any:
    """What two results are compared by: every field and number of them, arrays by their bytes."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if is_dataclass(value) and not isinstance(value, type):
        return type(value).__name__, *(bits(getattr(value, f.name)) for f in fields(value) if f.compare)
    if isinstance(value, Mapping):
        return [(key, bits(each)) for key, each in value.items()]
    if isinstance(value, list | tuple):
        return [bits(each) for each in value]
    return repr(value)


@contextmanager
def switching_often() -> Iterator[None]:
    """Python threads change every microsecond."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def differences(calls: Calls, threads: int, count: int, seed: int = 0) -> Counter[str]:
    """Calls each function `count` times from so many threads; how many results differ from one thread's, by name."""
    expected = {name: bits(call()) for name, call in calls.items()}
    together, wrong, lock = threading.Barrier(threads), Counter[str](), threading.Lock()

    def caller(thread: int) -> None:
        share = count // threads + (thread < count % threads)
        order = np.random.default_rng([seed, thread]).permutation(np.repeat(np.arange(len(calls)), share))
        names = list(calls)
        together.wait()
        for k in order:
            name = names[k]
            try:
                found = bits(calls[name]())
            except Exception as error:
                found = f"{type(error).__name__}: {error}"
                name = f"{name} ({found})"
            if found != expected[names[k]]:
                with lock:
                    wrong[name] += 1

    running = [threading.Thread(target=caller, args=(k,)) for k in range(threads)]
    with switching_often():
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--count", type=int, default=1000, help="calls of each function")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these functions alone")
    backends = ["native", "numpy"] if native_built() else ["numpy"]
    parser.add_argument("--backend", choices=backends, help="this one alone")
    given = parser.parse_args()
    failed = False
    for backend in [given.backend] if given.backend else backends:
        os.environ["ELMAN_BACKEND"] = backend
        choose_again()
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            calls = public_calls(Path(folder), seed=given.seed)
            if unknown := sorted({*(given.only or [])} - set(calls)):
                parser.error(f"there is no {', '.join(unknown)}; choose from {', '.join(calls)}")
            calls = {name: call for name, call in calls.items() if given.only is None or name in given.only}
            wrong = differences(calls, given.threads, given.count, given.seed)
        failed |= bool(wrong)
        for name, number in wrong.items():
            print(f"  {name}: {number} of {given.count} differ")
        print(
            f"{backend}: {len(calls)} functions x {given.count:,} calls from {given.threads} threads: "
            f"{sum(wrong.values())} results differ; {time.monotonic() - began:.0f} s"
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
