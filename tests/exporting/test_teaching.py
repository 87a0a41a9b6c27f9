"""Teaching copies on a running server: with consent alone, seen by nobody before a look, gone with the consent."""

from __future__ import annotations

import io
import json
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import av
import pytest

from server.exporting.rows import Row
from server.exporting.sign_off import is_given, may_see, read_looks
from server.keeping import decisions
from server.keeping.audit import Doer
from signalling.patient import Identity, Patient
from signalling.permissions import Role
from tests.exporting.recordings import FIELD, consultation, drawn, mark
from tests.exporting.test_exports import ROOM, archive, done, listed, post
from tests.helpers.journals import RECORDING
from tests.helpers.served import Answered, Served, served

WHO = Doer("p", "Dr. Test", "surgeon", ROOM)
LOOKED = {"looked_at": ["pictures", "sound", "texts"]}


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    text = mark("m-1", "text", 5, [[0.5, 0.5]], text="Keller, 12.03.1970: 5 mm, Schulz 欧阳伟")
    archive(tmp_path, consultation(tmp_path / "made", [drawn(1, 0.5, text)]))
    async with served(tmp_path) as server:
        yield server


async def consent(server: Served, *, given: bool) -> None:
    """Write consent to teaching down, as the archive's page does."""
    started = 1_795_343_000_000
    await server.service.database.run(lambda c: decisions.register(c, [(RECORDING, ROOM, started)]))
    body = {"purpose": "teaching", "given": given, "reference": "F-2026/118"}
    address = f"/api/keeping/recordings/{RECORDING}/consent"
    answer = await server.ask("POST", address, server.bearer("surgeon", ROOM), json.dumps(body).encode())
    assert answer.status == 200, answer.body


async def sign(server: Served, export: str, role: Role, body: object = LOOKED) -> Answered:
    address = f"/api/exports/{export}/sign-off"
    return await server.ask("POST", address, server.bearer(role, ROOM), json.dumps(body).encode())


async def seen(server: Served, role: Role) -> list[dict[str, Any]]:
    address = f"/api/exports?recording={RECORDING}"
    answer = await server.ask("GET", address, server.bearer(role, ROOM))
    assert answer.status == 200
    found: list[dict[str, Any]] = answer.json()
    return found


async def test_from_consent_to_the_learners_and_away_again(running: Served) -> None:
    mask = {"producer": FIELD, "x": 0.0, "y": 0.0, "width": 0.25, "height": 0.25}
    options = {"from": 0.5, "to": 1.0, "height": 360, "texts": True, "masks": [mask]}
    refused = await post(running, "teaching", **options)
    assert (refused.status, "no consent" in refused.json()["message"]) == (403, True)
    await consent(running, given=True)
    # whoever completed its patients after the consultation named these two: the journal never hid them
    added = [Patient(Identity("", name=name), f"p-{name}") for name in ("Schulz^Eva", "Ouyang^Wei=欧阳^伟")]
    key = running.service.archive.library.key(RECORDING)
    await running.service.recorded_patients.keep(RECORDING, key, added, final=True)
    export = (await post(running, "teaching", **options)).json()["export"]
    waiting = await done(running, export, "needs_sign_off")
    assert sorted(file["name"] for file in waiting["files"]) == ["captions.vtt", "film.mp4"]
    film, words = (f"/api/exports/{export}/{name}" for name in ("film.mp4", "captions.vtt"))

    # nobody but who may export sees that it is there
    for role in ("expert", "trainee"):
        assert await seen(running, role) == []
        assert (await running.ask("GET", film, running.bearer(role, ROOM))).status == 403
        assert (await sign(running, export, role)).status == 403
    looked = await running.ask("GET", film, running.bearer("chair", ROOM))
    assert looked.status == 200
    assert RECORDING not in looked.headers["content-disposition"]
    with av.open(io.BytesIO(looked.body)) as container:
        assert (len(container.streams.audio), "title" in container.metadata) == (0, False)
        assert set(container.metadata) <= {"major_brand", "minor_version", "compatible_brands", "encoder"}
        frames = [frame.to_ndarray(format="gray").astype(int) for frame in container.decode(video=0)]
    assert len(frames) == 15
    # the field is 576 × 324 of 640 × 360; in its corner its number flickers, beside it too
    assert max(frame[2:78, 36:172].max() for frame in frames) < 24
    assert max(frame[2:78, 180:316].max() for frame in frames) > 200
    text = (await running.ask("GET", words, running.bearer("chair", ROOM))).body.decode()
    assert "Expert 1" in text
    assert "5 mm" in text
    for told in ("Keller", "1970", "Schulz", "欧阳"):
        assert told not in text

    # one look that is left out is none
    body: object
    for body in ({}, [], {"looked_at": ["pictures", "sound"]}, {"looked_at": [*LOOKED["looked_at"], "x"]}):
        assert (await sign(running, export, "chair", body)).status == 400
    assert (await sign(running, export, "chair")).status == 204
    assert (await sign(running, export, "chair")).status == 409
    (copy,) = await seen(running, "trainee")
    assert (copy["export"], copy["kind"], copy["state"]) == (export, "teaching", "done")
    assert (await running.ask("GET", film, running.bearer("trainee", ROOM))).body == looked.body
    for role, room, status in (("observer", ROOM, 403), ("trainee", "ward", 404)):
        assert (await running.ask("GET", film, running.bearer(role, room))).status == status  # type: ignore[arg-type]
    assert (
        await running.ask("DELETE", f"/api/exports/{export}", running.bearer("trainee", ROOM))
    ).status == 403
    # it stays longer than other exports
    await running.service.exports.sweep(time.time() + 10_000 * 3600)
    assert len(await listed(running)) == 1

    # a hold withholds it, and takes nothing away
    service = running.service
    number = await service.database.run(
        lambda c: decisions.hold(c, WHO, service.keeper.now(), RECORDING, "Case")
    )
    held = await running.ask("GET", film, running.bearer("trainee", ROOM))
    assert (held.status, "legal hold" in held.json()["message"]) == (403, True)
    await service.database.run(
        lambda c: decisions.lift(c, WHO, service.keeper.now(), RECORDING, number, "Closed")
    )
    assert (await running.ask("GET", film, running.bearer("trainee", ROOM))).status == 200

    # consent that is withdrawn takes it away at once
    await consent(running, given=False)
    assert await listed(running) == []
    assert (await running.ask("GET", film, running.bearer("trainee", ROOM))).status == 404
    assert not (running.folder / "recordings" / "exports" / export).exists()

    def deeds(c: sqlite3.Connection) -> list[str]:
        return [
            json.loads(entry)["deed"] for (entry,) in c.execute("SELECT entry FROM audit ORDER BY number")
        ]

    said = await service.database.run(deeds)
    assert [deed for deed in said if deed.startswith(("export", "teaching"))] == [
        # all of them are one person here, who fetched the film once within the hour
        "export_asked", "export_fetched", "export_fetched", "export_signed_off", "teaching_copy_withdrawn",
    ]  # fmt: skip


async def test_one_camera_with_a_mask_and_its_sound_and_no_words(running: Served) -> None:
    await consent(running, given=True)
    mask = {"producer": FIELD, "x": 0.0, "y": 0.0, "width": 0.5, "height": 1.0}
    options = {"from": 0.5, "to": 0.75, "view": "camera", "height": 360, "sound": True, "masks": [mask]}
    export = (await post(running, "teaching", **options)).json()["export"]
    waiting = await done(running, export, "needs_sign_off")
    assert [file["name"] for file in waiting["files"]] == ["film.mp4"]
    address = f"/api/exports/{export}/film.mp4"
    film = (await running.ask("GET", address, running.bearer("surgeon", ROOM))).body
    with av.open(io.BytesIO(film)) as container:
        assert len(container.streams.audio) == 1
        luma = next(container.decode(video=0)).to_ndarray()[:360].astype(int)
    assert abs(luma[:, :310] - 16).max() <= 8
    assert luma[:, 330:].max() > 60


def row(kind: str, state: str) -> Row:
    return Row("e-1", RECORDING, ROOM, kind, "p", 0.0, state)  # type: ignore[arg-type]


def test_who_sees_and_who_is_given() -> None:
    roles: tuple[Role, ...] = ("surgeon", "chair", "expert", "trainee", "observer")

    def verdicts(kind: str, state: str) -> tuple[str, str]:
        one = row(kind, state)
        see = "".join(role[0] for role in roles if may_see(role, one))
        return see, "".join(role[0] for role in roles if may_see(role, one) and is_given(role, one))

    assert verdicts("teaching", "needs_sign_off") == ("sc", "sc")
    assert verdicts("teaching", "done") == ("scet", "scet")
    assert verdicts("teaching", "running") == ("sc", "")
    assert verdicts("camera", "done") == ("sc", "sc")
    assert verdicts("camera", "needs_sign_off") == ("sc", "")
    assert verdicts("dicom", "done") == ("sc", "sc")


def test_a_look_is_at_all_of_it() -> None:
    read_looks(LOOKED)
