"""What must not reach aiortc's SCTP, and that what browsers send does."""

from __future__ import annotations

import struct

import pytest
from aiortc.rtcsctptransport import (
    CookieEchoChunk,
    DataChunk,
    ForwardTsnChunk,
    HeartbeatChunk,
    InitAckChunk,
    InitChunk,
    ReconfigChunk,
    SackChunk,
    parse_packet,
    serialize_packet,
)
from google_crc32c import value as crc32c
from hypothesis import given
from hypothesis import strategies as st

from media.transport.sctp_guard import MAX_GAP_SPAN, MAX_STREAM, is_sound


def packet(*chunks: bytes) -> bytes:
    header = struct.pack("!HHL", 5000, 5000, 0)
    data = b"".join(chunk + bytes(-len(chunk) % 4) for chunk in chunks)
    return header + struct.pack("<L", crc32c(header + bytes(4) + data)) + data


def chunk(kind: int, body: bytes) -> bytes:
    return struct.pack("!BBH", kind, 0, 4 + len(body)) + body


def data(stream: int, payload: bytes) -> bytes:
    return chunk(0, struct.pack("!LHHL", 1, stream, 0, 51) + payload)


def sack(*gaps: tuple[int, int], claimed: int | None = None) -> bytes:
    body = struct.pack("!LLHH", 1, 1000, len(gaps) if claimed is None else claimed, 0)
    return chunk(3, body + b"".join(struct.pack("!HH", *gap) for gap in gaps))


def test_what_aiortc_itself_writes_passes() -> None:
    init = InitChunk()
    init.params = [(0xC000, b""), (0x8008, b"\x82\xc0")]
    init_ack = InitAckChunk()
    init_ack.params = [(7, bytes(24))]
    echo = CookieEchoChunk(body=bytes(24))
    heartbeat = HeartbeatChunk()
    heartbeat.params = [(1, b"abc")]
    message = DataChunk()
    message.user_data = b"x"
    acknowledgement = SackChunk()
    acknowledgement.gaps = [(2, 3), (5, 9)]
    forward = ForwardTsnChunk()
    forward.streams = [(1, 2)]
    reconfigure = ReconfigChunk()
    reconfigure.params = [(13, bytes(14)), (16, bytes(8))]
    for item in (init, init_ack, echo, heartbeat, message, acknowledgement, forward, reconfigure):
        assert is_sound(serialize_packet(5000, 5000, 0, item))
    assert is_sound(packet(data(1, b"abc"), sack()))


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        bytes(15),
        packet(struct.pack("!BBH", 0, 0, 3)),
        packet(struct.pack("!BBH", 0, 0, 400) + bytes(16)),
        packet(chunk(1, bytes(16) + struct.pack("!HH", 7, 0))),
        packet(chunk(2, bytes(16) + struct.pack("!HH", 7, 3))),
        packet(chunk(4, struct.pack("!HH", 1, 0))),
        packet(chunk(130, struct.pack("!HH", 13, 4))),
        packet(chunk(9, struct.pack("!HH", 3, 200))),
        packet(chunk(1, bytes(15))),
        packet(data(1, b"")),
        packet(data(MAX_STREAM, b"x")),
        packet(sack((1, MAX_GAP_SPAN + 1))),
        packet(sack((5, 4))),
        packet(sack((0, 1))),
        packet(sack((3, 4), (2, 5))),
        packet(sack(claimed=4)),
        packet(chunk(192, bytes(6))),
        packet(chunk(192, struct.pack("!LHH", 1, MAX_STREAM, 0))),
        packet(chunk(3, bytes(8))),
    ],
)
def test_lies_are_held_back(hostile: bytes) -> None:
    assert not is_sound(hostile)


@given(
    st.lists(st.tuples(st.sampled_from([0, 1, 2, 3, 4, 5, 6, 9, 10, 130, 192, 77]), st.binary(max_size=60)))
)
def test_whatever_passes_is_parsed_by_aiortc(chunks: list[tuple[int, bytes]]) -> None:
    built = packet(*(chunk(kind, body) for kind, body in chunks))
    if is_sound(built):
        parse_packet(built)
