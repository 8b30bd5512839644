"""Mistakes for the pages in `pages/`: what is written there, what a tired hand writes instead, and the verdict that it
must get.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mistake:
    """`right` stands once on `page`; `wrong` in its place gets one of `verdicts`. `mends`: the first repair makes the
    page right.
    """

    page: str
    right: str
    wrong: str
    verdicts: tuple[str, ...]
    mends: bool = True

    @property
    def id(self) -> str:
        return f"{self.page.partition('.')[0]}: {self.wrong[-50:]}"


SIGN, MISSING_T, EXTRA_T = "wrong sign", "missing transpose", "extra transpose"
ORDER, ARGUMENT, OPERATOR, SHAPE, TIME = (
    "wrong order", "wrong argument", "wrong operator", "wrong shape", "wrong time index",
)  # fmt: skip
BATCH, UNKNOWN, FALSE, TURNED = "batch sum or mean missing", "wrong argument", "does not hold", "holds transposed"

_TABLE: dict[str, list[tuple[object, ...]]] = {
    "linear-regression.md": [
        (r"= \frac{1}{N} X^T r $$", r"= \frac{1}{N} X r $$", MISSING_T),
        (r"\frac{1}{N} X^T (X w + b - y)", r"\frac{1}{N} (X w + b - y) X^T", ORDER),
        (r"\frac{1}{N} X^T (X w + b - y)", r"\frac{1}{N} X^T (X w + b + y)", SIGN),
        (r"\frac{\partial J}{\partial p} = \frac{1}{N} (p - y)", r"\frac{\partial J}{\partial p} = p - y", BATCH),
        (r"= \frac{1}{N} 1_N^T r", r"= \frac{1}{N} r", BATCH),
        (r"= \frac{1}{N} r w^T", r"= \frac{1}{N} w r^T", TURNED),
        (r"\frac{1}{N} X^T r + \lambda w", r"\frac{1}{N} X^T r - \lambda w", SIGN),
        (r"\frac{1}{N} X^T r + \lambda w", r"\frac{1}{N} X^T r + \lambda b", ARGUMENT),
        (r"$$ r = p - y $$", r"$$ r = p + y $$", SIGN),
        (r"\frac{1}{N} X^T r + \lambda w", r"\frac{1}{N} X^T r + \mu w", UNKNOWN),
        (
            r"\frac{\partial J}{\partial p} = \frac{1}{N} (p - y)",
            r"\frac{\partial J}{\partial p} = \frac{2}{N} (p - y)",
            FALSE,
        ),
    ],
    "linear-regression-code.md": [
        ("dW = X.T @ (P - Y) / N", "dW = X @ (P - Y) / N", MISSING_T),
        ("dW = X.T @ (P - Y) / N", "dW = (P - Y) @ X.T / N", ORDER),
        ("dW = X.T @ (P - Y) / N", "dW = X.T @ (Y - P) / N", SIGN),
        ("dW = X.T @ (P - Y) / N", "dW = X.T @ (P - Y)", BATCH),
        ("dW = X.T @ (P - Y) / N", "dW = X.T * (P - Y) / N", OPERATOR),
        ("db = np.sum(P - Y, axis=0) / N", "db = np.sum(P - Y, axis=1) / N", BATCH),
        ("db = np.sum(P - Y, axis=0) / N", "db = (P - Y) / N", BATCH),
        ("dX = dP @ W.T", "dX = dP @ W", MISSING_T),
        ("dX = dP @ W.T", "dX = dP * W.T", OPERATOR),
        ("dX = dP @ W.T", "dX = dQ @ W.T", UNKNOWN),
        ("dP = (P - Y) / N", "dP = (P - Y) / M", ARGUMENT),
    ],
    "logistic-regression.md": [
        (r"$$ \sigma'(z) = p \circ (1 - p) $$", r"$$ \sigma'(z) = z \circ (1 - z) $$", ARGUMENT),
        (r"$$ \sigma'(z) = p \circ (1 - p) $$", r"$$ \sigma'(p) = z \circ (1 - z) $$", ARGUMENT),
        (r"$$ \sigma'(z) = p \circ (1 - p) $$", r"$$ \sigma'(z) = p (1 - p) $$", OPERATOR),
        (r"\circ \sigma'(z) = \frac{1}{N} (p - y)", r"\circ \sigma'(z) = \frac{1}{N} (y - p)", SIGN),
        (r"\circ \sigma'(z) = \frac{1}{N} (p - y)", r"\circ \sigma'(z) = p - y", BATCH),
        (r"= X^T \delta =", r"= X \delta =", MISSING_T),
        (r"= X^T \delta =", r"= \delta X^T =", ORDER),
        (r"= 1_N^T \delta", r"= \delta", BATCH),
        (r"= \delta w^T", r"= \delta w", MISSING_T),
        (r"J = -\frac{1}{N}", r"J = \frac{1}{N}", SIGN),
        (r"\sum_{i=1}^{N} \delta_i X_{ij}", r"\sum_{i=1}^{N} \delta_i X_{ji}", ORDER),
        (r"| $w$ | $[D, 1]$ |", r"| $w$ | $[N, 1]$ |", SHAPE),
    ],
    "logistic-numerator.md": [
        (r"$$ \frac{\partial J}{\partial z} = (p - y)^T $$", r"$$ \frac{\partial J}{\partial z} = p - y $$", TURNED),
        (r"= (p - y)^T X $$", r"= X (p - y)^T $$", ORDER),
        (r"= (p - y)^T X $$", r"= (y - p)^T X $$", SIGN),
        (r"= w (p - y)^T $$", r"= (p - y) w^T $$", TURNED),
        (r"\frac{\partial z}{\partial w} = X $$", r"\frac{\partial z}{\partial w} = X^T $$", TURNED),
    ],
    "two-layer-network.tex": [
        (r"\pd{J}{W_2} &= A_1^\top \Delta_2", r"\pd{J}{W_2} &= A_1 \Delta_2", MISSING_T),
        (r"\pd{J}{W_2} &= A_1^\top \Delta_2", r"\pd{J}{W_2} &= \Delta_2 A_1^\top", ORDER),
        (r"\pd{J}{W_2} &= A_1^\top \Delta_2", r"\pd{J}{W_2} &= Z_1^\top \Delta_2", ARGUMENT),
        (r"\pd{J}{b_2} &= \mathbf{1}_N^\top \Delta_2", r"\pd{J}{b_2} &= \Delta_2", BATCH),
        (r"\pd{J}{A_1} &= \Delta_2 W_2^\top", r"\pd{J}{A_1} &= \Delta_2 W_2", MISSING_T),
        (r"\odot \mathrm{ReLU}'(Z_1)", r"\mathrm{ReLU}'(Z_1)", OPERATOR),
        (r"\odot \mathrm{ReLU}'(Z_1)", r"\odot \mathrm{ReLU}'(Z_2)", ARGUMENT),
        (r"\pd{J}{W_1} &= X^\top \Delta_1", r"\pd{J}{W_1} &= X^\top \Delta_2", ARGUMENT),
        (r"\pd{J}{Z_2} = \frac{1}{N} (P - Y)", r"\pd{J}{Z_2} = P - Y", BATCH),
        (r"\pd{J}{Z_2} = \frac{1}{N} (P - Y)", r"\pd{J}{Z_2} = \frac{1}{N} (P + Y)", SIGN),
        (r"\odot \mathrm{ReLU}'(Z_1)", r"\odot \tanh'(Z_1)", OPERATOR),
        (r"$W_2 \in \R^{H \times C}$", r"$W_2 \in \R^{C \times H}$", SHAPE),
    ],
    "skip-gram-softmax.md": [
        (
            r"\frac{\partial J}{\partial \theta} = \hat{y} - y",
            r"\frac{\partial J}{\partial \theta} = y - \hat{y}",
            SIGN,
        ),
        (r"= U (\hat{y} - y)", r"= U^T (\hat{y} - y)", EXTRA_T),
        (r"= U (\hat{y} - y)", r"= (\hat{y} - y) U", ORDER),
        (r"= U \hat{y} - U y", r"= U \hat{y} + U y", SIGN),
        (r"= v_c (\hat{y} - y)^T", r"= (\hat{y} - y) v_c^T", TURNED),
        (r"= v_c (\hat{y} - y)^T", r"= v_c (\hat{y} - y)", MISSING_T),
        (r"= v_c (\hat{y} - y)^T", r"= v_o (\hat{y} - y)^T", UNKNOWN),
        (r"= v_c (\hat{y} - y)^T", r"= v_c \circ (\hat{y} - y)^T", OPERATOR),
        (r"([i=j] - \hat{y}_j)", r"([i=j] - \hat{y}_i)", ARGUMENT),
        (r"= U (\hat{y} - y)", r"= U (\hat{y} - \theta)", ARGUMENT),
        (r"= -\sum_{w=1}^{V} y_w \ln", r"= \sum_{w=1}^{V} y_w \ln", SIGN),
    ],
    "skip-gram-negative.md": [
        (r"= (\sigma(u_o^T v_c) - 1) u_o + \sum", r"= (1 - \sigma(u_o^T v_c)) u_o + \sum", SIGN),
        (r"= (\sigma(u_o^T v_c) - 1) u_o + \sum", r"= (\sigma(u_o^T v_c) - 1) v_c + \sum", ARGUMENT),
        (r"\sum_{k=1}^{K} \sigma(u_k^T v_c) u_k", r"\sum_{k=1}^{K} \sigma(-u_k^T v_c) u_k", SIGN),
        (r"\sum_{k=1}^{K} \sigma(u_k^T v_c) u_k", r"\sum_{k=1}^{K} \sigma(u_k^T v_c) v_c", ARGUMENT),
        (
            r"\frac{\partial J}{\partial u_o} = (\sigma(u_o^T v_c) - 1) v_c",
            r"\frac{\partial J}{\partial u_o} = (\sigma(u_o^T v_c) - 1) u_o",
            ARGUMENT,
        ),
        (
            r"\frac{\partial J}{\partial u_o} = (\sigma(u_o^T v_c) - 1) v_c",
            r"\frac{\partial J}{\partial u_o} = \sigma(u_o^T v_c) v_c",
            FALSE,
        ),
        (
            r"\frac{\partial J}{\partial u_k} = \sigma(u_k^T v_c) v_c",
            r"\frac{\partial J}{\partial u_k} = -\sigma(u_k^T v_c) v_c",
            SIGN,
        ),
        (
            r"\frac{\partial J}{\partial u_k} = \sigma(u_k^T v_c) v_c",
            r"\frac{\partial J}{\partial u_k} = \sigma(u_k^T v_c) u_k",
            ARGUMENT,
        ),
        (
            r"\frac{\partial J}{\partial u_k} = \sigma(u_k^T v_c) v_c",
            r"\frac{\partial J}{\partial u_k} = \sigma(u_k v_c^T) v_c",
            ORDER,
        ),
        (
            r"\frac{\partial J}{\partial u_k} = \sigma(u_k^T v_c) v_c",
            r"\frac{\partial J}{\partial u_k} = \sigma(u_k^T v_c) v_o",
            UNKNOWN,
        ),
        (r"- \sum_{k=1}^{K} \ln \sigma(-u_k", r"+ \sum_{k=1}^{K} \ln \sigma(-u_k", SIGN),
        (r"+ \sum_{k=1}^{K} (1 - \sigma(-u_k^T v_c)) u_k", r"- \sum_{k=1}^{K} (1 - \sigma(-u_k^T v_c)) u_k", SIGN),
    ],
    "tanh-rnn.md": [
        (r"\sum_{t=1}^{T} h_t^T (s_t - y_t)", r"\sum_{t=1}^{T} h_t (s_t - y_t)", MISSING_T),
        (r"\sum_{t=1}^{T} h_t^T (s_t - y_t)", r"\sum_{t=1}^{T} h_{t-1}^T (s_t - y_t)", TIME),
        (r"+ \delta_{t+1} W_h^T", r"+ \delta_{t+1} W_h", MISSING_T),
        (r"+ \delta_{t+1} W_h^T", r"+ \delta_t W_h^T", TIME),
        (r"+ \delta_{t+1} W_h^T", r"- \delta_{t+1} W_h^T", SIGN),
        (r"\odot (1 - h_t \odot h_t)", r"\odot (1 - a_t \odot a_t)", ARGUMENT),
        (r"\odot (1 - h_t \odot h_t)", r"\odot (1 - h_t h_t)", OPERATOR),
        (r"\odot (1 - h_t \odot h_t)", r"(1 - h_t \odot h_t)", OPERATOR),
        (r"\sum_{t=1}^{T} h_{t-1}^T \delta_t", r"\sum_{t=1}^{T} h_t^T \delta_t", TIME),
        (r"\sum_{t=1}^{T} x_t^T \delta_t", r"\sum_{t=1}^{T} \delta_t x_t^T", ORDER),
        (r"\sum_{t=1}^{T} 1_N^T \delta_t", r"\sum_{t=1}^{T} \delta_t", BATCH),
        (r"= \delta_t W_x^T", r"= \delta_t W_h^T", ARGUMENT),
        (r"\frac{\partial L}{\partial s_t} = s_t - y_t", r"\frac{\partial L}{\partial s_t} = y_t - s_t", SIGN),
        (r"a_t = x_t W_x + h_{t-1} W_h + b", r"a_t = x_t W_x + h_t W_h + b", TIME),
    ],
    "relu-rnn.md": [
        (r"= p^{(t)} - y^{(t)} $$", r"= p^{(t)} + y^{(t)} $$", SIGN),
        (r"= p^{(t)} - y^{(t)} $$", r"= o^{(t)} - y^{(t)} $$", ARGUMENT),
        (r"{h^{(t)}}^T \epsilon^{(t)}", r"h^{(t)} \epsilon^{(t)}", MISSING_T),
        (r"{h^{(t)}}^T \epsilon^{(t)}", r"{h^{(t-1)}}^T \epsilon^{(t)}", TIME),
        (r"= 1_B^T \epsilon^{(t)}", r"= \epsilon^{(t)}", BATCH),
        (
            r"(\epsilon^{(t)} V^T) \circ \mathrm{relu}'(z^{(t)})",
            r"(\epsilon^{(t)} V) \circ \mathrm{relu}'(z^{(t)})",
            MISSING_T,
        ),
        (
            r"(\epsilon^{(t)} V^T) \circ \mathrm{relu}'(z^{(t)})",
            r"(V^T \epsilon^{(t)}) \circ \mathrm{relu}'(z^{(t)})",
            ORDER,
        ),
        (r"|_{(t)} = {x^{(t)}}^T \delta^{(t)}", r"|_{(t)} = {x^{(t)}}^T \epsilon^{(t)}", ARGUMENT),
        (r"|_{(t)} = {h^{(t-1)}}^T \delta^{(t)}", r"|_{(t)} = {h^{(t)}}^T \delta^{(t)}", TIME),
        (r"= \delta^{(t)} R^T $$", r"= \delta^{(t)} R $$", MISSING_T),
        (
            r"= (\delta^{(t)} R^T) \circ \mathrm{relu}'(z^{(t-1)})",
            r"= (\delta^{(t)} R^T) \circ \mathrm{relu}'(z^{(t)})",
            TIME,
        ),
        (r"|_{(t-1)} = {x^{(t-1)}}^T \frac", r"|_{(t-1)} = {x^{(t)}}^T \frac", TIME),
        (r"V.shape = [H, C]", r"V.shape = [C, H]", SHAPE),
    ],
    "attention.md": [
        (r"\frac{\partial J}{\partial V} = A^T (O - Y)", r"\frac{\partial J}{\partial V} = A (O - Y)", MISSING_T),
        (r"= (O - Y) V^T", r"= V^T (O - Y)", ORDER),
        (r"= (O - Y) V^T", r"= (O - Y) V", MISSING_T),
        (r"= \frac{1}{\sqrt{d}} \Delta K", r"= \Delta K", FALSE),
        (r"= \frac{1}{\sqrt{d}} \Delta K", r"= \frac{1}{\sqrt{d}} \Delta Q", ARGUMENT),
        (r"{\partial K} = \frac{1}{\sqrt{d}} \Delta^T Q", r"{\partial K} = \frac{1}{\sqrt{d}} \Delta Q", MISSING_T),
        (r"A \odot (G - (G \odot A) 1_n 1_n^T)", r"A (G - (G \odot A) 1_n 1_n^T)", OPERATOR),
        (r"A \odot (G - (G \odot A) 1_n 1_n^T)", r"A \odot (G - 1_n 1_n^T (G \odot A))", ORDER),
        (r"A \odot (G - (G \odot A) 1_n 1_n^T)", r"A \odot (G + (G \odot A) 1_n 1_n^T)", SIGN),
        (r"A \odot (G - (G \odot A) 1_n 1_n^T)", r"A \odot (G - (G A) 1_n 1_n^T)", OPERATOR),
        (
            r"{\partial W_K} = \frac{1}{\sqrt{d}} X^T \Delta^T Q",
            r"{\partial W_K} = \frac{1}{\sqrt{d}} X^T \Delta^T K",
            ARGUMENT,
        ),
        (r"= X^T A^T (O - Y)", r"= X^T A (O - Y)", MISSING_T),
        (r"\frac{\partial J}{\partial O} = O - Y", r"\frac{\partial J}{\partial O} = Y - O", SIGN),
        (r"S = \frac{Q K^T}{\sqrt{d}}", r"S = \frac{Q K}{\sqrt{d}}", MISSING_T),
    ],
    "lstm-step.md": [
        (r"\odot o_t \odot (1 - \tanh(c_t)^2)", r"\odot o_t \odot (1 - c_t^2)", ARGUMENT),
        (r"\odot o_t \odot (1 - \tanh(c_t)^2)", r"\odot o_t \odot (1 + \tanh(c_t)^2)", SIGN),
        (r"{\partial f_t} = \kappa_t \odot c_{t-1}", r"{\partial f_t} = \kappa_t \odot c_t", TIME),
        (r"{\partial i_t} = \kappa_t \odot g_t", r"{\partial i_t} = \kappa_t \odot i_t", ARGUMENT),
        (r"{\partial g_t} = \kappa_t \odot i_t", r"{\partial g_t} = \kappa_t i_t", OPERATOR),
        (r"c_{t-1} \odot f_t \odot (1 - f_t)", r"c_{t-1} \odot \hat{f}_t \odot (1 - \hat{f}_t)", ARGUMENT),
        (r"i_t \odot (1 - g_t \odot g_t)", r"i_t \odot (1 - g_t)", FALSE),
        (r"= \delta_t x_t^T", r"= \delta_t x_t", MISSING_T),
        (r"= \delta_t h_{t-1}^T", r"= \delta_t h_t^T", TIME),
        (r"= \delta_t h_{t-1}^T", r"= h_{t-1}^T \delta_t", ORDER),
        (r"= \delta_t 1_B", r"= \delta_t", BATCH),
        (r"= \gamma_t h_{t-1}^T", r"= \eta_t h_{t-1}^T", ARGUMENT),
        (r"{\partial x_t} = W_i^T \eta_t + W_f^T", r"{\partial x_t} = W_i \eta_t + W_f^T", MISSING_T),
        (r"c_t = f_t \odot c_{t-1} + i_t \odot g_t", r"c_t = f_t \odot c_{t-1} + i_t \odot f_t", ARGUMENT),
    ],
}  # fmt: skip

MISTAKES = [
    Mistake(page, right, wrong, verdict if isinstance(verdict, tuple) else (verdict,), *rest)
    for page, rows in _TABLE.items()
    for right, wrong, verdict, *rest in rows
]
