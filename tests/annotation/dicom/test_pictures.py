"""Golden pictures: frames of every DICOM test file as they are served, against pydicom's own pixels and against twins.

The twins are the same picture in other transfer syntaxes, all of them without loss.
"""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest

from annotation.dicom.errors import DicomError
from annotation.dicom.metadata import metadata
from annotation.dicom.pixels import as_served, decode
from annotation.dicom.rendering import Viewport, Window, render
from tests.helpers.dicom_files import FOLDER
from tests.helpers.dicom_pictures import FILES, NOT_TAKEN, UNDECODED, described, own_pixels, served, stored


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_frame_is_served_as_pydicom_has_it(path: Path) -> None:
    if path.name in NOT_TAKEN:
        with pytest.raises(DicomError):
            described(path)
        return
    facts, dataset = described(path)
    assert metadata(dataset, facts).startswith("{")
    if facts.kind != "image":
        assert "PixelData" not in pydicom.dcmread(path, force=True)
        return
    if path.name in UNDECODED:
        with pytest.raises((RuntimeError, ValueError)):
            own_pixels(path)
        return
    pixels = own_pixels(path)
    assert facts.NumberOfFrames == len(pixels)
    for frame in {1, len(pixels) // 2 + 1, len(pixels)}:
        data = served(path, facts, frame)
        assert len(data) == facts.frame_bytes
        assert data == as_served(pixels[frame - 1])


TWINS = (
    ("MR_small.dcm", "MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm"),
    (
        "MR_small.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_expb.dcm",
        "MR_small_implicit.dcm",
        "MR_small_padded.dcm",
    ),
    (
        "emri_small.dcm",
        "emri_small_RLE.dcm",
        "emri_small_jpeg_2k_lossless.dcm",
        "emri_small_jpeg_ls_lossless.dcm",
    ),
    ("emri_small.dcm", "emri_small_big_endian.dcm"),
    ("rtdose.dcm", "rtdose_rle.dcm", "rtdose_expb.dcm"),
    ("SC_rgb_2frame.dcm", "SC_rgb_rle_2frame.dcm"),
    ("SC_rgb_16bit_2frame.dcm", "SC_rgb_rle_16bit_2frame.dcm"),
    ("SC_rgb_32bit_2frame.dcm", "SC_rgb_rle_32bit_2frame.dcm"),
    ("693_UNCR.dcm", "693_J2KR.dcm"),
    ("MR2_UNCR.dcm", "MR2_J2KR.dcm"),
    ("US1_UNCR.dcm", "US1_J2KR.dcm"),
    ("liver_1frame.dcm", "liver_expb_1frame.dcm"),
    ("OBXXXX1A_2frame.dcm", "OBXXXX1A_rle_2frame.dcm"),
)


@pytest.mark.parametrize("names", TWINS, ids=lambda names: names[0] + "~" + names[1])
def test_the_same_picture_is_the_same_in_every_transfer_syntax(names: tuple[str, ...]) -> None:
    first, *others = [(path, described(path)[0]) for path in map(stored, names)]
    last = first[1].NumberOfFrames
    for path, facts in others:
        for frame in {1, last}:
            assert served(path, facts, frame) == served(*first, frame), path.name


@pytest.mark.parametrize("name", ["JPGExtended.dcm", "JPEG-lossy.dcm"])
def test_lossy_jpeg_of_twelve_bits_is_what_dcmtk_makes_of_it(name: str, tmp_path: Path) -> None:
    plain = tmp_path / "plain.dcm"
    subprocess.run(["dcmdjpeg", FOLDER / name, plain], check=True, capture_output=True, timeout=60)
    assert np.array_equal(decode(FOLDER / name, 1), pydicom.dcmread(plain).pixel_array)


@pytest.mark.parametrize(
    "name",
    ["CT_small.dcm", "examples_palette.dcm", "examples_ybr_color.dcm", "SC_rgb_rle_16bit.dcm", "rtdose.dcm"],
)
def test_every_kind_of_picture_is_rendered(name: str) -> None:
    from PIL import Image

    path = FOLDER / name
    picture = Image.open(io.BytesIO(render(path, 1, None, "png")))
    facts, _ = described(path)
    assert picture.size == (facts.Columns, facts.Rows)
    colour = facts.PhotometricInterpretation not in ("MONOCHROME1", "MONOCHROME2")
    assert picture.mode == ("RGB" if colour else "L")
    assert len(picture.getcolors(1 << 20) or ()) > 2
    assert render(path, 1, Window(100, 50), "jpeg", Viewport(32, 32)).startswith(b"\xff\xd8")


@pytest.mark.parametrize(
    ("function", "width"), [("", "0"), ("LINEAR", "0.5"), ("SIGMOID", "0"), ("LINEAR_EXACT", "-3")]
)
def test_a_window_that_cannot_be_is_none(function: str, width: str, tmp_path: Path) -> None:
    dataset = pydicom.dcmread(FOLDER / "CT_small.dcm")
    for keyword in ("WindowCenter", "WindowWidth"):
        dataset.pop(keyword, None)
    dataset.save_as(tmp_path / "plain.dcm")
    dataset.WindowCenter, dataset.WindowWidth, dataset.VOILUTFunction = "0", width, function
    dataset.save_as(tmp_path / "odd.dcm")
    plain, odd = (render(tmp_path / name, 1, None, "png") for name in ("plain.dcm", "odd.dcm"))
    assert odd == plain
