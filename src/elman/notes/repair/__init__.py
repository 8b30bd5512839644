"""Judgements → explanations: what is wrong, and the smallest repair."""
