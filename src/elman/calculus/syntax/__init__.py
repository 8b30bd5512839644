"""LaTeX and Python-like formulas → expressions."""
