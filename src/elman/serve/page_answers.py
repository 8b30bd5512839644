"""What the page shows of a text: the surprise of each token, what may come next, and a prediction's gradient."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from elman.gradient_flow import decompose_loss
from elman.inference.overflow import require_numbers
from elman.inference.predictor import NetworkPredictor
from elman.serve.answer import LEAST_LOG_PROB
from elman.serve.api_error import ApiError
from elman.serve.body import Fields
from elman.serve.limits import Limits
from elman.serve.prompt import Prompt, read_prompt
from elman.serve.served_model import Floats, Scorer, ServedModel, choose_model, likeliest, state_after

Json = dict[str, Any]
Stopped = Callable[[], bool]

MOST_NEXT = 100
"""The most next tokens of one answer."""
DEFAULT_NEXT = 20
MOST_STEPS = 256
"""The most time steps that a gradient is decomposed into, the last ones before the prediction."""
WEIGHTS = ("W_h", "W_e", "e", "h")
"""What a gradient may be with respect to."""


def models(served: Mapping[str, ServedModel]) -> Json:
    """The models with what the page says of them."""
    return {
        "models": [
            {
                "id": name, "level": model.lm.tokenizer.level, "vocabulary": model.lm.p.V, "hidden": model.lm.p.Dh,
                "layers": model.lm.p.depth, "activation": model.lm.p.activation,
                "mixture": None if model.lm.company is None else model.lm.company.weights,
            }
            for name, model in served.items()
        ]
    }  # fmt: skip


def surprise(served: Mapping[str, ServedModel], limits: Limits, body: Mapping[str, Any], stopped: Stopped) -> Json:
    """Each token of a text with its bits, -log2 p. `before` and the texts of the tokens together are the text.

    The bits are those of `elman score --no-eos`. An unknown token has those of `<unk>`.
    """
    fields = Fields(body, ("model", "text"))
    model, prompt = _text(served, limits, fields)
    scorer = Scorer(model, prompt.context, stopped)
    bits = [_bits(each.log_prob or 0.0) for each in scorer.read(prompt.ids, 0)]
    names = model.lm.tokenizer.tokens
    ends = [*prompt.offsets[1:], len(prompt.text)]
    tokens = [
        {"text": prompt.text[begin:end], "token": names[token], "id": token, "bits": n, "known": known}
        for begin, end, token, n, known in zip(prompt.offsets, ends, prompt.ids, bits, prompt.known, strict=False)
    ]
    before = prompt.text[: prompt.offsets[0]] if prompt.offsets else prompt.text
    return {"model": model.name, "before": before, "tokens": tokens}


def following(served: Mapping[str, ServedModel], limits: Limits, body: Mapping[str, Any], stopped: Stopped) -> Json:
    """The likeliest tokens after the first `at` tokens of a text, and the one that the text has there."""
    fields = Fields(body, ("model", "text", "at", "top"))
    model, prompt = _text(served, limits, fields)
    at, top = _at(fields, prompt), fields.whole("top", DEFAULT_NEXT, 1, MOST_NEXT)
    log_probs = _next_log_probs(model, prompt, at, stopped)
    finite = np.maximum(log_probs, LEAST_LOG_PROB)
    actual = prompt.ids[at] if at < len(prompt.ids) else None
    return {
        "model": model.name,
        "at": at,
        "entropy": float(-(np.exp(finite) * finite).sum() / math.log(2)),
        "tokens": [_token(model, token, log_probs) for token in likeliest(log_probs, top)],
        "actual": None if actual is None else _token(model, actual, log_probs),
        "rank": None if actual is None else 1 + int((log_probs > log_probs[actual]).sum()),
    }


def gradient(served: Mapping[str, ServedModel], limits: Limits, body: Mapping[str, Any], stopped: Stopped) -> Json:
    """What each earlier step contributes to the gradient of one loss, -ln p(target | the first `at` tokens).

    Step i of the answer reads token `first` + i of the text; where `first` is -1, step 0 reads the line end before it.
    layer: of a stack, from 0; `e` is what it reads, above the first layer the states below. Of a mixture it is the
    gradient of the network's own loss.
    """
    fields = Fields(body, ("model", "text", "at", "target", "weight", "layer"))
    model, prompt = _text(served, limits, fields)
    at, weight, p = _at(fields, prompt), fields.text("weight") or WEIGHTS[0], model.lm.p
    if weight not in WEIGHTS:
        raise ApiError(400, f"weight must be one of {', '.join(WEIGHTS)}", "weight", "invalid_value")
    layer = _existing(fields, "layer", 0, p.depth - 1, model.name)
    if "target" in fields.given:
        target = fields.whole("target", 0, 0, p.V - 1)
    elif at < len(prompt.ids):
        target = prompt.ids[at]
    else:
        target = int(np.argmax(_next_log_probs(model, prompt, at, stopped)))
    read = [*prompt.context, *prompt.ids[:at]]
    begin = max(0, len(read) - MOST_STEPS)
    h_0 = None
    if begin:
        network = NetworkPredictor(p, model.lm.tokenizer.eos)
        h_0 = network.h_after(state_after(network, read[:begin], stopped))
    x = np.array(read[begin:])[:, None]
    y = np.array([*read[begin + 1 :], target])[:, None]
    with np.errstate(all="ignore"):  # an overflow shows in the result
        found = decompose_loss(p, x, y, h_0, layer=layer)
    norms, shares = found.log10_norms[weight], found.shares.get(weight)
    require_numbers([found.J, *norms, *(() if shares is None else shares)], "the gradient of a loss")
    return {
        "model": model.name,
        "at": at,
        "weight": weight,
        "layer": layer,
        "target": {"token": model.lm.tokenizer.tokens[target], "id": target, "bits": _bits(-found.J)},
        "first": begin - len(prompt.context),
        "reach": found.reach(weight),
        "log10_norms": [float(n) if math.isfinite(n) else None for n in norms],
        "shares": None if shares is None else [float(share) for share in shares],
    }


def _text(served: Mapping[str, ServedModel], limits: Limits, fields: Fields) -> tuple[ServedModel, Prompt]:
    model = choose_model(served, fields.text("model"))
    return model, read_prompt(model, fields.text("text") or "", limits.prompt_tokens, "text")


def _at(fields: Fields, prompt: Prompt) -> int:
    return _existing(fields, "at", len(prompt.ids), len(prompt.ids), "the text")


def _existing(fields: Fields, name: str, default: int, last: int, of: str) -> int:
    """A place from 0 to `last`. Raises ApiError, with 404, for one that the text or the model does not have."""
    place = fields.whole(name, default, 0, 2**31)
    if place > last:
        raise ApiError(404, f"{name} is {place}; {of} has places from 0 to {last}", name, "not_found")
    return place


def _next_log_probs(model: ServedModel, prompt: Prompt, at: int, stopped: Stopped) -> Floats:
    """ln p of each token after the first `at` tokens of a text, float64 [V]."""
    predictor = model.lm.exact_predictor
    with np.errstate(all="ignore"):  # an overflow shows in the result
        log_probs = predictor.next(state_after(predictor, [*prompt.context, *prompt.ids[:at]], stopped))
    require_numbers(log_probs, "the log probability of a token")
    return log_probs


def _token(model: ServedModel, token: int, log_probs: Floats) -> Json:
    log_prob = float(log_probs[token])
    name = model.lm.tokenizer.tokens[token]
    return {"token": name, "id": token, "bits": _bits(log_prob), "probability": math.exp(log_prob)}


def _bits(log_prob: float) -> float:
    return -max(log_prob, LEAST_LOG_PROB) / math.log(2)
