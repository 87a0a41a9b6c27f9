"""How much of a stream is protected by FlexFEC: by what its receiver says of loss, and no more than is allowed.

Repeats (RTX) mend what was lost a round trip later and cost only what was lost; protection mends at once and costs all
the time. So it begins where loss is more than now and then, and ends slowly, since lossy lines are lossy in turns.
"""

from __future__ import annotations

#: Loss, 0-1, from which on a line counts as lossy.
LOSSY = 0.02

#: Protection packets for each lost one: one a block that lost one, and some blocks lose two.
FOLD = 3.0

#: The least that is of use: one protection packet for twenty.
LEAST = 0.05

#: What is left of the share after each report without loss; some twelve of them end it.
FADE = 0.8


def share_for(loss: float, current: float, highest: float) -> float:
    """Choose protection packets a packet, by the share lost of late (0-1) and what is being sent now."""
    wanted = max(FOLD * loss, LEAST) if loss >= LOSSY else 0.0
    fading = FADE * current if FADE * current >= LEAST else 0.0
    return min(max(wanted, fading), highest)
