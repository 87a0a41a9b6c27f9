"""A camera by RTSP, served by GStreamer: its picture passes, its sound becomes Opus, and it may come back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from media.codecs import h264
from server.publisher import command
from server.publisher.address import Address
from server.publisher.session import Wishes
from tests.helpers.udp_peers import until
from tests.helpers.whip_endpoint import whip_endpoint

SCRIPT = Path(__file__).parents[2] / "helpers" / "rtsp_server.py"
SYSTEM_PYTHON = "/usr/bin/python3"


@contextlib.asynccontextmanager
async def camera(port: int = 0) -> AsyncIterator[str]:
    """Serve, on this port if it is given; gives the address."""
    process = await asyncio.create_subprocess_exec(
        SYSTEM_PYTHON, str(SCRIPT), str(port), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(40):
            address = (await process.stdout.readline()).decode().strip()
        assert address.startswith("rtsp://"), address
        yield address
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def test_a_camera_is_passed_through_and_may_come_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "FIRST_WAIT", 0.1)
    async with whip_endpoint() as endpoint:
        async with camera() as address:
            port = urlsplit(address).port
            secret = Address(address.replace("://", "://admin:secret@"))
            wishes = Wishes("ward", "field", "Camera")
            publishing = asyncio.create_task(
                command._until_stopped(secret, False, endpoint.url, "token", wishes)
            )
            try:
                await until(lambda: len(endpoint.frames()) > 30 or publishing.done(), 40)
                await until(lambda: len(endpoint.packets("audio")) > 20 or publishing.done(), 40)
                first = endpoint.tracks[0].ssrc
            except BaseException:
                publishing.cancel()
                raise
        try:
            # the camera was unplugged, and is plugged in again
            await until(
                lambda: endpoint.transport is None or endpoint.transport.ended or publishing.done(), 40
            )
            async with camera(port or 0):
                await until(
                    lambda: (
                        (endpoint.tracks[0].ssrc != first and len(endpoint.frames()) > 10)
                        or publishing.done()
                    ),
                    60,
                )
                publishing.cancel()
                async with asyncio.timeout(20):
                    assert await publishing == 0
                # it asked for the place that it had, and left it at last
                assert endpoint.formers == ["", f"{endpoint.url}{endpoint.location}"]
                assert [method for method, _, _ in endpoint.requests] == ["POST", "POST", "DELETE"]
        finally:
            publishing.cancel()
        kinds = {
            unit[0] & 0x1F
            for frame in endpoint.frames()
            for unit in h264.depacketise(p.payload for p in frame)
        }
        assert {1, 5, 7, 8} <= kinds
        said = capsys.readouterr()
        assert f"rtsp://127.0.0.1:{port}/camera" in said.out
        assert "OPUS minptime=10;useinbandfec=1, encoded by libopus" in said.out
        assert "Trying again in" in said.err
        assert "secret" not in said.out + said.err
