"""Numeric values of expressions, and the complex step."""
