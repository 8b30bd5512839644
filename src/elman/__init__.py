"""Elman: recurrent language models on NumPy. Train, measure, score and generate, and see the gradients.

The names below are loaded when first used, so that `import elman` costs next to nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as typing has it, which is not imported: Ctrl-C during an import here would be a traceback
__version__ = "0.1.0"

if TYPE_CHECKING:
    from typing import Any

    from elman.language_model import LanguageModel as LanguageModel
    from elman.language_model import load as load
    from elman.model.bptt import loss_and_gradients as loss_and_gradients
    from elman.model.parameters import Gradients as Gradients
    from elman.model.parameters import Parameters as Parameters
    from elman.train_model import train as train

_HOME = {
    "Parameters": "elman.model.parameters",
    "Gradients": "elman.model.parameters",
    "loss_and_gradients": "elman.model.bptt",
    "LanguageModel": "elman.language_model",
    "load": "elman.language_model",
    "ElmanError": "elman.errors",
    "train": "elman.train_model",
    "load_ipython_extension": "elman.jupyter",
}

_ROOMS = ("calculus", "export", "gradient_flow", "jupyter", "notes", "torch")

__all__ = [
    "ElmanError",
    "Gradients",
    "LanguageModel",
    "Parameters",
    "__version__",
    "load",
    "loss_and_gradients",
    "train",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _ROOMS:
        return import_module(f"elman.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'elman' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, *_ROOMS])
