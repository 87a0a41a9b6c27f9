"""Decoding, by PyAV: one frame exactly as it was sent, as a PNG; or the brightness of every frame."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from media.plane import Codec

from .pictures import Picture, Pictures, Stream, in_order
from .stills import StillError

#: FFmpeg's names of the decoders.
DECODERS: Final = {
    Codec.H264: "h264",
    Codec.H265: "hevc",
    Codec.VP8: "vp8",
    Codec.VP9: "vp9",
    Codec.AV1: "libdav1d",
}
#: Names of an FFmpeg colour space that say nothing (unspecified, reserved).
_UNSPECIFIED: Final = (2, 3)

Frame = Any  # av.VideoFrame: PyAV's own types are not followed


class Decoder:
    """Decodes one stream's pictures; each frame comes out under the RTP timestamp that it went in with."""

    def __init__(self, codec: Codec, *, threads: int = 1, quick: bool = False) -> None:
        """With `quick` the in-loop filter is left out: good enough for following, not for showing."""
        self._codec = av.CodecContext.create(DECODERS[codec], "r")
        self._codec.thread_count = threads
        self._codec.thread_type = "AUTO" if threads > 1 else "NONE"
        if quick:
            self._codec.options = {"skip_loop_filter": "all"}
        self._order = 0
        self._timestamps: dict[int, Picture] = {}

    def decode(self, picture: Picture) -> Iterator[tuple[Picture, Frame]]:
        """Take a picture in; yield the frames that come out, with the picture that each came in as."""
        packet = av.Packet(picture.data)
        # PyAV's time stamps are signed and may not run backwards: the order of sending names a picture here
        packet.pts = self._order
        self._timestamps[self._order] = picture
        self._order += 1
        yield from self._out(self._codec.decode(packet))

    def finish(self) -> Iterator[tuple[Picture, Frame]]:
        """Yield what the decoder still holds."""
        yield from self._out(self._codec.decode(None))

    def _out(self, frames: list[Frame]) -> Iterator[tuple[Picture, Frame]]:
        for frame in frames:
            picture = self._timestamps.pop(frame.pts, None)
            if picture is None:
                continue
            # what went in before and never came out was not to be shown
            if len(self._timestamps) > 64:
                self._timestamps = dict(list(self._timestamps.items())[-32:])
            yield picture, frame


def still(stream: Stream, records: bytes, rtp_timestamp: int) -> tuple[bytes, int, int]:
    """Decode tap records up to the frame of this RTP timestamp; give it as a PNG with its size. Raise StillError."""
    pictures = Pictures(stream, patience=None)
    whole = list(pictures.receive(in_order(records)))
    whole += pictures.finish()
    wanted = [number for number, picture in enumerate(whole) if picture.rtp_timestamp == rtp_timestamp]
    if not wanted:
        raise StillError("That frame is not there any more, or did not arrive whole. Freeze a newer one.")
    begin = max(number for number in range(wanted[0] + 1) if number == 0 or whole[number].key)
    decoder = Decoder(stream.codec, threads=2)
    try:
        for picture in whole[begin : wanted[0] + 1]:
            for shown, frame in decoder.decode(picture):
                if shown.rtp_timestamp == rtp_timestamp:
                    return _png(frame)
        # frames out of order, or threads: the frame comes out when nothing more goes in
        for shown, frame in decoder.finish():
            if shown.rtp_timestamp == rtp_timestamp:
                return _png(frame)
    except av.FFmpegError as error:
        raise StillError("That frame cannot be decoded. Freeze another one.") from error
    raise StillError("That frame cannot be decoded. Freeze another one.")


def _png(frame: Frame) -> tuple[bytes, int, int]:
    space = frame.colorspace
    if space in _UNSPECIFIED:
        # what cameras and browsers mean where they say nothing
        space = Colorspace.ITU709 if frame.height >= 720 else Colorspace.ITU601
    full = frame.color_range == ColorRange.JPEG
    colours = frame.reformat(
        format="rgb24",
        src_colorspace=space,
        src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
        interpolation="BICUBIC",
    )
    encoder: Any = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "rgb24"
    encoder.time_base = Fraction(1, 1)
    # a 4K still in a third of a second rather than in two
    encoder.options = {"compression_level": "1", "pred": "sub"}
    colours.pts = 0
    data = b"".join(bytes(packet) for packet in [*encoder.encode(colours), *encoder.encode(None)])
    return data, frame.width, frame.height


def brightness(frame: Frame) -> NDArray[np.uint8]:
    """Give the luma plane of a frame of 8 bits or more, without a copy where that is possible."""
    plane = frame.planes[0]
    deep = frame.format.components[0].bits > 8
    row = plane.line_size // (2 if deep else 1)
    values: NDArray[Any] = np.frombuffer(plane, np.uint16 if deep else np.uint8)[: row * frame.height]
    values = values.reshape(frame.height, row)[:, : frame.width]
    if not deep:
        return values.view(np.uint8)
    return np.asarray(values >> (frame.format.components[0].bits - 8), dtype=np.uint8)
