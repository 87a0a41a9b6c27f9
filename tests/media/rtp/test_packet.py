"""RTP packets come back as they were built, and nothing but RtpError comes of anything else."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from media.rtp.packet import RtpError, RtpPacket, build_extensions, measure_header, parse_extensions

u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)
one_byte = st.dictionaries(st.integers(1, 14), st.binary(min_size=1, max_size=16), max_size=14)
two_byte = st.dictionaries(st.integers(1, 255), st.binary(max_size=255), max_size=10)
packets = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127),
    sequence_number=u16,
    timestamp=u32,
    ssrc=u32,
    marker=st.booleans(),
    csrc=st.lists(u32, max_size=15).map(tuple),
    extensions=st.one_of(one_byte, two_byte),
    payload=st.binary(max_size=100),
    padding=st.integers(0, 255),
)


@given(packets)
def test_a_packet_comes_back_as_it_was_built(packet: RtpPacket) -> None:
    assert RtpPacket.parse(bytes(packet)) == packet


@given(packets, st.data())
def test_a_cut_packet_is_an_error_or_another_packet(packet: RtpPacket, data: st.DataObject) -> None:
    whole = bytes(packet)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    try:
        RtpPacket.parse(cut)
    except RtpError:
        pass


@given(packets, st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), min_size=1, max_size=5))
def test_a_damaged_packet_is_an_error_or_another_packet(
    packet: RtpPacket, changes: list[tuple[int, int]]
) -> None:
    damaged = bytearray(bytes(packet))
    for position, value in changes:
        damaged[position % len(damaged)] = value
    try:
        again = RtpPacket.parse(bytes(damaged))
    except RtpError:
        return
    # what was read can be built, and then means the same
    assert RtpPacket.parse(bytes(again)) == again


@given(st.binary(max_size=80))
@example(b"")
@example(b"\x80")
@example(b"\x90" + bytes(11))
@example(b"\x90" + bytes(11) + b"\xbe\xde\xff\xff")
@example(b"\xa0" + bytes(11))
@example(b"\xa0" + bytes(12))
def test_any_bytes_are_an_error_or_a_packet(data: bytes) -> None:
    try:
        RtpPacket.parse(data)
    except RtpError:
        pass


@given(st.binary(max_size=80))
def test_any_header_extension_is_an_error_or_values(data: bytes) -> None:
    for profile in (b"\xbe\xde", b"\x10\x00", b"\x10\x0f", b""):
        try:
            values = parse_extensions(profile + b"\0\0" + data)
        except RtpError:
            continue
        assert all(0 < identifier < 256 for identifier in values)


def test_the_form_of_an_extension_follows_its_values() -> None:
    assert build_extensions({}) == b""
    assert build_extensions({1: b"a", 14: b"bc"}) == b"\xbe\xde\0\2\x10a\xe1bc\0\0\0"
    assert build_extensions({15: b"a"}) == b"\x10\0\0\1\x0f\1a\0"
    assert build_extensions({1: b""}) == b"\x10\0\0\1\1\0\0\0"
    assert build_extensions({1: bytes(17)})[:2] == b"\x10\0"


def test_padding_between_elements_is_passed_over() -> None:
    assert parse_extensions(b"\xbe\xde\0\2\0\x10a\0\x20b\0\0") == {1: b"a", 2: b"b"}
    assert parse_extensions(b"\x10\3\0\2\0\1\1a\0\2\0\0") == {1: b"a", 2: b""}


def test_after_id_15_nothing_counts() -> None:
    assert parse_extensions(b"\xbe\xde\0\2\x10a\xf0b\x20c\0\0") == {1: b"a"}


def test_after_id_0_with_a_length_nothing_counts() -> None:
    assert parse_extensions(b"\xbe\xde\0\2\x10a\x01bc\x20d\0") == {1: b"a"}


def test_of_equal_ids_the_first_counts() -> None:
    assert parse_extensions(b"\xbe\xde\0\1\x10a\x10b") == {1: b"a"}


def test_an_unknown_profile_is_passed_over() -> None:
    packet = RtpPacket.parse(b"\x90\x60" + bytes(10) + b"\xab\xcd\0\1\xff\xff\xff\xffpayload")
    assert (packet.extensions, packet.payload) == ({}, b"payload")


@pytest.mark.parametrize("data", [b"\xbe\xde\0\1\x1f\0\0\0", b"\x10\0\0\1\1\xff\0\0", b"\x10\0\0\1\0\0\0\1"])
def test_an_element_too_long_is_an_error(data: bytes) -> None:
    with pytest.raises(RtpError):
        parse_extensions(data)


@pytest.mark.parametrize("data", [bytes(12), b"\x40" + bytes(11), b"\xc0" + bytes(11)])
def test_another_version_is_an_error(data: bytes) -> None:
    with pytest.raises(RtpError):
        RtpPacket.parse(data)


@pytest.mark.parametrize("padding", [0, 5, 255])
def test_padding_must_fit_behind_the_header(padding: int) -> None:
    with pytest.raises(RtpError):
        RtpPacket.parse(b"\xa0" + bytes(11) + bytes([1, 2, 3, padding]))


def test_padding_may_be_all_there_is() -> None:
    packet = RtpPacket.parse(b"\xa0" + bytes(11) + b"\0\0\0\4")
    assert (packet.payload, packet.padding) == (b"", 4)


def test_the_header_is_measured() -> None:
    packet = bytes(RtpPacket(96, 1, 2, 3, csrc=(7, 8), extensions={1: b"abc"}, payload=b"xyz"))
    assert measure_header(packet) == (20, 28)
    assert packet[28:] == b"xyz"


@pytest.mark.parametrize(
    "fields",
    [
        {"payload_type": 128},
        {"sequence_number": 1 << 16},
        {"timestamp": -1},
        {"ssrc": 1 << 32},
        {"csrc": tuple(range(16))},
        {"csrc": (1 << 32,)},
        {"padding": 256},
    ],
)
def test_what_the_wire_has_no_room_for_is_an_error(fields: dict[str, object]) -> None:
    whole: dict[str, object] = {"payload_type": 1, "sequence_number": 2, "timestamp": 3, "ssrc": 4}
    with pytest.raises(RtpError):
        RtpPacket(**(whole | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize("values", [{0: b"a"}, {256: b"a"}, {1: bytes(256)}])
def test_an_extension_that_fits_no_form_is_an_error(values: dict[int, bytes]) -> None:
    with pytest.raises(RtpError):
        build_extensions(values)
