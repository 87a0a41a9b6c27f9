"""Of one encoding only some layers are sent: they begin where the stream allows it and end at a picture."""

from __future__ import annotations

from itertools import pairwise

from media.codecs import vp9
from media.plane import Codec, Drop, EventKind, Layer
from media.rtp.packet import RtpPacket
from tests.helpers.dependency import L2T2, L2T2_KEY, write_descriptor
from tests.helpers.rtp_harness import PlaneHarness
from tests.helpers.rtp_stream import Stream, View, ids
from tests.helpers.simulcast import Simulcast, seen

FRAME = 3000
DESCRIPTOR = ids(0, 0, 0, 0, 0, 0, 0, 0, 5)

#: Temporal layers of VP8 as libvpx sends three: the first of each layer depends on the base layer alone.
PATTERN = [(0, False), (2, True), (1, True), (2, False)]


def want(view: View, spatial: int = 3, temporal: int = 3) -> None:
    """Ask for layers, and settle."""
    view.harness.plane.set_layer(view.spec.consumer, Layer(0, spatial, temporal))
    view.harness.settle()


def assert_no_gap(packets: list[RtpPacket]) -> None:
    """See that the sequence numbers go up by one."""
    for before, after in pairwise(packets):
        assert after.sequence_number == before.sequence_number + 1 & 0xFFFF


class TemporalStream(Simulcast):
    """VP8 in one encoding with three temporal layers."""

    def __init__(self, harness: PlaneHarness) -> None:
        """Begin at the first picture of the pattern."""
        super().__init__(harness, 1)
        self.number = 0

    def pictures(self, count: int) -> None:
        """Send so many pictures of the pattern; the very first is a key frame."""
        for _ in range(count):
            temporal, synchronises = PATTERN[self.number % 4]
            frame = self.encoders[0].frame(
                self.number * FRAME,
                key=self.number == 0,
                temporal=temporal,
                synchronises=synchronises,
            )
            self.deliver(frame)
            self.number += 1


class SpatialStream(Stream):
    """VP9 with two spatial and two temporal layers, flexible mode off; each layer of a picture is one packet."""

    def __init__(self, harness: PlaneHarness) -> None:
        """Begin before the first picture."""
        super().__init__(harness, codec=Codec.VP9)
        self.number = 0

    def pictures(self, count: int, *, key: bool = False) -> list[list[RtpPacket]]:
        """Send pictures, the first of them a key picture where `key`."""
        sent = []
        for _ in range(count):
            temporal = 0 if key else self.number % 2
            timestamp = self.number * FRAME
            sent.append([self._layer(spatial, temporal, timestamp, key) for spatial in range(2)])
            key = False
            self.number += 1
        self.harness.settle()
        return sent

    def _layer(self, spatial: int, temporal: int, timestamp: int, key: bool) -> RtpPacket:
        first = 0xAC | (not key) << 6  # I, L, B, E
        layers = temporal << 5 | (temporal == 1) << 4 | spatial << 1 | (spatial > 0)
        picture = 32_766 + self.number & 0x7FFF | 0x8000
        payload = (
            bytes([first]) + picture.to_bytes(2, "big") + bytes([layers, self.number // 2 & 0xFF, spatial])
        )
        return self.send(payload, timestamp=timestamp, marker=spatial == 1)


class DescribedStream(Stream):
    """AV1 described by dependency descriptors, two spatial and two temporal layers; each frame is two packets."""

    def __init__(self, harness: PlaneHarness, templates: tuple[tuple[int, int, str], ...] = L2T2) -> None:
        """Begin before the first picture."""
        super().__init__(harness, codec=Codec.AV1, extensions=DESCRIPTOR)
        self.templates = templates
        self.number = 0
        self.frame_number = 65_530

    def pictures(
        self, count: int, *, key: bool = False, active: int | None = None, layers: int = 2
    ) -> list[list[RtpPacket]]:
        """Send pictures; each is its packets, the lower layer's first."""
        sent = []
        for _ in range(count):
            temporal = 0 if key else self.number % 2
            picture = []
            for spatial in range(layers):
                template = 3 * spatial + (0 if key else 2 if temporal else 1)
                for part in range(2):
                    structure = self.templates if key and spatial == 0 and part == 0 else None
                    first = spatial == 0 and part == 0
                    value = write_descriptor(
                        template,
                        self.frame_number,
                        starts=part == 0,
                        ends=part == 1,
                        structure=structure,
                        targets=4,
                        active=active if first else None,
                    )
                    picture.append(
                        self.send(
                            bytes([0x08 if key and first else 0x80 if part else 0x00, spatial, temporal]),
                            timestamp=self.number * FRAME,
                            marker=spatial == layers - 1 and part == 1,
                            extensions={5: value},
                        )
                    )
                self.frame_number += 1
            sent.append(picture)
            key = False
            self.number += 1
        self.harness.settle()
        return sent


def frame_numbers(packets: list[RtpPacket], identifier: int = 7) -> list[int]:
    """Read the frame numbers of the dependency descriptors, one a frame."""
    numbers = [int.from_bytes(packet.extensions[identifier][1:3], "big") for packet in packets]
    return list(dict.fromkeys(numbers))


class Layers:
    """Temporal and spatial layers."""

    def test_temporal_layers_of_vp8_go_and_come_where_they_may(self, harness: PlaneHarness) -> None:
        stream = TemporalStream(harness)
        view, whole = View(stream), View(stream)
        stream.pictures(4)
        want(view, temporal=0)
        stream.pictures(8)
        want(view, temporal=1)
        stream.pictures(5)
        want(view)
        stream.pictures(7)
        packets = seen(view)
        assert [packet.timestamp // FRAME for packet in packets[::2]] == [
            *(0, 1, 2, 3),  # all
            *(4, 8),  # the base layer
            *(12, 14, 16),  # with the middle one, from where it needs the base layer alone
            *(17, 18, 19, 20, 21, 22, 23),  # and all again
        ]
        for before, after in pairwise(packets):
            assert after.sequence == before.sequence + 1 & 0xFFFF
            assert after.picture == before.picture + (before.timestamp != after.timestamp) & 0x7FFF
        assert [packet.tl0 for packet in packets] == [
            packets[0].tl0 + packet.timestamp // FRAME // 4 & 0xFF for packet in packets
        ]
        assert len(seen(whole)) == 48
        told = [
            event.data[1:3]
            for event in harness.events(EventKind.LAYER)
            if event.subject == view.spec.consumer
        ]
        assert told[-4:] == [b"\0\2", b"\0\0", b"\0\1", b"\0\2"]
        statistics = harness.plane.statistics()
        consumer = statistics.consumers[view.spec.consumer]
        assert (consumer.encoding, consumer.spatial, consumer.temporal) == (0, 0, 2)
        [encoding] = statistics.producers[stream.spec.producer].encodings
        assert [n > 0 for n in encoding.layer_bytes[:4]] == [True, True, True, False]
        assert sum(encoding.layer_bytes) == encoding.bytes

    def test_the_third_temporal_layer_does_not_begin_before_the_second(self, harness: PlaneHarness) -> None:
        stream = TemporalStream(harness)
        view = View(stream)
        stream.pictures(1)
        want(view, temporal=0)
        stream.pictures(3)
        want(view)
        stream.pictures(8)
        # the picture at 5 synchronises the third layer, but at 6 the second would lack what it needs
        assert [packet.timestamp // FRAME for packet in seen(view)[::2]] == [0, 4, 6, 8, 9, 10, 11]

    def test_what_was_lost_and_is_of_a_layer_not_sent_leaves_no_gap(self, harness: PlaneHarness) -> None:
        stream = TemporalStream(harness)
        view = View(stream)
        want(view, temporal=0)
        stream.pictures(1)
        stream.number = 1
        lost = stream.encoders[0].frame(FRAME, temporal=2, packets=1)
        stream.number = 2
        stream.pictures(3)
        packets = view.packets
        assert [packet.sequence_number - packets[0].sequence_number & 0xFFFF for packet in packets] == [
            0,
            1,
            3,
            4,
        ]
        stream.deliver(lost)
        filler = view.packets[-1]
        assert (filler.payload, filler.padding > 0) == (b"", True)
        assert filler.sequence_number == packets[0].sequence_number + 2 & 0xFFFF
        assert harness.drops(Drop.LAYER) == 5
        # once used up it stays used up
        view.nack(filler.sequence_number)
        assert not view.repeats
        assert not harness.events(EventKind.KEY_FRAME_WANTED)

    def test_a_lower_spatial_layer_of_vp9_ends_the_picture(self, harness: PlaneHarness) -> None:
        stream = SpatialStream(harness)
        view = View(stream)
        stream.pictures(2, key=True)
        want(view, spatial=0)
        stream.pictures(4)
        want(view)
        stream.pictures(3)
        stream.pictures(1, key=True)
        stream.pictures(2)
        packets = view.packets
        assert_no_gap(packets)
        said = [vp9.parse_descriptor(packet.payload) for packet in packets]
        assert [
            (packet.timestamp // FRAME, one.spatial_layer) for packet, one in zip(packets, said, strict=True)
        ] == [
            *((0, 0), (0, 1), (1, 0), (1, 1)),
            *((2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0)),
            *((9, 0), (9, 1), (10, 0), (10, 1), (11, 0), (11, 1)),
        ]
        assert [packet.marker for packet in packets] == [
            *([False, True] * 2),
            *([True] * 7),
            *([False, True] * 3),
        ]
        assert [one.picture for one in said] == [32_766 + p.timestamp // FRAME & 0x7FFF for p in packets]
        view.nack(packets[5].sequence_number)
        assert view.repeats[0].marker

    def test_described_layers_go_at_a_picture_and_come_where_they_may(self, harness: PlaneHarness) -> None:
        stream = DescribedStream(harness)
        view = View(stream, extensions=ids(0, 0, 0, 0, 0, 0, 0, 0, 7))
        everything = stream.pictures(4, key=True)
        want(view, spatial=0, temporal=0)
        low = stream.pictures(4)
        want(view, spatial=0)
        faster = stream.pictures(4)
        want(view)
        waiting = stream.pictures(4)
        again = stream.pictures(2, key=True)
        expected = [
            *(packet for picture in everything for packet in picture),
            *(packet for picture in low[::2] for packet in picture[:2]),
            *(packet for picture in faster + waiting for packet in picture[:2]),
            *(packet for picture in again for packet in picture),
        ]
        packets = view.packets
        assert [packet.payload for packet in packets] == [packet.payload for packet in expected]
        assert_no_gap(packets)
        ends = [after.timestamp != before.timestamp for before, after in pairwise(packets)]
        assert [packet.marker for packet in packets] == [*ends, True]
        # the names of the frames stay as far apart as they were, or differences between frames would lie
        originals = [int.from_bytes(packet.extensions[5][1:3], "big") for packet in expected]
        assert frame_numbers(packets) == list(dict.fromkeys(originals))
        assert [packet.extensions[7] for packet in packets] == [packet.extensions[5] for packet in expected]

    def test_a_structure_longer_than_16_bytes_is_passed_on(self, harness: PlaneHarness) -> None:
        templates = tuple((spatial, 0, "SSSSSSSS") for spatial in (0, 0, 0, 0, 1, 1, 1, 1))
        stream = Stream(harness, codec=Codec.AV1, extensions=ids(1, 0, 3, 0, 0, 0, 0, 0, 5))
        view = View(stream, mid="v7", extensions=ids(1, 2, 3, 0, 4, 0, 0, 0, 7))
        value = write_descriptor(0, 9, structure=templates, resolutions=[(640, 360), (1280, 720)])
        assert len(value) > 16
        sent = stream.send(b"\x08", extensions={5: value, 3: b"captured"})
        [packet] = view.packets
        assert packet.payload == sent.payload
        assert packet.extensions[7] == value
        assert packet.extensions[1] == b"v7"
        assert packet.extensions[3] == b"captured"
        assert sorted(packet.extensions) == [1, 2, 3, 4, 7]

    def test_where_layers_are_independent_a_lower_one_needs_a_key_frame(self, harness: PlaneHarness) -> None:
        stream = DescribedStream(harness, L2T2_KEY)
        view = View(stream)
        stream.pictures(3, key=True)
        want(view, spatial=0)
        stream.pictures(2)
        # of the lower layer only the key picture was sent: nothing else of it can be decoded
        layers = [(packet.timestamp // FRAME, packet.payload[1]) for packet in view.packets[::2]]
        assert layers == [(0, 0), (0, 1), (1, 1), (2, 1), (3, 1), (4, 1)]
        harness.advance(600)
        stream.pictures(2)
        assert [event.data for event in harness.events(EventKind.KEY_FRAME_WANTED)] == [b"\0"]
        stream.pictures(2, key=True)
        layers = [(packet.timestamp // FRAME, packet.payload[1]) for packet in view.packets[::2]]
        assert layers[8:] == [(7, 0), (8, 0)]
        assert_no_gap(view.packets)

    def test_targets_that_are_not_active_are_not_waited_for(self, harness: PlaneHarness) -> None:
        stream = DescribedStream(harness)
        view = View(stream)
        stream.pictures(2, key=True, active=0b0011, layers=1)
        stream.pictures(2, active=0b0011, layers=1)
        assert len(view.packets) == 8
        assert [packet.marker for packet in view.packets] == [False, True] * 4
        told = [event.data[:3] for event in harness.events(EventKind.LAYER)]
        assert told[-1] == b"\0\0\1"

    def test_without_a_known_structure_everything_is_sent(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, codec=Codec.AV1, extensions=DESCRIPTOR)
        view = View(stream, extensions=ids(0, 0, 0, 0, 0, 0, 0, 0, 7))
        want(view, spatial=0, temporal=0)
        values = [write_descriptor(3, 5), b"\xff" * 30, write_descriptor(3, 6)]
        sent = [
            stream.send(b"\x08" if n == 0 else b"\x00", extensions={5: value})
            for n, value in enumerate(values)
        ]
        assert view.payloads == [packet.payload for packet in sent]
        assert [packet.extensions[7] for packet in view.packets] == values

    def test_the_names_of_described_frames_go_on_over_a_pause(self, harness: PlaneHarness) -> None:
        stream = DescribedStream(harness)
        view = View(stream, extensions=ids(0, 0, 0, 0, 0, 0, 0, 0, 7))
        stream.pictures(2, key=True)
        view.pause()
        stream.pictures(5)
        view.pause(False)
        stream.pictures(2, key=True)
        numbers = frame_numbers(view.packets)
        assert numbers == [numbers[0] + n & 0xFFFF for n in range(8)]
        assert_no_gap(view.packets)
