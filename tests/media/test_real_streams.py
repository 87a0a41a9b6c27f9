"""Streams of real encoders go through a plane that switches between them: every picture that a decoder then shows is
the one that its RTP timestamp names, and none is broken.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import cache

import pytest

from media.codecs import BY_CODEC
from media.ids import Ssrc
from media.native import NativePlane
from media.plane import Codec, EncodingSpec, Layer
from media.rtp.packet import RtpPacket
from tests.helpers.coded import STEP, Packetiser, Picture, Shown, decode, encode, put_together
from tests.helpers.rtp_harness import MemoryHarness, NativeHarness, PlaneHarness
from tests.helpers.rtp_stream import Stream, View

SIZES = ((128, 80), (192, 96), (256, 128))
COUNT = 40

#: The key frames of each encoding, and what is wanted from which picture on.
KEYS = ({0, 32}, {0, 10, 18}, {0, 6, 24})
WANTED = {3: 2, 14: 1, 20: 2, 28: 0}

#: Where each encoding is switched to: at its next key frame.
SENT = [0] * 6 + [2] * 12 + [1] * 6 + [2] * 8 + [0] * 8

PROFILE = "AEAD_AES_128_GCM"
CODECS = (Codec.H264, Codec.VP8, Codec.VP9, Codec.AV1)


@cache
def coded(codec: Codec, index: int) -> list[Picture]:
    return encode(codec, *SIZES[index], COUNT, KEYS[index])


@pytest.fixture(params=["reference", "native"])
def harness(request: pytest.FixtureRequest) -> Iterator[PlaneHarness]:
    made: PlaneHarness = (
        MemoryHarness(PROFILE) if request.param == "reference" else NativeHarness(NativePlane(), PROFILE)
    )
    yield made
    made.close()


class RealSimulcast(Stream):
    """A publisher whose encodings are real streams, each with timestamps and numbers of its own."""

    def __init__(self, harness: PlaneHarness, codec: Codec, count: int = len(SIZES)) -> None:
        number = next(harness.numbers)
        self.ssrcs = [Ssrc(70_000 + 10 * number + index) for index in range(count)]
        given = tuple(EncodingSpec(ssrc) for ssrc in self.ssrcs)
        super().__init__(harness, codec=codec, encodings=given, rtx_payload_type=0)
        self.offsets = [(977_777_777 * index) & 0xFFFFFFFF for index in range(count)]
        self.sequences = [65_000 + 200 * index & 0xFFFF for index in range(count)]
        self.packetisers = [Packetiser(codec, 32_750 + 7 * index, 250 + index) for index in range(count)]
        for index, offset in enumerate(self.offsets):
            harness.plane.set_timestamp_offset(self.spec.producer, index, offset)
        harness.settle()

    def packets(self, index: int, number: int, picture: Picture) -> list[RtpPacket]:
        """Make the packets of a picture in one encoding."""
        payloads = self.packetisers[index].payloads(picture)
        made = []
        for part, payload in enumerate(payloads):
            made.append(
                RtpPacket(
                    96,
                    self.sequences[index],
                    number * STEP - self.offsets[index] & 0xFFFFFFFF,
                    self.ssrcs[index],
                    marker=part == len(payloads) - 1,
                    payload=payload,
                )
            )
            self.sequences[index] = self.sequences[index] + 1 & 0xFFFF
        return made


def received(view: View, codec: Codec) -> list[Shown]:
    """Put together and decode what came, as a receiver does; the sequence numbers must not have a gap."""
    packets = view.packets
    packets = sorted(packets, key=lambda packet: packet.sequence_number)
    numbers = [packet.sequence_number for packet in packets]
    assert numbers == list(range(numbers[0], numbers[0] + len(packets)))
    frames: list[tuple[int, list[bytes]]] = []
    whole: list[tuple[int, list[bytes]]] = []
    ended = True
    for packet in packets:
        if not packet.payload:
            continue
        # what has no end gave way to a key frame of another encoding: a receiver leaves it out
        if ended or packet.timestamp != frames[-1][0]:
            assert ended or BY_CODEC[codec].starts_key_frame(packet.payload)
            frames.append((packet.timestamp, []))
        frames[-1][1].append(packet.payload)
        ended = packet.marker
        if ended:
            whole.append(frames[-1])
    timestamps = [timestamp for timestamp, _ in frames]
    assert timestamps == sorted(set(timestamps))
    return decode(codec, [(timestamp, put_together(codec, payloads)) for timestamp, payloads in whole])


def assert_whole(shown: list[Shown], pictures: Callable[[int, int], Picture]) -> None:
    """See that each picture is the one that its timestamp names, and not a pixel of it is wrong."""
    for picture in shown:
        assert picture.number * STEP == picture.timestamp
        assert picture.pixels == pictures(picture.width, picture.number).pixels


def by_width(codec: Codec) -> Callable[[int, int], Picture]:
    widths = {width: index for index, (width, _) in enumerate(SIZES)}
    return lambda width, number: coded(codec, widths[width])[number]


@pytest.mark.parametrize("codec", CODECS)
def test_every_picture_is_the_one_that_its_timestamp_names(harness: PlaneHarness, codec: Codec) -> None:
    stream = RealSimulcast(harness, codec)
    view = View(stream)
    for number in range(COUNT):
        if number in WANTED:
            harness.plane.set_layer(view.spec.consumer, Layer(WANTED[number]))
            harness.settle()
        # who has a key frame comes first here, so that no slow machine misses it
        for index in sorted(range(3), key=lambda index: number not in KEYS[index]):
            for packet in stream.packets(index, number, coded(codec, index)[number]):
                stream.peer.send_rtp(packet)
        harness.settle()
    harness.until(lambda: view.packets[-1].marker and view.packets[-1].timestamp == (COUNT - 1) * STEP)
    shown = received(view, codec)
    assert_whole(shown, by_width(codec))
    assert [SIZES[index][0] for index in SENT] == [picture.width for picture in shown]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("codec", CODECS)
def test_what_a_bad_line_brings_late_and_mixed_up_is_whole_too(codec: Codec, seed: int) -> None:
    harness = MemoryHarness(PROFILE)
    rng = random.Random(seed)
    stream = RealSimulcast(harness, codec)
    view = View(stream)
    under_way: list[tuple[float, int, RtpPacket]] = []
    count = 0
    for number in range(COUNT):
        for index in range(3):
            # the better ones come later; some are lost and come again, some overtake
            for packet in stream.packets(index, number, coded(codec, index)[number]):
                late = rng.uniform(0.3, 4) if rng.random() < 0.08 else 0
                under_way.append((number + index / 4 + late, count, packet))
                count += 1
    started = harness.now
    wanted = dict(WANTED)
    for at, _, packet in sorted(under_way):
        if wanted and at >= min(wanted):
            harness.plane.set_layer(view.spec.consumer, Layer(wanted.pop(min(wanted))))
        while harness.now < started + int(at * 33_333_333):
            harness.advance(1)
        stream.peer.send_rtp(packet)
        harness.settle()
    harness.advance(500)
    shown = received(view, codec)
    assert_whole(shown, by_width(codec))
    # nothing is missing but what went when the next encoding began
    assert len(shown) >= COUNT - 2 * len(WANTED)
    assert len({picture.width for picture in shown}) > 1


def test_real_temporal_layers_of_vp8_go_and_come(harness: PlaneHarness) -> None:
    pictures = encode(Codec.VP8, *SIZES[1], COUNT, {0}, layered=True)
    stream = RealSimulcast(harness, Codec.VP8, 1)
    view = View(stream)
    wanted = {5: 0, 14: 1, 21: 3, 30: 1}
    for number, picture in enumerate(pictures):
        if number in wanted:
            harness.plane.set_layer(view.spec.consumer, Layer(0, 3, wanted[number]))
            harness.settle()
        for packet in stream.packets(0, number, picture):
            stream.peer.send_rtp(packet)
        harness.settle()
    shown = received(view, Codec.VP8)
    assert_whole(shown, lambda _, number: pictures[number])
    expected = [
        *range(5),
        *(8, 12),  # the base layer alone
        *(14, 16, 18, 20),  # the second begins where it needs only that
        *range(21, 30),
        *range(30, COUNT, 2),
    ]
    assert [picture.number for picture in shown] == expected
