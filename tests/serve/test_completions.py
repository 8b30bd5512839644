"""The completions API: its texts are those of `elman generate`, its scores those of `elman score` and `evaluate`."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from starlette.testclient import TestClient

import elman
from elman.serve.app import application
from elman.serve.limits import Limits
from elman.serve.served_model import ServedModel, load_models

LIMITS = Limits(body=10_000, prompts=4, prompt_tokens=60, tokens=200, seconds=60, texts=64)


@pytest.fixture(scope="module")
def client(word_run: Path, char_run: Path) -> Iterator[TestClient]:
    reports: list[str] = []
    models = load_models([word_run, char_run])
    with TestClient(application(models, LIMITS, None, True, reports.append), base_url="http://localhost") as client:
        yield client
    assert not reports


def complete(client: TestClient, **body: Any) -> dict[str, Any]:
    answer = client.post("/v1/completions", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def texts(answer: dict[str, Any]) -> list[str]:
    assert [choice["index"] for choice in answer["choices"]] == list(range(len(answer["choices"])))
    return [choice["text"] for choice in answer["choices"]]


def streamed(client: TestClient, **body: Any) -> list[dict[str, Any]]:
    with client.stream("POST", "/v1/completions", json=body | {"stream": True}) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = [line.removeprefix("data: ") for line in answer.iter_lines() if line]
    assert events[-1] == "[DONE]"
    return [json.loads(event) for event in events[:-1]]


SETTINGS: list[dict[str, Any]] = [
    {"max_tokens": 40, "temperature": 0.7, "seed": 1},
    {"max_tokens": 40, "temperature": 0, "seed": 1},
    {"max_tokens": 40, "top_p": 0.8, "seed": 2},
    {"max_tokens": 40, "top_k": 3, "temperature": 1.5, "seed": 3},
    {"max_tokens": 40, "seed": 4, "stop": ["under", "z"]},
    {"max_tokens": 0, "seed": 4},
    {"max_tokens": 40, "seed": 5, "min_p": 0.1},
    {"max_tokens": 40, "seed": 6, "repetition_penalty": 1.3, "temperature": 0.9},
    {"max_tokens": 20, "seed": 7, "repetition_penalty": 1e307},
    {"max_tokens": 40, "seed": 7, "repetition_penalty": 1.2, "min_p": 0.05, "top_k": 9, "stop": "under"},
]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("model", ["word", "char"])
def test_the_text_is_that_of_generate(
    client: TestClient, word_run: Path, char_run: Path, model: str, settings: dict[str, Any]
) -> None:
    lm = elman.load(word_run if model == "word" else char_run)
    answer = complete(client, model=model, prompt="the cat", **settings)
    assert texts(answer) == [lm.generate("the cat", **settings)]
    assert answer["model"] == model
    assert answer["object"] == "text_completion"
    assert answer["usage"]["prompt_tokens"] == len(lm.tokenizer.encode("the cat"))


def test_the_text_of_an_adaptive_output_is_that_of_generate(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "adaptive"
    lm = elman.train(corpus, out=out, output="adaptive", cutoffs="5,11", hidden=16, epochs=1, batch_size=4, bptt=8)
    with TestClient(application(load_models([out]), LIMITS, None, True, str), base_url="http://localhost") as client:
        for settings in SETTINGS:
            assert texts(complete(client, prompt="the cat", **settings)) == [lm.generate("the cat", **settings)]


@pytest.fixture(scope="module", params=["ngram,unigram", "cache,dynamic"])
def mixed(request: pytest.FixtureRequest, word_run: Path) -> Iterator[tuple[TestClient, elman.LanguageModel]]:
    """A client of a server of a mixture, and the mixture."""
    parts = request.param.split(",")
    app = application(load_models([word_run], parts), LIMITS, None, True, pytest.fail)
    with TestClient(app, base_url="http://localhost") as client:
        yield client, elman.load(word_run, parts)


def test_the_text_of_a_mixture_is_that_of_generate(mixed: tuple[TestClient, elman.LanguageModel]) -> None:
    client, lm = mixed
    for settings in SETTINGS:
        assert texts(complete(client, prompt="the cat", **settings)) == [lm.generate("the cat", **settings)]


@pytest.mark.parametrize("logprobs", [0, 2])
def test_the_scores_of_a_mixture_are_those_of_the_text(
    mixed: tuple[TestClient, elman.LanguageModel], logprobs: int
) -> None:
    client, lm = mixed
    asked = {"prompt": "the zebra  sat", "echo": True, "logprobs": logprobs, "max_tokens": 30, "seed": 3}
    (choice,) = complete(client, **asked)["choices"]
    expected = [s.log_prob for s in lm.full_scores(choice["text"], eos=False, base=np.e)]
    scores = choice["logprobs"]
    assert len(expected) > 30
    assert scores["token_logprobs"] == pytest.approx(expected, abs=1e-6)  # the network's sums are of float32
    for name, log_prob, best in zip(scores["tokens"], scores["token_logprobs"], scores["top_logprobs"], strict=True):
        assert best[name] == log_prob
        assert max(1, logprobs) <= len(best) <= logprobs + 1


def test_the_texts_of_n_are_those_of_count(client: TestClient, word_run: Path) -> None:
    lm, generator = elman.load(word_run), np.random.default_rng(5)
    sampling = elman.inference.generate.Sampling(7)
    expected = ["".join(lm.stream("the ox", sampling, generator)) for _ in range(3)]
    assert texts(complete(client, model="word", prompt="the ox", n=3, max_tokens=7, seed=5)) == expected


def test_a_request_has_the_same_texts_alone_and_among_others(client: TestClient) -> None:
    requests = [
        {"model": "char" if k % 2 else "word", "prompt": ["the cat", "the hen ran"], "n": 1 + k % 3, "seed": k,
         "max_tokens": 20 + 5 * k, "temperature": 0.5 + k / 10, "stop": "roof",
         "min_p": 0.1 * (k % 3 == 0), "repetition_penalty": 1 + k % 2}
        for k in range(8)
    ]  # fmt: skip
    alone = [texts(complete(client, **request)) for request in requests]
    together: dict[int, list[str]] = {}

    def ask(k: int) -> None:
        together[k] = texts(complete(client, **requests[k]))

    threads = [threading.Thread(target=ask, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[k] for k in range(8)] == alone


@pytest.mark.parametrize("more", [{}, {"stop": "roof"}, {"echo": True}, {"n": 2, "logprobs": 2, "echo": True}])
@pytest.mark.parametrize("model", ["word", "char"])
def test_a_stream_adds_up_to_the_whole(client: TestClient, model: str, more: dict[str, Any]) -> None:
    body = {"model": model, "prompt": ["the cat", "the dog"], "max_tokens": 60, "seed": 1} | more
    whole = complete(client, **body)
    events = streamed(client, **body)
    parts: list[dict[str, Any]] = [
        {"index": k, "text": "", "logprobs": None, "finish_reason": None} for k in range(len(whole["choices"]))
    ]
    for event in events:
        (choice,) = event["choices"]
        part = parts[choice["index"]]
        assert part["finish_reason"] is None
        part["text"] += choice["text"]
        part["finish_reason"] = choice["finish_reason"]
        if choice["logprobs"]:
            part["logprobs"] = part["logprobs"] or {key: [] for key in choice["logprobs"]}
            for key, values in choice["logprobs"].items():
                part["logprobs"][key] += values
    for part, choice in zip(parts, whole["choices"], strict=True):
        for scores in filter(None, (part["logprobs"], choice["logprobs"])):
            for key in ("token_logprobs", "top_logprobs"):  # the batch changes the last bits
                scores[key] = json.loads(json.dumps(scores[key]), parse_float=lambda x: round(float(x), 10))
    assert parts == whole["choices"]


def test_usage_comes_last_in_a_stream_where_it_is_asked_for(client: TestClient) -> None:
    *events, last = streamed(client, prompt="the cat", max_tokens=5, stream_options={"include_usage": True})
    assert all(event["usage"] is None for event in events)
    assert last["choices"] == []
    assert last["usage"] == {"prompt_tokens": 2, "completion_tokens": 5, "total_tokens": 7}
    assert "usage" not in streamed(client, prompt="the cat", max_tokens=5)[0]


@pytest.mark.parametrize("text", ["the cat sat on the mat", "the zebra  sat\non the <unk> \nroof", ""])
def test_echo_with_logprobs_gives_the_score_of_a_prompt(client: TestClient, word_run: Path, text: str) -> None:
    lm = elman.load(word_run)
    (choice,) = complete(client, prompt=text, echo=True, logprobs=3, max_tokens=0)["choices"]
    assert choice["text"] == text
    scores = choice["logprobs"]
    expected = [s.log_prob for s in lm.full_scores(text, eos=False, base=np.e)]
    assert scores["token_logprobs"] == pytest.approx(expected, abs=1e-12)
    names = [lm.tokenizer.tokens[k] for k in lm.tokenizer.encode(text)]
    assert scores["tokens"] == names
    for surface, offset in zip(lm.tokenizer.surfaces(text), scores["text_offset"], strict=True):
        assert text.startswith((surface, "\n") if surface == "<eos>" else surface, offset)
    for name, log_prob, best in zip(names, scores["token_logprobs"], scores["top_logprobs"], strict=True):
        assert best[name] == log_prob
        assert 3 <= len(best) <= 4
        assert list(best.values())[:3] == sorted(best.values(), reverse=True)[:3]


def test_token_ids_after_a_line_end_have_the_figures_of_evaluate(client: TestClient, word_run: Path) -> None:
    lm, text = elman.load(word_run), "the cat sat on the mat\nthe bee slept under the moon\n"
    ids = [lm.tokenizer.eos, *lm.tokenizer.encode(text).tolist()]
    (choice,) = complete(client, prompt=ids, echo=True, logprobs=0, max_tokens=0)["choices"]
    first, *others = choice["logprobs"]["token_logprobs"]
    assert first is None
    assert -sum(others) == pytest.approx(lm.evaluate(text).nats, rel=1e-6)
    assert choice["logprobs"]["top_logprobs"][0] is None
    assert choice["text"] == "\n" + text


def test_the_scores_of_drawn_tokens_are_those_of_the_text(client: TestClient, char_run: Path) -> None:
    lm = elman.load(char_run)
    (choice,) = complete(client, model="char", prompt="the cat", max_tokens=30, seed=1, logprobs=1)["choices"]
    whole = [s.log_prob for s in lm.full_scores("the cat" + choice["text"], eos=False, base=np.e)]
    assert choice["logprobs"]["token_logprobs"] == pytest.approx(whole[7:], abs=1e-12)
    assert choice["logprobs"]["text_offset"] == list(range(30))
    assert "".join(choice["logprobs"]["tokens"]) == choice["text"]


def test_tokens_after_a_stop_string_have_no_scores(client: TestClient) -> None:
    (choice,) = complete(client, prompt="the cat", max_tokens=100, seed=1, logprobs=0, stop=" on the")["choices"]
    assert choice["finish_reason"] == "stop"
    assert choice["logprobs"]["tokens"] == choice["text"].replace("\n", " <eos> ").split()


def test_lists_of_ids_are_prompts(client: TestClient, word_run: Path) -> None:
    tokenizer = elman.load(word_run).tokenizer
    prompts = [[tokenizer.eos, *tokenizer.encode(text).tolist()] for text in ("the cat", "the hen ran")]
    of_ids = complete(client, prompt=prompts, seed=1, max_tokens=9)
    assert texts(of_ids) == texts(complete(client, prompt=["the cat", "the hen ran"], seed=1, max_tokens=9))
    assert texts(complete(client, prompt=prompts[0], seed=1, max_tokens=9)) == texts(of_ids)[:1]
    assert (
        texts(complete(client, prompt=prompts[0][1:], seed=1, max_tokens=9)) == texts(of_ids)[:1]
    )  # a line all the same
    as_floats = [float(token) for token in prompts[0]]
    assert texts(complete(client, prompt=as_floats, seed=1, max_tokens=9)) == texts(of_ids)[:1]


def refused(answer: Any, status: int, param: str | None = None) -> str:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert error["param"] == param
    message: str = error["message"]
    assert "/tmp" not in message
    return message


WRONG: list[tuple[dict[str, Any], str | None, str]] = [
    ({"prompt": 3}, "prompt", "prompt is 3; it must be a text, a list of texts"),
    ({"prompt": []}, "prompt", "a list of 0"),
    ({"prompt": ["a", 1]}, "prompt", "must be"),
    ({"prompt": [[]]}, "prompt", "empty"),
    ({"prompt": [[1], [-1]]}, "prompt", "-1"),
    ({"prompt": [10**6]}, "prompt", "the ids of word are 0 to"),
    ({"prompt": [True]}, "prompt", "must be"),
    ({"prompt": ["a"] * 5}, "prompt", "at most 4"),
    ({"prompt": "a " * 61}, "prompt", "at most 60"),
    ({"prompt": "\ud800"}, "prompt", "prompt: "),
    ({"max_tokens": 201}, "max_tokens", "from 0 to 200"),
    ({"max_tokens": "5"}, "max_tokens", "whole number"),
    ({"max_tokens": -1}, "max_tokens", "from 0 to 200"),
    ({"temperature": -0.1}, "temperature", "at least 0"),
    ({"temperature": 10**400}, "temperature", "at least 0"),
    ({"top_p": 0}, "top_p", "over 0"),
    ({"min_p": 1.1}, "min_p", "from 0 to 1"),
    ({"repetition_penalty": 0.9}, "repetition_penalty", "at least 1"),
    ({"n": 17}, "n", "from 1 to 16"),
    ({"seed": -1}, "seed", "at least 0"),
    ({"seed": 1.5}, "seed", "whole number"),
    ({"logprobs": 21}, "logprobs", "from 0 to 20"),
    ({"echo": "yes"}, "echo", "true or false"),
    ({"stop": [""]}, "stop", "1 to 256"),
    ({"stop": ["a"] * 17}, "stop", "at most 16"),
    ({"stream_options": {"include_usage": True}}, "stream_options", "only for"),
    ({"stream": True, "stream_options": {"x": 1}}, "stream_options", "include_usage"),
    ({"best_of": 2}, "best_of", "not supported"),
    ({"presence_penalty": 0.5}, "presence_penalty", "not supported"),
    ({"logit_bias": {"1": 1}}, "logit_bias", "not supported"),
    ({"suffix": "x"}, "suffix", "not supported"),
    ({"stop_token": 1}, "stop_token", "not known"),
]


@pytest.mark.parametrize(("body", "param", "sentence"), WRONG, ids=lambda value: str(value)[:30])
def test_wrong_fields_are_refused(client: TestClient, body: dict[str, Any], param: str, sentence: str) -> None:
    answer = client.post("/v1/completions", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert sentence in refused(answer, 400, param)


def test_values_that_ask_for_nothing_are_taken(client: TestClient) -> None:
    nothing = {
        "best_of": 2, "n": 2, "presence_penalty": 0, "frequency_penalty": 0.0, "logit_bias": {}, "suffix": None,
        "user": "me", "stop": None, "seed": None, "logprobs": None, "stream": False, "temperature": 1,
        "max_tokens": 2.0,
    }  # fmt: skip
    assert len(complete(client, **nothing)["choices"]) == 2


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"temperature": NaN}', b"[" * 9000, b"\xff", b"1" * 5000]
)
def test_a_body_that_is_no_object_is_refused(client: TestClient, body: bytes) -> None:
    refused(client.post("/v1/completions", content=body, headers={"Content-Type": "application/json"}), 400)


def test_a_body_of_another_type_or_too_large_is_refused(client: TestClient) -> None:
    refused(client.post("/v1/completions", content=b"{}", headers={"Content-Type": "text/plain"}), 415)
    refused(client.post("/v1/completions", content=b"{}"), 415)
    gzip = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    refused(client.post("/v1/completions", content=b"{}", headers=gzip), 415)
    plain = {"Content-Type": "application/json"}
    refused(client.post("/v1/completions", content=b" " * 10_001, headers=plain), 413)
    refused(client.post("/v1/completions", content=iter([b" " * 6000] * 2), headers=plain), 413)


def test_what_is_not_there_is_refused(client: TestClient) -> None:
    refused(client.get("/nothing"), 404)
    refused(client.get("/v1/models/"), 404, "model")
    refused(client.get("/v1/models/a/b"), 404, "model")
    refused(client.post("/v1/completions", json={"model": "none"}), 404, "model")
    answer = client.get("/v1/completions")
    refused(answer, 405)
    assert answer.headers["allow"] == "POST"
    refused(client.delete("/health"), 405)


def test_models_health_metrics_and_the_api_page(client: TestClient, word_run: Path) -> None:
    assert [model["id"] for model in client.get("/v1/models").json()["data"]] == ["word", "char"]
    assert client.get("/v1/models/char").json()["object"] == "model"
    assert client.get("/health").json() == {"status": "ok"}
    before = client.get("/metrics").text
    complete(client, prompt="the cat", max_tokens=11)
    after = client.get("/metrics").text
    name = 'elman_completion_tokens_total{model="word"} '

    def tokens(text: str) -> int:
        return sum(int(line.removeprefix(name)) for line in text.splitlines() if line.startswith(name))

    assert tokens(after) == tokens(before) + 11
    assert "elman_texts_in_progress 0\n" in after
    described = client.get("/openapi.json").json()
    assert described["openapi"].startswith("3.")
    paths = described["paths"]
    others = {"/health", "/metrics", "/tokenize", "/detokenize", "/tokenizer_info"}
    of_the_page = {"/page/about", "/page/surprise", "/page/next", "/page/gradient", "/page/check"}
    assert paths.keys() == {"/v1/completions", "/v1/models", "/v1/models/{model}"} | others | of_the_page
    for path, operations in paths.items():
        for method in operations:
            assert client.request(method, path).status_code != 405
    page = client.get("/docs").text
    assert "http" not in page.replace("<!doctype html>", "")
    everything = "".join([page, after, json.dumps(described), client.get("/v1/models").text])
    assert str(word_run.parent) not in everything


def test_tokens_and_their_text(client: TestClient, word_run: Path) -> None:
    tokenizer = elman.load(word_run).tokenizer
    ids = tokenizer.encode("the cat\n").tolist()
    assert client.post("/tokenize", json={"prompt": "the cat\n"}).json()["tokens"] == [tokenizer.eos, *ids]
    plain = client.post("/tokenize", json={"prompt": "the cat\n", "add_special_tokens": False}).json()
    assert (plain["tokens"], plain["count"]) == (ids, 3)
    assert client.post("/detokenize", json={"tokens": ids}).json() == {"prompt": "the cat\n"}
    assert client.post("/detokenize", json={}).json() == {"prompt": ""}
    refused(client.post("/detokenize", json={"tokens": [-1]}), 400, "prompt")
    refused(client.post("/detokenize", json={"tokens": ["a"]}), 400, "tokens")
    refused(client.post("/tokenize", json={"text": "a"}), 400, "text")
    info = client.get("/tokenizer_info").json()
    assert info == {"level": "word", "vocab_size": tokenizer.V, "bos_token": "\n", "eos_token": "\n"}
    for model in ("word", "char"):
        body = {"model": model, "prompt": info["eos_token"], "add_special_tokens": False}
        assert client.post("/tokenize", json=body).json()["count"] == 1


def test_a_page_under_another_name_is_refused(client: TestClient) -> None:
    assert "localhost" in refused(client.get("/health", headers={"Host": "evil.example:8000"}), 400)
    for host in ("127.0.0.1:8000", "[::1]:8000", "LOCALHOST", "127.1.2.3"):
        assert client.get("/health", headers={"Host": host}).status_code == 200


def test_a_network_that_overflows_is_an_error(word_run: Path) -> None:
    lm = elman.load(word_run)
    lm.p.U[:] = 3e38
    lm.p.U[0] = -3e38
    app = application({"big": ServedModel("big", lm)}, LIMITS, None, True, pytest.fail)
    with TestClient(app, base_url="http://localhost") as client:
        message = refused(client.post("/v1/completions", json={"prompt": "the cat"}), 500)
        assert "not a number" in message


def test_a_key_is_asked_for(word_run: Path) -> None:
    app = application(load_models([word_run]), LIMITS, "secret", False, pytest.fail)
    with TestClient(app, base_url="http://anything") as client:
        for headers in (
            {},
            {"Authorization": "Bearer wrong"},
            {"Authorization": "secret"},
            {"Authorization": "Bearer é"},
        ):
            raw = {key: value.encode() for key, value in headers.items()}
            for path in ("/v1/models", "/metrics", "/nothing"):
                answer = client.get(path, headers=raw)
                refused(answer, 401)
                assert answer.headers["www-authenticate"] == "Bearer"
        assert client.get("/health").status_code == 200
        assert client.get("/openapi.json").json()["paths"]["/v1/models"]["get"]["security"] == [{"key": []}]
        right = {"Authorization": "Bearer secret"}
        assert client.get("/v1/models", headers=right).status_code == 200
        assert client.post("/v1/completions", json={}, headers=right).status_code == 200


def test_too_many_texts_and_too_long_a_time_are_refused(word_run: Path) -> None:
    models = load_models([word_run])
    slow = Limits(prompts=1, texts=16, tokens=10**9, seconds=0.5)
    with TestClient(application(models, slow, None, True, pytest.fail), base_url="http://localhost") as client:
        full = {"n": 16, "max_tokens": 10**8}
        seen: list[httpx.Response] = []
        while not seen:  # once more where the machine is so busy that the time was up before
            waiting = threading.Thread(target=client.post, args=("/v1/completions",), kwargs={"json": full})
            waiting.start()
            while waiting.is_alive():
                if "elman_texts_in_progress 16\n" in client.get("/metrics").text:
                    answer = client.post("/v1/completions", json={})
                    seen += [answer] if answer.status_code == 429 else []
            waiting.join()
        refused(seen[0], 429)
        assert seen[0].headers["retry-after"] == "1"
        message = refused(client.post("/v1/completions", json={"max_tokens": 10**8}), 503)
        assert "longer than the server allows" in message
        *_, last = streamed(client, max_tokens=10**8)
        assert last["error"]["code"] == "timeout"
        while client.post("/v1/completions", json={"max_tokens": 3}).status_code != 200:  # it goes on, however slowly
            pass
        assert "elman_texts_in_progress 0\n" in client.get("/metrics").text
