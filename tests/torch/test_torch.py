"""`elman.torch.ElmanRNN` against `torch.nn.RNN` and finite differences, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from elman.config import ACTIVATIONS
from elman.errors import ConfigError, ShapeError

torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)

from elman.kernels import torch_recurrence as plain  # noqa: E402  # both need PyTorch
from elman.torch import ElmanRNN, operators  # noqa: E402

nn = torch.nn
T, B, D, DH = 7, 3, 5, 11
LAYOUTS = {
    "time-major": ({}, (T, B, D), (1, B, DH)),
    "batch first": ({"batch_first": True}, (B, T, D), (1, B, DH)),
    "no batch": ({}, (T, D), (1, DH)),
    "no batch, batch first": ({"batch_first": True}, (T, D), (1, DH)),
    "no bias": ({"bias": False}, (T, B, D), (1, B, DH)),
    "three layers": ({"num_layers": 3}, (T, B, D), (3, B, DH)),
    "two layers, no batch, no bias": ({"num_layers": 2, "bias": False}, (T, D), (2, DH)),
    "two layers, batch first": ({"num_layers": 2, "batch_first": True}, (B, T, D), (2, B, DH)),
}


def pair(nonlinearity: str = "tanh", dtype: Any = torch.float64, **options: Any) -> tuple[Any, Any]:
    """The same layer twice: PyTorch's and Elman's."""
    torch.manual_seed(0)
    theirs = nn.RNN(D, DH, nonlinearity=nonlinearity, dtype=dtype, **options)
    ours = ElmanRNN(D, DH, nonlinearity=nonlinearity, dtype=dtype, **options)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def gradients(rnn: Any, x: Any, h_0: Any, weigh: Callable[[Any, Any], Any]) -> list[Any]:
    """output, h_n and the gradients of weigh(output, h_n) by x, h_0 and every weight."""
    x, h_0 = x.clone().requires_grad_(), h_0.clone().requires_grad_()
    output, h_n = rnn(x, h_0)
    return [output, h_n, *torch.autograd.grad(weigh(output, h_n), [x, h_0, *rnn.parameters()])]


def both(output: Any, h_n: Any) -> Any:
    return (output * torch.linspace(-1, 1, output.numel(), dtype=output.dtype).reshape(output.shape)).sum() + h_n.sum()


def worst(found: list[Any], expected: list[Any]) -> float:
    """The largest error over the largest entry, and the same shapes and types."""
    for a, b in zip(found, expected, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
    pairs = zip(found, expected, strict=True)
    return max(float((a - b).detach().abs().max() / b.detach().abs().max()) for a, b in pairs)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_it_is_called_as_torch_nn_rnn_and_gives_the_same(layout: str, nonlinearity: str) -> None:
    options, shape, state = LAYOUTS[layout]
    theirs, ours = pair(nonlinearity, **options)
    x, h_0 = torch.randn(shape, dtype=torch.float64), torch.randn(state, dtype=torch.float64)
    assert worst(gradients(ours, x, h_0, both), gradients(theirs, x, h_0, both)) < 1e-13
    assert worst(list(ours(x)), list(theirs(x))) < 1e-14  # without h_0
    only = [lambda output, h_n: output[-1].sum(), lambda output, h_n: h_n.sum()]
    for weigh in only:
        assert worst(gradients(ours, x, h_0, weigh), gradients(theirs, x, h_0, weigh)) < 1e-13


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_dropout_between_layers_is_theirs(nonlinearity: str) -> None:
    """The same seed draws the same masks; none in evaluation."""
    theirs, ours = pair(nonlinearity, num_layers=3, dropout=0.4)
    x, h_0 = torch.randn(T, B, D, dtype=torch.float64), torch.randn(3, B, DH, dtype=torch.float64)
    found = []
    for rnn in (ours, theirs):
        torch.manual_seed(5)
        found.append(gradients(rnn, x, h_0, both))
    assert worst(*found) < 1e-13
    assert worst(list(ours.eval()(x, h_0)), list(theirs.eval()(x, h_0))) < 1e-14
    assert float((found[0][0] - ours(x, h_0)[0]).detach().abs().max()) > 0.01


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_float32_on_the_kernels_is_as_exact_as_theirs(nonlinearity: str, layers: int) -> None:
    """Both against float64: at most twice the error, and half a unit in the last place."""
    exact = pair(nonlinearity, num_layers=layers)[1]
    theirs, ours = pair(nonlinearity, torch.float32, num_layers=layers)
    for rnn in (theirs, ours):
        rnn.load_state_dict(exact.state_dict())
    exact.load_state_dict(ours.state_dict())  # rounded to float32
    x, h_0 = torch.randn(T, B, D), torch.randn(layers, B, DH)
    true = gradients(exact, x.double(), h_0.double(), both)
    for a, b, c in zip(gradients(ours, x, h_0, both), gradients(theirs, x, h_0, both), true, strict=True):
        floor = np.finfo(np.float32).eps * c.norm()
        assert (a - c).norm() <= 2 * (b - c).norm() + floor


@pytest.mark.parametrize("layers", [1, 3])
def test_it_begins_as_torch_nn_rnn_does(layers: int) -> None:
    torch.manual_seed(3)
    theirs = nn.RNN(D, DH, layers)
    torch.manual_seed(3)
    ours = ElmanRNN(D, DH, layers)
    for (name, a), (name_, b) in zip(ours.state_dict().items(), theirs.state_dict().items(), strict=True):
        assert name == name_
        assert torch.equal(a, b)
    assert "11" in repr(ours)
    ours.flatten_parameters()


def test_a_sigmoid_layer_is_a_tanh_layer() -> None:
    """docs/derivation.md, section 8: h = (1+g)/2."""
    theirs, ours = pair()
    ours.nonlinearity = "sigmoid"
    with torch.no_grad():
        ours.weight_hh_l0 *= 4
        ours.weight_ih_l0 *= 2
        ours.bias_ih_l0 *= 2
        ours.bias_hh_l0.copy_(2 * theirs.bias_hh_l0 - ours.weight_hh_l0.sum(1) / 2)
    x = torch.randn(T, B, D, dtype=torch.float64)
    output, h_n = ours(x)
    g, g_n = theirs(x, torch.full((1, B, DH), -1.0, dtype=torch.float64))
    assert worst([output, h_n], [(1 + g) / 2, (1 + g_n) / 2]) < 1e-14


def leaves(*shapes: tuple[int, ...], shift: float = 0.0) -> list[Any]:
    torch.manual_seed(1)
    return [(torch.randn(shape, dtype=torch.float64) / 2 + shift).requires_grad_() for shape in shapes]


@pytest.mark.parametrize("nonlinearity", ACTIVATIONS)
def test_gradcheck_of_the_first_and_second_derivative(nonlinearity: str) -> None:
    u, W_h, h_0 = leaves((4, 2, 3), (3, 3), (2, 3))
    h = operators.recurrence(u, W_h, h_0, nonlinearity)
    assert nonlinearity != "relu" or h[1:].abs().min() == 0 < h[1:].max()  # both sides of the kink
    assert torch.autograd.gradcheck(lambda *a: operators.recurrence(*a, nonlinearity), (u, W_h, h_0))
    assert torch.autograd.gradgradcheck(lambda *a: operators.recurrence(*a, nonlinearity), (u, W_h, h_0))


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("nonlinearity", ACTIVATIONS)
def test_gradcheck_of_the_whole_module(nonlinearity: str, layers: int) -> None:
    rnn = ElmanRNN(2, 3, layers, nonlinearity, dtype=torch.float64)
    names = [name for name, _ in rnn.named_parameters()]

    def call(x: Any, h_0: Any, *weights: Any) -> Any:
        return torch.func.functional_call(rnn, dict(zip(names, weights, strict=True)), (x, h_0))

    inputs = (*leaves((4, 2, 2), (layers, 2, 3)), *(w.detach().requires_grad_() for w in rnn.parameters()))
    assert torch.autograd.gradcheck(call, inputs)
    assert torch.autograd.gradgradcheck(call, inputs)


@pytest.mark.parametrize("nonlinearity", ["sigmoid", "tanh"])
def test_the_second_operator_goes_on_to_the_third_derivative(nonlinearity: str) -> None:
    dh, h, W_h = leaves((3, 2, 2), (4, 2, 2), (2, 2))
    assert torch.autograd.gradgradcheck(lambda *a: operators.recurrence_gradient(*a, nonlinearity), (dh, h, W_h))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("nonlinearity", ACTIVATIONS)
def test_operators_are_registered_as_pytorch_wants_them(nonlinearity: str, dtype: Any) -> None:
    u, W_h, h_0 = (leaf.detach().to(dtype).requires_grad_() for leaf in leaves((4, 2, 3), (3, 3), (2, 3)))
    torch.library.opcheck(operators.recurrence, (u, W_h, h_0, nonlinearity))
    h = torch.rand(5, 2, 3, dtype=dtype, requires_grad=True)
    torch.library.opcheck(operators.recurrence_gradient, (u, h, W_h, nonlinearity))


@pytest.mark.parametrize("nonlinearity", ACTIVATIONS)
def test_plain_operations_give_what_the_kernels_give(nonlinearity: str) -> None:
    """What other devices run."""
    u, W_h, h_0, dh = (leaf.detach() for leaf in leaves((T, B, DH), (DH, DH), (B, DH), (T, B, DH)))
    h = operators.recurrence(u, W_h, h_0, nonlinearity)
    assert worst([plain.recurrence(u, W_h, h_0, nonlinearity)], [h]) < 1e-14
    dz = operators.recurrence_gradient(dh, h, W_h, nonlinearity)
    assert worst([plain.recurrence_gradient(dh, h, W_h, nonlinearity)], [dz]) < 1e-13


def test_half_precision_runs_on_plain_operations() -> None:
    _, ours = pair(dtype=torch.float32)
    x = torch.randn(T, B, D)
    output, _ = ours(x)
    half, _ = ours.bfloat16()(x.bfloat16())
    assert half.dtype == torch.bfloat16
    assert (half - output).abs().max() < 8 * 2**-8
    half.sum().backward()
    assert ours.weight_hh_l0.grad.dtype == torch.bfloat16


@pytest.mark.parametrize("layers", [1, 2])
def test_whole_under_compile(layers: int) -> None:
    _, ours = pair(num_layers=layers)
    x, h_0 = torch.randn(T, B, D, dtype=torch.float64), torch.randn(layers, B, DH, dtype=torch.float64)
    compiled = torch.compile(ours, fullgraph=True, backend="aot_eager")
    assert worst(gradients(compiled, x, h_0, both), gradients(ours, x, h_0, both)) < 1e-14
    assert worst(list(compiled(x)), list(ours(x))) < 1e-14


@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")  # torch.func's own
@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_transforms_of_torch_func_are_right(nonlinearity: str) -> None:
    theirs, ours = pair(nonlinearity, num_layers=2)
    x, v = torch.randn(2, T, B, D, dtype=torch.float64)
    found, expected = (torch.func.jvp(lambda x, rnn=rnn: rnn(x)[0], (x,), (v,)) for rnn in (ours, theirs))
    assert worst(list(found), list(expected)) < 1e-13
    weights = dict(ours.named_parameters())
    by_grad = torch.func.grad(lambda w: torch.func.functional_call(ours, w, (x,))[0].sum())(weights)
    ours(x)[0].sum().backward()
    assert worst(list(by_grad.values()), [w.grad for w in ours.parameters()]) < 1e-13
    many = torch.func.vmap(lambda x: ours(x)[0])(torch.stack([x, v]))
    assert worst([many[0], many[1]], [ours(x)[0], ours(v)[0]]) < 1e-13
    with torch.autograd.forward_ad.dual_level(), pytest.raises(NotImplementedError):  # and not 0
        ours(torch.autograd.forward_ad.make_dual(x, v))


def test_autocast_gives_the_types_of_torch_nn_rnn() -> None:
    theirs, ours = pair(dtype=torch.float32)
    for x, h_0 in ((torch.randn(T, B, D), None), (torch.randn(T, B, D).bfloat16(), torch.zeros(1, B, DH))):
        exact, _ = ours(x.float(), h_0)
        with torch.autocast("cpu", torch.bfloat16):
            found, expected = ours(x, h_0), theirs(x, h_0)
        assert [each.dtype for each in found] == [each.dtype for each in expected] == [torch.bfloat16] * 2
        mine, other = ((output - exact).abs().max() for output, _ in (found, expected))
        assert mine <= other + 2**-8  # in ours h is not rounded on its way
        found[0].sum().backward()
        assert {w.grad.dtype for w in ours.parameters()} == {torch.float32}


def test_the_state_is_a_copy_and_the_output_is_guarded() -> None:
    _, ours = pair()
    x = torch.randn(T, B, D, dtype=torch.float64)
    with torch.no_grad():
        output, h_n = ours(x)
        before = output.clone()
        h_n.zero_()
    assert torch.equal(output, before)
    output, _ = ours(x)
    output *= 2
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"num_layers": 0}, "num_layers is 0; it must be a whole number from 1 on"),
        ({"num_layers": "tanh"}, "num_layers is 'tanh'"),
        ({"dropout": 0.5}, "dropout is 0.5, and acts only between layers, of which there is one: set num_layers=2"),
        ({"dropout": 1.5, "num_layers": 2}, "dropout is 1.5; it must be a number from 0 to 1"),
        ({"bidirectional": True}, "bidirectional is True"),
        ({"proj_size": 3}, "proj_size is 3"),
        ({"nonlinearity": "gelu"}, "nonlinearity is 'gelu'; choose one of sigmoid, tanh, relu"),
        ({"hidden_size": 0}, "hidden_size is 0"),
    ],
)
def test_what_is_not_supported_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        ElmanRNN(**({"input_size": D, "hidden_size": DH} | options))


def test_what_does_not_fit_is_said() -> None:
    rnn = ElmanRNN(D, DH)
    x = torch.zeros(T, B, D)
    for call, sentence in (
        (lambda: rnn(x[..., :2]), r"input has shape \(7, 3, 2\), expected \[T,B,d\] or \[T,d\] with d = 5"),
        (lambda: rnn(x[:0]), "none of them 0"),
        (lambda: rnn(x.double()), "input is torch.float64, expected torch.float32 as the weights are"),
        (lambda: rnn(x, torch.zeros(1, B, DH).double()), "h_0 is torch.float64"),
        (lambda: rnn(x, torch.zeros(1, B + 1, DH)), r"h_0 has shape \(1, 4, 11\), expected \[1,B,Dh\] = \(1, 3, 11\)"),
        (lambda: rnn(x[:, 0], torch.zeros(1, 1, DH)), r"expected \[1,Dh\] = \(1, 11\)"),
    ):
        with pytest.raises(ShapeError, match=sentence):
            call()
    with pytest.raises(ShapeError, match=r"h_0 has shape \(1, 3, 11\), expected \[2,B,Dh\] = \(2, 3, 11\)"):
        ElmanRNN(D, DH, 2)(x, torch.zeros(1, B, DH))
    with pytest.raises(ConfigError, match="no PackedSequence"):
        rnn(nn.utils.rnn.pack_sequence([x[:, 0]]))


def test_a_missing_package_is_told_in_a_sentence() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\nfrom elman.errors import MissingExtraError\n"
        "try: import elman.torch\nexcept MissingExtraError as error: sys.stdout.write(str(error))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "elman.torch needs PyTorch: pip install 'elman[torch]'"
