"""docs/closing.md, line by line: for each cause what is closed, in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from loadtests.caller import Caller, Message, calling
from media.native import NativePlane
from server.conductor import Conductor
from tests.helpers.peer import Publisher, Watcher
from tests.helpers.served import Served, served
from tests.helpers.udp_peers import until

from .offers import good_offer


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as server:
        yield server


def live(server: Served) -> tuple[int, int, int]:
    """Transports, producers and consumers that the plane holds."""
    plane = server.service.plane
    assert isinstance(plane, NativePlane)
    return plane.live_objects()[:3]


def room_of(server: Served) -> Conductor:
    (conductor,) = server.service.rooms.values()
    return conductor


def kinds(messages: list[Message]) -> list[str]:
    return [m["type"] for m in messages if m["type"] not in ("clock", "offer")]


async def test_a_broken_websocket_closes_nothing(running: Served) -> None:
    tokens = running.token("expert"), running.token("trainee", "B")
    async with calling(running.url, *tokens) as (expert, trainee):
        publisher = Publisher(expert)
        try:
            producers = await publisher.publish()
            before = live(running)
            expert.abort()
            away = await trainee.notice("participant")
            assert away["participant"]["state"] == "away"
            assert [p.producer for p in room_of(running).room.producers] == [p["producer"] for p in producers]
            assert live(running) == before
        finally:
            await publisher.close()


async def test_who_leaves_takes_producers_then_transports_then_its_name(running: Served) -> None:
    tokens = running.token("expert"), running.token("trainee", "B")
    async with calling(running.url, *tokens) as (expert, trainee):
        publisher, watcher = Publisher(expert), Watcher(trainee)
        try:
            await publisher.publish()
            await watcher.serve_offers(until=2)
            await asyncio.wait_for(watcher.frames("video", 1), 20)
            assert live(running) == (3, 2, 2)
            heard: list[Message] = []
            trainee.on_notice = heard.append
            await expert.request("leave")
            await until(lambda: "participant_left" in kinds(heard))
            assert kinds(heard) == ["producer_removed", "producer_removed", "participant_left"]
            # the watcher's own connection stays; the plane holds nothing of who left
            await until(lambda: live(running) == (1, 0, 0))
            # and is offered what is left: nothing
            await until(lambda: any(m["type"] == "offer" and m["consumers"] == [] for m in heard))
            # the publisher was told: a DTLS close, not silence
            await until(lambda: publisher.peer.connectionState == "closed")
        finally:
            await publisher.close()
            await watcher.close()


async def test_a_recording_knows_that_a_picture_went_with_its_sender(running: Served) -> None:
    tokens = running.token("expert"), running.token("surgeon", "B")
    async with calling(running.url, *tokens) as (expert, surgeon):
        publisher = Publisher(expert)
        try:
            await publisher.publish()
            await surgeon.request("record", action="start")
            recorder = room_of(running).recorder
            assert recorder is not None
            assert len(recorder.producers) == 2
            await expert.request("leave")
            await surgeon.notice("participant_left")
            assert recorder.producers == set()
        finally:
            await publisher.close()


async def test_a_publishing_transport_that_ends_takes_nothing_with_it_for_a_while(running: Served) -> None:
    tokens = running.token("expert"), running.token("trainee", "B")
    async with calling(running.url, *tokens) as (expert, trainee):
        publisher = Publisher(expert)
        await publisher.publish()
        for _ in range(2):
            await trainee.notice("producer")
        await until(lambda: publisher.peer.connectionState == "connected")
        heard: list[Message] = []
        trainee.on_notice = heard.append
        await publisher.close()
        # what nobody goes on with ends later: test_going_on.py
        await until(lambda: kinds(heard) == ["producer", "producer"])
        assert all(m["producer"]["interrupted"] for m in heard if m["type"] == "producer")
        await until(lambda: live(running) == (2, 2, 0))
        again = Publisher(expert)
        assert len(await again.publish()) == 2
        await until(lambda: kinds(heard) == ["producer"] * 4)
        assert live(running) == (3, 2, 0)
        await again.close()


async def test_a_receiving_transport_that_ends_is_asked_for_anew(running: Served) -> None:
    tokens = running.token("expert"), running.token("trainee", "B"), running.token("trainee", "C")
    async with calling(running.url, *tokens) as (expert, broken, other):
        publisher, first, bystander = Publisher(expert), Watcher(broken), Watcher(other)
        second = Watcher(broken)
        try:
            producers = await publisher.publish()
            await first.serve_offers(until=2)
            await bystander.serve_offers(until=2)
            await asyncio.wait_for(first.frames("video", 1), 20)
            revision = next(iter(room_of(running).members.values())).watching
            assert revision is not None
            await first.close()
            await until(lambda: live(running)[2] == 2)
            # what the client still says of the dead connection harms nobody
            await broken.request("pause", producer=producers[0]["producer"], paused=True)
            await broken.request("answer", revision=1, sdp="v=0\r\n")
            await asyncio.wait_for(bystander.frames("video", 3), 20)
            assert (await other.notice("clock"))["producer"] == producers[0]["producer"]
            await broken.request("rewatch")
            await second.serve_offers(until=2)
            await asyncio.wait_for(second.frames("video", 3), 20)
        finally:
            for peer in (publisher, first, second, bystander):
                await peer.close()


async def test_what_changes_while_a_receiving_transport_is_dead_harms_nobody(running: Served) -> None:
    tokens = running.token("expert"), running.token("trainee", "B")
    async with calling(running.url, *tokens) as (expert, trainee):
        publisher, watcher = Publisher(expert), Watcher(trainee)
        again, anew = Publisher(expert), Watcher(trainee)
        try:
            await publisher.publish()
            await watcher.serve_offers(until=2)
            await asyncio.wait_for(watcher.frames("video", 1), 20)
            await watcher.close()
            await until(lambda: live(running)[2] == 0)
            assert len(await again.publish()) == 2
            await trainee.request("rewatch")
            await anew.serve_offers(until=2)
            await asyncio.wait_for(anew.frames("video", 1), 20)
        finally:
            for peer in (publisher, again, watcher, anew):
                await peer.close()


async def test_a_deleted_whip_session_is_a_participant_who_leaves(running: Served) -> None:
    async with Caller(running.url, running.token("trainee")) as trainee:
        headers = running.bearer("surgeon") | {"Content-Type": "application/sdp"}
        created = await running.ask("POST", "/whip/ward", headers, (await good_offer()).encode())
        for _ in range(2):
            await trainee.notice("producer")
        await trainee.notice("participant")
        heard: list[Message] = []
        trainee.on_notice = heard.append
        await running.ask("DELETE", created.headers["location"], running.bearer("surgeon"))
        await until(lambda: "participant_left" in kinds(heard))
        assert kinds(heard) == ["producer_removed", "producer_removed", "participant_left"]
        await until(lambda: live(running) == (1, 0, 0))


async def test_a_recording_that_stops_is_whole_on_the_disk(running: Served) -> None:
    async with Caller(running.url, running.token("surgeon")) as surgeon:
        publisher = Publisher(surgeon)
        try:
            await publisher.publish("field")
            await surgeon.request("record", action="start")
            name = (await surgeon.notice("recording"))["recording"]["recording"]
            recorder = room_of(running).recorder
            assert recorder is not None
            await until(lambda: (recorder.folder / "journal.kjr").stat().st_size > 20_000)
            await surgeon.request("record", action="stop")
            # by the reply the end record is written: the library takes it for finished, not for cut off
            (line,) = running.service.archive.library.recordings("ward")
            assert (line.recording, line.state) in {(name, "preparing"), (name, "complete")}
            assert running.service.archive.running == {}
            assert recorder.backlog == 0
            # the tap goes on where frames are kept for who may draw, and for nothing else
            assert {claim for p in room_of(running).router.producers.values() for claim in p.claims} <= {
                "watching"
            }
        finally:
            await publisher.close()


async def test_the_last_who_leaves_ends_the_recording_and_the_room(running: Served) -> None:
    async with Caller(running.url, running.token("surgeon")) as surgeon:
        await surgeon.request("record", action="start")
        name = (await surgeon.notice("recording"))["recording"]["recording"]
        await surgeon.request("leave")
    await until(lambda: not running.service.rooms and not running.service.archive.running)
    (line,) = running.service.archive.library.recordings("ward")
    assert line.recording == name
    assert line.state != "truncated"
    await until(lambda: live(running) == (0, 0, 0))
    async with Caller(running.url, running.token("expert")) as expert:
        assert expert.welcome["recording"] is None
        assert expert.welcome["marks"]["sequence"] == 0


async def test_a_server_that_stops_says_so_and_closes_everything(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        caller = Caller(server.url, server.token("surgeon"))
        socket = await caller.open()
        await caller.request("hello", version=1, token=caller.token)
        publisher = Publisher(caller)
        await publisher.publish("field")
        await caller.request("record", action="start")
        plane = server.service.plane
        assert isinstance(plane, NativePlane)
    assert caller.closed is not None
    assert caller.closed["code"] == "server_stopping"
    await asyncio.wait_for(socket.wait_closed(), 10)
    assert socket.close_code == 4000
    (line,) = server.service.archive.library.recordings("ward")
    assert line.state in {"preparing", "complete"}
    assert plane.live_objects() == (0, 0, 0, 0, 0)
    await publisher.close()
    await caller.close()
