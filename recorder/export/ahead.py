"""The cipher beside the muxer: blocks are opened before they are asked for, and a film's chunks sealed behind it.

OpenSSL works without the interpreter's lock, so threads take it off the one that muxes. Whoever needs a result that
nobody has begun with computes it himself: on one core everything happens where it is asked for. Results are taken, and
failures raised, in the order in which they are asked for.
"""

from __future__ import annotations

import os
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import TracebackType

from ..seal.file import SealedWriter
from ..seal.keys import DataKey
from ..sealing import JournalOpener
from ..source import JournalSource

#: Threads at most: SM4 in three opens about as much as one core muxes.
_THREADS = 3
#: Blocks that are opened ahead of who reads them (1.3 MB of a 4K picture each, 12.6 at most), chunks of a film
#: (1 MiB) that wait for their seal: enough for each thread to have one while one is taken.
AHEAD = 4
BEHIND = 4


class Task:
    """What is computed by and by."""

    def __init__(self, work: Callable[[], bytes], future: Future[bytes] | None) -> None:
        self._work = work
        self._future = future

    def result(self) -> bytes:
        """Give what came of it: now, where nobody has begun with it. Raises what the work raises."""
        if self._future is None or self._future.cancel():
            return self._work()
        return self._future.result()

    def drop(self) -> None:
        """Say that nobody needs it; returns when nobody works on it any more."""
        if self._future is not None and not self._future.cancel():
            self._future.exception()


class CipherThreads:
    """Threads for the cipher, as many as there are cores, since who asks mostly waits; they end with the context."""

    def __init__(self, count: int | None = None) -> None:
        """Take so many threads instead; with 0 everything is done by who asks."""
        if count is None:
            cores = len(os.sched_getaffinity(0))
            count = min(cores, _THREADS) if cores > 1 else 0
        self._pool = ThreadPoolExecutor(count, "cipher") if count > 0 else None

    def start(self, work: Callable[[], bytes]) -> Task:
        """Have something computed when a thread has time for it."""
        return Task(work, self._pool.submit(work) if self._pool is not None else None)

    def source(self, path: Path, blocks: array[int], opener: JournalOpener | None) -> AheadSource:
        """Open a journal whose blocks these threads open (segments.track.Source)."""
        return AheadSource(path, blocks, opener, self)

    def sealed(self, path: Path, key: DataKey, name: str) -> SealedBehind:
        """Begin a sealed file whose chunks these threads seal (parts.create_part)."""
        return SealedBehind(path, key, name, self)

    def close(self) -> None:
        """End the threads; what nobody has begun is left."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def __enter__(self) -> CipherThreads:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AheadSource(JournalSource):
    """A journal whose blocks are opened ahead, as far as somebody says in which order he will ask for them."""

    def __init__(
        self, path: Path, blocks: array[int], opener: JournalOpener | None, threads: CipherThreads
    ) -> None:
        super().__init__(path, blocks, opener)
        self._threads = threads
        self._expected: Iterator[int] = iter(())
        self._coming: dict[int, Task] = {}

    def expect(self, bases: Iterable[int]) -> None:
        """Open these blocks, as `block` names them, from now on; what was expected before is not any more."""
        self._forget()
        self._expected = iter(bases)
        self._fill()

    def close(self) -> None:
        """Let the files go, once no thread reads them."""
        self._forget()
        super().close()

    def _open(self, base: int) -> bytes:
        task = self._coming.pop(base, None)
        self._fill(base)
        return task.result() if task is not None else super()._open(base)

    def _fill(self, but: int | None = None) -> None:
        while len(self._coming) < AHEAD and (following := self._next()) is not None:
            if following != but and not self.holds(following) and following not in self._coming:
                self._coming[following] = self._threads.start(partial(super()._open, following))

    def _next(self) -> int | None:
        try:
            return next(self._expected, None)
        except (ValueError, OSError):
            return None  # whoever comes to that place meets it himself

    def _forget(self) -> None:
        self._expected = iter(())
        while self._coming:
            self._coming.popitem()[1].drop()


class SealedBehind(SealedWriter):
    """A sealed file whose chunks are sealed by threads; the same bytes in the same order."""

    def __init__(self, path: Path, key: DataKey, name: str, threads: CipherThreads) -> None:
        super().__init__(path, key, name)
        self._threads = threads
        self._waiting: deque[Task] = deque()

    def _put(self, plain: bytes) -> None:
        number = self._sealer.reserve()
        self._waiting.append(self._threads.start(lambda: self._sealer.seal(plain, number=number)))
        if len(self._waiting) > BEHIND:
            self._write_out(self._waiting.popleft().result())

    def _finish(self) -> None:
        while self._waiting:
            self._write_out(self._waiting.popleft().result())
        super()._finish()
