"""What the server sends of pydicom's own files, and what pydicom makes of them."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.data import get_testdata_file
from pydicom.data.data_manager import external_data_sources
from pydicom.dataset import Dataset

from annotation.dicom.describe import describe
from annotation.dicom.facts import Facts
from annotation.dicom.pixels import as_served, decode
from annotation.dicom.reading import parse
from tests.helpers.dicom_files import FOLDER

#: Files whose pixels pydicom does not decode either, and why.
UNDECODED = {
    "JPEG2000-embedded-sequence-delimiter.dcm": "its stream is broken",
    "badVR.dcm": "its number of frames is no number",
    "JPEG-lossy.dcm": "lossy JPEG of 12 bits",
    "JPGExtended.dcm": "lossy JPEG of 12 bits",
    "OT-PAL-8-face.dcm": "it has no preamble",
    "emri_small_jpeg_2k_lossless_too_short.dcm": "it is cut off",
}

#: What cannot be taken into a room, whatever its pixels: no series, or cut off.
NOT_TAKEN = {
    *("JPEGLSNearLossless_08.dcm", "JPEGLSNearLossless_16.dcm", "SC_rgb_jls_lossy_line.dcm"),
    *("SC_rgb_jls_lossy_sample.dcm", "MR_truncated.dcm", "UN_sequence.dcm", "empty_charset_LEI.dcm"),
    *("meta_missing_tsyntax.dcm", "nested_priv_SQ.dcm", "no_meta.dcm", "no_meta_group_length.dcm"),
    *("priv_SQ.dcm", "rtplan_truncated.dcm", "bad_sequence.dcm"),
}

FILES = sorted(FOLDER.glob("*.dcm"))
#: Those of its package of larger ones, as far as they have another name.
LARGER = sorted(
    path
    for source in external_data_sources().values()
    for path in Path(source.data_path).glob("*.dcm")
    if not (FOLDER / path.name).exists()
)


def stored(name: str) -> Path:
    """Name a file of pydicom, or of its package of larger ones."""
    path = FOLDER / name
    return path if path.exists() else Path(str(get_testdata_file(name, download=False)))


def described(path: Path) -> tuple[Facts, Dataset]:
    """Read a file as the store does. Raise DicomError."""
    with path.open("rb") as file:
        parsed = parse(file)
        return describe(parsed), parsed.dataset


def served(path: Path, facts: Facts, frame: int) -> bytes:
    """Give what the server sends of a frame."""
    if facts.pixel_offset:
        with path.open("rb") as file:
            if facts.TransferSyntaxUID != (
                pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID
            ):
                # it was deflated: what lies ready is the inflated file
                source = parse(file).source
                source.seek(facts.pixel_offset + (frame - 1) * facts.frame_bytes)
                return source.read(facts.frame_bytes)
            file.seek(facts.pixel_offset + (frame - 1) * facts.frame_bytes)
            return file.read(facts.frame_bytes)
    return as_served(decode(path, frame))


def own_pixels(path: Path) -> npt.NDArray[np.generic]:
    """Give all frames as pydicom decodes them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(path)
        pixels = dataset.pixel_array
    return pixels if dataset.get("NumberOfFrames", 1) not in (None, 1) else pixels[np.newaxis]
