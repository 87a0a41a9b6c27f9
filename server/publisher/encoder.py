"""H.264 for sources that bear something else: the best encoder that really opens, at low delay.

An encoder counts only if it encodes a picture of the wanted size here and now: FFmpeg lists NVENC on machines without
a card of that make too. Each is told to keep nothing back (no B-frames, no look-ahead, one picture in, one out), to
spend bits evenly, and to make an IDR picture of a frame that is marked so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import av.codec.codec
import av.error
from av.video.frame import PictureType

#: The best first: a card's, then the processor's. VAAPI's takes pictures from the card's memory only, which PyAV
#: cannot hand to it: it stands here for builds that take them from ours.
PREFERRED = (
    "h264_nvenc",
    "h264_qsv",
    "h264_amf",
    "h264_vaapi",
    "h264_videotoolbox",
    "h264_v4l2m2m",
    "libx264",
    "libopenh264",
)

#: Bits a pixel for a picture of an operation: 6 Mbit/s at 1080p30, 25 at 2160p30.
BITS_A_PIXEL = 0.1
LEAST_BITS, MOST_BITS = 500_000, 60_000_000

#: Seconds between key frames that nobody asked for, and the least between two that somebody did.
KEY_SECONDS = 10
KEY_SPACING = 0.5

#: How much the encoder may spend at once, in seconds of its rate: a key frame costs several pictures.
BURST_SECONDS = 0.5

#: Pixels a second up to which libx264 has the time for more than its fastest ways (720p30, 1080p60).
_VERY_FAST, _SUPER_FAST = 30_000_000, 130_000_000

CLOCK = 90_000


@dataclass(frozen=True, slots=True)
class Format:
    """What is to be encoded. `rate` in pictures a second, `bits` a second; 0: by the size."""

    width: int
    height: int
    rate: Fraction
    bits: int = 0

    @property
    def bits_per_second(self) -> int:
        """The bit rate, chosen by the size if it is not given."""
        wanted = self.bits or int(self.width * self.height * float(self.rate) * BITS_A_PIXEL)
        return self.bits or max(LEAST_BITS, min(MOST_BITS, wanted))


class NoEncoderError(Exception):
    """None of the encoders can be used; the text says what each of them answered."""


class Encoder:
    """One open encoder. Raises av.error.FFmpegError or ValueError where it cannot be used."""

    def __init__(self, name: str, format_: Format) -> None:
        self.name = name
        context: Any = av.CodecContext.create(name, "w")
        context.width, context.height = format_.width, format_.height
        context.pix_fmt = self._pixels = "yuv420p" if name in ("libx264", "libopenh264") else "nv12"
        context.time_base = Fraction(1, CLOCK)
        context.framerate = format_.rate
        context.bit_rate = format_.bits_per_second
        context.gop_size = max(1, round(format_.rate * KEY_SECONDS))
        context.max_b_frames = 0
        context.options = {
            "maxrate": str(format_.bits_per_second),
            "bufsize": str(int(format_.bits_per_second * BURST_SECONDS)),
            **_options(name, format_),
        }
        context.open()
        self._context = context
        self._format = format_
        self._last = -1

    def encode(self, frame: Any, time: Fraction, *, key: bool) -> list[tuple[Fraction, bytes]]:
        """Encode a decoded picture of `time` (seconds); returns (time, access unit) of what came out."""
        picture = frame.reformat(self._format.width, self._format.height, self._pixels)
        # the encoder wants its times to rise, whatever the source's do
        self._last = picture.pts = max(self._last + 1, round(time * CLOCK))
        picture.time_base = Fraction(1, CLOCK)
        picture.pict_type = PictureType.I if key else PictureType.NONE
        return self._packets(self._context.encode(picture))

    def finish(self) -> list[tuple[Fraction, bytes]]:
        """Give what was kept back, at the end."""
        return self._packets(self._context.encode(None))

    def _packets(self, packets: Sequence[Any]) -> list[tuple[Fraction, bytes]]:
        return [(Fraction(packet.pts, CLOCK), bytes(packet)) for packet in packets]


def choose(format_: Format, names: Sequence[str] = PREFERRED) -> tuple[str, bytes]:
    """Find the first encoder that encodes; returns its name and a first access unit, which bears parameter sets.

    NoEncoderError if there is none.
    """
    answers = []
    for name in names:
        try:
            encoder = Encoder(name, format_)
            grey = av.VideoFrame(format_.width, format_.height, "yuv420p")
            for plane in grey.planes:
                plane.update(bytes([128]) * plane.buffer_size)
            units = encoder.encode(grey, Fraction(0), key=True) + encoder.finish()
        except av.codec.codec.UnknownCodecError:
            answers.append(f"{name} is not in this FFmpeg")
            continue
        except (av.error.FFmpegError, ValueError, OSError) as error:
            answers.append(f"{name}: {getattr(error, 'strerror', None) or error}")
            continue
        if units:
            return name, units[0][1]
        answers.append(f"{name}: gives nothing")
    raise NoEncoderError("; ".join(answers))


def _options(name: str, format_: Format) -> dict[str, str]:
    pixels = format_.width * format_.height * float(format_.rate)
    match name:
        case "libx264":
            speeds = ("veryfast", _VERY_FAST), ("superfast", _SUPER_FAST)
            preset = next((preset for preset, most in speeds if pixels <= most), "ultrafast")
            return {"preset": preset, "tune": "zerolatency", "profile": "baseline", "forced-idr": "1"}
        case "h264_nvenc":
            return {
                "preset": "p4", "tune": "ull", "zerolatency": "1", "delay": "0", "rc": "cbr", "profile": "baseline",
                "forced-idr": "1", "strict_gop": "1",
            }  # fmt: skip
        case "h264_qsv":
            return {
                "preset": "veryfast", "async_depth": "1", "look_ahead": "0", "profile": "baseline", "forced_idr": "1",
            }  # fmt: skip
        case "h264_amf":
            return {"usage": "ultralowlatency", "profile": "constrained_baseline", "forced_idr": "1"}
        case "h264_videotoolbox":
            return {"realtime": "1", "profile": "baseline"}
        case _:
            return {}
