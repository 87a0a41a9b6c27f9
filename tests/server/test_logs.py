"""Whoever reads the logs learns neither who was treated nor who gave advice, and gets no key to the door."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path

import pytest

from loadtests.caller import Caller, Refused, calling
from tests.helpers.peer import Publisher, Watcher, frame_sent
from tests.helpers.served import served

#: The other side of the call runs in this process too; its loggers are not the server's.
OURS = ("server", "media", "signalling", "annotation", "recorder", "aiohttp")


async def test_a_session_leaves_no_names_no_tokens_and_no_addresses(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    room = "Zimmer-Geheim"
    secrets: set[str] = {room, "Wang Xiaoming", "Dr. Quelle", "Wand am Magen", "Befund Meier", "Herr Meier"}
    async with served(tmp_path) as server:
        tokens = [
            server.token("surgeon", "Wang Xiaoming", room),
            server.token("expert", "Dr. Quelle", room),
        ]
        secrets |= set(tokens) | {token.rpartition(".")[2] for token in tokens}
        async with calling(server.url, *tokens) as (surgeon, expert):
            publisher, watcher = Publisher(surgeon), Watcher(expert)
            try:
                video = (await publisher.publish("field"))[0]["producer"]
                await watcher.serve_offers(until=2)
                await asyncio.wait_for(watcher.frames("video", 2), 20)
                await surgeon.request("record", action="start")
                text = {
                    "mark": "m-1",
                    "shape": "text",
                    "anchor": {"producer": video, "rtp_timestamp": await frame_sent(server.service, video)},
                    "points": [[0.5, 0.5]],
                    "width": 0.004,
                    "text": "Wand am Magen",
                }
                await expert.request("mark", operation={"kind": "add", "mark": text})
                await expert.request("mark", operation={"kind": "say", "text": "Herr Meier blutet"})
                bearer = {"Authorization": f"Bearer {tokens[1]}"}
                for name in (b"Befund Meier.pdf", b"../Befund Meier"):
                    await server.ask("POST", "/api/files", bearer, b'{"name":"%s","size":1}' % name)
                for wrong in ("publish", "nothing", "mark"):
                    with contextlib.suppress(Refused):
                        await expert.request(
                            wrong, sdp="a=Wand am Magen", operation={"kind": "Wand am Magen"}
                        )
                expert.abort()
                again = Caller(server.url, expert.token)
                await again.join(session=expert.welcome["session"])
                secrets |= {str(c.welcome["session"]) for c in (surgeon, expert, again)}
                secrets |= {str(c.identifier) for c in (surgeon, expert)}
                await server.ask("GET", "/api/recordings", {"Authorization": f"Bearer {tokens[0]}x"})
                await server.ask(
                    "GET", f"/api/recordings/../{room}", {"Authorization": f"Bearer {tokens[0]}"}
                )
                opened = await server.ask("POST", "/api/replay", {"Authorization": f"Bearer {tokens[0]}"})
                secrets.add(opened.headers["set-cookie"].partition("=")[2].partition(";")[0])
                local = watcher.peer.localDescription.sdp + publisher.peer.localDescription.sdp
                secrets |= {
                    line.split()[5]
                    for line in local.splitlines()
                    if line.startswith("a=candidate") and "." in line
                }
                secrets |= {
                    line.partition(":")[2] for line in local.splitlines() if line.startswith("a=ice-pwd")
                }
                await again.close()
            finally:
                await publisher.close()
                await watcher.close()
        secrets.add(server.service.secret.hex())
    ours = [record for record in caplog.records if record.name.partition(".")[0] in OURS]
    assert len(ours) > 5, "a session of which nothing is logged proves nothing"
    text_logged = "\n".join(f"{record.getMessage()} {record.exc_text or ''}" for record in ours)
    assert [secret for secret in secrets if secret in text_logged] == []
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []
