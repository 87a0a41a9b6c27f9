"""The frames that a room froze for all, on their way into its recording: read one at a time, checked, handed over.

The room waits for none of it: a frame that is not kept any more, or is not the one that was announced, is left out, and
the replay says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from recorder.recording import Recording
from recorder.seal.digest import sm3
from recorder.stills import FrameName

log = logging.getLogger(__name__)

#: Frames that may wait to be read: more than a room keeps are not there any more.
MOST_WAITING: Final = 1000
#: Seconds that a recording's end waits for the frames that were frozen last.
PATIENCE: Final = 15.0
#: Seconds between two helpings of a still where the disk has nothing to say.
_TURN: Final = 0.05

#: Reads a frame's PNG file by its name; None: it is not kept any more. Called in a thread.
ReadStill = Callable[[FrameName], bytes | None]


class RecordedStills:
    """The stills of one recording. `pump` makes the recording give what it holds."""

    def __init__(self, recording: Recording, read: ReadStill, pump: Callable[[], None]) -> None:
        self._recording = recording
        self._read = read
        self._pump = pump
        self._waiting: deque[tuple[FrameName, str]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._written = asyncio.Event()

    def receive_operation(self, body: dict[str, object]) -> None:
        """Take an `operation` notice; those that announce a still are seen to."""
        operation = body.get("operation")
        if not isinstance(operation, dict) or operation.get("kind") != "still":
            return
        still = operation["still"]
        if len(self._waiting) >= MOST_WAITING:
            log.warning("a frozen frame is left out of a recording: too many wait")
            return
        self._waiting.append(((still["producer"], still["rtp_timestamp"]), still["sm3"]))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._carry())

    def handle_written(self) -> None:
        """The disk has taken something."""
        self._written.set()

    async def finish(self) -> None:
        """See to what is under way, for some seconds at most."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=PATIENCE)

    def give_up(self) -> None:
        """Leave out what is under way: the disk takes nothing more."""
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()

    async def _carry(self) -> None:
        while self._waiting:
            name, announced = self._waiting.popleft()
            png, digest = await asyncio.to_thread(self._look, name)
            if (
                png is None
                or digest.hex() != announced
                or not self._recording.receive_still(name, digest, png)
            ):
                log.warning("a frozen frame is left out of a recording")
                continue
            while not self._recording.awaits_still:
                self._written.clear()
                self._pump()
                # what waits for the disk is written, and says so; until then others have their turn
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._written.wait(), _TURN)

    def _look(self, name: FrameName) -> tuple[bytes | None, bytes]:
        png = self._read(name)
        return png, b"" if png is None else sm3(png)
