"""A folder with an ARPA file: the n-grams of the text of a run."""

from __future__ import annotations

from collections.abc import Iterator

from elman.errors import ConfigError
from elman.export.contents import Content
from elman.inference.company import ngram_of_run
from elman.language_model import LanguageModel
from elman.ngram.arpa import save_arpa


def arpa_file(lm: LanguageModel, order: int) -> Iterator[Content]:
    """ngram.arpa, as `elman ngram` writes it.

    Raises ConfigError where the model is not from a run folder, CheckpointError where the run's text is missing.
    """
    if lm.run is None:
        raise ConfigError("n-grams are counted from the text of a run, and this model is not from a run folder")
    model = ngram_of_run(lm.run, lm.tokenizer, order)
    yield Content("ngram.arpa", lambda path: save_arpa(model, lm.tokenizer.tokens, lm.tokenizer.unk, path))
