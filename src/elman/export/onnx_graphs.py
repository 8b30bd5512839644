"""A folder for ONNX: a graph of one step and a graph of a window, which any ONNX runtime computes, in a browser too.

    step.onnx      tokens int64 [B], h [B,n·Dh]   →  logits [B,V], h_out [B,n·Dh]
    window.onnx    tokens int64 [T,B], h [B,n·Dh] →  logits [T,B,V], h_out [B,n·Dh]

All B, T ≥ 1. h begins with zeros, and the first token of a text is the line end. Weights are float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from elman import __version__
from elman.errors import ConfigError, MissingExtraError
from elman.export.contents import Content, json_file, tokenizer_files
from elman.language_model import LanguageModel
from elman.model.parameters import Parameters

OPSET, IR_VERSION = 17, 8
"""Of 2022: what is in use reads them."""
LARGEST = 2**31 - 2**20
"""The most bytes of a graph; the format (protobuf) ends at 2 GiB."""
_ONNX_NAMES = {"sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "Relu"}


def onnx_files(lm: LanguageModel) -> Iterator[Content]:
    """The files of the folder: the two graphs, config.json and the tokenizer.

    Raises MissingExtraError without the onnx package, ConfigError for a network that is too large for the format.
    """
    try:
        import onnx
    except ImportError:
        raise MissingExtraError("the export to ONNX needs the onnx package: pip install 'elman[onnx]'") from None
    p = lm.p.astype("float32")
    if 4 * p.count > LARGEST:
        raise ConfigError(f"{p.count:,} parameters are too many for ONNX, which ends at 2 GiB: use --to transformers")
    facts = {"level": lm.tokenizer.level, "line_end": lm.tokenizer.eos, "state_size": p.state_size, "V": p.V}
    for name, window in (("step.onnx", False), ("window.onnx", True)):
        model = _model(p, window, facts)
        onnx.checker.check_model(model)
        yield _written(name, model)
    yield json_file("config.json", {**facts, "layers": p.depth, "activation": p.activation, "elman": __version__})
    yield from tokenizer_files(lm.tokenizer)


def _written(name: str, model: Any) -> Content:
    def write(path: Path) -> None:
        path.write_bytes(model.SerializeToString())

    return Content(name, write)


def _model(p: Parameters, window: bool, facts: dict[str, Any]) -> Any:
    """The graph of one step, or of a window."""
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    weights: list[Any] = []

    def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, output.split(","), name=output.split(",")[-1], **attributes))
        return output

    def weight(name: str, array: Any) -> str:
        weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    float_, int_ = TensorProto.FLOAT, TensorProto.INT64
    E, first, second = weight("E", p.E), weight("first", np.array([0])), weight("second", np.array([1]))
    x = node("Gather", [E, "tokens"], "e")  # [T,B,d], or [B,d]
    if not window:
        x = node("Unsqueeze", [x, first], "e_1")  # [1,B,d]
    begins = [f"h_{k}" for k in range(p.depth)]
    sizes = weight("sizes", np.full(p.depth, p.Dh, np.int64))
    node("Split", ["h", sizes], ",".join(begins), axis=1)
    ends = []
    for k, layer in enumerate(p.layers):
        W = weight(f"W_e_{k}", layer.W_e[None])
        R = weight(f"W_h_{k}", layer.W_h[None])
        B = weight(f"b_1_{k}", np.concatenate([layer.b_1, np.zeros_like(layer.b_1)])[None])
        begin = node("Unsqueeze", [begins[k], first], f"begin_{k}")  # [1,B,Dh]
        node("RNN", [x, W, R, B, "", begin], f"y_{k},end_{k}", activations=[_ONNX_NAMES[p.activation]],
             hidden_size=p.Dh)  # fmt: skip
        below, x = x, node("Squeeze", [f"y_{k}", second], f"x_{k}")  # [T,1,B,Dh] → [T,B,Dh]
        if p.skip and k:
            x = node("Add", [x, below], f"s_{k}")
        ends.append(node("Squeeze", [f"end_{k}", first], f"h_out_{k}"))
    node("Concat", ends, "h_out", axis=1)
    rows = node("Reshape", [x, weight("rows", np.array([-1, p.Dh]))], "rows_of_h")  # [T·B,Dh]
    U = E if p.tied else weight("U", p.U)
    theta = node("Gemm", [rows, U, weight("b_2", p.b_2)], "theta", transB=1)  # [T·B,V]
    if p.tails:
        theta = _with_tails(p, rows, theta, node, weight)
    shape = node("Concat", [node("Shape", ["tokens"], "places"), weight("width", np.array([p.V]))], "shape", axis=0)
    node("Reshape", [theta, shape], "logits")
    places = ["T", "B"] if window else ["B"]
    values = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "elman_window" if window else "elman_step",
        [values("tokens", int_, places), values("h", float_, ["B", p.state_size])],
        [values("logits", float_, [*places, p.V]), values("h_out", float_, ["B", p.state_size])],
        weights,
    )  # fmt: skip
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="elman",
        producer_version=__version__,
    )  # fmt: skip
    helper.set_model_props(model, {name: str(value) for name, value in facts.items()})
    return model


def _with_tails(p: Parameters, rows: str, theta: str, node: Any, weight: Any) -> str:
    """ln ŷ [T·B,V] of an adaptive output layer, from h and the head's θ: the logarithms of head and tail add."""
    head = node("LogSoftmax", [theta], "head", axis=1)
    sizes = weight("parts", np.array([p.cutoffs[0], *(1 for _ in p.tails)]))
    names = ["of_head", *(f"of_tail_{k}" for k in range(len(p.tails)))]
    node("Split", [head, sizes], ",".join(names), axis=1)
    parts = [names[0]]
    for k, tail in enumerate(p.tails):
        g = node("Gemm", [rows, weight(f"P_{k}", tail.P)], f"g_{k}", transB=1)
        of_tail = node("Gemm", [g, weight(f"U_{k}", tail.U), weight(f"b_{k}", tail.b_2)], f"theta_{k}", transB=1)
        inside = node("LogSoftmax", [of_tail], f"inside_{k}", axis=1)
        parts.append(node("Add", [inside, names[k + 1]], f"part_{k}"))
    whole: str = node("Concat", parts, "log_probabilities", axis=1)
    return whole
