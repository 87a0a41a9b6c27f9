"""Real encoded pictures that say which they are: the same scene in several sizes, by FFmpeg's encoders, with key frames
where a test wants them; and their RTP payloads, there and back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256

import av
import numpy as np
from av.video.frame import PictureType

from media.codecs import h264, vp8, vp9
from media.codecs.packetisation import split_evenly
from media.plane import Codec
from tests.helpers.scheduling import unchanged_scheduling

#: RTP timestamps from picture to picture, 30 a second.
STEP = 3000

#: Bits of a picture's number that it shows, as bright and dark bars.
BITS = 8

#: Small payloads, so that each picture takes several packets.
LIMIT = 150

_ENCODERS = {
    Codec.H264: ("libx264", {"preset": "ultrafast", "tune": "zerolatency", "forced-idr": "1", "crf": "30"}),
    Codec.VP8: (
        "libvpx",
        {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "auto-alt-ref": "0"},
    ),
    Codec.VP9: (
        "libvpx-vp9",
        {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "auto-alt-ref": "0"},
    ),
    Codec.AV1: ("libsvtav1", {"preset": "8", "crf": "10", "svtav1-params": "pred-struct=1"}),
}
_DECODERS = {Codec.H264: "h264", Codec.VP8: "vp8", Codec.VP9: "vp9", Codec.AV1: "libdav1d"}


@dataclass(frozen=True, slots=True)
class Picture:
    """One encoded picture: `pixels` is what a decoder that saw all before it makes of it."""

    data: bytes
    key: bool
    pixels: bytes
    temporal: int = 0
    synchronises: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """One decoded picture: the number that it shows, its width, and a digest of its pixels."""

    timestamp: int
    number: int
    width: int
    pixels: bytes


@unchanged_scheduling()
def encode(
    codec: Codec, width: int, height: int, count: int, keys: Collection[int], *, layered: bool = False
) -> list[Picture]:
    """Encode a scene of `count` pictures with key frames at these; VP8 `layered`: in three temporal layers."""
    name, options = _ENCODERS[codec]
    context = av.CodecContext.create(name, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base, context.framerate = Fraction(1, 30), Fraction(30)
    context.bit_rate, context.gop_size, context.max_b_frames = 300_000, 10_000, 0
    context.thread_count = 1
    context.options = options | (
        {"ts-parameters": "ts_layering_mode=3:ts_target_bitrate=100,200,300", "error-resilient": "default"}
        if layered
        else {}
    )
    if codec is Codec.AV1:
        context.bit_rate = 0
    coded: list[bytes] = []
    for number in range(count):
        frame = av.VideoFrame.from_ndarray(_scene(number, width, height), format="gray").reformat(
            format="yuv420p"
        )
        frame.pts = number
        frame.pict_type = PictureType.I if number in keys else PictureType.NONE
        coded += [bytes(packet) for packet in context.encode(frame)]
    coded += [bytes(packet) for packet in context.encode(None)]
    assert len(coded) == count, "One packet a picture."
    shown = decode(codec, [(number * STEP, data) for number, data in enumerate(coded)])
    assert [picture.number for picture in shown] == list(range(count)), "The bars can be read."
    layers = ((0, False), (2, True), (1, True), (2, False)) if layered else ((0, False),)
    return [
        Picture(data, number in keys, picture.pixels, *layers[number % len(layers)])
        for number, (data, picture) in enumerate(zip(coded, shown, strict=True))
    ]


def decode(codec: Codec, frames: Iterable[tuple[int, bytes]]) -> list[Shown]:
    """Decode pictures with their timestamps, in order; a broken one raises."""
    context = av.CodecContext.create(_DECODERS[codec], "r")
    assert isinstance(context, av.VideoCodecContext)
    context.thread_count = 1
    context.options = {"err_detect": "explode"} if codec is not Codec.AV1 else {"max_frame_delay": "1"}
    decoded: list[av.VideoFrame] = []
    for timestamp, data in frames:
        packet = av.Packet(data)
        packet.pts = timestamp
        decoded += context.decode(packet)
    decoded += context.decode(None)
    return [show(frame) for frame in decoded]


def _scene(number: int, width: int, height: int) -> np.ndarray:
    """Draw the number as bars in the upper half, and something that moves below."""
    picture = np.empty((height, width), np.uint8)
    bars = np.array([255 if number >> bit & 1 else 0 for bit in range(BITS)], np.uint8)
    picture[: height // 2] = bars[np.arange(width) * BITS // width]
    across = np.arange(width) * 256 // width + 5 * number
    down = np.arange(height // 2, height)[:, None] * 3
    picture[height // 2 :] = ((across + down) % 256).astype(np.uint8)
    return picture


def show(frame: av.VideoFrame) -> Shown:
    """Tell which picture a frame is, by the bars in it."""
    luma = frame.to_ndarray(format="gray")
    height, width = luma.shape
    middles = [(2 * bit + 1) * width // (2 * BITS) for bit in range(BITS)]
    bright = [luma[height // 8 : 3 * height // 8, middle - 2 : middle + 2].mean() > 128 for middle in middles]
    assert frame.pts is not None
    return Shown(
        frame.pts,
        sum(1 << bit for bit, on in enumerate(bright) if on),
        width,
        sha256(frame.to_ndarray(format="yuv420p").tobytes()).digest(),
    )


class Packetiser:
    """Make the payloads of one encoding's pictures."""

    def __init__(self, codec: Codec, picture: int, tl0: int) -> None:
        """Begin with these names."""
        self._codec = codec
        self._picture, self._tl0 = picture, tl0

    def payloads(self, picture: Picture) -> list[bytes]:
        """Cut one picture."""
        self._picture = self._picture + 1 & 0x7FFF
        self._tl0 = self._tl0 + (picture.temporal == 0) & 0xFF
        name = (self._picture | 0x8000).to_bytes(2, "big")
        if self._codec is Codec.H264:
            return h264.packetise(picture.data, LIMIT)
        if self._codec is Codec.AV1:
            return av1_payloads(picture.data, picture.key)
        pieces = split_evenly(picture.data, LIMIT)
        if self._codec is Codec.VP8:
            layer = bytes([self._tl0, picture.temporal << 6 | picture.synchronises << 5])
            return [
                bytes([0x90 if number == 0 else 0x80, 0xE0]) + name + layer + piece
                for number, piece in enumerate(pieces)
            ]
        last = len(pieces) - 1
        return [
            bytes([0x80 | (not picture.key) << 6 | (number == 0) << 3 | (number == last) << 2]) + name + piece
            for number, piece in enumerate(pieces)
        ]


def put_together(codec: Codec, payloads: Sequence[bytes]) -> bytes:
    """Make a picture of its payloads, in order."""
    if codec is Codec.H264:
        return b"".join(b"\0\0\0\1" + unit for unit in h264.depacketise(payloads))
    if codec is Codec.VP8:
        return vp8.depacketise(payloads)
    if codec is Codec.VP9:
        return vp9.depacketise(payloads)
    return av1_temporal_unit(payloads)


def _leb128(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])


def _read_leb128(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 56, 7):
        value |= (data[position] & 0x7F) << shift
        position += 1
        if not data[position - 1] & 0x80:
            break
    return value, position


def av1_payloads(unit: bytes, key: bool) -> list[bytes]:
    """Packetise a temporal unit (AV1 RTP, section 4.4): an OBU an element, each with its length (W 0)."""
    obus = []
    position = 0
    while position < len(unit):
        head = unit[position]
        extended = head >> 2 & 1
        assert head & 0x02, "The encoder says how long each OBU is."
        size, start = _read_leb128(unit, position + 1)
        position = start + size
        if head >> 3 & 0x0F != 2:  # the temporal delimiter is not sent
            assert not extended, "There are no layers."
            obus.append(bytes([head & ~0x02]) + unit[start:position])
    payloads: list[bytearray] = [bytearray([0x08 if key else 0])]
    for obu in obus:
        rest = obu
        while rest:
            room = LIMIT - len(payloads[-1]) - 2
            if room < 20:
                payloads.append(bytearray([0]))
                continue
            piece, rest = rest[:room], rest[room:]
            payloads[-1] += _leb128(len(piece)) + piece
            if rest:
                payloads[-1][0] |= 0x40  # Y: it goes on in the next packet
                payloads.append(bytearray([0x80]))
    return [bytes(payload) for payload in payloads]


def av1_temporal_unit(payloads: Sequence[bytes]) -> bytes:
    """Put a temporal unit together again, as a decoder takes it."""
    obus: list[bytearray] = []
    open_ended = False
    for payload in payloads:
        position, continues = 1, bool(payload[0] & 0x80)
        assert not payload[0] & 0x30
        assert continues == open_ended, "What begins is in the packet before."
        while position < len(payload):
            size, position = _read_leb128(payload, position)
            piece = payload[position : position + size]
            position += size
            if continues:
                obus[-1] += piece
            else:
                obus.append(bytearray(piece))
            continues = False
        open_ended = bool(payload[0] & 0x40)
    return b"\x12\0" + b"".join(
        bytes([obu[0] | 0x02]) + _leb128(len(obu) - 1) + bytes(obu[1:]) for obu in obus
    )
