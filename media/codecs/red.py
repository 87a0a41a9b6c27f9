"""Redundant sound in RTP (RFC 2198): what was sent before once more, then what is new.

    1 PT:7 timestamp-offset:14 length:10    a header for each block that was sent before
    0 PT:7                                  the header of the newest block, whose length is what remains

A receiver that lost a packet finds its sound in the next one; the newest block alone is an ordinary packet.
"""

from __future__ import annotations

from dataclasses import dataclass

from .packetisation import CodecError

#: Blocks in a packet. Browsers send the one before, or at most nine.
MAX_BLOCKS = 16

_FOLLOWS = 0x80
_HEADER = 4


@dataclass(frozen=True, slots=True)
class Block:
    """One block: how long before the packet's timestamp its own lies, in timestamp units, and where it is."""

    payload_type: int
    before: int
    start: int
    end: int


def parse(payload: bytes) -> list[Block]:
    """Find the blocks, the newest last. Raise CodecError where a length lies or the newest is empty."""
    headers: list[tuple[int, int, int]] = []
    at = 0
    while at < len(payload) and payload[at] & _FOLLOWS:
        if len(payload) - at < _HEADER:
            raise CodecError("A redundant packet ends within a block's header.")
        word = int.from_bytes(payload[at : at + _HEADER], "big")
        headers.append((word >> 24 & 0x7F, word >> 10 & 0x3FFF, word & 0x3FF))
        at += _HEADER
    if at == len(payload):
        raise CodecError("A redundant packet ends before the newest block's header.")
    if len(headers) >= MAX_BLOCKS:
        raise CodecError(f"A redundant packet has at most {MAX_BLOCKS} blocks.")
    newest, at = payload[at], at + 1
    blocks = []
    for payload_type, before, length in headers:
        blocks.append(Block(payload_type, before, at, at + length))
        at += length
    if at >= len(payload):
        raise CodecError("A redundant packet's blocks are longer than the packet, or its newest is empty.")
    return [*blocks, Block(newest, 0, at, len(payload))]


def rename(payload: bytes, payload_type: int) -> bytes:
    """Give every block this payload type; the payload was parsed before."""
    renamed = bytearray(payload)
    at = 0
    while renamed[at] & _FOLLOWS:
        renamed[at] = _FOLLOWS | payload_type
        at += _HEADER
    renamed[at] = payload_type
    return bytes(renamed)
