"""Writes one container: frames as they were sent, never transcoded, the same bytes each time.

FFmpeg's muxers want to know a codec's parameters (avcC, hvcC, vpcC, av1C, OpusHead). They are taken from a
template: the track's own first key frame, opened as the smallest file that FFmpeg reads of that codec.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from heapq import merge
from pathlib import Path
from types import TracebackType

import av
from av.packet import Packet
from av.stream import Stream

from media.codecs import opus
from media.plane import Codec

from ..parts import Sealed, create_part, drop_part, finish_part, open_part
from ..seal.file import SealedWriter
from ..seal.keys import DataKey
from .frames import Frame
from .kinds import ExportError

OPUS_RATE = 48_000
VIDEO_RATE = 90_000

#: Opus of 20 ms that is silent (RFC 6716, section 3.1: CELT, full band); bit 2 says stereo.
_SILENCE = bytes([0xF8, 0xFF, 0xFE])
_SILENCE_DURATION = 960
#: A longer silence than this is left as a jump in time (in packets of 20 ms: four hours).
_MOST_SILENCE = 720_000

_IVF = {Codec.VP8: b"VP80", Codec.VP9: b"VP90", Codec.AV1: b"AV01"}
_RAW = {Codec.H264: "h264", Codec.H265: "hevc"}
#: A finished container says how large its pictures are: none need be decoded for that (30 ms of a 4K one).
_UNDECODED = {"skip_frame": "all"}


class ContainerError(ExportError):
    """FFmpeg cannot make a container of these frames, or there are none."""

    def __init__(self, sentence: str, code: str = "") -> None:
        super().__init__(sentence, code)


@dataclass(frozen=True, slots=True)
class Written:
    """What a container holds; `codecs` names the picture's, or the sound's where there is no picture."""

    codecs: str
    width: int
    height: int


def suffix_for(video: Codec | None) -> str:
    """Choose the container: VP8 goes into WebM, everything else into MP4, which counts RTP ticks exactly."""
    return ".m4a" if video is None else ".webm" if video is Codec.VP8 else ".mp4"


def write_container(
    path: Path,
    video: tuple[Codec, Iterator[Frame]] | None,
    audio: Iterator[Frame] | None,
    key: DataKey | None = None,
    sealed: Sealed = SealedWriter,
) -> Written:
    """Write a container of pictures, sound or both; times in 1/90,000 and 1/48,000 s from its beginning.

    It is sealed, by `sealed`, where there is a key. Raises ContainerError, OSError; then there is no file.
    """
    try:
        kind = "webm" if path.suffix == ".webm" else "mp4"
        with create_part(path, key, sealed) as file, _Muxer(file, kind, video, audio) as muxer:
            muxer.mux_all()
        with open_part(path, key, unfinished=True) as file:
            written = _read_back(file, video[0] if video else None, muxer.first_picture)
    except av.FFmpegError as error:
        drop_part(path)
        raise ContainerError(f"No container can be made of this track ({error.strerror}).") from error
    except Exception:
        drop_part(path)
        raise
    finish_part(path)
    return written


class _Muxer:
    """One output file and its streams."""

    def __init__(
        self,
        file: io.RawIOBase,
        container: str,
        video: tuple[Codec, Iterator[Frame]] | None,
        audio: Iterator[Frame] | None,
    ) -> None:
        self.first_picture = b""
        # bitexact: no date, no version, no random identifier
        self._output = av.open(file, "w", format=container, container_options={"fflags": "+bitexact"})
        try:
            self._packets: list[Iterator[tuple[float, Packet[Stream]]]] = []
            if video is not None:
                self._packets.append(self._add_video(*video))
            if audio is not None:
                self._packets.append(self._add_audio(audio))
        except BaseException:
            self._output.close()
            raise

    def __enter__(self) -> _Muxer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._output.close()

    def mux_all(self) -> None:
        for _, packet in merge(*self._packets, key=lambda item: item[0]):
            self._output.mux(packet)

    def _add_video(self, codec: Codec, frames: Iterator[Frame]) -> Iterator[tuple[float, Packet[Stream]]]:
        first = next(frames, None)
        if first is None:
            raise ContainerError("The track has no key frame.", "no_picture")
        self.first_picture = first.data
        stream = self._add_stream(video_template(codec, first.data), codec is Codec.H265, VIDEO_RATE)
        return _packets_of(stream, first, frames, VIDEO_RATE)

    def _add_audio(self, frames: Iterator[Frame]) -> Iterator[tuple[float, Packet[Stream]]]:
        first = next(frames, None)
        if first is None:
            raise ContainerError("The track has no sound.", "nothing_in_range")
        # the decoder gives two channels from either kind of packet
        stream = self._add_stream(io.BytesIO(ogg_opus(2)), False, OPUS_RATE)
        return _packets_of(stream, first, frames, OPUS_RATE)

    def _add_stream(self, template: io.BytesIO, hvc1: bool, rate: int) -> Stream:
        with av.open(template) as source:
            stream: Stream = self._output.add_stream_from_template(source.streams[0], opaque=True)
        if hvc1:
            stream.codec_context.codec_tag = "hvc1"  # Safari plays no hev1
        stream.time_base = Fraction(1, rate)
        return stream


def _packets_of(
    stream: Stream, first: Frame, frames: Iterator[Frame], rate: int
) -> Iterator[tuple[float, Packet[Stream]]]:
    """Make the muxer's packets; each lasts until the next, the last one as long as the one before it.

    FFmpeg would guess a length from the template, and players leave out a last frame of length 0.
    """
    frame: Frame | None = first
    duration = rate // 50
    while frame is not None:
        following = next(frames, None)
        if following is not None:
            duration = following.decoding - frame.decoding
        packet = Packet(frame.data)
        packet.stream = stream
        packet.time_base = Fraction(1, rate)
        packet.pts, packet.dts, packet.duration = frame.timestamp, frame.decoding, duration
        packet.is_keyframe = frame.key
        yield frame.decoding / rate, packet
        frame = following


def silent_frame(timestamp: int, like: bytes) -> Frame:
    """Make a silent packet with as many channels as another."""
    return _silence(timestamp, like[0] & 4)


def _silence(timestamp: int, stereo: int) -> Frame:
    return Frame(timestamp, timestamp, bytes([_SILENCE[0] | stereo]) + _SILENCE[1:], True)


def fill_silence(frames: Iterator[Frame]) -> Iterator[Frame]:
    """Put silent packets where a microphone was mute, since players close gaps of sound and lose the sync."""
    ahead: int | None = None  # where the last frame ended
    stereo = 0
    for frame in frames:
        if ahead is not None:
            count = min((frame.timestamp - ahead) // _SILENCE_DURATION, _MOST_SILENCE)
            for number in range(count):
                timestamp = ahead + number * _SILENCE_DURATION
                yield _silence(timestamp, stereo)
        stereo = frame.data[0] & 4
        ahead = frame.timestamp + opus.duration(frame.data)
        yield frame


def video_template(codec: Codec, picture: bytes) -> io.BytesIO:
    """Build the smallest file that FFmpeg reads of a codec around one key frame."""
    if codec in _RAW:
        return io.BytesIO(picture)
    # IVF: a header of 32 bytes, then each frame after its length and time
    header = struct.pack("<4sHH4sHHIIII", b"DKIF", 0, 32, _IVF[codec], 0, 0, 30, 1, 1, 0)
    return io.BytesIO(header + struct.pack("<IQ", len(picture), 0) + picture)


def ogg_opus(channels: int) -> bytes:
    """Build an Ogg file of one silent packet (RFC 7845): pre-skip 0, since RTP has none either."""
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, channels, 0, OPUS_RATE, 0, 0)
    tags = b"OpusTags" + struct.pack("<II", 0, 0)
    pages = ((2, 0, head), (0, 0, tags), (4, _SILENCE_DURATION, _SILENCE))
    return b"".join(_ogg_page(flags, time, number, data) for number, (flags, time, data) in enumerate(pages))


def _ogg_page(flags: int, time: int, number: int, data: bytes) -> bytes:
    segments = bytes([255] * (len(data) // 255) + [len(data) % 255])
    page = struct.pack("<4sBBqIII", b"OggS", 0, flags, time, 1, number, 0) + bytes([len(segments)]) + segments
    page += data
    checksum = 0
    for byte in page:  # CRC-32 of polynomial 04C11DB7, not reflected (RFC 3533, section 6)
        checksum ^= byte << 24
        for _ in range(8):
            checksum = (checksum << 1 ^ (0x04C11DB7 if checksum & 1 << 31 else 0)) & 0xFFFFFFFF
    return page[:22] + struct.pack("<I", checksum) + page[26:]


def _read_back(file: io.RawIOBase, codec: Codec | None, first_picture: bytes) -> Written:
    """Read from the finished file what is in it: nothing is claimed that a player would not find."""
    if codec is None:
        return Written("opus", 0, 0)
    with av.open(file, options=_UNDECODED) as container:
        stream = container.streams.video[0]
        name = codecs_parameter(
            codec, stream.codec_context.extradata or b"", first_picture, stream.width, stream.height
        )
        return Written(name, stream.width, stream.height)


def codecs_parameter(codec: Codec, configuration: bytes, picture: bytes, width: int, height: int) -> str:
    """Name a codec as RFC 6381 and its successors do, from its configuration record or first key frame."""
    match codec:
        case Codec.H264 if len(configuration) >= 4:
            return f"avc1.{configuration[1:4].hex()}"
        case Codec.H265 if len(configuration) >= 13:
            return _hvc1(configuration)
        case Codec.VP9 if picture:
            profile = (picture[0] >> 5 & 1) | (picture[0] >> 4 & 1) << 1
            depth = 8 if profile < 2 else 12 if picture[0] & (0x08 if profile == 2 else 0x04) else 10
            return f"vp09.{profile:02}.{_vp9_level(width * height)}.{depth:02}"
        case Codec.AV1 if len(configuration) >= 3:
            profile, level = configuration[1] >> 5, configuration[1] & 0x1F
            tier = "H" if configuration[2] & 0x80 else "M"
            depth = 12 if configuration[2] & 0x20 else 10 if configuration[2] & 0x40 else 8
            return f"av01.{profile}.{level:02}{tier}.{depth:02}"
        case Codec.VP8:
            return "vp8"
    raise ContainerError("The container does not say what its codec is.")


def _hvc1(configuration: bytes) -> str:
    """Name H.265 (ISO/IEC 14496-15, annex E.3) from its hvcC record."""
    first = configuration[1]
    space = ("", "A", "B", "C")[first >> 6]
    compatibility = int(f"{int.from_bytes(configuration[2:6], 'big'):032b}"[::-1], 2)
    tier = "H" if first & 0x20 else "L"
    constraints = configuration[6:12].rstrip(b"\0")
    tail = "".join(f".{byte:X}" for byte in constraints)
    return f"hvc1.{space}{first & 0x1F}.{compatibility:X}.{tier}{configuration[12]}{tail}"


#: Largest picture of each VP9 level, in pixels (VP9 levels, webmproject.org); rates are not known here.
_VP9_LEVELS = ((36_864, 10), (73_728, 11), (122_880, 20), (245_760, 21), (552_960, 30), (983_040, 31))


def _vp9_level(pixels: int) -> int:
    for most, level in (*_VP9_LEVELS, (2_228_224, 41), (8_912_896, 51)):
        if pixels <= most:
            return level
    return 61
