"""The forward equations of this package's network, for a page that has only gradients (`--model elman`)."""

from __future__ import annotations

from dataclasses import replace

from elman.errors import ConfigError
from elman.notes.model.build import build
from elman.notes.page.page import SUPPLIED, Formula, Page, ShapeLine

_EQUATIONS = (
    r"e^{(t)} = E x^{(t)}",
    r"z^{(t)} = W_h h^{(t-1)} + W_e e^{(t)} + b_1",
    r"h^{(t)} = \sigma(z^{(t)})",
    r"\theta^{(t)} = U h^{(t)} + b_2",
    r"\hat{y}^{(t)} = \mathrm{softmax}(\theta^{(t)})",
    r"J^{(t)} = CE(y^{(t)}, \hat{y}^{(t)})",
)
_SHAPES = {
    "x": ("V", "B"), "y": ("V", "B"), "E": ("d", "V"), "e": ("d", "B"), "W_e": ("Dh", "d"), "W_h": ("Dh", "Dh"),
    "b_1": ("Dh", "1"), "z": ("Dh", "B"), "h": ("Dh", "B"), "U": ("V", "Dh"), "b_2": ("V", "1"), "theta": ("V", "B"),
    "y_hat": ("V", "B"), "delta_1": ("B", "V"), "delta_2": ("B", "Dh"), "gamma": ("B", "Dh"),
}  # fmt: skip
MODELS = ("elman",)


def page_with_equations(page: Page, name: str) -> Page:
    """The page with the equations and shapes of a known model before its own; what the page defines or declares itself
    is left out. Raises `ConfigError` if the model is not known.
    """
    if name not in MODELS:
        raise ConfigError(f"the model is {name!r}; give one of: {', '.join(MODELS)}")
    model = build(page)
    own = set(model.equations) - model.unknown
    declared = {s.name for s in page.shapes}
    shapes = [ShapeLine(n, r, c, -1, -1, 0, "") for n, (r, c) in _SHAPES.items() if n not in declared]
    extra = [Formula(text, -1, 0, 0, SUPPLIED) for text in _EQUATIONS if text.split("^")[0] not in own]
    return replace(page, formulas=(*extra, *page.formulas), shapes=(*shapes, *page.shapes))
