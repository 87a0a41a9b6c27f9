"""Previews over HTTP: to whoever may have the segments, as they stand in the file."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

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
from recorder.verify import verify
from tests.helpers.journal_media import camera, encode, encode_sound, record, sound, video
from tests.helpers.journals import RECORDING, STARTED
from tests.helpers.served import Answered, Served, ask, served

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
