"""The source's picture on its way to access units: passed through as it is, or decoded and encoded anew."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import av.error
import av.filter

from media.plane import Codec

from .bitstream import Bitstream
from .encoder import CLOCK, KEY_SPACING, Encoder, Format

#: A live source whose encoder is so far behind (seconds) leaves pictures out until it has caught up.
MOST_BEHIND = 0.25


@dataclass(frozen=True, slots=True)
class Picture:
    """An access unit as the bitstream has it. `raw`: the source's own time in seconds, None where it has none."""

    raw: Fraction | None
    duration: Fraction
    data: bytes


class PassedPicture:
    """What is H.264 or H.265 already."""

    def __init__(self, codec: Codec, header: bytes) -> None:
        self.bitstream = Bitstream(codec, header)

    def take(self, packet: Any) -> Iterator[Picture]:
        """Give the packet as it is."""
        raw = packet.pts if packet.pts is not None else packet.dts
        yield Picture(
            None if raw is None else raw * packet.time_base,
            Fraction(packet.duration or 0) * packet.time_base,
            bytes(packet),
        )

    def finish(self) -> Iterator[Picture]:
        """Nothing is kept back."""
        return iter(())

    def want_key_frame(self) -> None:
        """Nothing can be done: the source's next one serves."""


class EncodedPicture:
    """What is decoded and encoded anew. `want_key_frame` may be called from any thread."""

    def __init__(
        self,
        encoder: str,
        format_: Format,
        first: bytes,
        *,
        live: bool,
        decoder: Any = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`first` is an access unit of this encoder's, for its parameter sets; `now` a steady clock in seconds.

        `decoder` is the stream's, for what it still holds at the end.
        """
        self._decoder = decoder
        self._time_base = Fraction(1, CLOCK)
        self._step = 1 / format_.rate
        self._next = Fraction(0)
        self.bitstream = Bitstream(Codec.H264, first)
        self.left_out = 0
        self._encoder = Encoder(encoder, format_)
        self._live = live
        self._now = now
        self._deinterlacer: Any = None
        self._wanted = threading.Event()
        self._last_key = float("-inf")
        self._begun: float | None = None  # steady time at the source's time 0, at the earliest

    def want_key_frame(self) -> None:
        """Make the next picture a key frame, twice a second at most."""
        self._wanted.set()

    def take(self, packet: Any) -> Iterator[Picture]:
        """Decode and encode. A damaged packet gives nothing: the decoder shows what it can."""
        self._time_base = packet.time_base
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            return
        for frame in frames:
            yield from self._encode(frame)

    def finish(self) -> Iterator[Picture]:
        """Give what decoder and encoder kept back."""
        if self._decoder is not None:
            for frame in self._decoder.decode(None):
                yield from self._encode(frame)
        for at, data in self._encoder.finish():
            yield Picture(at, Fraction(0), data)

    def _encode(self, frame: Any) -> Iterator[Picture]:
        for picture in self._deinterlaced(frame):
            # a bare bitstream has no times: its rate is all that is known
            at = self._next if picture.pts is None else picture.pts * (picture.time_base or self._time_base)
            self._next = at + self._step
            now = self._now()
            if self._is_behind(at, now):
                self.left_out += 1
                continue
            key = self._wanted.is_set() and now - self._last_key >= KEY_SPACING
            if key:
                self._wanted.clear()
                self._last_key = now
            for time_, data in self._encoder.encode(picture, at, key=key):
                yield Picture(time_, Fraction(0), data)

    def _is_behind(self, at: Fraction, now: float) -> bool:
        if not self._live:
            return False
        begun = now - float(at)
        if self._begun is None or begun < self._begun or begun > self._begun + 5:
            # earlier than thought; or the source's clock jumped
            self._begun = begun
        return begun - self._begun > MOST_BEHIND

    def _deinterlaced(self, frame: Any) -> Iterator[Any]:
        """Give whole pictures: fields of two moments in one picture tear wherever something moves."""
        if not frame.interlaced_frame and self._deinterlacer is None:
            yield frame
            return
        if self._deinterlacer is None:
            self._deinterlacer = _deinterlacer(frame, frame.time_base or self._time_base)
        self._deinterlacer.push(frame)
        while True:
            try:
                yield self._deinterlacer.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return


def _deinterlacer(frame: Any, time_base: Fraction) -> Any:
    graph: Any = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format.name, time_base=time_base
    )
    graph.link_nodes(source, graph.add("bwdif", "mode=send_frame:deint=interlaced"), graph.add("buffersink"))
    graph.configure()
    return graph
