"""WHIP: an encoder that knows nothing of us publishes with one POST and ends with one DELETE.

The encoder is FFmpeg's own, by PyAV: its ICE, DTLS and SRTP share no line with ours or with aiortc's.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from loadtests.caller import Caller, calling
from server.config import RoomsConfig
from signalling.worklist import Entry
from tests.helpers.peer import Watcher
from tests.helpers.served import Answered, Served, served
from tests.helpers.udp_peers import until
from tests.helpers.whip_encoder import RATE

from .offers import good_offer

ROOT = Path(__file__).parent.parent.parent

SDP = {"Content-Type": "application/sdp"}

#: Well formed, and of no use: neither ICE credentials nor a codec that is passed.
UNUSABLE = b"v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=rtpmap:0 PCMU/8000\r\n"


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as server:
        yield server


@contextlib.asynccontextmanager
async def encoding(
    url: str, token: str, folder: Path, *how: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Publish by FFmpeg's WHIP muxer (`how`: see there); closing the process's standard input ends it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.helpers.whip_encoder", url, str(folder), *how,
        cwd=ROOT, stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(f"{token}\n".encode())
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def test_a_foreign_encoder_is_seen_and_its_end_too(running: Served, tmp_path: Path) -> None:
    token = running.token("surgeon", "Endoscope")
    async with (
        Caller(running.url, running.token("trainee")) as trainee,
        encoding(f"{running.url}/whip/ward", token, tmp_path) as encoder,
    ):
        watcher = Watcher(trainee)
        try:
            # a process that loads FFmpeg takes its time to begin
            (conductor,) = running.service.rooms.values()
            await until(lambda: conductor.room.producers, 60)
            publisher = (await trainee.notice("participant"))["participant"]
            assert (publisher["name"], publisher["role"]) == ("Endoscope", "surgeon")
            producer = (await trainee.notice("producer"))["producer"]
            assert producer["participant"] == publisher["participant"]
            assert (producer["source"], producer["codec"], producer["kind"]) == ("field", "H264", "video")
            await watcher.serve_offers(until=1)
            frames = await asyncio.wait_for(watcher.frames("video", 5), 20)
            assert (frames[0].width, frames[0].height) == (320, 240)
            assert len({frame.pts for frame in frames}) == 5
            # the muxer ends with a DELETE
            assert encoder.stdin is not None
            encoder.stdin.close()
            assert (await trainee.notice("producer_removed"))["producer"] == producer["producer"]
            assert (await trainee.notice("participant_left"))["reason"] == "left"
            assert await asyncio.wait_for(encoder.wait(), 20) == 0
        finally:
            await watcher.close()


async def create(server: Served, target: str = "/whip/ward") -> Answered:
    return await server.ask("POST", target, server.bearer("surgeon") | SDP, (await good_offer()).encode())


async def test_the_answer_names_the_session(running: Served) -> None:
    answer = await create(running)
    assert answer.status == 201
    assert answer.headers["content-type"].startswith("application/sdp")
    assert answer.body.startswith(b"v=0\r\n")
    assert b"a=recvonly" in answer.body
    assert re.fullmatch(r"/whip/ward/[A-Za-z0-9_-]{32}", answer.headers["location"])
    # 24 bytes of chance, anew each time
    again = await create(running)
    assert again.headers["location"] != answer.headers["location"]


async def test_who_deletes_a_session_ends_it(running: Served) -> None:
    async with Caller(running.url, running.token("trainee")) as trainee:
        location = (await create(running)).headers["location"]
        producers = [(await trainee.notice("producer"))["producer"] for _ in range(2)]
        assert {p["source"] for p in producers} == {"field", "microphone"}
        assert (await running.ask("DELETE", location)).status == 401
        assert (await running.ask("DELETE", location, running.bearer("surgeon", "other"))).status == 403
        another = location[:-1] + ("y" if location[-1] == "x" else "x")
        assert (await running.ask("DELETE", another, running.bearer("surgeon"))).status == 404
        assert (await running.ask("DELETE", location, running.bearer("surgeon"))).status == 200
        for _ in producers:
            await trainee.notice("producer_removed")
        assert (await trainee.notice("participant_left"))["reason"] == "left"
        assert (await running.ask("DELETE", location, running.bearer("surgeon"))).status == 404


@pytest.mark.parametrize(
    ("target", "role", "content_type", "body", "status"),
    [
        ("/whip/ward", "surgeon", "application/sdp", b"v=0\r\n", 400),
        ("/whip/ward", "surgeon", "application/sdp", b"", 400),
        ("/whip/ward", "surgeon", "application/sdp", b"\xff\xfe" * 100, 400),
        ("/whip/ward", "surgeon", "application/sdp", b"v" * 200_000, 400),
        ("/whip/ward", "surgeon", "application/sdp", UNUSABLE, 422),
        ("/whip/ward?source=nose", "surgeon", "application/sdp", b"v=0\r\n", 400),
        ("/whip/ward?label=%0d%0a", "surgeon", "application/sdp", b"v=0\r\n", 400),
        ("/whip/ward", "expert", "application/sdp", b"v=0\r\n", 403),
        ("/whip/ward?source=camera", "trainee", "application/sdp", b"v=0\r\n", 403),
        ("/whip/other", "surgeon", "application/sdp", b"v=0\r\n", 403),
        ("/whip/.ward", "surgeon", "application/sdp", b"v=0\r\n", 404),
        ("/whip/", "surgeon", "application/sdp", b"v=0\r\n", 404),
        ("/whip/ward", "surgeon", "application/json", b"{}", 415),
        ("/whip/ward", "surgeon", "text/plain", b"v=0\r\n", 415),
    ],
)
async def test_what_is_refused_opens_nothing(
    running: Served, target: str, role: str, content_type: str, body: bytes, status: int
) -> None:
    headers = {"Authorization": f"Bearer {running.token(role)}", "Content-Type": content_type}  # type: ignore[arg-type]
    answer = await running.ask("POST", target, headers, body)
    assert answer.status == status
    assert answer.json()["message"].endswith(".")
    assert not running.service.rooms


async def test_an_encoder_whose_picture_was_forbidden_does_not_come_back_by_its_link(running: Served) -> None:
    async with Caller(running.url, running.token("chair")) as chair:
        headers, offer = running.bearer("surgeon") | SDP, (await good_offer()).encode()
        assert (await running.ask("POST", "/whip/ward", headers, offer)).status == 201
        encoder = (await chair.notice("participant"))["participant"]["participant"]
        await chair.request("permit", participant=encoder, sources=["microphone"])
        await chair.notice("producer_removed")
        answer = await running.ask("POST", "/whip/ward", headers, offer)
        assert answer.status == 403
        (conductor,) = running.service.rooms.values()
        assert [p.source for p in conductor.room.producers] == ["microphone"]
        await chair.request("permit", participant=encoder, sources=None)
        assert (await running.ask("POST", "/whip/ward", headers, offer)).status == 201


async def test_a_full_room_takes_no_encoder(tmp_path: Path) -> None:
    async with (
        served(tmp_path, rooms=RoomsConfig(participants=2)) as server,
        Caller(server.url, server.token("expert")),
        Caller(server.url, server.token("expert", "Dr. B")),
    ):
        assert (await create(server)).status == 503


async def test_a_server_that_stops_takes_no_encoder(running: Served) -> None:
    running.service.stopping = True
    assert (await create(running)).status == 503


async def test_an_expert_may_show_a_second_source(running: Served) -> None:
    async with Caller(running.url, running.token("trainee")) as trainee:
        answer = await running.ask(
            "POST",
            "/whip/ward?source=second&label=Ultrasound",
            running.bearer("expert") | SDP,
            (await good_offer()).encode(),
        )
        assert answer.status == 201
        shown = [(await trainee.notice("producer"))["producer"] for _ in range(2)]
        assert {(p["source"], p["label"]) for p in shown} == {
            ("second", "Ultrasound"),
            ("microphone", "Ultrasound"),
        }


async def test_an_encoder_tells_the_frames_of_its_barcode(running: Served) -> None:
    async with Caller(running.url, running.token("trainee")) as trainee:
        location = (await create(running)).headers["location"]
        video = next(
            p["producer"]
            for p in [(await trainee.notice("producer"))["producer"] for _ in range(2)]
            if p["kind"] == "video"
        )
        told = {"frame": 4711, "time": 1795305600000.0, "interval_ms": 33.333, "modulus": 300}
        headers = running.bearer("surgeon") | {"Content-Type": "application/json"}
        answer = await running.ask("POST", location + "/barcode", headers, json.dumps(told).encode())
        assert answer.status == 204
        assert await trainee.notice("barcode") == {"type": "barcode", "producer": video, **told}
        for wrong in (b"", b"[]", b"{}", b'{"frame":-1}', json.dumps(told | {"time": "now"}).encode()):
            answer = await running.ask("POST", location + "/barcode", headers, wrong or b" ")
            assert answer.status == 400
        assert (await running.ask("POST", location + "/barcode", {}, b"{}")).status == 401


async def test_a_frame_is_told_to_have_been_captured_before_it_came_whatever_an_encoder_reports(
    running: Served, tmp_path: Path
) -> None:
    token = running.token("surgeon", "Endoscope")
    async with (
        Caller(running.url, running.token("expert")) as expert,
        encoding(f"{running.url}/whip/ward", token, tmp_path, "clock", "early"),
    ):
        (conductor,) = running.service.rooms.values()
        await until(lambda: conductor.room.producers, 60)
        async with asyncio.timeout(60):
            # FFmpeg's reports are wrong by what its connection took, where the camera ran meanwhile
            while (told := await expert.notice("clock"))["source"] != "arrival":
                pass
        producer = conductor.router.producers[told["producer"]]
        (came,) = running.service.plane.producer_statistics(producer.producer).encodings
        ticks = (came.last_timestamp - told["rtp_timestamp"] + (1 << 31)) % (1 << 32) - (1 << 31)
        captured = told["time"] + ticks * 1000 / told["clock_rate"]
        # by its reports a second after it came, about; what came since may have been quicker on a busy machine
        assert captured - came.last_arrival / 1e6 < 200

        # and so a frozen frame from before the patient was chosen is nobody's
        before = (came.last_timestamp - 10 * 90_000 // RATE) % (1 << 32)
        async with calling(running.url, running.token("surgeon")) as (surgeon,):
            entry = Entry("4711", "", "Müller^Anna", "", "", "", "", "20261129")
            await surgeon.request("choose_patient", entry=conductor.bedside.offer([entry])[0])
            frozen = await expert.request(
                "freeze", patience=60, producer=producer.producer, rtp_timestamp=before, for_all=False
            )
            assert frozen["still"]["patient"] is None
            assert conductor.bedside.key is not None
