"""Films as DICOM files, encoded by FFmpeg: each frame tells its number by its brightness."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import av
import numpy as np
import pydicom
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from .dicom_files import made, written

#: Frames a second.
RATE = 25
WIDTH, HEIGHT = 160, 120

H264 = "1.2.840.10008.1.2.4.102"
HEVC = "1.2.840.10008.1.2.4.107"
MPEG2 = "1.2.840.10008.1.2.4.100"
ENDOSCOPY = "1.2.840.10008.5.1.4.1.1.77.1.1.1"

_CODECS = {H264: "libx264", HEVC: "libx265", MPEG2: "mpeg2video"}


def level(number: int) -> int:
    """Give the brightness of frame `number`, from 1: neighbours are far apart."""
    return 40 + (number * 37) % 160


def encoded(syntax: str, frames: int, container: str = "mp4") -> bytes:
    """Encode a film."""
    buffer = io.BytesIO()
    options = {"preset": "ultrafast", "qp": "10"} if syntax != MPEG2 else {"qscale": "2"}
    if syntax == H264:
        # two frames between those that refer to none other: their times are not their order
        options |= {"bf": "2", "g": "10"}
    if syntax == HEVC:
        options |= {"x265-params": "log-level=none"}
    with av.open(buffer, "w", format=container) as output:
        stream = output.add_stream(_CODECS[syntax], rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(1, frames + 1):
            picture = np.full((HEIGHT, WIDTH, 3), level(number), np.uint8)
            picture[: HEIGHT // 8] = 255
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number - 1
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return buffer.getvalue()


def film(
    syntax: str = H264,
    frames: int = 30,
    container: str = "mp4",
    stream: bytes | None = None,
    **attributes: Any,
) -> bytes:
    """Write a film as an endoscopy object that says it bears no words."""
    data = encoded(syntax, frames, container) if stream is None else stream
    single = {
        "SamplesPerPixel": 3,
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PlanarConfiguration": 0,
    }
    dataset = made(
        SOPClassUID=ENDOSCOPY, Modality="ES", BurnedInAnnotation="NO", NumberOfFrames=frames, Rows=HEIGHT,
        Columns=WIDTH, PhotometricInterpretation="YBR_PARTIAL_420", FrameTime=1000 / RATE,
        PixelData=encapsulate([data + b"\0" * (len(data) % 2)]), **{**single, **attributes},
    )  # fmt: skip
    dataset["PixelData"].is_undefined_length = True
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    return written(dataset)


def read_back(path: Path) -> pydicom.Dataset:
    """Read a film's file."""
    return pydicom.dcmread(path)
