"""The kind `composed`: one MP4 of a recording, with its layout, the marks drawn in, and all sound mixed.

The film is made in pieces of ten seconds, each with an encoder of its own and sealed as it is whole; at the end they
are put behind each other with the sound, without being encoded again. So an errand that was killed goes on at the first
piece that is not there, and its film has the same bytes as one that was made in one go.
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from heapq import merge
from itertools import islice
from typing import Any

import av
import numpy as np
from av.packet import Packet
from av.stream import Stream
from av.video.reformatter import ColorRange, Colorspace

from ...journal import JournalError
from ...seal.suites import SealError
from ...segments.index import SegmentError
from ..container import VIDEO_RATE
from ..kinds import ExportError
from ..options import Options
from ..shown import Timeline
from ..work import Work
from .footage import Reel, indexed_reel, walked_reel
from .images import Images
from .ink import Pixels
from .mixing import FRAME, RATE, mixed
from .pictures import Pictures
from .scene import Scene, Seat

NAME = "film.mp4"

#: Seconds of a piece, and of the title card.
_PIECE, _TITLE = 10.0, 3
#: Of a piece's file: time of showing, time of decoding (in frames of the piece), key frame, length; then the bytes.
_PACKET = struct.Struct("!iiBI")
#: x264's constant quality, where no bit rate is asked for: marks keep sharp edges.
_QUALITY = "21"
#: The encoder's threads; it gives other bytes with another number.
_THREADS = 2
#: Pictures by which a field's rate is told.
_LOOKED_AT = 60
_AUDIO_RATE = 160_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be made. `title` are the frames of the title card, which come before the first moment."""

    begin: float
    end: float
    rate: int
    title: int

    @property
    def frames(self) -> int:
        """How many frames the film has."""
        return self.title + max(1, math.ceil((self.end - self.begin) * self.rate - 1e-6))

    @property
    def long(self) -> int:
        """How many frames a piece has, but for the last one."""
        return round(_PIECE * self.rate)

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


def run(work: Work, options: Options) -> None:
    """Make the film. Raises ExportError where there is nothing to see."""
    timeline = Timeline(work.description)
    with ExitStack() as opened:
        try:
            reel = indexed_reel(work, opened)
            if reel is not None:
                _make(work, timeline, options, reel)
                return
        except (SegmentError, SealError, JournalError):
            # something is damaged: who goes through the journal passes over it; pieces that are whole stay
            pass
        _make(work, timeline, options, walked_reel(work, timeline, opened, work.part(0.0, 0.05)))


def _make(work: Work, timeline: Timeline, options: Options, reel: Reel) -> None:
    plan = _plan(reel, timeline, options)
    if not work.has(NAME):
        film = _Film(work, reel, timeline, options, plan)
        for number in range(plan.pieces):
            film.make(number)
        film.put_together()
    for number in range(plan.pieces):
        work.drop(_piece(number))
    seconds = round(plan.frames / plan.rate, 3)
    size = (options.height * 16 // 9, options.height)
    facts = {"from": plan.begin, "to": plan.end, "seconds": seconds}
    work.add(NAME, "video/mp4", **facts, width=size[0], height=size[1])


def _plan(reel: Reel, timeline: Timeline, options: Options) -> Plan:
    end = timeline.seconds if options.end is None else min(options.end, timeline.seconds)
    if end - options.begin < 0.1:
        raise ExportError("In this range there is neither picture nor sound.")
    rate = options.rate or _usual_rate(reel, timeline)
    return Plan(options.begin, end, rate, _TITLE * rate if options.title else 0)


def _usual_rate(reel: Reel, timeline: Timeline) -> int:
    """Choose 25 frames a second where the field has 25 or 50, else 30."""
    for producer, footage in reel.pictures.items():
        camera = timeline.cameras.get(producer)
        if camera is None or camera.source != "field":
            continue
        first = islice(footage.frames_from(footage.begin), _LOOKED_AT)
        steps = np.diff(np.unique([frame.timestamp for frame in first]))
        if len(steps) and abs(VIDEO_RATE / float(np.median(steps)) % 25) < 0.5:
            return 25
    return 30


def _piece(number: int) -> str:
    return f"piece-{number:05}"


class _Film:
    def __init__(self, work: Work, reel: Reel, timeline: Timeline, options: Options, plan: Plan) -> None:
        self._work, self._reel, self._timeline = work, reel, timeline
        self._options, self._plan = options, plan
        self._scene: Scene | None = None
        self._tell = work.part(0.05, 0.95)

    # -- pieces --------------------------------------------------------------------------------------------------

    def make(self, number: int) -> None:
        """Make a piece unless it is there."""
        frames = self._plan.piece(number)
        if self._work.has(_piece(number)):
            # the decoders begin anew behind it
            self._scene = None
            self._tell(frames.stop / self._plan.frames)
            return
        if self._scene is None:
            self._scene = self._open(self._plan.position(max(frames.start, self._plan.title)))
        encoder = _Encoder(self._options, self._plan.rate)
        with self._work.create(_piece(number)) as file:
            for at in frames:
                for packet in encoder.encode(self._draw(self._scene, at), at - frames.start):
                    file.write(packet)
                self._tell(at / self._plan.frames)
            for packet in encoder.flush():
                file.write(packet)

    def _draw(self, scene: Scene, frame: int) -> Pixels:
        if frame < self._plan.title:
            return scene.title()
        return scene.draw(self._plan.position(frame))

    def _open(self, position: float) -> Scene:
        """Seat the cameras, each from the last key frame before a position on."""
        wanted = self._options.producers
        seats = []
        for producer, footage in self._reel.pictures.items():
            camera = self._timeline.cameras.get(producer)
            if camera is not None and (not wanted or producer in wanted):
                pictures = Pictures(producer, footage, position)
                seats.append(Seat(pictures, camera.source, camera.participant))
        if wanted and not seats:
            raise ExportError("The recording has no such camera.")
        return Scene(self._work.description, self._timeline, seats, self._options, Images(self._work.images))

    # -- the film ------------------------------------------------------------------------------------------------

    def put_together(self) -> None:
        """Put the pieces behind each other, with the sound."""
        scene = self._scene or self._open(self._plan.end)
        tell = self._work.part(0.95, 1.0)
        with self._work.create(NAME) as file:
            options = {"fflags": "+bitexact"}
            with av.open(file, "w", format="mp4", container_options=options) as output:
                output.set_chapters(self._chapters(scene))
                output.metadata["title"] = str(self._work.description.get("room") or "")
                streams = [self._video(output, tell)]
                if self._options.sound and self._reel.sounds:
                    streams.append(self._sound(output))
                for _, packet in merge(*streams, key=lambda item: item[0]):
                    output.mux(packet)

    def _video(
        self, output: av.container.OutputContainer, tell: Callable[[float], None]
    ) -> Iterator[tuple[float, Packet[Stream]]]:
        with self._work.open(_piece(0)) as file:
            first = next(_packets(file))[3]
        with av.open(io.BytesIO(first), format="h264") as template:
            stream: Stream = output.add_stream_from_template(template.streams[0], opaque=True)
        rate = self._plan.rate
        # each frame's length is a whole number of these
        unit = Fraction(1, rate * 512)
        stream.time_base = unit

        def packets() -> Iterator[tuple[float, Packet[Stream]]]:
            for number in range(self._plan.pieces):
                start = self._plan.piece(number).start
                with self._work.open(_piece(number)) as file:
                    for shown, decoded, key, data in _packets(file):
                        packet = Packet(data)
                        packet.stream, packet.time_base = stream, unit
                        packet.pts, packet.dts = (start + shown) * 512, (start + decoded) * 512
                        packet.duration = 512
                        packet.is_keyframe = key
                        yield (start + decoded) / rate, packet
                tell((number + 1) / self._plan.pieces)

        return packets()

    def _sound(self, output: av.container.OutputContainer) -> Iterator[tuple[float, Packet[Stream]]]:
        stream = output.add_stream("aac", rate=RATE)
        assert isinstance(stream, av.AudioStream)
        stream.layout, stream.bit_rate = "stereo", _AUDIO_RATE
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        plan = self._plan
        silent = round(plan.title / plan.rate * RATE)

        def blocks() -> Iterator[Any]:
            # the sound begins where the title card ends, to the sample
            yield from mixed(self._reel.sounds, plan.begin - silent / RATE, plan.end, plan.begin)

        def packets() -> Iterator[tuple[float, Packet[Stream]]]:
            for number, block in enumerate(blocks()):
                frame = av.AudioFrame.from_ndarray(
                    np.ascontiguousarray(block), format="fltp", layout="stereo"
                )
                frame.sample_rate, frame.pts, frame.time_base = RATE, number * FRAME, Fraction(1, RATE)
                for packet in stream.encode(frame):
                    yield float((packet.dts or 0) * (packet.time_base or 0)), packet
            for packet in stream.encode(None):
                yield float((packet.dts or 0) * (packet.time_base or 0)), packet

        return packets()

    def _chapters(self, scene: Scene) -> list[Any]:
        before = self._plan.title / self._plan.rate
        return [
            {
                "id": number,
                "start": round((cue.begin - self._plan.begin + (before if number > 1 else 0.0)) * 1000),
                "end": round((cue.end - self._plan.begin + before) * 1000),
                "time_base": Fraction(1, 1000),
                "metadata": {"title": cue.text},
            }
            for number, cue in enumerate(scene.chapters, 1)
        ]


class _Encoder:
    """One piece's encoder."""

    def __init__(self, options: Options, rate: int) -> None:
        context = av.CodecContext.create("libx264", "w")
        assert isinstance(context, av.VideoCodecContext)
        context.width, context.height = options.height * 16 // 9, options.height
        context.pix_fmt = "yuv420p"
        context.framerate, context.time_base = Fraction(rate), Fraction(1, rate)
        context.thread_count = _THREADS
        context.gop_size = 2 * rate
        # what a player is to make of the colours: BT.709, as in high definition
        context.colorspace, context.color_range = int(Colorspace.ITU709), int(ColorRange.MPEG)
        context.color_primaries = context.color_trc = 1
        if options.kbit:
            kbit = str(options.kbit)
            context.bit_rate = options.kbit * 1000
            context.options = {"preset": "veryfast", "maxrate": f"{kbit}k", "bufsize": f"{2 * options.kbit}k"}
        else:
            context.options = {"preset": "veryfast", "crf": _QUALITY}
        self._context = context

    def encode(self, picture: Pixels, number: int) -> list[bytes]:
        """Take a frame; gives what is whole of the piece's file."""
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
            format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
        )
        frame.pts, frame.time_base = number, Fraction(1, self._context.framerate)
        return [_entry(packet) for packet in self._context.encode(frame)]

    def flush(self) -> list[bytes]:
        """End the piece."""
        return [_entry(packet) for packet in self._context.encode(None)]


def _entry(packet: Packet[Any]) -> bytes:
    data = bytes(packet)
    return _PACKET.pack(packet.pts or 0, packet.dts or 0, packet.is_keyframe, len(data)) + data


def _packets(file: io.RawIOBase) -> Iterator[tuple[int, int, bool, bytes]]:
    with io.BufferedReader(file) as reader:
        while head := reader.read(_PACKET.size):
            shown, decoded, key, length = _PACKET.unpack(head)
            yield shown, decoded, bool(key), reader.read(length)
