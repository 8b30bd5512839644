"""Formulas → judgements: whether both sides of each claim agree by value."""
