"""FlexFEC: whoever lost one packet of a block makes it from the others and the protection packet."""

import random
from typing import Any

from media.ids import Ssrc
from media.plane import Drop, Extension
from tests.helpers.flexfec import FlexFecDecoder
from tests.helpers.rtp_harness import PlaneHarness
from tests.helpers.rtp_stream import VP8_DELTA, Stream, View, ids

from .feedback_from_subscribers import WIDE, answer, groups, numbers
from .pacing import transport


def protected(stream: Stream, share: float, **spec: Any) -> View:
    """Be sent a stream with protection."""
    view = View(stream, fec_payload_type=120, fec_ssrc=Ssrc(50_000 + next(stream.harness.numbers)), **spec)
    stream.harness.plane.set_fec(view.spec.consumer, share)
    stream.harness.settle()
    return view


def send_frames(stream: Stream, frames: int, packets: int) -> None:
    """Send frames of so many packets each, of all sizes; the last packet of a frame has the marker."""
    chance = random.Random(4)
    stream.send_key(marker=True)
    for _ in range(frames):
        timestamp = stream.timestamp
        for n in range(packets):
            payload = (VP8_DELTA if n == 0 else b"\0") + chance.randbytes(chance.randint(1, 1100))
            stream.send(payload, timestamp=timestamp, marker=n == packets - 1, csrc=(5,) * (n % 3))


def plain(view: View, ssrc: int) -> list[bytes]:
    """List the packets of one SSRC, decrypted, as they came."""
    view.harness.settle()
    return [packet for packet in view.peer.plain if int.from_bytes(packet[8:12], "big") == ssrc]


def payloads(view: View) -> list[bytes]:
    """List the payloads of the protection packets."""
    view.harness.settle()
    return [packet.payload for packet in view.peer.rtp if packet.ssrc == view.spec.fec_ssrc]


def recover(view: View, lost: list[bytes]) -> dict[int, bytes]:
    """Lose packets, and give what a receiver makes of the rest."""
    mutable = view.spec.extensions[Extension.ABS_SEND_TIME], view.spec.extensions[Extension.TRANSPORT_WIDE]
    decoder = FlexFecDecoder(mutable=tuple(identifier for identifier in mutable if identifier))
    for packet in view.peer.plain:
        if packet in lost:
            continue
        ssrc = int.from_bytes(packet[8:12], "big")
        if ssrc == view.spec.ssrc:
            decoder.receive(packet)
    for payload in payloads(view):
        decoder.receive_protection(payload)
    return decoder.recovered


class Protection:
    """What is protected, by how much, and what is not."""

    def test_any_one_packet_is_recovered(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, extensions=ids(0, 0, 0, 7))
        view = protected(stream, 0.25, extensions=ids(1, 2, 0, 3, WIDE), mid="v")
        send_frames(stream, 4, 12)
        media = plain(view, view.spec.ssrc)
        assert len(media) == 49
        for packet in media[1:-4]:
            # what changes with each sending counts as zeros, for browsers count it so
            expected = FlexFecDecoder(mutable=(2, WIDE)).zeroed(packet)
            assert expected != packet
            assert recover(view, [packet]) == {int.from_bytes(packet[2:4], "big"): expected}

    def test_neighbours_are_recovered(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = protected(stream, 0.1)
        send_frames(stream, 2, 40)
        media = plain(view, view.spec.ssrc)
        for first in range(1, 36, 5):
            lost = media[first : first + 3]
            assert sorted(recover(view, lost).values()) == sorted(lost)

    def test_the_share_is_kept(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        quarter, tenth, half = (protected(stream, share) for share in (0.25, 0.1, 0.5))
        none, unasked = protected(stream, 0), View(stream)
        send_frames(stream, 20, 10)
        assert (len(payloads(quarter)), len(payloads(tenth)), len(payloads(half))) == (50, 20, 100)
        assert not payloads(none)
        assert len(unasked.peer.rtp) == 201
        statistics = transport(quarter)
        assert statistics.fec_packets == 50
        assert statistics.fec_bytes > 50 * 40
        # the stream itself is counted without it
        assert harness.plane.statistics().consumers[quarter.spec.consumer].packets == 201

    def test_protection_can_be_switched(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = protected(stream, 0.5)
        send_frames(stream, 2, 8)
        before = len(payloads(view))
        assert before == 8
        harness.plane.set_fec(view.spec.consumer, 0)
        harness.settle()
        send_frames(stream, 2, 8)
        assert len(payloads(view)) == before

    def test_a_protection_packet_is_one_of_its_own_stream(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = protected(stream, 0.5, extensions=ids(0, 0, 0, 0, WIDE))
        send_frames(stream, 2, 8)
        harness.settle()
        packets = [packet for packet in view.peer.rtp if packet.ssrc == view.spec.fec_ssrc]
        assert {packet.payload_type for packet in packets} == {120}
        first = packets[0].sequence_number
        assert [packet.sequence_number for packet in packets] == [first + n for n in range(len(packets))]
        # it is numbered with the rest, and so answered for
        sent = numbers(view)
        assert sent == [sent[0] + n for n in range(len(sent))]
        answer(view, sent[0], list(range(1, len(sent) + 1)))
        assert sum(group.packets_received for group in groups(view)) == len(view.peer.rtp)

    def test_what_was_lost_before_us_does_not_spoil_a_block(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = protected(stream, 0.25)
        stream.send_key(marker=True)
        for n in range(24):
            if n in (5, 6, 13):
                stream.lose()
            else:
                stream.send(VP8_DELTA + bytes(n), marker=n == 23)
        media = plain(view, view.spec.ssrc)
        for packet in media[1:20]:
            assert recover(view, [packet]).get(int.from_bytes(packet[2:4], "big")) == packet

    def test_a_jump_begins_another_block(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = protected(stream, 0.25)
        stream.send_key()
        stream.sequence += 60
        sent = [stream.send(VP8_DELTA + bytes(n), marker=n == 15) for n in range(16)]
        media = plain(view, view.spec.ssrc)[1:]
        assert len(media) == len(sent)
        # the first packet has earned its quarter too
        for packet in media[:15]:
            assert list(recover(view, [packet]).values()) == [packet]

    def test_what_would_be_too_large_is_not_sent(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = protected(stream, 0.5)
        stream.send_key()
        for _ in range(8):
            stream.send(VP8_DELTA + bytes(1450))
        assert len(view.packets) == 9
        assert not payloads(view)
        assert harness.drops(Drop.TOO_LARGE) == 4
