"""A server under comparison: one small file each, so that another is added by another file.

A peer starts the server on the cores that it is given, with its media on an address of this machine, and lets native
clients in: one that sends, many that receive. What is measured, and how, is `loadtests/compare.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from media.ids import Mid, Ssrc
from media.plane import Codec
from media.sdp import PublishedTrack
from media.transport.transport import Transport

from ..probe_endpoint import ProbePump, ProbeSocket

#: What every peer is sent: H.264 in the profile that all of them negotiate.
FMTP = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
PAYLOAD_TYPE = 102
FIELD_SSRC = Ssrc(0x1000)
FIELD = PublishedTrack(
    Mid("0"), "video", Codec.H264, FMTP, PAYLOAD_TYPE, FIELD_SSRC, "field", "field", "field"
)


@dataclass(frozen=True, slots=True)
class Client:
    """A connected native client."""

    socket: ProbeSocket
    transport: Transport


class RunningPeer(Protocol):
    """A server that runs; `pid` is the process whose CPU time and memory count."""

    pid: int

    async def publish(
        self, pump: ProbePump, on_picture_loss: Callable[[], None], *, drawn_on: bool = True
    ) -> Client:
        """Connect a client that sends FIELD; `on_picture_loss` is called when the server asks for a key frame.

        `drawn_on` False: as a picture of which a server keeps nothing that forwarding does not need.
        """

    async def subscribe(self, pump: ProbePump) -> Client:
        """Connect a client that is sent the field."""


class Peer(Protocol):
    """A server that can be started, in one of its configurations."""

    name: str
    configuration: str

    def missing(self) -> str:
        """Say in one sentence what is to be installed; empty where nothing is."""

    def run(self, host: str, cores: set[int]) -> AbstractAsyncContextManager[RunningPeer]:
        """Run the server with its media on this host, on these cores alone."""
