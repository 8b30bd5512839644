"""A page → the model that it states.

Nothing here knows any network: what recurs, what is a parameter and what is a loss follows from the page's own
equations. The stages, each in a file of its own:

    page → statements (read once, with the declared names and the typed words) → notation
         → statements (read again, with it) → definitions
         → model, its abbreviations resolved, its unknown losses functions of what it ends in

A page that uses a letter for several things has a model for each of its sections: a definition in the section itself
counts before one above it, and that before one below.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from elman.calculus.expression import Derivative, Entry, Symbol, base_of, symbols
from elman.calculus.syntax.names import fold
from elman.notes.model.abbreviations import with_abbreviations
from elman.notes.model.bold_letters import with_bold_letters
from elman.notes.model.chains_by_entries import with_chains_by_entries
from elman.notes.model.class_labels import with_class_labels
from elman.notes.model.conditional_letters import with_expressions_for_letters, with_short_posteriors
from elman.notes.model.convolutions import is_about_convolutions
from elman.notes.model.d_letters import with_gradients_of_functions
from elman.notes.model.definitions import Definitions, PageUse, definitions_of, names_with_time
from elman.notes.model.dotted_matrices import with_dotted_matrices
from elman.notes.model.ellipses import with_written_out
from elman.notes.model.entries_of_functions import (
    with_entries_applied,
    with_entries_of_capitals,
    with_entries_of_functions,
    with_softmax_of_rows,
)
from elman.notes.model.example_values import kinds_in_examples
from elman.notes.model.examples import with_letters_of_examples
from elman.notes.model.families_of_matrices import with_families_of_matrices
from elman.notes.model.functions_beside import with_functions_beside
from elman.notes.model.functions_by_words import with_functions_by_words
from elman.notes.model.functions_of_entries import with_functions_of_entries
from elman.notes.model.gradients_by_entries import with_gradients_by_entries
from elman.notes.model.last_layer import with_last_layer
from elman.notes.model.left_out_steps import with_left_out_steps
from elman.notes.model.named_logarithms import with_named_logarithms
from elman.notes.model.named_losses import with_named_losses
from elman.notes.model.normal_densities import with_normal_densities
from elman.notes.model.notation import declared_names, notation_of, other_spellings
from elman.notes.model.numbered_entries import largest_numbers, with_numbered_entries
from elman.notes.model.numbered_gradients import with_numbered_gradients
from elman.notes.model.own_entries import with_own_entries
from elman.notes.model.page_functions import with_letters_for_functions
from elman.notes.model.page_model import PageModel, Statement, free_indices
from elman.notes.model.primes import with_primed_functions, with_primes_of_expressions
from elman.notes.model.repeated_indices import with_repeated_indices
from elman.notes.model.running_values import with_distributions
from elman.notes.model.said_by_the_way import definitions_within_chains
from elman.notes.model.said_in_words import with_columns_as_letters, with_equations_in_words
from elman.notes.model.shares_of_steps import letters_of_all_steps, with_shares_of_steps
from elman.notes.model.signs_for_derivatives import with_signs_for_derivatives
from elman.notes.model.sizes_in_two_cases import with_one_size
from elman.notes.model.softmax_losses import with_dot_products
from elman.notes.model.stacks import with_stacks
from elman.notes.model.stated_sizes import stated_sizes, states_a_size
from elman.notes.model.statements import read_statements
from elman.notes.model.step_letters import with_steps_under_signs
from elman.notes.model.sums import counts_of, with_bounds
from elman.notes.model.totals_of_losses import with_totals_of_losses
from elman.notes.model.transpose_signs import transpose_signs
from elman.notes.model.typed_words import typed_words
from elman.notes.model.unknown_losses import with_unknown_losses
from elman.notes.page.page import Page


def build(page: Page) -> PageModel:
    """The model of a page; what the names are used for (`roles`) is added by `with_roles`."""
    page = with_equations_in_words(page)
    declared = {line.name: (line.rows, line.columns) for line in page.shapes if "0" not in (line.rows, line.columns)}
    words = typed_words(page)
    signs = transpose_signs(page)
    star = is_about_convolutions(page)
    known = replace(declared_names(declared, words), transposes=signs, has_convolutions=star)
    first_reading, _ = read_statements(page, known)
    notation = notation_of(first_reading, declared, words, _assumed_roles(page))
    notation = replace(notation, names=replace(notation.names, transposes=signs, has_convolutions=star))
    statements, unread = read_statements(page, notation.names)
    statements = with_bold_letters(with_primed_functions(statements), notation.shapes)
    statements = with_functions_by_words(statements, page)
    statements = with_class_labels(with_repeated_indices(with_chains_by_entries(statements), page))
    statements = with_numbered_gradients(with_signs_for_derivatives(statements, notation.shapes))
    statements = with_numbered_entries(statements, notation.shapes)
    written_out = with_written_out(statements, notation.shapes)
    own = with_own_entries(written_out, notation.shapes)
    notation = replace(notation, shapes=with_one_size(own.statements, own.shapes))
    statements = with_entries_of_functions(with_entries_applied(with_softmax_of_rows(own.statements)))
    statements = with_entries_of_capitals(statements, notation.shapes)
    statements = with_dotted_matrices(statements, notation.shapes)
    statements = with_columns_as_letters(with_gradients_of_functions(statements), page)
    statements = with_stacks(with_primes_of_expressions(with_functions_of_entries(statements)))
    statements = with_normal_densities(with_expressions_for_letters(with_short_posteriors(statements)))
    members = with_families_of_matrices(statements, notation.shapes, notation.families)
    notation = replace(notation, shapes=members.shapes, families=members.families)
    statements = with_letters_for_functions(with_left_out_steps(members.statements), unread)
    statements = with_totals_of_losses(with_distributions(with_functions_beside(statements)))
    statements = with_steps_under_signs(with_shares_of_steps(statements), notation.timed)
    statements = with_letters_of_examples(statements)
    statements = with_dot_products(with_named_losses(with_named_logarithms(statements)), notation.shapes)
    bounded = with_bounds(with_gradients_by_entries(statements))
    statements = with_layers = with_last_layer(bounded)
    aliases = other_spellings(statements, notation.shapes)
    shapes = {name: shape for name, shape in notation.shapes.items() if name not in aliases}
    shapes |= {used: notation.shapes[name] for name, used in aliases.items()}
    sizes = stated_sizes(statements, shapes)
    read = PageModel(
        statements,
        unread,
        notation.names,
        shapes,
        {},
        {},
        frozenset(),
        aliases,
        families=notation.families,
        said=sizes,
        kinds={**dict(_kinds_by_name(statements)), **{name: each.kind for name, each in page.kinds.items()}},
        evidence={**kinds_in_examples(statements), **members.evidence},
        exact=own.exact,
        last_layer=with_layers != bounded,
        symmetric=frozenset(name for name, words in page.properties.items() if "symmetric" in words),
        equal_indices=frozenset(_equal_indices(statements)),
        partial=frozenset(_partial(statements)),
        numbered=largest_numbers(statements),
    )
    defining = _defining(read, statements)
    return model_with(read, _with_chains(definitions_of(defining, PageUse.of(statements)), defining))


def _kinds_by_name(statements: Iterable[Statement]) -> Iterator[tuple[str, str]]:
    """The kinds of letters whose names say what they are: inputMatrix is a matrix."""
    for name in {n.name for s in statements for n in s.nodes() if isinstance(n, Symbol)}:
        if name.endswith(("Matrix", "Vector")) and name[0].islower():
            yield name, "matrix" if name.endswith("Matrix") else "column"


def _assumed_roles(page: Page) -> Mapping[str, str]:
    """The roles that the author gives letters, by name: function, layers, euler, …"""
    return {each.name: each.role for each in page.assumptions}


def _equal_indices(statements: Sequence[Statement]) -> Iterator[tuple[str, str]]:
    """The letters o and z of derivatives ∂o_i/∂z_i that are left sides."""
    for s in statements:
        left = s.parts[0]
        if len(s.parts) > 1 and isinstance(left, Derivative) and isinstance(left.of, Entry) and not left.at:
            of, by = left.of.of, left.wrt
            if not (isinstance(by, Entry) and isinstance(of, Symbol) and isinstance(by.of, Symbol)):
                continue
            if left.of.indices[-1] == by.indices[-1] and by.indices[-1].variable is not None:
                yield of.name, by.of.name


def _partial(statements: Sequence[Statement]) -> Iterator[tuple[str, str]]:
    """The letters y and x of derivatives ∂y/∂x that are left sides."""
    for s in statements:
        left = s.parts[0]
        if len(s.parts) > 1 and isinstance(left, Derivative):
            of, by = base_of(left.of), base_of(left.wrt)
            if isinstance(of, Symbol) and isinstance(by, Symbol):
                yield of.name, by.name


def section_model(
    model: PageModel,
    sections: Sequence[frozenset[int]],
    which: int,
    others: Mapping[str, Collection[int]] = MappingProxyType({}),
) -> PageModel:
    """The model of one section of a page; `sections` are the numbers of the statements of each, in order, and `others`
    those that are about another letter of the same name.
    """
    use = PageUse.of(model.statements)
    order = [which, *range(which - 1, -1, -1), *range(which + 1, len(sections))]
    found = Definitions({}, {}, {})
    for k in order:
        own = _defining(model, [s for s in model.statements if s.number in sections[k]])
        start = min(sections[k]) if k else -1
        found = found.before(definitions_of(own, replace(use, start=start)).without(others))
    found = _with_chains(found, _defining(model, model.statements))
    return model_with(replace(model, own=sections[which]), found)


def _with_chains(found: Definitions, statements: Sequence[Statement]) -> Definitions:
    """The definitions, and those of letters with layers that only a part of a chain gives, a^l in h = a^l = g(z^l)."""
    known = {*found.equations, *found.named}
    within = (d for s in statements for d in definitions_within_chains(s, known))
    layered = {
        d.name: (replace(d, statement=-1, part=-1),)  # h = g(z^l) does not define a
        for d in reversed(list(within))
        if d.time is not None and d.time.variable is not None
    }
    return replace(found, equations=found.equations | layered)


def _defining(model: PageModel, statements: Sequence[Statement]) -> list[Statement]:
    return [s for s in statements if not states_a_size(s, model.said)]


def _fixed_indices(found: Definitions) -> frozenset[str]:
    """The indices that a right side has and its left side has not."""
    definitions = [d for of_name in found.equations.values() for d in of_name]
    return frozenset(i for d in definitions for i in free_indices(d.value) - set(d.indices))


def model_with(model: PageModel, found: Definitions) -> PageModel:
    """The model with these definitions, whatever it had before."""
    letters = {n for s in model.statements for part in s.parts for n in symbols(part)}
    timed = model.names.timed | {s.name for s in letters if s.time is not None and s.time.variable}
    timed -= letters_of_all_steps(model.statements)
    model = replace(
        model,
        equations=found.equations,
        named=found.named,
        start=found.start,
        timed=names_with_time(found, timed),
        unknown=frozenset(),
        fixed=_fixed_indices(found),
        counts=frozenset(map(fold, counts_of([part for s in model.statements for part in s.parts]))),
    )
    return with_unknown_losses(with_abbreviations(model))
