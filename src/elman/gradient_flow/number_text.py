"""Numbers as the summary and the page print them."""

from __future__ import annotations

import math


def percent(share: float) -> str:
    """Two decimals; a share that would print as 0.00% but is not 0 prints as <0.01%."""
    return "<0.01%" if 0 < share < 5e-5 else f"{share:.2%}"


def nats_text(nats: float) -> str:
    """Three decimals; three significant digits for the huge losses of an exploded network."""
    return f"{nats:.3f}" if nats < 1e5 else f"{nats:.3g}"


def scientific(log10: float) -> str:
    """10^log10 with two digits, also where a float cannot hold it."""
    if not math.isfinite(log10):
        return "0"
    exponent = math.floor(log10)
    mantissa = 10 ** (log10 - exponent)
    if mantissa >= 9.95:
        mantissa, exponent = 1.0, exponent + 1
    return f"{mantissa:.1f}e{exponent:+03}"
