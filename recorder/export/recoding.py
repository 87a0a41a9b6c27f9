"""One camera's film encoded anew, in a size, rate and form that was chosen, with rectangles blackened.

WebRTC's pictures come at no even pace, in Constrained Baseline, VP8 or another form. Here each moment of an even clock
shows the newest picture, as a composed film does. The picture is fitted into the frame, and never cut. Before the
first picture, and where none can be decoded, the frame is black; in a hole the last one stands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from typing import Literal

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from numpy.typing import NDArray

from .composed.footage import Footage
from .composed.pictures import Picture, Pictures
from .container import VIDEO_RATE
from .masks import Mask
from .muxing import Plan, entry, piece_name
from .options import RATES
from .work import Work

Planes = NDArray[np.uint8]
Form = Literal["h264", "hevc"]

_ENCODERS: dict[Form, str] = {"h264": "libx264", "hevc": "libx265"}
#: The encoder's threads; it gives other bytes with another number.
_THREADS = 2
#: Pictures by which a camera's rate is told.
_LOOKED_AT = 90
#: Black of a picture with BT.709's limited range: luma, and both colours.
_BLACK, _GREY = 16, 128
#: Of so many lines and more a stream that does not say so has the colours of BT.709.
HIGH_DEFINITION = 720


@dataclass(frozen=True, slots=True)
class Target:
    """What a film becomes. `kbit`: at most so many; `quality` is the encoder's constant rate factor."""

    width: int
    height: int
    rate: int
    form: Form = "h264"
    profile: str = "high"
    level: str = "4.1"
    kbit: int = 50_000
    quality: int = 20
    masks: Sequence[Mask] = field(default=())

    def options(self) -> dict[str, str]:
        """Give the encoder's settings: its profile and level are kept to, with the buffer that they allow."""
        if self.form == "h264":
            return {
                "preset": "veryfast",
                "crf": str(self.quality),
                "profile": self.profile,
                "level": self.level,
                "maxrate": f"{self.kbit}k",
                "bufsize": f"{self.kbit}k",
            }
        settings = {
            "log-level": "none",
            "level-idc": self.level,
            "high-tier": "0",
            "vbv-maxrate": str(self.kbit),
            "vbv-bufsize": str(self.kbit),
            # a piece's first frame begins anew, and others refer to nothing before it
            "open-gop": "0",
            "pools": str(_THREADS),
            "frame-threads": "1",
        }
        return {
            "preset": "veryfast",
            "crf": str(self.quality),
            "profile": self.profile,
            "x265-params": ":".join(f"{name}={value}" for name, value in settings.items()),
        }


def rate_of(footage: Footage) -> int:
    """Choose the lowest of RATES that leaves out none of a camera's pictures; 60 where none does."""
    stamps = np.unique([frame.timestamp for frame in islice(footage.frames_from(footage.begin), _LOOKED_AT)])
    if len(stamps) < 2:
        return RATES[0]
    measured = VIDEO_RATE / float(np.median(np.diff(stamps)))
    return next((rate for rate in RATES if rate >= measured - 0.5), RATES[-1])


def recode(
    work: Work, producer: int, footage: Footage, plan: Plan, target: Target, tell: Callable[[float], None]
) -> None:
    """Make the pieces of a film that are not there."""
    pictures: Pictures | None = None
    fitter = _Fitter(target)
    for number in range(plan.pieces):
        frames = plan.piece(number)
        if work.has(piece_name(number)):
            pictures = None  # the decoder begins anew behind it
            tell(frames.stop / plan.frames)
            continue
        if pictures is None:
            pictures = Pictures(producer, footage, plan.position(frames.start))
        encoder = _encoder(target)
        with work.create(piece_name(number)) as file:
            for at in frames:
                frame = fitter.fit(pictures.at(plan.position(at)))
                frame.pts, frame.time_base = at - frames.start, Fraction(1, target.rate)
                for packet in encoder.encode(frame):
                    file.write(entry(packet))
                tell(at / plan.frames)
            for packet in encoder.encode(None):
                file.write(entry(packet))


def _encoder(target: Target) -> av.VideoCodecContext:
    context = av.CodecContext.create(_ENCODERS[target.form], "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = target.width, target.height, "yuv420p"
    context.framerate, context.time_base = Fraction(target.rate), Fraction(1, target.rate)
    context.thread_count = _THREADS
    context.gop_size = 2 * target.rate
    context.colorspace, context.color_range = int(Colorspace.ITU709), int(ColorRange.MPEG)
    context.color_primaries = context.color_trc = 1
    context.options = target.options()
    return context


class _Fitter:
    """Lays pictures into a frame; the same picture is fitted once."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._known: tuple[Picture | None, Planes] | None = None

    def fit(self, picture: Picture | None) -> av.VideoFrame:
        """Give a frame that shows a picture, or nothing."""
        if self._known is None or self._known[0] is not picture:
            self._known = picture, fitted(None if picture is None else picture.frame, self._target)
        frame = av.VideoFrame.from_ndarray(self._known[1], format="yuv420p")
        frame.colorspace, frame.color_range = int(Colorspace.ITU709), int(ColorRange.MPEG)
        return frame


def fitted(frame: av.VideoFrame | None, target: Target) -> Planes:
    """Lay a picture into the middle of a black frame, its shape kept; gives the planes Y, U, V below each other."""
    width, height = target.width, target.height
    if frame is None:
        return laid(None, 0, 0, width, height)
    wide, high = size_within(frame, width, height)
    said = int(frame.colorspace)
    usual = Colorspace.ITU709 if frame.height >= HIGH_DEFINITION else Colorspace.ITU601
    shrunk = frame.reformat(
        wide,
        high,
        "yuv420p",
        src_colorspace=said if said not in (0, 2) else int(usual),
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        interpolation=Interpolation.AREA if wide < frame.width else Interpolation.BICUBIC,
    ).to_ndarray()
    shrunk = np.array(shrunk)
    luma, colours = shrunk[:high], shrunk[high:].reshape(2, high // 2, wide // 2)
    for mask in target.masks:
        rows, columns = mask.rows_and_columns(wide, high)
        luma[rows, columns] = _BLACK
        colours[:, _halved(rows), _halved(columns)] = _GREY
    return laid(shrunk, wide, high, width, height)


def size_within(frame: av.VideoFrame, width: int, height: int) -> tuple[int, int]:
    """Give the even size in which a picture fills a frame of this size, its shape kept."""
    scale = min(width / frame.width, height / frame.height)
    wide, high = (max(2, round(side * scale / 2) * 2) for side in (frame.width, frame.height))
    return wide, high


def laid(picture: Planes | None, wide: int, high: int, width: int, height: int) -> Planes:
    """Lay a picture (planes Y, U, V below each other) into the middle of a black frame, or nothing."""
    planes = np.empty((height * 3 // 2, width), np.uint8)
    planes[:height], planes[height:] = _BLACK, _GREY
    if picture is not None:
        left, top = (width - wide) // 4 * 2, (height - high) // 4 * 2
        planes[top : top + high, left : left + wide] = picture[:high]
        grey = planes[height:].reshape(2, height // 2, width // 2)
        colours = picture[high:].reshape(2, high // 2, wide // 2)
        grey[:, top // 2 : (top + high) // 2, left // 2 : (left + wide) // 2] = colours
    return planes


def _halved(edges: slice) -> slice:
    return slice(edges.start // 2, edges.stop // 2)
