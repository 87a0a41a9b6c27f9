"""Opus for sound that is something else: decoded, brought to 48 kHz stereo, encoded in packets of 20 ms."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import av.error

RATE = 48_000
SAMPLES = 960  # 20 ms

#: Speech and an operating theatre's monitors, in stereo.
BITS = 96_000

#: A source's own packets and ours do not begin together: what is further apart is a jump.
_JUMP = Fraction(1, 10)


class SoundEncoder:
    """One stream on its way from whatever it is to Opus."""

    def __init__(self) -> None:
        self._encoder = _open()
        self._resampler = _resampler()
        self._first: Fraction | None = None  # the source's time at our sample 0
        self._expected: Fraction | None = None
        self._samples = 0

    def take(self, packet: Any) -> list[tuple[Fraction, bytes]]:
        """Decode a packet; returns (time in the source's seconds, Opus packet) of what is complete.

        A damaged packet gives nothing.
        """
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            return []
        return [ready for frame in frames for ready in self._take_frame(frame)]

    def _take_frame(self, frame: Any) -> list[tuple[Fraction, bytes]]:
        if frame.pts is not None and frame.time_base is not None:
            time = frame.pts * frame.time_base
            if self._expected is None or abs(time - self._expected) > _JUMP:
                # a gap, or a new beginning: what was left of the old is too short to be heard
                self._resampler, self._encoder = _resampler(), _open()
                self._first, self._samples = time, 0
            self._expected = time
        if self._first is None or self._expected is None:
            return []
        self._expected += Fraction(frame.samples, frame.sample_rate)
        # our own count of samples is exact where a source's times are rounded
        frame.pts = None
        done = []
        for piece in self._resampler.resample(frame):
            if piece.samples < SAMPLES:
                continue
            time = self._first + Fraction(self._samples, RATE)
            piece.pts, piece.time_base = self._samples, Fraction(1, RATE)
            self._samples += piece.samples
            done += [(time, bytes(opus)) for opus in self._encoder.encode(piece)]
        return done


def _open() -> Any:
    context: Any = av.CodecContext.create("libopus", "w")
    context.sample_rate, context.layout, context.format = RATE, "stereo", "s16"
    context.time_base = Fraction(1, RATE)
    context.bit_rate = BITS
    # 5 % of loss is repaired from the packet after (RFC 6716, section 2.1.7)
    context.options = {"application": "lowdelay", "frame_duration": "20", "fec": "1", "packet_loss": "5"}
    context.open()
    return context


def _resampler() -> Any:
    return av.AudioResampler(format="s16", layout="stereo", rate=RATE, frame_size=SAMPLES)
