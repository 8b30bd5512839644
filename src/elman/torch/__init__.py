"""Elman with PyTorch: a recurrent layer for PyTorch models, and conversion of language models both ways.

Importing this imports PyTorch (`import elman` does not), or raises MissingExtraError if it is not installed.
"""

from elman.errors import MissingExtraError

try:
    import torch as _torch  # noqa: F401
except ImportError:
    raise MissingExtraError("elman.torch needs PyTorch: pip install 'elman[torch]'") from None

from elman.torch.convert import RecurrentLanguageModel, from_torch, to_torch
from elman.torch.rnn import ElmanRNN

__all__ = ["ElmanRNN", "RecurrentLanguageModel", "from_torch", "to_torch"]
