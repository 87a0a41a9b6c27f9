"""Whatever arrives costs one counter, and nobody else's stream notices."""

from collections.abc import Callable

import pytest

from media.plane import Drop, EventKind
from media.rtp.packet import RtpPacket
from media.rtp.rtcp import PictureLossIndication, ReceiverReport, parse_compound
from tests.helpers.rtp_harness import PlaneHarness
from tests.helpers.rtp_peer import Peer
from tests.helpers.rtp_stream import Stream, View

STUN = b"\x00\x01\x00\x00\x21\x12\xa4\x42" + b"transaction."
DTLS = b"\x16\xfe\xfd" + bytes(10) + b"hello"

#: Datagrams from a validated address with keys, by name, and what each is dropped as.
RAW = {
    "empty": (b"", Drop.EMPTY),
    "one byte of RTP": (b"\x80", Drop.SHORT),
    "eleven bytes of RTP": (b"\x80\x60" + bytes(9), Drop.SHORT),
    "fewer contributing sources than promised": (b"\x8f\x60" + bytes(40), Drop.SHORT),
    "no room for the promised extension": (b"\x90\x60" + bytes(11), Drop.SHORT),
    "half an RTCP header": (b"\x80\xc8\x00\x00", Drop.SHORT),
    "half a STUN header": (STUN[:10], Drop.SHORT),
    "half a DTLS header": (DTLS[:7], Drop.SHORT),
    "1,501 bytes": (b"\x80\x60" + bytes(1499), Drop.OVERSIZED),
    "9,000 bytes": (b"\x80\x60" + bytes(8998), Drop.OVERSIZED),
    "a first byte between STUN and DTLS": (b"\x05" + bytes(40), Drop.UNKNOWN_PROTOCOL),
    "a first byte above RTP": (b"\xff" * 40, Drop.UNKNOWN_PROTOCOL),
    "RTP with an invented tag": (b"\x80\x60" + bytes(98), Drop.AUTHENTICATION),
    "RTCP with an invented tag": (b"\x80\xc9" + bytes(98), Drop.AUTHENTICATION),
    "an extension longer than the datagram": (
        b"\x90\x60" + bytes(10) + b"\xbe\xde\xff\xff" + bytes(60),
        Drop.MALFORMED,
    ),
}


def _with_padding(stream: Stream, length: int) -> bytes:
    plain = bytearray(bytes(stream.packet()))
    plain[0] |= 0x20
    plain[-1] = length
    return stream.peer.protect(bytes(plain))


def _with_extension(stream: Stream, extension: bytes) -> bytes:
    plain = bytearray(bytes(stream.packet()))
    plain[0] |= 0x10
    plain[12:12] = extension
    return stream.peer.protect(bytes(plain))


#: Protected by the right keys, and still wrong.
PROTECTED: dict[str, Callable[[Stream], bytes]] = {
    "more padding than payload": lambda stream: _with_padding(stream, 200),
    "padding of length 0": lambda stream: _with_padding(stream, 0),
    "a one-byte element too long": lambda stream: _with_extension(stream, b"\xbe\xde\0\1\x1f\1\2\3"),
    "a two-byte element too long": lambda stream: _with_extension(stream, b"\x10\0\0\1\x01\xff\2\3"),
    "a two-byte element without length": lambda stream: _with_extension(stream, b"\x10\0\0\1\0\0\0\1"),
    "RTCP longer than the datagram": lambda stream: stream.peer.protect_rtcp(b"\x80\xc9\0\x10\0\0\0\1"),
    "RTCP of another version": lambda stream: stream.peer.protect_rtcp(
        b"\x80\xc9\0\1\0\0\0\1" + b"\x40\xc9\0\1\0\0\0\1"
    ),
}


class BadDatagrams:
    """Bad input, and the streams beside it."""

    @pytest.mark.parametrize("name", RAW)
    def test_a_bad_datagram_is_counted_and_another_stream_goes_on(
        self, harness: PlaneHarness, name: str
    ) -> None:
        data, reason = RAW[name]
        hostile, stream = harness.peer(), Stream(harness)
        view = View(stream)
        sent = [stream.send_key().payload]
        hostile.send(data)
        sent.append(stream.send().payload)
        stream.peer.send(data)
        sent.append(stream.send().payload)
        assert view.payloads == sent
        assert harness.drops(reason) == 2
        assert sum(harness.plane.statistics().drops) == 2
        assert not hostile.datagrams

    @pytest.mark.parametrize("name", PROTECTED)
    def test_a_packet_whose_lengths_lie_is_counted_and_the_stream_goes_on(
        self, harness: PlaneHarness, name: str
    ) -> None:
        stream, hostile = Stream(harness), Stream(harness)
        view, hostile_view = View(stream), View(hostile)
        sent = [stream.send_key().payload]
        hostile.send_key()
        hostile.peer.send(PROTECTED[name](hostile))
        sent.append(stream.send().payload)
        assert view.payloads == sent
        assert harness.drops(Drop.MALFORMED) == 1
        assert len(hostile_view.packets) == 1

    @pytest.mark.parametrize("data", [b"\x80\x60" + bytes(98), b"\x80\xc9" + bytes(98), DTLS])
    def test_a_stranger_is_not_listened_to(self, harness: PlaneHarness, data: bytes) -> None:
        harness.stranger().send(data)
        assert harness.drops(Drop.STRANGER) == 1
        assert not harness.events(EventKind.DTLS)

    def test_strangers_may_send_empty_datagrams_in_vain(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view, stranger = View(stream), harness.stranger()
        stream.send_key()
        for _ in range(50):
            stranger.send(b"")
        stream.send()
        assert len(view.packets) == 2
        assert harness.drops(Drop.EMPTY) == 50

    def test_media_before_the_keys_is_dropped(self, harness: PlaneHarness) -> None:
        early = harness.peer(keys=False)
        early.send_rtp(RtpPacket(96, 1, 2, 3, payload=b"x"))
        early.send_rtcp(PictureLossIndication(1, 2))
        assert harness.drops(Drop.NO_KEYS) == 2

    def test_a_replayed_packet_is_dropped(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        data = stream.peer.protect(stream.packet(b"\x10\x00"))
        stream.peer.send(data)
        stream.peer.send(data)
        stream.send()
        stream.peer.send(data)
        assert len(view.packets) == 2
        assert harness.drops(Drop.REPLAYED) == 2

    def test_a_replayed_report_is_dropped(self, harness: PlaneHarness) -> None:
        peer = harness.peer()
        data = peer.protect_rtcp(bytes(ReceiverReport(1)))
        peer.send(data)
        peer.send(data)
        assert len(harness.events(EventKind.RTCP)) == 1
        assert harness.drops(Drop.REPLAYED) == 1

    def test_a_packet_of_another_peer_replayed_from_ones_own_address_is_dropped(
        self, harness: PlaneHarness
    ) -> None:
        stream, thief = Stream(harness), harness.peer()
        view = View(stream)
        data = stream.peer.protect(stream.packet(b"\x10\x00"))
        thief.send(data)
        assert harness.drops(Drop.AUTHENTICATION) == 1
        stream.peer.send(data)
        assert len(view.packets) == 1

    def test_the_ssrc_of_another_peer_is_unknown(self, harness: PlaneHarness) -> None:
        stream, thief = Stream(harness), harness.peer()
        view = View(stream)
        thief.send_rtp(stream.packet(b"\x10\x00"))
        assert harness.drops(Drop.UNKNOWN_SSRC) == 1
        assert not view.packets

    def test_an_unknown_ssrc_is_reported_once_in_a_while(self, harness: PlaneHarness) -> None:
        peer = harness.peer()
        packet = RtpPacket(96, 1, 2, 0xABCD, extensions={1: b"0", 3: b"video"}, payload=b"secret")
        peer.send_rtp(packet)
        harness.settle()
        for sequence in (2, 3, 4):
            peer.send_rtp(RtpPacket(96, sequence, 2, 0xABCD, payload=b"secret"))
        [event] = harness.events(EventKind.UNKNOWN_SSRC)[:1]
        assert (event.transport, event.address) == (peer.transport, peer.address)
        assert event.subject == 0xABCD
        assert RtpPacket.parse(event.data) == RtpPacket(96, 1, 2, 0xABCD, extensions={1: b"0", 3: b"video"})
        assert harness.drops(Drop.UNKNOWN_SSRC) == 4
        harness.advance(110)
        peer.send_rtp(RtpPacket(96, 5, 2, 0xABCD))
        numbers = [
            RtpPacket.parse(event.data).sequence_number for event in harness.events(EventKind.UNKNOWN_SSRC)
        ]
        assert numbers[0] == 1
        assert numbers[-1] == 5
        assert len(numbers) < 5

    def test_a_foreign_payload_type_is_not_forwarded(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        stream.send_key()
        stream.peer.send_rtp(RtpPacket(99, stream.sequence, 1, stream.ssrc, payload=b"\x10\x00"))
        assert len(view.packets) == 1
        assert harness.drops(Drop.UNKNOWN_PAYLOAD_TYPE) == 1

    def test_stun_is_handed_on_from_anybody(self, harness: PlaneHarness) -> None:
        stranger, peer = harness.stranger(), harness.peer()
        stranger.send(STUN)
        peer.send(STUN)
        events = harness.events(EventKind.STUN)
        assert [(event.transport, event.address, event.data) for event in events] == [
            (0, stranger.address, STUN),
            (peer.transport, peer.address, STUN),
        ]
        assert all(abs(event.time - harness.clock()) < 60_000_000_000 for event in events)

    def test_dtls_is_handed_on_from_a_validated_address(self, harness: PlaneHarness) -> None:
        peer = harness.peer(keys=False)
        peer.send(DTLS)
        [event] = harness.events(EventKind.DTLS)
        assert (event.transport, event.address, event.data) == (peer.transport, peer.address, DTLS)

    def test_reports_are_handed_on_decrypted(self, harness: PlaneHarness) -> None:
        peer = harness.peer()
        peer.send_rtcp(ReceiverReport(5), PictureLossIndication(5, 6))
        [event] = harness.events(EventKind.RTCP)
        assert (event.transport, event.address) == (peer.transport, peer.address)
        assert parse_compound(event.data) == [ReceiverReport(5), PictureLossIndication(5, 6)]

    def test_a_flood_of_stun_from_strangers_is_limited(self, harness: PlaneHarness) -> None:
        flooding: list[Peer] = [harness.stranger() for _ in range(4)]
        for _ in range(20):
            for _ in range(200):
                for stranger in flooding:
                    stranger.send(STUN)
            harness.events(EventKind.STUN)
            if harness.drops(Drop.RATE_LIMIT):
                break
        assert harness.drops(Drop.RATE_LIMIT)
        # the peers that are known still get an answer
        peer = harness.peer()
        peer.send(STUN)
        assert harness.events(EventKind.STUN)[-1].transport == peer.transport
