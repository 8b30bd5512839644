"""Explanations → the report: claims in order, as text, JSON and HTML."""
