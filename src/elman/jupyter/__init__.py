"""Elman in notebooks: `%load_ext elman` adds the cell magic `%%check`, and `Progress` shows a training run.

Needs IPython, which every notebook has; importing this room does not import it.
"""

from __future__ import annotations

from elman.jupyter.magic import load_ipython_extension
from elman.jupyter.progress import Progress

__all__ = ["Progress", "load_ipython_extension"]
