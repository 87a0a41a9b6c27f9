"""What must not get into the room's log: each a clear refusal, told to nobody else, and the room goes on."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from annotation.document import Replica, parse_tail
from loadtests.caller import Caller, Message, Refused, calling
from tests.helpers.peer import Publisher, frame_sent
from tests.helpers.served import Served, served
from tests.server.offers import good_offer

#: Ticks of the RTP clock; where timestamps come round.
HOUR = 3600 * 90_000
UINT32 = 0xFFFFFFFF


class Room:
    """A surgeon with a field, an expert, a trainee; the surgeon hears what is told."""

    def __init__(
        self, server: Served, surgeon: Caller, expert: Caller, trainee: Caller, field: int, frame: int
    ) -> None:
        self.server, self.surgeon, self.expert, self.trainee, self.field = (
            server,
            surgeon,
            expert,
            trainee,
            field,
        )
        #: an RTP timestamp that was sent
        self.frame = frame
        self.heard: list[Message] = []
        surgeon.on_notice = self.heard.append

    def mark(self, **changes: Any) -> dict[str, Any]:
        mark = {
            "mark": "m-1",
            "shape": "arrow",
            "anchor": {"producer": self.field, "rtp_timestamp": self.frame},
            "points": [[0.1, 0.1], [0.2, 0.2]],
            "width": 0.004,
            "text": "",
        }
        return {"kind": "add", "mark": mark | changes}


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(served(tmp_path))
        tokens = [
            server.token("surgeon", "Dr. S"),
            server.token("expert", "Dr. E"),
            server.token("trainee", "T"),
        ]
        surgeon, expert, trainee = await stack.enter_async_context(calling(server.url, *tokens))
        publisher = Publisher(surgeon)
        stack.push_async_callback(publisher.close)
        field = (await publisher.publish("field"))[0]["producer"]
        yield Room(server, surgeon, expert, trainee, field, await frame_sent(server.service, field))


async def code(caller: Caller, operation: dict[str, Any]) -> str:
    with pytest.raises(Refused) as refused:
        await caller.request("mark", operation=operation)
    assert str(refused.value).endswith(".")
    return refused.value.code


async def test_bad_marks_are_refused_and_told_to_nobody(room: Room) -> None:
    expert, video = room.expert, {"producer": room.field, "rtp_timestamp": room.frame}
    freehand = room.mark(shape="freehand", points=[[0.5, 0.5]] * 2001)
    for operation, expected in (
        (room.mark(anchor={"producer": 4711, "rtp_timestamp": 1}), "not_found"),
        (room.mark(anchor={**video, "rtp_timestamp": room.frame + HOUR & UINT32}), "unknown_frame"),
        (room.mark(anchor={**video, "rtp_timestamp": room.frame - HOUR & UINT32}), "unknown_frame"),
        (room.mark(anchor={**video, "still": True}), "not_found"),
        (room.mark(anchor={"SOPInstanceUID": "1.2.840.1", "frame": 1}), "not_found"),
        (room.mark(anchor={"board": 0}), "bad_message"),
        (room.mark(anchor={**video, "board": 1}), "bad_message"),
        (room.mark(points=[[0.5, 0.5], [0.5, 1.001]]), "bad_message"),
        (room.mark(points=[[0.5, 0.5], [0.5, None]]), "bad_message"),
        (room.mark(shape="cobb"), "bad_message"),
        (room.mark(shape="length"), "not_calibrated"),
        (freehand, "bad_message"),
        ({**room.mark(), "kind": "edit"}, "not_found"),
        ({"kind": "delete", "marks": ["m-1"]}, "not_found"),
        ({"kind": "clear_field"}, "not_permitted"),
        ({"kind": "answer", "instruction": "i-1", "answer": "seen"}, "not_permitted"),
        (
            {"kind": "calibrate", "anchor": video, "points": [[0, 0], [1, 0]], "millimetres": 1},
            "not_permitted",
        ),
        ({"kind": "still", "still": {}}, "bad_message"),
        ({"kind": "track", "tracks": [], "anchor": video}, "bad_message"),
    ):
        assert await code(expert, operation) == expected, operation
    for operation in (
        room.mark(),
        {"kind": "say", "text": "hello"},
        {"kind": "page", "board": 1, "title": ""},
    ):
        assert await code(room.trainee, operation) == "not_permitted"
    assert not [notice for notice in room.heard if notice["type"] == "operation"]
    assert (await expert.request("mark", operation=room.mark()))["sequence"] == 1


async def test_a_picture_of_which_nothing_has_come_has_no_frames_to_draw_on(room: Room) -> None:
    sources = [{"mid": "0", "source": "screen", "label": "Silent"}]
    silent = await room.expert.request("publish", sdp=await good_offer(), sources=sources)
    anchor = {"producer": silent["producers"][0]["producer"], "rtp_timestamp": 0}
    scale = {"kind": "calibrate", "anchor": anchor, "points": [[0, 0], [1, 0]], "millimetres": 1}
    for timestamp in (0, 1, room.frame, UINT32):
        operation = room.mark(anchor={**anchor, "rtp_timestamp": timestamp})
        for caller in (room.expert, room.surgeon):
            assert await code(caller, operation) == "unknown_frame"
    assert await code(room.surgeon, scale) == "unknown_frame"
    assert not [notice for notice in room.heard if notice["type"] == "operation"]
    assert (await room.expert.request("mark", operation=room.mark()))["sequence"] == 1


async def test_numbers_that_are_none_and_a_million_points_do_no_harm(room: Room) -> None:
    await room.expert.send_text(
        '{"type":"mark","id":901,"operation":{"kind":"add","mark":{"points":[[NaN,0.5]]}}}'
    )
    mark = json.dumps(room.mark(shape="freehand")["mark"])
    points = "[0.5,0.5]," * 80_000
    await room.expert.send_text(
        '{"type":"mark","id":902,"operation":{"kind":"add","mark":'
        + mark.replace('"points": [', f'"points": [{points}')
        + "}}"
    )
    errors = [await room.expert.notice("error") for _ in range(2)]
    assert [error["code"] for error in errors] == ["not_json", "too_large"]
    # above what a WebSocket frame may have the connection is closed; the others do not notice
    with contextlib.suppress(Exception):
        await room.expert.send_text("[0.5,0.5]," * 1_000_000)
    assert (await room.surgeon.request("mark", operation=room.mark()))["sequence"] == 1


async def test_marks_changed_together_are_one_operation_and_one_undo(room: Room) -> None:
    expert, surgeon = room.expert, room.surgeon
    for name in ("m-1", "m-2"):
        await expert.request("mark", operation=room.mark(mark=name))
    await surgeon.request("mark", operation=room.mark(mark="m-theirs"))

    def wider(*names: str, **changes: Any) -> dict[str, Any]:
        marks = [room.mark(mark=name, width=0.02, **changes)["mark"] for name in names]
        return {"kind": "edit", "marks": marks}

    unknown = {"producer": room.field, "rtp_timestamp": room.frame + HOUR & UINT32}
    for operation, expected in (
        (wider("m-1", "m-theirs"), "not_permitted"),
        (wider("m-8", "m-9"), "not_found"),
        (wider("m-1", "m-1"), "bad_message"),
        (wider("m-1", "m-2", anchor=unknown), "unknown_frame"),
        ({"kind": "edit", "marks": [wider("m-1")["marks"][0], 7]}, "bad_message"),
        ({"kind": "edit", "marks": [{}] * 60_000}, "bad_message"),
        ({"kind": "delete", "marks": ["m-1"] * 20_000}, "bad_message"),
    ):
        assert await code(expert, operation) == expected, operation
    # one of them is not there any more
    assert (await expert.request("mark", operation=wider("m-1", "m-9", "m-2")))["sequence"] == 4
    await expert.request("mark", operation={"kind": "undo"})
    answer = await expert.request("marks", after=0)
    replica = Replica()
    assert replica.load(parse_tail(answer))
    assert [(mark.mark, mark.width) for mark in replica.visible()] == [
        ("m-1", 0.004), ("m-2", 0.004), ("m-theirs", 0.004),
    ]  # fmt: skip
    told = [notice["operation"] for notice in room.heard if notice["type"] == "operation"]
    assert [mark["mark"] for mark in told[3]["marks"]] == ["m-1", "m-2"]
    assert told[4] == {"kind": "undo", "target": 4}


async def test_words_stay_words(room: Room) -> None:
    text = '<img src=x onerror=alert(1)> & "quotes" \u80c6\u56ca'
    operation = room.mark(shape="text", points=[[0.1, 0.1]], text=text)
    await room.expert.request("mark", operation=operation)
    await room.expert.request("mark", operation={"kind": "say", "text": f"{text}\n{text}"})
    told = [notice["operation"] for notice in room.heard if notice["type"] == "operation"]
    assert [told[0]["mark"]["text"], told[1]["text"]] == [text, f"{text}\n{text}"]


async def test_each_changes_what_is_theirs_and_all_agree(room: Room) -> None:
    expert, surgeon = room.expert, room.surgeon
    await expert.request("mark", operation=room.mark())
    assert await code(surgeon, {**room.mark(), "kind": "edit"}) == "not_permitted"
    await expert.request("mark", operation={**room.mark(points=[[0.3, 0.3], [0.4, 0.4]]), "kind": "edit"})
    await surgeon.request("mark", operation={"kind": "delete", "marks": ["m-1"]})
    await surgeon.request("mark", operation={"kind": "undo"})
    video = {"producer": room.field, "rtp_timestamp": room.frame}
    calibrate = {"kind": "calibrate", "anchor": video, "points": [[0, 0.5], [1, 0.5]], "millimetres": 30}
    await surgeon.request("mark", operation=calibrate)
    await expert.request("mark", operation=room.mark(mark="m-2", shape="length"))
    await expert.request("mark", operation=room.mark(mark="m-3", shape="pin", points=[[0.5, 0.5]]))
    instruction = {
        "kind": "instruct",
        "instruction": "i-1",
        "text": "Clip here",
        "mark": "m-1",
        "spoken": False,
    }
    await expert.request("mark", operation=instruction)
    await surgeon.request("mark", operation={"kind": "answer", "instruction": "i-1", "answer": "seen"})
    (conductor,) = room.server.service.rooms.values()
    late = Replica()
    assert late.load(parse_tail(await room.trainee.request("marks", after=0)))
    assert late.digest() == conductor.document.digest()
    assert [(mark.mark, mark.number) for mark in late.visible()] == [("m-1", 0), ("m-2", 0), ("m-3", 1)]
    assert late.visible()[0].points == ((0.3, 0.3), (0.4, 0.4))
