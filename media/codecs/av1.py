"""AV1 in RTP (AOM's "RTP Payload Format For AV1", section 4.4): only the aggregation header is read."""

from __future__ import annotations

_CONTINUES = 0x80  # Z: the first element continues one of the packet before
_NEW_SEQUENCE = 0x08  # N: the first packet of a coded video sequence


def starts_key_frame(payload: bytes) -> bool:
    """Tell whether a coded video sequence begins here; one begins with a key frame."""
    return len(payload) > 1 and payload[0] & (_CONTINUES | _NEW_SEQUENCE) == _NEW_SEQUENCE


def starts_frame(payload: bytes) -> bool:
    """Tell whether an OBU begins here: the first packet of a frame always does."""
    return len(payload) > 1 and not payload[0] & _CONTINUES
