"""Whole derivations: a page of forward equations → a page of gradients, compared with autodiff where PyTorch is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from derivation_program import STEPS, DerivationProgram

from elman.calculus.forward_equations import Stage
from elman.calculus.printing.render import text
from elman.errors import FormulaError
from elman.notes.derive_page import derive
from elman.notes.page.reader import page_of

Forward = Callable[[Any, dict[Any, Any]], Any]  # torch, the given values by name and time step → the loss


def page(equations: str, shapes: str, prose: str = ""):
    """A page with one display a line, and shapes such as `W [m,n]; x [n,1]`."""
    displays = "\n\n".join(f"$$ {line.strip()} $$" for line in equations.strip().splitlines())
    lines = [line.split() for line in shapes.split(";")]
    declared = "\n".join(f"{name}.shape = {shape}" for name, shape in lines)
    return page_of(f"{displays}\n\n{prose}\n\n```python\n{declared}\n```\n", "markdown")


PAGES: dict[str, tuple[Any, Forward]] = {}


def model(text: Any) -> Callable[[Forward], Forward]:
    """Registers a page with its forward equations in torch."""

    def with_forward(forward: Forward) -> Forward:
        PAGES[forward.__name__] = text, forward
        return forward

    return with_forward


# --- networks without time steps ---


@model(
    page(
        r"""a = \mathrm{relu}(A x + p)
            c = \tanh(B a + q)
            o = C c + r
            F = \frac{1}{2} \|o - g\|^2
            G = \|A\|_F^2 + \|B\|_F^2
            E = F + \frac{\beta}{2} G""",
        "x [n,1]; A [m,n]; p [m,1]; B [k,m]; q [k,1]; C [l,k]; r [l,1]; g [l,1]; beta [1,1]",
    )
)
def two_hidden_layers_with_weight_decay(torch: Any, p: dict[Any, Any]) -> Any:
    a = torch.relu(p["A"] @ p["x"] + p["p"])
    o = p["C"] @ torch.tanh(p["B"] @ a + p["q"]) + p["r"]
    decay = (p["A"] ** 2).sum() + (p["B"] ** 2).sum()
    return ((o - p["g"]) ** 2).sum() / 2 + p["beta"] / 2 * decay


@model(
    page(
        r"""h = \tanh(P x + c)
            m = M h + a
            s = S h + b
            z = m + \exp(\frac{1}{2} s) \circ e
            \hat{x} = \sigma(Q z + d)
            R = -\sum_i (x_i \ln \hat{x}_i + (1 - x_i) \ln(1 - \hat{x}_i))
            K = -\frac{1}{2} \sum_j (1 + s_j - m_j^2 - \exp(s_j))
            L = R + K""",
        "x [D,1]; P [H,D]; c [H,1]; M [k,H]; a [k,1]; S [k,H]; b [k,1]; e [k,1]; Q [D,k]; d [D,1]",
    )
)
def variational_autoencoder(torch: Any, p: dict[Any, Any]) -> Any:
    h = torch.tanh(p["P"] @ p["x"] + p["c"])
    m, s = p["M"] @ h + p["a"], p["S"] @ h + p["b"]
    x = torch.sigmoid(p["Q"] @ (m + torch.exp(s / 2) * p["e"]) + p["d"])
    likelihood = (p["x"] * torch.log(x) + (1 - p["x"]) * torch.log(1 - x)).sum()
    return -likelihood - (1 + s - m**2 - torch.exp(s)).sum() / 2


@model(
    page(
        r"""h = \tanh(W x + b)
            r = W^T h + c
            L = \frac{1}{2} \|r - x\|^2""",
        "x [n,1]; W [m,n]; b [m,1]; c [n,1]",
    )
)
def tied_weights(torch: Any, p: dict[Any, Any]) -> Any:
    r = p["W"].T @ torch.tanh(p["W"] @ p["x"] + p["b"]) + p["c"]
    return ((r - p["x"]) ** 2).sum() / 2


@model(
    page(
        r"""a = M s
            b = M q
            L = \ln(1 + \exp(-a^T b)) + \frac{\rho}{2} \|M\|_F^2""",
        "s [V,1]; q [V,1]; M [d,V]; rho [1,1]",
    )
)
def an_embedding_used_twice(torch: Any, p: dict[Any, Any]) -> Any:
    score = (p["M"] @ p["s"]).T @ (p["M"] @ p["q"])
    return torch.log(1 + torch.exp(-score)) + p["rho"] / 2 * (p["M"] ** 2).sum()


@model(
    page(
        r"""u = \sigma(A x)
            v = x + B u
            w = v + C \tanh(v)
            J = \frac{1}{2} \|w - y\|^2""",
        "x [n,1]; A [m,n]; B [n,m]; C [n,n]; y [n,1]",
    )
)
def skip_connections(torch: Any, p: dict[Any, Any]) -> Any:
    v = p["x"] + p["B"] @ torch.sigmoid(p["A"] @ p["x"])
    return ((v + p["C"] @ torch.tanh(v) - p["y"]) ** 2).sum() / 2


@model(
    page(
        r"""\mu = \frac{1}{n} \sum_{i=1}^n a_i
            v = \frac{1}{n} \sum_{i=1}^n (a_i - \mu)^2
            u = \frac{a - \mu}{\sqrt{v + \epsilon}}
            z = g \circ u + b
            J = \frac{1}{2} \|z - y\|^2""",
        "a [n,1]; epsilon [1,1]; g [n,1]; b [n,1]; y [n,1]",
    )
)
def layer_norm(torch: Any, p: dict[Any, Any]) -> Any:
    a = p["a"]
    u = (a - a.mean()) / torch.sqrt(((a - a.mean()) ** 2).mean() + p["epsilon"])
    return ((p["g"] * u + p["b"] - p["y"]) ** 2).sum() / 2


@model(
    page(
        r"""Q = X A
            K = X B
            V = X C
            P = \mathrm{softmax}(\frac{1}{\sqrt{d}} Q K^T)
            O = P V
            J = \frac{1}{2} \|O - Y\|_F^2""",
        "X [n,D]; A [D,d]; B [D,d]; C [D,d]; Y [n,d]",
        "The softmax is taken along each row.",
    )
)
def attention_along_rows(torch: Any, p: dict[Any, Any]) -> Any:
    scores = p["X"] @ p["A"] @ (p["X"] @ p["B"]).T / p["A"].shape[1] ** 0.5
    return ((torch.softmax(scores, 1) @ (p["X"] @ p["C"]) - p["Y"]) ** 2).sum() / 2


@model(
    page(
        r"""Z = X W + 1_N b^T
            P = \mathrm{softmax}(Z)
            J = -\frac{1}{N} \sum_{i=1}^N \sum_{k=1}^K Y_{ik} \ln P_{ik} + \frac{\rho}{2} \|W\|_F^2""",
        "X [N,D]; W [D,K]; b [K,1]; Y [N,K]; rho [1,1]",
        "The softmax runs along each row.",
    )
)
def softmax_regression_along_rows(torch: Any, p: dict[Any, Any]) -> Any:
    scores = p["X"] @ p["W"] + p["b"].T
    return -(p["Y"] * torch.log_softmax(scores, 1)).sum() / len(scores) + p["rho"] / 2 * (p["W"] ** 2).sum()


@model(
    page(
        r"""m_j = \frac{1}{N} \sum_{i=1}^N X_{ij}
            v_j = \frac{1}{N} \sum_{i=1}^N (X_{ij} - m_j)^2
            H_{ij} = \frac{X_{ij} - m_j}{\sqrt{v_j + \epsilon}}
            Z_{ij} = g_j H_{ij} + b_j
            J = \frac{1}{2} \sum_{i=1}^N \sum_{j=1}^D (Z_{ij} - Y_{ij})^2""",
        "X [N,D]; epsilon [1,1]; m [D,1]; v [D,1]; g [D,1]; b [D,1]; Y [N,D]",
    )
)
def batch_norm_by_entries(torch: Any, p: dict[Any, Any]) -> Any:
    X = p["X"]
    H = (X - X.mean(0)) / torch.sqrt(((X - X.mean(0)) ** 2).mean(0) + p["epsilon"])
    return ((p["g"].T * H + p["b"].T - p["Y"]) ** 2).sum() / 2


@model(
    page(
        r"""z_j = \sum_{i=1}^n W_{ji} x_i + b_j
            p_j = \frac{\exp(z_j)}{\sum_{k=1}^m \exp(z_k)}
            L = -\sum_{j=1}^m y_j \ln p_j""",
        "W [m,n]; x [n,1]; b [m,1]; y [m,1]",
    )
)
def softmax_by_entries(torch: Any, p: dict[Any, Any]) -> Any:
    return -(p["y"] * torch.log_softmax(p["W"] @ p["x"] + p["b"], 0)).sum()


@model(
    page(
        r"""S = A A^T + \beta I
            r = y - B x
            L = \frac{1}{2} \ln \det S + \frac{1}{2} r^T S^{-1} r""",
        "A [n,m]; beta [1,1]; B [n,k]; x [k,1]; y [n,1]",
    )
)
def gaussian_likelihood(torch: Any, p: dict[Any, Any]) -> Any:
    S = p["A"] @ p["A"].T + p["beta"] * torch.eye(len(p["A"]))
    r = p["y"] - p["B"] @ p["x"]
    return torch.logdet(S) / 2 + (r.T @ torch.linalg.inv(S) @ r).sum() / 2


# --- networks with time steps ---


def unrolled(step: Callable[..., dict[str, Any]], p: dict[Any, Any], states: str) -> dict[str, Any]:
    """The values at the last step, from h^(0) on."""
    values = {s: p[s, 0] for s in states}
    for t in range(1, STEPS + 1):
        values = step(values, t)
    return values


@model(
    page(
        r"""q^{(t)} = \sigma(A s^{(t-1)} + B x^{(t)})
            s^{(t)} = q^{(t)} \circ s^{(t-1)}
            L^{(t)} = \frac{1}{2} \|s^{(t)} - y^{(t)}\|^2""",
        "A [H,H]; B [H,D]; x [D,1]; s [H,1]; q [H,1]; y [H,1]",
    )
)
def a_gate_on_the_state(torch: Any, p: dict[Any, Any]) -> Any:
    def step(v: dict[str, Any], t: int) -> dict[str, Any]:
        return {"s": torch.sigmoid(p["A"] @ v["s"] + p["B"] @ p["x", t]) * v["s"]}

    return ((unrolled(step, p, "s")["s"] - p["y", STEPS]) ** 2).sum() / 2


@model(
    page(
        r"""a^{(t)} = \tanh(A x^{(t)} + B a^{(t-1)})
            b^{(t)} = \tanh(C a^{(t)} + D b^{(t-1)})
            c^{(t)} = \tanh(E b^{(t)} + F c^{(t-1)} + G a^{(t)})
            L^{(t)} = \frac{1}{2} \|c^{(t)} - y^{(t)}\|^2""",
        "A [m,d]; B [m,m]; C [k,m]; D [k,k]; E [l,k]; F [l,l]; G [l,m]; x [d,1]; a [m,1]; b [k,1]; c [l,1]; y [l,1]",
    )
)
def three_recurrent_layers(torch: Any, p: dict[Any, Any]) -> Any:
    def step(v: dict[str, Any], t: int) -> dict[str, Any]:
        a = torch.tanh(p["A"] @ p["x", t] + p["B"] @ v["a"])
        b = torch.tanh(p["C"] @ a + p["D"] @ v["b"])
        return {"a": a, "b": b, "c": torch.tanh(p["E"] @ b + p["F"] @ v["c"] + p["G"] @ a)}

    return ((unrolled(step, p, "abc")["c"] - p["y", STEPS]) ** 2).sum() / 2


@model(
    page(
        r"""h_t = \tanh(W h_{t-1} + U x_t)
            A_t = \frac{1}{2} \|V h_t - y_t\|^2
            B_t = \frac{1}{2} \|h_t\|^2
            J_t = A_t + \rho B_t""",
        "W [H,H]; U [H,D]; V [K,H]; x [D,1]; h [H,1]; y [K,1]; rho [1,1]",
    )
)
def two_losses_over_time(torch: Any, p: dict[Any, Any]) -> Any:
    def step(v: dict[str, Any], t: int) -> dict[str, Any]:
        return {"h": torch.tanh(p["W"] @ v["h"] + p["U"] @ p["x", t])}

    h = unrolled(step, p, "h")["h"]
    return ((p["V"] @ h - p["y", STEPS]) ** 2).sum() / 2 + p["rho"] / 2 * (h**2).sum()


@model(
    page(
        r"""r^{(t)} = \sigma(W_r x^{(t)} + U_r h^{(t-1)} + b_r)
            z^{(t)} = \sigma(W_z x^{(t)} + U_z h^{(t-1)})
            n^{(t)} = \tanh(W_n x^{(t)} + U_n (r^{(t)} \circ h^{(t-1)}))
            h^{(t)} = (1 - z^{(t)}) \circ n^{(t)} + z^{(t)} \circ h^{(t-1)}
            J^{(t)} = \frac{1}{2} \|h^{(t)} - y^{(t)}\|^2""",
        "W_r [H,D]; U_r [H,H]; b_r [H,1]; W_z [H,D]; U_z [H,H]; W_n [H,D]; U_n [H,H]; x [D,1]; h [H,1]; y [H,1]",
    )
)
def gru(torch: Any, p: dict[Any, Any]) -> Any:
    def step(v: dict[str, Any], t: int) -> dict[str, Any]:
        x, h = p["x", t], v["h"]
        r = torch.sigmoid(p["W_r"] @ x + p["U_r"] @ h + p["b_r"])
        z = torch.sigmoid(p["W_z"] @ x + p["U_z"] @ h)
        n = torch.tanh(p["W_n"] @ x + p["U_n"] @ (r * h))
        return {"h": (1 - z) * n + z * h}

    return ((unrolled(step, p, "h")["h"] - p["y", STEPS]) ** 2).sum() / 2


@model(
    page(
        r"""f_t = \sigma(W_f x_t + U_f h_{t-1})
            k_t = \sigma(W_k x_t + U_k h_{t-1})
            o_t = \sigma(W_o x_t + U_o h_{t-1})
            g_t = \tanh(W_g x_t + U_g h_{t-1} + b_g)
            c_t = f_t \odot c_{t-1} + k_t \odot g_t
            h_t = o_t \odot \tanh(c_t)
            p_t = \mathrm{softmax}(V h_t)
            J_t = -y_t^T \ln p_t""",
        "W_f [H,D]; U_f [H,H]; W_k [H,D]; U_k [H,H]; W_o [H,D]; U_o [H,H]; W_g [H,D]; U_g [H,H]; b_g [H,1]; x [D,1]; "
        "h [H,1]; c [H,1]; V [K,H]; y [K,1]",
    )
)
def lstm(torch: Any, p: dict[Any, Any]) -> Any:
    def step(v: dict[str, Any], t: int) -> dict[str, Any]:
        def gate(name: str) -> Any:
            return p[f"W_{name}"] @ p["x", t] + p[f"U_{name}"] @ v["h"]

        c = torch.sigmoid(gate("f")) * v["c"] + torch.sigmoid(gate("k")) * torch.tanh(gate("g") + p["b_g"])
        return {"c": c, "h": torch.sigmoid(gate("o")) * torch.tanh(c)}

    return -(p["y", STEPS] * torch.log_softmax(p["V"] @ unrolled(step, p, "hc")["h"], 0)).sum()


@model(
    page(
        r"""h_t = \tanh(W h_{t-1} + U x_t)
            L = \frac{1}{2} \|V h_T - y\|^2""",
        "W [H,H]; U [H,D]; V [K,H]; x [D,1]; h [H,1]; y [K,1]",
    )
)
def a_loss_at_the_last_step(torch: Any, p: dict[Any, Any]) -> Any:
    def step(v: dict[str, Any], t: int) -> dict[str, Any]:
        return {"h": torch.tanh(p["W"] @ v["h"] + p["U"] @ p["x", t])}

    return ((p["V"] @ unrolled(step, p, "h")["h"] - p["y"]) ** 2).sum() / 2


# --- the tests ---


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_derived_and_its_derivation_holds(name: str) -> None:
    assert derive(PAGES[name][0]).checked >= 10


@pytest.mark.parametrize("name", PAGES)
def test_the_formulas_agree_with_autodiff(name: str) -> None:
    torch = pytest.importorskip("torch")
    text, forward = PAGES[name]
    derivation = derive(text)
    sizes = dict(zip(sorted(derivation.forward.sizes - {"1", "T"}), (3, 5, 2, 7, 4, 6), strict=False))
    program = DerivationProgram(derivation, sizes)
    loss = program.loss()
    given = {
        letter if time is None else (letter, time): torch.tensor(value, requires_grad=True)
        for (letter, time), value in program.given.items()
    }
    total = forward(torch, given)
    assert total.item() == pytest.approx(loss.item(), rel=1e-12)
    total.backward()
    for letter in program.names():
        assert np.allclose(program.gradient(letter), given[letter].grad.numpy(), rtol=1e-9, atol=1e-12), letter
    for letter, _ in (key for key in given if isinstance(key, tuple) and key[1] == 0):
        assert np.allclose(program.initial_gradient(letter), given[letter, 0].grad.numpy(), rtol=1e-9, atol=1e-12)


def test_a_loss_that_adds_up_over_the_steps() -> None:
    found = derive(
        page(
            r"""h_t = \tanh(W h_{t-1} + U x_t)
                L = \sum_{t=1}^T \frac{1}{2} \|V h_t - y_t\|^2 + \frac{\rho}{2} \|W\|_F^2""",
            "W [H,H]; U [H,D]; V [K,H]; x [D,1]; h [H,1]; y [K,1]; rho [1,1]",
        )
    )
    assert [text(s.left) for s in found.steps if s.stage == Stage.WHOLE] == ["∂L/∂V", "∂L/∂U", "∂L/∂W"]
    assert r"$\rho$: constant" in found.markdown
    assert text(found.steps[-1].result) == "∑_{t=1}^T ∂J^(t)/∂W + ρ W"


def results(text_: Any, **options: Any) -> dict[str, str]:
    """The results of a derivation by their left sides, as text."""
    return {text(s.left): text(s.result) for s in derive(text_, **options).steps}


def test_parts_of_a_loss_are_written_out() -> None:
    pages = page(
        r"""u = A x
            R = \frac{1}{2} \|u - s\|^2
            K = \frac{1}{2} \|A\|_F^2
            J = R + \rho K""",
        "x [n,1]; A [m,n]; s [m,1]; rho [1,1]",
    )
    found = results(pages)
    assert found["∂J/∂A"] == "ρ A + δ_u^T x^T"
    assert "∂J/∂R" not in found
    assert "∂J/∂ρ" not in found
    assert results(pages, wrt=["rho"]) == {"∂J/∂ρ": "K"}
    assert results(pages, wrt=["K"]) == {"∂J/∂K": "ρ"}


def test_the_logistic_loss_has_the_gradient_that_a_person_writes() -> None:
    found = results(
        page(
            r"""p = \sigma(X w)
                J = -y^T \ln p - (1 - y)^T \ln(1 - p)""",
            "X [N,d]; w [d,1]; y [N,1]",
        )
    )
    assert found["∂J/∂w"] == "X^T (p - y)"


def test_no_gradient_is_by_a_size_and_no_scalar_is_transposed() -> None:
    found = derive(
        page(
            r"""c = \frac{1}{n} \sum_{i=1}^n x_i
                u = x - c
                J = \frac{1}{2 n} \|u\|^2""",
            "x [n,1]",
        )
    )
    assert [text(s.left) for s in found.steps] == ["∂J/∂u", "∂J/∂c", "∂J/∂x"]
    assert [text(s.result) for s in found.steps][1] == "-sum(δ_u^T)"


def test_the_rules_say_what_happened() -> None:
    text_ = page(
        r"""u = \tanh(A x + b)
            J = \frac{1}{2} \|u - y\|^2 + \ln \det S""",
        "x [n,1]; A [m,n]; b [m,1]; y [m,1]; S [k,k]",
    )
    rules = {text(s.left): s.rule for s in derive(text_).steps}
    assert rules["∂J/∂u"] == "the gradient of half a squared norm is its argument"
    assert rules["∂J/∂b"] == (
        "a function acts on each entry: the error is multiplied by its derivative, entry by entry"
    )
    assert rules["∂J/∂A"].startswith("a function acts on each entry")
    assert "$A$ is in the left factor" in rules["∂J/∂A"]
    assert rules["∂J/∂S"] == "the gradient of the logarithm of a determinant is the inverse, transposed"
    assert rules["∂J/∂y"] == "the gradient of half a squared norm is its argument; $y$ is behind a minus sign: " + (
        "the sign changes"
    )


def test_the_rules_say_which_factor_and_which_sign_there_was() -> None:
    text_ = page(
        r"""r = C p - q
            s = \tanh(-r)
            J = \|s - t\|^2 / 2 - \|q\|^2""",
        "p [n,1]; C [m,n]; q [m,1]; t [m,1]",
    )
    rules = {text(s.left): s.rule for s in derive(text_).steps}
    assert rules["∂J/∂s"] == "the gradient of half a squared norm is its argument"
    assert rules["∂J/∂r"].endswith("entry by entry; $r$ is behind a minus sign: the sign changes")
    assert rules["∂J/∂q"].startswith("the gradient of a squared norm is twice its argument; $q$ is behind")
    assert rules["∂J/∂q"].endswith("$q$ is subtracted: the error changes its sign")


@pytest.mark.parametrize(
    ("first", "heading"),
    [
        ("# A line through points", "# A line through points"),
        ("# 过点的直线", "# 过点的直线"),
        ("# The loss of $y = 2 x$", "# Derivation"),
        ("A line.", "# Derivation"),
    ],
)
def test_the_derived_page_keeps_the_title_of_its_page(first: str, heading: str) -> None:
    equations = "$$v = G w$$\n\n$$J = \\frac12 \\|v - t\\|^2$$\n"
    assert derive(page_of(f"{first}\n\n{equations}")).markdown.splitlines()[0] == heading


@pytest.mark.parametrize(
    ("equations", "message"),
    [
        (r"u = \blub{A} x" + "\n" + r"J = \frac{1}{2} \|u - x\|^2", r"line 1: u = .* is not read, so nothing with u"),
        ("u = A x\nJ = u^T u\nK = x^T x", "J, K are numbers that no other equation uses"),
        ("u = A x", "the page has no loss: write J ="),
        (r"u = A x" + "\n" + r"J = \blub{u}", "the page has no loss: .*line 3 is not read"),
    ],
)
def test_what_is_not_derived_is_refused_by_line(equations: str, message: str) -> None:
    with pytest.raises(FormulaError, match=message):
        derive(page(equations, "x [n,1]; A [n,n]"))


def test_an_equation_that_is_not_read_and_not_needed_is_named() -> None:
    found = derive(page("u = A x\n" + r"q = \blub{x}" + "\nJ = u^T u", "x [n,1]; A [n,n]; q [n,1]"))
    assert "Not read, and not needed here: line 3:" in found.markdown


def test_an_equation_whose_shapes_do_not_fit_is_named_by_its_line() -> None:
    with pytest.raises(FormulaError, match=r"line 3: \[k,1\] plus \[n,1\] does not fit"):
        derive(page("u = W x\nv = V u + x\nJ = v^T v", "W [m,n]; V [k,m]; x [n,1]"))


def test_a_recurrence_whose_shapes_do_not_fit_is_named_by_its_line() -> None:
    """s needs the h of the step before, which needs s: the search for the equation that is wrong ends."""
    equations = "s_t = V x_t + U h_{t-1} + c\n" + r"h_t = \tanh(s_t)" + "\n" + r"J_t = \frac{1}{2} \|h_t - y_t\|_F^2"
    shapes = "h [m,B]; s [m,B]; x [n,B]; y [m,B]; V [m,n]; U [m,m]; c [k,1]"
    with pytest.raises(FormulaError, match=r"line \d+: \[m,B\] plus \[k,1\] does not fit"):
        derive(page(equations, shapes))
