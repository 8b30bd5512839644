"""Sizes that must be equal are joined (union-find): the arithmetic below the rules of `rules.py`.

A size is a name: "1"; a name that is fixed ("n", "784"); "?3", a size without a name, never 1; "~N", a size that would
be called N if nothing else names it, as the bound of a sum is.
"""

from __future__ import annotations

from typing import Self

Shape = tuple[str, str]
SCALAR: Shape = ("1", "1")


class Sizes:
    """Sizes, some of them joined; `renamed` counts the joins of two names, one of which was only suggested."""

    def __init__(self) -> None:
        self.renamed = 0
        self._parent: dict[str, str] = {}
        self._made = 0

    def fresh(self) -> str:
        """A size without a name."""
        self._made += 1
        return f"?{self._made}"

    def copy(self) -> Self:
        """The same sizes, which can be joined further on their own: all lists, sets and dictionaries are copied."""
        new = object.__new__(type(self))
        for name, value in vars(self).items():
            setattr(new, name, value.copy() if isinstance(value, dict | list | set) else value)
        return new

    def find(self, d: str) -> str:
        """The representative of all sizes that equal `d`."""
        while d in self._parent:
            d = self._parent[d]
        return d

    def shape(self, s: Shape) -> Shape:
        """A shape by the representatives of its sizes."""
        return self.find(s[0]), self.find(s[1])

    def unify(self, a: str, b: str) -> bool:
        """Makes two sizes equal, if possible; whether they are equal now."""
        a, b = sorted((self.find(a), self.find(b)), key=_is_open, reverse=True)  # stable: the more open one first
        if a == b:
            return True
        if not _is_open(a) or b == "1":
            return False
        self._parent[a] = b
        self.renamed += a[0] == "~" and a[1:] != b
        return True

    def joins(self, a: str, b: str) -> bool:
        """Makes two sizes equal, if they can be without two names for one of them; whether they are equal now."""
        before = dict(self._parent), self.renamed
        if self.unify(a, b) and self.renamed == before[1]:
            return True
        self._parent, self.renamed = before
        return False

    def unify_shapes(self, a: Shape, b: Shape) -> bool:
        """Makes two shapes equal, if possible; whether they are equal now."""
        return self.unify(a[0], b[0]) and self.unify(a[1], b[1])

    def fits(self, a: Shape, b: Shape) -> bool:
        """Whether two shapes can be equal; makes them equal if so, and changes nothing if not."""
        before = dict(self._parent), self.renamed
        if self.unify_shapes(a, b):
            return True
        self._parent, self.renamed = before
        return False

    def is_scalar(self, s: Shape) -> bool:
        """Whether a shape is [1,1]."""
        return self.shape(s) == SCALAR

    def shown(self, s: Shape) -> str:
        """A shape as far as it is known: [m,·]."""
        return "[" + ",".join("·" if d[0] == "?" else d.lstrip("~") for d in self.shape(s)) + "]"


def _is_open(d: str) -> int:
    return 2 if d[0] == "?" else 1 if d[0] == "~" else 0
