"""Marks between two callers: one numbered log for all, and the fast lane beside it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loadtests.caller import Caller, Message, Refused, calling
from tests.helpers.peer import Publisher, Watcher, frame_sent
from tests.helpers.served import Served, served


@dataclass(slots=True)
class Theatre:
    """A surgeon who shows the field, and an expert who draws on it."""

    server: Served
    surgeon: Caller
    expert: Caller
    field: int
    #: an RTP timestamp that was sent
    frame: int


@pytest.fixture
async def theatre(tmp_path: Path) -> AsyncIterator[Theatre]:
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(served(tmp_path))
        surgeon, expert = await stack.enter_async_context(
            calling(server.url, server.token("surgeon", "Dr. S"), server.token("expert", "Dr. E"))
        )
        publisher = Publisher(surgeon)
        stack.push_async_callback(publisher.close)
        field = (await publisher.publish("field"))[0]["producer"]
        yield Theatre(server, surgeon, expert, field, await frame_sent(server.service, field))


def add(producer: int, mark: str, frame: int) -> dict[str, Any]:
    return {
        "kind": "add",
        "mark": {
            "mark": mark,
            "shape": "freehand",
            "anchor": {"producer": producer, "rtp_timestamp": frame},
            "points": [[0.41, 0.52], [0.42, 0.53]],
            "width": 0.004,
            "text": "",
        },
    }


def pointer(producer: int, n: int, sent: float, point: tuple[float, float] = (0.5, 0.25)) -> Message:
    return {
        "type": "pointer",
        "anchor": {"producer": producer, "rtp_timestamp": 1},
        "point": list(point),
        "sent": sent,
        "n": n,
    }


def server_time(theatre: Theatre) -> float:
    return theatre.server.service.now() * 1000


def fresh(theatre: Theatre) -> float:
    """A time of sending that counts as that of the arrival, however busy the machine is."""
    return server_time(theatre) + 60_000


async def test_everybody_gets_every_operation_in_one_order(theatre: Theatre) -> None:
    surgeon, expert = theatre.surgeon, theatre.expert
    said: list[tuple[Caller, dict[str, Any]]] = [
        (expert, add(theatre.field, "m-1", theatre.frame)),
        (surgeon, add(theatre.field, "m-2", theatre.frame)),
        (expert, {"kind": "undo"}),
        (expert, {"kind": "redo"}),
        (expert, {"kind": "clear_own"}),
        (surgeon, {"kind": "clear_field"}),
    ]
    for number, (caller, operation) in enumerate(said, 1):
        assert (await caller.request("mark", operation=operation))["sequence"] == number
    told = [[await caller.notice("operation") for _ in said] for caller in (surgeon, expert)]
    assert told[0] == told[1]
    assert [notice["sequence"] for notice in told[0]] == [1, 2, 3, 4, 5, 6]
    assert [notice["author"] for notice in told[0]] == [caller.identifier for caller, _ in said]
    assert {notice["name"] for notice in told[0]} == {"Dr. S", "Dr. E"}
    assert [notice["operation"].get("target") for notice in told[0]] == [None, None, 1, 1, None, None]
    colours = {p["participant"]: p["colour"] for p in expert.welcome["participants"]}
    assert all(notice["colour"] == colours[notice["author"]] for notice in told[0])


async def test_two_who_draw_at_once_get_one_order(theatre: Theatre) -> None:
    async def draw(caller: Caller, name: str) -> list[int]:
        asked = [
            caller.request("mark", operation=add(theatre.field, f"{name}-{n}", theatre.frame))
            for n in range(20)
        ]
        return [answer["sequence"] for answer in await asyncio.gather(*asked)]

    numbers = await asyncio.gather(draw(theatre.surgeon, "s"), draw(theatre.expert, "e"))
    assert sorted(numbers[0] + numbers[1]) == list(range(1, 41))
    told = [[await c.notice("operation") for _ in range(40)] for c in (theatre.surgeon, theatre.expert)]
    assert told[0] == told[1]


async def test_who_comes_late_sees_what_is_visible(theatre: Theatre) -> None:
    for mark in ("m-1", "m-2", "m-3"):
        await theatre.expert.request("mark", operation=add(theatre.field, mark, theatre.frame))
    await theatre.expert.request("mark", operation={"kind": "undo"})
    async with Caller(theatre.server.url, theatre.server.token("trainee")) as trainee:
        marks = trainee.welcome["marks"]
        assert marks["after"] == 0
        assert marks["sequence"] == 4
        undone = {e["operation"]["target"] for e in marks["operations"] if e["operation"]["kind"] == "undo"}
        visible = [
            entry["operation"]["mark"]["mark"]
            for entry in marks["operations"]
            if entry["operation"]["kind"] == "add" and entry["sequence"] not in undone
        ]
        assert visible == ["m-1", "m-2"]


async def test_who_sees_a_gap_asks_for_what_is_missing(theatre: Theatre) -> None:
    for mark in ("m-1", "m-2", "m-3"):
        await theatre.expert.request("mark", operation=add(theatre.field, mark, theatre.frame))
    missing = await theatre.surgeon.request("marks", after=1)
    assert (missing["after"], missing["sequence"]) == (1, 3)
    assert [entry["sequence"] for entry in missing["operations"]] == [2, 3]
    assert (await theatre.surgeon.request("marks", after=3))["operations"] == []
    # a number from a room that this one never was
    assert (await theatre.surgeon.request("marks", after=99))["after"] == 0


async def test_a_mark_that_is_sent_twice_stands_once(theatre: Theatre) -> None:
    await theatre.expert.request("mark", operation=add(theatre.field, "m-1", theatre.frame))
    with pytest.raises(Refused) as refused:
        await theatre.expert.request("mark", operation=add(theatre.field, "m-1", theatre.frame))
    assert refused.value.code == "duplicate_mark"
    assert (await theatre.expert.request("marks", after=0))["sequence"] == 1


async def test_a_mark_has_a_picture_under_it(theatre: Theatre) -> None:
    with pytest.raises(Refused) as refused:
        await theatre.expert.request("mark", operation=add(theatre.field + 1000, "m-1", theatre.frame))
    assert refused.value.code == "not_found"


async def test_the_marks_of_who_left_stay(theatre: Theatre) -> None:
    await theatre.expert.request("mark", operation=add(theatre.field, "m-1", theatre.frame))
    await theatre.expert.request("leave")
    await theatre.surgeon.notice("participant_left")
    (entry,) = (await theatre.surgeon.request("marks", after=0))["operations"]
    assert (entry["author"], entry["name"]) == (theatre.expert.identifier, "Dr. E")


async def test_a_pointer_goes_to_the_others_with_its_author(theatre: Theatre) -> None:
    echoed: list[Message] = []
    theatre.expert.on_notice = echoed.append
    sent = pointer(theatre.field, 17, fresh(theatre)) | {"author": "pt-forged"}
    await theatre.expert.send(sent)
    heard = await theatre.surgeon.notice("pointer")
    assert heard["author"] == theatre.expert.identifier
    assert (heard["point"], heard["n"], heard["anchor"]) == ([0.5, 0.25], 17, sent["anchor"])
    assert heard["sent"] <= sent["sent"]
    await theatre.expert.send({**sent, "anchor": None, "point": None, "n": 18, "sent": fresh(theatre)})
    assert (await theatre.surgeon.notice("pointer"))["point"] is None
    await theatre.expert.request("ping", time=1.0)
    assert echoed == []


async def test_a_stroke_in_progress_goes_to_the_others(theatre: Theatre) -> None:
    part: Message = {
        "type": "stroke",
        "mark": "m-9",
        "shape": "freehand",
        "anchor": {"producer": theatre.field, "rtp_timestamp": 1},
        "from": 0,
        "points": [[0.1, 0.1], [0.2, 0.2]],
        "width": 0.004,
    }
    await theatre.expert.send({**part, "sent": fresh(theatre), "n": 1})
    heard = await theatre.surgeon.notice("stroke")
    assert (heard["author"], heard["mark"]) == (theatre.expert.identifier, "m-9")
    assert (heard["from"], heard["points"]) == (0, part["points"])


async def test_what_is_older_than_100_ms_is_dropped_and_counted(theatre: Theatre) -> None:
    await theatre.expert.send(pointer(theatre.field, 1, server_time(theatre) - 5000))
    # the fresh one behind it arrives alone
    await theatre.expert.send(pointer(theatre.field, 2, fresh(theatre)))
    assert (await theatre.surgeon.notice("pointer"))["n"] == 2
    await theatre.expert.send(pointer(theatre.field, 3, server_time(theatre) - 5000))
    await theatre.expert.request("ping", time=1.0)
    await theatre.surgeon.request("ping", time=1.0)
    assert await theatre.server.metric("konsil_ephemeral_dropped_total") >= 1


async def test_what_claims_to_come_from_the_future_was_sent_now(theatre: Theatre) -> None:
    await theatre.expert.send(pointer(theatre.field, 1, server_time(theatre) + 3_600_000))
    heard = await theatre.surgeon.notice("pointer")
    assert heard["sent"] <= server_time(theatre)


@pytest.mark.parametrize("role", ["trainee", "observer"])
async def test_who_may_not_draw_may_not_point(theatre: Theatre, role: str) -> None:
    token = theatre.server.token(role, "Dr. T")  # type: ignore[arg-type]
    async with Caller(theatre.server.url, token) as silent:
        await silent.send(pointer(theatre.field, 1, fresh(theatre)))
        await silent.request("ping", time=1.0)
        await theatre.expert.send(pointer(theatre.field, 2, fresh(theatre)))
        assert (await theatre.surgeon.notice("pointer"))["author"] == theatre.expert.identifier


@pytest.mark.parametrize(
    "change",
    [{"point": [2, 2]}, {"point": [0.5]}, {"anchor": 7}, {"sent": "now"}, {"n": -1}, {"point": None}],
)
async def test_a_pointer_that_is_wrong_is_dropped_without_a_word(theatre: Theatre, change: Message) -> None:
    said: list[Message] = []
    theatre.expert.on_notice = said.append
    await theatre.expert.send(pointer(theatre.field, 1, fresh(theatre)) | change)
    await theatre.expert.send(pointer(theatre.field, 2, fresh(theatre)))
    assert (await theatre.surgeon.notice("pointer"))["n"] == 2
    assert said == []


async def test_the_data_channel_carries_the_fast_lane_both_ways(theatre: Theatre) -> None:
    watcher = Watcher(theatre.expert)
    try:
        channels: list[Any] = []
        watcher.peer.on("datachannel", channels.append)
        await watcher.serve_offers(until=2)
        theatre.expert.on_notice = lambda message: None
        heard: Message = {}
        # the channel opens when it does: the surgeon points until a pointer came by it
        async with asyncio.timeout(20):
            for n in range(1, 10_000):
                await theatre.surgeon.send(pointer(theatre.field, n, fresh(theatre)))
                with contextlib.suppress(TimeoutError):
                    heard = json.loads(await asyncio.wait_for(watcher.messages.get(), 0.1))
                    break
        assert (heard["type"], heard["author"]) == ("pointer", theatre.surgeon.identifier)
        assert channels[0].label == "ephemeral"
        assert not channels[0].ordered
        async with asyncio.timeout(20):
            for n in range(1, 10_000):
                # rubbish and what belongs to the reliable lane are dropped there
                for rubbish in ("rubbish", b"\x00\xff", json.dumps({"type": "ping", "id": 1, "time": 1})):
                    channels[0].send(rubbish)
                channels[0].send(json.dumps({"type": "mark", "id": 1, "operation": {"kind": "clear_own"}}))
                channels[0].send(json.dumps(pointer(theatre.field, n, fresh(theatre))))
                with contextlib.suppress(TimeoutError):
                    back = await asyncio.wait_for(theatre.surgeon.notice("pointer"), 0.1)
                    break
        assert back["author"] == theatre.expert.identifier
        assert (await theatre.surgeon.request("marks", after=0))["sequence"] == 0
    finally:
        await watcher.close()
