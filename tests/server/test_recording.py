"""A recording: everybody knows of it, it plays, it is its room's alone, and neither a full disk nor a kill hides."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import pytest

from loadtests.caller import Caller, Refused, calling
from recorder import interruption
from server.secret_file import load_secret
from signalling.permissions import Role
from signalling.tokens import issue
from tests.helpers.disks import small_disk
from tests.helpers.peer import Publisher, Watcher
from tests.helpers.recorded import journal_size, played, prepared, recorded
from tests.helpers.served import Answered, Served, ask, served
from tests.helpers.udp_peers import until

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as server:
        yield server


async def test_everybody_is_told_who_records(running: Served) -> None:
    tokens = running.token("surgeon", "Dr. S"), running.token("observer", "Mr. O")
    async with calling(running.url, *tokens) as (surgeon, observer):
        await surgeon.request("record", action="start")
        told = await observer.notice("recording")
        assert told == await surgeon.notice("recording")
        assert re.fullmatch(r"\d{8}-\d{6}-ward-[0-9a-f]{4}", told["recording"]["recording"])
        assert (told["recording"]["state"], told["recording"]["by"]) == ("recording", "Dr. S")
        async with Caller(running.url, running.token("trainee")) as late:
            assert late.welcome["recording"] == told["recording"]
        with pytest.raises(Refused) as refused:
            await surgeon.request("record", action="start")
        assert refused.value.code == "already_recording"
        assert await running.metric("konsil_recordings") == 1
        await surgeon.request("record", action="stop")
        assert (await observer.notice("recording"))["recording"] is None
        with pytest.raises(Refused) as refused:
            await surgeon.request("record", action="stop")
        assert refused.value.code == "not_recording"
        assert await running.metric("konsil_recordings") == 0


async def test_a_recording_is_listed_described_and_plays(running: Served) -> None:
    recording, producers = await recorded(running)
    bearer = running.bearer("trainee")
    line = await prepared(running.url, bearer, recording)
    assert (line["state"], line["room"], line["cameras"], line["marks"]) == ("complete", "ward", 1, 1)
    assert line["seconds"] > 0
    description = (await running.ask("GET", f"/api/recordings/{recording}", bearer)).json()
    assert description["recording"] == recording
    assert [p["name"] for p in description["participants"]] == ["Dr. S"]
    (camera,) = description["cameras"]
    assert (camera["producer"], camera["source"], camera["codec"]) == (
        producers[0]["producer"],
        "field",
        "VP8",
    )
    assert camera["audio"] == producers[1]["producer"]
    assert (camera["width"], camera["height"]) == (640, 480)
    # the tracker may have said of the mark that nobody saw its frame
    (operation,) = [one for one in description["operations"] if one["operation"]["kind"] == "add"]
    assert operation["operation"]["mark"]["text"] == "here"
    assert {event["kind"] for event in description["events"]} >= {"participant_joined"}
    picture = await played(running.url, bearer, recording, camera["producer"])
    with av.open(BytesIO(picture)) as container:
        times = [float(frame.time) for frame in container.decode(video=0)]
    assert len(times) > 5
    assert times == sorted(times)
    assert abs(times[-1] - times[0] - camera["seconds"]) < 1
    with av.open(BytesIO(await played(running.url, bearer, recording, camera["audio"]))) as container:
        assert sum(1 for _ in container.decode(audio=0)) > 5


async def test_a_player_asks_with_the_cookie(running: Served) -> None:
    recording, _ = await recorded(running)
    await prepared(running.url, running.bearer("trainee"), recording)
    opened = await running.ask("POST", "/api/replay", running.bearer("trainee"))
    assert opened.status == 204
    attributes = opened.headers["set-cookie"]
    assert all(part in attributes for part in ("HttpOnly", "SameSite=Strict", "Path=/api/recordings"))
    cookie = {"Cookie": attributes.partition(";")[0]}
    assert (await running.ask("GET", "/api/recordings", cookie)).status == 200
    description = (await running.ask("GET", f"/api/recordings/{recording}", cookie)).json()
    path = f"/api/recordings/{recording}/{description['cameras'][0]['producer']}/segments.json"
    assert (await running.ask("GET", path, cookie)).json()["segments"]
    # the cookie is for replays alone, and for its own room's
    assert (await running.ask("POST", "/api/replay", cookie)).status == 401
    offer = cookie | {"Content-Type": "application/sdp"}
    assert (await running.ask("POST", "/whip/ward", offer, b"v=0\r\n")).status == 401
    other = await running.ask("POST", "/api/replay", running.bearer("trainee", room="other"))
    elsewhere = {"Cookie": other.headers["set-cookie"].partition(";")[0]}
    assert (await running.ask("GET", path, elsewhere)).status == 404
    assert (await running.ask("GET", f"/api/recordings/{recording}", elsewhere)).status == 404
    assert (await running.ask("GET", "/api/recordings", elsewhere)).json() == {"recordings": []}
    # an observer sees the room while it lasts
    assert (await running.ask("GET", path, running.bearer("observer"))).status == 403
    assert (await running.ask("POST", "/api/replay", running.bearer("observer"))).status == 403
    # nothing else of this folder is given out, and nothing of another
    base = f"/api/recordings/{recording}"
    names = [
        "journal.kjr",
        "description.json",
        "..",
        "../../secret",
        "%2e%2e%2f%2e%2e%2fsecret",
        "7.mp4%00",
        "9.webm",
    ]
    answers: list[Answered] = [await running.ask("GET", f"{base}/{name}", cookie) for name in names]
    answers += [
        await running.ask("GET", f"/api/recordings/{name}", cookie)
        for name in ("..", "%2e%2e", "..%2f..%2fsecret", "%252e%252e", recording + ".", recording + "%0d%0a")
    ]
    assert [answer.status for answer in answers] == [404] * len(answers)
    assert not any(answer.headers.get("location") for answer in answers)


async def test_a_picture_that_was_for_some_is_replayed_by_them_alone(running: Served) -> None:
    recording, (field, microphone) = await recorded(running, {"roles": ["chair"], "participants": []})
    base = f"/api/recordings/{recording}"
    await prepared(running.url, running.bearer("chair"), recording)
    people: list[tuple[Role, str, bool]] = [
        ("chair", "Dr. C", True),
        ("surgeon", "Dr. S", True),  # who sent it
        ("surgeon", "Dr. T", False),
        ("trainee", "Dr. S", True),  # the same person by another link
        ("trainee", "Maria", False),
    ]
    for role, name, allowed in people:
        bearer = {"Authorization": f"Bearer {running.token(role, name)}"}
        description = (await running.ask("GET", base, bearer)).json()
        given = [camera["producer"] for camera in description["cameras"]]
        # whoever may not see him hears him still
        assert given == [field["producer"] if allowed else microphone["producer"]], (role, name)
        assert description["withheld"] == ([] if allowed else [field["producer"]])
        for file in ("segments.json", "init.webm", "0.webm"):
            answer = await running.ask("GET", f"{base}/{field['producer']}/{file}", bearer)
            assert answer.status == (200 if allowed else 403)
        still = await running.ask("GET", f"{base}/{field['producer']}-1.png", bearer)
        assert still.status == (404 if allowed else 403)
        heard = await running.ask("GET", f"{base}/{microphone['producer']}/segments.json", bearer)
        assert heard.status == 200


async def test_a_disk_without_room_starts_no_recording(tmp_path: Path) -> None:
    async with (
        served(tmp_path, minimum_free_mb=1_000_000_000) as server,
        Caller(server.url, server.token("surgeon")) as surgeon,
    ):
        with pytest.raises(Refused) as refused:
            await surgeon.request("record", action="start")
        assert refused.value.code == "disk_full"
        (conductor,) = server.service.rooms.values()
        assert conductor.room.recording is None
        assert list((tmp_path / "recordings").iterdir()) == []


async def told(caller: Caller, state: str) -> dict[str, Any]:
    """Wait for the notice that the recording is in this state."""
    async with asyncio.timeout(30):
        while True:
            recording: dict[str, Any] = (await caller.notice("recording"))["recording"]
            if recording["state"] == state:
                return recording


async def test_a_disk_that_fills_up_is_told_the_room_goes_on_and_so_does_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a room of a test sends too little to wait until 48 MB are left out
    monkeypatch.setattr(interruption, "MAX_BACKLOG", 100_000)
    monkeypatch.setattr(interruption, "RESUME_BACKLOG", 40_000)
    with small_disk(tmp_path, 4, "recordings") as disk:
        async with served(tmp_path) as server:
            tokens = server.token("surgeon", "Dr. S"), server.token("observer", "Mr. O")
            async with calling(server.url, *tokens) as (surgeon, observer):
                publisher, watcher = Publisher(surgeon), Watcher(observer)
                try:
                    field = (await publisher.publish("field"))[0]["producer"]
                    await watcher.serve_offers(until=2)
                    await surgeon.request("record", action="start")
                    name = (await told(observer, "recording"))["recording"]
                    await until(lambda: journal_size(tmp_path, name) > 5_000, 30)
                    disk.fill()
                    broken = await told(observer, "interrupted")
                    assert (broken["recording"], broken["cause"]) == (name, "full")
                    assert broken["reason"] == "The disk for recordings is full."
                    assert broken["interrupted"] >= broken["since"]
                    # live goes on, and who comes now is told too
                    await asyncio.wait_for(watcher.frames("video", 10), 30)
                    async with Caller(server.url, server.token("trainee")) as late:
                        assert late.welcome["recording"]["state"] == "interrupted"
                    with pytest.raises(Refused) as refused:
                        await surgeon.request("record", action="start")
                    assert refused.value.code == "already_recording"
                    assert await server.metric("konsil_recordings_interrupted") == 1
                    assert (await server.ask("GET", "/healthz")).json()["recordings_interrupted"] == 1
                    (recorder,) = server.service.archive.running.values()
                    await until(lambda: recorder.packets_left_out > 30, 30)
                    disk.empty()
                    again = await told(observer, "recording")
                    assert again["missing"]["packets"] > 30
                    assert again["missing"]["seconds"] > 0
                    assert "reason" not in again
                    lost = await server.metric("konsil_recorder_left_out_total")
                    assert lost == again["missing"]["packets"]
                    assert await server.metric("konsil_recordings_interrupted") == 0
                    there = journal_size(tmp_path, name)
                    await until(lambda: journal_size(tmp_path, name) > there + 10_000, 30)
                    await surgeon.request("record", action="stop")
                finally:
                    await publisher.close()
                    await watcher.close()
            bearer = server.bearer("trainee")
            assert (await prepared(server.url, bearer, name))["state"] == "complete"
            description = (await server.ask("GET", f"/api/recordings/{name}", bearer)).json()
            events = {event["kind"]: event for event in description["events"]}
            assert events["recording_interrupted"]["reason"] == broken["reason"]
            assert events["recording_resumed"]["packets"] == again["missing"]["packets"]
            # the hole stands where the disk was full, and pictures follow it
            gap = max((g for g in description["gaps"] if g["producer"] == field), key=lambda g: g["seconds"])
            assert events["recording_interrupted"]["at"] - 1 < gap["at"] < events["recording_resumed"]["at"]
            assert gap["packets"] > 10
            (camera,) = description["cameras"]
            assert camera["offset"] + camera["seconds"] > gap["at"] + gap["seconds"]
            assert await server.metric("konsil_recorder_left_out_total") == lost


@contextlib.asynccontextmanager
async def process(folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Run a server of its own; gives it and its URL."""
    environment = {
        "KONSIL_HTTP_PORT": "0",
        "KONSIL_MEDIA_PORT": "0",
        "KONSIL_RECORDINGS_FOLDER": str(folder / "recordings"),
        "KONSIL_SEAL_PRIVATE_KEY": str(folder / "keys" / "archive.pem"),
        "KONSIL_SEAL_SIGNING_KEY": str(folder / "keys" / "signing.pem"),
        "KONSIL_RECORDINGS_MINIMUM_FREE_MB": "1",
        "KONSIL_SECRETS_FILE": str(folder / "secret"),
    }
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "server", "run",
        cwd=ROOT, env=os.environ | environment, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert server.stderr is not None
    try:
        async with asyncio.timeout(60):
            while not (found := re.search(rb"serves on port (\d+)", line := await server.stderr.readline())):
                assert line, "the server ended before it served"
        yield server, f"http://127.0.0.1:{int(found[1])}"
    finally:
        if server.returncode is None:
            server.kill()
        await server.communicate()


async def test_a_server_that_is_killed_leaves_what_it_recorded(tmp_path: Path) -> None:
    secret = load_secret(tmp_path / "secret")

    def token(role: Any) -> str:
        return issue(secret, room="ward", name="Dr. S", role=role, expires=4e9)

    async with process(tmp_path) as (server, url), Caller(url, token("surgeon")) as surgeon:
        publisher = Publisher(surgeon)
        try:
            await publisher.publish("field")
            await surgeon.request("record", action="start")
            recording = (await surgeon.notice("recording"))["recording"]["recording"]
            await until(lambda: journal_size(tmp_path, recording) > 100_000, 30)
            server.send_signal(signal.SIGKILL)
            await server.wait()
        finally:
            await publisher.close()
    async with process(tmp_path) as (server, url):
        bearer = {"Authorization": f"Bearer {token('trainee')}"}
        line = await prepared(url, bearer, recording)
        assert line["state"] == "truncated"
        assert line["cameras"] == 1
        description = (await ask(url, "GET", f"/api/recordings/{recording}", bearer)).json()
        picture = await played(url, bearer, recording, description["cameras"][0]["producer"])
        with av.open(BytesIO(picture)) as container:
            assert sum(1 for _ in container.decode(video=0)) > 5
        # and a server that is asked to stop does so at once
        server.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(server.wait(), 20) == 0


async def test_one_recording_that_cannot_be_exported_holds_up_no_other(running: Served) -> None:
    running.service.archive.export("20261122-101500-ward-0000")
    recording, _ = await recorded(running)
    assert (await prepared(running.url, running.bearer("trainee"), recording))["state"] == "complete"
