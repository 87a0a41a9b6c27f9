"""Sound with redundancy as RFC 2198 has it, written independently of what reads it."""

from __future__ import annotations

from collections.abc import Sequence


def redundant(
    payload_type: int, before: Sequence[tuple[int, bytes]], newest: bytes, *, newest_type: int | None = None
) -> bytes:
    """Make a payload: blocks that were sent before (how long ago, in timestamp units, and bytes), then the newest."""
    headers = b""
    for ago, block in before:
        bits = f"1{payload_type:07b}{ago:014b}{len(block):010b}"
        headers += int(bits, 2).to_bytes(4, "big")
    headers += bytes([payload_type if newest_type is None else newest_type])
    return headers + b"".join(block for _, block in before) + newest
