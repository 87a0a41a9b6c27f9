"""Exports of a running server: asked for, watched, fetched, cancelled at any point, gone on with after a kill."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import av
import pytest

from recorder.seal import keys
from recorder.seal.file import CHUNK
from recorder.signing import sign_recording
from server.archive_keys import ArchiveKeys
from server.config import SealConfig
from tests.exporting.recordings import KEY
from tests.helpers.disks import small_disk
from tests.helpers.journals import RECORDING
from tests.helpers.served import Answered, Served, served
from tests.helpers.udp_peers import until

ROOM = "demo"


def archive(folder: Path, recording: Path) -> None:
    """Put a recording into a server's folder, sealed for the server's key and signed by it."""
    place = folder / "recordings" / recording.name
    shutil.copytree(recording, place)
    config = SealConfig(
        private_key=str(folder / "keys" / "archive.pem"), signing_key=str(folder / "keys" / "signing.pem")
    )
    pair = ArchiveKeys(config)
    keys.write(place, keys.wrap(recording.name, KEY, [folder / "keys" / "archive.public.pem"]))
    sign_recording(place, pair.signing, 1_795_343_000.0)


@pytest.fixture
async def running(tmp_path: Path, sealed_recording: Path) -> AsyncIterator[Served]:
    archive(tmp_path, sealed_recording)
    async with served(tmp_path) as server:
        yield server


async def post(server: Served, kind: str = "camera", **options: Any) -> Answered:
    body = json.dumps({"recording": RECORDING, "kind": kind, "options": options}).encode()
    return await server.ask("POST", "/api/exports", server.bearer("surgeon", ROOM), body)


async def listed(server: Served) -> list[dict[str, Any]]:
    address = f"/api/exports?recording={RECORDING}"
    answer = await server.ask("GET", address, server.bearer("surgeon", ROOM))
    assert answer.status == 200
    found = answer.json()
    assert isinstance(found, list)
    return found


async def done(server: Served, export: str, state: str = "done") -> dict[str, Any]:
    async with asyncio.timeout(90):
        while True:
            found = next((one for one in await listed(server) if one["export"] == export), None)
            if found is not None and found["state"] in (state, "failed"):
                assert found["state"] == state, found["error"]
                return found
            await asyncio.sleep(0.05)


def folders(server: Served) -> list[str]:
    with contextlib.suppress(FileNotFoundError):
        return sorted(os.listdir(server.folder / "recordings" / "exports"))
    return []


def pid(server: Served, export: str) -> int | None:
    """The worker's process, once it is there."""
    found = server.service.exports._running.get(export)
    return found.worker.process.pid if found is not None and found.worker.process is not None else None


async def thousands_of_tiny_ranges(url: str, bearer: dict[str, str], whole: bytes) -> None:
    """Ask for single bytes all over a file, over a few connections at once."""
    places = iter([(number * 7919) % len(whole) for number in range(2000)])

    async def some(client: aiohttp.ClientSession) -> None:
        for place in places:
            async with client.get(url, headers={**bearer, "Range": f"bytes={place}-{place}"}) as answer:
                assert (answer.status, await answer.read()) == (206, whole[place : place + 1])

    async with aiohttp.ClientSession() as client:
        await asyncio.gather(*(some(client) for _ in range(8)))


async def test_from_the_question_to_the_file(running: Served) -> None:
    asked = await post(running, producers=[7])
    assert asked.status == 201
    export = asked.json()["export"]
    assert export.startswith("e-")
    finished = await done(running, export)
    assert finished["progress"] == 1.0
    (file,) = finished["files"]
    assert file["name"] == "field-7.mp4"
    address = f"/api/exports/{export}/field-7.mp4"
    bearer = running.bearer("chair", ROOM)
    whole = await running.ask("GET", address, bearer)
    assert whole.status == 200
    assert whole.headers["content-type"] == "video/mp4"
    name = f"{RECORDING}-field-7.mp4"
    assert whole.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert len(whole.body) == file["bytes"]
    with av.open(io.BytesIO(whole.body)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 90
    for asked_for, status, body in [
        ("bytes=10-19", 206, whole.body[10:20]),
        ("bytes=-7", 206, whole.body[-7:]),
        (f"bytes={len(whole.body)}-", 416, b""),
    ]:
        part = await running.ask("GET", address, {**bearer, "Range": asked_for})
        assert (part.status, part.body) == (status, body)
    await thousands_of_tiny_ranges(running.url + address, bearer, whole.body)

    # the browser fetches it without the page: by the cookie of the list, which opens nothing else
    answer = await running.ask("GET", f"/api/exports?recording={RECORDING}", running.bearer("surgeon", ROOM))
    cookie = answer.headers["set-cookie"]
    for word in ("HttpOnly", "SameSite=Strict", "Path=/api/exports"):
        assert word in cookie
    by_cookie = {"Cookie": cookie.partition(";")[0]}
    assert (await running.ask("GET", address, by_cookie)).body == whole.body
    assert (await running.ask("DELETE", f"/api/exports/{export}", by_cookie)).status == 401
    assert (await running.ask("GET", f"/api/exports?recording={RECORDING}", by_cookie)).status == 401

    # the audit book knows who asked, and who took it: once (it is one person), in however many ranges
    def deeds(connection: sqlite3.Connection) -> list[tuple[str, str]]:
        found = [
            json.loads(entry) for (entry,) in connection.execute("SELECT entry FROM audit ORDER BY number")
        ]
        return [(entry["deed"], entry["role"]) for entry in found]

    said = await running.service.database.run(deeds)
    assert said == [("export_asked", "surgeon"), ("export_fetched", "chair")]

    # who may not, and what does not exist
    for role in ("expert", "trainee", "observer"):
        assert (await running.ask("GET", address, running.bearer(role, ROOM))).status == 403
    assert (await running.ask("GET", address, running.bearer("surgeon", "ward"))).status == 404
    for odd in ("request.json", "field-7.mp4.part", "..", "%2e%2e", "journal.kjr", "field-7.mp4%00"):
        assert (await running.ask("GET", f"/api/exports/{export}/{odd}", bearer)).status == 404, odd
    assert (await running.ask("GET", "/api/exports/../request.json", bearer)).status == 404
    assert (await running.ask("GET", "/api/exports/e-0000000000000000/x.mp4", bearer)).status == 404

    # its time comes
    await running.service.exports.sweep(time.time())
    assert len(await listed(running)) == 1
    await running.service.exports.sweep(time.time() + 169 * 3600)
    assert await listed(running) == []
    assert folders(running) == []
    # and it never stood among the recordings
    assert running.service.archive.library.names() == [RECORDING]


REFUSED: list[tuple[bytes, int]] = [
    (b"{", 400),
    (b"[]", 400),
    (b'{"recording":"x","kind":"camera"}', 404),
    (b" " * 300_000, 413),
    (json.dumps({"recording": "../" + RECORDING, "kind": "camera"}).encode(), 404),
    *(
        (json.dumps({"recording": RECORDING, "kind": kind, "options": options}).encode(), 400)
        for kind, options in [
            ("pizza", {}),
            ("camera", {"size": 1}),
            ("camera", {"to": 1e99}),
            ("camera", {"producers": []}),
            ("clip", {"from": 5, "to": 5}),
            ("clip", {}),
        ]
    ),
]


async def test_what_cannot_be_is_refused(running: Served) -> None:
    bearer = running.bearer("surgeon", ROOM)
    for body, status in REFUSED:
        answer = await running.ask("POST", "/api/exports", bearer, body)
        assert answer.status == status, body[:80]
        assert answer.json()["message"].endswith(".")
    assert (await running.ask("POST", "/api/exports", running.bearer("expert", ROOM), b"{}")).status == 403
    body = json.dumps({"recording": RECORDING, "kind": "camera"}).encode()
    assert (await running.ask("POST", "/api/exports", running.bearer("surgeon"), body)).status == 404
    # one that is being prepared
    running.service.archive.progress[RECORDING] = 0.5
    assert (await post(running)).status == 409
    del running.service.archive.progress[RECORDING]
    assert folders(running) == []
    assert await listed(running) == []


async def test_cancelled_anywhere_nothing_is_left(running: Served) -> None:
    exports = running.service.exports

    async def cancel(export: str) -> None:
        address = f"/api/exports/{export}"
        assert (await running.ask("DELETE", address, running.bearer("chair", "ward"))).status == 404
        assert (await running.ask("DELETE", address, running.bearer("chair", ROOM))).status == 204
        assert await listed(running) == []
        assert folders(running) == []
        assert (await running.ask("DELETE", address, running.bearer("chair", ROOM))).status == 404

    # as soon as it is asked for, as its process begins, as it works, when it is done
    await cancel((await post(running)).json()["export"])
    export = (await post(running)).json()["export"]
    await until(lambda: pid(running, export) is not None, 60)
    process = pid(running, export)
    await cancel(export)
    with pytest.raises(ProcessLookupError):
        os.kill(process or 0, 0)
    export = (await post(running)).json()["export"]
    await until(lambda: (one := exports._running.get(export)) is not None and one.progress > 0, 60)
    await cancel(export)
    export = (await post(running)).json()["export"]
    await done(running, export)
    await cancel(export)
    # one that waits behind another
    first, second = [(await post(running)).json()["export"] for _ in range(2)]
    assert (
        await running.ask("DELETE", f"/api/exports/{second}", running.bearer("chair", ROOM))
    ).status == 204
    await done(running, first)
    assert folders(running) == [first]


async def test_a_killed_worker_is_begun_anew_and_three_are_the_end(running: Served) -> None:
    export = (await post(running, producers=[7])).json()["export"]
    await until(lambda: pid(running, export) is not None, 60)
    os.kill(pid(running, export) or 0, signal.SIGKILL)
    finished = await done(running, export)
    assert finished["files"]

    export = (await post(running, producers=[7])).json()["export"]
    killed: set[int] = set()
    for _ in range(3):
        await until(lambda: pid(running, export) not in (None, *killed), 60)
        process = pid(running, export)
        assert process is not None
        killed.add(process)
        os.kill(process, signal.SIGKILL)
    failed = await done(running, export, "failed")
    assert ("three times" in failed["error"], failed["code"]) == (True, "killed")
    # said first, then done: a server that is killed in between does it at its next start
    await until(lambda: export not in folders(running), 60)


PAGE = os.sysconf("SC_PAGESIZE")


async def test_a_full_disk_is_said_and_room_on_it_is_enough(tmp_path: Path, sealed_recording: Path) -> None:
    with small_disk(tmp_path, 8, "recordings") as disk:
        archive(tmp_path, sealed_recording)
        async with served(tmp_path) as server:
            # a sealed file begins with room for a chunk: what is asked for has it, and leaves a page less to the film
            disk.fill(leaving=CHUNK + PAGE)
            export = (await post(server, producers=[7])).json()["export"]
            failed = await done(server, export, "failed")
            assert (failed["code"], failed["files"]) == ("disk_full", [])
            disk.empty()
            assert (await done(server, (await post(server, producers=[7])).json()["export"]))["code"] == ""


async def test_what_cannot_be_opened_when_its_turn_comes_is_said(running: Served) -> None:
    place = running.folder / "recordings" / RECORDING
    first = (await post(running, "composed")).json()["export"]
    await until(lambda: pid(running, first) is not None, 60)
    os.kill(pid(running, first) or 0, signal.SIGSTOP)  # the others wait behind it
    second = (await post(running, "captions")).json()["export"]
    description = bytearray((place / "description.json").read_bytes())
    description[len(description) // 2] ^= 1
    (place / "description.json").write_bytes(description)
    await running.service.exports.remove(first)
    assert (await done(running, second, "failed"))["code"] == "damaged"

    # and at once by who asks for another
    refused = await post(running, "captions")
    assert (refused.status, refused.json()["code"]) == (403, "damaged")
    await asyncio.to_thread(keys.erase, place)
    refused = await post(running)
    assert (refused.status, refused.json()["code"]) == (403, "no_key")


async def test_the_next_server_goes_on(tmp_path: Path, sealed_recording: Path) -> None:
    archive(tmp_path, sealed_recording)
    async with served(tmp_path) as server:
        going = (await post(server)).json()["export"]
        waiting = (await post(server, producers=[7])).json()["export"]
        await until(lambda: pid(server, going) is not None, 60)
        process = pid(server, going)
        gone = (await post(server)).json()["export"]
        failed = (await post(server)).json()["export"]
        await server.service.database.run(
            lambda c: c.execute("UPDATE export SET state = 'failed' WHERE export = ?", (failed,))
        )
        # a server that is killed between saying so and doing so
        await server.service.database.run(
            lambda c: c.execute("UPDATE export SET state = 'cancelled' WHERE export = ?", (gone,))
        )
    with pytest.raises(ProcessLookupError):
        os.kill(process or 0, 0)
    stranger = tmp_path / "recordings" / "exports" / "e-stranger"
    stranger.mkdir()
    (tmp_path / "recordings" / "exports" / failed).mkdir(exist_ok=True)
    async with served(tmp_path) as server:
        assert not stranger.exists()
        assert failed not in folders(server)
        for export in (going, waiting):
            assert (await done(server, export))["files"]
        assert folders(server) == sorted([going, waiting])
        # whoever destroys the key has destroyed the exports
        await asyncio.to_thread(keys.erase, tmp_path / "recordings" / RECORDING)
        name = f"/api/exports/{waiting}/field-7.mp4"
        assert (await server.ask("GET", name, server.bearer("chair", ROOM))).status == 403
        await server.service.exports.forget(RECORDING)
        assert folders(server) == []
