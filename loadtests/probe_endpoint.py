"""Clients over the native probe: each has a socket of its own, as people have; Python does ICE and DTLS only."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Sequence

from pylibsrtp import Session

from media.ids import ConsumerId, ProducerId, Ssrc, TransportId
from media.native import Probe
from media.plane import (
    Address,
    ConsumerSpec,
    ConsumerStatistics,
    EventKind,
    Layer,
    PlaneEvent,
    PlaneStatistics,
    ProducerSpec,
    ProducerStatistics,
)
from media.transport.dtls import Certificate
from media.transport.endpoint import Endpoint

LOOPBACK = "127.0.0.1"


class ProbeSocket:
    """One socket of the probe, in the shape of a plane's control half: what an Endpoint needs of a client."""

    receive_buffer = send_buffer = 0
    realtime = False

    def __init__(
        self, probe: Probe, capture_time_id: int = 0, host: str = LOOPBACK, wide_id: int = 0
    ) -> None:
        """`capture_time_id`: the header extension in which received packets bear the time of sending.

        `wide_id`: that of their transport-wide number; then the probe sends feedback.
        """
        self._probe = probe
        self.capture_time_id = capture_time_id
        self.wide_id = wide_id
        self.index, port = probe.open(host)
        self.address = Address(host, port)
        self._remote: Address | None = None
        self._events: deque[PlaneEvent] = deque()
        self._eventfd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def receive(self, event: PlaneEvent) -> None:
        """Take what the pump has for this socket; after its close nobody asks any more."""
        if self._eventfd >= 0:
            self._events.append(event)
            os.eventfd_write(self._eventfd, 1)

    def fileno(self) -> int:
        """See media.plane.Plane."""
        return self._eventfd

    def events(self) -> list[PlaneEvent]:
        """See media.plane.Plane."""
        try:
            os.eventfd_read(self._eventfd)
        except BlockingIOError:
            return []
        events = list(self._events)
        self._events.clear()
        return events

    def add_transport(self, transport: TransportId, shard: int = 0) -> None:
        """There is one, and it is this socket."""

    def validate_address(self, transport: TransportId, address: Address, *, selected: bool) -> None:
        """Send to it from now on."""
        if selected:
            self._remote = address

    def set_keys(self, transport: TransportId, receive: Session, send: Session) -> None:
        """See media.plane.Plane."""
        assert self._remote is not None
        self._probe.set_keys(
            self.index,
            receive,
            send,
            self._remote,
            capture_time_id=self.capture_time_id,
            wide_id=self.wide_id,
        )

    def send_datagram(self, address: Address, data: bytes) -> None:
        """See media.plane.Plane."""
        self._probe.send(self.index, address, data)

    def send_to(self, transport: TransportId, data: bytes) -> None:
        """See media.plane.Plane."""
        if self._remote is not None:
            self._probe.send(self.index, self._remote, data)

    def send_rtcp(self, transport: TransportId, data: bytes) -> None:
        """See media.plane.Plane."""
        self._probe.send_rtcp(self.index, data)

    def remove_transport(self, transport: TransportId) -> None:
        """The probe keeps its sessions until it is closed."""
        self.receive(PlaneEvent(EventKind.REMOVED, transport, None, 0, 0, b""))

    def close(self) -> None:
        """See media.plane.Plane; the probe closes its sockets itself."""
        os.close(self._eventfd)
        self._eventfd = -1

    # what a client that relays nothing has no use for

    def add_producer(self, spec: ProducerSpec) -> None:
        """Refuse: packets are the probe's."""
        raise ValueError("A probe's socket has no producers.")

    def add_consumer(self, spec: ConsumerSpec) -> None:
        """Refuse: packets are the probe's."""
        raise ValueError("A probe's socket has no consumers.")

    def move_producer(self, spec: ProducerSpec) -> None:
        """Refuse: packets are the probe's."""
        raise ValueError("A probe's socket has no producers.")

    def remove_producer(self, producer: ProducerId) -> None:
        """Refuse: packets are the probe's."""
        raise ValueError("A probe's socket has no producers.")

    def remove_consumer(self, consumer: ConsumerId) -> None:
        """Refuse: packets are the probe's."""
        raise ValueError("A probe's socket has no consumers.")

    def adopt_stream(self, descriptor: int, remote: Address, first: bytes = b"", *, shard: int = 0) -> None:
        """Refuse: a probe calls, nobody calls it."""
        raise ValueError("A probe's socket has no streams.")

    def set_layer(self, consumer: ConsumerId, layer: Layer) -> None:
        """Refuse: packets are the probe's."""
        raise ValueError("A probe's socket has no consumers.")

    def set_paused(self, consumer: ConsumerId, *, paused: bool) -> None:
        """Refuse: packets are the probe's."""
        raise ValueError("A probe's socket has no consumers.")

    def set_pacing(self, transport: TransportId, bits_per_second: int) -> None:
        """Refuse: packets are the probe's."""
        raise ValueError("A probe's socket has no pacer.")

    def probe(self, transport: TransportId, cluster: int, bits_per_second: int, packets: int = 15) -> None:
        """Refuse: packets are the probe's."""
        raise ValueError("A probe's socket sends what it was given, nothing else.")

    def set_round_trip(self, transport: TransportId, seconds: float) -> None:
        """Take note of nothing: a probe asks for nothing again."""

    def set_fec(self, consumer: ConsumerId, share: float) -> None:
        """Refuse: packets are the probe's."""
        raise ValueError("A probe's socket has no consumers.")

    def set_encoding(self, producer: ProducerId, index: int, ssrc: Ssrc, rtx_ssrc: Ssrc) -> None:
        """Refuse: packets are the probe's."""
        raise ValueError("A probe's socket has no producers.")

    def set_timestamp_offset(self, producer: ProducerId, index: int, offset: int) -> None:
        """Refuse: packets are the probe's."""
        raise ValueError("A probe's socket has no producers.")

    def set_capture_offset(self, producer: ProducerId, offset: int) -> None:
        """Refuse: packets are the probe's."""
        raise ValueError("A probe's socket has no producers.")

    def set_tap(self, producer: ProducerId, *, enabled: bool) -> None:
        """Refuse: packets are the probe's."""
        raise ValueError("A probe's socket has no producers.")

    def set_low_tap(self, producer: ProducerId, encoding: int | None) -> None:
        """Refuse: packets are the probe's."""
        raise ValueError("A probe's socket has no producers.")

    def inject(self, producer: ProducerId, packets: Sequence[bytes], time: int) -> None:
        """Refuse: packets are the probe's."""
        raise ValueError("A probe's socket has no producers.")

    def read_tap(self, limit: int = 0) -> bytes:
        """Nothing is tapped."""
        return b""

    def producer_statistics(self, producer: ProducerId) -> ProducerStatistics:
        """Refuse: packets are the probe's."""
        raise ValueError("A probe's socket has no producers.")

    def consumer_statistics(self, consumer: ConsumerId) -> ConsumerStatistics:
        """Refuse: packets are the probe's."""
        raise ValueError("A probe's socket has no consumers.")

    def statistics(self) -> PlaneStatistics:
        """Refuse: `Probe.statistics` has them."""
        raise ValueError("Ask the probe.")


class ProbePump:
    """Hands the probe's events to the sockets that they are for."""

    def __init__(self) -> None:
        """Start the probe's threads. To be made within a running event loop."""
        self.probe = Probe()
        self._certificate = Certificate()
        self._sockets: dict[int, ProbeSocket] = {}
        self._endpoints: list[Endpoint] = []
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self.probe.fileno(), self._read)

    def open(
        self, capture_time_id: int = 0, host: str = LOOPBACK, wide_id: int = 0
    ) -> tuple[ProbeSocket, Endpoint]:
        """Make one more client, on an address of this machine."""
        socket = ProbeSocket(self.probe, capture_time_id, host, wide_id)
        self._sockets[socket.index] = socket
        endpoint = Endpoint(socket, certificate=self._certificate)
        self._endpoints.append(endpoint)
        return socket, endpoint

    def _read(self) -> None:
        for event in self.probe.events():
            self._sockets[event.socket].receive(
                PlaneEvent(event.kind, TransportId(1), event.address, event.time, 0, event.data)
            )

    async def close(self) -> None:
        """Say goodbye everywhere and stop."""
        for endpoint in self._endpoints:
            await endpoint.close()
        self._loop.remove_reader(self.probe.fileno())
        self.probe.close()
