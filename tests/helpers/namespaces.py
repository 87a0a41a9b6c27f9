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


def add_namespace(kind: str, step: int) -> tuple[str, int]:
    """Make a namespace; returns its name, and a number for its networks.

    Nobody else has either: not who runs beside us, and not a run that was killed and has left one behind.
    """
    number = os.getpid() * step + next(_counter)
    while True:
        name = f"{kind}{number % 100_000}"
        if not Path("/run/netns", name).exists():
            try:
                ip("netns", "add", name)
            except AssertionError:
                # it may be that somebody was quicker
                if not Path("/run/netns", name).exists():
                    raise
            else:
                return name, number
        number += 1


def add_line(namespace: str, outside: str, inside: str) -> None:
    """Lay a veth pair into a namespace; both ends are down.

    Neither gets an address of IPv6: that comes a second or two after the end is up, which is a change of the network
    to a browser, who then gives up what he is just fetching.
    """
    ip("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", namespace)
    if Path("/proc/sys/net/ipv6").exists():
        ip("link", "set", outside, "addrgenmode", "none")
        ip("-n", namespace, "link", "set", inside, "addrgenmode", "none")


def remove(namespace: str, *outsides: str) -> None:
    """Take a namespace away, and its lines before it: those of one that has gone go whenever the kernel finds time."""
    for outside in outsides:
        # one that could not be made is not there
        with contextlib.suppress(AssertionError):
            ip("link", "del", outside)
    ip("netns", "del", namespace)


@contextlib.asynccontextmanager
async def two_lines() -> AsyncIterator[TwoLines]:
    """Make the namespace with both lines up, and take it away afterwards."""
    name, number = await asyncio.to_thread(add_namespace, "ko", 7)
    net = f"10.{100 + number % 100}.{number // 100 % 127 * 2}"
    other = f"10.{100 + number % 100}.{number // 100 % 127 * 2 + 1}"
    lines = TwoLines(name, f"{net}.1", (f"{net}.2", f"{other}.2"))
    try:
        await asyncio.to_thread(_build, lines)
        yield lines
    finally:
        await asyncio.to_thread(remove, name, lines._outside(0), lines._outside(1))


def _build(lines: TwoLines) -> None:
    ip("-n", lines.name, "link", "set", "lo", "up")
    for line, host in enumerate(lines.hosts):
        outside = lines._outside(line)
        add_line(lines.name, outside, lines._inside(line))
        ip("addr", "add", f"{host.rpartition('.')[0]}.1/30", "dev", outside)
        ip("link", "set", outside, "up")
        lines.set_line(line, up=True)
