"""What is removed is gone, what stays does not notice; misuse is a ValueError."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from media.ids import ConsumerId, ProducerId, Ssrc, TransportId
from media.plane import (
    Address,
    Codec,
    ConsumerSpec,
    Drop,
    EncodingSpec,
    EventKind,
    Layer,
    Plane,
    ProducerSpec,
)
from tests.helpers.rtp_harness import PlaneHarness
from tests.helpers.rtp_stream import Stream, View, ids

PRODUCER = ProducerSpec(ProducerId(900), TransportId(1), Codec.VP8, 90_000, 96, (EncodingSpec(Ssrc(1)),))
CONSUMER = ConsumerSpec(ConsumerId(901), ProducerId(2), TransportId(1), 96, Ssrc(1))

#: Specs that no plane takes; transport 1 and producer 2 exist.
BAD_PRODUCERS = {
    "of no transport": replace(PRODUCER, transport=TransportId(77)),
    "with a history of no time": replace(PRODUCER, history_ms=0),
    "with a history without room": replace(PRODUCER, history_bytes=65_535),
    "without an encoding": replace(PRODUCER, encodings=()),
    "with five encodings": replace(PRODUCER, encodings=(EncodingSpec(),) * 5),
    "with one SSRC twice": replace(
        PRODUCER, encodings=(EncodingSpec(Ssrc(5)), EncodingSpec(Ssrc(6), Ssrc(5)))
    ),
    "with an SSRC of 33 bits": replace(PRODUCER, encodings=(EncodingSpec(Ssrc(1 << 32)),)),
    "with sound in two encodings": replace(
        PRODUCER, codec=Codec.OPUS, encodings=(EncodingSpec(Ssrc(5)), EncodingSpec(Ssrc(6)))
    ),
    "with six extensions": replace(PRODUCER, extensions=(0,) * 6),
    "with a payload type like RTCP": replace(PRODUCER, payload_type=72),
    "with a payload type of 8 bits": replace(PRODUCER, payload_type=128),
    "with an extension id too high": replace(PRODUCER, extensions=ids(15, 0, 0, 0, 0, 0)),
    "with one id": replace(PRODUCER, producer=ProducerId(0)),
}
BAD_CONSUMERS = {
    "of no transport": replace(CONSUMER, transport=TransportId(77)),
    "of no producer": replace(CONSUMER, producer=ProducerId(77)),
    "with a payload type like RTCP": replace(CONSUMER, payload_type=95),
    "with a time of sending and no RTX": replace(CONSUMER, extensions=ids(0, 1, 0, 0, 0, 0)),
    "with transport-wide numbers and no RTX": replace(CONSUMER, extensions=ids(0, 0, 0, 0, 1, 0)),
    "with a long MID": replace(CONSUMER, mid="0123456789abcdef0"),
    "with a playout delay too long": replace(CONSUMER, playout_delay=(0, 40_960)),
    "with a negative playout delay": replace(CONSUMER, playout_delay=(-10, 10)),
}


def _misuses(plane: Plane) -> list[Callable[[], None]]:
    """Name what does not exist in each command that names something."""
    return [
        lambda: plane.validate_address(TransportId(77), Address("127.0.0.1", 9), selected=True),
        lambda: plane.remove_transport(TransportId(77)),
        lambda: plane.remove_producer(ProducerId(77)),
        lambda: plane.remove_consumer(ConsumerId(77)),
        lambda: plane.set_tap(ProducerId(77), enabled=True),
        lambda: plane.set_paused(ConsumerId(77), paused=True),
        lambda: plane.set_layer(ConsumerId(77), Layer()),
        lambda: plane.set_encoding(ProducerId(77), 0, Ssrc(1), Ssrc(0)),
        lambda: plane.set_encoding(ProducerId(2), 1, Ssrc(1), Ssrc(0)),
        lambda: plane.set_encoding(ProducerId(2), 0, Ssrc(1), Ssrc(1)),
        lambda: plane.set_timestamp_offset(ProducerId(2), -1, 0),
        lambda: plane.set_capture_offset(ProducerId(2), 1 << 63),
        lambda: plane.inject(ProducerId(77), [bytes(12)], 0),
        lambda: plane.send_to(TransportId(77), b"x"),
        lambda: plane.send_rtcp(TransportId(77), b"x"),
        lambda: plane.add_transport(TransportId(1)),
    ]


class Closing:
    """Removing, moving, misusing."""

    def test_a_removed_consumer_is_sent_nothing_more(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view, other = View(stream), View(stream)
        stream.send_key()
        harness.settle()
        harness.plane.remove_consumer(view.spec.consumer)
        harness.settle()
        stream.send()
        view.nack(view.packets[0].sequence_number)
        assert (len(view.packets), len(other.packets), len(view.repeats)) == (1, 2, 0)
        assert view.spec.consumer not in harness.plane.statistics().consumers

    def test_a_removed_producer_is_unknown_and_its_consumers_are_gone(self, harness: PlaneHarness) -> None:
        stream, other = Stream(harness), Stream(harness)
        view, other_view = View(stream), View(other)
        harness.plane.remove_producer(stream.spec.producer)
        harness.settle()
        stream.send_key()
        stream.send_rtx(b"\0\1x", 1)
        other.send_key()
        assert harness.drops(Drop.UNKNOWN_SSRC) == 2
        assert (len(view.packets), len(other_view.packets)) == (0, 1)
        statistics = harness.plane.statistics()
        assert stream.spec.producer not in statistics.producers
        assert view.spec.consumer not in statistics.consumers
        with pytest.raises(ValueError):
            harness.plane.remove_consumer(view.spec.consumer)

    def test_a_removed_transport_takes_its_streams_with_it(self, harness: PlaneHarness) -> None:
        stream, other = Stream(harness), Stream(harness)
        leaver = stream.peer
        views = [View(stream), View(other, leaver), View(other)]
        other.send_key()
        harness.settle()
        harness.plane.remove_transport(leaver.transport)
        stream.send_key()
        other.send()
        assert [len(view.packets) for view in views] == [0, 1, 2]
        [event] = harness.events(EventKind.REMOVED)
        assert event.transport == leaver.transport
        assert harness.drops(Drop.STRANGER) == 1
        statistics = harness.plane.statistics()
        assert list(statistics.producers) == [other.spec.producer]
        assert list(statistics.consumers) == [views[2].spec.consumer]

    def test_a_producer_may_come_again_after_it_was_removed(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        stream.send_key()
        harness.settle()
        harness.plane.remove_producer(stream.spec.producer)
        again = Stream(harness, stream.peer, ssrc=stream.ssrc, rtx_ssrc=stream.rtx_ssrc)
        again.sequence = stream.sequence
        view = View(again)
        again.send_key()
        assert len(view.packets) == 1

    def test_an_ssrc_is_never_given_twice(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        harness.plane.remove_consumer(view.spec.consumer)
        harness.settle()
        again = replace(view.spec, consumer=ConsumerId(999))
        for spec in (
            again,
            replace(again, rtx_ssrc=Ssrc(5)),
            replace(again, ssrc=Ssrc(5)),
            replace(again, ssrc=view.spec.rtx_ssrc, rtx_ssrc=Ssrc(5)),
        ):
            with pytest.raises(ValueError):
                harness.plane.add_consumer(spec)
        assert 999 not in harness.plane.statistics().consumers

    def test_an_address_belongs_to_whom_it_was_validated_for_last(self, harness: PlaneHarness) -> None:
        leaver, heir = harness.peer(), harness.peer()
        harness.plane.validate_address(heir.transport, leaver.address, selected=False)
        harness.settle()
        dtls = b"\x16\xfe\xfd" + bytes(20)
        leaver.send(dtls)
        [event] = harness.events(EventKind.DTLS)
        assert (event.transport, event.address) == (heir.transport, leaver.address)
        # and does not go when the one it belonged to goes
        harness.plane.remove_transport(leaver.transport)
        harness.settle()
        leaver.send(dtls)
        assert len(harness.events(EventKind.DTLS)) == 2

    def test_a_stream_follows_its_peer_to_a_new_address(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = View(stream)
        sent = [stream.send_key().payload]
        harness.settle()
        harness.move(view.peer)
        harness.plane.validate_address(view.peer.transport, view.peer.address, selected=True)
        harness.move(stream.peer)
        harness.plane.validate_address(stream.peer.transport, stream.peer.address, selected=False)
        harness.settle()
        sent.append(stream.send().payload)
        assert view.payloads == sent

    def test_of_nine_addresses_the_oldest_goes(self, harness: PlaneHarness) -> None:
        peer = harness.peer()
        first = peer.address
        old = harness.stranger()
        for _ in range(8):
            harness.move(peer)
            harness.plane.validate_address(peer.transport, peer.address, selected=True)
        harness.settle()
        dtls = b"\x16\xfe\xfd" + bytes(20)
        peer.send(dtls)
        assert len(harness.events(EventKind.DTLS)) == 1
        # the oldest one can be another's now, and was nobody's before
        harness.plane.add_transport(old.transport)
        harness.plane.validate_address(old.transport, first, selected=False)
        harness.plane.remove_transport(old.transport)
        harness.settle()
        harness.plane.send_to(peer.transport, b"\x16hello")
        harness.settle()
        assert peer.raw == [b"\x16hello"]

    def test_a_peer_that_moves_a_thousand_times_is_served_where_it_was_last(
        self, harness: PlaneHarness
    ) -> None:
        stream = Stream(harness)
        view, beside = View(stream), View(stream)
        sent = [stream.send_key().payload]
        harness.settle()
        visited = [harness.stranger() for _ in range(3)]
        for number in range(1000):
            address = Address(f"10.9.{number // 250}.{1 + number % 250}", 5000)
            if number in {0, 500, 900}:
                address = visited[number // 450].address
            harness.plane.validate_address(view.peer.transport, address, selected=True)
        harness.move(view.peer)
        harness.plane.validate_address(view.peer.transport, view.peer.address, selected=True)
        harness.settle()
        sent.append(stream.send().payload)
        assert view.payloads == sent
        assert beside.payloads == sent
        # where it was long ago is nobody's any more
        for former in visited:
            former.send(b"\x16\xfe\xfd" + bytes(20))
        assert harness.drops(Drop.STRANGER) == 3
        assert not any(former.datagrams for former in visited)

    @pytest.mark.parametrize("name", BAD_PRODUCERS)
    def test_a_producer_out_of_range_is_refused(self, harness: PlaneHarness, name: str) -> None:
        Stream(harness)
        with pytest.raises(ValueError):
            harness.plane.add_producer(BAD_PRODUCERS[name])

    @pytest.mark.parametrize("name", BAD_CONSUMERS)
    def test_a_consumer_out_of_range_is_refused(self, harness: PlaneHarness, name: str) -> None:
        stream = Stream(harness)
        assert (stream.peer.transport, stream.spec.producer) == (1, 2)
        with pytest.raises(ValueError):
            harness.plane.add_consumer(BAD_CONSUMERS[name])

    def test_one_stream_cannot_be_two_producers(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        for spec in (stream.spec, replace(stream.spec, producer=ProducerId(77))):
            with pytest.raises(ValueError):
                harness.plane.add_producer(spec)

    def test_what_does_not_exist_is_refused(self, harness: PlaneHarness) -> None:
        harness.peer()
        for misuse in _misuses(harness.plane):
            with pytest.raises(ValueError):
                misuse()
        with pytest.raises(ValueError):
            harness.plane.set_keys(TransportId(77), *_sessions(harness))


def _sessions(harness: PlaneHarness) -> tuple[object, object]:
    peer = harness.stranger()
    return peer.plane_receive, peer.plane_send
