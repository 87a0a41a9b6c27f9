"""A message that is wrong costs its sender a sentence; nobody else notices."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import server.sockets
from loadtests.caller import Caller, Message, Refused, calling
from signalling.permissions import Role
from tests.helpers.served import Served, served


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as server:
        yield server


async def error_after(caller: Caller, frame: str | bytes) -> Message:
    """Send a frame as it is and return the error that it is answered with."""
    await caller.send_text(frame)
    return await caller.notice("error")


async def still_served(caller: Caller) -> None:
    """See that the connection stayed: a ping is answered with its own time."""
    assert (await caller.request("ping", time=12.5))["time"] == 12.5


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("hello?", "not_json"),
        ("", "not_json"),
        ('{"type":"ping","id":1,"time":NaN}', "not_json"),
        (b"\x00\x01", "not_json"),
        (b'{"type":"ping","id":1,"time":1}', "not_json"),
        ("[1,2]", "bad_message"),
        ('{"type":"ping","id":1,"time":' + "[" * 5000 + "]" * 5000 + "}", "bad_message"),
        ('{"type":"ping","id":1,"time":' + '{"a":' * 9 + "1" + "}" * 9 + "}", "bad_message"),
        ('{"type":"ping","id":1,"time":1e999}', "bad_message"),
        ('{"type":"ping","id":1,"time":"now"}', "bad_message"),
        ('{"type":"ping","id":-1,"time":1}', "bad_message"),
        ('{"type":"ping","id":true,"time":1}', "bad_message"),
        ('{"type":"pong","id":1}', "unknown_type"),
        ('{"type":["ping"],"id":1}', "unknown_type"),
        ('{"id":1}', "unknown_type"),
        ('{"type":"ping","id":1,"time":"' + "x" * 262_144 + '"}', "too_large"),
    ],
)
async def test_the_answer_is_a_sentence_and_the_connection_stays(
    running: Served, frame: str | bytes, code: str
) -> None:
    async with calling(running.url, running.token("expert"), running.token("trainee")) as (bad, good):
        heard: list[Message] = []
        good.on_notice = heard.append
        error = await error_after(bad, frame)
        assert error["code"] == code
        assert error["message"].endswith(".")
        assert len(error["message"]) < 200
        await still_served(bad)
        await still_served(good)
        assert heard == []


async def test_an_error_bears_the_id_of_its_request(running: Served) -> None:
    async with Caller(running.url, running.token("expert")) as caller:
        assert (await error_after(caller, '{"type":"dance","id":77}'))["id"] == 77
        assert (await error_after(caller, '{"type":"dance","id":7.5}'))["id"] is None
        assert (await error_after(caller, "}"))["id"] is None


async def test_the_first_message_must_be_hello(running: Served) -> None:
    caller = Caller(running.url, running.token("expert"))
    await caller.open()
    with pytest.raises(Refused) as refused:
        await caller.request("ping", time=1)
    assert refused.value.code == "out_of_order"
    await caller.close()
    assert not running.service.rooms


async def test_binary_instead_of_hello_is_refused(running: Served) -> None:
    caller = Caller(running.url, running.token("expert"))
    await caller.open()
    await caller.send_text(b"\x16\x03\x01")
    assert (await caller.notice("closed"))["code"] == "not_json"
    await caller.close()


async def test_the_second_hello_is_out_of_order_and_changes_nothing(running: Served) -> None:
    async with Caller(running.url, running.token("expert")) as caller:
        with pytest.raises(Refused) as refused:
            await caller.request("hello", version=1, token=running.token("surgeon", "Dr. Other"))
        assert refused.value.code == "out_of_order"
        await still_served(caller)
        (conductor,) = running.service.rooms.values()
        assert [p.role for p in conductor.room.participants] == ["expert"]


async def test_another_version_is_refused(running: Served) -> None:
    caller = Caller(running.url, running.token("expert"))
    await caller.open()
    with pytest.raises(Refused) as refused:
        await caller.request("hello", version=2, token=caller.token)
    assert refused.value.code == "version"
    await caller.close()


async def test_who_says_nothing_is_closed(running: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.sockets, "HELLO_TIMEOUT", 0.05)
    caller = Caller(running.url, running.token("expert"))
    socket = await caller.open()
    assert (await caller.notice("closed"))["code"] == "hello_timeout"
    await asyncio.wait_for(socket.wait_closed(), 10)
    assert socket.close_code == 4000
    await caller.close()


@pytest.mark.parametrize(
    ("role", "request_body", "code"),
    [
        ("trainee", {"type": "mark", "operation": {"kind": "undo"}}, "not_permitted"),
        ("observer", {"type": "mark", "operation": {"kind": "clear_own"}}, "not_permitted"),
        ("expert", {"type": "mark", "operation": {"kind": "clear_field"}}, "not_permitted"),
        ("trainee", {"type": "publish", "sdp": "v=0\r\n", "sources": []}, "not_permitted"),
        (
            "expert",
            {"type": "publish", "sdp": "v=0\r\n", "sources": [{"mid": "0", "source": "field"}]},
            "not_permitted",
        ),
        ("expert", {"type": "record", "action": "start"}, "not_permitted"),
        ("trainee", {"type": "record", "action": "stop"}, "not_permitted"),
        ("surgeon", {"type": "record", "action": "stop"}, "not_recording"),
        ("expert", {"type": "mute", "producer": 4711, "muted": True}, "not_found"),
        ("expert", {"type": "unpublish", "producer": 4711}, "not_found"),
        ("expert", {"type": "pause", "producer": 4711, "paused": True}, "not_found"),
        (
            "expert",
            {
                "type": "barcode",
                "producer": 4711,
                "frame": 1,
                "time": 1.0,
                "interval_ms": 33.3,
                "modulus": 300,
            },
            "not_found",
        ),
        ("expert", {"type": "mark", "operation": {"kind": "undo"}}, "nothing_to_undo"),
        ("expert", {"type": "mark", "operation": {"kind": "redo"}}, "nothing_to_redo"),
        ("expert", {"type": "mark", "operation": {"kind": "explode"}}, "bad_message"),
        (
            "expert",
            {
                "type": "mark",
                "operation": {
                    "kind": "add",
                    "mark": {
                        "mark": "m-1",
                        "shape": "arrow",
                        "anchor": {"producer": 4711, "rtp_timestamp": 1},
                        "points": [[0.1, 0.1], [0.2, 0.2]],
                        "width": 0.004,
                        "text": "",
                    },
                },
            },
            "not_found",
        ),
    ],
)
async def test_what_may_not_be_is_refused_and_told_to_nobody(
    running: Served, role: Role, request_body: dict[str, Any], code: str
) -> None:
    tokens = running.token(role), running.token("chair", "Dr. Chair")
    async with calling(running.url, *tokens) as (caller, chair):
        heard: list[Message] = []
        chair.on_notice = heard.append
        with pytest.raises(Refused) as refused:
            await caller.request(
                request_body["type"],
                **{name: value for name, value in request_body.items() if name != "type"},
            )
        assert refused.value.code == code
        await still_served(chair)
        assert heard == []


async def test_an_answer_to_no_offer_has_no_effect(running: Served) -> None:
    async with Caller(running.url, running.token("expert")) as caller:
        assert (await caller.request("answer", revision=9, sdp="v=0\r\n"))["type"] == "reply"


async def test_a_flood_is_refused_and_the_others_go_on(running: Served) -> None:
    async with calling(running.url, running.token("expert"), running.token("expert", "Dr. B")) as (bad, good):
        errors: list[str] = []
        pongs: list[int] = []
        done = asyncio.Event()

        def note(message: Message) -> None:
            if message["type"] == "error":
                errors.append(message["code"])
            elif message["type"] == "pong":
                pongs.append(message["id"])
            if len(errors) + len(pongs) == 3000:
                done.set()

        bad.on_notice = note
        frames = [json.dumps({"type": "ping", "id": number, "time": 1.0}) for number in range(10_000, 13_000)]

        async def flood() -> None:
            for frame in frames:
                await bad.send_text(frame)

        flooding = asyncio.create_task(flood())
        for _ in range(20):
            await still_served(good)
        await asyncio.wait_for(flooding, 20)
        await asyncio.wait_for(done.wait(), 20)
        # 400 at once are heard; what was refused was refused as too fast
        assert len(pongs) >= 400
        assert set(errors) == {"too_fast"}
        assert len(errors) > 1000


async def test_rubbish_counts_against_the_rate_too(running: Served) -> None:
    async with Caller(running.url, running.token("expert")) as bad:
        errors: list[str] = []
        done = asyncio.Event()

        def note(message: Message) -> None:
            errors.append(message["code"])
            if message["code"] == "too_fast":
                done.set()

        bad.on_notice = note
        for _ in range(2000):
            await bad.send_text("rubbish")
        await bad.send_text('{"type":"marks","id":5000,"after":0}')
        await asyncio.wait_for(done.wait(), 20)
        assert errors.count("not_json") >= 400


async def test_a_frame_beyond_all_limits_ends_only_its_own_connection(running: Served) -> None:
    async with calling(running.url, running.token("expert"), running.token("expert", "Dr. B")) as (bad, good):
        await bad.send_text('"' + "x" * (2 << 20) + '"')
        away = await good.notice("participant")
        assert away["participant"]["state"] == "away"
        assert away["participant"]["participant"] == bad.identifier
        await still_served(good)
