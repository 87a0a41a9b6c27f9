"""A probe sends more than there is to send, also where nothing is being sent, and is marked in the feedback."""

from media.rtp.extensions import parse_transport_wide
from tests.helpers.rtp_harness import PlaneHarness
from tests.helpers.rtp_stream import Stream, View, ids

from .feedback_from_subscribers import WIDE, answer, groups, numbers, watch
from .pacing import send_key_frame, transport

#: What ten packets' worth of a probe are.
PROBE_BYTES = 10 * 1200


class Probing:
    """Padding, filling, clusters."""

    def test_a_paused_transport_is_probed_by_padding(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = watch(stream)
        view.pause()
        harness.plane.probe(view.peer.transport, 9, 2_000_000, 10)
        harness.until(lambda: transport(view).padding_bytes >= PROBE_BYTES)
        padding = view.repeats
        assert not view.packets
        assert {(packet.payload, packet.padding) for packet in padding} == {(b"", 255)}
        assert {packet.payload_type for packet in padding} == {view.spec.rtx_payload_type}
        first = padding[0].sequence_number
        assert [packet.sequence_number for packet in padding] == [first + n for n in range(len(padding))]
        sizes = [len(datagram) for datagram in view.peer.datagrams]
        assert PROBE_BYTES <= sum(sizes) < PROBE_BYTES + max(sizes)
        statistics = transport(view)
        assert (statistics.padding_packets, statistics.padding_bytes) == (len(sizes), sum(sizes))
        base = numbers(view)[0]
        answer(view, base, list(range(1, len(sizes) + 1)))
        found = groups(view)
        assert {group.probe_cluster for group in found} == {9}
        assert sum(group.bytes_received for group in found) == sum(sizes)

    def test_a_probe_keeps_its_rate(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = watch(stream)
        begin = harness.clock()
        harness.plane.probe(view.peer.transport, 1, 1_000_000, 10)
        harness.until(lambda: transport(view).padding_bytes >= PROBE_BYTES)
        # 96 kbit less the first and the last packet
        assert harness.clock() - begin >= 85_000_000

    def test_a_stream_that_is_sent_is_repeated_as_filling(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = watch(stream)
        sent = [
            stream.send(b"\x10\0" + bytes(900)),
            *(stream.send(b"\x10\1" + bytes(900)) for _ in range(20)),
        ]
        harness.settle()
        harness.plane.probe(view.peer.transport, 2, 10_000_000, 10)
        harness.until(lambda: transport(view).padding_bytes >= PROBE_BYTES)
        lately = {packet.payload for packet in sent[-8:]}
        assert view.repeats
        assert {packet.payload[2:] for packet in view.repeats} <= lately
        after = stream.send()
        assert view.payloads[-1] == after.payload
        assert view.packets[-1].sequence_number == view.packets[-2].sequence_number + 1
        statistics = harness.plane.statistics().consumers[view.spec.consumer]
        assert (statistics.packets, statistics.retransmitted) == (22, 0)

    def test_what_is_sent_meanwhile_belongs_to_the_probe(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = watch(stream)
        harness.plane.probe(view.peer.transport, 3, 1_000_000, 100)
        stream.send_key()
        harness.settle()
        harness.plane.probe(view.peer.transport, 4, 10_000_000, 1)
        harness.until(lambda: transport(view).padding_bytes > 1200)
        harness.advance(10)
        stream.send()
        harness.settle()
        base = numbers(view)[0]
        answer(view, base, list(range(1, len(view.peer.rtp) + 1)))
        by_number = {parse_transport_wide(p.extensions[WIDE]): p.ssrc for p in view.peer.rtp}
        assert len(by_number) == len(view.peer.rtp)
        clusters = [group.probe_cluster for group in groups(view)]
        assert clusters == sorted(clusters, key=[3, 4, 0].index)
        assert set(clusters) == {3, 4, 0}
        assert [group.packets_received for group in groups(view)][-1] == 1

    def test_a_probe_may_exceed_the_pace(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = watch(stream)
        harness.plane.set_pacing(view.peer.transport, 10_000)
        harness.plane.probe(view.peer.transport, 1, 10_000_000, 10)
        harness.until(lambda: transport(view).padding_bytes >= PROBE_BYTES)

    def test_what_is_sent_does_not_pay_for_a_probe(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = watch(stream)
        stream.send_key()
        harness.plane.set_pacing(view.peer.transport, 100_000)
        harness.plane.probe(view.peer.transport, 1, 10_000_000, 10)
        harness.until(lambda: transport(view).padding_bytes >= PROBE_BYTES)
        # 12 kB are a second of the pace
        after = stream.send()
        assert view.payloads[-1] == after.payload
        assert transport(view).paced == 0

    def test_what_waits_for_its_turn_is_sent_by_the_probe(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view = watch(stream)
        harness.plane.set_pacing(view.peer.transport, 100_000)
        sent = send_key_frame(stream)
        harness.settle()
        harness.plane.probe(view.peer.transport, 1, 20_000_000, 60)
        harness.until(lambda: len(view.payloads) == len(sent))
        assert view.payloads == sent
        assert transport(view).queued_packets == 0

    def test_where_there_is_nothing_to_send_it_on_a_probe_ends(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        bare = View(stream, rtx_payload_type=0, rtx_ssrc=0)
        unnumbered = View(stream)
        silent = harness.peer()
        unreachable = harness.peer(keys=False)
        View(stream, unreachable, extensions=ids(0, 0, 0, 0, WIDE))
        for peer in (bare.peer, unnumbered.peer, silent, unreachable):
            harness.plane.probe(peer.transport, 1, 10_000_000, 10)
        harness.advance(20)
        harness.settle()
        assert not any(peer.datagrams for peer in (bare.peer, unnumbered.peer, silent, unreachable))

    def test_who_is_probed_may_leave(self, harness: PlaneHarness) -> None:
        stream = Stream(harness)
        view, other = watch(stream), watch(stream)
        for peer in (view.peer, other.peer):
            harness.plane.probe(peer.transport, 1, 100_000, 1000)
        harness.settle()
        harness.plane.remove_transport(view.peer.transport)
        harness.plane.remove_consumer(other.spec.consumer)
        harness.advance(20)
        harness.settle()
        before = len(other.peer.datagrams)
        harness.advance(20)
        harness.settle()
        assert len(other.peer.datagrams) == before
