"""A broken connection costs nothing: who comes back in time is who it was, and the media never noticed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from loadtests.caller import Caller, Message, Refused, calling
from server.config import RoomsConfig
from tests.helpers.peer import Publisher, Watcher, frame_sent
from tests.helpers.served import Served, served


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    # marks are counted here: nobody else writes into the log
    async with served(tmp_path, tracking=False) as server:
        yield server


def arrow(mark: str, producer: int, frame: int) -> Message:
    return {
        "kind": "add",
        "mark": {
            "mark": mark,
            "shape": "arrow",
            "anchor": {"producer": producer, "rtp_timestamp": frame},
            "points": [[0.1, 0.1], [0.2, 0.2]],
            "width": 0.004,
            "text": "",
        },
    }


async def break_off(caller: Caller, witness: Caller) -> None:
    """Break a connection, and wait until the room has noticed."""
    caller.abort()
    while (changed := (await witness.notice("participant"))["participant"])["state"] != "away":
        assert changed["participant"] != caller.identifier or changed["state"] == "connected"
    assert changed["participant"] == caller.identifier


async def test_who_is_cut_off_is_away_and_comes_back_as_the_same(running: Served) -> None:
    async with calling(running.url, running.token("chair"), running.token("expert", "Dr. E")) as (
        chair,
        expert,
    ):
        before = next(p for p in expert.welcome["participants"] if p["participant"] == expert.identifier)
        await break_off(expert, chair)
        async with Caller(running.url, expert.token) as back:
            # a stranger with the same link is somebody else
            assert back.identifier != expert.identifier
        again = Caller(running.url, expert.token)
        welcome = await again.join(session=expert.welcome["session"])
        assert welcome["self"] == expert.identifier
        assert welcome["session"] == expert.welcome["session"]
        after = next(p for p in welcome["participants"] if p["participant"] == expert.identifier)
        assert after == before
        returned = await chair.notice("participant", participant=after)
        assert returned["participant"]["state"] == "connected"
        await again.close()


async def test_who_comes_back_is_told_the_marks_it_missed(running: Served) -> None:
    tokens = running.token("surgeon"), running.token("expert", "Dr. E")
    async with calling(running.url, *tokens) as (surgeon, expert):
        publisher = Publisher(surgeon)
        try:
            video = (await publisher.publish("field"))[0]["producer"]
            frame = await frame_sent(running.service, video)
            assert (await surgeon.request("mark", operation=arrow("m-1", video, frame)))["sequence"] == 1
            assert (await expert.notice("operation"))["sequence"] == 1
            await break_off(expert, surgeon)
            await surgeon.request("mark", operation=arrow("m-2", video, frame))
            await surgeon.request("mark", operation=arrow("m-3", video, frame))
            again = Caller(running.url, expert.token)
            marks = (await again.join(session=expert.welcome["session"], marks_after=1))["marks"]
            assert marks["after"] == 1
            assert marks["sequence"] == 3
            assert [entry["operation"]["mark"]["mark"] for entry in marks["operations"]] == ["m-2", "m-3"]
            await again.close()
            # who never was here gets all, whatever it claims to know
            async with Caller(running.url, running.token("trainee")) as trainee:
                assert trainee.welcome["marks"]["after"] == 0
                assert len(trainee.welcome["marks"]["operations"]) == 3
        finally:
            await publisher.close()


async def test_the_same_session_from_a_second_socket_takes_over(running: Served) -> None:
    async with calling(running.url, running.token("chair"), running.token("expert", "Dr. E")) as (
        chair,
        first,
    ):
        heard: list[Message] = []
        chair.on_notice = heard.append
        second = Caller(running.url, first.token)
        welcome = await second.join(session=first.welcome["session"])
        assert welcome["self"] == first.identifier
        assert (await first.notice("closed"))["code"] == "taken_over"
        assert (await second.request("ping", time=1.0))["type"] == "pong"
        await first.close()
        assert (await second.request("ping", time=2.0))["type"] == "pong"
        # for the others nothing happened
        assert heard == []
        await second.close()


async def test_a_session_is_worth_nothing_with_another_persons_link(running: Served) -> None:
    async with calling(running.url, running.token("chair"), running.token("surgeon", "Dr. S")) as (
        _,
        surgeon,
    ):
        thief = Caller(running.url, running.token("trainee", "Dr. T"))
        welcome = await thief.join(session=surgeon.welcome["session"])
        assert welcome["self"] != surgeon.identifier
        assert "publish" not in welcome["permissions"]
        assert (await surgeon.request("ping", time=1.0))["type"] == "pong"
        await thief.close()


async def test_who_does_not_come_back_in_time_is_gone(tmp_path: Path) -> None:
    async with (
        served(tmp_path, rooms=RoomsConfig(resume_seconds=1)) as server,
        calling(server.url, server.token("chair"), server.token("expert", "Dr. E")) as (chair, expert),
    ):
        await break_off(expert, chair)
        left = await chair.notice("participant_left")
        assert left == {"type": "participant_left", "participant": expert.identifier, "reason": "timeout"}
        again = Caller(server.url, expert.token)
        welcome = await again.join(session=expert.welcome["session"])
        assert welcome["self"] != expert.identifier
        assert welcome["session"] != expert.welcome["session"]
        await again.close()


async def test_the_code_1000_says_that_one_leaves(running: Served) -> None:
    async with calling(running.url, running.token("chair"), running.token("expert", "Dr. E")) as (
        chair,
        expert,
    ):
        await expert.close()
        assert (await chair.notice("participant_left"))["reason"] == "left"


async def test_what_is_held_back_is_told_again_to_who_comes_back(running: Served) -> None:
    tokens = running.token("surgeon"), running.token("expert", "Dr. E")
    async with calling(running.url, *tokens) as (surgeon, expert):
        publisher, watcher = Publisher(surgeon), Watcher(expert)
        again = Caller(running.url, expert.token)
        try:
            field = (await publisher.publish("field"))[0]["producer"]
            await watcher.serve_offers(2)
            await expert.request("view", producer=field, width=0, height=0)
            told = await expert.notice("delivery", producer=field)
            await break_off(expert, surgeon)
            await again.join(session=expert.welcome["session"])
            assert await again.notice("delivery", producer=field) == told
        finally:
            await again.close()
            await publisher.close()
            await watcher.close()


async def test_who_has_left_cannot_be_resumed(running: Served) -> None:
    async with calling(running.url, running.token("chair"), running.token("expert", "Dr. E")) as (_, expert):
        await expert.request("leave")
        again = Caller(running.url, expert.token)
        assert (await again.join(session=expert.welcome["session"]))["self"] != expert.identifier
        await again.close()


async def test_pictures_and_ears_outlive_the_signalling(running: Served) -> None:
    tokens = (
        running.token("expert", "Dr. E"),
        running.token("trainee", "Dr. T"),
        running.token("chair", "Dr. C"),
    )
    async with calling(running.url, *tokens) as (expert, trainee, chair):
        publisher, watcher = Publisher(expert), Watcher(trainee)
        try:
            producers = await publisher.publish()
            await watcher.serve_offers(until=2)
            await asyncio.wait_for(watcher.frames("video", 2), 20)
            await break_off(expert, chair)
            await break_off(trainee, chair)
            await asyncio.wait_for(watcher.frames("video", 10), 20)
            again = Caller(running.url, expert.token)
            welcome = await again.join(session=expert.welcome["session"])
            assert {p["producer"] for p in welcome["producers"]} == {p["producer"] for p in producers}
            watching = Caller(running.url, trainee.token)
            await watching.join(session=trainee.welcome["session"])
            await asyncio.wait_for(watcher.frames("video", 10), 20)
            # and what is theirs still is: the publisher may end it, the watcher is offered the rest
            video = next(p["producer"] for p in producers if p["mid"] == "0")
            await again.request("unpublish", producer=video)
            offer = await watching.notice("offer")
            assert [c["producer"] for c in offer["consumers"]] == [
                p["producer"] for p in producers if p["producer"] != video
            ]
            await again.close()
            await watching.close()
        finally:
            await publisher.close()
            await watcher.close()


async def test_a_room_that_is_full_says_so(tmp_path: Path) -> None:
    async with (
        served(tmp_path, rooms=RoomsConfig(participants=2)) as server,
        calling(server.url, server.token("chair"), server.token("expert", "Dr. E")) as (chair, expert),
    ):
        third = Caller(server.url, server.token("trainee"))
        with pytest.raises(Refused) as refused:
            await third.join()
        assert refused.value.code == "room_full"
        await third.close()
        # a place that is kept is taken, but not against its owner
        await break_off(expert, chair)
        again = Caller(server.url, expert.token)
        assert (await again.join(session=expert.welcome["session"]))["self"] == expert.identifier
        await again.close()
