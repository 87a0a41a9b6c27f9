"""All sounds of a recording as one, in its time: decoded, laid where they were heard, added up, encoded in AAC."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import av
import numpy as np
from numpy.typing import NDArray

from media.codecs import opus

from .footage import Footage

RATE = 48_000
#: Samples of one frame of AAC.
FRAME = 1024
#: A decoder that begins in the middle needs so long to find its feet (RFC 7845, section 4.6).
_PREROLL = 0.08
#: Above this, voices that add up are bent to stay below 1.
_BEND = 0.8

Samples = NDArray[np.float32]


def mixed(sounds: Sequence[Footage], begin: float, end: float, heard_from: float) -> Iterator[Samples]:
    """Give the sound from a position to another: frames of 2 × 1024 samples, silence where nobody is heard.

    Before `heard_from` all is silent: there a title stands.
    """
    voices = [
        _Voice(sound, begin, heard_from) for sound in sounds if sound.begin < end and sound.end > heard_from
    ]
    silent = round((heard_from - begin) * RATE)
    for start in range(0, round((end - begin) * RATE), FRAME):
        block = np.zeros((2, FRAME), np.float32)
        for voice in voices:
            voice.add_to(block, start)
        if start < silent:
            block[:, : silent - start] = 0
        loud = np.abs(block) > _BEND
        if loud.any():
            over = (np.abs(block[loud]) - _BEND) / (1 - _BEND)
            block[loud] = np.sign(block[loud]) * (_BEND + (1 - _BEND) * np.tanh(over))
        yield block


class _Voice:
    """One microphone's samples, by their place after the beginning."""

    def __init__(self, sound: Footage, begin: float, heard_from: float) -> None:
        self._pieces = _decoded(sound, begin, heard_from)
        self._piece: tuple[int, Samples] | None = next(self._pieces, None)

    def add_to(self, block: Samples, start: int) -> None:
        """Add what lies within a block, asked for in their order."""
        end = start + block.shape[1]
        while self._piece is not None and self._piece[0] < end:
            at, samples = self._piece
            first, last = max(at, start), min(at + samples.shape[1], end)
            if first < last:
                block[:, first - start : last - start] += samples[:, first - at : last - at]
            if at + samples.shape[1] > end:
                return  # the rest belongs to the next block
            self._piece = next(self._pieces, None)


def _decoded(sound: Footage, begin: float, heard_from: float) -> Iterator[tuple[int, Samples]]:
    context = av.CodecContext.create("libopus", "r")
    assert isinstance(context, av.AudioCodecContext)
    context.sample_rate, context.layout = RATE, "stereo"
    resampler = av.AudioResampler("fltp", "stereo", RATE)
    expected = 0
    for frame in sound.frames_from(heard_from - _PREROLL):
        at = round((sound.position(frame.timestamp) - begin) * RATE)
        # clocks that drift apart by a sample now and then make no gap
        at = expected if abs(at - expected) <= 2 else at
        expected = at + opus.duration(frame.data)
        with contextlib.suppress(av.FFmpegError):
            for heard in context.decode(av.Packet(frame.data)):
                heard.pts = None
                for one in resampler.resample(heard):
                    samples = one.to_ndarray()
                    yield at, samples
                    at += samples.shape[1]
