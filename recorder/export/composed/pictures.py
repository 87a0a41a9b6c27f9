"""A camera's pictures, decoded one after another, asked for by position."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import av
import numpy as np
from av.video.reformatter import Colorspace, Interpolation
from numpy.typing import NDArray

from media.plane import Codec

from ..frames import Frame
from .footage import Footage

Pixels = NDArray[np.uint8]

_DECODERS = {
    Codec.H264: "h264",
    Codec.H265: "hevc",
    Codec.VP8: "vp8",
    Codec.VP9: "vp9",
    Codec.AV1: "libdav1d",
}
#: Of so many lines and more a stream that does not say so has the colours of BT.709.
_HIGH_DEFINITION = 720
#: A camera's first and last frame stand so long before and after it, as in a replay.
EDGE = 0.25
#: Nothing that people see has more; a stream that says so is not decoded.
_MOST_PIXELS = 8192 * 4608


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded frame and where it stands on the time line."""

    position: float
    frame: av.VideoFrame

    def fitted(self, width: int, height: int) -> Pixels:
        """Give it as RGB in this size, which has its shape."""
        frame = self.frame
        said = int(frame.colorspace)
        high = frame.height >= _HIGH_DEFINITION
        colours = said if said not in (0, 2) else int(Colorspace.ITU709 if high else Colorspace.ITU601)
        shrunk = frame.reformat(
            width,
            height,
            "rgb24",
            src_colorspace=colours,
            interpolation=Interpolation.AREA if width < frame.width else Interpolation.BICUBIC,
        )
        pixels: Pixels = shrunk.to_ndarray()
        return pixels


class Pictures:
    """Walks forwards through a camera; `at` is asked with rising positions."""

    def __init__(self, producer: int, footage: Footage, begin: float) -> None:
        self.producer = producer
        self.begin, self.end = footage.begin, footage.end
        self._footage = footage
        self._waiting: deque[Picture] = deque()
        self._decoded = self._decode(footage.frames_from(begin))
        self._now: Picture | None = None
        self._over = False

    def is_there(self, position: float) -> bool:
        """Tell whether it sends at a position."""
        return self.begin - EDGE <= position < self.end + EDGE

    def at(self, position: float) -> Picture | None:
        """Give the newest picture at or before a position; None: there is none yet."""
        while not self._over and (not self._waiting or self._waiting[-1].position <= position):
            picture = next(self._decoded, None)
            if picture is None:
                self._over = True
            else:
                self._waiting.append(picture)
            while len(self._waiting) > 1 and self._waiting[1].position <= position:
                self._waiting.popleft()
        while self._waiting and self._waiting[0].position <= position:
            self._now = self._waiting.popleft()
        return self._now

    def _decode(self, frames: Iterator[Frame]) -> Iterator[Picture]:
        for frame in decode(self._footage.codec, frames):
            yield Picture(self._footage.position(frame.pts or 0), frame)


def decode(codec: Codec, frames: Iterator[Frame]) -> Iterator[av.VideoFrame]:
    """Decode frames; a picture's `pts` is its frame's timestamp. What cannot be decoded is left out, as in a replay."""
    context = av.CodecContext.create(_DECODERS[codec], "r")
    assert isinstance(context, av.VideoCodecContext)
    context.thread_count = 1  # the live rooms need the others
    for frame in frames:
        packet = av.Packet(frame.data)
        packet.pts = frame.timestamp
        packet.dts = frame.decoding
        with contextlib.suppress(av.FFmpegError):
            yield from _sound(context.decode(packet))
    with contextlib.suppress(av.FFmpegError):
        yield from _sound(context.decode(None))


def _sound(pictures: list[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    for picture in pictures:
        if picture.pts is not None and picture.width * picture.height <= _MOST_PIXELS:
            yield picture
