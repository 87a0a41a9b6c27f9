"""What the behaviour tests of a plane run on: peers around it, in memory or on loopback sockets."""

from __future__ import annotations

import select
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import count

from media.ids import TransportId
from media.plane import Address, Drop, EventKind, Plane, PlaneEvent
from media.reference import ReferencePlane

from .rtp_peer import Peer

_MS = 1_000_000


class PlaneHarness(ABC):
    """Put peers around one plane. Commands and datagrams have taken effect after `settle`."""

    plane: Plane

    def __init__(self, plane: Plane, profile: str) -> None:
        """Begin with nobody."""
        self.plane = plane
        self.profile = profile
        self.numbers = count(1)
        self.collected: list[PlaneEvent] = []

    def peer(self, *, keys: bool = True) -> Peer:
        """Add a transport with a validated, selected address, and its keys."""
        peer = self.stranger()
        self.plane.add_transport(peer.transport)
        self.plane.validate_address(peer.transport, peer.address, selected=True)
        if keys:
            self.plane.set_keys(peer.transport, peer.plane_receive, peer.plane_send)
        self.settle()
        return peer

    def stranger(self) -> Peer:
        """Make a peer that the plane does not know; its transport has not been added."""
        return self._add_peer(TransportId(next(self.numbers)))

    def drops(self, reason: Drop) -> int:
        """Read one counter, after everything has settled."""
        self.settle()
        return self.plane.statistics().drops[reason]

    def events(self, kind: EventKind) -> list[PlaneEvent]:
        """List all events of a kind so far, after everything has settled."""
        self.settle()
        while batch := self.plane.events():
            self.collected += batch
        return [event for event in self.collected if event.kind is kind]

    @abstractmethod
    def _add_peer(self, transport: TransportId) -> Peer:
        """Make a peer with an address of its own."""

    @abstractmethod
    def move(self, peer: Peer) -> None:
        """Give a peer a new address."""

    @abstractmethod
    def settle(self) -> None:
        """Wait until everything sent was processed and everything that came of it has arrived."""

    @abstractmethod
    def clock(self) -> int:
        """Tell the time, as the plane sees it, in ns."""

    @abstractmethod
    def advance(self, milliseconds: int) -> None:
        """Let at least this time go by."""

    def until(self, condition: Callable[[], bool]) -> None:
        """Settle and let time go by until the condition holds; AssertionError after five seconds of it."""
        for _ in range(1000):
            self.settle()
            if condition():
                return
            self.advance(5)
        raise AssertionError("What was waited for did not come.")

    @abstractmethod
    def close(self) -> None:
        """Close the plane and everything around it."""


class MemoryHarness(PlaneHarness):
    """Run a ReferencePlane in memory, in virtual time."""

    plane: ReferencePlane

    def __init__(self, profile: str) -> None:
        """Make the plane."""
        super().__init__(ReferencePlane(), profile)
        self.now = 1_795_305_600_000 * _MS
        self._hosts = count(1)
        self._peers: dict[Address, Peer] = {}
        self._under_way: list[tuple[bytes, Address, int]] = []

    def _add_peer(self, transport: TransportId) -> Peer:
        address = Address(f"10.0.0.{next(self._hosts)}", 5000)
        peer = self._peers[address] = Peer(transport, address, self.profile, self._send)
        return peer

    def move(self, peer: Peer) -> None:
        """Give a peer a new address."""
        peer.address = Address(f"10.0.0.{next(self._hosts)}", 5000)
        self._peers[peer.address] = peer

    def settle(self) -> None:
        """Hand the datagrams under way over, in both directions."""
        arrived, self._under_way = self._under_way, []
        self.now += _MS // 20
        self.plane.receive(arrived, self.now)
        self._deliver()

    def clock(self) -> int:
        """Tell the virtual time."""
        return self.now

    def advance(self, milliseconds: int) -> None:
        """Go from timer to timer."""
        self.settle()
        end = self.now + milliseconds * _MS
        while (timer := self.plane.get_timer()) is not None and timer <= end:
            self.now = max(self.now, timer)
            self.plane.handle_timer(self.now)
            self._deliver()
        self.now = end

    def close(self) -> None:
        """Close the plane."""
        self.plane.close()

    def _send(self, peer: Peer, data: bytes) -> None:
        self._under_way.append((data, peer.address, self.now))

    def _deliver(self) -> None:
        for address, data in self.plane.datagrams_to_send():
            if address in self._peers:
                self._peers[address].deliver(data)


#: Datagrams that may be on their way into the plane at once: the smallest receive buffer holds them.
_WINDOW = 32

#: Nothing on loopback takes so long, however busy the machine is.
_PATIENCE = 10.0


class NativeHarness(PlaneHarness):
    """Run a plane with a real socket on 127.0.0.1; `plane` is open and belongs to the harness from now on.

    It counts on `datagrams_in` to count every datagram, also those that are dropped.
    """

    def __init__(self, plane: Plane, profile: str) -> None:
        """Take the plane over."""
        super().__init__(plane, profile)
        self._sockets: dict[int, socket.socket] = {}
        self._peers: list[tuple[socket.socket, Peer]] = []
        self._barrier = self._open()
        self._tokens = count(1)
        self._sent = 0

    def _add_peer(self, transport: TransportId) -> Peer:
        opened = self._open()
        peer = Peer(transport, Address(*opened.getsockname()), self.profile, self._send)
        self._attach(opened, peer)
        return peer

    def move(self, peer: Peer) -> None:
        """Give a peer a new address; what comes to the old one still arrives."""
        opened = self._open()
        peer.address = Address(*opened.getsockname())
        self._attach(opened, peer)

    def settle(self) -> None:
        """Wait until all was taken in; then a datagram sent through the plane comes behind all others."""
        self._wait_taken_in(0)
        # the second goes round after whatever the thread did in the turn in which it sent the first
        for _ in range(2):
            token = b"\0barrier" + next(self._tokens).to_bytes(8, "big")
            self.plane.send_datagram(Address(*self._barrier.getsockname()), token)
            while self._receive_token() != token:
                pass
        self._collect()

    def clock(self) -> int:
        """Tell the time."""
        return time.time_ns()

    def advance(self, milliseconds: int) -> None:
        """Let the time go by."""
        end = time.monotonic() + milliseconds / 1000
        while (left := end - time.monotonic()) > 0:
            select.select([], [], [], left)

    def close(self) -> None:
        """Close the plane and the sockets."""
        self.plane.close()
        for opened, _ in self._peers:
            opened.close()
        self._barrier.close()

    def _open(self) -> socket.socket:
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        opened.bind(("127.0.0.1", 0))
        opened.setblocking(False)
        return opened

    def _attach(self, opened: socket.socket, peer: Peer) -> None:
        self._sockets[id(peer)] = opened
        self._peers.append((opened, peer))

    def _send(self, peer: Peer, data: bytes) -> None:
        self._wait_taken_in(_WINDOW)
        self._sockets[id(peer)].sendto(data, self.plane.address[:2])
        self._sent += 1

    def _wait_taken_in(self, outstanding: int) -> None:
        end = time.monotonic() + _PATIENCE
        while self._sent - self.plane.statistics().datagrams_in > outstanding:
            self._collect()
            select.select([], [], [], 0.0002)
            assert time.monotonic() < end, "The plane did not count all datagrams that were sent to it."

    def _receive_token(self) -> bytes:
        ready, _, _ = select.select([self._barrier], [], [], _PATIENCE)
        assert ready, "The plane did not send what it was told to."
        return self._barrier.recv(64)

    def _collect(self) -> None:
        for opened, peer in self._peers:
            while True:
                try:
                    data = opened.recv(2048)
                except BlockingIOError:
                    break
                peer.deliver(data)
