"""How long a seek waits for its segment, and that nothing but the segment's own blocks is read for it."""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from recorder.export.preparing import prepare
from recorder.library import JOURNAL
from recorder.parts import open_part
from recorder.seal.keys import DataKey
from recorder.segments.index import SUFFIX
from recorder.segments.track import open_track

#: What a seek may wait for its segment, milliseconds.
GOAL_MS = 100.0
_SEEKS = 120


@dataclass(frozen=True, slots=True)
class _Seek:
    ms: float
    read: int
    given: int


def segments(folder: Path, key: DataKey) -> dict[str, float]:
    """Seek at random in a sealed recording's pictures, each time as the first who asks for anything of it.

    `segment_ms` is the 95th percentile of the time for one segment, of the clock, with opening index and journal;
    `segment_read_ratio` is what was read of the journal by what was given.
    """
    with tempfile.TemporaryDirectory(prefix="konsil-segments-") as name:
        copy = Path(name)
        for volume in folder.glob(f"{JOURNAL.partition('.')[0]}*"):
            (copy / volume.name).symlink_to(volume)
        prepare(copy, key=key, indices_only=True)
        chance = random.Random(1)
        indices = sorted(copy.glob(f"*{SUFFIX}"))
        seeks = [_seek(chance.choice(indices), key, chance) for _ in range(_SEEKS)]
    return {
        "segment_ms": statistics.quantiles((seek.ms for seek in seeks), n=20)[-1],
        "segment_median_ms": statistics.median(seek.ms for seek in seeks),
        "segment_mb": statistics.median(seek.given for seek in seeks) / 1e6,
        "segment_read_ratio": sum(seek.read for seek in seeks) / sum(seek.given for seek in seeks),
    }


def _seek(index: Path, key: DataKey, chance: random.Random) -> _Seek:
    begun = time.perf_counter()
    track = open_track(open_part(index, key), index.with_name(JOURNAL), key)
    try:
        given = track.segment(chance.randrange(track.count))
        return _Seek((time.perf_counter() - begun) * 1e3, track.bytes_read, len(given))
    finally:
        track.close()
