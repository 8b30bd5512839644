"""A page → the model that it states.

Nothing here knows any network: what recurs, what is a parameter and what is a loss follows from the page's own
equations. The stages, each in a file of its own:

    page → statements (read once, with the declared names) → notation → statements (read again, with it)
         → definitions → model, its abbreviations resolved
"""

from __future__ import annotations

from elman.notes.model.abbreviations import with_abbreviations
from elman.notes.model.definitions import definitions_of, names_with_time
from elman.notes.model.notation import declared_names, notation_of, other_spellings
from elman.notes.model.page_model import PageModel
from elman.notes.model.stated_sizes import stated_sizes, states_a_size
from elman.notes.model.statements import read_statements
from elman.notes.model.unknown_losses import with_unknown_losses
from elman.notes.page.page import Page


def build(page: Page) -> PageModel:
    """The model of a page; what the names are used for (`roles`) is added by `with_roles`."""
    declared = {line.name: (line.rows, line.columns) for line in page.shapes if "0" not in (line.rows, line.columns)}
    first_reading, _ = read_statements(page, declared_names(declared))
    notation = notation_of(first_reading, declared)
    statements, unread = read_statements(page, notation.names)
    aliases = other_spellings(statements, notation.shapes)
    shapes = {name: shape for name, shape in notation.shapes.items() if name not in aliases}
    shapes |= {used: notation.shapes[name] for name, used in aliases.items()}
    sizes = stated_sizes(statements, shapes)
    definitions = definitions_of([s for s in statements if not states_a_size(s, sizes)])
    model = PageModel(
        statements,
        unread,
        notation.names,
        shapes,
        definitions.equations,
        definitions.named,
        names_with_time(definitions, notation.timed),
        aliases,
        definitions.start,
        families=notation.families,
        said=sizes,
    )
    return with_unknown_losses(with_abbreviations(model))
