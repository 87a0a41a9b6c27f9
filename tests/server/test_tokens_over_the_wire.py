"""A link admits to its own room until it expires, by whatever door: WebSocket, WHIP or the recordings."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import jwt
import pytest

from loadtests.caller import Caller, Refused
from tests.helpers.served import Served, served


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as server:
        yield server


def claims(**changes: Any) -> dict[str, Any]:
    """Claims that admit, but for the changes; None takes a claim away."""
    good = {"aud": "konsil", "room": "ward", "name": "Dr. X", "role": "surgeon", "exp": int(time.time()) + 60}
    return {name: value for name, value in (good | changes).items() if value is not None}


def sign(server: Served, **changes: Any) -> str:
    return jwt.encode(claims(**changes), server.service.secret, "HS256")


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def unsigned(server: Served, algorithm: str = "none") -> str:
    return f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part(claims())}."


def by_the_empty_key(server: Served) -> str:
    body = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims())}"
    tag = hmac.new(b"", body.encode(), hashlib.sha256).digest()
    return f"{body}.{base64.urlsafe_b64encode(tag).rstrip(b'=').decode()}"


def changed(server: Served) -> str:
    head, _, tag = sign(server, role="observer").split(".")
    return f"{head}.{part(claims(role='surgeon'))}.{tag}"


BAD: dict[str, Callable[[Served], str]] = {
    "expired": lambda server: sign(server, exp=int(time.time()) - 1),
    "without expiry": lambda server: sign(server, exp=None),
    "signed by another secret": lambda server: jwt.encode(claims(), b"x" * 32, "HS256"),
    "another algorithm": lambda server: jwt.encode(claims(), server.service.secret * 2, "HS512"),
    "alg none": unsigned,
    "alg None": lambda server: unsigned(server, "None"),
    "the empty key": by_the_empty_key,
    "claims changed": changed,
    "another audience": lambda server: sign(server, aud="other"),
    "no audience": lambda server: sign(server, aud=None),
    "another role": lambda server: sign(server, role="administrator"),
    "no role": lambda server: sign(server, role=None),
    "no name": lambda server: sign(server, name=""),
    "a name with a line break": lambda server: sign(server, name="Dr.\r\nSet-Cookie: a=b"),
    "a name turned round": lambda server: sign(server, name="Dr. \u202eX"),
    "a room with ../": lambda server: sign(server, room="../../etc"),
    "a room with a slash": lambda server: sign(server, room="ward/other"),
    "a room with CRLF": lambda server: sign(server, room="ward\r\nX: y"),
    "a room with a dot in front": lambda server: sign(server, room=".ward"),
    "a room that is a list": lambda server: sign(server, room=["ward"]),
    "rubbish": lambda _: "rubbish",
    "dots": lambda _: "..",
    "too long": lambda server: sign(server, padding="x" * 5000),
}


@pytest.mark.parametrize("what", BAD)
async def test_what_is_wrong_opens_no_door(running: Served, what: str) -> None:
    token = BAD[what](running)
    caller = Caller(running.url, token)
    with pytest.raises(Refused) as refused:
        await caller.join()
    await caller.close()
    bearer = {"Authorization": f"Bearer {token}"}
    offer = bearer | {"Content-Type": "application/sdp"}
    assert (await running.ask("POST", "/whip/ward", offer, b"v=0\r\n")).status == 401
    assert (await running.ask("GET", "/api/recordings", bearer)).status == 401
    assert (await running.ask("POST", "/api/replay", bearer)).status == 401
    assert (await running.ask("GET", "/api/recordings", {"Cookie": f"konsil_replay={token}"})).status == 401
    # the sentence helps its reader, and repeats nothing of what was sent
    assert refused.value.code in {"token_invalid", "token_expired", "bad_message"}
    assert (refused.value.code == "token_expired") == (what == "expired")
    assert token[:12] not in str(refused.value)
    assert not running.service.rooms


async def test_a_good_one_opens_every_door(running: Served) -> None:
    """The yardstick of the test above."""
    token = sign(running)
    async with Caller(running.url, token) as caller:
        assert caller.welcome["room"] == "ward"
    bearer = {"Authorization": f"Bearer {token}"}
    offer = bearer | {"Content-Type": "application/sdp"}
    assert (await running.ask("POST", "/whip/ward", offer, b"v=0\r\n")).status == 400
    assert (await running.ask("GET", "/api/recordings", bearer)).status == 200
    assert (await running.ask("POST", "/api/replay", bearer)).status == 204


#: The last ones only look like the room `ward` (Janus PR #3637: what begins alike is not the same).
OTHER_ROOMS = ("other", "war", "ward1", "ward-", "ward.x", "WARD", "-ward")


async def test_a_link_for_one_room_is_none_for_another(running: Served) -> None:
    for room in OTHER_ROOMS:
        offer = running.bearer("surgeon", room=room) | {"Content-Type": "application/sdp"}
        for door in ("whip", "whep"):
            assert (await running.ask("POST", f"/{door}/ward", offer, b"v=0\r\n")).status == 403, room
            assert (await running.ask("DELETE", f"/{door}/ward/abc", offer)).status == 403, room
    async with Caller(running.url, running.token("expert", room="other")) as caller:
        assert caller.welcome["room"] == "other"
        assert list(running.service.rooms) == ["other"]


@pytest.mark.parametrize(
    "room",
    ["..%2fward", "%2e%2e", "..", "ward%0d%0aX:y", "ward%00", ".ward", "w" * 65, "%E6%89%8B", "wa%20rd"],
)
async def test_a_name_that_is_none_opens_no_room(running: Served, room: str) -> None:
    offer = running.bearer("surgeon") | {"Content-Type": "application/sdp"}
    answer = await running.ask("POST", f"/whip/{room}", offer, b"v=0\r\n")
    assert answer.status == 404
    assert not running.service.rooms


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "Token abc", "bearer\tabc"])
async def test_without_a_bearer_nobody_is_let_in(running: Served, header: str) -> None:
    answer = await running.ask("GET", "/api/recordings", {"Authorization": header})
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
