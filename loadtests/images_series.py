"""A CT series to load: a phantom of a body with organs and a scanner's noise, 512 × 512 × 16 bit a slice."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from .server_process import ROOT

SIDE = 512
#: Bytes of a slice's samples.
SLICE_BYTES = SIDE * SIDE * 2


def series(slices: int) -> list[Path]:
    """Give the files of a series with so many slices; written once, then kept below ``build/``. Blocking."""
    folder = ROOT / "build" / "loadtests" / f"ct-{slices}"
    paths = [folder / f"{number:04}.dcm" for number in range(1, slices + 1)]
    if folder.is_dir():
        return paths
    # whole or not at all: a run that is ended leaves no half of a series
    unfinished = folder.with_name(f"{folder.name}.{os.getpid()}")
    unfinished.mkdir(parents=True, exist_ok=True)
    try:
        for number in range(1, slices + 1):
            _slice(number, slices).save_as(unfinished / f"{number:04}.dcm", enforce_file_format=True)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return paths


def samples(path: Path) -> bytes:
    """Read a slice's samples: they stand last in the file."""
    return path.read_bytes()[-SLICE_BYTES:]


def _slice(number: int, slices: int) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=[f"konsil load {slices} {number}"])
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=[f"konsil load study {slices}"])
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[f"konsil load series {slices}"])
    dataset.FrameOfReferenceUID = generate_uid(entropy_srcs=[f"konsil load frame {slices}"])
    dataset.PatientName, dataset.PatientID = "Load^Test", "LOAD-0001"
    dataset.StudyDate, dataset.StudyTime = "20260105", "090000"
    dataset.Modality, dataset.SeriesNumber, dataset.InstanceNumber = "CT", 1, number
    dataset.StudyDescription, dataset.SeriesDescription = "CT", "phantom"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.ImagePositionPatient = [-200, -200, 0.5 * number]
    dataset.PixelSpacing, dataset.SliceThickness = [0.78125, 0.78125], 0.5
    dataset.Rows = dataset.Columns = SIDE
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = 0, 1, "HU"
    dataset.WindowCenter, dataset.WindowWidth = 40, 400
    dataset.PixelData = _picture(number, slices)
    return dataset


def _picture(number: int, slices: int) -> bytes:
    down, across = numpy.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    height = number / slices
    units = numpy.full((SIDE, SIDE), -1000.0)
    # fat, muscle, the spine, an organ that comes and goes along the body
    units[(across / 0.85) ** 2 + (down / 0.6) ** 2 < 1] = -90
    units[(across / 0.78) ** 2 + (down / 0.53) ** 2 < 1] = 50
    units[across**2 + (down - 0.35) ** 2 < 0.01] = 700
    units[(across + 0.35) ** 2 + down**2 < 0.09 * numpy.sin(numpy.pi * height) ** 2] = 110
    noise = numpy.random.default_rng(number).normal(0, 18, (SIDE, SIDE))
    return (units + noise).astype("<i2").tobytes()
