"""TCP streams in the plane: frames of datagrams (RFC 4571), and peers that do not keep to it."""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Iterator

import pytest

from media.ids import TransportId
from media.native import NativePlane
from media.plane import Address, Codec, Drop, EventKind

from .peers import DELTA_FRAME, GCM_128, KEY_FRAME, PATIENCE, Peer, Room, room, rtp

STUN = b"\0\1\0\0" + bytes(16)


def frame(data: bytes) -> bytes:
    return struct.pack("!H", len(data)) + data


class StreamPeer(Peer):
    """A peer at the other end of a TCP connection that the plane has taken over."""

    def __init__(self, plane: NativePlane, identifier: int) -> None:
        super().__init__(plane, identifier, GCM_128)
        self.udp = self.socket
        self.socket, self.remote = connect(plane)
        plane.validate_address(self.transport, self.remote, selected=True)
        self._input = b""

    def send_raw(self, data: bytes) -> None:
        self.socket.sendall(frame(data))

    def receive_raw(self) -> bytes:
        while len(self._input) < 2 or len(self._input) < 2 + struct.unpack_from("!H", self._input)[0]:
            got = self.socket.recv(65536)
            assert got, "the plane has closed the stream"
            self._input += got
        end = 2 + struct.unpack_from("!H", self._input)[0]
        data, self._input = self._input[2:end], self._input[end:]
        return data

    def close(self) -> None:
        self.socket.close()
        self.udp.close()


def connect(plane: NativePlane, first: bytes = b"") -> tuple[socket.socket, Address]:
    """Connect a socket and have the plane adopt the other end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        # bound first: else the kernel may give several one port, to different listeners: to the plane, one peer
        ours = socket.create_connection(server.getsockname(), source_address=("127.0.0.1", 0))
        accepted, name = server.accept()
    ours.settimeout(PATIENCE)
    remote = Address(name[0], name[1], tcp=True)
    plane.adopt_stream(accepted.detach(), remote, first)
    return ours, remote


def ended(connection: socket.socket) -> bool:
    """Wait for the end of the stream, whichever way it ends."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.fixture
def here() -> Iterator[Room]:
    with room() as opened:
        yield opened


def test_frames_are_datagrams_of_the_streams_address_and_are_answered_in_it(here: Room) -> None:
    connection, remote = connect(here.plane, frame(STUN)[:5])
    connection.sendall(frame(STUN)[5:])
    event = here.wait_for_event(EventKind.STUN)
    assert (event.address, event.transport, event.data) == (remote, 0, STUN)
    here.plane.send_datagram(remote, b"answer")
    assert connection.recv(100) == frame(b"answer")
    assert here.plane.statistics().streams == 1
    # the same numbers over UDP are somebody else
    here.plane.validate_address(here.publisher.transport, remote, selected=False)
    connection.sendall(frame(STUN))
    assert here.wait_for_event(EventKind.STUN).transport == here.publisher.transport
    connection.close()
    event = here.wait_for_event(EventKind.STREAM_CLOSED)
    assert (event.address, event.transport) == (remote, here.publisher.transport)
    here.wait_until(lambda: here.plane.statistics().streams == 0)


def test_a_byte_at_a_time_and_all_at_once_are_the_same_frames(here: Room) -> None:
    connection, _ = connect(here.plane)
    messages = [b"\0\1\0\0" + bytes([n]) * 16 for n in range(100)]
    for byte in b"".join(map(frame, messages[:2])):
        connection.sendall(bytes([byte]))
    connection.sendall(b"".join(map(frame, messages[2:])))
    here.wait_until(lambda: sum(event.kind is EventKind.STUN for event in here.collected) == 100)
    assert [event.data for event in here.collected] == messages
    connection.close()


def test_media_pass_from_stream_to_datagrams_and_back(here: Room) -> None:
    publisher, subscriber = StreamPeer(here.plane, 11), StreamPeer(here.plane, 12)
    here.add_producer(transport=11)
    here.subscribers.append(subscriber)
    here.add_consumers()
    publisher.send(rtp(0, KEY_FRAME), *(rtp(n, DELTA_FRAME + bytes(1000)) for n in range(1, 300)))
    for peer in here.subscribers:
        numbers = [int.from_bytes(packet[2:4], "big") for packet in peer.receive(300)]
        assert numbers == list(range(1, 301))
    here.plane.send_rtcp(subscriber.transport, struct.pack("!BBHI", 0x80, 201, 1, 7))
    assert len(subscriber.receive_rtcp()) == 8
    publisher.close()
    here.subscribers.pop().socket.close()
    subscriber.udp.close()
    assert here.drops(Drop.STRANGER) == 0


def test_after_its_stream_has_ended_a_peer_is_not_sent_to(here: Room) -> None:
    subscriber = StreamPeer(here.plane, 12)
    here.plane.send_to(subscriber.transport, b"\x16" + bytes(20))
    assert len(subscriber.receive_raw()) == 21
    subscriber.close()
    here.wait_for_event(EventKind.STREAM_CLOSED)
    here.plane.send_to(subscriber.transport, b"\x16" + bytes(20))
    here.wait_for_drops(Drop.SEND_FAILED)
    here.plane.validate_address(subscriber.transport, subscriber.remote, selected=True)
    here.plane.send_to(subscriber.transport, b"\x16" + bytes(20))
    here.wait_for_drops(Drop.SEND_FAILED, 2)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (struct.pack("!H", 1501), Drop.OVERSIZED),
        (b"\xff" * 4000, Drop.OVERSIZED),
        (frame(b""), Drop.STRANGER),
        (frame(b"\x16" + bytes(20)), Drop.STRANGER),
        (frame(STUN) + frame(b"\x80" + bytes(20)), Drop.STRANGER),
    ],
)
def test_who_does_not_begin_with_stun_is_closed(here: Room, data: bytes, reason: Drop) -> None:
    connection, remote = connect(here.plane)
    connection.sendall(data)
    assert ended(connection)
    assert here.wait_for_event(EventKind.STREAM_CLOSED).address == remote
    assert here.drops(reason) == 1
    connection.close()


def test_a_validated_peer_may_be_wrong_in_a_frame_but_not_in_its_length(here: Room) -> None:
    peer = StreamPeer(here.plane, 12)
    for data in (b"", b"\x70" * 30, b"\x80", b"\x16"):
        peer.send_raw(data)
    here.wait_until(lambda: sum(here.plane.statistics().drops) == 4)
    peer.send_raw(STUN)
    assert here.wait_for_event(EventKind.STUN).transport == peer.transport
    peer.socket.sendall(b"\xff\xff")
    assert ended(peer.socket)
    peer.close()


def test_what_ice_does_not_validate_in_time_is_closed_and_what_it_did_stays() -> None:
    plane = NativePlane(stream_patience=0.3)
    known, silent = StreamPeer(plane, 1), [connect(plane)[0] for _ in range(3)]
    silent[0].sendall(b"\0\x14" + STUN[:7])  # half a frame
    silent[1].sendall(frame(STUN))
    for connection in silent:
        assert connection.recv(1) == b""
        connection.close()
    plane.send_to(known.transport, b"still here")
    assert known.receive_raw() == b"still here"
    # a peer that leaves takes its stream along
    plane.remove_transport(known.transport)
    assert ended(known.socket)
    plane.close()
    known.close()
    assert plane.live_objects() == (0, 0, 0, 0, 0)


def test_one_host_has_32_streams_that_ice_has_not_validated(here: Room) -> None:
    known = StreamPeer(here.plane, 12)
    strangers = [connect(here.plane)[0] for _ in range(32)]
    late, remote = connect(here.plane)
    assert ended(late)
    assert here.wait_for_event(EventKind.STREAM_CLOSED).address == remote
    assert here.plane.statistics().streams == 33
    for connection in (late, *strangers):
        connection.close()
    here.wait_until(lambda: here.plane.statistics().streams == 1)
    again, _ = connect(here.plane)
    again.sendall(frame(STUN))
    here.wait_for_event(EventKind.STUN)
    again.close()
    known.close()


def test_who_does_not_read_loses_its_oldest_video_and_holds_up_nobody(here: Room) -> None:
    slow = StreamPeer(here.plane, 12)
    here.add_producer()
    here.add_producer(Codec.OPUS, producer=2, ssrc=2000)
    here.subscribers.append(slow)
    here.add_consumers()
    here.add_consumers(producer=2)
    reader = here.subscribers[0]
    size = 1200
    sent = 0
    here.publisher.send(rtp(0, KEY_FRAME + bytes(size)))
    while here.drops(Drop.STREAM_FULL) < 500:
        sent += 50
        packets = [rtp(n, DELTA_FRAME + bytes(size)) for n in range(sent - 49, sent + 1)]
        here.publisher.send(*packets, rtp(sent // 50, b"sound", ssrc=2000))
        assert sent < 50_000
        # the other one gets everything meanwhile
        assert len(reader.receive(51)) == 51
        if sent == 50:
            reader.receive(1)
    newest, sounds, received = 0, 0, 0
    while newest < sent + 1:
        packet = slow.receive()[0]
        if int.from_bytes(packet[8:12], "big") == 10_120:
            sounds += 1
        else:
            number = int.from_bytes(packet[2:4], "big")
            assert number > newest
            newest, received = number, received + 1
    # all of the sound, and of the picture what is newest
    assert sounds == sent // 50
    assert received == sent + 1 - here.drops(Drop.STREAM_FULL)
    here.subscribers.pop()
    slow.close()


def test_many_streams_come_and_go(here: Room) -> None:
    for _ in range(20):
        connections = [connect(here.plane, frame(STUN))[0] for _ in range(20)]
        for connection in connections:
            connection.close()
        here.wait_until(lambda: here.plane.statistics().streams == 0)
    closed = sum(event.kind is EventKind.STREAM_CLOSED for event in here.collected)
    assert closed == 400


def test_the_end_of_the_plane_ends_its_streams() -> None:
    plane = NativePlane()
    connection, _ = connect(plane)
    plane.add_transport(TransportId(1))
    assert not select.select([connection], [], [], 0)[0]
    plane.close()
    assert connection.recv(1) == b""
    connection.close()
    assert plane.live_objects() == (0, 0, 0, 0, 0)
