"""The settings: one source for options, help, checks, the table of the guide, and what older files lack."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from elman.cli.settings import CONFIGS, settings_table
from elman.cli.train import train
from elman.config import GROUPS, ModelConfig, TextConfig, TrainingConfig, at_least, settings
from elman.errors import ConfigError
from elman.schema import Range
from elman.translation import LANGUAGES, in_language

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"
BEGIN, END = "<!-- settings: begin -->\n", "\n<!-- settings: end -->"


def test_every_field_is_a_setting_and_every_setting_with_an_option_is_an_option_of_train() -> None:
    options = {name for parameter in train.params for name in parameter.opts if name.startswith("--")}
    for config in (TextConfig, ModelConfig, TrainingConfig):
        assert {f.name for f in fields(config)} == {f.name for f in settings(config)}
    for config in CONFIGS:
        for f, known in settings(config).items():
            assert known.help.endswith("."), f.name
            assert known.group in GROUPS
            assert f.name == "V" or f"--{known.option}" in options
            assert known.choices or known.range or f.type == "bool", f.name


@pytest.fixture(scope="module")
def help_text() -> str:
    environment = os.environ | {"COLUMNS": "80", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-m", "elman", "train", "--help"], capture_output=True, check=True, env=environment
    )
    return done.stdout.decode()


def test_the_help_is_grouped_and_fits_80_columns(help_text: str) -> None:
    assert max(map(len, help_text.splitlines())) < 80
    assert tuple(re.findall(r"^(\w[\w ]*):$", help_text, re.MULTILINE)) == (*GROUPS, "Other")
    assert "None" not in help_text


def test_the_help_says_defaults_as_people_do(help_text: str) -> None:
    words = " ".join(help_text.split())
    for expected in (
        "Hidden units. [default: 200 (word, bpe), 512 (char, byte)]",
        "[default: 0.01 (adam), 5 (sgd)]",
        "[default: yes (word, bpe), no (char, byte)]",
        "[default: all; 8,192 for bpe]",
        "a text from 4 MiB on has other defaults for --embed, --hidden, --tie",
        "--output is sampled from 2,048 tokens on",
    ):
        assert expected in words


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_guide_has_the_table(language: str) -> None:
    """If it fails: python -c 'from elman.cli.settings import settings_table; print(settings_table())'.

    In Chinese: within `elman.translation.in_language("zh")`.
    """
    guide = (GUIDE if language == "en" else GUIDE.with_name("guide.zh-CN.md")).read_text(encoding="utf-8")
    with in_language(language):
        assert guide[guide.index(BEGIN) + len(BEGIN) : guide.index(END)] == settings_table()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"B": 0}, "batch-size is 0; it must be at least 1"),
        ({"lr": float("inf")}, "lr is inf; it must be over 0 and finite"),
        ({"lr": float("nan")}, "lr is nan; it must be over 0 and finite"),
        ({"lr_floor": 1.5}, "lr-floor is 1.5; it must be from 0 to 1"),
        ({"clip": -1.0}, r"clip is -1.0; it must be at least 0 and finite \(0: no clipping\)"),
        ({"max_time": 0.0}, "max-time is 0.0; it must be over 0 seconds"),
        ({"seed": 2**63}, r"it must be from 0 to 2\^63 - 1"),
        ({"skip_below": 1.0}, r"skip-below is 1.0; it must be from 0 \(leave nothing out\) to under 1"),
        ({"schedule": "step"}, "schedule is 'step'; choose one of cosine, linear, constant, mikolov"),
        ({"floss_exponents": 0}, "floss-exponents is 0; it must be at least 1"),
    ],
)
def test_a_value_out_of_range_is_refused_in_a_sentence(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        TrainingConfig(**given)  # type: ignore[arg-type]


def test_sizes_are_whole_numbers() -> None:
    with pytest.raises(ConfigError, match=r"hidden is 2\.5; it must be a whole number, at least 1"):
        ModelConfig(V=3, d=2, Dh=2.5)  # type: ignore[arg-type]


def test_ranges() -> None:
    assert 0 in at_least(0)
    assert -1 not in at_least(0)
    assert at_least(0, "none").words == "at least 0 (0: none)"
    half_open = Range("from 0 to under 1", 0, 1, without_high=True)
    assert [value in half_open for value in (0, 0.5, 1, float("nan"))] == [True, True, False, False]
    assert 2.0 not in Range("whole", 1, whole=True)
