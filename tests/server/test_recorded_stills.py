"""Frozen frames in a recording: what was frozen for all is in it, for whoever may replay it, and only as it was."""

from __future__ import annotations

import hashlib
from pathlib import Path

from annotation.still import Still
from loadtests.caller import calling
from server.stills import KeptStill
from tests.helpers.recorded import prepared
from tests.helpers.served import Served, served

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 12_000


def freeze(server: Served, timestamp: int, *, kept: bool = True) -> str:
    """Keep a frame and announce it in the room, as `server/guidance.py` does; give its name."""
    conductor = server.service.rooms["ward"]
    (author,) = conductor.members
    png = PNG + timestamp.to_bytes(4, "big")
    sm3 = hashlib.new("sm3", png).hexdigest()
    if kept:
        still = KeptStill(7, timestamp, 320, 240, "", for_all=True, links=("link",))
        assert server.service.stills.keep("ward", still, png).sm3 == sm3
    conductor.decide(Still(7, timestamp, 320, 240, sm3, author, True, ""), author, "Dr. S", "#ffffff")
    return f"7-{timestamp}.png"


async def test_a_frozen_frame_is_in_the_recording(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        async with calling(server.url, server.token("surgeon", "Dr. S")) as (surgeon,):
            # one from before, one while it is recorded, one that had to go, and one at the very end
            before = freeze(server, 1000)
            await surgeon.request("record", action="start")
            recording = (await surgeon.notice("recording"))["recording"]["recording"]
            freeze(server, 2000, kept=False)
            then = freeze(server, 3000)
            last = freeze(server, 4000)
            await surgeon.request("record", action="stop")
        bearer = server.bearer("trainee")
        assert (await prepared(server.url, bearer, recording))["state"] == "complete"
        base = f"/api/recordings/{recording}"
        described = (await server.ask("GET", base, bearer)).json()["stills"]
        assert [still["file"] for still in described] == [before, then, last]
        # whatever becomes of those that the room keeps
        for file in (tmp_path / "stills").rglob("*.png"):
            file.unlink()
        answer = await server.ask("GET", f"{base}/{then}", bearer)
        assert (answer.status, answer.headers["content-type"]) == (200, "image/png")
        assert answer.body == PNG + (3000).to_bytes(4, "big")
        assert described[1]["sm3"] == hashlib.new("sm3", answer.body).hexdigest()

        opened = await server.ask("POST", "/api/replay", bearer)
        cookie = {"Cookie": opened.headers["set-cookie"].partition(";")[0]}
        for headers, name, status in (
            (cookie, then, 200),
            ({}, then, 401),
            ({"Authorization": "Bearer nobody"}, then, 401),
            (server.bearer("observer"), then, 403),
            (server.bearer("trainee", room="other"), then, 404),
            (bearer, "7-2000.png", 404),
            (bearer, "7-1.png", 404),
            (bearer, "%2e%2e%2f7-3000.png", 404),
        ):
            assert (await server.ask("GET", f"{base}/{name}", headers)).status == status, (name, status)

        # somebody changed it on the disk: nobody is shown that, and the others are
        path = tmp_path / "recordings" / recording / then
        path.write_bytes(path.read_bytes()[:-1] + b"!")
        damaged = await server.ask("GET", f"{base}/{then}", bearer)
        assert (damaged.status, b"PNG" in damaged.body) == (410, False)
        assert damaged.json()["message"].endswith(".")
        assert (await server.ask("GET", f"{base}/{last}", bearer)).status == 200

        # nor where what says of it what it must be was changed
        path = tmp_path / "recordings" / recording / "description.json"
        path.write_bytes(path.read_bytes()[:-1] + b"!")
        answer = await server.ask("GET", f"{base}/{last}", bearer)
        assert (answer.status, b"PNG" in answer.body) == (500, False)
