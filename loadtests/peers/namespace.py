"""A network of its own: a namespace with one address, because libnice and Pion do not take the loopback's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

#: The one address within; nothing outside the namespace can be reached from it.
HOST = "10.77.0.1"

_DEFAULTS = ("rmem_default", "wmem_default")


def missing() -> str:
    """Say in one sentence what keeps us from making a namespace; empty if nothing does."""
    if os.geteuid() != 0:
        return "A network namespace is needed: run this as root."
    absent = [name for name in ("unshare", "ip") if shutil.which(name) is None]
    return f"Please install {' and '.join(absent)} (util-linux, iproute2)." if absent else ""


def run_inside(arguments: Sequence[str]) -> int:
    """Run this Python with these arguments in a namespace of its own; returns its exit status."""
    command = ["unshare", "--net", sys.executable, *arguments]
    return subprocess.run(command, check=False).returncode


def set_up() -> str:
    """Give the namespace that we are in its address; returns it."""
    for command in (
        "link set lo up",
        "link add konsil0 type veth peer name konsil1",
        f"addr add {HOST}/24 dev konsil0",
        "link set konsil0 up",
        "link set konsil1 up",
    ):
        subprocess.run(["ip", *command.split()], check=True)
    return HOST


@contextmanager
def socket_buffers(size: int) -> Iterator[None]:
    """Let every socket that is opened meanwhile have buffers of this size, asked for or not."""
    folder = Path("/proc/sys/net/core")
    before = {name: (folder / name).read_text() for name in _DEFAULTS}
    try:
        for name in _DEFAULTS:
            (folder / name).write_text(f"{size}\n")
        yield
    finally:
        for name, value in before.items():
            (folder / name).write_text(value)
