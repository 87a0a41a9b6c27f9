"""Real encoded media for the recorder's tests, packetised and put through a Recording."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from media.codecs import h264, h265
from media.ids import ProducerId
from media.plane import Codec
from media.rtp.ntp import ntp_from_unix
from recorder.journal import JournalHeader
from recorder.recording import RecordedProducer, Recording
from recorder.seal.keys import DataKey
from recorder.sealing import JournalSealer, new_seal
from tests.helpers.scheduling import unchanged_scheduling

from .journals import STARTED, STARTED_NS, header, rtp, tap_record

FRAME_TICKS = 3000  # 30 fps
SOUND_TICKS = 960  # 20 ms
_LIMIT = 400  # small packets: frames of several packets even at this size

_ENCODERS = {
    Codec.H264: ("libx264", {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline"}),
    Codec.H265: ("libx265", {"preset": "ultrafast", "tune": "zerolatency", "x265-params": "log-level=none"}),
    Codec.VP8: ("libvpx", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}),
    Codec.VP9: ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}),
    Codec.AV1: ("libsvtav1", {"preset": "12", "svtav1-params": "pred-struct=1:rc=2"}),
}


@dataclass(frozen=True)
class Encoded:
    """One frame as the encoder gave it, and its place among the pictures shown."""

    data: bytes
    order: int


@functools.cache
@unchanged_scheduling()
def encode(
    codec: Codec,
    count: int = 20,
    key_every: int = 10,
    flash_at: int = -1,
    b_frames: int = 0,
    slices: int = 1,
    bit_rate: int = 500_000,
    noise: int = 60,
    size: tuple[int, int] = (320, 240),
) -> tuple[Encoded, ...]:
    """Encode moving noise of `size`; the picture `flash_at` is white, all others are dark."""
    width, height = size
    name, options = _ENCODERS[codec]
    context = av.CodecContext.create(name, "w")
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base = Fraction(1, 30)
    context.gop_size = key_every
    context.bit_rate = bit_rate
    if b_frames:
        context.options = {"preset": "ultrafast", "bf": str(b_frames), "b-adapt": "0", "forced-idr": "1"}
    else:
        context.options = options
    if slices > 1:
        context.options = options | {"x264-params": f"slices={slices}"}
    wide = np.random.default_rng(1).integers(0, noise, (height, width + count * 4, 3), np.uint8)
    encoded = []
    for number in range(count):
        picture = np.ascontiguousarray(wide[:, number * 4 : number * 4 + width])
        if number == flash_at:
            picture = np.full_like(picture, 255)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts = number
        encoded += context.encode(frame)
    encoded += context.encode(None)
    return tuple(Encoded(bytes(packet), int(packet.pts or 0)) for packet in encoded)


@functools.cache
def encode_sound(count: int = 50, beep_at: int = -1) -> tuple[bytes, ...]:
    """Encode `count` packets of Opus of 20 ms, silent but for a tone in the packet `beep_at`."""
    context = av.CodecContext.create("libopus", "w")
    context.sample_rate, context.layout, context.format = 48_000, "stereo", "s16"
    context.time_base = Fraction(1, 48_000)
    context.options = {"application": "lowdelay", "vbr": "off"}
    tone = (20_000 * np.sin(np.arange(960) * 2 * np.pi * 1000 / 48_000)).astype(np.int16)
    packets = []
    for number in range(count):
        samples = np.repeat(tone if number == beep_at else np.zeros(960, np.int16), 2).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
        frame.sample_rate, frame.pts = 48_000, number * 960
        packets += context.encode(frame)
    return tuple(bytes(packet) for packet in packets)[:count]


def payloads_of(codec: Codec, data: bytes) -> list[bytes]:
    """Make the RTP payloads of one frame."""
    match codec:
        case Codec.OPUS:
            return [data]
        case Codec.H264:
            return h264.packetise(data, _LIMIT)
        case Codec.H265:
            return h265.packetise(data, _LIMIT)
        case Codec.VP8:
            # the smallest descriptor (RFC 7741, section 4.2): S on the first
            return [bytes([0x10 if n == 0 else 0]) + piece for n, piece in enumerate(_pieces(data))]
        case Codec.VP9:
            # RFC 9628, section 4.2: P not on key frames, B on the first, E on the last
            pieces = _pieces(data)
            predicted = 0x40 if data[0] & 0x04 else 0
            return [
                bytes([predicted | (0x08 if n == 0 else 0) | (0x04 if n == len(pieces) - 1 else 0)]) + piece
                for n, piece in enumerate(pieces)
            ]
        case Codec.AV1:
            return _av1_payloads(data)


def _pieces(data: bytes) -> list[bytes]:
    return [data[start : start + _LIMIT] for start in range(0, len(data), _LIMIT)]


def _av1_payloads(data: bytes) -> list[bytes]:
    """One OBU element a packet or a part of it (W = 1), without size fields and temporal delimiters."""
    obus, position = [], 0
    while position < len(data):
        head, size, shift = data[position], 0, 0
        assert head & 0x06 == 0x02, "encoders write size fields and, here, no extension"
        position += 1
        while True:
            byte = data[position]
            position += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        if head >> 3 & 0x0F != 2:
            obus.append(bytes([head & ~0x02]) + data[position : position + size])
        position += size
    payloads: list[bytes] = []
    new_sequence = obus[0][0] >> 3 & 0x0F == 1
    for obu in obus:
        pieces = _pieces(obu)
        for n, piece in enumerate(pieces):
            aggregation = (0x80 if n else 0) | (0x40 if n < len(pieces) - 1 else 0) | 0x10
            aggregation |= 0x08 if new_sequence and not payloads else 0
            payloads.append(bytes([aggregation]) + piece)
    return payloads


@dataclass(frozen=True)
class Sent:
    """One packet on its way: `at` in seconds after the recording's start, numbers not yet wrapped."""

    producer: int
    at: float
    sequence: int
    timestamp: int
    payload: bytes
    marker: bool
    payload_type: int = 96

    def tap(self) -> bytes:
        """Build its tap record."""
        arrival = STARTED_NS + round(self.at * 1e9)
        packet = rtp(
            self.sequence, self.timestamp, self.payload, marker=self.marker, payload_type=self.payload_type
        )
        return tap_record(self.producer, arrival, 65536 + self.sequence, packet)


def video(
    producer: int,
    codec: Codec,
    frames: Sequence[Encoded],
    *,
    begin: float = 0.1,
    timestamp: int = 1_000_000,
    sequence: int = 100,
    times: Sequence[int] | None = None,
) -> list[Sent]:
    """Send frames at their times (ticks from the first; 30 fps if not given), in order, without loss."""
    sent = []
    for number, frame in enumerate(frames):
        ticks = times[frame.order] if times else frame.order * FRAME_TICKS
        at = begin + (times[number] if times else number * FRAME_TICKS) / 90_000
        payloads = payloads_of(codec, frame.data)
        for n, payload in enumerate(payloads):
            sent.append(Sent(producer, at, sequence, timestamp + ticks, payload, n == len(payloads) - 1))
            sequence += 1
    return sent


def sound(
    producer: int,
    packets: Sequence[bytes],
    *,
    begin: float = 0.1,
    timestamp: int = 7_000_000,
    sequence: int = 5000,
    ticks: Sequence[int] | None = None,
) -> list[Sent]:
    """Send packets of sound each 20 ms, or at the given ticks (their numbers go on without a gap)."""
    sent = []
    for number, payload in enumerate(packets):
        tick = ticks[number] if ticks else number * SOUND_TICKS
        sent.append(
            Sent(producer, begin + tick / 48_000, sequence + number, timestamp + tick, payload, False)
        )
    return sent


def camera(producer: int = 7, codec: Codec = Codec.H264, **changes: object) -> RecordedProducer:
    """Describe a producer: an operating field, or a microphone where the codec is Opus."""
    audio = codec is Codec.OPUS
    standard = RecordedProducer(
        ProducerId(producer),
        participant="pt-1",
        source="microphone" if audio else "field",
        codec=codec,
        label="Operating field",
        clock_rate=48_000 if audio else 90_000,
        payload_type=96,
    )
    return replace(standard, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Report:
    """A sender report: at `at` (seconds of the recording), `ntp` is the sender's own Unix time in seconds."""

    producer: int
    at: float
    ntp: float
    timestamp: int


def record(
    folder: Path,
    producers: Iterable[RecordedProducer],
    packets: Iterable[Sent],
    reports: Iterable[Report] = (),
    *,
    finish: bool = True,
    sealed_with: DataKey | None = None,
    named: JournalHeader | None = None,
) -> Path:
    """Put everything through a Recording, in the order given, and write its journal; returns the folder."""
    head = named or header()
    if sealed_with is not None:
        head = replace(head, seal=new_seal(sealed_with))
    recording = Recording(head, "Dr. Li Wei", STARTED)
    data = b""
    for producer in producers:
        recording.add_producer(producer, STARTED)
    now = 0.0
    for report in reports:
        recording.receive_sender_report(
            ProducerId(report.producer),
            ntp_from_unix(round(report.ntp * 1e9)),
            report.timestamp % (1 << 32),
            STARTED_NS + round(report.at * 1e9),
            STARTED + report.at,
        )
    for packet in packets:
        now = max(now, packet.at)
        recording.receive_tap(packet.tap(), STARTED + now)
        data += recording.bytes_to_write(STARTED + now)
    if finish:
        recording.stop("Dr. Li Wei", STARTED + now + 0.1)
    data += recording.bytes_to_write(STARTED + now + 1)
    if sealed_with is not None:
        data = JournalSealer(head, sealed_with)(data)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "journal.kjr").write_bytes(data)
    return folder
