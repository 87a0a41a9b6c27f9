"""Processes of this folder's programs, to be had at once: their libraries take a second to load, a fork does not.

The process that forks begins with the first that is asked for, and is this process's own: it ends with it, and so does
all that it forked.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import os
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


class Forked:
    """A running program: what is written to it, and read from it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pid: int) -> None:
        self.reader, self.writer, self.pid = reader, writer, pid

    @property
    def over(self) -> bool:
        """Whether it has ended, or closed its output, as far as this process has noticed."""
        return self.reader.at_eof() or self.writer.is_closing()

    async def end(self) -> None:
        """End it, whatever it does."""
        if not self.over:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


class Forker:
    """Asks the process that forks one program. It is begun anew if it has ended."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._requests: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.close)

    async def fork(self, *arguments: str, limit: int = 1 << 16) -> Forked:
        """Have a new process; `limit` is the longest line that is read of it. Raise OSError."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                request = "\0".join(arguments).encode() or b"\0"
                try:
                    self._send(request, theirs.fileno())
                except OSError:
                    # nobody is there yet, or any more
                    self._begin()
                    self._send(request, theirs.fileno())
            ours.setblocking(False)
            reader, writer = await asyncio.open_unix_connection(sock=ours, limit=limit)
        except BaseException:
            ours.close()
            raise
        try:
            (pid,) = struct.unpack("!I", await reader.readexactly(4))
        except asyncio.IncompleteReadError:
            writer.close()
            raise ConnectionError("a process could not be begun") from None
        except BaseException:
            writer.close()
            raise
        return Forked(reader, writer, pid)

    def _send(self, request: bytes, descriptor: int) -> None:
        if self._requests is None:
            raise OSError
        socket.send_fds(self._requests, [request], [descriptor], socket.MSG_NOSIGNAL)

    def _begin(self) -> None:
        self.close()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "server.dicom.forker", self._name],
                cwd=ROOT,
                # one thread each: there are as many processes as are wanted, and address space is limited
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # what it forks is ended with it, as a group
                start_new_session=True,
            )
        self._requests = ours

    def close(self) -> None:
        """End it, and all that it forked."""
        if self._requests is not None:
            self._requests.close()
            self._requests = None
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


@functools.cache
def forker(name: str) -> Forker:
    """Give this process's forker of a program."""
    return Forker(name)
