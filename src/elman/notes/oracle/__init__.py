"""A model → numbers: random points, values, and derivatives by complex step."""
