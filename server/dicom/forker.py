"""Forks a program of this folder again and again, its libraries loaded once: ``python -m server.dicom.forker NAME``.

Each request on standard input, which is a socket, bears a socket; that is the standard input and output of a new
process, which says its number first. When requests end, so do this process and all that it has forked.
"""

from __future__ import annotations

import importlib
import os
import signal
import socket
import struct
import sys
from collections.abc import Callable

PROGRAMS = frozenset({"dimse_program", "writing_program", "worker"})
#: Longest request: the arguments, parted by zeros.
REQUEST = 256


def main() -> None:
    """Fork until requests end."""
    name = sys.argv[1]
    assert name in PROGRAMS
    program: Callable[[], None] = importlib.import_module(f".{name}", __package__).main
    # nobody waits for what is forked: whoever asked for it sees its socket end
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    requests = socket.socket(fileno=os.dup(0))
    while True:
        asked, descriptors, _, _ = socket.recv_fds(requests, REQUEST, 1)
        if not descriptors:
            os.killpg(0, signal.SIGKILL)
        if os.fork() == 0:
            requests.close()
            _run(name, program, asked, descriptors[0])
        os.close(descriptors[0])


def _run(name: str, program: Callable[[], None], asked: bytes, descriptor: int) -> None:
    """Be the new process."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(descriptor, 0)
    os.dup2(descriptor, 1)
    os.close(descriptor)
    os.write(1, struct.pack("!I", os.getpid()))
    sys.argv = [name, *filter(None, asked.decode().split("\0"))]
    status = 1
    try:
        program()
        sys.stdout.flush()
        status = 0
    finally:
        os._exit(status)


if __name__ == "__main__":
    main()
