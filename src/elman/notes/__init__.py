"""Checks pages of formulas: which formulas hold, which do not, why, and how to repair them.

`check("notes.md")` returns a `Report`; each of its `claims` has its line, verdict, diagnosis and repairs. A page passes
through one room after another, and each result is a value that does not change: page → model → oracle → judge →
repair → report.
"""

from __future__ import annotations

from elman.notes.check_page import check
from elman.notes.judge.verdict import Claim, Repair, Report, Verdict

__all__ = ["Claim", "Repair", "Report", "Verdict", "check"]
