"""Reports held against what arrives: a frame that was captured after it came was not."""

from __future__ import annotations

from media.arrivals import KEPT, Arrivals
from media.plane import EncodingStatistics
from media.reports import SenderInstant

MS = 1_000_000
NOON = 1_795_305_600 * 1000 * MS


def arrived(rtp_timestamp: int, at: int) -> EncodingStatistics:
    return EncodingStatistics(packets=1, last_timestamp=rtp_timestamp % (1 << 32), last_arrival=at)


def report(rtp_timestamp: int, time: int) -> SenderInstant:
    return SenderInstant(0, rtp_timestamp % (1 << 32), time, 0.0)


def test_a_report_that_can_be_true_is_not_doubted() -> None:
    arrivals = Arrivals()
    assert arrivals.ahead_of(report(0, NOON), 90_000) == 0
    arrivals.note(arrived(0, NOON + 30 * MS))
    # as late as it came, or earlier by whatever: the line may be long
    for earlier in (0, 30 * MS, 4000 * MS):
        assert arrivals.ahead_of(report(0, NOON + 30 * MS - earlier), 90_000) == 0


def test_it_is_wrong_by_what_the_quickest_of_the_newest_frames_says() -> None:
    arrivals = Arrivals()
    # a frame a second, taken for a second younger each; over the wrap of the timestamps
    for second, took in enumerate((80, 20, 50)):
        arrivals.note(arrived(90_000 * (second - 1), NOON + second * 1000 * MS + took * MS))
    wrong = report(-90_000, NOON + 1000 * MS)
    assert arrivals.ahead_of(wrong, 90_000) == 980 * MS
    # the newest report counts for all of them: a sender that corrects itself is believed again
    assert arrivals.ahead_of(report(90_000, NOON + 2000 * MS), 90_000) == 0
    # what has not changed since is nothing new, and what is long ago is forgotten
    for _ in range(KEPT):
        arrivals.note(arrived(90_000, NOON + 2050 * MS))
    assert arrivals.ahead_of(wrong, 90_000) == 980 * MS
    for second in range(3, 3 + KEPT):
        arrivals.note(arrived(90_000 * (second - 1), NOON + second * 1000 * MS + 60 * MS))
    assert arrivals.ahead_of(wrong, 90_000) == 940 * MS
