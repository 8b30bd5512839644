"""Expressions as sums over indices, where differentiation is exact and short."""
