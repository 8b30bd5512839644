"""Names: which letters belong together, and what a subscript or superscript means on a page.

`W_h` is one name, `y_j` an entry of y, and `h_t` is h at a time step. LaTeX does not distinguish them; the page does,
by its declarations. Therefore a parser gets the `Names` of its page.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

_LOWER = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta", "η": "eta", "θ": "theta",
    "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "ο": "omicron", "π": "pi", "ρ": "rho",
    "σ": "sigma", "τ": "tau", "υ": "upsilon", "φ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega", "ℓ": "ell",
}  # fmt: skip
_UPPER = {
    "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma", "Υ": "Upsilon",
    "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega",
}  # fmt: skip
GREEK_LETTERS = {**_LOWER, **_UPPER, "ϵ": "epsilon", "ϑ": "theta", "ϕ": "phi", "ς": "varsigma"}
GREEK = (*_LOWER.values(), *_UPPER.values(), "varepsilon", "vartheta", "varphi", "varsigma")
ACCENTS = {
    "hat": "hat", "widehat": "hat", "bar": "bar", "overline": "bar", "tilde": "tilde", "widetilde": "tilde",
    "dot": "dot", "check": "check", "vec": "vec",
}  # fmt: skip
INDEX_LETTERS = frozenset((*"ijklmnbpqrsvco", *(f"{letter}'" for letter in "ijklmnbpqrsvco")))
PROBABILITIES = frozenset({"p", "P", "q", "Q", "Pr"})  # P(X = x) is one quantity
TIME_LETTERS = frozenset({"t", "tau", "t'"})
LAYER_LETTERS = frozenset({"l", "L", "ell"})
LOSSES = frozenset({"L", "J", "E", "l", "ell", "C", "loss", "cost", "Loss", "Cost"})  # what a loss is called


def fold(name: str) -> str:
    """One key for all spellings of a name: b1, b_1 and b_{1}; Dh and D_h; yhat and y_hat."""
    return name.replace("_", "").replace("{", "").replace("}", "")


def canonical(identifier: str) -> str:
    """A Python identifier as a canonical name: `b1` → `b_1`, `delta1` → `delta_1`, `δ1` → `delta_1`, `ŷ` → `y_hat`."""
    import unicodedata

    text = unicodedata.normalize("NFD", identifier.rstrip("_"))  # lambda_, as Python keeps lambda for itself
    text = text.replace("\u0302", "_hat").replace("\u0304", "_bar").replace("\u0303", "_tilde")
    text = "".join(GREEK_LETTERS.get(c, c) for c in unicodedata.normalize("NFC", text))
    stem = text.rstrip("0123456789")
    if stem and stem != text and stem[-1].isalpha():
        return f"{stem}_{text[len(stem) :]}"
    return text


@dataclass(frozen=True, slots=True)
class Names:
    """The names that a page declares.

    `known` are canonical names, each a symbol; `timed` those that have time steps. `indices` are the letters over which
    sums of the page run. `families` are names with a column for each value of an index: u_k for k = 1 … K. `functions`
    are names that the page applies: φ(z) is an application. `numbers` are names before whose parentheses a product is
    meant: a (b + c). `levels` are the letters that number layers or examples as superscripts: l of z^l; `squares` the
    names whose square is a letter of its own: σ^2, the variance. `letters` are names that are variables here although
    they have another meaning elsewhere: e, i, d, T, π. `pointers` are the subscripts that are indices which the data
    give: y_i of p_{y_i}. `lists` are letters with a subscript that numbers a list of them: u_w, as in Σ_s u_{w_s}.
    `transposes` are what a transpose is written with besides T: t of A^t.
    `values` are letters over whose values sums run, x of Σ_x p(x) f(x).
    `has_convolutions`: * is no product.
    `steps` are further letters that number time steps below a letter: k of h_k, beside h_t.
    """

    known: frozenset[str] = frozenset()
    timed: frozenset[str] = frozenset()
    indices: frozenset[str] = frozenset()
    families: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    levels: frozenset[str] = frozenset()
    squares: frozenset[str] = frozenset()
    letters: frozenset[str] = frozenset()
    pointers: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    transposes: frozenset[str] = frozenset()
    steps: frozenset[str] = frozenset()
    values: frozenset[str] = frozenset()
    has_convolutions: bool = False
    _folded: dict[str, str] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        for name in sorted(self.known):
            self._folded.setdefault(fold(name), name)

    @classmethod
    def of(
        cls, known: Iterable[str], timed: Iterable[str] = (), indices: Iterable[str] = (), families: Iterable[str] = ()
    ) -> Names:
        """From any iterables of canonical names."""
        return cls(frozenset(known), frozenset(timed), frozenset(indices), frozenset(families))

    def resolve(self, name: str) -> str | None:
        """The page's own name for a spelling, or None if it is no name of the page."""
        if name in self.known:
            return name
        found = self._folded.get(fold(name))
        return None if found in GREEK else found  # x_i is not ξ, whose name is xi

    def is_letter(self, word: str) -> bool:
        """Whether a word that has a meaning everywhere (e, π, I, σ, Σ) is a quantity of this page."""
        return word in self.letters or self.resolve(word) is not None

    def longest(self, letters: str) -> str | None:
        """The longest prefix of two or more letters that is a name of the page, as written."""
        for end in range(len(letters), 1, -1):
            if fold(letters[:end]) in self._folded:
                return letters[:end]
        return None
