"""A page of formulas → verdicts: what holds, what does not, why, and the smallest repair."""
