"""Several planes behind one port: whichever shard the kernel gives a datagram to, it reaches its own."""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from media.ids import ConsumerId, ProducerId, Ssrc, TransportId
from media.native import NativePlane, ShardedPlane
from media.plane import (
    Address,
    Codec,
    ConsumerSpec,
    Drop,
    EncodingSpec,
    EventKind,
    PlaneEvent,
    ProducerSpec,
)

from .peers import DELTA_FRAME, KEY_FRAME, PATIENCE, Peer, rtp, wait_until

STUN = b"\0\1\0\0" + bytes(16)


@pytest.fixture(params=[2, 3])
def plane(request: pytest.FixtureRequest) -> Iterator[ShardedPlane]:
    made = ShardedPlane(shards=request.param)
    yield made
    made.close()
    assert made.live_objects() == (0, 0, 0, 0, 0)


def producer_of(peer: Peer, identifier: int) -> ProducerSpec:
    return ProducerSpec(
        ProducerId(identifier), peer.transport, Codec.VP8, 90_000, 96, (EncodingSpec(Ssrc(1000)),)
    )


def consumer_of(peer: Peer, producer: int) -> ConsumerSpec:
    return ConsumerSpec(
        ConsumerId(100 + peer.transport),
        ProducerId(producer),
        peer.transport,
        110,
        Ssrc(5000),
        111,
        Ssrc(5001),
    )


class Events:
    """What a plane said, kept until it is asked for."""

    def __init__(self, plane: ShardedPlane) -> None:
        self.plane = plane
        self.kept: list[PlaneEvent] = []

    def wait(self, kind: EventKind, wanted: Callable[[PlaneEvent], bool] = lambda _: True) -> PlaneEvent:
        deadline = time.monotonic() + PATIENCE
        while True:
            for event in self.kept:
                if event.kind is kind and wanted(event):
                    self.kept.remove(event)
                    return event
            assert time.monotonic() < deadline, f"in vain waited for {kind.name}"
            select.select([self.plane], [], [], 0.05)
            self.kept += self.plane.events()


def is_from(address: Address, event: PlaneEvent) -> bool:
    return event.address == address


def test_each_room_is_in_its_shard_and_is_whole_wherever_its_datagrams_arrive(plane: ShardedPlane) -> None:
    rooms = []
    for room in range(6):
        peers = [Peer(plane, 10 * room + 1 + i, shard=room % plane.shards) for i in range(4)]
        plane.add_producer(producer_of(peers[0], 1 + room))
        for peer in peers[1:]:
            plane.add_consumer(consumer_of(peer, 1 + room))
        rooms.append(peers)
    events = Events(plane)
    for number in range(120):
        for peers in rooms:
            peers[0].send(rtp(number, (DELTA_FRAME if number else KEY_FRAME) + bytes(800)))
    for peers in rooms:
        for peer in peers[1:]:
            assert [int.from_bytes(p[2:4], "big") for p in peer.receive(120)] == list(range(1, 121))
            # what is asked for again is repeated, wherever the question arrived
            peer.send_rtcp(struct.pack("!BBHIIHH", 0x81, 205, 3, 7, 5000, 60, 0))
            (again,) = peer.receive()
            assert again[12:14] == struct.pack("!H", 60)
            report = events.wait(EventKind.RTCP, partial(is_from, peer.address))
            assert report.transport == peer.transport
    total, shards = plane.statistics(), plane.shard_statistics()
    assert total.packets_in == 6 * 120
    assert total.packets_out == sum(shard.packets_out for shard in shards) == 6 * 3 * 121
    # each shard has done the work of its own rooms
    for number, shard in enumerate(shards):
        own = [room for room in range(6) if room % plane.shards == number]
        assert shard.packets_in == 120 * len(own)
        assert set(shard.producers) == {1 + room for room in own}
    assert total.handed_over > 0
    assert sum(total.drops) == 0
    for peers in rooms:
        for peer in peers:
            plane.remove_transport(peer.transport)
            assert events.wait(EventKind.REMOVED).transport in {p.transport for r in rooms for p in r}
            peer.socket.close()


def test_a_stranger_is_heard_once_and_a_peer_by_its_name(plane: ShardedPlane) -> None:
    events = Events(plane)
    peers = [Peer(plane, 1 + i, shard=i % plane.shards) for i in range(12)]
    for peer in peers:
        peer.send_raw(STUN)
        event = events.wait(EventKind.STUN)
        assert (event.address, event.transport) == (peer.address, peer.transport)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.settimeout(PATIENCE)
        stranger.sendto(STUN, plane.address[:2])
        event = events.wait(EventKind.STUN)
        assert event.transport == 0
        assert event.address is not None
        plane.send_datagram(event.address, b"answer")
        assert stranger.recv(100) == b"answer"
    assert not events.kept
    for peer in peers:
        peer.socket.close()


def test_an_address_belongs_to_whoever_validated_it_last_in_whichever_shard(plane: ShardedPlane) -> None:
    events = Events(plane)
    peer = Peer(plane, 1, shard=0)
    for number in range(2, 40):
        heir = TransportId(number)
        plane.add_transport(heir, number % plane.shards)
        plane.validate_address(heir, peer.address, selected=True)
        plane.send_to(heir, b"yours")
        assert peer.receive_raw() == b"yours"
        peer.send_raw(STUN)
        assert events.wait(EventKind.STUN).transport == heir
        plane.remove_transport(TransportId(number - 1))
        events.wait(EventKind.REMOVED)
    # and to nobody when its last owner has gone
    plane.remove_transport(TransportId(39))
    events.wait(EventKind.REMOVED)
    peer.send_raw(b"\x80" + bytes(30))
    wait_until(lambda: plane.statistics().drops[Drop.STRANGER] == 1)
    peer.socket.close()


def test_a_peer_that_changes_its_address_a_thousand_times_is_heard_and_remembered_eight_times(
    plane: ShardedPlane,
) -> None:
    events = Events(plane)
    peer = Peer(plane, 1, shard=1)
    sockets = {}
    for number in range(1000):
        address = Address(f"127.1.{number // 250}.{1 + number % 250}", 5000)
        if number in {0, 500, 991, 992, 999}:
            moved = sockets[number] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            moved.settimeout(PATIENCE)
            moved.bind((address.host, 0))
            address = Address(*moved.getsockname())
        plane.validate_address(peer.transport, address, selected=True)
        if number in sockets:
            plane.send_to(peer.transport, b"here")
            assert sockets[number].recv(10) == b"here"
    for moved in sockets.values():
        moved.sendto(STUN, plane.address[:2])
    heard = [events.wait(EventKind.STUN) for _ in range(5)]
    by_address = {event.address: event.transport for event in heard}
    known = {Address(*moved.getsockname()) for moved in (sockets[992], sockets[999])}
    assert {address for address, transport in by_address.items() if transport} == known
    for moved in (*sockets.values(), peer.socket):
        moved.close()


def test_a_stream_is_in_its_transports_shard(plane: ShardedPlane) -> None:
    events = Events(plane)
    for shard in range(plane.shards):
        transport = TransportId(1 + shard)
        plane.add_transport(transport, shard)
        with socket.create_server(("127.0.0.1", 0)) as server:
            ours = socket.create_connection(server.getsockname())
            accepted, name = server.accept()
        ours.settimeout(PATIENCE)
        remote = Address(name[0], name[1], tcp=True)
        plane.adopt_stream(accepted.detach(), remote, shard=shard)
        ours.sendall(struct.pack("!H", len(STUN)) + STUN)
        assert events.wait(EventKind.STUN).address == remote
        plane.validate_address(transport, remote, selected=True)
        plane.send_datagram(remote, b"answer")
        plane.send_to(transport, b"hello")
        assert ours.recv(8, socket.MSG_WAITALL) == b"\0\6answer"
        assert ours.recv(7, socket.MSG_WAITALL) == b"\0\5hello"
        assert plane.shard_statistics()[shard].streams == 1
        ours.close()
        closed = events.wait(EventKind.STREAM_CLOSED)
        assert (closed.transport, closed.address) == (transport, remote)


def test_what_crosses_shards_is_refused(plane: ShardedPlane) -> None:
    one, other = Peer(plane, 1, shard=0), Peer(plane, 2, shard=1)
    plane.add_producer(producer_of(one, 1))
    with pytest.raises(ValueError, match="different shards"):
        plane.add_consumer(consumer_of(other, 1))
    with pytest.raises(ValueError, match="no shard"):
        plane.add_transport(TransportId(3), plane.shards)
    with pytest.raises(ValueError, match="in use"):
        plane.add_transport(TransportId(1), 1)
    for name in (TransportId(9),):
        with pytest.raises(ValueError, match="no transport"):
            plane.send_to(name, b"x")
    with pytest.raises(ValueError, match="no producer"):
        plane.remove_producer(ProducerId(9))
    with pytest.raises(ValueError, match="no consumer"):
        plane.remove_consumer(ConsumerId(9))
    plane.remove_producer(ProducerId(1))
    plane.add_producer(producer_of(other, 1))
    plane.add_consumer(consumer_of(other, 1))
    plane.remove_consumer(ConsumerId(102))
    for peer in (one, other):
        peer.socket.close()


def test_a_port_that_somebody_has_is_not_shared_unawares(plane: ShardedPlane) -> None:
    with pytest.raises(OSError, match="bind"):
        ShardedPlane(plane.address, shards=2)
    with pytest.raises(OSError, match="bind"):
        NativePlane(plane.address)
    with pytest.raises(ValueError, match="1 to 16"):
        ShardedPlane(shards=17)


def test_the_taps_of_all_shards_are_read(plane: ShardedPlane) -> None:
    for shard in range(plane.shards):
        peer = Peer(plane, 1 + shard, shard=shard)
        plane.add_producer(producer_of(peer, 1 + shard))
        plane.set_tap(ProducerId(1 + shard), enabled=True)
        peer.send(rtp(0, KEY_FRAME))
        peer.socket.close()
    wait_until(lambda: plane.statistics().packets_in == plane.shards)
    data, producers = b"", set[int]()
    deadline = time.monotonic() + PATIENCE
    while len(producers) < plane.shards:
        assert time.monotonic() < deadline
        data += plane.read_tap()
        while data:
            size, producer = struct.unpack_from("!II", data)
            producers.add(producer)
            data = data[4 + size :]
    assert producers == set(range(1, 1 + plane.shards))
