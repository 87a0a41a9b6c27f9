"""Marks are followed in a low layer where there is one; it may come and go, and they stay what they were."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from typing import Any

import av
import numpy as np
import pytest

from loadtests.tracking.scenes import HEIGHT, RATE, WIDTH
from media.codecs import h264
from media.ids import Mid, ProducerId, Ssrc, TransportId
from media.plane import Codec, low_tap
from media.producer import Producer
from media.rtp.packet import RtpPacket
from media.sdp import OfferedTrack
from server.watching import wire
from server.watching.field import Field
from server.watching.low import LowLayer, low_encoding
from server.watching.pictures import Stream
from server.watching.worker import Worker
from tests.helpers.journals import tap_record
from tests.helpers.scheduling import unchanged_scheduling
from tests.helpers.tracked_clip import moved, tracked_clip

TICKS = 90_000 // RATE
#: When the first frame arrived, ns.
BEGIN = 1_000_000_000_000
PERIOD = 1_000_000_000 // RATE
STREAM = Stream(Codec.H264, 96, "", 90_000)
#: Frames of the clip that are used, and between two key frames.
FRAMES = 74
GROUP = 30
#: The first one that comes from the low layer, which has flowed for two seconds then.
FIRST = 61


@cache
@unchanged_scheduling()
def encoded(width: int) -> list[bytes]:
    """Encode the clip's beginning at a width, each frame as tap records."""
    height = width * HEIGHT // WIDTH
    encoder: Any = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate, encoder.gop_size = Fraction(1, RATE), Fraction(RATE), GROUP
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "crf": "23", "sc_threshold": "0"}
    units = []
    with av.open(str(tracked_clip())) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number == FRAMES:
                break
            smaller = frame.reformat(width, height, "yuv420p")
            smaller.pts, smaller.pict_type = number, 0
            units.append(b"".join(bytes(packet) for packet in encoder.encode(smaller)))
    producer = ProducerId(7) if width == WIDTH else low_tap(ProducerId(7))
    sequence, records = 0, []
    for number, unit in enumerate(units):
        payloads = h264.packetise(unit, 1100)
        packets = []
        for index, payload in enumerate(payloads):
            sequence += 1
            packet = RtpPacket(
                payload_type=96, sequence_number=sequence & 0xFFFF, timestamp=number * TICKS, ssrc=Ssrc(5),
                marker=index == len(payloads) - 1, payload=payload,
            )  # fmt: skip
            packets.append(tap_record(producer, BEGIN + number * PERIOD, sequence, bytes(packet)))
        records.append(b"".join(packets))
    return records


@pytest.mark.parametrize(
    ("heights", "chosen"),
    [
        ((), None),
        ((1080,), None),
        ((180, 360, 720), 1),
        ((540, 1080, 2160), 0),
        ((270, 540, 1080), 1),
        ((180, 720), None),
        # the best itself is small
        ((90, 180, 360), None),
    ],
)
def test_the_layer_that_is_followed(heights: tuple[int, ...], chosen: int | None) -> None:
    assert low_encoding(heights) == chosen


class Told:
    """Takes a worker's messages."""

    def __init__(self) -> None:
        self.messages: list[tuple[bytes, bytes]] = []

    def send(self, message: bytes, *, dispensable: bool = False) -> bool:
        self.messages += wire.Messages().receive(message)
        return True

    def take(self) -> Iterator[tuple[bytes, bytes]]:
        """Give what came since."""
        messages, self.messages = self.messages, []
        yield from messages


def test_the_low_layer_is_followed_while_it_flows() -> None:
    track = OfferedTrack(Mid("0"), "video", Codec.H264, 90_000, 96, "")
    told, producer = Told(), Producer(ProducerId(7), TransportId(1), track)
    field = Field(
        producer, tracks=True, decide=lambda _: None, vouch=lambda *_: None, known=lambda _: None, ended=lambda _: None
    )  # fmt: skip
    field.low = LowLayer(field.producer, Codec.H264, field.receive_low)
    field.follower = told  # type: ignore[assignment]
    field.linger = float("inf")
    best, low = encoded(WIDTH), encoded(WIDTH // 2)

    def pass_by(number: int, *, flows: bool) -> list[tuple[bytes, bytes]]:
        now = BEGIN / 1e9 + number / RATE
        field.receive_tap(best[number], now)
        if flows:
            assert field.low is not None
            field.low.receive_tap(low[number], now)
        field.pump(now)
        return list(told.take())

    # at first it must prove itself
    for number in range(FIRST):
        assert pass_by(number, flows=True) == [(wire.PACKETS, best[number])]
    assert field.kept == sum(map(len, best[:FIRST])) + sum(map(len, low[:FIRST]))
    # then the same frames are taken from it, from its key frame on
    beside, (stream, _), group = pass_by(FIRST, flows=True)
    assert (beside, stream) == ((wire.PACKETS, best[FIRST]), wire.STREAM)
    assert group == (wire.PACKETS, b"".join(low[2 * GROUP : FIRST + 1]))
    assert pass_by(FIRST + 1, flows=True) == [(wire.PACKETS, low[FIRST + 1])]
    # it rests: after 200 ms the best is gone on with
    for number in range(FIRST + 2, FIRST + 8):
        assert pass_by(number, flows=False) == []
    (stream, _), group = pass_by(FIRST + 8, flows=False)
    assert (stream, group) == (wire.STREAM, (wire.PACKETS, b"".join(best[2 * GROUP : FIRST + 9])))
    assert pass_by(FIRST + 9, flows=False) == [(wire.PACKETS, best[FIRST + 9])]


def test_marks_stay_what_they_were_when_the_layer_changes() -> None:
    target = io.BytesIO()
    worker = Worker(STREAM, target)
    points = [[0.40, 0.55], [0.46, 0.55], [0.46, 0.66], [0.40, 0.66]]
    marks = [{"mark": "m-1", "rtp_timestamp": 3 * TICKS, "points": points, "follow": True, "place": 1}]
    worker.receive(wire.MARKS, json.dumps({"marks": marks, "gone": []}).encode())
    told: list[tuple[int, dict[str, Any]]] = []

    def pass_by(number: int, records: bytes) -> None:
        worker.receive(wire.PACKETS, records)
        while worker.busy:
            worker.work((BEGIN + number * PERIOD) / 1e9 + 0.01)
        for kind, payload in wire.Messages().receive(target.getvalue()):
            if kind == wire.TRACKS:
                body = json.loads(payload)
                told.extend((body["rtp_timestamp"] // TICKS, track) for track in body["tracks"])
        target.seek(0)
        target.truncate()

    best, low = encoded(WIDTH), encoded(WIDTH // 2)
    for number in range(40):
        pass_by(number, low[number])
    worker.receive(wire.STREAM, json.dumps(wire.describe(STREAM)).encode())
    pass_by(40, b"".join(best[GROUP:41]))
    for number in range(41, 50):
        pass_by(number, best[number])
    worker.receive(wire.STREAM, json.dumps(wire.describe(STREAM)).encode())
    pass_by(50, b"".join(low[GROUP:51]))
    for number in range(51, FRAMES):
        pass_by(number, low[number])
    assert [number for number, _ in told] == sorted(number for number, _ in told)
    assert {track["state"] for _, track in told} == {"good"}
    assert max(number for number, _ in told) > 60
    middle = np.array([0.43 * WIDTH / HEIGHT, 0.605])
    for number, track in told:
        a, b, c, d, e, f = track["matrix"]
        there = np.array([a * middle[0] + c * middle[1] + e, b * middle[0] + d * middle[1] + f])
        assert np.linalg.norm(there - middle - moved(3, number)) < 0.01, (number, track)
