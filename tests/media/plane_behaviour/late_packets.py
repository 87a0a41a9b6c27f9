"""What comes late, around a change of what is sent, is sent with its picture or not at all."""

from __future__ import annotations

from itertools import groupby

from media.plane import Drop, Layer
from media.rtp.packet import RtpPacket
from tests.helpers.rtp_harness import PlaneHarness
from tests.helpers.rtp_stream import View
from tests.helpers.simulcast import Simulcast, see

from .layers import FRAME, PATTERN


def frame(stream: Simulcast, number: int, encoding: int = 0, *, key: bool = False) -> list[RtpPacket]:
    """Make the two packets of the pattern's picture."""
    temporal, synchronises = PATTERN[number % 4]
    return stream.encoders[encoding].frame(
        number * FRAME, key=key, temporal=temporal, synchronises=synchronises
    )


def sent(view: View) -> list[tuple[int, int, int]]:
    """List (encoding, picture, parts) in the order of the numbers, of which none may be missing."""
    packets = sorted(view.packets, key=lambda packet: packet.sequence_number)
    numbers = [packet.sequence_number for packet in packets]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    seen = [see(packet) for packet in packets if packet.payload]
    pictures = [(one.tail[0], one.timestamp // FRAME) for one in seen]
    return [(*picture, len(list(parts))) for picture, parts in groupby(pictures)]


def fillers(view: View) -> int:
    """Count the numbers that were used up by padding."""
    return sum(not packet.payload for packet in view.packets)


def want(view: View, layer: Layer) -> None:
    """Ask for layers, and settle."""
    view.harness.plane.set_layer(view.spec.consumer, layer)
    view.harness.settle()


def overtaken_key_frame(harness: PlaneHarness) -> tuple[Simulcast, View, list[RtpPacket], list[RtpPacket]]:
    """Watch the first encoding, and want the second; picture 4 of both, a key frame in the second, is still to come."""
    stream = Simulcast(harness, 2)
    view = View(stream)
    stream.deliver(frame(stream, 0, key=True))
    want(view, Layer(1, 3, 0))
    for number in range(4):
        stream.deliver(frame(stream, number, 1))
        if number:
            stream.deliver(frame(stream, number))
    late, key = frame(stream, 4), frame(stream, 4, 1, key=True)
    stream.deliver(frame(stream, 5, 1))
    stream.deliver(frame(stream, 5))
    return stream, view, late, key


class LatePackets:
    """Late packets around changes."""

    def test_a_step_down_cuts_no_picture(self, harness: PlaneHarness) -> None:
        stream = Simulcast(harness, 1)
        view = View(stream)
        for number in range(7):
            stream.deliver(frame(stream, number, key=number == 0))
        last, first = frame(stream, 7), frame(stream, 8)
        stream.deliver(last[:1])
        want(view, Layer(0, 3, 0))
        stream.deliver(first[1:])
        for number in range(9, 13):
            stream.deliver(frame(stream, number))
        stream.deliver(first[:1])
        stream.deliver(last[1:])
        assert sent(view) == [(0, number, 2) for number in (*range(9), 12)]
        assert not fillers(view)

    def test_a_step_up_begins_with_a_whole_picture(self, harness: PlaneHarness) -> None:
        stream = Simulcast(harness, 1)
        view = View(stream)
        want(view, Layer(0, 3, 0))
        for number in range(5):
            stream.deliver(frame(stream, number, key=number == 0))
        last, first = frame(stream, 5), frame(stream, 6)
        stream.deliver(last[:1])
        want(view, Layer())
        stream.deliver(first[1:])
        stream.deliver(first[:1])
        stream.deliver(last[1:])
        assert sent(view) == [(0, 0, 2), (0, 4, 2), (0, 6, 2)]
        assert fillers(view) == 1

    def test_a_picture_of_which_nothing_came_is_of_the_time_before_the_step(
        self, harness: PlaneHarness
    ) -> None:
        stream = Simulcast(harness, 1)
        view = View(stream)
        want(view, Layer(0, 3, 0))
        for number in range(5):
            stream.deliver(frame(stream, number, key=number == 0))
        want(view, Layer(0, 3, 1))
        missing = frame(stream, 5)
        stream.deliver(frame(stream, 6))
        stream.deliver(missing)
        assert sent(view) == [(0, 0, 2), (0, 4, 2), (0, 6, 2)]
        assert fillers(view) == 2

    def test_so_it_is_at_a_step_down(self, harness: PlaneHarness) -> None:
        stream = Simulcast(harness, 1)
        view = View(stream)
        for number in range(7):
            stream.deliver(frame(stream, number, key=number == 0))
        missing = frame(stream, 7)
        want(view, Layer(0, 3, 0))
        stream.deliver(frame(stream, 8))
        stream.deliver(frame(stream, 9))
        stream.deliver(missing)
        assert sent(view) == [(0, number, 2) for number in range(9)]
        assert not fillers(view)

    def test_layers_of_which_something_may_be_missing_wait_until_they_may_begin(
        self, harness: PlaneHarness
    ) -> None:
        stream = Simulcast(harness, 1)
        view = View(stream)
        want(view, Layer(0, 3, 0))
        for number in range(2):
            stream.deliver(frame(stream, number, key=number == 0))
        lost = frame(stream, 2)
        stream.deliver(frame(stream, 3))
        want(view, Layer())
        for number in range(4, 12):
            stream.deliver(frame(stream, number))
        stream.deliver(lost)
        assert sent(view) == [(0, number, 2) for number in (0, 4, 6, 8, 9, 10, 11)]
        assert fillers(view) == 2

    def test_no_picture_is_sent_beside_the_key_frame_that_took_its_place(self, harness: PlaneHarness) -> None:
        stream, view, late, key = overtaken_key_frame(harness)
        stream.deliver(key)
        stream.deliver(late)
        assert sent(view) == [(0, 0, 2), (1, 4, 2)]
        assert fillers(view) == 2

    def test_no_key_frame_takes_the_place_of_what_came_late(self, harness: PlaneHarness) -> None:
        stream, view, late, key = overtaken_key_frame(harness)
        stream.deliver(late[1:])
        stream.deliver(key)
        stream.deliver(late[:1])
        assert sent(view) == [(0, 0, 2), (0, 4, 2)]
        assert not fillers(view)

    def test_a_picture_that_may_still_come_keeps_its_name(self, harness: PlaneHarness) -> None:
        stream = Simulcast(harness, 2)
        view = View(stream)
        stream.deliver(frame(stream, 0, key=True))
        want(view, Layer(1, 3, 1))
        stream.deliver(frame(stream, 0, 1))
        for number in (1, 2, 3):
            stream.deliver(frame(stream, number, 1))
            made = frame(stream, number)
            if number == 2:
                late = made
            else:
                stream.deliver(made)
        stream.deliver(frame(stream, 4, 1, key=True))
        stream.deliver(late)
        assert sent(view) == [(0, 0, 2), (0, 2, 2), (1, 4, 2)]
        names = {packet.timestamp // FRAME: see(packet).picture for packet in view.packets}
        assert [(names[number] - names[0]) & 0x7FFF for number in (0, 2, 4)] == [0, 1, 2]

    def test_what_lies_more_than_64_changes_back_is_not_sent(self, harness: PlaneHarness) -> None:
        stream = Simulcast(harness, 1)
        view = View(stream)
        want(view, Layer(0, 3, 0))
        for number in range(4):
            stream.deliver(frame(stream, number, key=number == 0))
        number = 4
        for change in range(66):
            # up at the picture that synchronises the middle layer, down at the next one of the base layer
            want(view, Layer(0, 3, change % 2))
            for _ in range(4):
                made = frame(stream, number)
                if number == 8:
                    late = made
                else:
                    stream.deliver(made)
                number += 1
        before = len(view.packets)
        stream.deliver(late)
        # their numbers are used up all the same
        assert [packet.payload for packet in view.packets[before:]] == [b"", b""]
        assert sent(view)[:4] == [(0, 0, 2), (0, 4, 2), (0, 10, 2), (0, 12, 2)]
        unknown = harness.drops(Drop.NOT_IN_HISTORY)
        view.nack(view.packets[0].sequence_number)
        assert not view.repeats
        assert harness.drops(Drop.NOT_IN_HISTORY) == unknown + 1
        view.nack(view.packets[before - 1].sequence_number)
        assert len(view.repeats) == 1
