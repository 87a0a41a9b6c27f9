"""Segments over HTTP: what the container shows, to who may see it, made as it is asked for."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import av
import pytest

from media.plane import Codec
from recorder.export.preparing import prepare
from recorder.seal import keys
from recorder.seal.keys import DataKey
from recorder.seal.suites import SM4
from recorder.signing import sign_recording
from server.segments_http import WAITING
from tests.helpers.journal_media import camera, encode, encode_sound, record, sound, video
from tests.helpers.journals import RECORDING, STARTED
from tests.helpers.recorded import prepared
from tests.helpers.served import Answered, Served, ask, served


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as server:
        yield server


def frames(data: bytes) -> list[bytes]:
    with av.open(BytesIO(data)) as container:
        return [bytes(packet) for packet in container.demux(container.streams[0]) if packet.size]


def put_into_archive(server: Served) -> Path:
    """Put a recording of VP8 with sound into the archive, sealed, prepared and signed."""
    key, pairs = DataKey.random(SM4), server.folder / "keys"
    packets = [*video(7, Codec.VP8, encode(Codec.VP8, 60)), *sound(8, encode_sound(100))]
    packets.sort(key=lambda packet: packet.at)
    folder = server.folder / "recordings" / RECORDING
    record(folder, [camera(7, Codec.VP8), camera(8, Codec.OPUS)], packets, sealed_with=key)
    keys.write(folder, keys.wrap(RECORDING, key, [pairs / "archive.public.pem"]))
    prepare(folder, key=key)
    sign_recording(folder, pairs / "signing.pem", STARTED + 60.0)
    return folder


async def test_a_track_in_segments(running: Served) -> None:
    recording, bearer = RECORDING, running.bearer("trainee", room="demo")
    folder = await asyncio.to_thread(put_into_archive, running)
    base = f"/api/recordings/{recording}"

    async def get(target: str, headers: dict[str, str] = bearer) -> Answered:
        return await ask(running.url, "GET", f"{base}/{target}", headers)

    (entry,) = (await ask(running.url, "GET", base, bearer)).json()["cameras"]
    field, microphone = entry["producer"], entry["audio"]

    # the picture (VP8) in WebM, the sound in MP4: the frames of the container, one file each
    for producer, kind, init, suffix, scale in (
        (field, 'video/webm; codecs="vp8"', "init.webm", "webm", 90_000),
        (microphone, 'audio/mp4; codecs="opus"', "init.mp4", "m4s", 48_000),
    ):
        answer = await get(f"{producer}/segments.json")
        assert answer.status == 200
        assert answer.headers["cache-control"] == "private, max-age=3600"
        listed = answer.json()
        assert (listed["type"], listed["init"], listed["timescale"]) == (kind, init, scale)
        squeezed = await get(f"{producer}/segments.json", {**bearer, "Accept-Encoding": "gzip"})
        assert squeezed.headers["content-encoding"] == "gzip"
        assert gzip.decompress(squeezed.body) == answer.body
        count = len(listed["segments"])
        assert count > 0
        assert listed["segments"][0][2] == 1
        pieces = [await get(f"{producer}/{init}")]
        pieces += [await get(f"{producer}/{number}.{suffix}") for number in range(count)]
        assert {piece.status for piece in pieces} == {200}
        assert {piece.headers["cache-control"] for piece in pieces} == {"private, max-age=3600"}
        # what is in them is held against the container in tests/recorder
        assert len(frames(b"".join(piece.body for piece in pieces))) > 5
        for wrong in (
            f"{count}.{suffix}",
            f"999999999.{suffix}",
            f"00.{suffix}",
            f"-1.{suffix}",
            f"x.{suffix}",
        ):
            assert (await get(f"{producer}/{wrong}")).status == 404, wrong
        other = {"webm": "0.m4s", "m4s": "0.webm"}[suffix]
        assert (await get(f"{producer}/{other}")).status == 404
    for wrong in ("9999/segments.json", "../segments.json", f"{field}/../key.json", f"{field}/7.index"):
        assert (await get(wrong)).status == 404, wrong

    # who may not see the recording sees no segment of it
    first = f"{field}/0.webm"
    assert (await get(first, {})).status == 401
    assert (await get(first, running.bearer("observer", room="demo"))).status == 403
    assert (await get(first, running.bearer("trainee", room="other"))).status == 404

    # thousands at once: each is answered or told to come again, and the server goes on
    answers = await asyncio.gather(*(get(first) for _ in range(3 * WAITING)))
    assert {answer.status for answer in answers} <= {200, 503}
    assert sum(answer.status == 200 for answer in answers) >= WAITING
    assert all("retry-after" in answer.headers for answer in answers if answer.status == 503)
    assert (await get(first)).status == 200

    # of a recording that was signed before there were indices they are made, and nothing else
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".index"}
    for producer in (field, microphone):
        (folder / f"{producer}.index").unlink()
    assert (await get(f"{field}/segments.json")).status == 409
    await prepared(running.url, bearer, recording)
    assert (await get(f"{field}/segments.json")).status == 200
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".index"} == before

    # whoever changes an index is found out, whoever destroys the key has erased the segments too
    changed = bytearray((folder / f"{field}.index").read_bytes())
    changed[-20] ^= 1
    (folder / f"{field}.index").write_bytes(changed)
    tampered = await get(first)
    assert tampered.status == 500
    assert b"tampered" in tampered.body
    await asyncio.to_thread(keys.erase, folder)
    assert (await get(f"{microphone}/0.m4s")).status == 403
