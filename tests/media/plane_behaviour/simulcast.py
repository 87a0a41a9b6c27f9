"""One of several encodings is sent; another is switched to at its key frame, without a seam."""

from itertools import pairwise

import pytest

from media.ids import Ssrc
from media.plane import Drop, EventKind, Layer
from media.rtp.packet import RtpPacket
from tests.helpers.rtp_harness import PlaneHarness
from tests.helpers.rtp_stream import View, ids
from tests.helpers.simulcast import Seen, Simulcast, seen

FRAME = 3000


def pictures(packets: list[Seen]) -> list[tuple[int, int]]:
    """List (encoding, timestamp) of the pictures, in the order of their first packets."""
    return list(dict.fromkeys((packet.tail[0], packet.timestamp) for packet in packets))


def assert_seamless(packets: list[Seen], per_picture: int = 2) -> None:
    """Nothing twice, nothing missing, nothing backwards; each packet's timestamp is its picture's."""
    for before, after in pairwise(packets):
        assert after.sequence == before.sequence + 1 & 0xFFFF
        same = after.timestamp == before.timestamp
        assert after.picture == before.picture + (not same) & 0x7FFF
        assert same or 0 < after.timestamp - before.timestamp & 0xFFFFFFFF < 1 << 31
        assert not same or after.tail[:5] == before.tail[:5]
        assert after.tl0 == before.tl0 + (not same) & 0xFF
    assert all(packet.timestamp == int.from_bytes(packet.tail[1:5], "big") for packet in packets)
    assert all(packet.marker == (packet.tail[5] == per_picture - 1) for packet in packets)


def layers(harness: PlaneHarness, view: View) -> list[tuple[int, int, int, int]]:
    """List the LAYER events of a consumer: encoding, spatial, temporal, timestamp."""
    return [
        (*event.data[:3], int.from_bytes(event.data[3:], "big"))
        for event in harness.events(EventKind.LAYER)
        if event.subject == view.spec.consumer
    ]


class SimulcastSwitches:
    """Switching between encodings."""

    def test_up_and_down_at_key_frames_without_a_seam(self, harness: PlaneHarness) -> None:
        stream = Simulcast(harness)
        view = View(stream)
        time = 0xFFFFFFFF - 5 * FRAME  # over the wrap

        def go(count: int, *keys: int) -> None:
            nonlocal time
            for number in range(count):
                time = time + FRAME & 0xFFFFFFFF
                stream.picture(time, *(keys if number == 0 else ()))

        go(3, 0, 1, 2)
        harness.plane.set_layer(view.spec.consumer, Layer(2))
        go(3)  # no key frame yet: the old one goes on
        go(3, 2)
        harness.plane.set_layer(view.spec.consumer, Layer(1))
        go(2)
        go(3, 1, 0)
        harness.plane.set_layer(view.spec.consumer, Layer(0))
        go(2, 0)
        harness.until(lambda: len(seen(view)) == 32)
        packets = seen(view)
        assert_seamless(packets)
        assert [encoding for encoding, _ in pictures(packets)] == [0] * 6 + [2] * 5 + [1] * 3 + [0] * 2
        told = layers(harness, view)
        assert [event[:3] for event in told] == [(0, 0, 0), (2, 0, 0), (1, 0, 0), (0, 0, 0)]
        starts = dict(reversed(pictures(packets)))
        assert [event[3] for event in told[1:3]] == [starts[2], starts[1]]
        statistics = harness.plane.statistics().consumers[view.spec.consumer]
        assert (statistics.encoding, statistics.spatial, statistics.temporal) == (0, 0, 0)
        assert statistics.last_timestamp == time
        assert harness.drops(Drop.LAYER) > 0

    def test_a_switch_that_waits_asks_for_the_key_frame(self, harness: PlaneHarness) -> None:
        stream = Simulcast(harness)
        view = View(stream)
        stream.picture(FRAME, 0)
        harness.plane.set_layer(view.spec.consumer, Layer(2))
        [event] = harness.events(EventKind.KEY_FRAME_WANTED)
        assert (event.subject, event.data) == (stream.spec.producer, b"\2")

    def test_who_begins_is_sent_the_first_that_can_begin_up_to_what_is_wanted(
        self, harness: PlaneHarness
    ) -> None:
        stream = Simulcast(harness)
        views = [View(stream) for _ in range(3)]
        for index, view in enumerate(views):
            harness.plane.set_layer(view.spec.consumer, Layer(index))
        stream.picture(FRAME, 1)
        stream.picture(2 * FRAME, 2)
        stream.picture(3 * FRAME, 0)
        harness.until(lambda: [len(seen(view)) for view in views] == [2, 6, 6])
        assert pictures(seen(views[0])) == [(0, 3 * FRAME)]
        assert pictures(seen(views[1])) == [(1, FRAME), (1, 2 * FRAME), (1, 3 * FRAME)]
        assert pictures(seen(views[2])) == [(1, FRAME), (2, 2 * FRAME), (2, 3 * FRAME)]
        for view in views:
            assert_seamless(seen(view))

    def test_what_is_held_back_for_a_switch_is_let_go_in_time(self, harness: PlaneHarness) -> None:
        stream = Simulcast(harness, 2)
        view = View(stream)
        stream.picture(FRAME, 0)
        harness.plane.set_layer(view.spec.consumer, Layer(1))
        harness.settle()
        stream.picture(2 * FRAME, encodings=[0])
        stream.picture(3 * FRAME, encodings=[0])
        # the better encoding has passed this picture without a key frame
        stream.picture(2 * FRAME, encodings=[1])
        assert pictures(seen(view))[1:2] == [(0, 2 * FRAME)]
        # and then it does not come at all
        harness.until(lambda: len(seen(view)) == 6)
        assert_seamless(seen(view))

    def test_pictures_are_held_back_for_the_key_frame_that_comes_after_them(
        self, harness: PlaneHarness
    ) -> None:
        stream = Simulcast(harness, 2)
        view = View(stream)
        time = FRAME
        stream.picture(time, 0)
        harness.plane.set_layer(view.spec.consumer, Layer(1))
        harness.settle()

        def switched() -> bool:
            """Send one more picture, the lower encoding first; whoever is slow gets more patience next time."""
            nonlocal time
            time += FRAME
            for packet in stream.encoders[0].frame(time) + stream.encoders[1].frame(time, key=True):
                stream.peer.send_rtp(packet)
            harness.settle()
            return pictures(seen(view))[-1][0] == 1

        harness.until(switched)
        assert_seamless(seen(view))
        assert len(pictures(seen(view))) == time // FRAME

    def test_who_wants_no_other_any_more_is_sent_at_once_what_was_held_back(
        self, harness: PlaneHarness
    ) -> None:
        stream = Simulcast(harness, 2)
        view = View(stream)
        stream.picture(FRAME, 0)
        harness.plane.set_layer(view.spec.consumer, Layer(1))
        harness.settle()
        stream.picture(2 * FRAME, encodings=[0])
        harness.plane.set_layer(view.spec.consumer, Layer(0))
        harness.settle()
        # at once, without a timer
        assert pictures(seen(view)) == [(0, FRAME), (0, 2 * FRAME)]
        stream.picture(3 * FRAME, 1)
        assert pictures(seen(view))[2:] == [(0, 3 * FRAME)]
        assert_seamless(seen(view))

    def test_a_key_frame_whose_picture_was_sent_already_is_not_sent_again(
        self, harness: PlaneHarness
    ) -> None:
        stream = Simulcast(harness, 2)
        view = View(stream)
        stream.picture(FRAME, 0, encodings=[0])
        stream.picture(2 * FRAME, encodings=[0])
        harness.plane.set_layer(view.spec.consumer, Layer(1))
        harness.settle()
        stream.picture(FRAME, 1, encodings=[1])
        stream.picture(2 * FRAME, 1, encodings=[1])
        stream.picture(3 * FRAME, 1)
        harness.until(lambda: len(seen(view)) == 6)
        assert pictures(seen(view)) == [(0, FRAME), (0, 2 * FRAME), (1, 3 * FRAME)]
        assert_seamless(seen(view))

    def test_an_encoding_whose_timestamps_are_not_known_is_not_switched_to(
        self, harness: PlaneHarness
    ) -> None:
        stream = Simulcast(harness, 2, told=False)
        view = View(stream)
        harness.plane.set_layer(view.spec.consumer, Layer(1))
        stream.picture(FRAME, 0, 1)
        stream.picture(2 * FRAME, 1)
        assert pictures(seen(view)) == [(0, FRAME), (0, 2 * FRAME)]
        harness.plane.set_timestamp_offset(stream.spec.producer, 1, stream.encoders[1].offset)
        harness.settle()
        stream.picture(3 * FRAME, 1)
        harness.until(lambda: len(seen(view)) == 6)
        assert pictures(seen(view))[2:] == [(1, 3 * FRAME)]
        assert_seamless(seen(view))

    def test_what_overtook_the_key_frame_at_which_is_switched_follows_it(self, harness: PlaneHarness) -> None:
        stream = Simulcast(harness, 2)
        view = View(stream)
        stream.picture(FRAME, 0)
        harness.plane.set_layer(view.spec.consumer, Layer(1))
        harness.settle()
        first, *others = stream.encoders[1].frame(2 * FRAME, key=True, packets=5)
        stream.deliver([*others, first])
        stream.deliver(stream.encoders[0].frame(2 * FRAME))
        stream.picture(3 * FRAME)
        packets = sorted(seen(view), key=lambda packet: packet.sequence - seen(view)[0].sequence & 0xFFFF)
        assert pictures(packets) == [(0, FRAME), (1, 2 * FRAME), (1, 3 * FRAME)]
        assert [packet.tail[5] for packet in packets] == [0, 1, 0, 1, 2, 3, 4, 0, 1]
        assert all(b.sequence == a.sequence + 1 & 0xFFFF for a, b in pairwise(packets))

    def test_after_a_switch_packets_of_both_encodings_can_be_asked_for(self, harness: PlaneHarness) -> None:
        stream = Simulcast(harness, 2)
        view = View(stream)
        stream.picture(FRAME, 0)
        stream.picture(2 * FRAME)
        harness.plane.set_layer(view.spec.consumer, Layer(1))
        stream.picture(3 * FRAME, 1)
        stream.picture(4 * FRAME)
        harness.until(lambda: len(view.packets) == 8)
        sent = view.packets
        view.nack(*(packet.sequence_number for packet in sent))
        assert [packet.payload[2:] for packet in view.repeats] == [packet.payload for packet in sent]
        assert [packet.timestamp for packet in view.repeats] == [packet.timestamp for packet in sent]
        assert [packet.marker for packet in view.repeats] == [packet.marker for packet in sent]

    def test_without_rtx_a_repeat_after_a_switch_is_bit_identical(self, harness: PlaneHarness) -> None:
        stream = Simulcast(harness, 2)
        view = View(stream, rtx_ssrc=0, rtx_payload_type=0)
        stream.picture(FRAME, 0)
        harness.plane.set_layer(view.spec.consumer, Layer(1))
        stream.picture(2 * FRAME, 1)
        harness.until(lambda: len(view.packets) == 4)
        originals = list(view.peer.datagrams)
        view.nack(*(packet.sequence_number for packet in view.packets))
        assert view.peer.repeated == originals

    def test_what_was_lost_before_a_switch_finds_its_place_after_it(self, harness: PlaneHarness) -> None:
        stream = Simulcast(harness, 2)
        view = View(stream)
        stream.picture(FRAME, 0)
        first, lost, last = stream.encoders[0].frame(2 * FRAME, packets=3)
        stream.deliver([first, last])
        harness.plane.set_layer(view.spec.consumer, Layer(1))
        stream.picture(3 * FRAME, 1)
        harness.until(lambda: len(view.packets) == 6)
        stream.deliver([lost])
        packets = seen(view)
        assert [packet.sequence - packets[0].sequence & 0xFFFF for packet in packets] == [0, 1, 2, 4, 5, 6, 3]
        assert packets[-1].tail[5] == 1
        # what nobody knew of when the switch came has no place
        stream.deliver([stream.encoders[0].frame(4 * FRAME)[0]])
        assert len(seen(view)) == 7

    def test_a_pause_ends_where_any_wanted_encoding_can_begin(self, harness: PlaneHarness) -> None:
        stream = Simulcast(harness, 2)
        view = View(stream)
        harness.plane.set_layer(view.spec.consumer, Layer(1))
        stream.picture(FRAME, 0, 1)
        stream.picture(2 * FRAME, 1)
        harness.settle()
        view.pause()
        stream.picture(3 * FRAME, 0, 1)
        harness.settle()
        view.pause(False)
        stream.picture(4 * FRAME, 0)
        stream.picture(5 * FRAME, 1)
        harness.until(lambda: len(seen(view)) == 8)
        assert pictures(seen(view)) == [(0, FRAME), (1, 2 * FRAME), (0, 4 * FRAME), (1, 5 * FRAME)]
        for before, after in pairwise(seen(view)):
            assert after.sequence == before.sequence + 1 & 0xFFFF

    def test_an_encoding_that_shows_its_ssrc_late_is_received_from_then_on(
        self, harness: PlaneHarness
    ) -> None:
        stream = Simulcast(harness, 2)
        view = View(stream)
        stranger = stream.encoders[1]
        stranger.ssrc = Ssrc(stranger.ssrc + 5)
        stream.picture(FRAME, 0, 1)
        assert harness.drops(Drop.UNKNOWN_SSRC) == 2
        harness.plane.set_encoding(stream.spec.producer, 1, stranger.ssrc, Ssrc(stranger.rtx_ssrc + 5))
        harness.plane.set_timestamp_offset(stream.spec.producer, 1, stranger.offset)
        harness.plane.set_layer(view.spec.consumer, Layer(1))
        harness.settle()
        stream.picture(2 * FRAME, 1)
        harness.until(lambda: len(seen(view)) == 4)
        assert pictures(seen(view)) == [(0, FRAME), (1, 2 * FRAME)]
        # a packet of its RTX stream
        lost, after = stranger.frame(3 * FRAME)
        stream.deliver([after])
        rtx = RtpPacket(
            97,
            9,
            lost.timestamp,
            Ssrc(stranger.rtx_ssrc + 5),
            payload=lost.sequence_number.to_bytes(2, "big") + lost.payload,
        )
        stream.deliver([rtx])
        assert sorted(packet.tail[5] for packet in seen(view)[4:]) == [0, 1]

    def test_an_encoder_that_begins_anew_under_another_ssrc_is_followed(self, harness: PlaneHarness) -> None:
        stream = Simulcast(harness, 1)
        view = View(stream)
        [encoder] = stream.encoders
        stream.picture(900 * FRAME, 0)
        before = encoder.ssrc
        encoder.ssrc, encoder.sequence = Ssrc(before + 5), 3
        harness.plane.set_encoding(stream.spec.producer, 0, encoder.ssrc, encoder.rtx_ssrc)
        harness.settle()
        stream.picture(7 * FRAME)
        stream.picture(8 * FRAME, 0)
        packets = seen(view)
        assert pictures(packets) == [(0, 900 * FRAME), (0, 8 * FRAME)]
        assert packets[2].sequence == packets[1].sequence + 1 & 0xFFFF
        with pytest.raises(ValueError):
            harness.plane.set_encoding(stream.spec.producer, 0, encoder.ssrc, encoder.ssrc)

    def test_statistics_are_of_each_encoding(self, harness: PlaneHarness) -> None:
        stream = Simulcast(harness, 2, extensions=ids(0, 0, 3))
        stream.picture(FRAME, 0)
        stream.picture(2 * FRAME)
        captured = (0x1234567890ABCDEF).to_bytes(8, "big")
        stream.deliver(stream.encoders[1].frame(3 * FRAME, packets=1, extensions={3: captured}))
        harness.settle()
        first, second = harness.plane.statistics().producers[stream.spec.producer].encodings
        offset = stream.encoders[1].offset
        assert (first.packets, first.key_frames, first.recent_timestamps) == (4, 1, (2 * FRAME, FRAME))
        raw = [timestamp - offset & 0xFFFFFFFF for timestamp in (3 * FRAME, 2 * FRAME, FRAME)]
        assert (second.packets, second.key_frames, second.recent_timestamps) == (5, 0, tuple(raw))
        assert second.capture == (raw[0], 0x1234567890ABCDEF)
        assert first.capture == (0, 0)
        assert sum(first.layer_bytes) == first.bytes == first.layer_bytes[0]
        keys = [event.data for event in harness.events(EventKind.KEY_FRAME)]
        assert keys == [FRAME.to_bytes(4, "big") + b"\0"]
