"""The demo's images: there at once, and of nobody who lives."""

from __future__ import annotations

import io
from pathlib import Path

import pydicom

from server.demo.images import SERIES, bring_images, relabelled
from tests.helpers.served import served


async def test_a_new_room_has_images_of_the_demo_patient_once(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        store = server.service.images.store
        await bring_images(server.service, "demo")
        records = store.instances("demo")
        assert {"US", "CT", "ECG"} <= {record.facts.Modality for record in records}
        assert {record.facts.PatientID for record in records} == {"DEMO-0001"}
        assert len({record.patient_key for record in records}) == 1
        assert store.refused("demo") == []
        await bring_images(server.service, "demo")
        assert len(store.instances("demo")) == len(records)


def test_each_series_is_one_and_the_same_at_each_start() -> None:
    files = list(relabelled())
    assert files == list(relabelled())
    read = [pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True) for data in files]
    assert len(read) == sum(len(paths) for _, _, paths in SERIES)
    told = {(str(d.StudyInstanceUID), str(d.SeriesInstanceUID), str(d.StudyDescription)) for d in read}
    assert len(told) == sum(1 for _, _, paths in SERIES if paths)
    assert {d.PatientID for d in read} == {"DEMO-0001"}
