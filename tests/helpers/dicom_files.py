"""DICOM files for tests: those that come with pydicom, and small ones made to measure."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pydicom.data
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, generate_uid

#: pydicom's own files, which are installed with it.
FOLDER = Path(pydicom.data.__file__).parent / "test_files"


def sample(name: str) -> Path:
    """Name one of pydicom's files."""
    path = FOLDER / name
    assert path.is_file(), f"pydicom has no {name}"
    return path


def made(**attributes: Any) -> Dataset:
    """Make a small CT slice of a patient who does not exist; attributes may be given, None leaves one out."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    values: dict[str, Any] = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": generate_uid(),
        "StudyInstanceUID": "1.3.6.1.4.1.4711.1",
        "SeriesInstanceUID": "1.3.6.1.4.1.4711.2",
        "FrameOfReferenceUID": "1.3.6.1.4.1.4711.3",
        "Modality": "CT",
        "PatientName": "Geheim^Gerda",
        "PatientID": "PID-4711",
        "PatientBirthDate": "19500203",
        "StudyDate": "20240102",
        "StudyDescription": "Abdomen of Gerda Geheim",
        "SeriesNumber": 1,
        "InstanceNumber": 1,
        "Rows": 4,
        "Columns": 6,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 0,
        "PixelData": np.arange(24, dtype="<u2").tobytes(),
    }
    for keyword, value in {**values, **attributes}.items():
        if value is not None:
            setattr(dataset, keyword, value)
    dataset.file_meta.MediaStorageSOPClassUID = values["SOPClassUID"]
    dataset.file_meta.MediaStorageSOPInstanceUID = UID(str(dataset.get("SOPInstanceUID", "1.2.3")))
    return dataset


def written(dataset: Dataset) -> bytes:
    """Write a data set as a file."""
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
