"""Calls the public functions from several Python threads at once, and compares every result with that of one thread.

    python benchmarks/threads.py --threads 8 --count 1000 --seed 0

Every function of `public_calls` is called `--count` times by each backend, in a random order for each thread, with an
interpreter that changes threads every microsecond. Results are compared bit by bit. The last line is a summary; the
exit code is 1 where a result differs or a call raises.
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
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np

import elman
from elman.calculus import derive
from elman.gradient_flow import decompose, diagnose, lyapunov_spectrum, truncation
from elman.inference.caches import ContinuousCache
from elman.inference.dynamic import DynamicEvaluation, mean_squares
from elman.kernels import choose_again, native_built
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
    """The public functions, on a model of V words with random weights. Results are compared by their `bits`."""
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
    ids = generator.integers(0, V, 120)
    cache = ContinuousCache(p, tokenizer.eos)
    dynamic = DynamicEvaluation(p, tokenizer.eos, mean_squares(p, tokenizer.eos, ids))

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
        "step": step,
        "perplexity": lambda: lm.perplexity(text),
        "evaluate": lambda: astuple(lm.evaluate(text)),
        "generate": lambda: lm.generate(sentences[2], max_tokens=40, temperature=0.9, top_k=50, seed=seed),
        "ContinuousCache": lambda: cache.read(cache.begin(), ids)[0].tobytes(),
        "DynamicEvaluation": lambda: dynamic.read(dynamic.begin(), ids)[0].tobytes(),
        "loss_and_gradients": lambda: gradients(p),
        "loss_and_gradients, float64": lambda: gradients(exact),
        "decompose": decomposition,
        "truncation": lambda: truncation(flow),
        "diagnose": lambda: diagnose(flow),
        "lyapunov_spectrum": lambda: lyapunov_spectrum(flow.trajectory).tobytes(),
        "check": lambda: replace(check(page), seconds=0.0),
        "derive": lambda: derive(r"\|X w - y\|^2", wrt="w").text,
    }


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
    expected = {name: repr(call()) for name, call in calls.items()}
    together, wrong, lock = threading.Barrier(threads), Counter[str](), threading.Lock()

    def caller(thread: int) -> None:
        share = count // threads + (thread < count % threads)
        order = np.random.default_rng([seed, thread]).permutation(np.repeat(np.arange(len(calls)), share))
        names = list(calls)
        together.wait()
        for k in order:
            name = names[k]
            try:
                found: Any = repr(calls[name]())
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
