"""The round trip to who only sends, and our answers to who only receives (RFC 3611, sections 4.4 and 4.5)."""

from __future__ import annotations

from media.ids import TransportId
from media.reports import SERVER_SSRC
from media.round_trips import REMEMBERED, ReferenceTimes
from media.rtp.ntp import middle_bits
from media.rtp.rtcp import (
    DelaySinceLastReceiverReport,
    ExtendedReport,
    ReceiverReferenceTime,
    ReceiverReport,
    parse_compound,
)
from tests.helpers.rtp_stream import VP8_KEY
from tests.media.test_router import AUDIO, VIDEO, World


def test_an_answer_tells_the_round_trip() -> None:
    times = ReferenceTimes()
    word = middle_bits(times.ask(1000.0))
    trip = times.answered(word, int(0.5 * 65536), 1000.54)
    assert trip is not None
    assert abs(trip - 0.04) < 1e-4
    assert times.answered(word ^ 1, 0, 1000.54) is None


def test_old_times_are_forgotten() -> None:
    times = ReferenceTimes()
    words = [middle_bits(times.ask(float(n))) for n in range(REMEMBERED + 1)]
    assert times.answered(words[0], 0, 20.0) is None
    assert times.answered(words[1], 0, 20.0) is not None


def extended(compounds: list[bytes]) -> list[ExtendedReport]:
    return [p for c in compounds for p in parse_compound(c) if isinstance(p, ExtendedReport)]


def test_a_receiver_is_answered_in_a_full_compound() -> None:
    world = World()
    (video,) = world.router.publish(world.sender.transport, [VIDEO])
    peer, _ = world.watch(video)
    world.settle()
    peer.rtcp.clear()
    asked = ExtendedReport(77, (ReceiverReferenceTime(0x1122_3344_5566_7788),))
    world.router.receive_rtcp(peer.transport, bytes(asked), world.now, 0)
    world.harness.settle()
    (compound,) = peer.rtcp
    report, answer = parse_compound(compound)
    assert isinstance(report, ReceiverReport)
    assert answer == ExtendedReport(SERVER_SSRC, (DelaySinceLastReceiverReport(((77, 0x33445566, 0),)),))


def test_many_reference_times_in_one_packet_are_not_all_answered() -> None:
    world = World()
    peer, _ = world.watch()
    asked = ExtendedReport(77, (ReceiverReferenceTime(1 << 40),) * 50)
    world.router.receive_rtcp(peer.transport, bytes(asked), world.now, 0)
    world.harness.settle()
    (answer,) = extended(peer.rtcp)
    (block,) = answer.blocks
    assert isinstance(block, DelaySinceLastReceiverReport)
    assert len(block.entries) == 4


def test_a_publishers_answer_is_given_to_the_plane_and_to_its_clock() -> None:
    world = World()
    told: list[tuple[TransportId, float]] = []
    set_round_trip = world.harness.plane.set_round_trip

    def note(transport: TransportId, seconds: float) -> None:
        told.append((transport, seconds))
        set_round_trip(transport, seconds)

    world.harness.plane.set_round_trip = note  # type: ignore[method-assign]
    video, _ = world.router.publish(world.sender.transport, [VIDEO, AUDIO])
    world.send(VP8_KEY)
    world.now += 1.0
    world.settle()
    (reference,) = (b for x in extended(world.sender.rtcp)[-1:] for b in x.blocks)
    assert isinstance(reference, ReceiverReferenceTime)
    world.report(5000.0, 9000, delay=0.03)
    entry = world.router.producers[video]
    assert entry.instant is not None
    before = entry.instant.time
    world.now += 0.54
    answer = DelaySinceLastReceiverReport(
        ((SERVER_SSRC, middle_bits(reference.ntp_time), int(0.5 * 65536)), (1, 2, 3))
    )
    world.router.receive_rtcp(world.sender.transport, bytes(ExtendedReport(1111, (answer,))), world.now, 0)
    ((transport, trip),) = told
    assert transport == world.sender.transport
    assert abs(trip - 0.04) < 1e-3
    # half of it was the report's way: the picture is that much older than it seemed
    assert abs(before - entry.instant.time - 20_000_000) < 1_000_000


def test_an_answer_that_we_never_asked_for_is_ignored() -> None:
    world = World()
    (video,) = world.router.publish(world.sender.transport, [VIDEO])
    world.report(5000.0, 9000)
    before = world.router.producers[video].instant
    answer = DelaySinceLastReceiverReport(((SERVER_SSRC, 12345, 0),))
    world.router.receive_rtcp(world.sender.transport, bytes(ExtendedReport(1111, (answer,))), world.now, 0)
    assert world.router.producers[video].instant == before
