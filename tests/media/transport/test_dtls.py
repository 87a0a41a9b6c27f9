"""DTLS over our path: what we rely on in aiortc, and what we changed."""

from __future__ import annotations

import asyncio

import pytest
from aiortc.rtcdtlstransport import (
    SRTP_AEAD_AES_128_GCM,
    SRTP_AEAD_AES_256_GCM,
    SRTP_AES128_CM_SHA1_80,
    RTCDtlsTransport,
)
from OpenSSL import SSL
from pylibsrtp import Session

import media.transport.dtls
from media.sdp import Fingerprint
from media.transport import Certificate
from media.transport.dtls import SRTP_PROFILES, Dtls, DtlsError, split_flight, split_records
from media.transport.path import MAX_DATAGRAM, MAX_RECEIVED, QUEUE, Path
from tests.helpers.udp_peers import until

RTP = bytes.fromhex("80600001000000000000000a") + b"payload"


class Side:
    """One end of a DTLS association over a wire in memory."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.certificate = Certificate()
        self.path = Path(self._transmit, "controlled")
        self.keys: list[tuple[Session, Session, str]] = []
        self.closed = asyncio.Event()
        self.sent: list[bytes] = []
        self.other: Side | None = None
        self.dtls = Dtls(
            self.path, self.certificate, role, lambda *keys: self.keys.append(keys), self.closed.set
        )

    def _transmit(self, data: bytes) -> None:
        self.sent.append(data)
        if self.other is not None:
            self.other.path.feed(data)


def pair() -> tuple[Side, Side]:
    server, client = Side("server"), Side("client")
    server.other, client.other = client, server
    return server, client


async def handshake(server: Side, client: Side) -> None:
    await asyncio.gather(
        server.dtls.handshake([client.certificate.fingerprint]),
        client.dtls.handshake([server.certificate.fingerprint]),
    )


async def stop(*sides: Side) -> None:
    for side in sides:
        await side.dtls.stop()
        side.path.close()


async def test_the_keys_of_both_sides_fit() -> None:
    server, client = pair()
    await handshake(server, client)
    (server_receives, server_sends, profile), (client_receives, client_sends, _) = (
        server.keys[0],
        client.keys[0],
    )
    assert profile == "SRTP_AEAD_AES_128_GCM"
    assert client_receives.unprotect(server_sends.protect(RTP)) == RTP
    assert server_receives.unprotect(client_sends.protect(RTP)) == RTP
    await stop(server, client)


@pytest.mark.parametrize("profile", [SRTP_AES128_CM_SHA1_80, SRTP_AEAD_AES_256_GCM, SRTP_AEAD_AES_128_GCM])
async def test_each_profile_works_alone(profile: object) -> None:
    server, client = pair()
    client.dtls.transport._srtp_profiles = [profile]
    await handshake(server, client)
    assert server.keys[0][2] == profile.openssl_profile.decode()  # type: ignore[attr-defined]
    assert server.keys[0][0].unprotect(client.keys[0][1].protect(RTP)) == RTP
    await stop(server, client)


async def test_a_late_packet_may_be_as_old_as_the_history() -> None:
    server, client = pair()
    await handshake(server, client)
    send, receive = client.keys[0][1], server.keys[0][0]
    late = send.protect(RTP)
    for number in range(2, 2050):
        receive.unprotect(send.protect(RTP[:2] + number.to_bytes(2, "big") + RTP[4:]))
    assert receive.unprotect(late) == RTP
    await stop(server, client)


async def test_a_repeat_without_rtx_is_the_same_packet() -> None:
    server, client = pair()
    await handshake(server, client)
    send, receive = client.keys[0][1], server.keys[0][0]
    first = send.protect(RTP)
    for number in range(2, 100):
        send.protect(RTP[:2] + number.to_bytes(2, "big") + RTP[4:])
    # no nonce has two contents, and to the receiver it is new
    assert send.protect(RTP) == first
    assert receive.unprotect(first) == RTP
    await stop(server, client)


async def test_a_wrong_certificate_ends_without_keys() -> None:
    server, client = pair()
    wrong = Fingerprint("sha-256", ":".join(["00"] * 32))
    results = await asyncio.gather(
        server.dtls.handshake([wrong]),
        client.dtls.handshake([server.certificate.fingerprint]),
        return_exceptions=True,
    )
    assert isinstance(results[0], DtlsError)
    assert "certificate" in str(results[0])
    assert not server.keys
    await stop(server, client)


async def test_all_fingerprints_must_match() -> None:
    server, client = pair()
    right = client.certificate.fingerprint
    results = await asyncio.gather(
        server.dtls.handshake([right, Fingerprint("sha-512", ":".join(["00"] * 64))]),
        client.dtls.handshake([server.certificate.fingerprint]),
        return_exceptions=True,
    )
    assert isinstance(results[0], DtlsError)
    assert not server.keys
    await stop(server, client)


async def test_without_a_common_profile_there_are_no_keys() -> None:
    server, client = pair()
    client.dtls.transport._srtp_profiles = []
    results = await asyncio.gather(
        server.dtls.handshake([client.certificate.fingerprint], 1.0),
        client.dtls.handshake([server.certificate.fingerprint], 1.0),
        return_exceptions=True,
    )
    assert all(isinstance(result, DtlsError) for result in results)
    assert not server.keys
    assert not client.keys
    await stop(server, client)


async def test_a_handshake_with_nobody_times_out() -> None:
    side = Side("client")
    with pytest.raises(DtlsError, match=r"longer than 0\.05 s"):
        await side.dtls.handshake([side.certificate.fingerprint], 0.05)
    await stop(side)


async def test_garbage_before_and_between_does_not_break_the_handshake() -> None:
    server, client = pair()
    for junk in (
        b"",
        b"\x16",
        bytes([22, 254, 253]) + bytes(20),
        bytes([63]) * 1500,
        bytes([20]) + b"x" * 12,
    ):
        server.path.feed(junk)
        client.path.feed(junk)
    await handshake(server, client)
    await stop(server, client)


async def test_a_goodbye_reaches_the_peer() -> None:
    server, client = pair()
    await handshake(server, client)
    await client.dtls.stop()
    await asyncio.wait_for(server.closed.wait(), 5)
    assert not client.closed.is_set()
    await stop(server, client)


async def test_a_flight_goes_out_in_datagrams_that_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def narrow(flight: bytes, limit: int = 300) -> list[bytes]:
        datagrams = split_flight(flight, limit)
        sizes.extend(map(len, datagrams))
        return datagrams

    monkeypatch.setattr(media.transport.dtls, "split_flight", narrow)
    server, client = pair()
    await handshake(server, client)
    assert len(sizes) > 6
    # each is whole records: no datagram may be cut inside of one
    assert all(split_flight(data, 1) for data in server.sent)
    assert max(map(len, server.sent)) <= 300
    await stop(server, client)


def record(size: int) -> bytes:
    return bytes([22, 254, 253]) + bytes(8) + size.to_bytes(2, "big") + bytes(size)


def test_flights_are_cut_between_records_only() -> None:
    flight = record(500) + record(600) + record(100) + record(1000)
    datagrams = split_flight(flight)
    assert b"".join(datagrams) == flight
    assert [len(data) for data in datagrams] == [13 + 500 + 13 + 600, 13 + 100 + 13 + 1000]
    assert split_flight(b"") == []
    assert split_flight(record(2000)) == [record(2000)]


def test_a_datagram_is_read_up_to_its_first_lie() -> None:
    first, second = record(5), record(0)
    assert split_records(first + second) == [first, second]
    assert split_records(first + second[:-1]) == [first]
    assert split_records(first + record(100)[:50]) == [first]
    assert split_records(b"") == []


class Receiver:
    def __init__(self) -> None:
        self.data: list[bytes] = []

    async def _handle_data(self, data: bytes) -> None:
        self.data.append(data)


async def test_all_records_of_a_datagram_are_read_at_once() -> None:
    server, client = pair()
    await handshake(server, client)
    receiver = Receiver()
    server.dtls.transport._register_data_receiver(receiver)
    client.other = None
    client.sent.clear()
    messages = [f"message {number}".encode() for number in range(20)]
    for message in messages:
        await client.dtls.transport._send_data(message)
    for part in split_records(b"".join(client.sent)):
        server.path.feed(part)
    await until(lambda: len(receiver.data) == len(messages))
    assert receiver.data == messages
    await stop(server, client)


async def test_the_path_is_bounded_and_hands_on_nothing_empty() -> None:
    sent: list[bytes] = []
    path = Path(sent.append, "controlled")
    path.feed(b"")
    path.feed(bytes(MAX_RECEIVED + 1))
    for _ in range(QUEUE + 5):
        path.feed(b"x")
    assert path.dropped == 7
    assert await path._recv() == b"x"
    await path._send(bytes(MAX_DATAGRAM))
    await path._send(bytes(MAX_DATAGRAM + 1))
    assert [len(data) for data in sent] == [MAX_DATAGRAM]
    waiting = asyncio.ensure_future(Path(sent.append, "controlled")._recv())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
    path.close()
    with pytest.raises(ConnectionError):
        await path._recv()
    with pytest.raises(ConnectionError):
        await path._send(b"x")


@pytest.mark.parametrize(
    "name", ["_setup_srtp", "_set_role", "_write_ssl", "_validate_peer_identity", "_recv_next", "_send_data"]
)
def test_aiortcs_private_methods_are_still_there(name: str) -> None:
    assert callable(getattr(RTCDtlsTransport, name))


async def test_connections_share_a_context_and_none_resumes_another() -> None:
    certificate = Certificate()
    context = certificate.rtc._create_ssl_context(srtp_profiles=SRTP_PROFILES)
    assert certificate.rtc._create_ssl_context(srtp_profiles=SRTP_PROFILES) is context
    assert context.get_session_cache_mode() == SSL.SESS_CACHE_OFF
    other = Certificate()
    assert other.rtc._create_ssl_context(srtp_profiles=SRTP_PROFILES) is not context


async def test_aiortcs_private_fields_are_still_there() -> None:
    server, client = pair()
    transport = server.dtls.transport
    assert transport._role == "server"
    assert transport._srtp_profiles is SRTP_PROFILES
    assert "_ssl" in vars(transport)
    await handshake(server, client)
    assert transport._ssl.get_selected_srtp_profile() == b"SRTP_AEAD_AES_128_GCM"
    # its own sessions are never made: RTP does not pass here
    assert transport._rx_srtp is None
    assert transport._tx_srtp is None
    await stop(server, client)
