"""Identities of the Matrix Cookbook's kind (Petersen & Pedersen, 2012), as a person writes them.

Each line: formula | by | derivative in denominator layout | in numerator layout. Lower case is a column, upper case
a matrix.
"""

from __future__ import annotations

LINEAR = r"""
a^T x | x | a | a^T
x^T a | x | a | a^T
A x | x | A^T | A
x^T A | x | A | A^T
a^T X b | X | a b^T | b a^T
a^T X^T b | X | b a^T | a b^T
b^T A x | x | A^T b | b^T A
tr(A X) | X | A^T | A
tr(X A) | X | A^T | A
tr(A X^T) | X | A | A^T
tr(b a^T X) | X | a b^T | b a^T
tr(A X B) | X | A^T B^T | B A
tr(A X^T B) | X | B A | A^T B^T
tr(X) | X | I_n | I_n
A x + b | x | A^T | A
"""

QUADRATIC = r"""
x^T x | x | 2 x | 2 x^T
x^T A x | x | (A + A^T) x | x^T (A + A^T)
(x - a)^T (x - a) | x | 2 (x - a) | 2 (x - a)^T
(A x - b)^T (A x - b) | x | 2 A^T (A x - b) | 2 (A x - b)^T A
(A x + b)^T C (D x + e) | x | A^T C (D x + e) + D^T C^T (A x + b) | (A x + b)^T C D + (D x + e)^T C^T A
a^T x x^T b | x | (a b^T + b a^T) x | x^T (b a^T + a b^T)
b^T X^T X c | X | X (c b^T + b c^T) | (b c^T + c b^T) X^T
b^T X^T C X c | X | C X c b^T + C^T X b c^T | c b^T X^T C + b c^T X^T C^T
(x^T x)^2 | x | 4 (x^T x) x | 4 (x^T x) x^T
"""

TRACES = r"""
tr(X^T X) | X | 2 X | 2 X^T
tr(X^2) | X | 2 X^T | 2 X
tr(X^3) | X | 3 (X^T)^2 | 3 X^2
tr(X^T A X) | X | (A + A^T) X | X^T (A + A^T)
tr(X A X^T) | X | X (A + A^T) | (A + A^T) X^T
tr(A X B X) | X | A^T X^T B^T + B^T X^T A^T | B X A + A X B
tr(A X B X^T C) | X | A^T C^T X B^T + C A X B | B X^T C A + B^T X^T A^T C^T
tr(A X B X^T) | X | A X B + A^T X B^T | B X^T A + B^T X^T A^T
tr(A \circ X) | X | diag(diag(A)) | diag(diag(A))
"""

INVERSES = r"""
a^T X^{-1} b | X | -X^{-T} a b^T X^{-T} | -X^{-1} b a^T X^{-1}
tr(X^{-1}) | X | -(X^{-T})^2 | -(X^{-1})^2
tr(A X^{-1} B) | X | -X^{-T} A^T B^T X^{-T} | -X^{-1} B A X^{-1}
tr(X^{-1} A) | X | -X^{-T} A^T X^{-T} | -X^{-1} A X^{-1}
tr((X + A)^{-1}) | X | -((X + A)^{-T})^2 | -((X + A)^{-1})^2
b^T (X X^T)^{-1} b | X | -2 (X X^T)^{-1} b b^T (X X^T)^{-1} X | -2 X^T (X X^T)^{-1} b b^T (X X^T)^{-1}
"""

DETERMINANTS = r"""
\det X | X | det(X) X^{-T} | det(X) X^{-1}
\ln \det X | X | X^{-T} | X^{-1}
\det(X)^2 | X | 2 det(X)^2 X^{-T} | 2 det(X)^2 X^{-1}
\det(A X B) | X | det(A X B) A^T (A X B)^{-T} B^T | det(A X B) B (A X B)^{-1} A
\det(X^{-1}) | X | -X^{-T} / det(X) | -X^{-1} / det(X)
\ln \det(X^T X) | X | 2 X (X^T X)^{-1} | 2 (X^T X)^{-1} X^T
\det(X^T X) | X | 2 det(X^T X) X (X^T X)^{-1} | 2 det(X^T X) (X^T X)^{-1} X^T
\ln \det(A + X) | X | (A + X)^{-T} | (A + X)^{-1}
\ln \det(X^T A X) | X | A X (X^T A X)^{-1} + A^T X (X^T A X)^{-T} | (X^T A X)^{-1} X^T A + (X^T A X)^{-T} X^T A^T
"""

NORMS = r"""
\|x\| | x | x / ‖x‖ | x^T / ‖x‖
\|x\|^2 | x | 2 x | 2 x^T
\|x - a\| | x | (x - a) / ‖x - a‖ | (x - a)^T / ‖x - a‖
\frac{x - a}{\|x - a\|} | x | I_n / ‖x - a‖ - (x - a) (x - a)^T / ‖x - a‖^3 | I_n / ‖x - a‖ - (x - a) (x - a)^T / ‖x - a‖^3
\|A x - b\|^2 | x | 2 A^T (A x - b) | 2 (A x - b)^T A
\|A x - b\| | x | A^T (A x - b) / ‖A x - b‖ | (A x - b)^T A / ‖A x - b‖
\|X\|_F^2 | X | 2 X | 2 X^T
\|X\|_F | X | X / ‖X‖ | X^T / ‖X‖
\|A X - B\|_F^2 | X | 2 A^T (A X - B) | 2 (A X - B)^T A
\|X - A B\|_F^2 | B | -2 A^T (X - A B) | -2 (X - A B)^T A
\|x\|_1 | x | sign(x) | sign(x)^T
\frac{1}{2} \|A x - b\|^2 + \frac{1}{2} \lambda \|x\|^2 | x | A^T (A x - b) + λ x | (A x - b)^T A + λ x^T
"""  # noqa: E501

ELEMENTWISE = r"""
sum(exp(x)) | x | exp(x) | exp(x)^T
sum(\ln x) | x | 1 / x | (1 / x)^T
sum(x \circ x) | x | 2 x | 2 x^T
a \circ x | x | diag(a) | diag(a)
exp(x) | x | diag(exp(x)) | diag(exp(x))
x \circ x | x | 2 diag(x) | 2 diag(x)
\sigma(z) | z | diag(σ(z) ∘ (1 - σ(z))) | diag(σ(z) ∘ (1 - σ(z)))
tanh(z) | z | diag(1 - tanh(z)^{∘2}) | diag(1 - tanh(z)^{∘2})
softmax(z) | z | diag(softmax(z)) - softmax(z) softmax(z)^T | diag(softmax(z)) - softmax(z) softmax(z)^T
sum(A \circ X) | X | A | A^T
diag(a) x | x | diag(a) | diag(a)
mean(x) | x | 1_n / n | 1_n^T / n
"""

CHAINS = r"""
exp(a^T x) | x | exp(a^T x) a | exp(a^T x) a^T
\sigma(a^T x) | x | σ'(a^T x) a | σ'(a^T x) a^T
\ln sum(exp(x)) | x | exp(x) / sum(exp(x)) | exp(x)^T / sum(exp(x))
CE(y, softmax(z)) | z | softmax(z) - y | (softmax(z) - y)^T
CE(y, softmax(W x + b)) | W | (softmax(W x + b) - y) x^T | x (softmax(W x + b) - y)^T
CE(y, softmax(W x + b)) | b | softmax(W x + b) - y | (softmax(W x + b) - y)^T
CE(y, softmax(W x + b)) | x | W^T (softmax(W x + b) - y) | (softmax(W x + b) - y)^T W
CE(Y, softmax(W X)) | W | (softmax(W X) - Y) X^T | X (softmax(W X) - Y)^T
\sigma(W x) | x | W^T diag(σ'(W x)) | diag(σ'(W x)) W
a^T \sigma(W x) | W | (a ∘ σ'(W x)) x^T | x (a ∘ σ'(W x))^T
a^T tanh(W x) | x | W^T (a ∘ tanh'(W x)) | (a ∘ tanh'(W x))^T W
softmax(A x) | x | A^T (diag(softmax(A x)) - softmax(A x) softmax(A x)^T) | (diag(softmax(A x)) - softmax(A x) softmax(A x)^T) A
\|\sigma(W x) - y\|^2 | W | 2 ((σ(W x) - y) ∘ σ'(W x)) x^T | 2 x ((σ(W x) - y) ∘ σ'(W x))^T
\frac{x^T A x}{x^T x} | x | (A + A^T) x / (x^T x) - 2 (x^T A x) x / (x^T x)^2 | x^T (A + A^T) / (x^T x) - 2 (x^T A x) x^T / (x^T x)^2
sum(relu(W x)) | W | step(W x) x^T | x step(W x)^T
"""  # noqa: E501

GROUPS = {
    "linear": LINEAR,
    "quadratic": QUADRATIC,
    "trace": TRACES,
    "inverse": INVERSES,
    "determinant": DETERMINANTS,
    "norm": NORMS,
    "elementwise": ELEMENTWISE,
    "chain": CHAINS,
}


def identities() -> list[tuple[str, ...]]:
    """All lines: formula, by, denominator layout, numerator layout."""
    lines = (line for group in GROUPS.values() for line in group.strip().splitlines())
    return [tuple(part.strip() for part in line.split(" | ")) for line in lines]
