"""Comments go out of compressed pictures, and not a pixel changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate, generate_frames

from annotation.dicom.codestream import CodestreamError, without_comments
from annotation.dicom.reading import quietly
from tests.helpers.dicom_files import FOLDER, sample

SECRET = b"Frau Geheim"


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


def stream_of(path: Path) -> bytes:
    return next(generate_frames(pydicom.dcmread(path).PixelData, number_of_frames=1))


REMARKS = segment(0xFE, SECRET) + segment(0xE1, b"Exif\0\0" + SECRET) + segment(0xE0, b"JFXX\0" + SECRET)


@pytest.mark.parametrize(
    "name", ["SC_rgb_jpeg_dcmtk.dcm", "JPEG-lossy.dcm", "SC_rgb_jls_lossy_line.dcm", "JPGExtended.dcm"]
)
def test_remarks_in_jpeg_go_wherever_they_stand(name: str) -> None:
    plain = without_comments(stream_of(sample(name)))
    scan = plain.index(b"\xff\xda")
    end = plain.rindex(b"\xff\xd9")
    whole = plain[:2] + REMARKS + plain[2:scan] + REMARKS + plain[scan:end] + REMARKS + plain[end:] + SECRET
    assert without_comments(whole) == plain


def test_remarks_in_jpeg_2000_go_and_so_do_boxes() -> None:
    plain = without_comments(stream_of(sample("JPEG2000.dcm")))
    tile = plain.index(b"\xff\x90")
    whole = plain[:tile] + segment(0x64, b"\0\1" + SECRET) + plain[tile:]
    assert without_comments(whole) == plain
    head = b"\0\0\0\x0cjP  \r\n\x87\n" + (8 + len(SECRET)).to_bytes(4, "big") + b"xml " + SECRET
    boxed = head + (8 + len(whole)).to_bytes(4, "big") + b"jp2c" + whole
    assert without_comments(boxed) == plain


def encapsulated(path: Path) -> bool:
    dataset = quietly(pydicom.dcmread, path, force=True, stop_before_pixels=True)
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    return "Rows" in dataset and bool(syntax) and syntax.is_encapsulated and "RLE" not in syntax.name


@pytest.mark.parametrize(
    "path", [path for path in sorted(FOLDER.glob("*.dcm")) if encapsulated(path)], ids=lambda path: path.name
)
def test_no_pixel_of_pydicoms_files_changes(path: Path) -> None:
    dataset = quietly(pydicom.dcmread, path)
    frames = max(1, int(dataset.get("NumberOfFrames", 1) or 1))
    streams = [without_comments(f) for f in generate_frames(dataset.PixelData, number_of_frames=frames)]
    try:
        before = quietly(lambda: dataset.pixel_array)
    except (NotImplementedError, RuntimeError, ValueError):
        # what is not decoded cannot be compared
        assert streams
        return
    dataset.PixelData = encapsulate(streams)
    assert np.array_equal(quietly(lambda: dataset.pixel_array), before)


@pytest.mark.parametrize(
    "stream",
    [
        b"", b"\xff", b"\xff\xd8", b"\xff\xd8\xff", b"\xff\xd8\xff\xfe\0\1", b"\xff\xd8\xff\xfe\xff\xff", b"\xff\xd8ab",
        b"\xff\xd8\xff\x00", b"\xff\x4f", b"\xff\x4f\xff\x64\0", b"\0\0\0\x0cjP  ", b"\0\0\0\x0cjP  \0\0\0\0\0\0\0\0",
    ],
)  # fmt: skip
def test_what_is_no_stream_is_refused(stream: bytes) -> None:
    with pytest.raises(CodestreamError):
        without_comments(stream)
