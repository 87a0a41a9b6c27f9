"""Marks that came as a presentation state, and images that come after it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import UID

from annotation.dicom.outgoing import DrawnMark
from annotation.dicom.presentation import presentation_states
from loadtests.caller import calling
from tests.helpers.drawing import a_stamp, image, mark
from tests.helpers.hospital_asking import patient_notice
from tests.helpers.served import Served, served


def bytes_of(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def two_images_and_their_state() -> tuple[Dataset, Dataset, Dataset]:
    first, second = image("CT_small.dcm"), image("CT_small.dcm")
    second.SOPInstanceUID = second.file_meta.MediaStorageSOPInstanceUID = UID(f"{first.SOPInstanceUID}.2")
    marks = [
        # without an identifier of ours in the file they are known by what they look like
        DrawnMark(mark("arrow", "first"), "pt-1", "Dr. Li Wei", "#4cc2ff", 1.0),
        DrawnMark(mark("ellipse", "second"), "pt-1", "Dr. Li Wei", "#4cc2ff", 2.0),
    ]
    (state,) = presentation_states(marks, {"first": first, "second": second}, a_stamp())
    for annotation in state.GraphicAnnotationSequence:
        for graphic in annotation.GraphicObjectSequence:
            del graphic.TrackingID, graphic.TrackingUID
    return first, second, state


async def bring(server: Served, dataset: Dataset) -> None:
    answered = await server.ask("POST", "/dicom/upload", server.bearer("surgeon"), bytes_of(dataset))
    assert answered.status == 200


async def test_marks_wait_for_their_images_and_come_once(tmp_path: Path) -> None:
    first, second, state = two_images_and_their_state()
    async with (
        served(tmp_path) as server,
        calling(server.url, server.token("surgeon")) as (surgeon,),
    ):
        recall = server.service.rooms["ward"].recall
        await bring(server, state)
        await bring(server, first)
        shaft, wings = [(await patient_notice(surgeon, "operation"))["operation"] for _ in range(2)]
        assert recall.skipped == 0
        # what was taken away here does not come back with the next image
        await surgeon.request("mark", operation={"kind": "clear_field", "of": "dicom"})
        await patient_notice(surgeon, "operation")
        await bring(server, second)
        later: dict[str, Any] = (await patient_notice(surgeon, "operation"))["operation"]
        assert (later["kind"], later["mark"]["shape"]) == ("add", "ellipse")
        assert later["mark"]["anchor"] != shaft["mark"]["anchor"] == wings["mark"]["anchor"]
        assert (recall.added, recall.skipped) == (3, 0)
