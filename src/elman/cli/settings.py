"""The settings of elman.config as options of `elman train`, by group, and as the table of docs/guide.md."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field
from typing import Any

import click

from elman.config import (
    GROUPS,
    LEVELS,
    OPTIMIZERS,
    Config,
    ModelConfig,
    Setting,
    TaskConfig,
    TextConfig,
    TrainingConfig,
    field_type,
    settings,
)
from elman.training.defaults import (
    BEST_CHARS,
    BEST_LARGE,
    FAST,
    FEW_PASSES,
    LARGE_TEXT,
    LARGE_TIME,
    LONG_CHARS,
    SAMPLED_FROM,
    SHORT_TIME,
    TASK_SETTINGS,
    TASK_SIZES,
    Tiers,
    level_defaults,
)
from elman.translation import translate

CONFIGS: tuple[type[Config], ...] = (TextConfig, ModelConfig, TrainingConfig, TaskConfig)
SHARED = {"as_json": "Records", "threads": "Device"}
"""The groups of options that other commands have too."""


class GroupedOption(click.Option):
    """An option that is listed in a group of the help."""

    def __init__(self, *names: Any, group: str, **more: Any) -> None:
        super().__init__(*names, **more)
        self.group = group


class GroupedCommand(click.Command):
    """A command whose help lists its options by group; those without a group come last."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes a section for each group."""
        rows: dict[str, list[tuple[str, str]]] = {group: [] for group in (*GROUPS, "Other")}
        for parameter in self.get_params(ctx):
            if isinstance(parameter, click.Option) and (row := parameter.get_help_record(ctx)) is not None:
                rows[getattr(parameter, "group", SHARED.get(parameter.name or "", "Other"))].append(row)
        for group, listed in rows.items():
            if listed:
                with formatter.section(group):
                    formatter.write_dl(listed, col_max=26)


def in_group(group: str, *names: str, **more: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option that is no setting, listed in a group."""
    return click.option(*names, cls=GroupedOption, group=group, **more)


def setting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """An option for every setting; None where it was not given."""
    for config, field, known in reversed(list(_listed())):
        more: dict[str, Any] = {"default": None, "help": f"{known.help}  [default: {default_in_words(config, field)}]"}
        names = f"--{known.option}"
        if (kind := field_type(config, field.name)) is bool:
            names += f"/--no-{known.option}"
        else:
            more |= {"type": click.Choice(known.choices) if known.choices else kind, "metavar": known.metavar}
        command = in_group(known.group, names, **more)(command)
    return command


def default_in_words(config: type[Config], field: Field[Any]) -> str:
    """The default as the help says it: `0.01 (adam), 5 (sgd)`, `200 (word, bpe), 128 (byte, char)`, `none`."""
    known: Setting = field.metadata["setting"]
    if known.shown:
        return known.shown
    name, own = field.name, {} if field.default is MISSING else {field.name: field.default}
    by_level = {level: (own | _merged(level, "adam")).get(name) for level in LEVELS}
    if len(set(by_level.values())) > 1:
        return _listed_by({level: by_level[level] for level in ("word", "bpe", "char", "byte")})
    return _listed_by({optimizer: (own | _merged("word", optimizer)).get(name) for optimizer in OPTIMIZERS})


def notes() -> list[str]:
    """What the help says about defaults that depend on more than level and optimizer, a paragraph each."""
    return [
        f"At levels word and bpe, a text from {LARGE_TEXT // 2**20} MiB on has other defaults for "
        f"{_options_of(LARGE_TIME)}, by the passes that --epochs or --max-time allows; few passes "
        f"have others for {_options_of(SHORT_TIME)}, and a --max-time of under {FEW_PASSES:g} passes for "
        f"{_options(FAST)} too (bf16 only where the processor has fast bf16 products). "
        f"At char and byte a --max-time of many passes has others for {_options_of(LONG_CHARS)}. "
        f"--recipe best has its own for {_options({name for part in (*BEST_LARGE, *BEST_CHARS) for name in part})}.",
        f"On a CPU, in one process and without --exact, --output is sampled from {SAMPLED_FROM:,} tokens on.",
        f"A task has its own defaults: {_options(TASK_SIZES | TASK_SETTINGS)}.",
    ]


def settings_table() -> str:
    """The table of settings in docs/guide.md, in the current language."""
    from elman.cli.translated_help import help_text

    rows = [
        _row(config, field, known) for group in GROUPS for config, field, known in _listed() if known.group == group
    ]
    head = (help_text("option"), help_text("meaning"), help_text("values"), help_text("default"))
    return "\n".join([f"| {' | '.join(head)} |", "|---|---|---|---|", *rows])


def _row(config: type[Config], field: Field[Any], known: Setting) -> str:
    from elman.cli.translated_help import help_text

    option = f"--{known.option} {known.metavar or ''}".rstrip()
    meaning = re.sub(r"<\w+>", r"`\g<0>`", help_text(known.help))  # <unk> would be HTML
    values = ", ".join(known.choices) or (translate(known.range.words) if known.range else help_text("yes, no"))
    return f"| `{option}` | {meaning} | {values} | {help_text(default_in_words(config, field))} |"


def _listed() -> Iterator[tuple[type[Config], Field[Any], Setting]]:
    """Every setting that has an option."""
    for config in CONFIGS:
        for field, known in settings(config).items():
            if known.option:
                yield config, field, known


def _merged(level: Any, optimizer: str) -> dict[str, Any]:
    sizes, given = level_defaults(level, optimizer)
    return sizes | given


def _listed_by(values: dict[str, Any]) -> str:
    """`a (x, y), b (z)`; one value alone where all have the same."""
    having: dict[str, list[str]] = {}
    for name, value in values.items():
        having.setdefault(_word(value), []).append(name)
    if len(having) == 1:
        return next(iter(having))
    return ", ".join(f"{value} ({', '.join(names)})" for value, names in having.items())


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else f"{value}"


def _options_of(tiers: Tiers) -> str:
    return _options({name for _, *given in tiers for part in given for name in part})


def _options(names: Any) -> str:
    return ", ".join(f"--{known.option}" for _, field, known in _listed() if field.name in names)
