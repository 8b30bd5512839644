"""Functions of whole matrices and powers: gradients by complex step and central differences, and what is refused."""

from __future__ import annotations

import pytest
from differences import check_gradient

from elman.calculus.derive_formula import derive
from elman.errors import FormulaError

# formula | by | gradient | shapes
GRADIENTS = r"""
logdet(X) | X | X^{-T} |
logdet(A + c B) | c | tr((A + c B)^{-1} B) | c=1 A=n,n B=n,n
logsumexp(A x) | x | A^T softmax(A x) | A=m,n
inner(a, x) | x | a |
inner(A, B X) | X | B^T A | A=m,n B=m,k
\|X\|_* | X | polar(X) | X=m,n
\|X\|_*^2 | X | 2 ‖X‖_* polar(X) | X=m,n
\|X\|_2 | X | leading(X) | X=m,n
\|X\|_F^2 | X | 2 X | X=m,n
\|x\|_2^2 | x | 2 x |
\|x\|_2 | x | x / ‖x‖ |
\|x\|_3 | x | (abs(x)^{∘2} ∘ sign(x)) / sum(abs(x)^{∘3})^{2/3} |
\|x\|_p^p | x | p (abs(x)^{∘(p - 1)} ∘ sign(x)) | p=1
\|A x - b\|_\infty | x | A^T (sign(A x - b) ∘ (1 - step(‖A x - b‖_∞ - abs(A x - b)))) | A=m,n
tr(X^k) | X | k (X^{k - 1})^T | X=n,n k=1
tr(X^{-k}) | X | -k (X^{-(k + 1)})^T | X=n,n k=1
tr(X^{1/2}) | X | 1/2 (X^{-1/2})^T | X=n,n
tr(X^{12}) | X | 12 (X^{11})^T | X=n,n
a^T X^k b | a | X^k b | X=n,n k=1
det(X^k) | X | k det(X)^k X^{-T} | X=n,n k=1
tr(expm(X)) | X | expm(X)^T |
tr(expm(A X)) | X | A^T expm(A X)^T | A=n,m X=m,n
tr(logm(X)) | X | X^{-T} |
a^T expm(X) b | a | expm(X) b |
\sum_i x_i^p | x | p x^{∘(p - 1)} | x=n p=1
(a^T x)^p | x | p (a^T x)^{p - 1} a | p=1
x^k | k | ln(x) x^k | x=1 k=1
2^k | k | ln(2) · 2^k | k=1
"""
ROWS = [tuple(part.strip() for part in f"{line} ".split(" | ")) for line in GRADIENTS.strip().splitlines()]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_gradient_of_a_function_of_matrices(row: tuple[str, ...]) -> None:
    formula, wrt, gradient, shapes = row
    found = derive(formula, wrt, shapes=dict(part.split("=", 1) for part in shapes.split()))
    assert found.text == gradient
    assert found.error < 1e-9
    check_gradient(found)


@pytest.mark.parametrize("shape", ["3,5", "5,3", "4,4"])
def test_the_pseudoinverse_of_any_full_rank(shape: str) -> None:
    found = derive("tr(A pinv(X))", "X", shapes={"X": shape})
    assert found.error < 1e-9
    check_gradient(found)


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        ("a^T expm(X) b", "an integral without a matrix form"),
        ("a^T logm(X) b", r"only tr\(logm\(X\)\)"),
        ("a^T X^{1/2} b", "within a trace only"),
        (r"\|X\|_\infty", "of a matrix it has several meanings"),
        ("logdet(x)", "needs a square matrix"),
        (r"\mathrm{tr}(A \otimes X)", "the matrix A is a Kronecker product"),
    ],
)
def test_what_has_no_gradient_is_refused_by_name(formula: str, reason: str) -> None:
    with pytest.raises(FormulaError, match=reason):
        derive(formula, "x" if "x)" in formula else "X", shapes={"x": "n"})


def test_an_answer_says_how_it_reads_a_norm() -> None:
    (said,) = derive(r"\|X\|_2", "X").conventions
    assert said.startswith("leading(X) is u_1 v_1^T of the singular value decomposition")
    assert derive(r"\|x\|_2", "x").conventions == ()
