"""The policy of defaults: what a setting is where the user did not choose it. All were measured (docs/measured.md).

A default depends on the level, the optimizer, the size of the text and of its vocabulary, and how many passes over the
text the time allows; that of a task on nothing. What the user chose always stays.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

from elman.config import Level, ModelConfig, RecipeName, TextConfig, TrainingConfig
from elman.errors import ConfigError

HELD_OUT = 0.05
"""The share of a text that is held out for validation."""
HELD_OUT_LIMIT = 512 * 2**10
"""The most bytes that are held out, unless the user chose a share: validation should stay quick."""

FEWEST_BLANKS = 1 / 16
"""The share of blanks and line ends below which a text is not one of words: Chinese, Japanese, Thai, DNA. English has 1
in 6, German 1 in 7."""
WITHOUT_BLANKS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
"""The letters of scripts that have no blanks between words: Thai, Lao, Burmese, Khmer, kana, Han."""
SHORTEST_JUDGED = 200
"""Characters below which nothing is said of a text."""

SIZES: dict[Level, dict[str, Any]] = {
    "byte": {"d": 128, "Dh": 512, "tie": False},
    "char": {"d": 128, "Dh": 512, "tie": False},
    "word": {"d": 200, "Dh": 200, "tie": True},
    "bpe": {"d": 200, "Dh": 200, "tie": True},
}
SETTINGS: dict[Level, dict[str, Any]] = {
    "byte": {"B": 32, "T": 32, "dropout": 0.0},
    "char": {"B": 32, "T": 32, "dropout": 0.0},
    "word": {"B": 40, "T": 20, "dropout": 0.3},
    "bpe": {"B": 40, "T": 20, "dropout": 0.3},
}

SMALL_TEXT = 2**17
"""Bytes from which a text is worth a wide network, where there is much time."""
LARGE_TEXT = 4 * 2**20
"""Bytes from which a text is large. It does not overfit within a few passes, and profits from more steps in each."""

SGD: dict[str, Any] = {
    "lr": 5.0, "schedule": "mikolov", "warmup": 0, "patience": 0, "average": 0.0, "weight_decay": 0.0,
}  # fmt: skip

FAST: dict[str, Any] = {"save_every": 1000, "precision": "bf16"}
"""Where the time is short: fewer checkpoints, and bf16 where the processor multiplies it faster."""
_SHORT: dict[str, Any] = {"B": 20, "T": 20, "warmup": 20}
Tiers = tuple[tuple[float, dict[str, Any], dict[str, Any]], ...]
SHORT_TIME: Tiers = (
    (1.0, {"d": 160, "Dh": 160, "tie": False}, _SHORT | {"lr": 0.015, "dropout": 0.0}),
    (5.0, {"d": 160, "Dh": 160, "tie": False}, _SHORT | {"lr": 0.015, "dropout": 0.15}),
    (8.0, {"d": 160, "Dh": 160, "tie": False}, _SHORT),
)
"""Levels word and bpe, where fewer passes are made than the first number, because `max_time` allows no more at the
default sizes or --epochs asks for no more: a smaller network and shorter windows learn sooner."""
FEW_PASSES = 12.0
"""The same levels, where `max_time` allows fewer passes: bf16 too, where the processor multiplies it faster."""
LARGE_TIME: Tiers = (
    (4.0, {}, FAST | {"B": 20, "dropout": 0.0}),
    (10.0, SIZES["word"], FAST | {"B": 20, "dropout": 0.0, "lr": 0.01}),
    (30.0, {}, FAST | {"B": 20, "dropout": 0.2}),
    (
        float("inf"),
        {"d": 400, "Dh": 400},
        FAST | {"B": 20, "T": 35, "dropout": 0.4, "lr": 0.006, "init_scale": 0.1, "average": 0.1},
    ),
)
"""The same levels, of a large text, after SHORT_TIME, by the passes that the time allows and --epochs asks for."""
UNLIMITED = 1000
"""--epochs where the time alone is to end the run."""
SizesAndSettings = tuple[dict[str, Any], dict[str, Any]]
"""Fields of ModelConfig, and of TrainingConfig."""
SMALL_LONG: SizesAndSettings = (
    {"d": 800, "Dh": 800},
    FAST | {
        "B": 20, "T": 35, "dropout": 0.7, "variational_dropout": True, "lr": 0.003, "init_scale": 0.1, "average": 0.1,
        "epochs": UNLIMITED,
    },
)  # fmt: skip
"""The same levels, of a text that is not large, where there is time to read it often with a wide network: dropout keeps
it from learning the text by heart."""
MANY_PASSES = 100.0
"""At the default sizes, of which SMALL_LONG makes a ninth."""
_LARGE_CHARS: dict[str, Any] = FAST | {"weight_decay": 0.1, "epochs": UNLIMITED}
LONG_CHARS: Tiers = (
    (20.0, {}, {}),
    (40.0, {"Dh": 1024}, _LARGE_CHARS),
    (float("inf"), {"Dh": 1024}, _LARGE_CHARS | {"dropout": 0.15}),
)
"""Levels char and byte, by the passes that `max_time` allows 512 units; 1,024 make a third of them."""

BEST_SECONDS = 3600.0
"""The time of the recipe `best` where neither --max-time nor --epochs is given."""
_BEST: dict[str, Any] = FAST | {"average": 0.1, "epochs": UNLIMITED}
_BEST_WORDS: dict[str, Any] = _BEST | {"B": 20, "T": 35, "lr": 0.006, "init_scale": 0.1}
BEST_LARGE: SizesAndSettings = {"d": 400, "Dh": 400}, _BEST_WORDS | {"dropout": 0.4}
BEST_SMALL = SMALL_LONG
"""The recipe `best` at levels word and bpe; a small text is read so often that the network could learn it by heart."""
BEST_CHARS: SizesAndSettings = {"Dh": 1024}, _BEST | {"weight_decay": 0.1, "dropout": 0.25}
"""And at levels char and byte."""

SAMPLED_FROM = 2048
"""V from which the output layer is sampled, where it can be: a step teaches as much, and takes less time."""
SAMPLES = ((2**14, 1024), (2**41, 2048))
"""How many tokens are drawn for a step, for vocabularies under the first number."""

WORD_DROPOUT = 0.25
"""The A of word dropout, of a text that has no `<unk>`; that of Kiperwasser and Goldberg (2016)."""

UNKNOWN = 2**40
"""V of a vocabulary that is not known yet: no cutoff is too large for it."""
HEAD = 4000
"""Tokens of the head of an adaptive output layer."""
TAIL_ENDS = (20_000,)
"""The ranks where its tails end, but for the last."""

TASK_SIZES: dict[str, Any] = {"d": 10, "Dh": 50, "activation": "relu", "tie": False}
TASK_SETTINGS: dict[str, Any] = {
    "B": 20, "lr": 3e-4, "schedule": "constant", "epochs": 100, "patience": 0, "init": "identity", "omega": 2.0,
    "omega_form": "squared", "save_every": 1000, "record_every": 100,
}  # fmt: skip
"""Of a task: 50 units, batches of 20, clipping and Ω as in Pascanu, Mikolov and Bengio (2013); relu and W_h = the
identity as in Le, Jaitly and Hinton (2015)."""
TASK_LENGTHS = (50, 200)
"""The shortest and the longest sequence of a task."""


def fitting_level(beginning: str) -> Level:
    """word, or char for a text with hardly any blanks: nearly every word in it would be a new one.

    beginning: of the text, about a MiB.
    """
    if len(beginning) < SHORTEST_JUDGED or share_of_blanks(beginning) >= FEWEST_BLANKS:
        return "word"
    return "char"


def share_of_blanks(text: str) -> float:
    """How many of its characters are blanks or line ends, 0 to 1; line ends are no blanks in a script without them.

    A poem in Chinese has as many line ends as an English text has blanks, and yet each line would be one word.
    """
    if len(WITHOUT_BLANKS.findall(text)) > sum(map(str.isalpha, text)) / 2:
        return sum(text.count(blank) for blank in " \t") / len(text)
    return sum(map(str.isspace, text)) / len(text)


def operations_per_token(V: float, d: int, Dh: int, layers: int = 1) -> float:
    """Floating-point operations of a training step's products, forward and backward (docs/derivation.md, section 7).

    V: of the vocabulary, or of one whose full output layer has as much work (`adaptive.equivalent_V`).
    """
    return 6 * (d * Dh + Dh * Dh + 2 * (layers - 1) * Dh * Dh + Dh * V)


def passes_in(seconds: float, rate: float, level: Level, V: float, tokens: int, layers: int = 1) -> float:
    """How many passes over a text the time allows at the level's default sizes, with so many layers.

    rate: floating-point operations a second (`pace.operations_per_second`).
    """
    d, Dh = int(SIZES[level]["d"]), int(SIZES[level]["Dh"])
    return seconds * rate / (operations_per_token(V, d, Dh, layers) * tokens)


def cutoffs_of(V: int) -> str:
    """Where the head and the tails of an adaptive output layer end, for V tokens. Raises ConfigError for a V under 4.

    The head has HEAD tokens, a quarter of a small vocabulary; the last tail has at least as many as are before it.
    """
    head = min(HEAD, V // 4)
    if not head:
        raise ConfigError(f"--output adaptive divides a vocabulary, and this one has {V} tokens: take --output full")
    return ",".join(map(str, [head, *(end for end in TAIL_ENDS if 2 * head <= end <= V // 2)]))


def level_defaults(
    level: Level, optimizer: str, size: int = 0, passes: float = float("inf"), epochs: int | None = None,
    recipe: RecipeName = "quick",
) -> tuple[dict[str, Any], dict[str, Any]]:  # fmt: skip
    """The default sizes (fields of ModelConfig) and settings (of TrainingConfig) that differ from the class's own.

    size: of the text, in bytes; passes: how many the time allows, infinite without `max_time`; epochs: how many the
    user asked for, None where that is a default too. recipe: `best` depends on level and size alone.
    """
    timed = math.isfinite(passes)
    sizes, settings = dict(SIZES[level]), dict(SETTINGS[level])
    tiers: list[tuple[Tiers, float]] = []
    if recipe == "best":
        words = BEST_LARGE if size >= LARGE_TEXT else BEST_SMALL
        more_sizes, more_settings = BEST_CHARS if level in ("char", "byte") else words
        sizes |= more_sizes
        settings |= more_settings
    elif level in ("char", "byte"):
        tiers = [(LONG_CHARS, passes if timed else 0)]
    else:
        settings |= FAST if passes < FEW_PASSES else {}
        tiers = [(SHORT_TIME, passes if timed or epochs is None else epochs)]
        if size >= LARGE_TEXT:
            settings |= {"epochs": UNLIMITED} if timed else {}
            tiers.append((LARGE_TIME, passes if timed else epochs or TrainingConfig.epochs))
        elif size >= SMALL_TEXT and timed and passes >= MANY_PASSES:
            tiers.append((((float("inf"), *SMALL_LONG),), passes))
    for table, count in tiers:
        for fewer, more_sizes, more_settings in table:
            if count < fewer:
                sizes |= more_sizes
                settings |= more_settings
                break
    return sizes, settings | (SGD if optimizer == "sgd" else {})


def with_defaults(
    text: TextConfig, model: dict[str, Any], training: dict[str, Any], *, V: int = UNKNOWN, size: int = 0,
    passes: float = float("inf"), recipe: RecipeName = "quick", fast_bf16: bool = False, sampling: bool = False,
    unk_to_learn: bool = False,
) -> tuple[TrainingConfig, ModelConfig]:  # fmt: skip
    """What the user chose (fields of ModelConfig and of TrainingConfig), with defaults for the rest.

    V: of the vocabulary; UNKNOWN where the text is not read yet. size, passes, recipe: as in
    `level_defaults`. fast_bf16: whether bf16 may be the default; sampling: whether a sampled output layer may be.
    unk_to_learn: whether `<unk>` is in the vocabulary and not in the text.
    Raises ConfigError where what was chosen does not fit together.
    """
    optimizer = training.get("optimizer", TrainingConfig.optimizer)
    sizes, settings = level_defaults(text.level, optimizer, size, passes, training.get("epochs"), recipe)
    if unk_to_learn:
        settings["word_dropout"] = WORD_DROPOUT
    if not fast_bf16:
        settings.pop("precision", None)
    if sampling and SAMPLED_FROM <= V < UNKNOWN:
        sizes = sizes | {"output": "sampled"}
    if "variational_dropout" not in training and not (settings | training)["dropout"]:
        settings.pop("variational_dropout", None)
    if model.get("output", sizes.get("output")) == "sampled":
        settings["samples"] = next(samples for fewer, samples in SAMPLES if fewer > V)
    if model.get("tie") and "d" in model and "Dh" not in model:
        model = model | {"Dh": model["d"]}
    square = model.get("tie", sizes["tie"]) or sizes["d"] == sizes["Dh"]
    if "Dh" in model and "d" not in model and square:
        model = model | {"d": model["Dh"]}
    if "tie" not in model and model.get("d", sizes["d"]) != model.get("Dh", sizes["Dh"]):
        sizes = sizes | {"tie": False}  # tied by default only where that is possible
    if model.get("output") == "adaptive":
        sizes = sizes | {"tie": False, "cutoffs": cutoffs_of(V)}
    return replace(TrainingConfig(), **(settings | training)), ModelConfig(V=V, **(sizes | model))


def for_few_tokens(
    settings: TrainingConfig, chosen: dict[str, Any], tokens: int, processes: int = 1
) -> tuple[TrainingConfig, str]:
    """The settings with B and T so small that a text of so many tokens has one window, where the user did not choose.

    The second result says so in a sentence; empty where nothing changes, also where nothing would help. processes: of
    the team, which B is shared by.
    """
    B, T = settings.B, settings.T
    if tokens >= B * T:
        return settings, ""
    if "T" not in chosen:
        T = min(T, tokens // (B if "B" in chosen else processes))
    if "B" not in chosen and T:
        B = min(B, tokens // T) // processes * processes
    if not B or not T or tokens < B * T:
        return settings, ""
    remark = (
        f"the text has {tokens:,} tokens, fewer than one window of the default sizes: --batch-size is {B} "
        f"instead of {settings.B}, --bptt {T} instead of {settings.T}"
    )
    return replace(settings, B=B, T=T), remark


def task_defaults(V: int, model: dict[str, Any], training: dict[str, Any]) -> tuple[TrainingConfig, ModelConfig]:
    """The same for a task, whose vocabulary has V tokens. Ω, which is of one layer, is no default of several."""
    network = ModelConfig(V=V, **(TASK_SIZES | model))
    settings = TASK_SETTINGS if network.layers == 1 else TASK_SETTINGS | {"omega": 0.0}
    return replace(TrainingConfig(), **(settings | training)), network
