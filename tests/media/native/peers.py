"""Peers of a plane over real loopback sockets: pylibsrtp on one end, the plane's thread on the other."""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pylibsrtp import Policy, Session
from pylibsrtp._binding import ffi, lib

from media.ids import ConsumerId, ProducerId, Ssrc, TransportId
from media.native import NativePlane, ShardedPlane
from media.plane import (
    NO_EXTENSIONS,
    Address,
    Codec,
    ConsumerSpec,
    Drop,
    EncodingSpec,
    EventKind,
    ExtensionIds,
    PlaneEvent,
    ProducerSpec,
)

GCM_128 = Policy.SRTP_PROFILE_AEAD_AES_128_GCM
GCM_256 = Policy.SRTP_PROFILE_AEAD_AES_256_GCM
CM_80 = Policy.SRTP_PROFILE_AES128_CM_SHA1_80
KEY_LENGTHS = {GCM_128: 28, GCM_256: 44, CM_80: 30}

#: How long to wait for what must come, in seconds: never reached when all is well.
PATIENCE = 10.0

#: A VP8 payload that starts a key frame, and one that starts none.
KEY_FRAME = b"\x10\x00\x00\x00\x9d\x01\x2a"
DELTA_FRAME = b"\x10\x01\x00\x00"


def wait_until(condition: Callable[[], bool]) -> None:
    """Look every millisecond until the condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        select.select([], [], [], 0.001)


def make_sessions(profile: int, mine: int, theirs: int) -> tuple[Session, Session]:
    """Make (receive, send) of one side, whose keys are filled with the bytes `mine` and `theirs`."""
    sessions = []
    for fill, direction in ((theirs, Policy.SSRC_ANY_INBOUND), (mine, Policy.SSRC_ANY_OUTBOUND)):
        policy = Policy(bytes([fill]) * KEY_LENGTHS[profile], direction, 0, profile)
        policy.allow_repeat_tx = True
        policy.window_size = 2048
        sessions.append(Session(policy))
    return sessions[0], sessions[1]


def rtp(
    sequence: int,
    payload: bytes = DELTA_FRAME,
    *,
    ssrc: int = 1000,
    timestamp: int = 0,
    payload_type: int = 96,
    marker: bool = False,
    extensions: bytes = b"",
    padding: int = 0,
    profile: int = 0xBEDE,
) -> bytes:
    """Build an RTP packet; `extensions` are ready elements of `profile`'s form."""
    first = 0x80 | (0x10 if extensions else 0) | (0x20 if padding else 0)
    header = struct.pack("!BBHII", first, marker << 7 | payload_type, sequence & 0xFFFF, timestamp, ssrc)
    if extensions:
        extensions += bytes(-len(extensions) % 4)
        header += struct.pack("!HH", profile, len(extensions) // 4) + extensions
    return header + payload + (bytes(padding - 1) + bytes([padding]) if padding else b"")


def nack(media_ssrc: int, *sequences: int) -> bytes:
    """Build a receiver report and a generic NACK."""
    entries = b"".join(struct.pack("!HH", sequence & 0xFFFF, 0) for sequence in sequences)
    feedback = struct.pack("!BBHII", 0x81, 205, 2 + len(sequences), 7, media_ssrc) + entries
    return struct.pack("!BBHI", 0x80, 201, 1, 7) + feedback


class Peer:
    """One peer: a socket, its SRTP sessions, and the plane's half of them."""

    def __init__(
        self, plane: NativePlane | ShardedPlane, identifier: int, profile: int = GCM_128, shard: int = 0
    ) -> None:
        self.plane = plane
        self.transport = TransportId(identifier)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(PATIENCE)
        self.receive_session, self.send_session = make_sessions(profile, 2 * identifier, 2 * identifier + 1)
        receive, send = make_sessions(profile, 2 * identifier + 1, 2 * identifier)
        plane.add_transport(self.transport, shard)
        plane.validate_address(self.transport, self.address, selected=True)
        plane.set_keys(self.transport, receive, send)

    @property
    def address(self) -> Address:
        return Address(*self.socket.getsockname()[:2])

    def send_raw(self, data: bytes) -> None:
        self.socket.sendto(data, self.plane.address[:2])

    def protect(self, packet: bytes, *, rtcp: bool = False) -> bytes:
        # pylibsrtp's own protect takes 1,356 bytes at most
        room = ffi.new("char[]", len(packet) + 200)
        ffi.memmove(room, packet, len(packet))
        length = ffi.new("int *", len(packet))
        function = lib.srtp_protect_rtcp if rtcp else lib.srtp_protect
        assert function(self.send_session._srtp[0], room, length) == 0
        return bytes(ffi.buffer(room, length[0]))

    def send(self, *packets: bytes) -> None:
        for packet in packets:
            self.send_raw(self.protect(packet))

    def send_rtcp(self, compound: bytes) -> None:
        self.send_raw(self.protect(compound, rtcp=True))

    def receive_raw(self) -> bytes:
        return self.socket.recv(2048)

    def receive(self, count: int = 1) -> list[bytes]:
        """Take so many RTP packets, decrypted."""
        return [self.receive_session.unprotect(self.receive_raw()) for _ in range(count)]

    def receive_rtcp(self) -> bytes:
        return bytes(self.receive_session.unprotect_rtcp(self.receive_raw()))

    def has_received(self) -> bool:
        return bool(select.select([self.socket], [], [], 0)[0])


class Room:
    """A plane with one publisher (transport 1) and as many subscribers as are asked for."""

    def __init__(self, subscribers: int = 1, profile: int = GCM_128, tap_bytes: int = 1 << 24) -> None:
        self.plane = NativePlane(tap_bytes=tap_bytes)
        self.publisher = Peer(self.plane, 1, profile)
        self.subscribers = [Peer(self.plane, 2 + i, profile) for i in range(subscribers)]
        self.collected: list[PlaneEvent] = []

    def add_producer(
        self,
        codec: Codec = Codec.VP8,
        *,
        producer: int = 1,
        transport: int = 1,
        ssrc: int = 1000,
        rtx: bool = True,
        nacks: bool = True,
        extensions: ExtensionIds = NO_EXTENSIONS,
    ) -> None:
        self.plane.add_producer(
            ProducerSpec(
                ProducerId(producer),
                TransportId(transport),
                codec,
                48_000 if codec is Codec.OPUS else 90_000,
                96,
                (EncodingSpec(Ssrc(ssrc), Ssrc(ssrc + 1 if rtx else 0)),),
                97 if rtx else 0,
                nacks,
                extensions=extensions,
            )
        )

    def add_consumers(
        self, *, producer: int = 1, rtx: bool = True, extensions: ExtensionIds = NO_EXTENSIONS, mid: str = "0"
    ) -> None:
        """Let each subscriber have the producer: consumer ids are the transport's, SSRC 5000 + 10 x id."""
        for peer in self.subscribers:
            self.plane.add_consumer(
                ConsumerSpec(
                    ConsumerId(100 * producer + peer.transport),
                    ProducerId(producer),
                    peer.transport,
                    110,
                    Ssrc(5000 * producer + 10 * peer.transport),
                    111 if rtx else 0,
                    Ssrc(5000 * producer + 10 * peer.transport + 1 if rtx else 0),
                    mid,
                    extensions,
                )
            )

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Watch the plane until the condition holds, collecting its events."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "the plane did not do what it must"
            select.select([self.plane], [], [], 0.002)
            self.collected += self.plane.events()
        while events := self.plane.events():
            self.collected += events

    def drops(self, reason: Drop) -> int:
        return self.plane.statistics().drops[reason]

    def wait_for_drops(self, reason: Drop, count: int = 1) -> None:
        self.wait_until(lambda: self.drops(reason) >= count)

    def wait_for_event(self, kind: EventKind) -> PlaneEvent:
        """Take the first event of a kind."""
        self.wait_until(lambda: any(event.kind is kind for event in self.collected))
        event = next(event for event in self.collected if event.kind is kind)
        self.collected.remove(event)
        return event

    def wait_for_packets(self, count: int, producer: int = 1) -> None:
        """Wait until the producer has taken in so many packets."""
        self.wait_until(lambda: self.plane.statistics().producers[ProducerId(producer)].packets >= count)

    def settle(self) -> None:
        """Wait until the plane has handled all that was sent and asked for so far."""
        before = self.drops(Drop.EMPTY)
        self.publisher.send_raw(b"")
        self.wait_for_drops(Drop.EMPTY, before + 1)

    def close(self) -> None:
        self.plane.close()
        for peer in (self.publisher, *self.subscribers):
            peer.socket.close()
        assert self.plane.live_objects() == (0, 0, 0, 0, 0)


@contextmanager
def room(subscribers: int = 1, profile: int = GCM_128, tap_bytes: int = 1 << 24) -> Iterator[Room]:
    """Open a room, and close it: nothing that C made may be left."""
    opened = Room(subscribers, profile, tap_bytes)
    try:
        yield opened
    finally:
        opened.close()
