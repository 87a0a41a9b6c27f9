"""What the reference plane does at exact times and when its queues are full."""

from collections import Counter
from collections.abc import Iterator

import pytest

from media.ids import TransportId
from media.plane import TRANSIT_BUCKETS, Address, Drop, EventKind
from media.reference.histogram import BOUNDS, bucket_of
from media.reference.plane import ReferencePlane
from media.rtp.rtcp import ReceiverReport
from tests.helpers.rtp_harness import MemoryHarness
from tests.helpers.rtp_stream import VP8_KEY, Stream, View

MS = 1_000_000


@pytest.fixture
def harness() -> Iterator[MemoryHarness]:
    harness = MemoryHarness("AEAD_AES_128_GCM")
    yield harness
    harness.close()


def test_a_packet_that_was_only_overtaken_is_not_asked_for(harness: MemoryHarness) -> None:
    stream = Stream(harness)
    packets = [stream.packet(VP8_KEY), *(stream.packet() for _ in range(3))]
    for index in (0, 3, 2):
        stream.peer.send_rtp(packets[index])
    harness.advance(4)
    stream.peer.send_rtp(packets[1])
    harness.advance(1000)
    assert stream.statistics().nacks_sent == 0
    assert (stream.statistics().lost, stream.statistics().recovered) == (0, 0)


def test_a_gap_is_asked_for_after_5_ms_and_then_every_40_ms_ten_times(harness: MemoryHarness) -> None:
    stream = Stream(harness)
    stream.send_key()
    lost = stream.lose()
    stream.send()
    harness.settle()
    start, timers = harness.now, []
    while (timer := harness.plane.get_timer()) is not None:
        timers.append((timer - start) // MS)
        harness.plane.handle_timer(timer)
    harness.settle()
    assert stream.peer.nacked(stream.ssrc) == [lost.sequence_number] * 10
    # at the last one it is given up
    assert timers == [5 + 40 * n for n in range(11)]


def test_the_third_newer_packet_makes_the_request_at_once(harness: MemoryHarness) -> None:
    stream = Stream(harness)
    stream.send_key()
    lost = stream.lose()
    for expected in ([], [], [lost.sequence_number]):
        stream.send()
        harness.settle()
        assert stream.peer.nacked(stream.ssrc) == expected


def test_a_gap_of_a_thousand_is_asked_for_and_of_more_is_not(harness: MemoryHarness) -> None:
    stream, other = Stream(harness), Stream(harness)
    for each, gap in ((stream, 999), (other, 1000)):
        each.send_key()
        each.sequence += gap
        each.send()
    harness.advance(6)
    assert len(stream.peer.nacked(stream.ssrc)) == 999
    assert not other.peer.nacked(other.ssrc)


def test_events_that_nobody_collects_are_counted(harness: MemoryHarness) -> None:
    harness.plane = ReferencePlane(events=10)
    peer = harness.peer()
    for _ in range(25):
        peer.send_rtcp(ReceiverReport(1))
    assert harness.drops(Drop.EVENT_QUEUE_FULL) == 15
    assert len(harness.events(EventKind.RTCP)) == 10
    # the sessions wait for this one: it always comes
    for _ in range(20):
        peer.send_rtcp(ReceiverReport(1))
    harness.settle()
    harness.plane.remove_transport(peer.transport)
    assert len(harness.events(EventKind.REMOVED)) == 1


def test_a_tap_that_nobody_reads_is_counted(harness: MemoryHarness) -> None:
    harness.plane = ReferencePlane(tap_bytes=1000)
    stream = Stream(harness)
    view = View(stream)
    harness.plane.set_tap(stream.spec.producer, enabled=True)
    stream.send_key(), *(stream.send(bytes(270)) for _ in range(6))
    assert len(view.packets) == 7
    tapped = harness.plane.read_tap()
    assert len(tapped) <= 1000
    assert harness.drops(Drop.TAP_FULL) == 3


def test_a_taps_limit_smaller_than_a_record_gives_nothing(harness: MemoryHarness) -> None:
    stream = Stream(harness)
    harness.plane.set_tap(stream.spec.producer, enabled=True)
    stream.send_key()
    harness.settle()
    assert harness.plane.read_tap(10) == b""
    assert harness.plane.read_tap() != b""


def test_strangers_may_ask_2000_times_a_second_and_one_host_half_of_it(harness: MemoryHarness) -> None:
    flood, other, third = harness.stranger(), harness.stranger(), harness.stranger()
    for _ in range(2):
        for stranger, times in ((flood, 2500), (other, 100), (third, 1500)):
            for _ in range(times):
                stranger.send(b"\x00\x01" + bytes(18))
        harness.settle()
        harness.advance(1000)
    heard = Counter(event.address for event in harness.events(EventKind.STUN))
    assert heard == {flood.address: 2000, other.address: 200, third.address: 1800}
    assert harness.drops(Drop.RATE_LIMIT) == 2 * (1500 + 600)


def test_transit_is_the_time_from_arrival_to_sending(harness: MemoryHarness) -> None:
    stream = Stream(harness)
    View(stream)
    stream.send_key()
    harness.now += 300_000
    harness.settle()
    transit = harness.plane.statistics().transit
    [bucket] = [index for index, count in enumerate(transit) if count]
    assert BOUNDS[bucket] <= 350_000 < BOUNDS[bucket + 1]


def test_the_histogram_has_twenty_buckets_a_decade() -> None:
    assert len(BOUNDS) == TRANSIT_BUCKETS
    assert [BOUNDS[n] for n in (0, 20, 40, 60, 80)] == [10_000, 100_000, 1_000_000, 10_000_000, 100_000_000]
    assert [bucket_of(n) for n in (-5, 0, 9_999, 10_000, 11_219, 11_221)] == [0, 0, 0, 0, 0, 1]
    assert [bucket_of(n) for n in (10**9 - 1, 10**9, 10**12)] == [99, 99, 99]
    for bucket in range(1, TRANSIT_BUCKETS):
        assert bucket_of(BOUNDS[bucket]) == bucket
        assert bucket_of(BOUNDS[bucket] - 1) == bucket - 1


def test_there_is_nothing_to_wait_for_in_memory() -> None:
    plane = ReferencePlane(Address("10.0.0.1", 9))
    assert (plane.address, plane.fileno(), plane.realtime) == (Address("10.0.0.1", 9), -1, False)
    assert (plane.receive_buffer, plane.send_buffer, plane.get_timer()) == (0, 0, None)
    with pytest.raises(ValueError):
        plane.send_to(TransportId(1), b"x")
