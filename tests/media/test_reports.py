"""Report blocks about a producer, interval by interval (RFC 3550, section 6.4)."""

from __future__ import annotations

from media.ids import Ssrc
from media.plane import EncodingStatistics
from media.reports import ReceiverReportBuilder, SenderInstant


def statistics(highest: int, lost: int) -> EncodingStatistics:
    return EncodingStatistics(
        packets=highest - lost,
        bytes=0,
        first=1,
        highest=highest,
        lost=lost,
        recovered=0,
        duplicates=0,
        jitter=77,
        nacks_sent=0,
        key_frames=0,
        last_timestamp=0,
        last_arrival=0,
    )


def test_the_fraction_is_of_the_interval_and_the_sum_of_all() -> None:
    builder = ReceiverReportBuilder()
    first = builder.block(Ssrc(1), statistics(100, 50), None, 1.0)
    assert (first.fraction_lost, first.packets_lost, first.highest_sequence) == (128, 50, 100)
    second = builder.block(Ssrc(1), statistics(200, 75), None, 2.0)
    assert (second.fraction_lost, second.packets_lost, second.jitter) == (64, 75, 77)
    # nothing came, so nothing was lost
    assert builder.block(Ssrc(1), statistics(200, 75), None, 3.0).fraction_lost == 0


def test_what_a_repeat_brought_back_makes_no_negative_loss() -> None:
    builder = ReceiverReportBuilder()
    builder.block(Ssrc(1), statistics(100, 50), None, 1.0)
    assert builder.block(Ssrc(1), statistics(110, 10), None, 2.0).fraction_lost == 0


def test_the_senders_report_and_the_time_since_come_back_to_it() -> None:
    instant = SenderInstant(0x1122_3344_5566_7788, 9000, 0, arrived=10.0)
    block = ReceiverReportBuilder().block(Ssrc(1), statistics(1, 0), instant, 12.5)
    assert block.last_sender_report == 0x3344_5566
    assert block.delay == int(2.5 * 65536)
    assert ReceiverReportBuilder().block(Ssrc(1), statistics(1, 0), None, 12.5).last_sender_report == 0


def test_sequence_numbers_that_wrapped_are_extended() -> None:
    block = ReceiverReportBuilder().block(Ssrc(1), statistics((1 << 32) + 5, 0), None, 1.0)
    assert block.highest_sequence == 5
