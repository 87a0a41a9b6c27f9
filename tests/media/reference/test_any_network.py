"""Whatever the network does to a stream, each consumer gets each packet at most once, in its right place."""

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from media.ids import TransportId
from media.plane import Drop
from media.rtp.packet import RtpPacket
from tests.helpers.rtp_harness import MemoryHarness
from tests.helpers.rtp_stream import VP8_DELTA, VP8_KEY, Stream, View

LENGTH = 60

#: First sequence numbers: many of them so that the stream wraps.
STARTS = st.one_of(st.integers(0, 65_535), st.integers(65_536 - LENGTH, 65_535))


@st.composite
def arrivals(draw: st.DrawFn) -> list[int]:
    """Draw which packets arrive, in which order, how often."""
    arriving = [n for n in range(LENGTH) if draw(st.integers(0, 9))]
    arriving += draw(st.lists(st.integers(0, LENGTH - 1), max_size=20))
    late = draw(st.lists(st.integers(0, 25), min_size=len(arriving), max_size=len(arriving)))
    return [n for _, n in sorted((n + delay, n) for n, delay in zip(arriving, late, strict=True))]


def feed(harness: MemoryHarness, stream: Stream, numbers: list[int], start: int, burst: int) -> None:
    for position in range(0, len(numbers), burst):
        packets = [
            bytes(
                RtpPacket(
                    96,
                    start + n & 0xFFFF,
                    n * 3000,
                    stream.ssrc,
                    payload=(VP8_KEY if n % 7 == 0 else VP8_DELTA) + bytes([n]),
                )
            )
            for n in numbers[position : position + burst]
        ]
        harness.plane.inject(stream.spec.producer, packets, harness.now)


def check(view: View, received: list[int]) -> None:
    """Compare what arrived with what was received: once each, in that order, all by one constant."""
    packets = view.packets
    sent = [packet.payload[-1] for packet in packets]
    assert len(sent) == len(set(sent))
    assert len({packet.sequence_number for packet in packets}) == len(packets)
    assert not sent or sent[0] % 7 == 0
    assert all(packet.timestamp == packet.payload[-1] * 3000 for packet in packets)
    assert len({packet.sequence_number - packet.payload[-1] & 0xFFFF for packet in packets}) <= 1
    first = sent[0] if sent else LENGTH
    at = received.index(first) if sent else len(received)
    # what overtook the beginning of the key frame follows it
    overtook = sorted(n for n in received[:at] if n > first)
    assert sent[1:] == overtook + [n for n in received[at + 1 :] if n > first]


@settings(max_examples=60, deadline=None)
@given(arrivals(), STARTS, st.integers(1, 12))
def test_any_loss_repetition_and_order_keeps_the_numbering(
    numbers: list[int], start: int, burst: int
) -> None:
    harness = MemoryHarness("AEAD_AES_128_GCM")
    stream = Stream(harness, transport=TransportId(0))
    views = [View(stream), View(stream)]
    feed(harness, stream, numbers, start, burst)
    received = list(dict.fromkeys(numbers))
    statistics = stream.statistics()
    # nothing is taken twice, and what is not taken is counted
    dropped = harness.plane.statistics().drops
    # a stream that begins with 0 has nothing before it: its 65,535 comes after a whole cycle
    begins_after_wrap = bool(numbers) and start + numbers[0] >= 65_536
    taken = [n for n in received if not begins_after_wrap or start + n >= 65_536]
    assert statistics.packets == len(taken)
    assert statistics.duplicates == dropped[Drop.DUPLICATE]
    assert statistics.packets + statistics.duplicates + dropped[Drop.TOO_OLD] == len(numbers)
    assert statistics.lost == (max(taken) - min(taken) + 1 - len(taken) if taken else 0)
    for view in views:
        check(view, taken)
    assert views[0].payloads == views[1].payloads
    harness.close()


@settings(max_examples=40, deadline=None)
@given(arrivals(), st.lists(st.tuples(st.integers(0, 80), st.booleans()), max_size=8), STARTS)
def test_pauses_at_any_time_keep_numbers_unique_and_without_gaps_of_their_own(
    numbers: list[int], switches: list[tuple[int, bool]], start: int
) -> None:
    harness = MemoryHarness("AEAD_AES_128_GCM")
    stream = Stream(harness, transport=TransportId(0))
    view = View(stream)
    for position, number in enumerate(numbers):
        for at, paused in switches:
            if at == position:
                view.pause(paused)
        feed(harness, stream, [number], start, 1)
    packets = view.packets
    sent = [packet.payload[-1] for packet in packets]
    assert len(sent) == len(set(sent))
    by_number = sorted(packets, key=lambda packet: packet.sequence_number)
    assert len({packet.sequence_number for packet in packets}) == len(packets)
    # a higher number is a newer packet, and no two differ by more than their distance in the stream
    for older, newer in pairwise(by_number):
        distance = newer.payload[-1] - older.payload[-1]
        assert 0 < newer.sequence_number - older.sequence_number <= distance
    harness.close()


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(1, LENGTH - 1), max_size=30), STARTS, st.booleans())
def test_what_is_repeated_upon_request_completes_the_stream(lost: set[int], start: int, rtx: bool) -> None:
    harness = MemoryHarness("AEAD_AES_128_GCM")
    options: dict[str, Any] = {} if rtx else {"rtx_ssrc": 0, "rtx_payload_type": 0}
    stream = Stream(harness, **options)
    view = View(stream)
    stream.sequence = start
    sent = [stream.packet(VP8_KEY if n == 0 else VP8_DELTA) for n in range(LENGTH)]
    for n, packet in enumerate(sent):
        if n not in lost or n == LENGTH - 1:
            stream.peer.send_rtp(packet)
    harness.advance(6)
    by_number = {packet.sequence_number: packet for packet in sent}
    for count, number in enumerate(dict.fromkeys(stream.peer.nacked(stream.ssrc))):
        packet = by_number[number]
        if rtx:
            content = number.to_bytes(2, "big") + packet.payload
            stream.send_rtx(content, count, timestamp=packet.timestamp)
        else:
            stream.peer.send_rtp(packet)
    in_order = sorted(view.packets, key=lambda packet: packet.sequence_number)
    assert [packet.payload for packet in in_order] == [packet.payload for packet in sent]
    assert stream.statistics().lost == 0
    harness.close()
