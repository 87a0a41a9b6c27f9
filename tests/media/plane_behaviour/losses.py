"""What a publisher's packets lost on their way is asked for, and finds its place when it comes."""

from media.plane import Drop
from media.rtp.packet import RtpPacket
from tests.helpers.rtp_harness import PlaneHarness
from tests.helpers.rtp_stream import Stream, View, ids


class Losses:
    """NACKs to publishers, repeats from them, RTX, duplicates."""

    def test_a_gap_is_asked_for_once_three_newer_packets_came(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        stream.send_key()
        lost = stream.lose()
        for _ in range(3):
            stream.send()
        harness.settle()
        harness.until(lambda: stream.peer.nacked(stream.ssrc)[:1] == [lost.sequence_number])
        assert stream.statistics().nacks_sent >= 1
        assert stream.statistics().lost == 1

    def test_a_gap_is_asked_for_after_a_while_if_nothing_newer_comes(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        stream.send_key()
        lost = [stream.lose().sequence_number for _ in range(20)]
        stream.send()
        harness.until(lambda: stream.peer.nacked(stream.ssrc)[:20] == lost)
        # and again, as long as nothing comes
        harness.until(lambda: stream.peer.nacked(stream.ssrc).count(lost[0]) >= 2)

    def test_a_gap_over_the_wrap_is_asked_for(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        stream.sequence = 65_534
        stream.send_key()
        assert [stream.lose().sequence_number, stream.lose().sequence_number] == [65_535, 0]
        stream.send()
        harness.until(lambda: stream.peer.nacked(stream.ssrc)[:2] == [65_535, 0])

    def test_a_repeat_under_the_same_ssrc_finds_its_place(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, rtx_ssrc=0, rtx_payload_type=0)
        view = View(stream)
        stream.send_key()
        lost = stream.lose()
        stream.send()
        harness.until(lambda: lost.sequence_number in stream.peer.nacked(stream.ssrc))
        stream.peer.send_rtp(lost)
        assert view.payloads[-1] == lost.payload
        first, third, second = (packet.sequence_number for packet in view.packets)
        assert (second - first, third - first) == (1, 2)
        statistics = stream.statistics()
        assert (statistics.lost, statistics.recovered, statistics.packets) == (0, 1, 3)

    def test_a_repeat_by_rtx_becomes_the_packet_that_was_lost(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, extensions=ids(0, 0, 3, 0, 0, 0))
        view = View(stream, extensions=ids(0, 0, 5, 0, 0, 0))
        stream.send_key()
        lost = stream.lose()
        after = stream.send()
        harness.until(lambda: lost.sequence_number in stream.peer.nacked(stream.ssrc))
        stream.send_rtx(
            lost.sequence_number.to_bytes(2, "big") + lost.payload,
            1,
            timestamp=lost.timestamp,
            marker=True,
            extensions={3: b"captured"},
        )
        assert view.payloads[1:] == [after.payload, lost.payload]
        packet = view.packets[-1]
        assert packet == RtpPacket(
            payload_type=view.spec.payload_type,
            sequence_number=view.packets[0].sequence_number + 1 & 0xFFFF,
            timestamp=lost.timestamp,
            ssrc=view.spec.ssrc,
            marker=True,
            extensions={5: b"captured"},
            payload=lost.payload,
        )
        statistics = stream.statistics()
        assert (statistics.lost, statistics.recovered) == (0, 1)

    def test_what_came_is_not_asked_for_again(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        stream.send_key()
        lost = stream.lose()
        stream.send()
        harness.until(lambda: lost.sequence_number in stream.peer.nacked(stream.ssrc))
        stream.send_rtx(lost.sequence_number.to_bytes(2, "big") + lost.payload, 1)
        asked = stream.statistics().nacks_sent
        harness.advance(100)
        assert stream.statistics().nacks_sent == asked

    def test_rtx_without_an_original_is_dropped(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        stream.send_key()
        stream.send_rtx(b"", 1, padding=200)
        stream.send_rtx(b"", 2)
        stream.send_rtx(b"\x03", 3)
        after = stream.send()
        assert view.payloads[1:] == [after.payload]
        assert harness.drops(Drop.PADDING) == 1
        assert harness.drops(Drop.MALFORMED) == 2

    def test_rtx_of_what_is_there_is_a_duplicate(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        sent = stream.send_key()
        stream.send_rtx(sent.sequence_number.to_bytes(2, "big") + sent.payload, 1)
        assert len(view.packets) == 1
        assert harness.drops(Drop.DUPLICATE) == 1
        assert stream.statistics().duplicates == 1

    def test_what_is_behind_the_history_is_too_old(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, history_bytes=1 << 20)
        view = View(stream)
        key = stream.send_key()
        stream.send_rtx((key.sequence_number - 2048 & 0xFFFF).to_bytes(2, "big") + b"old", 1)
        assert len(view.packets) == 1
        assert harness.drops(Drop.TOO_OLD) == 1

    def test_a_publisher_that_does_not_answer_is_not_asked(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, nack=False)
        stream.send_key()
        stream.lose()
        for _ in range(4):
            stream.send()
        harness.settle()
        harness.advance(60)
        assert stream.statistics().nacks_sent == 0
        assert not stream.peer.rtcp

    def test_after_a_jump_nothing_of_the_gap_is_asked_for(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        stream.send_key()
        stream.sequence += 1500
        after = [stream.send().payload for _ in range(4)]
        assert view.payloads[1:] == after
        harness.advance(60)
        assert stream.statistics().nacks_sent == 0
        # but what is lost from now on is
        lost = stream.lose()
        stream.send()
        harness.until(lambda: stream.peer.nacked(stream.ssrc)[:1] == [lost.sequence_number])
