"""A track's parameters for fragmented MP4, as FFmpeg's muxer writes them: the sample entry of its first key frame."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
from av.packet import Packet

from media.plane import Codec

from .container import (
    OPUS_RATE,
    VIDEO_RATE,
    ContainerError,
    codecs_parameter,
    ogg_opus,
    video_template,
)

_SILENCE = b"\xf8\xff\xfe"
#: Bytes of a sample entry before the boxes in it (ISO/IEC 14496-12, section 12.1.3 and 12.2.3), with its own head.
_FIELDS = {"vide": 86, "soun": 36}
#: What the muxer measured on the one frame that it had: true of no other file.
_MEASURED = b"btrt"
_PATH = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a player must know before the first segment; `entry` is empty for WebM."""

    media_type: str
    width: int
    height: int
    entry: bytes


def picture_parameters(codec: Codec, picture: bytes, *, sets_change: bool = False) -> Parameters:
    """Read them from a key frame; with `sets_change` parameter sets stand in the samples too. Raises ContainerError."""
    try:
        file = _one_sample(codec, picture, b"hev1" if sets_change else b"hvc1")
        with av.open(io.BytesIO(file)) as container:
            stream = container.streams.video[0]
            width, height = stream.width, stream.height
            configuration = stream.codec_context.extradata or b""
    except av.FFmpegError as error:
        raise ContainerError(f"No container can be made of this track ({error.strerror}).") from error
    name = codecs_parameter(codec, configuration, picture, width, height)
    if codec is Codec.VP8:
        return Parameters(f'video/webm; codecs="{name}"', width, height, b"")
    entry = _entry(file, "vide")
    if sets_change and codec in (Codec.H264, Codec.H265):
        # the sets in the samples count (ISO/IEC 14496-15, sections 5.4.2 and 8.4.1)
        entry = entry[:4] + {Codec.H264: b"avc3", Codec.H265: b"hev1"}[codec] + entry[8:]
        name = {Codec.H264: "avc3", Codec.H265: "hev1"}[codec] + name[4:]
    return Parameters(f'video/mp4; codecs="{name}"', width, height, entry)


def sound_parameters() -> Parameters:
    """Give those of Opus: every track has the same."""
    return Parameters(
        'audio/mp4; codecs="opus"', 0, 0, _entry(_one_sample(Codec.OPUS, _SILENCE, b""), "soun")
    )


def _one_sample(codec: Codec, data: bytes, hevc_tag: bytes) -> bytes:
    """Let FFmpeg write a file of one frame."""
    file = io.BytesIO()
    kind = "webm" if codec is Codec.VP8 else "mp4"
    template = io.BytesIO(ogg_opus(2)) if codec is Codec.OPUS else video_template(codec, data)
    rate = OPUS_RATE if codec is Codec.OPUS else VIDEO_RATE
    with av.open(file, "w", format=kind, container_options={"fflags": "+bitexact"}) as output:
        with av.open(template) as source:
            stream = output.add_stream_from_template(source.streams[0], opaque=True)
        if codec is Codec.H265:
            stream.codec_context.codec_tag = hevc_tag.decode()
        stream.time_base = Fraction(1, rate)
        packet = Packet(data)
        packet.stream, packet.time_base = stream, Fraction(1, rate)
        packet.pts = packet.dts = 0
        packet.duration = rate // 50
        packet.is_keyframe = True
        output.mux(packet)
    return file.getvalue()


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Walk through boxes that FFmpeg wrote: (kind, the whole box, its content)."""
    position = 0
    while position + 8 <= len(data):
        size, kind = struct.unpack_from("!I4s", data, position)
        if size < 8 or position + size > len(data):
            return
        yield kind, data[position : position + size], data[position + 8 : position + size]
        position += size


def _entry(file: bytes, handler: str) -> bytes:
    content = file
    for wanted in _PATH:
        content = next((inside for kind, _, inside in _boxes(content) if kind == wanted), b"")
    whole = next((box for _, box, _ in _boxes(content[8:])), b"")
    head, inside = whole[: _FIELDS[handler]], whole[_FIELDS[handler] :]
    kept = b"".join(box for kind, box, _ in _boxes(inside) if kind != _MEASURED)
    if len(head) < _FIELDS[handler] or not kept:
        raise ContainerError("The container does not say what its codec is.")
    return struct.pack("!I", len(head) + len(kept)) + head[4:] + kept
