"""The log histogram of transit times (media.plane.TRANSIT_BUCKETS)."""

from __future__ import annotations

from bisect import bisect_right
from math import ceil

from ..plane import TRANSIT_BUCKETS

#: Where each bucket begins, ns.
BOUNDS = [ceil(10_000 * 10 ** (bucket / 20)) for bucket in range(TRANSIT_BUCKETS)]


def bucket_of(duration: int) -> int:
    """Find the bucket of a duration in ns."""
    return max(bisect_right(BOUNDS, duration) - 1, 0)
