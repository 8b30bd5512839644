"""Expressions as LaTeX, text, NumPy code and MathML."""
