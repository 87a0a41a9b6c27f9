"""The page's own pixels of every picture that comes with pydicom, and of made ones, against what PS3.3 C.11 says.

The page's code runs in Node on the metadata and the frames that the server sends; a few of the files are painted in a
browser as well (`tests/browser/test_images.py`).
"""

from __future__ import annotations

import json
import subprocess
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import pixel_array
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian

from annotation.dicom.metadata import metadata
from annotation.dicom.rendering import render
from annotation.dicom.room_uids import RoomUids
from tests.helpers.dicom_files import made
from tests.helpers.dicom_pictures import (
    FILES,
    LARGER,
    NOT_TAKEN,
    UNDECODED,
    described,
    served,
    stored,
)
from tests.helpers.node import NODE, WEB_CLIENT

#: Large ones in JPEG 2000, whose uncompressed twins are painted; what is decoded of them, `test_pictures.py` sees to.
TWINS = {"RG1_J2KI.dcm", "RG1_J2KR.dcm", "RG3_J2KI.dcm", "RG3_J2KR.dcm"}

Picture = npt.NDArray[np.uint8]


@dataclass
class Case:
    path: Path
    frame: int
    body: dict[str, Any]


def group(dataset: Dataset, frame: int, sequence: str) -> Dataset:
    """Find a functional group: the frame's own, else that of all frames, else the data set itself."""
    own = dataset.get("PerFrameFunctionalGroupsSequence")
    shared = dataset.get("SharedFunctionalGroupsSequence")
    for item in (own[frame - 1] if own else None, shared[0] if shared else None):
        if item is not None and item.get(sequence):
            found: Dataset = item[sequence][0]
            return found
    return dataset


def looked_up(table: Dataset, values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Give the shares of white that a table has."""
    entries, first, bits = (int(part) for part in table.LUTDescriptor)
    data = np.asarray(table.LUTData, np.uint16)
    at = np.clip(values.astype(np.int64) - first, 0, (entries or 65536) - 1)
    return np.asarray(data[at] / (2**bits - 1))


def shares(values: npt.NDArray[np.float64], about: Dataset) -> npt.NDArray[np.float64]:
    """Give how white each value is (PS3.3, C.11.2.1): the file's own window, its table, or all that there is."""
    function = str(about.get("VOILUTFunction") or "LINEAR")
    centre, width = (
        float(value if isinstance(value, float | int | str) else value[0])
        for value in (about.get("WindowCenter") or 0.0, about.get("WindowWidth") or 0.0)
    )
    if width <= 0 or (function == "LINEAR" and width < 1):
        if about.get("VOILUTSequence"):
            return looked_up(about.VOILUTSequence[0], values)
        low, high = float(values.min()), float(values.max())
        centre, width = (low + high + 1) / 2, max(1.0, high - low + 1)
    if function == "SIGMOID":
        return 1 / (1 + np.exp(-4 * (values - centre) / width))
    if function == "LINEAR":
        centre, width = centre - 0.5, width - 1
    if width == 0:
        return np.where(values <= centre, 0.0, 1.0)
    share = np.clip((values - centre) / width + 0.5, 0, 1)
    return np.asarray(np.where(values <= centre - width / 2, 0.0, share))


def expected(case: Case) -> Picture:
    """Draw a frame from pydicom's pixels, as the standard says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(case.path)
        # of many that frame alone
        many = int(dataset.get("NumberOfFrames") or 1) > 1
        pixels = pixel_array(case.path, index=case.frame - 1) if many else dataset.pixel_array
    photometric = str(dataset.PhotometricInterpretation)
    if photometric == "PALETTE COLOR":
        if dataset.file_meta.TransferSyntaxUID == ExplicitVRBigEndian:
            # pydicom reads these tables as little-endian
            for name in ("Red", "Green", "Blue"):
                element = dataset.get(f"{name}PaletteColorLookupTableData")
                if element:
                    turned = np.frombuffer(element, ">u2").astype("<u2").tobytes()
                    setattr(dataset, f"{name}PaletteColorLookupTableData", turned)
        coloured = apply_color_lut(pixels, dataset)
        # entries of eight bits stay, of those of sixteen the upper half is seen
        return np.asarray(coloured >> (8 * (coloured.dtype.itemsize - 1)), np.uint8)
    if pixels.ndim == 3:
        return np.asarray(pixels[..., :3] >> max(0, int(dataset.BitsStored) - 8), np.uint8)
    transformed = group(dataset, case.frame, "PixelValueTransformationSequence")
    if dataset.get("ModalityLUTSequence"):
        table = dataset.ModalityLUTSequence[0]
        values = looked_up(table, pixels) * (2 ** int(table.LUTDescriptor[2]) - 1)
    else:
        slope, intercept = (
            transformed.get("RescaleSlope", 1) or 1,
            transformed.get("RescaleIntercept", 0) or 0,
        )
        values = pixels.astype(np.float64) * float(slope) + float(intercept)
    share = shares(values, group(dataset, case.frame, "FrameVOILUTSequence"))
    level = np.floor(share * 255 + 0.5).astype(np.uint8)
    level = 255 - level if photometric == "MONOCHROME1" else level
    return np.repeat(level[..., None], 3, axis=2)


def of(path: Path, *frames: int) -> Iterator[Case]:
    facts, dataset = described(path)
    RoomUids(b"k" * 32).apply(dataset)
    body = json.loads(metadata(dataset, facts))
    for frame in frames or sorted({1, facts.NumberOfFrames}):
        yield Case(path, frame, body)


def paint(cases: list[Case], folder: Path) -> list[Picture]:
    """Have the page's code paint frames."""
    asked = []
    for index, case in enumerate(cases):
        bytes_of, painted = folder / f"{index}.frame", folder / f"{index}.rgba"
        bytes_of.write_bytes(served(case.path, described(case.path)[0], case.frame))
        asked.append(
            {"metadata": case.body, "frame": case.frame, "bytes": str(bytes_of), "painted": str(painted)}
        )
    question = folder / "frames.json"
    question.write_text(json.dumps(asked))
    run = subprocess.run(
        [NODE, "test/paint_frames.mjs", str(question)],
        cwd=WEB_CLIENT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    pictures = []
    for case, told, question_of in zip(cases, json.loads(run.stdout), asked, strict=True):
        assert "error" not in told, f"{case.path.name} frame {case.frame}: {told['error']}"
        data = np.frombuffer(Path(str(question_of["painted"])).read_bytes(), np.uint8)
        data = data.reshape(told["rows"], told["columns"], 4)
        assert (data[..., 3] == 255).all()
        pictures.append(data[..., :3])
    return pictures


def hold_against(cases: list[Case], pictures: list[Picture]) -> None:
    wrong = {}
    for case, drawn in zip(cases, pictures, strict=True):
        wanted = expected(case)
        apart = int(np.abs(drawn.astype(int) - wanted.astype(int)).max())
        # one step: our rounding of a half beside numpy's
        if apart > 1:
            wrong[f"{case.path.name} frame {case.frame}"] = apart
    assert wrong == {}


def test_the_page_paints_every_picture_as_pydicom_has_it(tmp_path: Path) -> None:
    cases = [
        case
        for path in [*FILES, *LARGER]
        if path.name not in NOT_TAKEN | set(UNDECODED) | TWINS and described(path)[0].kind == "image"
        for case in of(path)
    ]
    assert len({case.path for case in cases}) > 90
    hold_against(cases, paint(cases, tmp_path))


@pytest.mark.parametrize("function", ["SIGMOID", "LINEAR_EXACT", "LINEAR"])
def test_a_window_in_functional_groups_is_that_of_its_frame(function: str, tmp_path: Path) -> None:
    dataset = pydicom.dcmread(stored("emri_small.dcm"))
    count = int(dataset.NumberOfFrames)
    dataset.PerFrameFunctionalGroupsSequence = Sequence([Dataset() for _ in range(count)])
    for number, item in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        window = Dataset()
        window.WindowCenter, window.WindowWidth, window.VOILUTFunction = 300 + 40 * number, 150.5, function
        item.FrameVOILUTSequence = Sequence([window])
        values = Dataset()
        values.RescaleSlope, values.RescaleIntercept, values.RescaleType = "1.5", "-10", "US"
        item.PixelValueTransformationSequence = Sequence([values])
    path = tmp_path / "grouped.dcm"
    dataset.save_as(path)
    cases = list(of(path, 1, count // 2, count))
    pictures = paint(cases, tmp_path)
    hold_against(cases, pictures)
    assert not np.array_equal(pictures[0], pictures[-1])


def test_a_palette_of_a_big_endian_file_is_rendered_as_its_twin() -> None:
    little, big = (render(stored(name), 1, None, "png") for name in ("OBXXXX1A.dcm", "OBXXXX1A_expb.dcm"))
    assert little == big


def test_tables_stand_for_windows_and_slopes(tmp_path: Path) -> None:
    table = Dataset()
    table.LUTDescriptor, table.LUTData = [24, 0, 12], [min(4095, value * 170) for value in range(24)]
    table["LUTDescriptor"].VR = table["LUTData"].VR = "US"
    made(VOILUTSequence=Sequence([table])).save_as(tmp_path / "voi.dcm", enforce_file_format=True)
    modality = Dataset()
    modality.LUTDescriptor, modality.LUTData = [24, 0, 16], [value * value * 100 for value in range(24)]
    modality["LUTDescriptor"].VR = modality["LUTData"].VR = "US"
    modality.ModalityLUTType = "US"
    made(ModalityLUTSequence=Sequence([modality]), WindowCenter=20_000, WindowWidth=30_000).save_as(
        tmp_path / "modality.dcm", enforce_file_format=True
    )
    cases = [*of(tmp_path / "voi.dcm"), *of(tmp_path / "modality.dcm")]
    hold_against(cases, paint(cases, tmp_path))
