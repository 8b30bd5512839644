"""Matrix calculus: expressions with shapes, their derivatives in either layout, as text, LaTeX, NumPy and JSON."""
