"""The control half of a plane over one plain socket: STUN, DTLS and RTCP, no forwarding.

RTP that decrypts is kept in `packets`; nothing is a producer, so each new SSRC is an UNKNOWN_SSRC event.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Sequence

import pylibsrtp
from pylibsrtp import Session

from media.ids import ConsumerId, ProducerId, Ssrc, TransportId
from media.plane import (
    Address,
    ConsumerSpec,
    ConsumerStatistics,
    Drop,
    EventKind,
    Layer,
    PlaneEvent,
    PlaneStatistics,
    ProducerSpec,
    ProducerStatistics,
)


class UdpPlane:
    """A Plane for tests of the transports."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, port))
        self._socket.setblocking(False)
        # events that come from no datagram must make the descriptor readable too
        self._wake_receive, self._wake_send = socket.socketpair()
        self._wake_receive.setblocking(False)
        self._poll = select.epoll()
        self._poll.register(self._socket, select.EPOLLIN)
        self._poll.register(self._wake_receive, select.EPOLLIN)
        self._owner: dict[Address, TransportId] = {}
        self._selected: dict[TransportId, Address] = {}
        self._queued: list[PlaneEvent] = []
        self._ssrcs: set[int] = set()
        self.transports: set[TransportId] = set()
        self.keys: dict[TransportId, tuple[Session, Session]] = {}
        self.drops = [0] * len(Drop)
        self.packets: list[bytes] = []
        self.producers: list[ProducerSpec] = []
        self.consumers: list[ConsumerSpec] = []
        self.sent_sizes: list[int] = []
        self.on_keys: Callable[[TransportId], None] = lambda transport: None
        self.closed = False
        #: Nothing leaves any more, as on a dead line.
        self.mute = False
        name = self._socket.getsockname()
        self.address = Address(name[0], name[1])
        self.receive_buffer = self.send_buffer = 212992
        self.realtime = False

    def fileno(self) -> int:
        return self._poll.fileno()

    def add_transport(self, transport: TransportId, shard: int = 0) -> None:
        self.transports.add(transport)

    def validate_address(self, transport: TransportId, address: Address, *, selected: bool) -> None:
        if transport not in self.transports:
            raise ValueError("unknown transport")
        self._owner[address] = transport
        if selected:
            self._selected[transport] = address

    def set_keys(self, transport: TransportId, receive: Session, send: Session) -> None:
        if transport not in self.transports:
            raise ValueError("unknown transport")
        self.keys[transport] = (receive, send)
        self.on_keys(transport)

    def remove_transport(self, transport: TransportId) -> None:
        self.transports.remove(transport)
        self.keys.pop(transport, None)
        self._selected.pop(transport, None)
        self._owner = {address: owner for address, owner in self._owner.items() if owner != transport}
        self._queued.append(PlaneEvent(EventKind.REMOVED, transport, None, time.time_ns(), 0, b""))
        self._wake_send.send(b"x")

    def add_producer(self, spec: ProducerSpec) -> None:
        self.producers.append(spec)
        self._ssrcs |= {encoding.ssrc for encoding in spec.encodings}

    def move_producer(self, spec: ProducerSpec) -> None:
        raise NotImplementedError

    def remove_producer(self, producer: ProducerId) -> None:
        self.producers = [spec for spec in self.producers if spec.producer != producer]

    def set_encoding(self, producer: ProducerId, index: int, ssrc: Ssrc, rtx_ssrc: Ssrc) -> None:
        raise NotImplementedError

    def set_timestamp_offset(self, producer: ProducerId, index: int, offset: int) -> None:
        raise NotImplementedError

    def set_capture_offset(self, producer: ProducerId, offset: int) -> None:
        raise NotImplementedError

    def set_tap(self, producer: ProducerId, *, enabled: bool) -> None:
        raise NotImplementedError

    def set_low_tap(self, producer: ProducerId, encoding: int | None) -> None:
        raise NotImplementedError

    def add_consumer(self, spec: ConsumerSpec) -> None:
        self.consumers.append(spec)

    def set_pacing(self, transport: TransportId, bits_per_second: int) -> None:
        raise NotImplementedError

    def probe(self, transport: TransportId, cluster: int, bits_per_second: int, packets: int = 15) -> None:
        raise NotImplementedError

    def set_round_trip(self, transport: TransportId, seconds: float) -> None:
        raise NotImplementedError

    def set_fec(self, consumer: ConsumerId, share: float) -> None:
        raise NotImplementedError

    def set_layer(self, consumer: ConsumerId, layer: Layer) -> None:
        raise NotImplementedError

    def set_paused(self, consumer: ConsumerId, *, paused: bool) -> None:
        raise NotImplementedError

    def remove_consumer(self, consumer: ConsumerId) -> None:
        raise NotImplementedError

    def inject(self, producer: ProducerId, packets: Sequence[bytes], time: int) -> None:
        raise NotImplementedError

    def adopt_stream(self, descriptor: int, remote: Address, first: bytes = b"", *, shard: int = 0) -> None:
        raise NotImplementedError

    def send_datagram(self, address: Address, data: bytes) -> None:
        if self.mute:
            return
        self.sent_sizes.append(len(data))
        try:
            self._socket.sendto(data, address[:2])
        except OSError:
            self.drops[Drop.SEND_FAILED] += 1

    def send_to(self, transport: TransportId, data: bytes) -> None:
        if transport in self._selected:
            self.send_datagram(self._selected[transport], data)

    def send_rtcp(self, transport: TransportId, data: bytes) -> None:
        if transport in self.keys:
            self.send_to(transport, self.keys[transport][1].protect_rtcp(data))

    def send_rtp(self, transport: TransportId, data: bytes) -> None:
        """Protect and send an RTP packet (a test's own; a plane has consumers for that)."""
        self.send_to(transport, self.keys[transport][1].protect(data))

    def events(self) -> list[PlaneEvent]:
        try:
            self._wake_receive.recv(1024)
        except BlockingIOError:
            pass
        events, self._queued = self._queued, []
        while len(events) < 1024:
            try:
                data, name = self._socket.recvfrom(65536)
            except (BlockingIOError, ConnectionRefusedError):
                break
            event = self._classify(data, Address(name[0], name[1]))
            if isinstance(event, Drop):
                self.drops[event] += 1
            elif event is not None:
                events.append(event)
        return events

    def _classify(self, data: bytes, address: Address) -> PlaneEvent | Drop | None:
        transport = self._owner.get(address, TransportId(0))
        now = time.time_ns()
        if not data:
            return Drop.EMPTY
        if len(data) > 1500:
            return Drop.OVERSIZED
        if data[0] < 4:
            return PlaneEvent(EventKind.STUN, transport, address, now, 0, data)
        if not transport:
            return Drop.STRANGER
        if 20 <= data[0] <= 63:
            return PlaneEvent(EventKind.DTLS, transport, address, now, 0, data)
        if not 128 <= data[0] <= 191:
            return Drop.UNKNOWN_PROTOCOL
        if len(data) < 12:
            return Drop.SHORT
        if transport not in self.keys:
            return Drop.NO_KEYS
        receive = self.keys[transport][0]
        try:
            if 192 <= data[1] <= 223:
                return PlaneEvent(EventKind.RTCP, transport, address, now, 0, receive.unprotect_rtcp(data))
            packet = receive.unprotect(data)
        except pylibsrtp.Error:
            return Drop.AUTHENTICATION
        self.packets.append(packet)
        ssrc = int.from_bytes(packet[8:12], "big")
        if ssrc in self._ssrcs:
            return None
        self._ssrcs.add(ssrc)
        return PlaneEvent(EventKind.UNKNOWN_SSRC, transport, address, now, ssrc, packet[:12])

    def read_tap(self, limit: int = 4 << 20) -> bytes:
        return b""

    def producer_statistics(self, producer: ProducerId) -> ProducerStatistics:
        raise ValueError("This plane knows no streams.")

    def consumer_statistics(self, consumer: ConsumerId) -> ConsumerStatistics:
        raise ValueError("This plane knows no streams.")

    def statistics(self) -> PlaneStatistics:
        return PlaneStatistics(0, 0, 0, 0, 0, 0, tuple(self.drops), (0,) * 100, 0, 0)

    def close(self) -> None:
        self.closed = True
        for item in (self._poll, self._socket, self._wake_receive, self._wake_send):
            item.close()
