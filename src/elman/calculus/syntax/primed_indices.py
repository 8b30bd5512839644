r"""Indices with primes: j' of w_{j'i}, an index of its own beside j, and a' of Σ_{a'} π(a') wherever it stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from elman.calculus.syntax.tokens import CLOSING, OPENING, Token

_BIG_SIGNS = frozenset(("sum", "prod"))
_PRIME = "'"


def with_primed_indices(tokens: list[Token]) -> list[Token]:
    """The tokens of a formula with one letter for each letter with a prime in a subscript, or over which a sum or an
    expectation runs.
    """
    if not any(_length_of_prime(tokens, i) for i in range(len(tokens))):
        return tokens
    below, under_sums = set(_subscripts(tokens, False)), set(_subscripts(tokens, True))
    primed = [i for i in below if _is_primed(tokens, i)]
    bound = {tokens[i].text for i in primed if i in under_sums or _is_drawn(tokens, i)}
    found: list[Token] = []
    i = 0
    while i < len(tokens):
        token, length = tokens[i], 0
        if _is_primed(tokens, i) and (i in below or token.text in bound):
            length = _length_of_prime(tokens, i + 1)
            token = replace(token, text=token.text + _PRIME, end=tokens[i + length].end)
        found.append(token)
        i += 1 + length
    return found


def _is_primed(tokens: Sequence[Token], i: int) -> bool:
    """Whether a token is a letter with one prime."""
    length = _length_of_prime(tokens, i + 1)
    return tokens[i].kind == "letter" and length > 0 and not _length_of_prime(tokens, i + 1 + length)


def _is_drawn(tokens: Sequence[Token], i: int) -> bool:
    r"""Whether a letter with a prime is drawn from something, as a' of a' \sim p(a')."""
    behind = i + 1 + _length_of_prime(tokens, i + 1)
    return behind < len(tokens) and tokens[behind].text == "sim"


def _length_of_prime(tokens: Sequence[Token], i: int) -> int:
    r"""How many tokens the prime at a place has, of ', ^\prime and ^{\prime}; 0 where none is."""
    kinds = [t.text if t.kind == "command" else t.kind for t in tokens[i : i + 4]]
    if kinds[:1] == [_PRIME]:
        return 1
    if kinds[:2] == ["^", "prime"]:
        return 2
    return 4 if kinds == ["^", "{", "prime", "}"] else 0


def _subscripts(tokens: Sequence[Token], of_sums: bool) -> Iterator[int]:
    """The places of the tokens in subscripts with braces, or in those of sums and products alone."""
    depth, ends = 0, list[int]()
    for i, token in enumerate(tokens):
        depth -= token.kind in CLOSING
        if ends and depth == ends[-1] and token.kind in CLOSING:
            ends.pop()
        before = tokens[i - 1].kind if i else ""
        begins = before == "_" and (not of_sums or (i > 1 and tokens[i - 2].text in _BIG_SIGNS))
        if ends:  # of e_i', the prime is above e_i
            yield i
        if begins and token.kind in OPENING:
            ends.append(depth)
        depth += token.kind in OPENING
