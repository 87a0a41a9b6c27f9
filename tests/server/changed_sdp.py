"""Descriptions with lines changed at random, as a liar or a broken peer would send them."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

#: Numbers that stand at a limit somewhere: payload types, extensions, ports, SSRCs.
_NUMBERS = (0, 1, 14, 15, 64, 95, 97, 127, 2**32, -1)


def changed(lines: Sequence[str], chance: random.Random) -> str:
    """Change one to three lines: gone, twice, with other numbers, cut short, or with something behind."""
    result = list(lines)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(result))
        what = chance.randrange(5)
        if what == 0:
            del result[at]
        elif what == 1:
            result.insert(at, chance.choice(lines))
        elif what == 2:
            result[at] = re.sub(r"\d+", lambda _: str(chance.choice(_NUMBERS)), result[at])
        elif what == 3:
            result[at] = result[at][: chance.randrange(len(result[at]) + 1)]
        else:
            result[at] += chance.choice(["\x00", " x", ":" * 50, "é", "1" * 400])
    return "\r\n".join(result) + "\r\n"
