"""When frames were captured and how loud it is; and the copy of several encodings that the recorder gets."""

from __future__ import annotations

from itertools import pairwise

import pytest

from media.plane import Codec, Layer, low_tap
from media.rtp.extensions import AudioLevel
from tests.helpers.rtp_harness import PlaneHarness
from tests.helpers.rtp_stream import Stream, View, ids
from tests.helpers.simulcast import Simulcast, see

from .observing import records

FRAME = 3000
CAPTURE = ids(0, 0, 3)
SECOND = 1 << 32


def value(time: int, offset: int | None = None) -> bytes:
    """Build abs-capture-time of NTP time and offset, both in units of 2**-32 s."""
    written = time.to_bytes(8, "big")
    return written if offset is None else written + offset.to_bytes(8, "big", signed=True)


class CaptureTimes:
    """abs-capture-time, RFC 6464, and the tap of a simulcast."""

    def test_the_capturers_clock_is_corrected_in_the_long_form(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, extensions=CAPTURE)
        view, plain = View(stream, extensions=ids(0, 0, 9)), View(stream, rtx_ssrc=0, extensions=ids(0, 0, 9))
        stream.send_key(extensions={3: value(7 * SECOND)})
        harness.settle()
        harness.plane.set_capture_offset(stream.spec.producer, -5)
        harness.settle()
        stream.send(extensions={3: value(8 * SECOND)})
        stream.send(extensions={3: value(9 * SECOND, 3)})
        harness.settle()
        harness.plane.set_capture_offset(stream.spec.producer, 100)
        harness.settle()
        expected = [value(7 * SECOND), value(8 * SECOND, -5), value(9 * SECOND, -2)]
        assert [packet.extensions[9] for packet in view.packets] == expected
        # what was sent is repeated as it was
        originals = list(plain.peer.datagrams)
        plain.nack(*(packet.sequence_number for packet in plain.packets))
        assert plain.peer.repeated == originals

    def test_who_begins_is_told_the_newest_capture_time(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, extensions=CAPTURE)
        first = stream.send_key(extensions={3: value(7 * SECOND, 5)})
        harness.settle()
        view = View(stream, extensions=ids(0, 0, 9))
        for number in range(6):
            stream.send_key(timestamp=first.timestamp + 45_000 * (number + 1))
        packets = view.packets
        assert [packet.extensions.get(9) for packet in packets] == [
            *(value(7 * SECOND + SECOND * half // 2, 5) for half in range(1, 5)),
            None,
            None,
        ]
        view.nack(packets[0].sequence_number)
        assert view.repeats[0].extensions[9] == packets[0].extensions[9]

    def test_after_a_switch_the_newest_capture_time_is_told_again(self, harness: PlaneHarness) -> None:
        stream = Simulcast(harness, 2, extensions=CAPTURE)
        view = View(stream, extensions=ids(0, 0, 9))
        stream.deliver(stream.encoders[0].frame(FRAME, key=True, extensions={3: value(7 * SECOND)}))
        for number in range(2, 5):
            stream.picture(number * FRAME)
        before = len(view.packets)
        harness.plane.set_layer(view.spec.consumer, Layer(1))
        for number in range(5, 9):
            stream.picture(number * FRAME, *((1,) if number == 5 else ()))
        harness.until(lambda: len(view.packets) == before + 8)
        told = [packet.extensions.get(9) for packet in view.packets[before:]]
        times = [7 * SECOND + SECOND * FRAME * (number - 1) // 90_000 for number in (5, 5, 6, 6)]
        assert told == [*map(value, times), None, None, None, None]

    def test_the_loudest_of_the_last_moments_counts(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, codec=Codec.OPUS, clock_rate=48_000, extensions=ids(0, 0, 0, 4))

        def level() -> int:
            harness.settle()
            return harness.plane.statistics().producers[stream.spec.producer].audio_level

        def say(*levels: int) -> int:
            for loud in levels:
                stream.send(b"\x78", extensions={4: bytes(AudioLevel(voice=True, level=loud))})
            return level()

        assert level() == 127
        harness.until(lambda: say(90, 30, 60) == 30)
        # quieter after a while, and silent when nothing comes
        harness.until(lambda: say(80) == 80)
        harness.advance(350)
        assert level() == 127

    def test_the_tap_gets_the_best_encoding_that_flows_as_one_stream(self, harness: PlaneHarness) -> None:
        stream = Simulcast(harness, 2)
        harness.plane.set_tap(stream.spec.producer, enabled=True)
        harness.settle()
        stream.picture(FRAME, encodings=[0, 1])
        stream.picture(3 * FRAME, 1)
        stream.picture(4 * FRAME)
        # the better one falls silent: after a while the lower one takes over, at a key frame
        harness.settle()
        harness.advance(1100)
        stream.picture(5 * FRAME, 0, encodings=[0])
        stream.picture(6 * FRAME, encodings=[0])
        # and back
        lost, *rest = stream.encoders[0].frame(7 * FRAME)
        stream.deliver(rest)
        for packet in stream.encoders[1].frame(7 * FRAME, key=True):
            stream.deliver([packet])
        stream.deliver([lost])
        stream.picture(8 * FRAME)
        harness.settle()
        tapped = records(harness.plane.read_tap())
        seen = [(see(packet).tail[0], packet.timestamp, see(packet).tail[5]) for _, _, _, packet in tapped]
        assert seen == [
            *((1, 3 * FRAME, 0), (1, 3 * FRAME, 1), (1, 4 * FRAME, 0), (1, 4 * FRAME, 1)),
            *((0, 5 * FRAME, 0), (0, 5 * FRAME, 1), (0, 6 * FRAME, 0), (0, 6 * FRAME, 1)),
            # a picture that was copied already has a timestamp of its own
            *((0, 7 * FRAME, 1), (1, 7 * FRAME + 1, 0), (1, 7 * FRAME + 1, 1), (0, 7 * FRAME, 0)),
            *((1, 8 * FRAME, 0), (1, 8 * FRAME, 1)),
        ]
        numbers = [number for _, _, number, _ in tapped]
        assert len(set(numbers)) == len(numbers)
        ordered = [number for index, number in enumerate(numbers) if index != 11]
        assert all(before < after for before, after in pairwise(ordered))
        assert numbers[7] < numbers[11] < numbers[8]

    def test_the_tap_gets_a_low_encoding_beside_the_best(self, harness: PlaneHarness) -> None:
        stream = Simulcast(harness, 2)
        producer = stream.spec.producer
        with pytest.raises(ValueError, match="2 encodings"):
            harness.plane.set_low_tap(producer, 2)
        harness.plane.set_tap(producer, enabled=True)
        harness.plane.set_low_tap(producer, 0)
        harness.settle()
        stream.picture(FRAME, encodings=[0, 1])
        stream.picture(2 * FRAME, 0, 1)
        harness.settle()

        def taken() -> list[tuple[bool, int, int]]:
            return [
                (number == low_tap(producer), see(packet).tail[0], packet.timestamp)
                for number, _, _, packet in records(harness.plane.read_tap())
            ]

        tapped = records(harness.plane.read_tap())
        low = [record for record in tapped if record[0] == low_tap(producer)]
        # of the low one all, and it has the producer's names as the best has
        assert [(see(p).tail[0], p.timestamp) for _, _, _, p in low] == [
            *((0, FRAME), (0, FRAME), (0, 2 * FRAME), (0, 2 * FRAME))
        ]
        assert [number - low[0][2] for _, _, number, _ in low] == [0, 1, 2, 3]
        assert {see(p).tail[0] for name, _, _, p in tapped if name == producer} == {1}
        # each ends by itself
        harness.plane.set_tap(producer, enabled=False)
        harness.settle()
        stream.picture(3 * FRAME)
        harness.settle()
        assert taken() == [(True, 0, 3 * FRAME)] * 2
        harness.plane.set_low_tap(producer, None)
        harness.settle()
        stream.picture(4 * FRAME)
        harness.settle()
        assert taken() == []
        # another SSRC: the numbers go on after a gap
        harness.plane.set_low_tap(producer, 0)
        stream.picture(5 * FRAME)
        harness.settle()
        (_, _, first, _), _ = records(harness.plane.read_tap())
        assert first > low[-1][2] + 1
