"""STUN: the published vectors (RFC 5769), lies about lengths, and the way there and back."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.plane import Address
from media.transport.stun import (
    MAX_ATTRIBUTES,
    Attribute,
    Message,
    MessageClass,
    StunError,
    error_code,
    peek_username,
    xor_mapped_address,
)

PASSWORD = "VOkJxbRl1RmTxUk/WvJxBt"

# RFC 5769, sections 2.1 to 2.3; their padding is of spaces, which a parser must not mind
REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae"
    "802200105354554e207465737420636c69656e74"
    "002400046e0001ff80290008932ff9b151263b36"
    "000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
    "80280004e57a3bcf"
)
RESPONSE_V4 = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae"
    "8022000b7465737420766563746f7220"
    "002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7"
    "80280004c07d4c96"
)
RESPONSE_V6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae"
    "8022000b7465737420766563746f7220"
    "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
    "00080014a382954e4be67bf11784c97c8292c275bfe3ed41"
    "80280004c8fb0b4c"
)


def test_the_sample_request_is_read() -> None:
    message = Message.parse(REQUEST)
    assert message.message_class is MessageClass.REQUEST
    assert message.username == "evtj:h6vY"
    assert message.get(Attribute.SOFTWARE) == b"STUN test client"
    assert message.get(Attribute.PRIORITY) == bytes.fromhex("6e0001ff")
    assert message.get(Attribute.ICE_CONTROLLED) == bytes.fromhex("932ff9b151263b36")
    assert message.authenticated(PASSWORD)
    assert not message.authenticated(PASSWORD + "x")
    assert message.unknown == ()
    assert peek_username(REQUEST) == "evtj:h6vY"


@pytest.mark.parametrize(
    ("data", "address"),
    [
        (RESPONSE_V4, Address("192.0.2.1", 32853)),
        (RESPONSE_V6, Address("2001:db8:1234:5678:11:2233:4455:6677", 32853)),
    ],
)
def test_the_sample_responses_are_read(data: bytes, address: Address) -> None:
    message = Message.parse(data)
    assert message.message_class is MessageClass.SUCCESS
    assert message.mapped_address == address
    assert message.authenticated(PASSWORD)
    assert xor_mapped_address(address, message.transaction) in message.attributes
    assert peek_username(data) == ""


def test_a_response_is_written_as_in_the_sample_but_for_its_padding() -> None:
    sample = Message.parse(RESPONSE_V4)
    written = Message.parse(sample.write(PASSWORD))
    assert written == sample
    assert written.authenticated(PASSWORD)


hosts = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)
addresses = st.tuples(hosts, st.integers(0, 65535)).map(lambda pair: Address(*pair))


@given(
    st.sampled_from(MessageClass),
    st.binary(min_size=12, max_size=12),
    st.lists(st.tuples(st.sampled_from([6, 0x24, 0x25, 0x8022, 0xC057]), st.binary(max_size=60)), max_size=8),
    st.sampled_from([None, "secret", "other"]),
    addresses,
    st.integers(0, 0xFFF),
)
def test_what_is_written_is_read(
    kind: MessageClass,
    transaction: bytes,
    attributes: list[tuple[int, bytes]],
    password: str | None,
    address: Address,
    method: int,
) -> None:
    attributes = [*attributes, xor_mapped_address(address, transaction)]
    message = Message(kind, transaction, tuple(attributes), method)
    read = Message.parse(message.write(password))
    assert read == message
    assert read.mapped_address == address
    assert read.authenticated("secret") == (password == "secret")


@given(st.binary(max_size=200), st.integers(0, 3))
def test_arbitrary_bytes_raise_only_stun_errors(data: bytes, first: int) -> None:
    for tried in (data, bytes([first, 1]) + len(data).to_bytes(2, "big") + REQUEST[4:20] + data):
        with contextlib.suppress(StunError):
            message = Message.parse(tried)
            _ = (message.username, message.unknown, message.error_code, message.mapped_address)
            message.authenticated(PASSWORD)
        peek_username(tried)


@given(st.integers(0, len(REQUEST) - 9), st.integers(1, 255))  # all but the FINGERPRINT itself
def test_no_changed_byte_is_authenticated(at: int, change: int) -> None:
    changed = bytearray(REQUEST)
    changed[at] ^= change
    with contextlib.suppress(StunError):
        assert not Message.parse(bytes(changed)).authenticated(PASSWORD)


@given(st.integers(0, len(REQUEST) - 1))
def test_a_cut_message_is_refused(end: int) -> None:
    with pytest.raises(StunError):
        Message.parse(REQUEST[:end])


def body(data: bytes) -> bytes:
    return struct.pack("!HH", 1, len(data)) + REQUEST[4:20] + data


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "20 to 1500 bytes"),
        (REQUEST + bytes(1500), "20 to 1500 bytes"),
        (bytes([0x40]) + REQUEST[1:], "no STUN header"),
        (REQUEST[:4] + bytes(4) + REQUEST[8:], "no STUN header"),
        (REQUEST + bytes(4), "not that of its datagram"),
        (body(struct.pack("!HH", 6, 5)), "longer than its STUN message"),
        (body(struct.pack("!HH", 6, 1)), "longer than its STUN message"),
        (body(struct.pack("!HH", 0x8022, 0) * (MAX_ATTRIBUTES + 1)), "more than 32 attributes"),
        (body(struct.pack("!HHI", 0x8028, 4, 0)), "FINGERPRINT is wrong"),
        (body(struct.pack("!HHIHH", 0x8028, 4, 0, 0x8022, 0)), "not at the end"),
        (body(struct.pack("!HHI", 8, 4, 0)), "not 20 bytes"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, sentence: str) -> None:
    with pytest.raises(StunError, match=sentence):
        Message.parse(data)


def test_attributes_behind_the_integrity_are_not_believed() -> None:
    message = Message(MessageClass.REQUEST, bytes(12), ((Attribute.USERNAME, b"a:b"),)).write("pw")[:-8]
    forged = message + struct.pack("!HH", Attribute.USE_CANDIDATE, 0)
    forged = forged[:2] + struct.pack("!H", len(forged) - 20) + forged[4:]
    read = Message.parse(forged)
    assert read.authenticated("pw")
    assert read.get(Attribute.USE_CANDIDATE) is None


def test_error_codes_and_unknown_attributes_are_told() -> None:
    message = Message(MessageClass.ERROR, bytes(12), (error_code(487, "Role Conflict"), (0x7FFF, b"")))
    assert Message.parse(message.write()).error_code == 487
    assert message.unknown == (0x7FFF,)
    assert Message(MessageClass.ERROR, bytes(12)).error_code == 0
