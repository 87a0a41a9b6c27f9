"""Video begins at a key frame: for whoever comes, comes late, or comes back."""

import pytest

from media.plane import Codec, Drop, EventKind
from tests.helpers.rtp_harness import PlaneHarness
from tests.helpers.rtp_stream import VP8_DELTA, VP8_KEY, Stream, View

#: A payload in the middle, and one that begins a key frame.
PAYLOADS = {
    Codec.H264: (b"\x41\x9a", b"\x67\x42"),
    Codec.VP8: (VP8_DELTA, VP8_KEY),
    Codec.VP9: (b"\x48\x86", b"\x08\x82"),
    Codec.AV1: (b"\x10\x32", b"\x18\x0a"),
    Codec.H265: (b"\x02\x01\xd0", b"\x26\x01\xaf"),
}


class Starting:
    """Key frames, late consumers, pauses."""

    @pytest.mark.parametrize("codec", PAYLOADS)
    def test_a_consumer_starts_at_a_key_frame(self, harness: PlaneHarness, codec: Codec) -> None:
        middle, key = PAYLOADS[codec]
        stream = Stream(harness, codec=codec)
        view = View(stream)
        for _ in range(3):
            stream.send(middle)
        sent = [stream.send(key).payload, stream.send(middle).payload]
        assert view.payloads == sent
        assert harness.drops(Drop.AWAITING_KEY_FRAME) == 3
        assert stream.statistics().key_frames == 1

    def test_a_key_frame_is_told_once(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, codec=Codec.H264)
        stream.send(b"\x67\x42", timestamp=0xFFFFFFFF)
        stream.send(b"\x65\x88", timestamp=0xFFFFFFFF)
        stream.send(b"\x41\x9a")
        stream.send(b"\x65\x88", timestamp=777)
        events = harness.events(EventKind.KEY_FRAME)
        assert [event.data for event in events] == [b"\xff\xff\xff\xff\0", b"\0\0\x03\x09\0"]
        assert {(event.subject, event.transport) for event in events} == {
            (stream.spec.producer, stream.peer.transport)
        }
        assert stream.statistics().key_frames == 2

    def test_audio_tells_of_no_key_frame(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, codec=Codec.OPUS, clock_rate=48_000)
        stream.send(b"\x78")
        assert not harness.events(EventKind.KEY_FRAME)
        assert stream.statistics().key_frames == 0

    def test_who_comes_late_waits_for_the_next_key_frame(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        early = View(stream)
        sent = [stream.send_key().payload, *(stream.send().payload for _ in range(5))]
        harness.settle()
        late = View(stream)
        sent.append(stream.send().payload)
        key = stream.send_key().payload
        rest = [stream.send().payload for _ in range(3)]
        assert late.payloads == [key, *rest]
        assert early.payloads == [*sent, key, *rest]

    def test_who_waits_for_a_key_frame_in_vain_asks_again(self, harness: PlaneHarness) -> None:
        # it began before this consumer was there: for whoever asks the publisher it has come
        stream = Stream(harness)
        View(stream)
        stream.send_key()
        harness.settle()
        late = View(stream)

        def asked_for() -> bool:
            stream.send()
            harness.advance(33)
            return bool(harness.events(EventKind.KEY_FRAME_WANTED))

        assert not asked_for()
        assert any(asked_for() for _ in range(60))
        assert {event.subject for event in harness.events(EventKind.KEY_FRAME_WANTED)} == {
            stream.spec.producer
        }
        sent = [stream.send_key().payload, stream.send().payload]
        assert late.payloads == sent

    def test_a_pause_leaves_no_gap(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view, other = View(stream), View(stream)
        before = [stream.send_key().payload, stream.send().payload]
        harness.settle()
        view.pause()
        during = [stream.send().payload for _ in range(4)]
        harness.settle()
        view.pause(False)
        during.append(stream.send().payload)
        after = [stream.send_key().payload, stream.send().payload]
        assert view.payloads == before + after
        numbers = [packet.sequence_number for packet in view.packets]
        assert numbers == [numbers[0] + n & 0xFFFF for n in range(4)]
        assert harness.drops(Drop.PAUSED) == 4
        assert harness.drops(Drop.AWAITING_KEY_FRAME) == 1
        assert other.payloads == before + during + after

    def test_paused_audio_resumes_at_once_and_without_a_gap(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, codec=Codec.OPUS, clock_rate=48_000)
        view = View(stream)
        sent = [stream.send(b"\x78").payload]
        harness.settle()
        view.pause()
        stream.send(b"\x78")
        harness.settle()
        view.pause(False)
        sent.append(stream.send(b"\x78").payload)
        assert view.payloads == sent
        first, second = (packet.sequence_number for packet in view.packets)
        assert second == first + 1 & 0xFFFF

    def test_pausing_twice_and_resuming_without_a_pause_do_nothing(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        sent = [stream.send_key().payload]
        harness.settle()
        view.pause(False)
        sent.append(stream.send().payload)
        harness.settle()
        view.pause()
        view.pause()
        stream.send_key()
        harness.settle()
        view.pause(False)
        sent.append(stream.send_key().payload)
        assert view.payloads == sent

    def test_what_was_lost_before_a_pause_does_not_come_under_a_wrong_number(
        self, harness: PlaneHarness
    ) -> None:
        stream = Stream(harness)
        view = View(stream)
        sent = [stream.send_key()]
        lost = stream.lose()
        sent.append(stream.send())
        harness.settle()
        view.pause()
        stream.send()
        harness.settle()
        view.pause(False)
        sent.append(stream.send_key())
        stream.peer.send_rtp(lost)
        sent.append(stream.send())
        by_number = {packet.sequence_number: packet.payload for packet in view.packets}
        assert len(by_number) == len(view.packets)
        first = view.packets[0].sequence_number
        expected = {first + n & 0xFFFF: packet.payload for n, packet in zip((0, 2, 3, 4), sent, strict=True)}
        # in its old place the late packet is welcome
        assert by_number in (expected, expected | {first + 1 & 0xFFFF: lost.payload})
