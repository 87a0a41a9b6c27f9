"""What was put aside: looked at without harm, tried once more, thrown away, released; by whom, and who is told."""

from __future__ import annotations

from loadtests.caller import Caller
from tests.helpers.dicom_asking import at, bring, get, upload
from tests.helpers.dicom_files import made, sample, written
from tests.helpers.served import Served

SECRETS = (b"Geheim", b"PID-4711", b"19500203")


async def quarantine(running: Served) -> list[dict[str, object]]:
    return (await get(running, "/dicom/quarantine", "chair")).json()["quarantine"]  # type: ignore[no-any-return]


async def test_what_a_refused_file_is_can_be_told_without_harm(running: Served) -> None:
    await upload(running, written(made())[:-9], "Geheim.dcm")
    await upload(running, b"%PDF-1.7 Geheim, Gerda" * 9, "letter.pdf")
    await upload(running, b"Dear all, " * 30)
    text, pdf, cut = await quarantine(running)
    told = await get(running, f"/dicom/quarantine/{cut['number']}/look", "chair")
    assert told.json() == {
        "file": "dicom",
        "modality": "CT",
        "object": "CT Image Storage",
        "syntax": "Explicit VR Little Endian",
        "rows": 4,
        "columns": 6,
    }
    assert not any(secret in told.body for secret in SECRETS)
    assert (await get(running, f"/dicom/quarantine/{pdf['number']}/look", "chair")).json() == {"file": "pdf"}
    assert (await get(running, f"/dicom/quarantine/{text['number']}/look", "surgeon")).json() == {
        "file": "text"
    }
    for role in ("expert", "trainee"):
        assert (await get(running, f"/dicom/quarantine/{cut['number']}/look", role)).status == 403
    assert (await get(running, "/dicom/quarantine/999/look", "chair")).status == 404


async def test_a_file_is_tried_once_more_when_nothing_stands_in_its_way(running: Served) -> None:
    first = made()
    taken = await bring(running, written(first))
    await upload(running, written(made(SOPInstanceUID=first.SOPInstanceUID, PixelData=bytes(48))), "b.dcm")
    (entry,) = await quarantine(running)
    again = f"/dicom/quarantine/{entry['number']}/again"
    assert (await running.ask("POST", again, running.bearer("expert"))).status == 403
    said = (await running.ask("POST", again, running.bearer("chair"))).json()
    assert (said["taken"], said["code"]) == (False, "duplicate")
    assert [one["code"] for one in await quarantine(running)] == ["duplicate"]
    await running.ask("DELETE", at(taken), running.bearer("chair"))
    said = (await running.ask("POST", again, running.bearer("chair"))).json()
    assert said["taken"]
    assert await quarantine(running) == []
    assert (await get(running, at(said) + "/frames/1", accept="application/octet-stream")).body == bytes(48)
    assert (await running.ask("POST", again, running.bearer("chair"))).status == 404


async def test_withheld_pictures_are_listed_released_and_withheld_again(running: Served) -> None:
    (plain,) = await upload(running, written(made()))
    (warned,) = await upload(running, sample("examples_ybr_color.dcm").read_bytes())
    assert (plain["withheld"], warned["withheld"]) == ("", "ultrasound")
    assert (await get(running, at(warned) + "/rendered", "trainee")).status == 403
    (listed,) = (await get(running, "/dicom/withheld")).json()["withheld"]
    assert (listed["why"], listed["instances"], listed["released"]) == (["ultrasound"], 1, 0)
    assert listed["sample"] == [warned["SOPInstanceUID"]]
    assert (await get(running, "/dicom/withheld", "trainee")).status == 403

    async def release(released: bool) -> None:
        body = f'{{"SeriesInstanceUID":"{listed["SeriesInstanceUID"]}","released":{str(released).lower()}}}'
        headers = {**running.bearer("surgeon"), "Content-Type": "application/json"}
        assert (await running.ask("POST", "/dicom/release", headers, body.encode())).status == 200

    await release(True)
    assert (await get(running, at(warned) + "/rendered", "trainee")).status == 200
    assert (await get(running, "/dicom/withheld")).json()["withheld"][0]["released"] == 1
    await release(False)
    assert (await get(running, at(warned) + "/rendered", "trainee")).status == 403


async def test_who_may_bring_images_is_told_how_much_was_put_aside(running: Served) -> None:
    async with (
        Caller(running.url, running.token("surgeon")) as surgeon,
        Caller(running.url, running.token("trainee")) as trainee,
    ):
        await upload(running, b"Dear all, " * 30)
        told = await surgeon.notice("studies")
        assert told["aside"] == {"refused": 1, "withheld": 0, "released": 0}
        assert "aside" not in await trainee.notice("studies")
        await upload(running, sample("examples_ybr_color.dcm").read_bytes())
        assert (await surgeon.notice("studies"))["aside"] == {"refused": 1, "withheld": 1, "released": 0}
    # who comes later is told at once
    async with Caller(running.url, running.token("chair")) as chair:
        assert (await chair.notice("studies"))["aside"] == {"refused": 1, "withheld": 1, "released": 0}
