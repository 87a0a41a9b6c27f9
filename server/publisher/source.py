"""A file or an address, demultiplexed by PyAV into access units. Blocking: to be read in a thread."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from urllib.parse import urlsplit

import av
import av.error

from media.codecs import CodecError
from media.codecs import opus as opus_format
from media.ids import Mid
from media.plane import Codec

from .bitstream import Bitstream
from .timeline import OutOfOrderError, Timeline

#: Seconds that opening and each read may take: a camera that is silent for longer has gone.
OPEN_TIMEOUT = 10.0
READ_TIMEOUT = 5.0

_VIDEO = {"h264": Codec.H264, "hevc": Codec.H265}


class SourceError(Exception):
    """The source cannot be published; `final`: not by trying again either."""

    def __init__(self, message: str, *, final: bool) -> None:
        super().__init__(message)
        self.final = final


@dataclass(frozen=True, slots=True)
class Track:
    """One stream of the source as it will be offered."""

    mid: Mid
    kind: str
    codec: Codec
    clock_rate: int
    fmtp: str


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One picture, or one packet of sound.

    `time`: seconds since the first picture, exact. `number`: which picture of its pass it is, from 0.
    `step`: seconds from the picture before.
    """

    kind: str
    time: Fraction
    payloads: tuple[bytes, ...]
    key: bool = False
    number: int = 0
    step: Fraction = Fraction(0)


class Source:
    """An open file or stream. Iterate `units`, then `close`, in one thread at a time.

    SourceError, in one sentence, when it cannot be opened or what is in it cannot be passed through.
    """

    def __init__(self, url: str, *, loop: bool = False) -> None:
        self.url = url
        self.name = shown(url)
        self.warnings: list[str] = []
        #: pictures of one pass, known after the first
        self.pictures_per_pass = 0
        self._loop = loop
        self._timeline = Timeline()
        self._container = self._open()
        try:
            self._video = self._find_video()
            self._bitstream = self._read_header()
            self._audio = self._find_audio()
            #: a source that comes in its own time; everything else is sent by its timestamps
            self.live = "://" in url and self._container.duration is None
            if self.live and loop:
                raise SourceError(f"{self.name} is live and has no end from which to --loop.", final=True)
            self.tracks = self._describe()
        except BaseException:
            self.close()
            raise

    def units(self) -> Iterator[AccessUnit]:
        """Yield pictures from the first key frame on, and sound, in the source's order; SourceError when it breaks."""
        while True:
            yield from self._one_pass()
            if self.live:
                raise SourceError(f"{self.name} has ended.", final=False)
            if not self._loop:
                return
            # opened anew: seeking back is exact in few containers
            self._container.close()
            self._container = self._open()
            self._video = self._find_video()
            self._bitstream = self._read_header()
            self._audio = self._find_audio()
            self._timeline.begin_again()

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _one_pass(self) -> Iterator[AccessUnit]:
        number = 0
        awaiting_key = True
        streams = [self._video, *([self._audio] if self._audio is not None else [])]
        for packet in self._packets(streams):
            raw = packet.pts if packet.pts is not None else packet.dts
            if packet.stream.index != self._video.index:
                time = None if raw is None else self._timeline.place_sound(raw * packet.time_base)
                data = bytes(packet)
                if time is not None and opus_format.starts_frame(data):
                    yield AccessUnit("audio", time, (data,))
                continue
            try:
                units, key = self._bitstream.split(bytes(packet))
                payloads = self._bitstream.packetise(units) if units else []
            except CodecError as error:
                self.warnings.append(f"A damaged picture of {self.name} was left out: {error}")
                awaiting_key = True
                number += 1
                continue
            if not payloads:
                continue
            if awaiting_key and not key:
                number += 1
                continue
            awaiting_key = False
            duration = Fraction(packet.duration or 0) * packet.time_base
            yield AccessUnit(
                "video",
                self._place(raw, packet.time_base, duration),
                tuple(payloads),
                key,
                number,
                self._timeline.step,
            )
            number += 1
        if self._timeline.empty:
            raise SourceError(f"{self.name} holds no key frame.", final=not self.live)
        self.pictures_per_pass = number

    def _place(self, raw: int | None, time_base: Fraction, duration: Fraction) -> Fraction:
        if raw is None:
            # a bare bitstream: its rate is all that is known
            rate = self._video.guessed_rate or self._video.average_rate
            return self._timeline.place_next(1 / Fraction(rate) if rate else None)
        try:
            return self._timeline.place_picture(raw * time_base, duration)
        except OutOfOrderError:
            raise SourceError(
                f"{self.name} has B-frames, which WebRTC cannot show in order. {self._advice()}", final=True
            ) from None

    def _packets(self, streams: list[Any]) -> Iterator[Any]:
        try:
            for packet in self._container.demux(streams):
                if packet.size:
                    yield packet
        except (av.error.FFmpegError, OSError) as error:
            raise SourceError(
                f"{self.name} broke off: {_words(error)}.", final=not self._is_address
            ) from None

    @property
    def _is_address(self) -> bool:
        return "://" in self.url

    def _open(self) -> Any:
        # TCP: lost packets of a camera would be lost pictures, and nobody to ask for them again
        options = {"rtsp_transport": "tcp"} if self.url.startswith("rtsp") else {}
        try:
            return av.open(self.url, options=options, timeout=(OPEN_TIMEOUT, READ_TIMEOUT))
        except (av.error.FFmpegError, OSError) as error:
            raise SourceError(
                f"{self.name} cannot be opened: {_words(error)}.", final=not self._is_address
            ) from None

    def _find_video(self) -> Any:
        streams = self._container.streams.video
        if not streams:
            raise SourceError(f"{self.name} has no picture.", final=True)
        for stream in streams:
            if _codec_name(stream) in _VIDEO:
                return stream
        name = _codec_name(streams[0])
        raise SourceError(
            f"{self.name} is {name}; only H.264 and H.265 are passed through. {self._advice()}", final=True
        )

    def _read_header(self) -> Bitstream:
        context = self._video.codec_context
        try:
            return Bitstream(_VIDEO[_codec_name(self._video)], bytes(context.extradata or b""))
        except CodecError as error:
            raise SourceError(f"The header of {self.name} cannot be read: {error}", final=True) from None

    def _find_audio(self) -> Any:
        for stream in self._container.streams.audio:
            if _codec_name(stream) == "opus":
                return stream
        return None

    def _describe(self) -> tuple[Track, ...]:
        try:
            fmtp = self._bitstream.fmtp
        except CodecError as error:
            raise SourceError(f"{self.name} cannot be offered: {error}", final=not self.live) from None
        tracks = [Track(Mid("0"), "video", self._bitstream.codec, 90_000, fmtp)]
        if self._audio is not None:
            tracks.append(Track(Mid("1"), "audio", Codec.OPUS, 48_000, "minptime=10;useinbandfec=1"))
        elif self._container.streams.audio:
            name = _codec_name(self._container.streams.audio[0])
            self.warnings.append(f"The sound of {self.name} is {name}, not Opus: it is not sent.")
        return tuple(tracks)

    def _advice(self) -> str:
        given = self.name if self._is_address else shlex.quote(self.url)
        return f"Convert it: ffmpeg -i {given} -c:v libx264 -profile:v baseline -bf 0 -g 60 -c:a libopus converted.mp4"


def shown(url: str) -> str:
    """Return an address without what may be secret in it: user, password, query."""
    if "://" not in url:
        return url
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _words(error: BaseException) -> str:
    # not str(error), which repeats the address with its password
    words = getattr(error, "strerror", None) or type(error).__name__
    return str(words)


def _codec_name(stream: Any) -> str:
    # a stream that FFmpeg knows no decoder for has no context
    context = stream.codec_context
    return str(context.codec.canonical_name) if context is not None else "of an unknown codec"
