"""The archive lets go wherever its errand stands."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from recorder import signing
from tests.helpers.journals import RECORDING
from tests.helpers.numbered import numbered_recording
from tests.helpers.served import served
from tests.helpers.udp_peers import until


@pytest.mark.timeout(60)
async def test_a_server_that_stops_while_a_recording_is_signed(tmp_path: Path) -> None:
    folder = numbered_recording(tmp_path / "recordings" / RECORDING, count=3)
    with signing._alone(folder.parent):  # as another server on this folder does
        # the worker is over, and the signature waits for another server's
        async with served(tmp_path) as server:
            archive = server.service.archive
            await until(lambda: archive.progress.get(RECORDING) == 1.0, 20)
            await until(lambda: _waiting_for_locks() > 0, 20)
            closing = asyncio.create_task(archive.close())
            await asyncio.wait([closing], timeout=20)
            assert closing.done()


def _waiting_for_locks() -> int:
    """Return how many locks this process waits for."""
    lines = Path("/proc/locks").read_text("ascii").splitlines()
    return sum(" -> " in line and f" {os.getpid()} " in line for line in lines)
