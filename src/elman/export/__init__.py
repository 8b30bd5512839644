"""Models in the formats of other programs, one file a format: transformers, ONNX, PyTorch, ARPA.

`export(lm, "onnx", folder)` writes a new folder that needs no Elman to be used.
"""

from __future__ import annotations

from elman.export.export_model import FORMATS, export

__all__ = ["FORMATS", "export"]
