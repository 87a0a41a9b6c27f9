"""When to send more than is needed for a moment, and how fast: what arrives of it proves what the line carries.

A probe is a burst of filling at a rate, short enough that it harms nobody. Probes are sent at the start (what the line
carries is not known), when more is wished than is proven, and after a fall, when the line may be free again. Also
when nothing else is being sent: a picture that was paused comes back by a probe, or never.
"""

from __future__ import annotations

from dataclasses import dataclass

#: A probe lasts at least so long, seconds, and has at least so many packets; each of 1,200 bytes.
SECONDS = 0.02
LEAST_PACKETS, MOST_PACKETS = 8, 250
PACKET_BITS = 1200 * 8
#: On a line that carries no more than is known, its queue lasts no longer than this, seconds.
HARMLESS = 0.25

#: At the start: multiples of the rate that publishers begin with. Until the first is answered nobody knows whether it
#: harms: it has so few packets that a line of 1 Mbit/s is through with them in a sixth of a second.
START = (3.0, 6.0)
FIRST_PACKETS = 16
#: What comes through of the first as it was sent is followed by the second at once.
CAME_THROUGH = 0.7
#: Later: how much more than the rate, and how long between two probes, seconds; each that proves nothing doubles it,
#: and one that proves something is followed at once by the next.
FURTHER = 2.0
INTERVAL, LONGEST_INTERVAL = 1.0, 5.0
AT_ONCE = 0.3
IDLE_INTERVAL = 2.0
PROVED = 1.2
#: After a fall the queue is left to empty for so long, seconds.
AFTER_FALL = 1.5


@dataclass(frozen=True, slots=True)
class ProbeOrder:
    """What the plane is to send."""

    cluster: int
    rate: int
    packets: int


class Prober:
    """Decides the probes of one transport."""

    def __init__(self, start: int) -> None:
        """`start` in bit/s: what publishers begin with."""
        self._cluster = 0
        self._start = start
        self._starts = [int(factor * start) for factor in START]
        self._speed = 0
        self._next = self._last = float("-inf")
        self._interval = INTERVAL
        self._asked: int | None = None

    def next_probe(
        self,
        now: float,
        rate: int,
        wish: int,
        *,
        quiet_since: float,
        step: int = 0,
        idle: bool = False,
        heard: bool = True,
    ) -> ProbeOrder | None:
        """Return a probe that is due: `rate` is what may be sent, `wish` what would be, both bit/s.

        `step` is what would have to be proven so that anybody gets a better picture. `quiet_since` is when the line
        last showed a queue or loss. `idle`: no picture is sent, so that nothing is disturbed and much is won. `heard`:
        the receiver has said something of what arrives.
        """
        if not heard and self._asked is not None:
            return None  # what the first shows is waited for
        proved = self._asked is not None and rate > PROVED * self._asked
        if proved:
            self._next = min(self._next, self._last + AT_ONCE)
        if idle:
            self._next = min(self._next, self._last + IDLE_INTERVAL)
        if now < self._next or rate >= wish or now - quiet_since < AFTER_FALL:
            return None
        if self._asked is not None:
            self._interval = INTERVAL if proved else min(2 * self._interval, LONGEST_INTERVAL)
        if self._asked is not None and rate < CAME_THROUGH * self._speed:
            self._starts.clear()
        self._asked, self._last = rate, now
        faster = self._starts.pop(0) if self._starts else int(FURTHER * rate)
        self._next = now + (AT_ONCE if self._starts else self._interval)
        self._cluster = self._cluster % 65535 + 1
        # a little beyond the wish, for only what is beyond it leaves room for the allocation's margin; more at the
        # start, so that one false alarm later does not take a picture away that needs little
        speed = min(max(faster, step), max(int(1.2 * wish), 0 if heard else self._start))
        if heard:
            most = max(LEAST_PACKETS, min(MOST_PACKETS, int(rate * HARMLESS / PACKET_BITS)))
            speed = min(speed, int(most * PACKET_BITS / SECONDS))
        else:
            most = FIRST_PACKETS
        self._speed = speed
        packets = max(LEAST_PACKETS, min(most, int(speed * SECONDS / PACKET_BITS) + 1))
        return ProbeOrder(self._cluster, speed, packets)
