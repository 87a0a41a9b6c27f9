"""A field's worker process as the server holds it: fed, listened to, watched, and started anew when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from . import wire
from .pictures import Stream

log = logging.getLogger(__name__)

ROOT: Final = Path(__file__).parent.parent.parent

#: Bytes that may wait before a worker that does not read; beyond it packets are left out, and it sees a gap.
BACKLOG: Final = 16 << 20
#: Seconds before one that died is started anew: doubled each time, up to the most.
FIRST_WAIT: Final = 0.5
LONGEST_WAIT: Final = 30.0


class Follower:
    """Runs one worker as long as it is not closed."""

    def __init__(
        self,
        stream: Stream,
        begin: Callable[[], list[bytes]],
        on_message: Callable[[bytes, dict[str, Any]], None],
        on_death: Callable[[], None],
    ) -> None:
        """`begin` gives the messages that a new process is to be told first."""
        self._stream = stream
        self._begin = begin
        self._on_message = on_message
        self._on_death = on_death
        self._process: asyncio.subprocess.Process | None = None
        self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def pid(self) -> int | None:
        """The worker's, while there is one."""
        return None if self._process is None else self._process.pid

    def send(self, message: bytes, *, dispensable: bool = False) -> bool:
        """Pass a message on; False where nobody takes it. What is `dispensable` is left out rather than piled up."""
        stdin = None if self._process is None else self._process.stdin
        if stdin is None or stdin.is_closing():
            return False
        if dispensable and stdin.transport.get_write_buffer_size() > BACKLOG:
            return False
        stdin.write(message)
        return True

    async def close(self) -> None:
        """End the worker."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        wait = FIRST_WAIT
        while True:
            began = asyncio.get_running_loop().time()
            await self._live()
            self._on_death()
            # one that lived for a minute was not ill
            lived = asyncio.get_running_loop().time() - began
            wait = FIRST_WAIT if lived > 60 else min(2 * wait, LONGEST_WAIT)
            log.warning("a field's worker ended after %.0f s; the next begins in %.1f s", lived, wait)
            await asyncio.sleep(wait)

    async def _live(self) -> None:
        # a patient process: whoever operates comes first
        process = await asyncio.create_subprocess_exec(
            "nice", "-n", "10", sys.executable, "-m", "server.watching", "follow",
            cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(wire.message_of(wire.STREAM, wire.describe(self._stream)))
            for message in self._begin():
                process.stdin.write(message)
            self._process = process
            await self._listen(process.stdout)
        finally:
            self._process = None
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _listen(self, stdout: asyncio.StreamReader) -> None:
        messages = wire.Messages()
        while data := await stdout.read(1 << 16):
            try:
                for kind, payload in messages.receive(data):
                    self._on_message(kind, json.loads(payload))
            except (ValueError, KeyError, TypeError):
                # a decoder that was led astray may write anything
                log.error("a field's worker said what cannot be understood")
                return
