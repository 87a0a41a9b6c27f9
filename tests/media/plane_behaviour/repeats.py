"""What a consumer lost it asks for, and gets again."""

from media.plane import Drop, EventKind
from media.rtp.rtcp import GenericNack, parse_compound
from tests.helpers.rtp_harness import PlaneHarness
from tests.helpers.rtp_stream import VP8_DELTA, Stream, View, ids


class Repeats:
    """NACKs of consumers: with RTX, without, too often, too late."""

    def test_a_nack_is_answered_by_rtx(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view, other = View(stream), View(stream)
        sent = [stream.send_key(), *(stream.send(marker=True) for _ in range(4))]
        originals = view.packets
        view.nack(originals[1].sequence_number, originals[3].sequence_number)
        repeats = view.repeats
        assert [packet.payload for packet in repeats] == [
            original.sequence_number.to_bytes(2, "big") + original.payload
            for original in (originals[1], originals[3])
        ]
        assert [(p.timestamp, p.marker, p.payload_type) for p in repeats] == [
            (p.timestamp, True, view.spec.rtx_payload_type) for p in (sent[1], sent[3])
        ]
        assert repeats[1].sequence_number == repeats[0].sequence_number + 1 & 0xFFFF
        assert len(view.packets) == 5
        assert not other.repeats
        statistics = harness.plane.statistics().consumers[view.spec.consumer]
        assert (statistics.packets, statistics.retransmitted) == (5, 2)

    def test_without_rtx_the_repeat_is_bit_identical(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, extensions=ids(0, 0, 3, 0, 0, 0))
        view = View(
            stream,
            rtx_ssrc=0,
            rtx_payload_type=0,
            mid="v",
            extensions=ids(1, 0, 2, 0, 0, 3),
            playout_delay=(0, 100),
        )
        stream.send_key(extensions={3: b"captured"})
        for _ in range(3):
            stream.send()
        first = view.packets[0]
        originals = list(view.peer.datagrams)
        view.nack(first.sequence_number)
        assert view.peer.repeated == [originals[0]]
        harness.advance(15)
        view.nack(first.sequence_number)
        assert view.peer.repeated == [originals[0]] * 2
        assert len(view.packets) == 4

    def test_a_nack_is_handed_on_too(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        stream.send_key()
        number = view.packets[0].sequence_number
        view.nack(number)
        [event] = harness.events(EventKind.RTCP)
        assert parse_compound(event.data)[1] == GenericNack(7, view.spec.ssrc, (number,))

    def test_the_same_packet_is_not_repeated_all_the_time(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        stream.send_key()
        number = view.packets[0].sequence_number
        # in one compound, so that no time goes by
        view.peer.send_rtcp(*[GenericNack(7, view.spec.ssrc, (number,))] * 5)
        assert len(view.repeats) == 1
        assert harness.drops(Drop.NACK_LIMIT) == 4
        harness.advance(15)
        view.nack(number)
        assert len(view.repeats) == 2

    def test_the_history_holds_a_number_for_each_512_bytes(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, history_bytes=1 << 20)
        view, plain = View(stream), View(stream, rtx_ssrc=0, rtx_payload_type=0)
        oldest = stream.send_key()
        for _ in range(2047):
            stream.send()
        assert len(view.packets) == 2048
        view.nack(view.packets[0].sequence_number)
        assert [packet.payload[2:] for packet in view.repeats] == [oldest.payload]
        plain.nack(plain.packets[0].sequence_number)
        assert plain.peer.repeated == [plain.peer.datagrams[0]]

    def test_what_the_history_no_longer_holds_wants_a_key_frame(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, history_bytes=1 << 20)
        view = View(stream)
        stream.send_key()
        for _ in range(2048):
            stream.send()
        view.nack(view.packets[0].sequence_number)
        assert not view.repeats
        assert harness.drops(Drop.NOT_IN_HISTORY) == 1
        [event] = harness.events(EventKind.KEY_FRAME_WANTED)
        assert (event.subject, event.transport, event.data) == (
            stream.spec.producer,
            stream.peer.transport,
            b"\0",
        )

    def test_the_history_has_room_for_so_many_bytes(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, history_bytes=1 << 16)
        view = View(stream)
        sent = [stream.send_key(), *(stream.send(VP8_DELTA + bytes(1000)) for _ in range(100))]
        numbers = [packet.sequence_number for packet in view.packets]
        # 64 KiB hold 58 of them and more
        view.nack(numbers[20], *numbers[-50:])
        assert [packet.payload[2:] for packet in view.repeats] == [packet.payload for packet in sent[-50:]]
        assert harness.drops(Drop.NOT_IN_HISTORY) == 1

    def test_what_goes_round_the_history_many_times_can_still_be_asked_for(
        self, harness: PlaneHarness
    ) -> None:
        stream = Stream(harness, history_bytes=1 << 16)
        view = View(stream)
        stream.send_key()
        for turn in range(300):
            sent = [stream.send(VP8_DELTA + bytes(turn * 37 % 1200)) for _ in range(4)]
            lost = stream.lose(VP8_DELTA + bytes(500))
            stream.send()
            if turn % 60 == 59:
                stream.peer.send_rtp(lost)
                stream.peer.send_rtp(lost)
                numbers = [packet.sequence_number for packet in view.packets[-6:]]
                before = len(view.repeats)
                view.nack(*numbers)
                repeated = {packet.payload[2:] for packet in view.repeats[before:]}
                assert repeated >= {lost.payload, *(packet.payload for packet in sent)}
        # each of the five the second time; SRTP may have known some of them already
        assert harness.drops(Drop.DUPLICATE) + harness.drops(Drop.REPLAYED) == 5

    def test_what_is_older_than_the_history_wants_a_key_frame(self, harness: PlaneHarness) -> None:
        stream = Stream(harness, history_ms=50)
        view = View(stream)
        stream.send_key()
        harness.settle()
        harness.advance(100)
        young = stream.send()
        numbers = [packet.sequence_number for packet in view.packets]
        view.nack(*numbers)
        assert [packet.payload[2:] for packet in view.repeats] == [young.payload]
        assert len(harness.events(EventKind.KEY_FRAME_WANTED)) == 1

    def test_what_was_never_sent_is_not_in_the_history(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        stream.send_key()
        number = view.packets[0].sequence_number
        view.nack(number + 1 & 0xFFFF, number - 1 & 0xFFFF, number + 30_000 & 0xFFFF)
        assert not view.repeats
        assert harness.drops(Drop.NOT_IN_HISTORY) == 3

    def test_what_is_still_asked_for_of_the_publisher_wants_no_key_frame(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        stream.send_key()
        stream.lose()
        stream.send()
        view.nack(view.packets[0].sequence_number + 1 & 0xFFFF)
        assert harness.drops(Drop.NOT_IN_HISTORY) == 1
        assert not harness.events(EventKind.KEY_FRAME_WANTED)

    def test_numbers_before_and_after_the_wrap_are_repeated(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        stream.sequence = 65_535
        sent = [stream.send_key(), stream.send(), stream.send()]
        view.nack(*(packet.sequence_number for packet in view.packets))
        assert [packet.payload[2:] for packet in view.repeats] == [packet.payload for packet in sent]

    def test_what_was_sent_before_a_pause_can_be_asked_for_after_it(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        before = [stream.send_key(), stream.send()]
        harness.settle()
        view.pause()
        stream.send()
        harness.settle()
        view.pause(False)
        stream.send_key()
        view.nack(*(packet.sequence_number for packet in view.packets[:2]))
        assert [packet.payload[2:] for packet in view.repeats] == [packet.payload for packet in before]

    def test_nobody_can_ask_for_anothers_packets(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view, thief = View(stream), harness.peer()
        stream.send_key()
        number = view.packets[0].sequence_number
        thief.send_rtcp(GenericNack(7, view.spec.ssrc, (number,)))
        thief.send_rtcp(GenericNack(7, stream.ssrc, (1000,)))
        assert not view.repeats
        assert not thief.datagrams

    def test_a_paused_consumer_can_still_mend_what_it_has(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        sent = stream.send_key()
        harness.settle()
        view.pause()
        view.nack(view.packets[0].sequence_number)
        assert [packet.payload[2:] for packet in view.repeats] == [sent.payload]
