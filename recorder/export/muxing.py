"""Films that are encoded in pieces: a piece's file, and the pieces put behind each other with the sound.

Each piece of ten seconds has an encoder of its own and is sealed as it is whole. At the end they are put into one MP4
without being encoded again. So an errand that was killed goes on at the first piece that is not there, and its film has
the same bytes as one that was made in one go.
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from heapq import merge
from itertools import count
from typing import Any

import av
import numpy as np
from av.packet import Packet
from av.stream import Stream

from .composed.footage import Footage
from .composed.mixing import FRAME, RATE, mixed
from .work import Work

#: Seconds of a piece.
PIECE = 10.0
#: Of a piece's file, in the order of decoding: time of showing (in frames of the piece), key frame, length; then the
#: bytes. The time of decoding follows from that order: what x265 gives of a piece of few frames is no time at all.
_PACKET = struct.Struct("!iBI")
#: Frames that are decoded before one that is shown before them: both encoders' pyramid of B frames has no more.
_REORDERED = 2
#: Each frame's length is a whole number of these.
_UNITS = 512
_AUDIO_RATE = 160_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be made. `title` are the frames of the title card, which come before the first moment."""

    begin: float
    end: float
    rate: int
    title: int = 0

    @property
    def frames(self) -> int:
        """How many frames the film has."""
        return self.title + max(1, math.ceil((self.end - self.begin) * self.rate - 1e-6))

    @property
    def long(self) -> int:
        """How many frames a piece has, but for the last one."""
        return round(PIECE * self.rate)

    @property
    def pieces(self) -> int:
        """How many pieces it is made of."""
        return -(-self.frames // self.long)

    def position(self, frame: int) -> float:
        """Tell the moment that a frame shows; a picture counts from half a frame before."""
        return self.begin + (frame - self.title + 0.5) / self.rate

    def piece(self, number: int) -> range:
        """List the frames of a piece."""
        return range(number * self.long, min((number + 1) * self.long, self.frames))


def piece_name(number: int) -> str:
    """Name a piece's file."""
    return f"piece-{number:05}"


def entry(packet: Packet[Any]) -> bytes:
    """Write an encoded frame as it stands in a piece's file."""
    data = bytes(packet)
    return _PACKET.pack(packet.pts or 0, packet.is_keyframe, len(data)) + data


def entries(file: io.RawIOBase) -> Iterator[tuple[int, int, bool, bytes]]:
    """Read a piece's file: time of showing, time of decoding, key frame, bytes."""
    with io.BufferedReader(file) as reader:
        for number in count():
            if not (head := reader.read(_PACKET.size)):
                return
            shown, key, length = _PACKET.unpack(head)
            decoded = number - _REORDERED
            assert decoded <= shown
            yield shown, decoded, bool(key), reader.read(length)


def put_together(
    work: Work,
    name: str,
    plan: Plan,
    form: str,
    sounds: Sequence[Footage],
    tell: Callable[[float], None],
    chapters: Sequence[dict[str, Any]] = (),
    title: str = "",
) -> None:
    """Write the MP4 of a plan's pieces; `form` is FFmpeg's name of their stream (h264, hevc)."""
    with (
        work.create(name) as file,
        av.open(file, "w", format="mp4", container_options={"fflags": "+bitexact"}) as output,
    ):
        if chapters:
            output.set_chapters(list(chapters))
        if title:
            output.metadata["title"] = title
        streams = [_video(work, output, plan, form, tell)]
        if sounds:
            streams.append(_sound(output, plan, sounds))
        for _, packet in merge(*streams, key=lambda item: item[0]):
            output.mux(packet)


def drop_pieces(work: Work, plan: Plan) -> None:
    """Remove the pieces once the film is whole."""
    for number in range(plan.pieces):
        work.drop(piece_name(number))


def _video(
    work: Work,
    output: av.container.OutputContainer,
    plan: Plan,
    form: str,
    tell: Callable[[float], None],
) -> Iterator[tuple[float, Packet[Stream]]]:
    with work.open(piece_name(0)) as file:
        first = next(entries(file))[3]
    with av.open(io.BytesIO(first), format=form) as template:
        stream: Stream = output.add_stream_from_template(template.streams[0], opaque=True)
    rate = plan.rate
    unit = Fraction(1, rate * _UNITS)
    stream.time_base = unit

    def packets() -> Iterator[tuple[float, Packet[Stream]]]:
        for number in range(plan.pieces):
            start = plan.piece(number).start
            with work.open(piece_name(number)) as file:
                for shown, decoded, key, data in entries(file):
                    packet = Packet(data)
                    packet.stream, packet.time_base = stream, unit
                    packet.pts, packet.dts = (start + shown) * _UNITS, (start + decoded) * _UNITS
                    packet.duration = _UNITS
                    packet.is_keyframe = key
                    yield (start + decoded) / rate, packet
            tell((number + 1) / plan.pieces)

    return packets()


def _sound(
    output: av.container.OutputContainer, plan: Plan, sounds: Sequence[Footage]
) -> Iterator[tuple[float, Packet[Stream]]]:
    stream = output.add_stream("aac", rate=RATE)
    assert isinstance(stream, av.AudioStream)
    stream.layout, stream.bit_rate = "stereo", _AUDIO_RATE
    stream.codec_context.flags |= av.codec.context.Flags.bitexact
    silent = round(plan.title / plan.rate * RATE)

    def packets() -> Iterator[tuple[float, Packet[Stream]]]:
        # the sound begins where the title card ends, to the sample
        for number, block in enumerate(mixed(sounds, plan.begin - silent / RATE, plan.end, plan.begin)):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = RATE, number * FRAME, Fraction(1, RATE)
            for packet in stream.encode(frame):
                yield float((packet.dts or 0) * (packet.time_base or 0)), packet
        for packet in stream.encode(None):
            yield float((packet.dts or 0) * (packet.time_base or 0)), packet

    return packets()
