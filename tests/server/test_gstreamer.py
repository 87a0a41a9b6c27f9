"""GStreamer's webrtcbin publishes by WHIP and shows by WHEP: ICE, DTLS and SRTP that share no line with ours."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from media.ids import ProducerId
from media.plane import EncodingStatistics
from tests.helpers.served import Served, served
from tests.helpers.udp_peers import until

SCRIPT = Path(__file__).parent.parent / "helpers" / "gstreamer_peer.py"

#: The Python that Debian's bindings are for.
SYSTEM_PYTHON = "/usr/bin/python3"


class GStreamer:
    """The script's process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def lines(self, line: str, count: int) -> None:
        """Wait until it has said this line so many times more; whatever else it says is passed over."""
        assert self._process.stdout is not None
        async with asyncio.timeout(40):
            while count:
                said = (await self._process.stdout.readline()).decode().strip()
                assert said and not said.startswith("ended"), f"GStreamer ended: {said}"  # noqa: PT018
                count -= said == line

    async def end(self) -> None:
        """Have it delete its session."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        async with asyncio.timeout(20):
            assert await self._process.wait() == 0


@contextlib.asynccontextmanager
async def gstreamer(server: Served, mode: str, target: str) -> AsyncIterator[GStreamer]:
    process = await asyncio.create_subprocess_exec(
        SYSTEM_PYTHON, str(SCRIPT), mode, server.url + target,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(f"{server.token('surgeon' if mode == 'send' else 'observer')}\n".encode())
    try:
        yield GStreamer(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def test_gstreamer_is_shown_and_shows_and_goes_on_with_the_next(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        async with gstreamer(server, "send", "/whip/ward") as first:
            await first.lines("connected", 1)
            (conductor,) = server.service.rooms.values()
            assert {p.codec for p in conductor.room.producers} == {"H264", "OPUS"}
            video = next(p.producer for p in conductor.room.producers if p.kind == "video")
            # its first key frame is lost where it is sent before our end of the handshake has its keys
            await until(lambda: _encoding(server, video).packets > 50, 30)
            before = _encoding(server, video).key_frames
            async with gstreamer(server, "play", "/whep/ward") as wall:
                # its encoder makes a key frame in 40 s, and when it is asked for one
                await wall.lines("frame 320 180", 5)
                await wall.lines("sound", 5)
                assert _encoding(server, video).key_frames > before
                await first.end()
                await until(lambda: not conductor.room.producers, 30)
                async with gstreamer(server, "send", "/whip/ward") as second:
                    await second.lines("connected", 1)
                    # none of the first one's can be left by then
                    await wall.lines("frame 320 180", 30)
                    await wall.lines("sound", 5)
                    await second.end()
                await wall.end()
        await until(lambda: not server.service.rooms, 30)


def _encoding(server: Served, producer: int) -> EncodingStatistics:
    return server.service.plane.producer_statistics(ProducerId(producer)).encodings[0]
