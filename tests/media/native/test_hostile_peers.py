"""Seeded garbage from strangers, from peers, and under valid SRTP: everything is counted, pictures go on."""

from __future__ import annotations

import random
import socket
import struct

import pytest

from media.ids import ConsumerId, ProducerId, Ssrc
from media.plane import Address, Codec, ConsumerSpec, Drop, EventKind

from .peers import CM_80, GCM_128, KEY_FRAME, Peer, Room, nack, room, rtp

EXTENSIONS = (1, 0, 3, 4, 0, 6, 0, 0, 8, 9)
WRITTEN = (1, 2, 3, 4, 5, 6, 0, 0, 8, 9)


def first_bytes(rng: random.Random) -> bytes:
    """Begin a datagram as one of the protocols, or as none."""
    kind = rng.randrange(6)
    if kind == 0:
        return bytes([rng.randrange(4)])
    if kind == 1:
        return bytes([rng.randrange(20, 64)])
    if kind == 2:
        return bytes([rng.randrange(128, 192), rng.randrange(192, 224)])
    if kind == 3:
        return bytes([0x90, 96, 0, 1, 0, 0, 0, 0, 0, 0, 3, 232, 0xBE, 0xDE, 0, rng.randrange(8)])
    return rng.randbytes(2)


def garbage(rng: random.Random) -> bytes:
    return (first_bytes(rng) + rng.randbytes(rng.choice((0, 1, 7, 11, 12, 13, 19, 20, 60, 1400))))[:2000]


def lying_rtp(rng: random.Random, sequence: int) -> bytes:
    """Make RTP that libsrtp accepts and whose inside is random."""
    profile = rng.choice((0xBEDE, 0x1000, 0x1005, 0x1234))
    extensions = rng.randbytes(4 * rng.randrange(8))
    ssrc, payload_type = rng.choice(
        ((1000, 96), (1001, 97), (1000, 97), (4242, 96), (rng.getrandbits(32), 5))
    )
    packet = bytearray(
        rtp(
            rng.choice((sequence, sequence, sequence - 3000, rng.getrandbits(16))),
            rng.randbytes(rng.choice((0, 1, 2, 3, 40, 1200))),
            ssrc=ssrc,
            payload_type=payload_type,
            extensions=extensions,
            profile=profile,
        )
    )
    if rng.random() < 0.3:
        packet[0] |= 0x20  # padding, of whatever length the last byte says
    if rng.random() < 0.2:
        packet[0:1] = bytes([packet[0] & 0xF0 | rng.randrange(16)])
        packet[12:12] = bytes(4 * (packet[0] & 15))
    return bytes(packet)


def lying_rtcp(rng: random.Random) -> bytes:
    """Make RTCP with a sound first header and anything behind it."""
    if rng.random() < 0.4:
        return nack(rng.choice((5020, 5030, 9, 0)), *(rng.getrandbits(16) for _ in range(rng.randrange(60))))
    head = struct.pack(
        "!BBHI", 0x80 | rng.randrange(32), rng.randrange(200, 208), rng.choice((0, 1, 9, 65_535)), 7
    )
    return head + rng.randbytes(4 * rng.randrange(12) + rng.choice((0, 0, 1, 3)))


def test_a_host_that_floods_with_questions_shuts_no_other_out() -> None:
    question = b"\x00\x01" + bytes(18)
    with room() as here, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
        flood.bind(("127.0.0.2", 0))
        for number in range(2500):
            flood.sendto(question, here.plane.address[:2])
            if number % 32 == 0:
                here.settle()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.3", 0))
            other.sendto(question, here.plane.address[:2])
            here.settle()
            heard = {event.address.host for event in here.collected if event.address is not None}
        assert "127.0.0.3" in heard


@pytest.mark.parametrize(
    ("seed", "profile", "codec"),
    [
        (1, GCM_128, Codec.VP8),
        (2, GCM_128, Codec.H264),
        (3, CM_80, Codec.H265),
        (4, GCM_128, Codec.VP9),
        (5, GCM_128, Codec.AV1),
        (6, CM_80, Codec.OPUS),
    ],
)
def test_garbage_stops_nobody(seed: int, profile: int, codec: Codec) -> None:
    rng = random.Random(seed)
    with room(2, profile) as here:
        here.add_producer(codec, extensions=EXTENSIONS)
        here.add_consumers(extensions=WRITTEN)
        victim = Peer(here.plane, 9, profile)
        here.subscribers.append(victim)
        stranger = Peer(here.plane, 10, profile)
        here.subscribers.append(stranger)
        here.plane.remove_transport(stranger.transport)
        for number in range(2500):
            if number % 64 == 0:
                here.settle()
                here.collected.clear()
            choice = rng.random()
            if choice < 0.2:
                stranger.send_raw(garbage(rng))
            elif choice < 0.4:
                here.publisher.send_raw(garbage(rng))
            elif choice < 0.75:
                packet = lying_rtp(rng, number)
                try:
                    here.publisher.send(packet)
                except AssertionError:
                    here.publisher.send_raw(packet)  # what libsrtp itself refuses
            elif choice < 0.95:
                rng.choice(here.subscribers[:2]).send_rtcp(lying_rtcp(rng))
            else:
                churn(here, rng, number)
        here.settle()
        statistics = here.plane.statistics()
        assert statistics.datagrams_in >= 2300
        assert statistics.drops[Drop.EVENT_QUEUE_FULL] == 0
        goes_on(here, victim)


def churn(here: Room, rng: random.Random, number: int) -> None:
    """Pause, resume, add and remove while it rains."""
    plane = here.plane
    here.wait_until(lambda: True)
    choice = rng.randrange(4)
    if choice == 0:
        plane.set_paused(ConsumerId(102), paused=rng.random() < 0.5)
    elif choice == 1:
        plane.set_tap(ProducerId(1), enabled=rng.random() < 0.5)
    elif choice == 2:
        identifier = ConsumerId(10_000 + number)
        ssrc = Ssrc(100_000 + number)
        plane.add_consumer(ConsumerSpec(identifier, ProducerId(1), here.subscribers[1].transport, 96, ssrc))
        plane.remove_consumer(identifier)
    else:
        # below those that the kernel gives to sockets: the victim's address would be the publisher's from then on
        address = Address("127.0.0.1", rng.randrange(1, 32_768))
        plane.validate_address(here.subscribers[0].transport, address, selected=False)
    plane.read_tap()


def goes_on(here: Room, victim: Peer) -> None:
    """See that another's packets pass as if nothing had been."""
    here.add_producer(producer=5, transport=9, ssrc=77, rtx=False)
    here.plane.add_consumer(ConsumerSpec(ConsumerId(999), ProducerId(5), victim.transport, 96, Ssrc(123_456)))
    victim.send(*(rtp(number, KEY_FRAME, ssrc=77) for number in range(10)))
    received = victim.receive(10)
    assert [packet[12:] for packet in received] == [KEY_FRAME] * 10


def test_one_peer_cannot_fill_the_session_with_streams() -> None:
    with room() as here:
        here.add_producer()
        here.add_consumers()
        for number in range(600):
            here.publisher.send(rtp(1, ssrc=100_000 + number))
            if number % 64 == 0:
                here.settle()
        here.settle()
        assert here.drops(Drop.UNKNOWN_SSRC) == 600
        here.wait_until(lambda: True)
        reported = [event for event in here.collected if event.kind is EventKind.UNKNOWN_SSRC]
        assert len(reported) == 256
        here.publisher.send(rtp(1, KEY_FRAME))
        assert here.subscribers[0].receive()[0][12:] == KEY_FRAME
