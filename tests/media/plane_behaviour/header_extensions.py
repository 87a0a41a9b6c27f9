"""Header extensions are mapped by what they are, not by their id."""

import pytest

from media.plane import Extension, ExtensionIds
from media.rtp.extensions import (
    AbsCaptureTime,
    AudioLevel,
    build_abs_send_time,
    parse_abs_send_time,
    parse_playout_delay,
    parse_transport_wide,
)
from media.rtp.packet import build_extensions
from tests.helpers.rtp_harness import PlaneHarness
from tests.helpers.rtp_stream import VP8_KEY, Stream, View, ids

#: What a publisher and a consumer negotiated: each extension has another id in either.
INCOMING: ExtensionIds = ids(1, 2, 3, 4, 5, 6)
OUTGOING: ExtensionIds = ids(14, 13, 12, 11, 10, 9)

CAPTURED = bytes(AbsCaptureTime(1_795_305_600_123_456_789, -5_000_000))
LEVEL = bytes(AudioLevel(voice=True, level=30))


def _one_byte(values: dict[int, bytes]) -> bytes:
    return build_extensions(values)


def _two_byte(values: dict[int, bytes]) -> bytes:
    elements = b"".join(bytes([number, len(value)]) + value for number, value in values.items())
    elements += bytes(-len(elements) % 4)
    # the low four bits of the profile are the application's
    return b"\x10\x05" + (len(elements) // 4).to_bytes(2, "big") + elements


class HeaderExtensions:
    """What is copied, what is written, what goes."""

    @pytest.mark.parametrize("form", [_one_byte, _two_byte])
    def test_capture_time_and_level_are_copied_and_the_others_are_not(
        self, harness: PlaneHarness, form: object
    ) -> None:
        assert callable(form)
        stream = Stream(harness, extensions=INCOMING)
        view = View(stream, extensions=OUTGOING, mid="v7", playout_delay=(0, 400))
        extension = form(
            {3: CAPTURED, 4: LEVEL, 1: b"0", 2: b"\1\2\3", 5: b"\xff\xff", 6: b"\0\0\0", 7: b"unknown"}
        )
        plain = bytearray(bytes(stream.packet(VP8_KEY)))
        plain[0] |= 0x10
        plain[12:12] = extension
        stream.peer.send_rtp(bytes(plain))
        [packet] = view.packets
        values = packet.extensions
        assert values[OUTGOING[Extension.ABS_CAPTURE_TIME]] == CAPTURED
        assert values[OUTGOING[Extension.AUDIO_LEVEL]] == LEVEL
        assert values[OUTGOING[Extension.MID]] == b"v7"
        assert parse_playout_delay(values[OUTGOING[Extension.PLAYOUT_DELAY]]) == (0, 400)
        assert values[OUTGOING[Extension.TRANSPORT_WIDE]] != b"\xff\xff"
        assert sorted(values) == sorted(filter(None, OUTGOING))

    def test_the_short_form_of_the_capture_time_is_copied(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, extensions=INCOMING)
        view = View(stream, extensions=ids(0, 0, 7, 0, 0, 0))
        stream.send_key(extensions={3: CAPTURED[:8]})
        assert view.packets[0].extensions == {7: CAPTURED[:8]}

    def test_what_was_not_negotiated_is_not_sent(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, extensions=INCOMING)
        view = View(stream, mid="v7", playout_delay=(0, 400))
        stream.send_key(extensions={3: CAPTURED, 4: LEVEL, 1: b"0"})
        assert view.packets[0].extensions == {}

    def test_what_the_publisher_did_not_send_is_not_invented(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, extensions=INCOMING)
        view = View(stream, extensions=ids(0, 0, 12, 11, 0, 0))
        stream.send_key()
        assert view.packets[0].extensions == {}

    def test_what_the_publisher_did_not_negotiate_is_not_copied(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream, extensions=ids(0, 0, 12, 11, 0, 0))
        stream.send_key(extensions={3: CAPTURED, 4: LEVEL})
        assert view.packets[0].extensions == {}

    def test_the_time_of_sending_is_the_planes(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream, extensions=ids(0, 13, 0, 0, 0, 0))
        stream.send_key()
        [packet] = view.packets
        now = parse_abs_send_time(build_abs_send_time(harness.clock()))
        age = (now - parse_abs_send_time(packet.extensions[13])) % 64_000_000_000
        assert age < 30_000_000_000

    def test_transport_wide_numbers_count_all_packets_of_a_transport(self, harness: PlaneHarness) -> None:
        first, second = Stream(harness), Stream(harness)
        peer = harness.peer()
        view = View(first, peer, extensions=ids(0, 0, 0, 0, 10, 0))
        View(second, peer, extensions=ids(0, 0, 0, 0, 10, 0))
        for _ in range(5):
            first.send_key()
            second.send_key()
            harness.settle()
        view.nack(view.packets[0].sequence_number)
        harness.settle()
        numbers = [parse_transport_wide(packet.extensions[10]) for packet in peer.rtp]
        assert len(numbers) == 11
        assert numbers == [numbers[0] + n & 0xFFFF for n in range(11)]
