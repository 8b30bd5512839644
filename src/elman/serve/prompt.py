"""A prompt as the model reads it: what is read before its first scored token, its text, and where its tokens begin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from elman.errors import TextError
from elman.serve.api_error import ApiError
from elman.serve.served_model import ServedModel
from elman.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Prompt:
    """A prompt of n tokens.

    ids      its tokens
    context  what the model reads before them: a line end, unless token ids begin with one
    text     its text as the tokenizer reads it
    offsets  where each token begins in the text
    known    whether each token is in the vocabulary; of token ids, all are
    """

    ids: list[int]
    context: list[int]
    text: str
    offsets: list[int]
    known: list[bool]


def read_prompt(model: ServedModel, given: str | list[int], most: int, name: str = "prompt") -> Prompt:
    """The prompt of a request, of at most so many tokens. name: the field that it is in.

    Raises ApiError for a longer one, for what is no text, and for ids that the vocabulary lacks.
    """
    prompt = _read(model, given, name)
    if len(prompt.ids) > most:
        raise ApiError(
            400, f"a {name} has {len(prompt.ids)} tokens; this server takes at most {most}", name,
            "context_length_exceeded",
        )  # fmt: skip
    return prompt


def _read(model: ServedModel, given: str | list[int], name: str) -> Prompt:
    tokenizer = model.lm.tokenizer
    if isinstance(given, str):
        try:
            encoded, unknown = tokenizer.encode_with_oov(given)
        except TextError as error:
            raise ApiError(400, f"{name}: {error}", name, "invalid_value") from None
        ids = encoded.tolist()
        return Prompt(ids, [tokenizer.eos], *_text_and_offsets(tokenizer, given, ids), (~unknown).tolist())
    for token in given:
        if not 0 <= token < tokenizer.V:
            expected = f"the ids of {model.name} are 0 to {tokenizer.V - 1}"
            raise ApiError(400, f"{name} has the token id {token}; {expected}", name, "invalid_value")
    context = [] if given[:1] == [tokenizer.eos] else [tokenizer.eos]
    return Prompt(given, context, *_decoded(tokenizer, given), [True] * len(given))


def _text_and_offsets(tokenizer: Tokenizer, given: str, ids: Sequence[int]) -> tuple[str, list[int]]:
    if tokenizer.level in ("byte", "bpe"):
        return _decoded(tokenizer, ids)
    text = "".join(tokenizer.as_read([given]))
    if tokenizer.level == "char":
        return text, list(range(len(ids)))
    offsets, at = [], 0
    for word in tokenizer.surfaces(given):
        places = [text.find(each, at) for each in ([word, "\n"] if word == tokenizer.tokens[tokenizer.eos] else [word])]
        begin = min((place for place in places if place >= 0), default=at)
        offsets.append(begin)
        at = begin + (1 if text[begin : begin + 1] == "\n" else len(word))
    return text, offsets


def _decoded(tokenizer: Tokenizer, ids: Sequence[int]) -> tuple[str, list[int]]:
    decoder, text, offsets = tokenizer.decoder(), "", []
    pieces = []
    length = 0
    for token in ids:
        offsets.append(length)
        pieces.append(decoder.push(token))
        length += len(pieces[-1])
    text = "".join(pieces) + decoder.flush()
    return text, offsets
