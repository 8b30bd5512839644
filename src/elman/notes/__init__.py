"""A page of formulas → verdicts: what holds, what does not, why, and the smallest repair.

`check("notes.md")` is the front door; its report's `claims` know their line, verdict, diagnosis and repairs.
"""

from __future__ import annotations

from elman.notes.check_page import check
from elman.notes.judge.verdict import Claim, Repair, Report, Verdict

__all__ = ["Claim", "Repair", "Report", "Verdict", "check"]
