"""SVT-AV1 takes the highest real-time class for the thread that opens it, where it may: whatever that thread starts
afterwards, a browser above all, would inherit it and starve the machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def unchanged_scheduling() -> Iterator[None]:
    """Give this thread back the scheduling class that it had."""
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        if os.sched_getscheduler(0) != policy:
            os.sched_setscheduler(0, policy, parameters)
