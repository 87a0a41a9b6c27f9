"""How many bits a second a receiver's line carries, by what it says of the packets' arrival.

Assumptions. The receiver sends transport-wide feedback, which the plane has joined with what was sent (FeedbackGroup).
One that sends none is not throttled: there is nothing to go by, and a guess would blur a picture for nothing. Times
are seconds of one steady clock.

After draft-ietf-rmcat-gcc-02: the rate rises until a queue builds up or packets are lost, falls to a share of what
arrived, and rises by little near where it last fell. Three things differ, each for a harm that was seen:

- a picture that needs less than the line carries proves nothing about the rest, so then the rate does not rise, and
  does not fall below what was proven either; probes prove more (`prober.py`);
- a trend of the delay counts only together with a standing queue (`delay.py`);
- loss that sending less does not cure is the line's own (`loss.py`).
"""

from __future__ import annotations

from collections.abc import Iterable

from ..feedback_group import FeedbackGroup
from .delay import DelayDetector, Usage
from .loss import LossDetector
from .throughput import ProbeResult, Throughput

#: The rate never falls below this, bit/s: audio and a thumbnail, by which the line is noticed when it comes back.
FLOOR = 64_000

#: After a queue has built up: the share of what arrived that is sent, so that the queue empties.
BACK_OFF = 0.85
#: One alarm, which may be false, takes away so much at most; what needs little at the moment says little of the line.
AT_MOST = 0.5
#: The rate falls at most once in this time, seconds: a queue needs it to empty, and feedback to say so.
FALL_INTERVAL = 0.3

#: A standing queue, ms, of which loss may come: then it is not judged by itself.
QUEUEING = 30.0

#: Growth a second far from the last fall; near it, so many bits a second for each second.
GROWTH = 0.08
NEAR_GROWTH = 200_000
NEAR = 0.15
#: The rate does not rise above this multiple of what arrives, but for probes.
BEYOND_ARRIVED = 1.5
#: Nor, for so many seconds, above what a probe found that filled the line, unless more than that arrives; a probe that
#: jitter stretched looks the same, so this takes nothing away.
CEILING_SECONDS = 15.0
#: Less than this share of the rate being sent, it proves nothing about the rest.
USED = 0.7

#: A probe fills a narrow line for so long, seconds; and so long a queue is taken to stand of which nothing is heard.
PROBE_SECONDS = 0.5
QUEUE_SECONDS = 0.5

#: Seconds after which a receiver that says nothing is taken for one that never will.
SILENCE = 2.0


class BandwidthEstimator:
    """One transport's line."""

    def __init__(self, start: int, maximum: int) -> None:
        """`start` and `maximum` in bit/s; nothing is measured yet."""
        self._rate = start
        self._maximum = maximum
        self._remb: int | None = None
        self._delay = DelayDetector()
        self._loss = LossDetector()
        self._throughput = Throughput()
        self._probe: ProbeResult | None = None
        self._probed_at = float("-inf")
        self._last_feedback: float | None = None
        self._last_fall = self._last_growth = self._last_trouble = float("-inf")
        self._fell_from: float | None = None
        #: what a probe that filled the line found, and when
        self._ceiling, self._ceiling_found = 0.0, float("-inf")
        self._used = False
        #: when the delay was judged last: by what is sent, not by probes
        self._judged_at = float("-inf")
        #: when loss turned out last to be the line's own, so that less was sent for nothing
        self.absolved_at = float("-inf")

    # -- what is said --------------------------------------------------------------------------------------------

    def receive_feedback(self, groups: Iterable[FeedbackGroup], now: float) -> None:
        """Take what one feedback says, in the order of sending."""
        self._last_feedback = now
        usage = Usage.NORMAL
        received = lost = size = 0
        probed: int | None = None
        for group in groups:
            if group.probe_cluster:
                # its queue is our own doing and soon gone
                self._probed_at = now
            else:
                usage = self._delay.add(group, now)
                self._judged_at = now
            received, lost = received + group.packets_received, lost + group.packets_lost
            size += group.bytes_received
            if group.probe_cluster:
                probed = self._follow_probe(group, now) or probed
        self._throughput.add(size, now)
        if self._throughput.rate(now) is not None:
            # what is said in the first half second may be of the path before
            self._loss.add(received, lost, size, now)
        if probed is not None:
            self._prove(probed, now)
        self._update(usage, now)

    def _follow_probe(self, group: FeedbackGroup, now: float) -> int | None:
        if self._probe is None or self._probe.cluster != group.probe_cluster:
            self._probe = ProbeResult(group.probe_cluster)
        self._probe.add(group)
        rate = self._probe.rate()
        if rate is None:
            return None
        # what the line loses by itself was carried nearly to its end
        rate = int(rate / (1 - self._loss.inherent))
        if self._probe.filled:
            self._ceiling, self._ceiling_found = float(rate), now
        return rate

    def _prove(self, rate: int, now: float) -> None:
        # a queue proves nothing; but where nothing is sent, nobody sees it go
        over = self._delay.usage is Usage.OVER and now - self._judged_at < QUEUE_SECONDS
        if rate > self._rate and not over:
            self._rate = rate
            self._last_growth = now

    def receive_remb(self, rate: int) -> None:
        """Take the receiver's own estimate (draft-alvestrand-rmcat-remb-03): it is never exceeded."""
        self._remb = rate

    def path_changed(self) -> None:
        """Forget the old path but for its rate: what is lost while paths change says nothing of the new one."""
        self._delay = DelayDetector()
        self._loss = LossDetector()
        self._throughput = Throughput()
        self._fell_from = None

    # -- what follows --------------------------------------------------------------------------------------------

    def target(self, now: float) -> int | None:
        """Bits a second that may be sent; None while there is nothing to go by, which means: as is wished."""
        heard = self._last_feedback is not None
        if not heard:
            return self._remb
        return min(self._rate, self._maximum, self._remb or self._maximum)

    def silent(self, now: float, sending_since: float) -> bool:
        """Tell whether a receiver that is being sent to says nothing at all."""
        return self._last_feedback is None and now - sending_since > SILENCE

    @property
    def heard(self) -> bool:
        """Whether the receiver has said anything of what arrives."""
        return self._last_feedback is not None

    @property
    def expected(self) -> int:
        """Bits a second that the line is taken to carry, measured or not."""
        return self._rate

    def expect(self, rate: int) -> None:
        """Take the line to carry this at least, as long as it has not shown its limit."""
        if not self.limited:
            self._rate = max(self._rate, min(rate, self._maximum))

    @property
    def limited(self) -> bool:
        """Whether the line, not the wish, has set the rate: it fell before."""
        return self._fell_from is not None

    @property
    def last_trouble(self) -> float:
        """When a queue last built up or the rate fell; minus infinity if neither ever did."""
        return self._last_trouble

    @property
    def loss(self) -> float:
        """The share of packets that are lost lately."""
        return self._loss.loss

    def queue_ms(self, now: float) -> float:
        """Return the standing queue on the line in ms, 0 while nothing is heard of it."""
        heard = self._last_feedback is not None and now - self._last_feedback < QUEUE_SECONDS
        return self._delay.standing if heard else 0.0

    def arrived(self, now: float) -> int:
        """Bits a second that arrived lately."""
        return self._throughput.rate(now) or 0

    def _update(self, usage: Usage, now: float) -> None:
        arrived = self._throughput.rate(now)
        if arrived is None:
            return
        self._used = arrived > USED * self._rate
        if usage is Usage.OVER and now - self._probed_at < PROBE_SECONDS:
            return
        if usage is Usage.OVER:
            self._last_trouble = now
            self._back_off(arrived, now)
            return
        queueing = self._delay.standing > QUEUEING
        inherent = self._loss.inherent
        permitted = self._loss.decide(self._rate, now, arrived=arrived, queueing=queueing)
        if self._loss.inherent > inherent:
            self.absolved_at = now
        if permitted < self._rate:
            self._fall(permitted, now)
        elif permitted > self._rate:
            self._rate = permitted
            self._fell_from = None
        elif usage is Usage.NORMAL and self._used and self._loss.allows_growth:
            self._grow(arrived, now)

    def _back_off(self, arrived: int, now: float) -> None:
        if now - self._last_fall < FALL_INTERVAL:
            return
        self._fall(min(self._rate, max(int(BACK_OFF * arrived), int(AT_MOST * self._rate))), now)

    def _fall(self, rate: int, now: float) -> None:
        self._fell_from = float(self.arrived(now) or self._rate)
        self._rate = max(FLOOR, rate)
        self._last_fall = self._last_growth = self._last_trouble = now

    def _grow(self, arrived: int, now: float) -> None:
        elapsed = min(max(0.0, now - self._last_growth), 1.0)
        self._last_growth = now
        near = self._fell_from is not None and abs(arrived - self._fell_from) < NEAR * self._fell_from
        if near:
            grown = self._rate + NEAR_GROWTH * elapsed
        else:
            grown = self._rate * (1 + GROWTH * elapsed)
            if self._fell_from is not None and arrived > self._fell_from:
                self._fell_from = None
        limits = [int(grown), int(BEYOND_ARRIVED * arrived)]
        if now - self._ceiling_found < CEILING_SECONDS and arrived < self._ceiling:
            limits.append(int(self._ceiling))
        self._rate = max(self._rate, min(limits))
