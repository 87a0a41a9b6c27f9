"""Any loss, order, repetition and late recovery, over any switches: what a consumer is sent is one whole stream.

The judge is a model of its own: it knows what each packet is (its payload says so) and what it depends on, and nothing
of how a plane gives numbers. What comes too late for a plane to remember (64 changes, 256 stretches of numbers) does
not occur here: late_packets.py has that.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from media.ids import TransportId
from media.plane import Layer
from tests.helpers.rtp_harness import MemoryHarness, PlaneHarness
from tests.helpers.rtp_stream import View
from tests.helpers.simulcast import Seen, Simulcast, see
from tests.media.plane_behaviour.layers import PATTERN
from tests.media.plane_behaviour.simulcast import FRAME

ENCODINGS = 2
PICTURES = 24
PACKETS = 2

#: A packet: encoding, picture, part.
Packet = tuple[int, int, int]


@st.composite
def lines(draw: st.DrawFn) -> tuple[list[list[Packet]], dict[int, Layer], frozenset[tuple[int, int]]]:
    """Draw what arrives in which order, what is wanted from which step on, and which pictures are key frames."""
    keys = {(encoding, 0) for encoding in range(ENCODINGS)}
    keys |= set(
        draw(
            st.lists(
                st.tuples(
                    st.integers(0, ENCODINGS - 1), st.integers(1, PICTURES // 4 - 1).map(lambda n: 4 * n)
                ),
                max_size=6,
            )
        )
    )
    arrivals: list[tuple[int, int, Packet]] = []
    count = 0
    for picture in range(PICTURES):
        for encoding in range(ENCODINGS):
            for part in range(PACKETS):
                # most come at once; some late, by up to seven pictures, and some twice
                late = draw(st.sampled_from((0, 0, 0, 0, 0, 0, 1, 2, 3, 7)))
                for delay in {late, late + 2} if draw(st.integers(0, 9)) == 0 else {late}:
                    arrivals.append((picture + delay, count, (encoding, picture, part)))
                    count += 1
    steps = [
        [packet for _, _, packet in group]
        for _, group in groupby(sorted(arrivals), key=lambda arrival: arrival[0])
    ]
    wanted = draw(
        st.dictionaries(
            st.integers(0, PICTURES - 1),
            st.builds(Layer, st.integers(0, ENCODINGS - 1), st.just(3), st.integers(0, 2)),
            max_size=6,
        )
    )
    return steps, wanted, frozenset(keys)


def decodable(sent: list[list[Seen]], keys: frozenset[tuple[int, int]]) -> bool:
    """Decode as VP8 with the pattern's references does: T0 needs the T0 before, T1 that, the last T2 the T1."""
    have: set[int] = set()
    encoding = -1
    for picture in sent:
        coming, number = picture[0].tail[0], picture[0].timestamp // FRAME
        if (coming, number) in keys:
            have, encoding = {number}, coming
            continue
        place = number % 4
        needs = number - 4 if place == 0 else number - place if place < 3 else number - 1
        if coming != encoding or needs not in have:
            return False
        have.add(number)
    return True


#: What `lines` draws.
Line = tuple[list[list[Packet]], dict[int, Layer], frozenset[tuple[int, int]]]


@settings(max_examples=100, deadline=None)
@given(lines())
def test_what_is_sent_is_one_whole_stream(line: Line) -> None:
    harness = MemoryHarness("AEAD_AES_128_GCM")
    play(harness, line, lambda: harness.advance(33))


def play(harness: PlaneHarness, line: Line, after_step: Callable[[], None]) -> None:
    """Let a line's packets arrive, and judge what one consumer is sent; `after_step` lets time pass."""
    steps, wanted, keys = line
    stream = Simulcast(harness, ENCODINGS, transport=TransportId(0))
    view = View(stream)
    made = {}
    for picture in range(PICTURES):
        temporal, synchronises = PATTERN[picture % 4]
        for encoding in range(ENCODINGS):
            frame = stream.encoders[encoding].frame(
                picture * FRAME,
                key=(encoding, picture) in keys,
                packets=PACKETS,
                temporal=temporal,
                synchronises=synchronises,
            )
            for part, packet in enumerate(frame):
                made[encoding, picture, part] = bytes(packet)
    for step, packets in enumerate(steps):
        if step in wanted:
            harness.plane.set_layer(view.spec.consumer, wanted[step])
        for arriving in packets:
            harness.plane.inject(stream.spec.producer, [made[arriving]], harness.clock())
            harness.settle()
        after_step()
    # who wants another encoding again is not let wait for the one before: nothing is held back any longer
    for encoding in range(ENCODINGS):
        harness.plane.set_layer(view.spec.consumer, Layer(encoding))
    harness.settle()
    judge(view, keys)


def judge(view: View, keys: frozenset[tuple[int, int]]) -> None:
    """See that what arrived is one whole stream."""
    packets = view.packets
    # every number once, none missing: all that was lost came in the end, or its number was used up by padding
    numbers = sorted(packet.sequence_number for packet in packets)
    assert numbers == list(range(1, len(numbers) + 1))
    ordered = [see(packet) for packet in sorted(packets, key=lambda p: p.sequence_number) if packet.payload]
    pictures = [list(group) for _, group in groupby(ordered, key=lambda one: (one.tail[0], one.timestamp))]
    timestamps = [picture[0].timestamp for picture in pictures]
    assert all(before < after for before, after in pairwise(timestamps))
    whole = []
    for index, picture in enumerate(pictures):
        assert all(one.timestamp == int.from_bytes(one.tail[1:5], "big") for one in picture)
        assert len({one.picture for one in picture}) == 1
        parts = [one.tail[5] for one in picture]
        if parts == list(range(PACKETS)):
            whole.append(picture)
        else:
            # the end of a picture may be cut off by the key frame of another encoding; nothing else is
            assert parts == list(range(len(parts)))
            following = pictures[index + 1][0]
            assert (following.tail[0], following.timestamp // FRAME) in keys
            assert following.tail[0] != picture[0].tail[0]
    assert decodable(whole, keys)
    names = [picture[0].picture for picture in pictures]
    assert all(0 < after - before & 0x7FFF < 50 for before, after in pairwise(names))
