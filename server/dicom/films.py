"""Films within DICOM files (PS3.5, 8.2.5 to 8.2.8): put into MP4 without being encoded anew, or shown frame by frame.

Runs in the worker processes: what a film does to FFmpeg costs one question.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from annotation.dicom.errors import DicomError
from annotation.dicom.reading import FAILURES as READING_FAILURES
from annotation.dicom.rendering import Viewport, fitted

#: What a page's own player may know; others are shown frame by frame.
_PLAYED: Final = {"h264": "avc1", "hevc": "hvc1"}
#: Packets of one film: ten hours at 60 frames a second.
PACKETS_LIMIT: Final = 2_200_000
#: Most pixels of a frame that is rendered: 8K.
PIXELS_LIMIT: Final = 36 << 20

#: What FFmpeg and its binding raise at what they did not expect.
FAILURES: Final = (av.FFmpegError, *READING_FAILURES)

Pieces = Sequence[tuple[int, int]]


class Stream(io.RawIOBase):
    """The stream of a film, whose pieces (offset, length) lie in a file."""

    def __init__(self, path: Path, pieces: Pieces) -> None:
        super().__init__()
        self._file = path.open("rb")
        self._pieces = list(pieces)
        self.size = sum(length for _, length in pieces)
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        """Read."""
        left = self.size - self._at
        size = max(0, left if size < 0 else min(size, left))
        found, start, at = [], self._at, 0
        for offset, length in self._pieces:
            if size <= 0:
                break
            if start < at + length:
                inside = start - at
                piece = os.pread(self._file.fileno(), min(size, length - inside), offset + inside)
                found.append(piece)
                size -= len(piece)
                start += len(piece)
            at += length
        body = b"".join(found)
        self._at += len(body)
        return body

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Seek."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """Tell."""
        return self._at

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def close(self) -> None:
        """Close the file, too."""
        self._file.close()
        super().close()


def remux(path: Path, pieces: Pieces, target: Path) -> dict[str, Any]:
    """Write a film as MP4 to `target` and tell what it is; `type` is empty, and nothing written, if no page plays it.

    `rate` is in frames a second, `frames` counts its pictures. Raise DicomError.
    """
    try:
        with Stream(path, pieces) as source, _opened(source) as container:
            return _remux(container, _pictures(container), target)
    except DicomError:
        target.unlink(missing_ok=True)
        raise
    except FAILURES as error:
        target.unlink(missing_ok=True)
        raise _broken(error) from None


def picture(path: Path, pieces: Pieces, number: int, kind: str, viewport: Viewport | None = None) -> bytes:
    """Decode frame `number`, from 1, as PNG or JPEG. Raise DicomError."""
    try:
        with Stream(path, pieces) as source, _opened(source) as container:
            frame = _frame(container, _pictures(container), number)
            image = fitted(frame.to_image(), viewport)
    except DicomError:
        raise
    except FAILURES as error:
        raise _broken(error) from None
    buffer = io.BytesIO()
    if kind == "png":
        image.save(buffer, "PNG", compress_level=1)
    else:
        image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _broken(error: Exception) -> DicomError:
    return DicomError("broken", f"The film cannot be read ({type(error).__name__}).", "film_broken")


def _opened(source: Stream) -> InputContainer:
    # a film names no other files: what it plays is in it
    container = av.open(source, "r", options={"protocol_whitelist": ""}, metadata_errors="replace")
    assert isinstance(container, InputContainer)
    return container


def _pictures(container: InputContainer) -> VideoStream:
    streams = container.streams.video
    if not streams:
        raise DicomError("broken", "The film holds no pictures.", "film_broken")
    stream = streams[0]
    if stream.codec_context is None or not 0 < stream.width * stream.height <= PIXELS_LIMIT:
        raise DicomError("broken", "The film's pictures have no size that can be shown.", "film_broken")
    stream.codec_context.thread_count = 1
    return stream


def _rate(stream: VideoStream) -> float:
    rate = stream.average_rate or stream.guessed_rate
    return float(rate) if rate and 0.1 <= rate <= 1000 else 25.0


def _remux(container: InputContainer, stream: VideoStream, target: Path) -> dict[str, Any]:
    told: dict[str, Any] = {
        "codec": stream.codec_context.name,
        "type": _type(stream),
        "rate": _rate(stream),
        "width": stream.width,
        "height": stream.height,
        "frames": 0,
    }
    count, first = 0, stream.start_time or 0
    if not told["type"]:
        told["frames"] = sum(1 for packet in _packets(container, stream))
        return told
    # the index stands in front, so that a page begins before it has all
    with av.open(str(target), "w", format="mp4", options={"movflags": "faststart"}) as output:
        copied = output.add_stream_from_template(stream)
        copied.codec_tag = _PLAYED[stream.codec_context.name]
        for packet in _packets(container, stream):
            if packet.pts is None or packet.dts is None:
                # a bare stream without times: it is shown frame by frame
                told["type"] = ""
            count += 1
            if told["type"] and packet.pts is not None and packet.dts is not None:
                # the first picture is at 0: what comes before it in decoding lies before that
                packet.pts -= first
                packet.dts -= first
                packet.stream = copied
                output.mux(packet)
    told["frames"] = count
    if count == 0:
        raise DicomError("incomplete", "The film holds no frames.", "film_cut_off")
    if not told["type"]:
        target.unlink(missing_ok=True)
    return told


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[av.Packet]:
    count = 0
    for packet in container.demux(stream):
        if packet.size == 0:
            continue
        count += 1
        if count > PACKETS_LIMIT:
            raise DicomError("too_large", "The film has more frames than are shown.")
        yield packet


def _type(stream: VideoStream) -> str:
    """Name the film as pages ask their player (RFC 6381); empty: none of them plays it."""
    context = stream.codec_context
    extra = bytes(context.extradata or b"")
    if context.name == "h264":
        profile = extra[1:4] if extra[:1] == b"\x01" else _sequence_parameters(extra)
        return f'video/mp4; codecs="avc1.{profile.hex()}"' if len(profile) == 3 else ""
    if context.name == "hevc":
        # Main or Main 10, main tier
        ten = "2.4" if "10" in (context.profile or "") else "1.6"
        return f'video/mp4; codecs="hvc1.{ten}.L153.B0"'
    return ""


def _sequence_parameters(extra: bytes) -> bytes:
    """Find profile, constraints and level in a byte stream's sequence parameter set (H.264, 7.3.2.1.1)."""
    at = extra.find(b"\0\0\1")
    while at >= 0:
        if extra[at + 3 : at + 4] and extra[at + 3] & 0x1F == 7:
            return extra[at + 4 : at + 7]
        at = extra.find(b"\0\0\1", at + 3)
    return b""


def _frame(container: InputContainer, stream: VideoStream, number: int) -> av.VideoFrame:
    """Find a frame by its time where it can be found so, else by counting."""
    base, start, rate = stream.time_base, stream.start_time, _rate(stream)
    if number > 1 and base and start is not None:
        wanted = float(start * base) + (number - 1) / rate
        container.seek(int(wanted / base), stream=stream, backward=True)
        first = True
        for frame in container.decode(stream):
            if frame.time is None or (first and frame.time > wanted + 0.5 / rate):
                # it was looked for behind the place: the film has to be counted through
                break
            first = False
            if frame.time >= wanted - 0.5 / rate:
                return frame
        container.seek(0)
    for count, frame in enumerate(container.decode(stream), 1):
        if count == number:
            return frame
    raise DicomError("incomplete", "The film has fewer frames than it says.", "film_cut_off")
