"""A file, an address or a device, demultiplexed by PyAV into access units. Blocking: to be read in a thread.

H.264, H.265 and Opus are passed through as they are. Whatever else FFmpeg decodes is encoded anew (`picture.py`,
`sound.py`).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import av.error

from media.codecs import CodecError
from media.codecs import opus as opus_format
from media.ids import Mid
from media.plane import Codec

from .address import COMPUTED, Address, shown
from .encoder import PREFERRED, Format, NoEncoderError, choose
from .picture import EncodedPicture, PassedPicture
from .sound import SoundEncoder
from .timeline import OutOfOrderError, Timeline

__all__ = ["AccessUnit", "Encoding", "Source", "SourceError", "Track", "shown"]

#: Seconds that opening and each read may take: a camera that is silent for longer has gone.
OPEN_TIMEOUT = 10.0
READ_TIMEOUT = 5.0

#: Pictures a second of a source that does not say.
USUAL_RATE = Fraction(30)
#: What is above this is a clock and no rate.
MOST_RATE = 240

_VIDEO = {"h264": Codec.H264, "hevc": Codec.H265}


class SourceError(Exception):
    """The source cannot be published; `final`: not by trying again either; `encode`: but by encoding it anew."""

    def __init__(self, message: str, *, final: bool, encode: bool = False) -> None:
        super().__init__(message)
        self.final = final
        self.encode = encode


@dataclass(frozen=True, slots=True)
class Encoding:
    """How to encode: also what could be passed through (`always`), at how many bits a second (0: by the size)."""

    always: bool = False
    bits: int = 0


#: What can be passed through is; what cannot gets its bits by its size.
AS_NEEDED = Encoding()


@dataclass(frozen=True, slots=True)
class Track:
    """One stream of the source as it will be offered. `encoder` is empty where it is passed through."""

    mid: Mid
    kind: str
    codec: Codec
    clock_rate: int
    fmtp: str
    encoder: str = ""


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
    """An open source. Iterate `units`, then `close`, in one thread at a time.

    SourceError, in one sentence, when it cannot be opened or nothing can be made of it.
    """

    def __init__(self, url: str | Address, *, loop: bool = False, encoding: Encoding = AS_NEEDED) -> None:
        self.address = url if isinstance(url, Address) else Address(url)
        self.name = self.address.name
        self.warnings: list[str] = []
        #: pictures of one pass, known after the first
        self.pictures_per_pass = 0
        self._loop = loop
        self._encoding = encoding
        self._timeline = Timeline()
        self._encoder = ""
        self._left = False
        self._container = self._open()
        try:
            #: a source that comes in its own time; everything else is sent by its timestamps
            self.live = self._is_live()
            if self.live and loop:
                raise SourceError(f"{self.name} is live and has no end from which to --loop.", final=True)
            self._begin_pass()
            self.tracks = self._describe()
        except BaseException:
            self.close()
            raise

    @property
    def encodes(self) -> bool:
        """Whether the picture is encoded here, so that a key frame comes when it is asked for."""
        return isinstance(self._picture, EncodedPicture)

    @property
    def computed(self) -> bool:
        """Whether pictures are there as soon as they are asked for, and each only then."""
        return self.address.device == COMPUTED

    @property
    def left_out(self) -> int:
        """Pictures that were not sent because the encoder does not keep up with a live source."""
        return self._picture.left_out if isinstance(self._picture, EncodedPicture) else 0

    def want_key_frame(self) -> None:
        """Have the next picture be a key frame if it is encoded here. From any thread."""
        self._picture.want_key_frame()

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
            self._begin_pass()
            self._timeline.begin_again()

    def leave(self) -> None:
        """Give the source up to the thread that is still in it; `close` does nothing then."""
        self._left = True

    def close(self) -> None:
        """Close the file."""
        if not self._left:
            self._container.close()

    def _begin_pass(self) -> None:
        self._video = self._find_video()
        self._picture = self._take_up_picture()
        audible = [stream for stream in self._container.streams.audio if stream.codec_context is not None]
        opus = [stream for stream in audible if _codec_name(stream) == "opus"]
        self._audio = next(iter(opus or audible), None)
        self._sound = SoundEncoder() if self._audio and _codec_name(self._audio) != "opus" else None

    def _one_pass(self) -> Iterator[AccessUnit]:
        self._number = 0
        self._awaiting_key = True
        streams = [self._video, *([self._audio] if self._audio is not None else [])]
        for packet in self._packets(streams):
            if packet.stream.index != self._video.index:
                yield from self._sounds(packet)
                continue
            for picture in self._picture.take(packet):
                yield from self._pictures(picture.raw, picture.duration, picture.data)
        for picture in self._picture.finish():
            yield from self._pictures(picture.raw, picture.duration, picture.data)
        if self._timeline.empty:
            raise SourceError(f"{self.name} holds no key frame.", final=not self.live)
        self.pictures_per_pass = self._number

    def _sounds(self, packet: Any) -> Iterator[AccessUnit]:
        if self._sound is not None:
            ready = self._sound.take(packet)
        else:
            raw = packet.pts if packet.pts is not None else packet.dts
            ready = [] if raw is None else [(raw * packet.time_base, bytes(packet))]
        for at, data in ready:
            time = self._timeline.place_sound(at)
            if time is not None and opus_format.starts_frame(data):
                yield AccessUnit("audio", time, (data,))

    def _pictures(self, raw: Fraction | None, duration: Fraction, data: bytes) -> Iterator[AccessUnit]:
        bitstream = self._picture.bitstream
        try:
            units, key = bitstream.split(data)
            payloads = bitstream.packetise(units) if units else []
        except CodecError as error:
            self.warnings.append(f"A damaged picture of {self.name} was left out: {error}")
            self._awaiting_key = True
            self._number += 1
            return
        if not payloads:
            return
        number = self._number
        self._number += 1
        if self._awaiting_key and not key:
            return
        self._awaiting_key = False
        time = self._place(raw, duration)
        yield AccessUnit("video", time, tuple(payloads), key, number, self._timeline.step)

    def _place(self, raw: Fraction | None, duration: Fraction) -> Fraction:
        if raw is None:
            # a bare bitstream: its rate is all that is known
            rate = self._video.guessed_rate or self._video.average_rate
            return self._timeline.place_next(1 / Fraction(rate) if rate else None)
        try:
            return self._timeline.place_picture(raw, duration)
        except OutOfOrderError:
            raise SourceError(
                f"{self.name} has B-frames, which WebRTC cannot show in order. {self._advice()}",
                final=True,
                encode=True,
            ) from None

    def _packets(self, streams: list[Any]) -> Iterator[Any]:
        try:
            for packet in self._container.demux(streams):
                if packet.size:
                    yield packet
        except (av.error.FFmpegError, OSError) as error:
            raise SourceError(
                f"{self.name} broke off: {_words(error)}.", final=not self.address.may_come_back
            ) from None

    def _is_live(self) -> bool:
        if self.address.device:
            return not self.computed
        return self.address.remote and self._container.duration is None

    def _open(self) -> Any:
        options = dict(self.address.options)
        if self.address.url.startswith("rtsp"):
            # TCP: lost packets of a camera would be lost pictures, and nobody to ask for them again
            options.setdefault("rtsp_transport", "tcp")
        device = self.address.device
        if device and not any(device in name.split(",") for name in av.formats_available):
            raise SourceError(f"{self.name} cannot be opened: this FFmpeg has no {device}.", final=True)
        try:
            return av.open(
                self.address.target,
                format=device or None,
                options=options,
                timeout=(OPEN_TIMEOUT, READ_TIMEOUT),
            )
        except (av.error.FFmpegError, OSError) as error:
            raise SourceError(
                f"{self.name} cannot be opened: {_words(error)}.", final=not self.address.may_come_back
            ) from None

    def _find_video(self) -> Any:
        streams = self._container.streams.video
        if not streams:
            raise SourceError(f"{self.name} has no picture.", final=True)
        return next((stream for stream in streams if _codec_name(stream) in _VIDEO), streams[0])

    def _take_up_picture(self) -> PassedPicture | EncodedPicture:
        name = _codec_name(self._video)
        if name not in _VIDEO or self._encoding.always:
            return self._take_up_encoder()
        context = self._video.codec_context
        try:
            return PassedPicture(_VIDEO[name], bytes(context.extradata or b""))
        except CodecError as error:
            raise SourceError(f"The header of {self.name} cannot be read: {error}", final=True) from None

    def _take_up_encoder(self) -> EncodedPicture:
        context = self._video.codec_context
        if context is None or not (context.width and context.height):
            raise SourceError(
                f"{self.name} is {_codec_name(self._video)}, which this FFmpeg cannot decode.", final=True
            )
        rate = Fraction(self._video.average_rate or self._video.guessed_rate or USUAL_RATE)
        # the encoders' chroma has half the size
        format_ = Format(
            context.width & ~1,
            context.height & ~1,
            rate if 0 < rate <= MOST_RATE else USUAL_RATE,
            self._encoding.bits,
        )
        try:
            self._encoder, first = choose(format_, (self._encoder,) if self._encoder else PREFERRED)
            return EncodedPicture(self._encoder, format_, first, live=self.live, decoder=context)
        except NoEncoderError as error:
            raise SourceError(
                f"{self.name} must be encoded, and no encoder can: {error}.", final=True
            ) from None

    def _describe(self) -> tuple[Track, ...]:
        try:
            fmtp = self._picture.bitstream.fmtp
        except CodecError as error:
            raise SourceError(f"{self.name} cannot be offered: {error}", final=not self.live) from None
        tracks = [Track(Mid("0"), "video", self._picture.bitstream.codec, 90_000, fmtp, self._encoder)]
        if self._audio is not None:
            encoder = "libopus" if self._sound is not None else ""
            tracks.append(Track(Mid("1"), "audio", Codec.OPUS, 48_000, "minptime=10;useinbandfec=1", encoder))
        return tuple(tracks)

    def _advice(self) -> str:
        given = self.name if self.address.remote else shlex.quote(self.address.url)
        return (
            "Publish it with --encode, or convert it: "
            f"ffmpeg -i {given} -c:v libx264 -profile:v baseline -bf 0 -g 60 -c:a libopus converted.mp4"
        )


def _words(error: BaseException) -> str:
    # not str(error), which repeats the address with its password
    words = getattr(error, "strerror", None) or type(error).__name__
    return str(words)


def _codec_name(stream: Any) -> str:
    # a stream that FFmpeg knows no decoder for has no context
    context = stream.codec_context
    return str(context.codec.canonical_name) if context is not None else "of an unknown codec"
