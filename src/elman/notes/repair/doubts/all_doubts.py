"""What speaks against calling a single claim wrong: the reading under which it fails rests on a guess.

Each doubt takes a claim that fails and says what to write, so that it can be checked; empty where it does not apply.
"""

from __future__ import annotations

from elman.notes.judge.checker import Checker
from elman.notes.judge.claim_kinds import is_product_written_out
from elman.notes.judge.judgement import Judgement
from elman.notes.repair.doubts.derivatives import (
    at_a_point,
    by_an_entry,
    by_itself,
    constant_derivative,
    direct_use,
    disconnected,
    where_a_gradient_is_zero,
    written_out_above,
)
from elman.notes.repair.doubts.indices import (
    index_of_one_entry,
    last_of_all,
    of_one_example,
    one_apart_from_a_sum,
    one_hot_entry,
    one_of_several,
    runs_to_another_size,
    size_on_one_side,
    sum_of_equal_terms,
    summed_over_its_step,
    total_of_all,
)
from elman.notes.repair.doubts.letters import (
    defined_anew,
    letter_on_one_side,
    letters_of_a_rule,
    may_be_convolution,
    mended_by_a_name_used_again,
    named_by_another_letter,
    of_a_number,
    of_the_equation_above,
    supposed_equal,
    written_twice,
)
from elman.notes.repair.doubts.no_claims import (
    a_differential,
    a_given_value,
    of_a_counted_size,
    of_any_shape,
    of_differentials,
    of_one_index,
    of_several_values,
    of_two_members,
    of_two_steps,
)
from elman.notes.repair.doubts.shapes import (
    declared_below,
    declared_twice,
    entry_of_a_number,
    is_mostly_declared,
    number_or_column,
    number_or_letter,
    rows_for_columns,
    said_to_be_square,
    turned_by_entries,
    turned_gradient,
    turned_vector,
    without_small_repair,
)
from elman.notes.repair.explanation import Explanation, as_judged


def doubt_of(checker: Checker, e: Explanation) -> str:
    """Why a claim that fails is not to be called wrong, and what to write; empty where nothing speaks against it."""
    readings = _OF_DEFINITIONS if e.judgement.defines is not None else _OF_READINGS
    doubts = (*_OF_ALL, declared_below, *readings)
    return next((why for why in (doubt(checker, e) for doubt in doubts) if why), "")


def doubt_before_repair(checker: Checker, j: Judgement) -> str:
    """A doubt that stands whatever repairs are found, so that none need be searched for; empty where there is none."""
    if j.defines is not None:
        doubts = _OF_ALL
    else:
        known = is_mostly_declared(checker, j) or is_product_written_out(j.left, j.expression)
        guessed = () if known else (letter_on_one_side,)
        doubts = (*_OF_ALL, *guessed, *_OF_CLAIM)
    e = as_judged(j)
    return next((why for why in (doubt(checker, e) for doubt in doubts) if why), "")


def doubt_of_shapes(checker: Checker, j: Judgement) -> str:
    """A doubt that the shapes are those of the letters that a claim has, so that they clash; empty where there is
    none.
    """
    e = as_judged(j)
    return next((why for why in (doubt(checker, e) for doubt in (*_OF_ALL, declared_below)) if why), "")


_OF_ALL = (
    by_itself,
    declared_twice,
    said_to_be_square,
    number_or_letter,
    of_any_shape,
    of_two_steps,
    of_two_members,
    of_one_index,
    may_be_convolution,
)
_OF_CLAIM = (
    a_differential,
    of_differentials,
    a_given_value,
    of_a_counted_size,
    of_several_values,
    at_a_point,
    of_the_equation_above,
    one_of_several,
    where_a_gradient_is_zero,
    index_of_one_entry,
    sum_of_equal_terms,
    summed_over_its_step,
    total_of_all,
    last_of_all,
    turned_gradient,
    of_one_example,
    one_hot_entry,
    by_an_entry,
    disconnected,
    written_out_above,
    turned_vector,
    rows_for_columns,
    supposed_equal,
    of_a_number,
    direct_use,
    letters_of_a_rule,
    one_apart_from_a_sum,
    entry_of_a_number,
    size_on_one_side,
    runs_to_another_size,
)
_OF_DEFINITIONS = (written_twice, named_by_another_letter, without_small_repair)
_OF_READINGS = (
    turned_by_entries,
    without_small_repair,
    number_or_column,
    defined_anew,
    letter_on_one_side,
    constant_derivative,
    mended_by_a_name_used_again,
    *_OF_CLAIM,
)
