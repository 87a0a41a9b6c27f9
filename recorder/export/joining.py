"""Puts a track's pictures together in C, about a megabyte of packets at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from media.codecs.packetisation import MAX_FRAME_LENGTH
from media.native.frames import Joined, PictureJoiner

from ..journal import TAP_HEADER_SIZE, JournalError
from .assembly import sets_of_fmtp
from .index import Track

#: Packets that are read and put together at once, in bytes, and their pictures.
_AT_ONCE = 1 << 20
_PICTURES_AT_ONCE = 2048
#: With its headers and padding a picture has at most this; a larger one is refused without being read.
MOST = 2 * MAX_FRAME_LENGTH


class TrackJoiner:
    """Puts a track's pictures together, in the order of sending. `sets` are parameter sets that came before."""

    def __init__(self, track: Track, sets: Sequence[bytes] = ()) -> None:
        self._joiner = PictureJoiner(track.codec, track.payload_type, [*sets_of_fmtp(track.fmtp), *sets])

    def pictures(
        self,
        offsets: NDArray[np.uint64],
        sizes: NDArray[np.uint16],
        read: Callable[[int, int], bytes],
        edges: NDArray[np.int64],
        flags: NDArray[np.uint8],
    ) -> Iterator[Joined]:
        """Yield what becomes of each picture; picture n has the packets from edges[n] to before edges[n + 1].

        Packets stand at `offsets` of the journal, whose bytes `read(offset, length)` gives; it is asked for what lies
        within one record. `flags` has one value for each picture (media.native.frames.SURE, REFUSED). Raises
        JournalError, SealError, OSError.
        """
        lengths = np.cumsum(sizes, dtype=np.int64)
        until = np.concatenate(([0], lengths))[edges]
        first, count = 0, len(flags)
        while first < count:
            fitting = int(np.searchsorted(until, until[first] + _AT_ONCE, "right")) - 1
            end = min(max(first + 1, fitting), first + _PICTURES_AT_ONCE, count)
            if until[end] - until[first] > MOST:
                yield b"", False
            else:
                begin, after = int(edges[first]), int(edges[end])
                yield from self._join(
                    offsets[begin:after], sizes[begin:after], read, edges[first : end + 1], flags[first:end]
                )
            first = end

    def _join(
        self,
        offsets: NDArray[np.uint64],
        lengths: NDArray[np.uint16],
        read: Callable[[int, int], bytes],
        edges: NDArray[np.int64],
        flags: NDArray[np.uint8],
    ) -> list[Joined]:
        # packets that follow each other in a record are read together
        apart = np.flatnonzero(offsets[1:] != offsets[:-1] + lengths[:-1] + np.uint64(TAP_HEADER_SIZE)) + 1
        firsts, lasts = np.concatenate(([0], apart)), np.concatenate((apart, [len(offsets)])) - 1
        starts = offsets[firsts]
        sizes = offsets[lasts] + lengths[lasts] - starts
        data = b"".join(map(read, starts.tolist(), sizes.tolist()))
        if len(data) != int(sizes.sum()):
            raise JournalError("The journal is no longer what it was when it was indexed.")
        moved = np.repeat(np.cumsum(sizes) - sizes - starts, lasts - firsts + 1)  # modulo 2^64
        places = (offsets + moved).astype(np.uint32)
        counts = np.diff(edges).astype(np.uint32)
        return self._joiner.join(
            data, places.data, np.ascontiguousarray(lengths).data, counts.data, flags.data
        )
