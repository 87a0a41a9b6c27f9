"""Processes that are had by a fork: each is apart, and none is left."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import struct
from pathlib import Path

from server.dicom.forking import Forked, Forker, forker
from tests.helpers.dicom_files import sample
from tests.helpers.udp_peers import until

PATIENCE = 60
MEMORY = "3072"


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def parent_of(pid: int) -> int:
    """Name a process's parent."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


async def study(process: Forked) -> str:
    """Ask a decoder of whose study a file is."""
    asked = json.dumps({"do": "study", "path": str(sample("CT_small.dcm"))}).encode()
    process.writer.write(struct.pack("!I", len(asked)) + asked)
    head, _ = struct.unpack("!IQ", await process.reader.readexactly(12))
    return str(json.loads(await process.reader.readexactly(head))["study"])


async def test_each_is_a_process_of_its_own_and_is_ended() -> None:
    # the one that this process has anyway
    own = forker("worker")
    one, other, third = await asyncio.gather(own.fork(MEMORY), own.fork(MEMORY), own.fork(MEMORY))
    assert len({one.pid, other.pid, third.pid, os.getpid()}) == 4
    assert await study(one) == await study(other)
    await one.end()
    await until(lambda: not alive(one.pid), PATIENCE)
    # what happened to one is nothing to the other
    assert (await study(other)).startswith("1.")
    await other.end()
    # one that ends by itself is noticed
    third.writer.write_eof()
    assert await third.reader.read() == b""
    assert third.over
    await third.end()


async def test_who_forks_is_begun_anew_when_it_was_ended_and_ends_all_that_it_forked() -> None:
    own = Forker("worker")
    first = await own.fork(MEMORY)
    parent = parent_of(first.pid)
    os.kill(parent, signal.SIGKILL)
    await until(lambda: not alive(parent), PATIENCE)
    second = await own.fork(MEMORY)
    assert not alive(first.pid)
    assert (await study(second)).startswith("1.")
    own.close()
    await until(lambda: not alive(second.pid), PATIENCE)
    assert await second.reader.read() == b""
    assert second.over
    await first.end()
    await second.end()
