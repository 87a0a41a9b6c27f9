"""A recording in a live room: everybody is sent the very frame, late comers too; who may, who is told, how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from loadtests.caller import Caller, Refused, calling
from media.plane import Codec
from media.sdp import parse
from server.keeping import audit
from signalling.permissions import Role
from tests.helpers.journals import RECORDING
from tests.helpers.numbered import Numbers, numbered_recording
from tests.helpers.served import Served, served
from tests.helpers.udp_peers import until
from tests.helpers.watching_client import WatchingClient

PROTOCOL = (Path(__file__).parents[3] / "signalling" / "PROTOCOL.md").read_text("utf-8")

#: The picture of a number was taken so many seconds after the recording began.
BEGIN, STEP = 0.1, 1 / 30


def at(number: int) -> float:
    return BEGIN + (number + 0.5) * STEP


class Viewer:
    """Somebody who is sent a recording, and decodes it."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self._client = WatchingClient(caller)
        self._numbers = Numbers(Codec.H264)
        self._taken = 0
        self._ssrc = 0

    async def watch(self) -> Viewer:
        offer = await self._client.answer(2)
        producers = {p["producer"]: p for p in self.caller.welcome["producers"]}
        for told in [m for m in self.caller._seen if m["type"] == "producer"]:
            producers[told["producer"]["producer"]] = told["producer"]
        pictures = [c["mid"] for c in offer["consumers"] if producers[c["producer"]]["kind"] == "video"]
        (section,) = [s for s in parse(offer["sdp"]).media if s.mid in pictures]
        self._ssrc = section.sources[0].ssrc
        return self

    @property
    def seen(self) -> list[tuple[int, int | None]]:
        packets = self._client.plane.packets
        fresh, self._taken = packets[self._taken :], len(packets)
        mine = (packet for packet in fresh if int.from_bytes(packet[8:12], "big") == self._ssrc)
        # what fills up while the line is measured bears no picture
        self._numbers.receive(packet for packet in mine)
        return self._numbers.seen

    async def close(self) -> None:
        await self._client.close()


async def together(number: int, *viewers: Viewer) -> int:
    """Wait until all see the same picture under the same name; returns its RTP timestamp."""

    def same() -> bool:
        newest = [viewer.seen[-1:] for viewer in viewers]
        return newest[0] != [] and newest[0][0][1] == number and all(one == newest[0] for one in newest)

    await until(same, 30)
    return viewers[0].seen[-1][0]


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    numbered_recording(tmp_path / "recordings" / RECORDING, count=180)
    async with served(tmp_path) as server:
        yield server


@contextlib.asynccontextmanager
async def present(server: Served, *roles: Role) -> AsyncIterator[list[Caller]]:
    tokens = [server.token(role, f"Dr. {role}", room="demo") for role in roles]
    async with calling(server.url, *tokens) as callers:
        yield callers


async def standing(caller: Caller, state: str) -> dict[str, Any]:
    """Wait until a recording is shown in this state."""
    while True:
        told = (await caller.notice("showing"))["showing"]
        if told is not None and told["state"] == state:
            return dict(told)


async def test_everybody_sees_the_very_frame_and_who_comes_later_too(running: Served) -> None:
    async with present(running, "surgeon", "expert") as (surgeon, expert):
        await surgeon.request("theatre", action="open", recording=RECORDING, position=at(40))
        told = await standing(surgeon, "paused")
        assert told["recording"] == RECORDING
        (example,) = re.findall(r'\{"type":"showing","showing":\{.*?\n.*?\}', PROTOCOL)
        assert set(re.findall(r'"(\w+)":', example)) - {"type", "showing", "reason"} == (
            set(told) | set(told["pictures"][0])
        )
        assert (told["started"], told["by"], told["speed"]) == (1_795_342_500_000.0, "Dr. surgeon", 1.0)
        first, second = await Viewer(surgeon).watch(), await Viewer(expert).watch()
        try:
            await together(40, first, second)
            producers = [(await expert.notice("producer"))["producer"] for _ in range(2)]
            assert {p["source"] for p in producers} == {"second", "microphone"}
            assert all(p["recorded"]["recording"] == RECORDING for p in producers)
            assert {p["recorded"]["source"] for p in producers} == {"field", "microphone"}
            assert producers[0]["label"] == "Recording 2026-11-22 10:15 UTC · Operating field"
            # an expert seeks for all
            await expert.request("theatre", action="seek", position=at(10))
            await together(10, first, second)
            await surgeon.request("theatre", action="play")
            told = await standing(expert, "playing")
            await until(lambda: (first.seen[-1][1] or 0) > 20, 20)
            surgeon._seen.clear()
            await expert.request("theatre", action="pause")
            told = await standing(surgeon, "paused")
            assert told["by"] == "Dr. expert"
            number = int((told["position"] - BEGIN) / STEP)
            await together(number, first, second)
            # the server has counted what it played to them, and says where
            watched = (await hours(running, "expert"))["recordings"]
            assert [one["recording"] for one in watched] == [RECORDING]
            assert watched[0]["once"] == pytest.approx(told["position"] - at(10), abs=0.15)
            (own,) = (await hours(running, "surgeon"))["recordings"]
            assert own | {"heard": 0} == watched[0] | {"heard": 0}
            # what is shown is what was recorded, in order, each time from a key frame on
            numbers = [n for _, n in first.seen]
            assert all(b is not None and (b == (a or 0) + 1 or b % 30 == 0) for a, b in pairwise(numbers))
            async with Caller(running.url, running.token("trainee", room="demo")) as late:
                found = (await late.notice("showing"))["showing"]
                assert (found["state"], found["position"]) == ("paused", told["position"])
                third = await Viewer(late).watch()
                try:
                    stamp = await together(number, first, third)
                    while found["pictures"][0]["frame"] != stamp:
                        found = (await late.notice("showing"))["showing"]
                finally:
                    await third.close()
            # nobody takes it for live: no clock says when it was captured
            assert not [m for caller in (surgeon, expert) for m in caller._seen if m["type"] == "clock"]
        finally:
            await first.close()
            await second.close()


async def hours(server: Served, role: Role) -> dict[str, Any]:
    """Wait until somebody has watched something; give his hours."""
    headers = {"Authorization": f"Bearer {server.token(role, f'Dr. {role}', room='demo')}"}
    async with asyncio.timeout(30):
        while True:
            told: dict[str, Any] = (await server.ask("GET", "/api/training/me", headers)).json()["hours"]
            if told["recordings"]:
                return told
            await asyncio.sleep(0.05)


async def test_who_may_and_how_it_ends(running: Served) -> None:
    async with present(running, "surgeon", "expert", "trainee", "observer") as everybody:
        surgeon, expert, trainee, observer = everybody

        async def refused(caller: Caller, code: str, **request: Any) -> None:
            with pytest.raises(Refused) as found:
                await caller.request("theatre", **request)
            assert found.value.code == code

        for caller in (expert, trainee, observer):
            await refused(caller, "not_permitted", action="open", recording=RECORDING)
        await refused(surgeon, "not_showing", action="play")
        await refused(surgeon, "not_found", action="open", recording="20261122-101500-demo-0000")
        await refused(surgeon, "not_found", action="open", recording="..")
        await refused(surgeon, "bad_message", action="open", recording="../secret")
        await surgeon.request("theatre", action="open", recording=RECORDING)
        await standing(surgeon, "paused")
        await refused(surgeon, "already_showing", action="open", recording=RECORDING)
        book = await running.service.database.run(lambda c: audit.entries(c, recording=RECORDING))
        shown = [(entry["deed"], entry["name"]) for entry in book if entry["deed"] == "shown_in_room"]
        assert shown == [("shown_in_room", "Dr. surgeon")]
        for caller in (trainee, observer):
            await refused(caller, "not_permitted", action="seek", position=1)
        await refused(expert, "not_permitted", action="close")
        await refused(expert, "bad_message", action="speed", speed=8)
        # an observer sees the room while it lasts, and no recording
        told = [(await observer.notice("producer"))["producer"] for _ in range(2)]
        assert all(p["audience"]["roles"] == ["chair", "expert", "surgeon", "trainee"] for p in told)
        await surgeon.request("theatre", action="close")
        assert (await trainee.notice("showing", showing=None))["reason"] == "closed"
        for _ in range(2):
            await trainee.notice("producer_removed")
        await trainee.notice("participant_left")
        # another room's recording does not exist
        async with calling(running.url, running.token("surgeon", room="other")) as (stranger,):
            await refused(stranger, "not_found", action="open", recording=RECORDING)


async def test_how_it_ends_when_nobody_closes_it(running: Served) -> None:
    async with present(running, "surgeon") as (surgeon,):
        # its worker dies: that is said, and the room goes on
        await surgeon.request("theatre", action="open", recording=RECORDING)
        await standing(surgeon, "paused")
        (conductor,) = running.service.rooms.values()
        os.kill(_worker(running).pid, signal.SIGKILL)
        assert (await surgeon.notice("showing", showing=None))["reason"] == "failed"
        assert not conductor.room.producers
        assert not conductor.router.producers
        # it is deleted: who has it open lets it go
        await surgeon.request("theatre", action="open", recording=RECORDING)
        await standing(surgeon, "paused")
        process = _worker(running)
        assert await running.service.keeper.places.forget("20261122-101500-demo-0000") == ""
        assert process.returncode is None
        assert await running.service.keeper.places.forget(RECORDING) == ""
        assert (await surgeon.notice("showing", showing=None))["reason"] == "closed"
        async with asyncio.timeout(20):
            await process.wait()
        # the last one leaves
        await surgeon.request("theatre", action="open", recording=RECORDING)
        await standing(surgeon, "paused")
        process = _worker(running)
        await surgeon.request("leave")
    await until(lambda: not running.service.rooms, 20)
    async with asyncio.timeout(20):
        await process.wait()
    # its journal was cut off, whether or not it was prepared before
    journal = running.folder / "recordings" / RECORDING / "journal.kjr"
    journal.write_bytes(journal.read_bytes()[:200])
    async with present(running, "surgeon") as (surgeon,):
        await surgeon.request("theatre", action="open", recording=RECORDING)
        assert (await surgeon.notice("showing", showing=None))["reason"] == "empty"


def _worker(running: Served) -> asyncio.subprocess.Process:
    (conductor,) = running.service.rooms.values()
    showing = conductor.theatre._showing
    assert showing is not None
    assert showing._process is not None
    return showing._process


async def test_a_recording_of_the_room_says_that_it_was_one(running: Served) -> None:
    async with present(running, "surgeon") as (surgeon,):
        await surgeon.request("record", action="start")
        name = (await surgeon.notice("recording"))["recording"]["recording"]
        await surgeon.request("theatre", action="open", recording=RECORDING)
        await standing(surgeon, "paused")
        await surgeon.request("theatre", action="seek", position=at(120))
        await surgeon.request("theatre", action="play")
        await standing(surgeon, "playing")
        await standing(surgeon, "paused")  # at its end
        await surgeon.request("theatre", action="close")
        await surgeon.request("record", action="stop")
    library = running.service.archive.library
    found: Any = None
    async with asyncio.timeout(60):
        while found is None:
            found = await asyncio.to_thread(library.description, name)
            await asyncio.sleep(0.05)
    (camera,) = [one for one in found["cameras"] if one["codec"] == "H264"]
    assert camera["source"] == "second"
    assert camera["label"].startswith("Recording 2026-11-22 10:15 UTC")
    said = [event["showing"] for event in found["events"] if event["kind"] == "showing"]
    assert [one and (one["recording"], one["state"]) for one in said][-2:] == [(RECORDING, "paused"), None]
    assert camera["seconds"] > 1
