"""Which calibration a frame of the operating field is measured by: one holds for the zoom and the distance at which it
was made, so from its own frame on and not before, and no longer once the picture was interrupted."""

from __future__ import annotations

from typing import Final

from .anchors import VideoAnchor
from .notes import Calibrate
from .operations import Entry

#: RTP's clock of every video (RFC 3551, section 4.2 and the codecs' payload formats), Hz.
VIDEO_CLOCK: Final = 90_000


def ticks_between(later: int, earlier: int, seconds: float, clock_rate: int = VIDEO_CLOCK) -> int:
    """Unwrap how many ticks lie between two RTP timestamps, which come round every 13 hours (RFC 3550, 5.1).

    `seconds` is about how long after the earlier one the later one was, as another clock saw it, to within 6 hours.
    """
    short = (later - earlier) % (1 << 32)
    return short + round((seconds * clock_rate - short) / (1 << 32)) * (1 << 32)


def holds(calibration: Entry, anchor: VideoAnchor, time: float) -> bool:
    """Tell whether a calibration (its entry) was made at this frame or before; `time` is the frame's, Unix ms."""
    made = calibration.operation
    if not isinstance(made, Calibrate) or made.anchor.producer != anchor.producer:
        return False
    seconds = (time - calibration.time) / 1000
    return ticks_between(anchor.rtp_timestamp, made.anchor.rtp_timestamp, seconds) >= 0
