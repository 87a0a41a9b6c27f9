"""A recording's packets read again in C: where each one stands, and pictures put together from them.

`recorder/journal.py`, `recorder/export/assembly.py` and `media/codecs` do the same in Python, packet by packet; the
tests hold both against each other.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..plane import Codec
from . import _native

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

#: The fields of a packet's place, as numpy's dtype takes them, and as struct does: 31 bytes without gaps.
#: `second` is RTP's second byte: marker and payload type.
WALKED = (
    ("offset", "u8"),
    ("arrival", "u8"),
    ("sequence", "u8"),
    ("timestamp", "u4"),
    ("length", "u2"),
    ("second", "u1"),
)
WALKED_STRUCT = struct.Struct("=QQQIHB")
WALKED_SIZE = WALKED_STRUCT.size

#: Flags of a picture: nothing before its first packet was lost; it is not whole, whatever its packets say.
SURE, REFUSED = 1, 2

#: A picture and whether a decoder can begin at it; no bytes: it is not whole. None: there was none (padding).
Joined = tuple[bytes, bool] | None


def walk_tap(data: ReadableBuffer, base: int) -> tuple[list[tuple[int, bytes]], int, bool]:
    """Walk through tap records that stand at `base` of a file: where the packets are, a run for each producer in turn.

    With them, how many packets could not be read, and whether all of it was: False where a record's length lies;
    nothing behind that is looked at.
    """
    return _native.walk_tap(data, base)


class PictureJoiner:
    """Puts the pictures of one track together, in the order of sending; of sound, each packet is a picture.

    H.264 and H.265 become Annex B, and parameter sets that a key frame did not bring are put before it: the newest
    that came, at first `sets` (RFC 6184, RFC 7798). VP9's layers become one superframe, AV1's OBUs get their lengths.
    """

    def __init__(self, codec: Codec, payload_type: int, sets: Iterable[bytes] = ()) -> None:
        """Take packets of this payload type, 0: of any; others are passed over."""
        self._joiner = _native.Joiner(int(codec), payload_type)
        for unit in sets:
            self._joiner.keep(unit)

    def join(
        self,
        data: ReadableBuffer,
        places: ReadableBuffer,
        lengths: ReadableBuffer,
        counts: ReadableBuffer,
        flags: ReadableBuffer,
    ) -> list[Joined]:
        """Put pictures together from RTP packets at `places` (32 bits each) of `data`, `lengths` (16 bits) long.

        Each picture has `counts` (32 bits) of them and a byte of `flags`. Raises ValueError where these arrays do not
        describe packets within the data; whatever the packets are, it is said by the result.
        """
        return self._joiner.join(data, places, lengths, counts, flags)
