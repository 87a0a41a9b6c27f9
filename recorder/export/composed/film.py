"""The kind `composed`: one MP4 of a recording, with its layout, the marks drawn in, and all sound mixed.

The film is made in pieces (`muxing`), so an errand that was killed goes on at the first one that is not there.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import islice
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from ..container import VIDEO_RATE
from ..kinds import ExportError
from ..muxing import Plan, drop_pieces, entry, piece_name, put_together
from ..options import Options
from ..shown import Timeline
from ..work import Work
from .footage import Reel, with_reel
from .images import Images
from .ink import Pixels
from .pictures import Pictures
from .scene import Scene, Seat

NAME = "film.mp4"

#: Seconds of the title card.
_TITLE = 3
#: x264's constant quality, where no bit rate is asked for: marks keep sharp edges.
_QUALITY = "21"
#: The encoder's threads; it gives other bytes with another number.
_THREADS = 2
#: Pictures by which a field's rate is told.
_LOOKED_AT = 60


def run(work: Work, options: Options) -> None:
    """Make the film. Raises ExportError where there is nothing to see."""
    timeline = Timeline(work.description)
    with_reel(work, timeline, lambda reel: _make(work, timeline, options, reel))


def _make(work: Work, timeline: Timeline, options: Options, reel: Reel) -> None:
    plan = _plan(reel, timeline, options)
    if not work.has(NAME):
        film = _Film(work, reel, timeline, options, plan)
        for number in range(plan.pieces):
            film.make(number)
        film.put_together()
    drop_pieces(work, plan)
    seconds = round(plan.frames / plan.rate, 3)
    size = (options.height * 16 // 9, options.height)
    facts = {"from": plan.begin, "to": plan.end, "seconds": seconds}
    work.add(NAME, "video/mp4", **facts, width=size[0], height=size[1])


def _plan(reel: Reel, timeline: Timeline, options: Options) -> Plan:
    end = timeline.seconds if options.end is None else min(options.end, timeline.seconds)
    if end - options.begin < 0.1:
        raise ExportError("In this range there is neither picture nor sound.", "nothing_in_range")
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
        if self._work.has(piece_name(number)):
            # the decoders begin anew behind it
            self._scene = None
            self._tell(frames.stop / self._plan.frames)
            return
        if self._scene is None:
            self._scene = self._open(self._plan.position(max(frames.start, self._plan.title)))
        encoder = _Encoder(self._options, self._plan.rate)
        with self._work.create(piece_name(number)) as file:
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
            raise ExportError("The recording has no such camera.", "no_such_camera")
        return Scene(self._work.description, self._timeline, seats, self._options, Images(self._work.images))

    # -- the film ------------------------------------------------------------------------------------------------

    def put_together(self) -> None:
        """Put the pieces behind each other, with the sound."""
        scene = self._scene or self._open(self._plan.end)
        put_together(
            self._work,
            NAME,
            self._plan,
            "h264",
            self._reel.sounds if self._options.sound else [],
            self._work.part(0.95, 1.0),
            self._chapters(scene),
            str(self._work.description.get("room") or ""),
        )

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
        return [entry(packet) for packet in self._context.encode(frame)]

    def flush(self) -> list[bytes]:
        """End the piece."""
        return [entry(packet) for packet in self._context.encode(None)]
