"""RTCP packets come back as they were built, and nothing but RtcpError comes of anything else."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from media.rtp.rtcp import (
    DelaySinceLastReceiverReport,
    ExtendedReport,
    FullIntraRequest,
    GenericNack,
    Goodbye,
    PictureLossIndication,
    ReceiverEstimate,
    ReceiverReferenceTime,
    ReceiverReport,
    ReportBlock,
    RtcpError,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    TransportWideFeedback,
    UnknownBlock,
    UnknownFeedback,
    UnknownPacket,
    build_compound,
    parse_compound,
)

u8 = st.integers(0, 0xFF)
u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)
u64 = st.integers(0, (1 << 64) - 1)
words = st.lists(u32, max_size=6).map(lambda numbers: b"".join(n.to_bytes(4, "big") for n in numbers))
reports = st.lists(
    st.builds(ReportBlock, u32, u8, st.integers(-(1 << 23), (1 << 23) - 1), u32, u32, u32, u32), max_size=5
).map(tuple)
items = st.lists(st.tuples(st.integers(1, 255), st.binary(max_size=40)), max_size=3).map(tuple)
blocks = st.one_of(
    st.builds(ReceiverReferenceTime, u64),
    st.builds(DelaySinceLastReceiverReport, st.lists(st.tuples(u32, u32, u32), max_size=4).map(tuple)),
    st.builds(UnknownBlock, st.integers(8, 255), u8, words),
)
packets: st.SearchStrategy[RtcpPacket] = st.one_of(
    st.builds(SenderReport, u32, u64, u32, u32, u32, reports),
    st.builds(ReceiverReport, u32, reports),
    st.builds(SourceDescription, st.lists(st.tuples(u32, items), max_size=4).map(tuple)),
    st.builds(Goodbye, st.lists(u32, max_size=5).map(tuple), st.binary(max_size=30)),
    st.builds(GenericNack, u32, u32, st.lists(u16, min_size=1, max_size=1).map(tuple)),
    st.builds(PictureLossIndication, u32, u32),
    st.builds(FullIntraRequest, u32, st.lists(st.tuples(u32, u8), min_size=1, max_size=4).map(tuple)),
    st.builds(ReceiverEstimate, u32, st.integers(0, (1 << 18) - 1), st.lists(u32, max_size=4).map(tuple)),
    st.builds(TransportWideFeedback, u32, u32, words),
    st.builds(UnknownFeedback, st.just(206), st.integers(2, 3), u32, u32, words),
    st.builds(ExtendedReport, u32, st.lists(blocks, max_size=4).map(tuple)),
    st.builds(UnknownPacket, st.integers(208, 223), st.integers(0, 31), words),
)


@given(st.lists(packets, min_size=1, max_size=4))
def test_a_compound_comes_back_as_it_was_built(built: list[RtcpPacket]) -> None:
    data = build_compound(built)
    assert len(data) % 4 == 0
    if len(data) <= 1500:
        assert parse_compound(data) == built


@given(u16, st.sets(st.integers(0, 200), min_size=1))
def test_a_nack_names_what_is_lost_in_few_pairs(start: int, lost: set[int]) -> None:
    numbers = tuple(start + n & 0xFFFF for n in sorted(lost))
    data = bytes(GenericNack(1, 2, numbers))
    assert parse_compound(data) == [GenericNack(1, 2, numbers)]
    assert (len(data) - 12) // 4 <= -(-(max(lost) - min(lost) + 1) // 17)


@given(st.lists(u16, min_size=1, max_size=30))
def test_a_nack_in_any_order_names_the_same(numbers: list[int]) -> None:
    [nack] = parse_compound(bytes(GenericNack(1, 2, tuple(numbers))))
    assert isinstance(nack, GenericNack)
    assert set(nack.lost) == set(numbers)


@given(st.integers(0, (1 << 81) - 1))
def test_an_estimate_keeps_its_leading_bits(bitrate: int) -> None:
    [estimate] = parse_compound(bytes(ReceiverEstimate(1, bitrate, (2,))))
    assert isinstance(estimate, ReceiverEstimate)
    assert 0 <= bitrate - estimate.bitrate <= bitrate >> 17


@given(st.lists(packets, min_size=1, max_size=3), st.data())
def test_a_damaged_compound_is_an_error_or_other_packets(
    built: list[RtcpPacket], data: st.DataObject
) -> None:
    damaged = bytearray(build_compound(built))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(u8)
    del damaged[data.draw(st.integers(0, len(damaged))) :]
    try:
        parse_compound(bytes(damaged))
    except RtcpError:
        pass


@given(st.binary(max_size=100), st.integers(0, 31), st.integers(200, 207))
def test_any_body_is_an_error_or_a_packet(body: bytes, count: int, kind: int) -> None:
    body += bytes(-len(body) % 4)
    data = bytes([0x80 | count, kind]) + (len(body) // 4).to_bytes(2, "big") + body
    try:
        again = parse_compound(data)
    except RtcpError:
        return
    assert parse_compound(build_compound(again)) == again


@given(st.binary(max_size=60))
@example(b"")
@example(b"\x80")
@example(b"\xa0\xc9\0\1\0\0\0\0")
@example(b"\xa0\xc9\0\0")
def test_any_bytes_are_an_error_or_packets(data: bytes) -> None:
    try:
        assert parse_compound(data)
    except RtcpError:
        pass


def test_padding_is_taken_off() -> None:
    assert parse_compound(b"\xa0\xc9\0\2\0\0\0\7\0\0\0\4") == [ReceiverReport(7)]


def test_profile_specific_extensions_of_reports_are_passed_over() -> None:
    assert parse_compound(b"\x80\xc9\0\2\0\0\0\7beef") == [ReceiverReport(7)]


def test_a_compound_has_limits() -> None:
    report = bytes(ReceiverReport(1))
    assert len(parse_compound(report * 64)) == 64
    with pytest.raises(RtcpError):
        parse_compound(report * 65)
    with pytest.raises(RtcpError):
        parse_compound(bytes(UnknownPacket(210, 0, bytes(1500))))


def test_the_bytes_of_a_compound() -> None:
    compound: list[RtcpPacket] = [
        SenderReport(0x11223344, 0x0102030405060708, 9, 10, 11, (ReportBlock(1, 2, -3, 4, 5, 6, 7),)),
        SourceDescription(((0x11223344, ((1, b"konsil"),)),)),
        PictureLossIndication(1, 2),
    ]
    assert build_compound(compound).hex(" ", 4) == (
        "81c8000c 11223344 01020304 05060708 00000009 0000000a 0000000b "
        "00000001 02fffffd 00000004 00000005 00000006 00000007 "
        "81ca0004 11223344 01066b6f 6e73696c 00000000 "
        "81ce0002 00000001 00000002"
    )


def test_counters_wrap_and_losses_are_clamped() -> None:
    [report] = parse_compound(bytes(SenderReport(1, 2, 3, 1 << 32, (1 << 32) + 5)))
    assert report == SenderReport(1, 2, 3, 0, 5)
    block = ReportBlock(1, 2, 1 << 30, 4, 5, 6, 7)
    assert ReportBlock.parse(bytes(block)).packets_lost == (1 << 23) - 1


@pytest.mark.parametrize(
    "packet",
    [
        GenericNack(1, 2, ()),
        ReceiverReport(1, (ReportBlock(1, 2, 3, 4, 5, 6, 7),) * 32),
        Goodbye((1,), bytes(256)),
        SourceDescription(((1, ((0, b"x"),)),)),
        ReceiverEstimate(1, 1 << 82, ()),
        UnknownPacket(210, 0, b"xyz"),
    ],
)
def test_what_the_wire_has_no_room_for_is_an_error(packet: RtcpPacket) -> None:
    with pytest.raises(RtcpError):
        bytes(packet)
