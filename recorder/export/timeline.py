"""Where a track's RTP timestamps lie on the recording's time line, and how sound lies against picture.

Two clocks are at work. Each packet has its arrival by the server's clock, late by the network's delay and
its jitter; the sender's reports say, for each track of the sender, which RTP timestamp belongs to which
instant of *its* clock (NTP, RFC 3550, section 6.4.1). So tracks of one sender are set against each other by
its reports, and both together against the server's clock by the quickest packet of either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from media.rtp.ntp import unix_from_ntp

from ..journal import SenderReport
from .index import Packets

#: The quickest packet is looked for in the track's first seconds: later, the clocks have drifted apart.
_ARRIVAL_WINDOW = 10 * 10**9
#: Reports that put two tracks further apart than this from where their packets arrived are not believed.
_MOST_DISAGREEMENT = 5 * 10**9
#: A drift is corrected when reports span this time and it comes to that much over the span.
_SHORTEST_FIT = 30 * 10**9
_LEAST_DRIFT = 5 * 10**6
_MOST_DRIFT_RATE = 1e-3


@dataclass(frozen=True, slots=True)
class Line:
    """Instant (ns) = zero + timestamp × ns_per_tick, timestamps counted from the track's first packet."""

    zero: float
    ns_per_tick: float

    def at(self, timestamp: int) -> float:
        """Tell the instant of a timestamp, in ns."""
        return self.zero + timestamp * self.ns_per_tick


def arrival_line(packets: Packets, clock_rate: int) -> Line:
    """Lay the timestamps by the packet that came quickest. Needs at least one packet."""
    tick = 1e9 / clock_rate
    window = packets.arrivals <= packets.arrivals.min() + _ARRIVAL_WINDOW
    zeros = packets.arrivals[window] - packets.timestamps[window] * tick
    return Line(float(zeros.min()), tick)


def report_line(
    packets: Packets, reports: Sequence[tuple[int, SenderReport]], clock_rate: int
) -> Line | None:
    """Lay the timestamps by the sender's reports, on the sender's own clock; None without any."""
    if not reports or not len(packets):
        return None
    tick = 1e9 / clock_rate
    order = np.argsort(packets.arrivals, kind="stable")
    arrivals = packets.arrivals[order]
    instants, stamps = [], []
    for arrival, report in reports:
        # the packet that arrived last before the report tells which turn of the 32 bits is meant
        near = int(packets.timestamps[order[max(0, int(np.searchsorted(arrivals, arrival)) - 1)]])
        ticks_since_first = report.rtp_timestamp - packets.first_timestamp
        difference = (ticks_since_first - near + (1 << 31)) % (1 << 32) - (1 << 31)
        instants.append(float(unix_from_ntp(report.ntp)))
        stamps.append(float(near + difference))
    times, ticks = np.array(instants), np.array(stamps)
    zero = float(np.median(times - ticks * tick))
    span = float(np.ptp(times))
    if span < _SHORTEST_FIT or np.ptp(ticks) == 0:
        return Line(zero, tick)
    middle = float(ticks.mean())
    slope, height = np.polyfit(ticks - middle, times, 1)
    rate = slope / tick - 1
    if abs(rate) > _MOST_DRIFT_RATE or abs(rate) * span < _LEAST_DRIFT:
        return Line(zero, tick)
    return Line(float(height - middle * slope), float(slope))


def place(video: tuple[Line, Line | None], audio: tuple[Line, Line | None]) -> tuple[Line, Line]:
    """Lay a sender's picture and sound on the server's clock, each given as (arrival line, report line).

    By the reports where both have them and they are not absurd, else each by its arrivals.
    """
    (video_arrival, video_report), (audio_arrival, audio_report) = video, audio
    if video_report is None or audio_report is None:
        return video_arrival, audio_arrival
    delays = (video_arrival.zero - video_report.zero, audio_arrival.zero - audio_report.zero)
    if abs(delays[0] - delays[1]) > _MOST_DISAGREEMENT:
        return video_arrival, audio_arrival
    delay = min(delays)
    return (
        Line(video_report.zero + delay, video_report.ns_per_tick),
        Line(audio_report.zero + delay, audio_report.ns_per_tick),
    )
