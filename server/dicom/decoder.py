"""A few processes that read and decode.

One that breaks, hangs or eats memory is replaced, and its question is answered with why.
"""

from __future__ import annotations

import asyncio
import json
import struct
from pathlib import Path
from typing import Any

from annotation.dicom.errors import DicomError

from .forking import Forked, forker


class Decoder:
    """Asks workers, one question each at a time. To be made within a running event loop."""

    def __init__(self, workers: int = 2, *, seconds: float = 30.0, memory_mb: int = 3072) -> None:
        """`seconds` and `memory_mb` are what one question may take."""
        self._seconds, self._memory = seconds, memory_mb
        self._free: asyncio.LifoQueue[Forked | None] = asyncio.LifoQueue()
        for _ in range(workers):
            self._free.put_nowait(None)
        self._running: set[Forked] = set()
        self._closed = False

    async def ask(self, do: str, path: Path, **fields: Any) -> tuple[dict[str, Any], bytes]:
        """Ask a worker; returns the answer's object and its body. Raise DicomError."""
        worker = await self._free.get()
        try:
            if worker is not None and worker.over:
                await self._end(worker)
                worker = None
            if worker is None:
                worker = await self._start()
            async with asyncio.timeout(self._seconds):
                head, body = await self._exchange(worker, {"do": do, "path": str(path), **fields})
        except TimeoutError:
            await self._end(worker)
            worker = None
            raise DicomError(
                "broken", f"Reading it took longer than {self._seconds:.0f} s, and was given up.", "too_slow"
            ) from None
        except (asyncio.IncompleteReadError, OSError):
            await self._end(worker)
            worker = None
            raise DicomError(
                "broken", "Reading it broke the decoder, which was replaced.", "decoder_broke"
            ) from None
        except BaseException:
            # half an answer may be under way: this worker is of no use any more
            await self._end(worker)
            worker = None
            raise
        finally:
            self._free.put_nowait(worker)
        if "error" in head:
            raise DicomError(head["code"], head["error"], head.get("detail", ""))
        return head, body

    @property
    def workers(self) -> list[int]:
        """The processes that run now."""
        return [worker.pid for worker in self._running]

    async def close(self) -> None:
        """End all workers."""
        self._closed = True
        for worker in list(self._running):
            await self._end(worker)

    async def _start(self) -> Forked:
        if self._closed:
            raise DicomError("broken", "The server is being stopped.")
        worker = await forker("worker").fork(str(self._memory), limit=4 << 20)
        self._running.add(worker)
        return worker

    async def _exchange(self, worker: Forked, question: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        text = json.dumps(question).encode()
        worker.writer.write(struct.pack("!I", len(text)) + text)
        await worker.writer.drain()
        head, body = struct.unpack("!IQ", await worker.reader.readexactly(12))
        answer: dict[str, Any] = json.loads(await worker.reader.readexactly(head))
        return answer, await worker.reader.readexactly(body) if body else b""

    async def _end(self, worker: Forked | None) -> None:
        if worker is None:
            return
        self._running.discard(worker)
        await worker.end()
