"""Is a queue building up on the way to a receiver? Delay gradient, confirmed by the delay itself.

The gradient is that of draft-ietf-rmcat-gcc-02, section 4, in its later form: the trend of the one-way delay over the
last groups, against a threshold that adapts to the line's own jitter. A trend alone gives false alarms on lines that
jitter, and one of them would halve a picture. So it must be confirmed: the smallest delay of the last moments, which
jitter does not raise and a queue does, must lie above the smallest of the last seconds.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

from ..feedback_group import FeedbackGroup
from .trend import Trend

#: Groups that the trend is drawn through, and how much each new one moves the smoothed delay.
WINDOW = 20
SMOOTHING = 0.9
#: The trend, in ms of delay a ms, is made comparable with a threshold in ms by these (libwebrtc's).
GAIN = 4.0
MAX_GROUPS = 60

#: The threshold in ms: where it begins, its bounds, and how fast it follows (draft, section 4.5, table 1).
THRESHOLD, THRESHOLD_LOW, THRESHOLD_HIGH = 12.5, 6.0, 600.0
FOLLOW_UP, FOLLOW_DOWN = 0.0087, 0.039
#: What lies further above the threshold is a step, not jitter, and is not followed.
OUTLIER = 15.0
#: Overuse must last this long, ms.
LASTING = 10.0
#: A delay that falls by so many ms from one group to the next is no growing queue, however long: after a standstill (a
#: radio that was busy, a receiver that was) all that waited comes at once, each with less delay.
FALLING = 1.0

#: The standing queue is the smallest delay of these last seconds, less that of the last BASE_SECONDS.
STANDING_SECONDS = 0.15
STANDING_GROUPS = 8
BASE_SECONDS = 10
#: What confirms a trend, and what needs no trend, ms.
CONFIRMING, TOO_LONG = 14.0, 60.0
#: A delay that does not fall within so many seconds of sending less is not our queue: the path has changed.
UNMOVED_SECONDS = 3.0


class Usage(Enum):
    """What a queue does: it shrinks, keeps, or grows."""

    UNDER = "under"
    NORMAL = "normal"
    OVER = "over"


class DelayDetector:
    """Follows one line's delay. Arrival times may be of any steady clock."""

    def __init__(self) -> None:
        self.usage = Usage.NORMAL
        self.standing = 0.0
        self._threshold = THRESHOLD
        self._first_arrival: float | None = None
        self._previous: FeedbackGroup | None = None
        self._accumulated = self._smoothed = 0.0
        self._smooth_delays = Trend(WINDOW)
        self._groups = 0
        self._over_for = 0.0
        self._trend = 0.0
        #: of the last moments (group's number, when, delay), but for those that a later smaller one has made idle: so
        #: the first is the smallest
        self._delays: deque[tuple[int, float, float]] = deque()
        self._heard = 0
        #: the smallest delay of each of the last seconds, and of all of them
        self._seconds: deque[tuple[int, float]] = deque(maxlen=BASE_SECONDS)
        self._base = 0.0
        self._too_long_since: float | None = None

    def add(self, group: FeedbackGroup, now: float) -> Usage:
        """Take a group in the order of sending; returns what the queue does."""
        if not group.packets_received:
            return self.usage
        previous, self._previous = self._previous, group
        if previous is None:
            self._first_arrival = group.last_arrival / 1e6
        self._measure_standing(group, now)
        if previous is None or group.last_sent <= previous.last_sent:
            return self.usage
        sent = (group.last_sent - previous.last_sent) / 1e6
        arrived = (group.last_arrival - previous.last_arrival) / 1e6
        self._update(arrived - sent, group.last_arrival / 1e6, sent)
        return self.usage

    def _measure_standing(self, group: FeedbackGroup, now: float) -> None:
        delay = (group.last_arrival - group.last_sent) / 1e6
        self._measure_base(delay, int(now))
        self._heard += 1
        delays = self._delays
        while delays and delays[-1][2] >= delay:
            delays.pop()
        delays.append((self._heard, now, delay))
        while delays[0][0] <= self._heard - STANDING_GROUPS and delays[0][1] < now - STANDING_SECONDS:
            delays.popleft()
        self.standing = delays[0][2] - self._base
        if self.standing < TOO_LONG:
            self._too_long_since = None
        elif self._too_long_since is None:
            self._too_long_since = now
        elif now - self._too_long_since > UNMOVED_SECONDS:
            self.forget_base()

    def _measure_base(self, delay: float, second: int) -> None:
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append((second, delay))
            self._base = min(smallest for _, smallest in self._seconds)
        elif delay < self._seconds[-1][1]:
            self._seconds[-1] = (second, delay)
            self._base = min(self._base, delay)

    def forget_base(self) -> None:
        """Begin to learn the smallest delay anew: the path is another one."""
        self._base = self._delays[-1][2] if self._delays else 0.0
        newest = [(self._seconds[-1][0], self._base)] if self._seconds else []
        self._seconds = deque(newest, maxlen=BASE_SECONDS)
        self._too_long_since = None
        self.standing = 0.0

    def _update(self, variation: float, arrival: float, elapsed: float) -> None:
        assert self._first_arrival is not None, "there was a group before"
        self._groups += 1
        self._accumulated += variation
        self._smoothed = SMOOTHING * self._smoothed + (1 - SMOOTHING) * self._accumulated
        delays = self._smooth_delays
        delays.add(arrival - self._first_arrival, self._smoothed)
        trend = delays.slope() if delays.full else self._trend
        modified = min(self._groups, MAX_GROUPS) * trend * GAIN
        self._judge(modified, trend, elapsed, falling=variation < -FALLING)
        self._adapt(modified, elapsed)
        self._trend = trend

    def _judge(self, modified: float, trend: float, elapsed: float, *, falling: bool) -> None:
        if modified > self._threshold:
            self._over_for += elapsed
            rising = trend >= self._trend and self._over_for > LASTING
            self.usage = Usage.OVER if rising and self.standing > CONFIRMING else Usage.NORMAL
        else:
            self._over_for = 0.0
            self.usage = Usage.UNDER if modified < -self._threshold else Usage.NORMAL
        if self.standing > TOO_LONG and self.usage is Usage.NORMAL and not falling:
            self.usage = Usage.OVER

    def _adapt(self, modified: float, elapsed: float) -> None:
        distance = abs(modified) - self._threshold
        if distance > OUTLIER:
            return
        follow = FOLLOW_UP if distance > 0 else FOLLOW_DOWN
        self._threshold += follow * distance * min(elapsed, 100.0)
        self._threshold = min(max(self._threshold, THRESHOLD_LOW), THRESHOLD_HIGH)
