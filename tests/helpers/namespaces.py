"""A machine with two lines in a network namespace of its own: veth pairs into it, which a test cuts and mends.

The server stays outside and listens on one address, which both lines lead to. Needs root, or a `sudo` that asks for no
password, as the set-up of the tests does.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

_counter = itertools.count(1)


def ip(*arguments: str) -> None:
    """Run iproute2's `ip`. AssertionError with what it says when it fails."""
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    done = subprocess.run(
        [*as_root, "ip", *arguments], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr.strip()}"


@dataclass(frozen=True, slots=True)
class TwoLines:
    """The namespace; lines are 0 and 1. The server's address is `server`, the machine's are `hosts`."""

    name: str
    server: str
    hosts: tuple[str, str]

    def set_line(self, line: int, *, up: bool) -> None:
        """Plug a line in, or take it out: as a network manager does, its address and its routes go with it."""
        device = self._inside(line)
        if not up:
            ip("-n", self.name, "addr", "flush", "dev", device)
            ip("-n", self.name, "link", "set", device, "down")
            return
        # no prefix route: where the server is found is said by the metrics alone
        ip("-n", self.name, "addr", "add", f"{self.hosts[line]}/30", "dev", device, "noprefixroute")
        ip("-n", self.name, "link", "set", device, "up")
        self._route(line)

    def black_hole(self, line: int) -> None:
        """Let a line swallow everything in silence, both ways: link, address and routes stay as they are.

        What bears the line's own address goes over the line and no other, as on phones, whose sockets are bound.
        """
        device, host = self._inside(line), self.hosts[line]
        far = host.rpartition(".")[0] + ".1"
        table = str(101 + line)
        ip("-n", self.name, "route", "add", self.server, "via", far, "dev", device, "onlink", "table", table)
        ip("-n", self.name, "rule", "add", "from", host, "lookup", table)
        nobody = ("lladdr", "02:00:00:00:00:01", "nud", "permanent")
        ip("-n", self.name, "neigh", "replace", far, *nobody, "dev", device)
        ip("neigh", "replace", host, *nobody, "dev", self._outside(line))

    def wrap(self, folder: Path, command: str) -> Path:
        """Make an executable that starts a program within the namespace."""
        script = folder / f"in-{self.name}"
        as_root = "" if os.geteuid() == 0 else "sudo -n "
        script.write_text(f'#!/bin/sh\nexec {as_root}ip netns exec {self.name} "{command}" "$@"\n')
        script.chmod(0o755)
        return script

    def _inside(self, line: int) -> str:
        return f"{self.name}i{line}"

    def _outside(self, line: int) -> str:
        return f"{self.name}o{line}"

    def _route(self, line: int) -> None:
        # the first line is preferred while it is there
        far = self.server if line == 0 else self.hosts[1].rpartition(".")[0] + ".1"
        via = [] if line == 0 else ["via", far]
        metric = str(100 + 100 * line)
        device = self._inside(line)
        if line:
            ip("-n", self.name, "route", "replace", f"{far}/32", "dev", device)
        ip("-n", self.name, "route", "replace", f"{self.server}/32", *via, "dev", device, "metric", metric)


def free_number(kind: str, step: int) -> int:
    """Find a number for a new namespace, and its networks: one that a killed run has not left behind."""
    number = os.getpid() * step + next(_counter)
    while Path("/run/netns", f"{kind}{number % 100_000}").exists():
        number += 1
    return number


@contextlib.asynccontextmanager
async def two_lines() -> AsyncIterator[TwoLines]:
    """Make the namespace with both lines up, and take it away afterwards."""
    number = free_number("ko", 7)
    net = f"10.{100 + number % 100}.{number // 100 % 127 * 2}"
    other = f"10.{100 + number % 100}.{number // 100 % 127 * 2 + 1}"
    lines = TwoLines(f"ko{number % 100_000}", f"{net}.1", (f"{net}.2", f"{other}.2"))
    await asyncio.to_thread(_build, lines)
    try:
        yield lines
    finally:
        await asyncio.to_thread(ip, "netns", "del", lines.name)


def _build(lines: TwoLines) -> None:
    ip("netns", "add", lines.name)
    try:
        ip("-n", lines.name, "link", "set", "lo", "up")
        for line, host in enumerate(lines.hosts):
            inside, outside = lines._inside(line), lines._outside(line)
            ip("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", lines.name)
            far = host.rpartition(".")[0] + ".1"
            # an address of IPv6 that is there a second later is a change of the network to a browser: it gives up
            # what it was just fetching
            ip("-n", lines.name, "link", "set", inside, "addrgenmode", "none")
            ip("addr", "add", f"{far}/30", "dev", outside)
            ip("link", "set", outside, "up")
            lines.set_line(line, up=True)
    except AssertionError:
        ip("netns", "del", lines.name)
        raise
