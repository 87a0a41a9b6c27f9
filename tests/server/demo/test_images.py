"""The demo's images: there at once, and of nobody who lives."""

from __future__ import annotations

from pathlib import Path

from server.demo.images import bring_images
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
