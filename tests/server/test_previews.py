"""Previews: made after a recording, whatever is killed meanwhile, and given to whoever may have its segments."""

from __future__ import annotations

import asyncio
import gzip
import os
import signal
from collections.abc import AsyncIterator
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import pytest

from media.plane import Codec
from recorder.export.preparing import prepare
from recorder.export.previews import make_previews
from recorder.manifest import MANIFEST
from recorder.moved import MOVED, note_moved
from recorder.parts import open_part
from recorder.seal import keys
from recorder.seal.keys import DataKey
from recorder.seal.suites import SM4
from recorder.segments.preview import PreviewFile, parse_piece
from recorder.signing import sign_recording
from recorder.tombstone import STAYS
from recorder.verify import verify
from server.keeping.deletion import carry_out
from tests.helpers.journal_media import camera, encode, encode_sound, record, sound, video
from tests.helpers.journals import RECORDING, STARTED
from tests.helpers.likeness import likeness
from tests.helpers.recorded import played, prepared, recorded
from tests.helpers.served import Answered, Served, ask, served
from tests.helpers.udp_peers import until

FIELD, MICROPHONE = 7, 8


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as server:
        yield server


def put_into_archive(server: Served, key: DataKey) -> Path:
    """Put a recording of three seconds with sound into the archive, sealed, prepared and signed."""
    pairs = server.folder / "keys"
    packets = [
        *video(FIELD, Codec.H264, encode(Codec.H264, 90, size=(640, 360))),
        *sound(MICROPHONE, encode_sound(150)),
    ]
    packets.sort(key=lambda packet: packet.at)
    folder = server.folder / "recordings" / RECORDING
    record(folder, [camera(FIELD), camera(MICROPHONE, Codec.OPUS)], packets, sealed_with=key)
    keys.write(folder, keys.wrap(RECORDING, key, [pairs / "archive.public.pem"]))
    prepare(folder, key=key)
    sign_recording(folder, pairs / "signing.pem", STARTED + 60.0)
    return folder


async def test_a_preview_piece_by_piece(running: Served) -> None:
    key, bearer = DataKey.random(SM4), running.bearer("trainee", room="demo")
    folder = await asyncio.to_thread(put_into_archive, running, key)

    async def get(target: str, headers: dict[str, str] = bearer) -> Answered:
        return await ask(running.url, "GET", f"/api/recordings/{RECORDING}/{target}", headers)

    # none is made yet: nobody keeps that answer
    none = await get(f"{FIELD}/preview.json")
    assert (none.status, none.body, none.headers["cache-control"]) == (204, b"", "no-store")
    assert (await get(f"{FIELD}/preview/0.kpv")).status == 404
    assert (await get("9999/preview.json")).status == 404

    await asyncio.to_thread(make_previews, folder, key)
    answer = await get(f"{FIELD}/preview.json")
    assert answer.status == 200
    assert answer.headers["cache-control"] == "private, max-age=3600"
    listed = answer.json()
    assert listed == {
        "codec": "avc1.4d4020",
        "width": 640,
        "height": 360,
        "timescale": 90_000,
        "pieces": [[0, 180_000], [180_000, 270_000]],
    }
    squeezed = await get(f"{FIELD}/preview.json", {**bearer, "Accept-Encoding": "gzip"})
    assert squeezed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(squeezed.body) == answer.body

    # the pieces have each frame of the segments, at the segments' times
    starts = [start for start, _, _ in (await get(f"{FIELD}/segments.json")).json()["segments"]]
    times: list[int] = []
    with closing(PreviewFile(open_part(folder / f"{FIELD}.preview", key))) as preview:
        for number in range(len(listed["pieces"])):
            piece = await get(f"{FIELD}/preview/{number}.kpv")
            assert (piece.status, piece.headers["content-type"]) == (200, "application/octet-stream")
            assert piece.headers["cache-control"] == "private, max-age=3600"
            assert piece.body == preview.piece(number)
            times += [frame.time for frame in parse_piece(piece.body)]
    assert times == [number * 3000 for number in range(90)]
    assert set(starts) <= set(times)
    for wrong in ("2.kpv", "999999999.kpv", "00.kpv", "-1.kpv", "x.kpv", "0.m4s", "../key.json"):
        assert (await get(f"{FIELD}/preview/{wrong}")).status == 404, wrong

    # sound has none
    assert (await get(f"{MICROPHONE}/preview.json")).status == 204

    # who may not see the recording sees nothing of this
    for target in (f"{FIELD}/preview.json", f"{FIELD}/preview/0.kpv"):
        assert (await get(target, {})).status == 401
        assert (await get(target, running.bearer("observer", room="demo"))).status == 403
        assert (await get(target, running.bearer("trainee", room="other"))).status == 404

    # it is not signed, and nothing is wrong with that
    assert verify(folder, running.folder / "keys" / "signing.public.pem").problems == []

    # whoever changes it is found out; one that is made anew is given
    whole = (folder / f"{FIELD}.preview").read_bytes()
    (folder / f"{FIELD}.preview").write_bytes(whole[:2000] + bytes([whole[2000] ^ 1]) + whole[2001:])
    tampered = await get(f"{FIELD}/preview/0.kpv")
    assert tampered.status == 500
    assert b"tampered" in tampered.body
    (folder / f"{FIELD}.preview").write_bytes(whole)
    assert (await get(f"{FIELD}/preview/0.kpv")).status == 200

    # what was moved is fetched back first
    manifest = (folder / MANIFEST).read_bytes()
    note_moved(folder, [])
    assert (await get(f"{FIELD}/preview.json")).status == 409
    (folder / MOVED).unlink()
    assert (folder / MANIFEST).read_bytes() == manifest

    # whoever destroys the key has erased the preview too
    running.service.archive.library.forget(RECORDING)
    await asyncio.to_thread(keys.erase, folder)
    assert (await get(f"{FIELD}/preview/0.kpv")).status == 403


async def listed(server: Served, bearer: dict[str, str], recording: str = RECORDING) -> dict[str, Any]:
    """The recording's line of the list."""
    lines = (await server.ask("GET", "/api/recordings", bearer)).json()["recordings"]
    return next(line for line in lines if line["recording"] == recording)


async def made(server: Served, bearer: dict[str, str], producer: int, recording: str = RECORDING) -> Any:
    """Wait until a preview is made; gives its list."""
    async with asyncio.timeout(90):
        while True:
            answer = await server.ask("GET", f"/api/recordings/{recording}/{producer}/preview.json", bearer)
            if answer.status == 200:
                return answer.json()
            assert answer.status in (204, 409), answer.body
            await asyncio.sleep(0.05)


async def test_a_consultation_is_recorded_and_its_preview_made(tmp_path: Path) -> None:
    async with served(tmp_path, previews=True) as server:
        recording, producers = await recorded(server)
        bearer = server.bearer("trainee")
        producer = int(producers[0]["producer"])
        preview = await made(server, bearer, producer, recording)
        whole = await played(server.url, bearer, recording, producer)
        base = f"/api/recordings/{recording}/{producer}"
        pieces = [
            (await server.ask("GET", f"{base}/preview/{number}.kpv", bearer)).body
            for number in range(len(preview["pieces"]))
        ]
        await until(lambda: recording not in server.service.previews.progress, 20)
        assert "preview" not in await listed(server, bearer, recording)
    with av.open(BytesIO(whole)) as container:
        pictures = [(float(picture.time), picture) for picture in container.decode(video=0)]
    small = []
    for piece in map(parse_piece, pieces):
        decoder = av.CodecContext.create("h264", "r")
        for frame in piece:
            small += [(frame.time, picture) for picture in decoder.decode(av.Packet(frame.data))]
    # each frame of the replay and none else, at the same time (WebM counts milliseconds), and the same picture
    assert len(small) == len(pictures) > 5
    for (ticks, one), (seconds, other) in zip(small, pictures, strict=True):
        assert abs(ticks / 90_000 - seconds) < 0.001
        assert likeness(one, other) > 28


def put_long_recording(server: Served) -> Path:
    """Put five minutes into the archive, a picture each second: five sections."""
    pairs, key = server.folder / "keys", DataKey.random(SM4)
    frames = encode(Codec.H264, 300, key_every=10, size=(1280, 720))
    times = [number * 90_000 for number in range(300)]
    folder = server.folder / "recordings" / RECORDING
    record(folder, [camera(FIELD)], video(FIELD, Codec.H264, frames, times=times), sealed_with=key)
    keys.write(folder, keys.wrap(RECORDING, key, [pairs / "archive.public.pem"]))
    prepare(folder, key=key)
    sign_recording(folder, pairs / "signing.pem", STARTED + 400.0)
    return folder


def worker_of(server: Served) -> int | None:
    """The process that makes a preview."""
    making = server.service.previews._making
    return making[1].process.pid if making is not None and making[1].process is not None else None


def runs(process: int) -> bool:
    return Path("/proc", str(process)).exists()


async def section_of(server: Served, number: int) -> int:
    """Wait until so many sections are whole; gives the worker, which makes the next one."""
    folder = server.folder / "recordings" / RECORDING
    await until((folder / f"{FIELD}.{number}.preview").exists, 60)
    process = worker_of(server)
    assert process is not None
    return process


@pytest.mark.timeout(180)
async def test_what_is_killed_goes_on_in_the_next_worker_and_server(tmp_path: Path) -> None:
    async with served(tmp_path, previews=True) as server:
        bearer = server.bearer("trainee", room="demo")
        folder = await asyncio.to_thread(put_long_recording, server)
        # one that is older than this errand: who looks at it has it made
        target = f"/api/recordings/{RECORDING}/{FIELD}/preview.json"
        assert (await server.ask("GET", target, bearer)).status == 204
        assert (await listed(server, bearer))["preview"] < 1
        first = await section_of(server, 0)
        os.kill(first, signal.SIGKILL)
        second = await section_of(server, 1)
        assert second != first
    # the server has ended, its worker with it; what was whole is there
    assert not runs(second)
    assert (folder / f"{FIELD}.1.preview").exists()
    assert not (folder / f"{FIELD}.preview").exists()
    async with served(tmp_path, previews=True) as server:
        # nobody asks: it goes on by itself
        await until((folder / f"{FIELD}.preview").exists, 60)
        await until(lambda: RECORDING not in server.service.previews.progress, 20)
        bearer = server.bearer("trainee", room="demo")
        preview = await made(server, bearer, FIELD)
        assert [start for start, _ in preview["pieces"]] == [number * 180_000 for number in range(150)]
        assert [path.name for path in folder.glob("*.preview*")] == [f"{FIELD}.preview"]


@pytest.mark.timeout(120)
async def test_it_ends_with_the_recording_or_when_that_is_moved(tmp_path: Path) -> None:
    async with served(tmp_path, previews=True) as server:
        bearer = server.bearer("trainee", room="demo")
        folder = await asyncio.to_thread(put_long_recording, server)
        target = f"/api/recordings/{RECORDING}/{FIELD}/preview.json"
        await server.ask("GET", target, bearer)
        process = await section_of(server, 0)
        await server.service.previews.stop(RECORDING)
        assert not runs(process)
        assert "preview" not in await listed(server, bearer)
        assert (folder / f"{FIELD}.0.preview").exists()
        # who looks at it again has it made on
        assert (await server.ask("GET", target, bearer)).status == 204
        process = await section_of(server, 1)
        archive = server.service.archive
        said = await carry_out(archive, server.service.keeper.places, RECORDING, 7, STARTED + 500)
        assert said == ""
        assert not runs(process)
        assert {path.name for path in folder.iterdir()} == STAYS
        assert server.service.previews.progress == {}


async def test_nothing_is_made_where_it_is_not_wanted(tmp_path: Path) -> None:
    async with served(tmp_path, previews=False) as server:
        recording, producers = await recorded(server)
        bearer = server.bearer("trainee")
        await prepared(server.url, bearer, recording)
        target = f"/api/recordings/{recording}/{producers[0]['producer']}/preview.json"
        assert (await server.ask("GET", target, bearer)).status == 204
        assert server.service.previews.progress == {}
        assert worker_of(server) is None


async def test_sound_alone_is_looked_at_once(tmp_path: Path) -> None:
    async with served(tmp_path, previews=True) as server:
        pairs, folder = server.folder / "keys", server.folder / "recordings" / RECORDING
        key = DataKey.random(SM4)
        record(folder, [camera(MICROPHONE, Codec.OPUS)], sound(MICROPHONE, encode_sound(20)), sealed_with=key)
        keys.write(folder, keys.wrap(RECORDING, key, [pairs / "archive.public.pem"]))
        server.service.archive.export(RECORDING)
        bearer = server.bearer("trainee", room="demo")
        await prepared(server.url, bearer, RECORDING)
        await until(lambda: RECORDING in server.service.previews._given_up, 30)
        await server.service.previews.ask(RECORDING)
        assert server.service.previews.progress == {}
