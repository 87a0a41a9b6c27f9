"""A short recording on a real server, and the wait until it can be replayed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from loadtests.caller import Message, calling

from .peer import Publisher, frame_sent
from .served import Served, ask
from .udp_peers import until


def journal_size(folder: Path, recording: str) -> int:
    return (folder / "recordings" / recording / "journal.kjr").stat().st_size


async def prepared(url: str, bearer: dict[str, str], recording: str) -> Message:
    """Wait until a recording's containers are made; returns its line of the list."""
    async with asyncio.timeout(60):
        while True:
            listed = (await ask(url, "GET", "/api/recordings", bearer)).json()["recordings"]
            line: Message = next(line for line in listed if line["recording"] == recording)
            if line["state"] in ("complete", "truncated") and "progress" not in line:
                description = await ask(url, "GET", f"/api/recordings/{recording}", bearer)
                if description.status == 200:
                    return line
            await asyncio.sleep(0.05)


async def recorded(
    server: Served, audience: dict[str, Any] | None = None
) -> tuple[str, list[dict[str, Any]]]:
    """Record two seconds of picture and sound with a mark on it; returns the recording and its producers.

    `audience`: whom the picture is for, if not for everybody.
    """
    async with calling(server.url, server.token("surgeon", "Dr. S")) as (surgeon,):
        publisher = Publisher(surgeon)
        try:
            producers = await publisher.publish("field")
            if audience is not None:
                await surgeon.request("restrict", producer=producers[0]["producer"], **audience)
            await surgeon.request("record", action="start")
            recording = str((await surgeon.notice("recording"))["recording"]["recording"])
            frame = await frame_sent(server.service, producers[0]["producer"])
            mark = {
                "mark": "m-1",
                "shape": "text",
                "anchor": {"producer": producers[0]["producer"], "rtp_timestamp": frame},
                "points": [[0.5, 0.5]],
                "width": 0.004,
                "text": "here",
            }
            await surgeon.request("mark", operation={"kind": "add", "mark": mark})
            await until(lambda: journal_size(server.folder, recording) > 60_000, 30)
            await surgeon.request("record", action="stop")
            return recording, producers
        finally:
            await publisher.close()


async def played(url: str, bearer: dict[str, str], recording: str, producer: int) -> bytes:
    """Fetch all of one track as a page does, put together."""
    base = f"/api/recordings/{recording}/{producer}"
    listed = await ask(url, "GET", f"{base}/segments.json", bearer)
    assert listed.status == 200, listed.body
    list_ = listed.json()
    suffix = "webm" if list_["init"].endswith("webm") else "m4s"
    names = [list_["init"], *(f"{number}.{suffix}" for number in range(len(list_["segments"])))]
    answers = [await ask(url, "GET", f"{base}/{name}", bearer) for name in names]
    assert [answer.status for answer in answers] == [200] * len(names)
    return b"".join(answer.body for answer in answers)
