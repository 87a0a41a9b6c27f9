"""Pictures put together while a journal is gone through, so that no block is opened a second time for them.

The packets of a track are held for a few seconds (HELD bytes), until those that were late have come. What became of
each picture is noted (whole or not, a key frame or not, what an index takes from a key frame), not its bytes. When the
whole journal is known, `fits` tells whether the pictures were put together from the same packets, under the same
circumstances, as they are by who knows all of it: then the result is the same. A track where it does not fit (a
packet came later than that) is read once more.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from media.native.frames import REFUSED, SURE, Joined
from media.plane import Codec

from ..journal import Record
from .frames import MOST_REORDERING
from .index import WALKED_TYPE, Packets, Track, packets_of
from .joining import MOST, TrackJoiner

#: Bytes of records of one track that are held; when there are more, half of it is put together.
HELD = 8 << 20

_NOTHING, _REFUSED, _PICTURE, _KEY = range(4)


class EarlyPictures:
    """One track's pictures, in the order of sending."""

    def __init__(self, track: Track, head: Callable[[Codec, bytes], bytes]) -> None:
        """`head` cuts from a key frame what is kept of it; of the first one everything is."""
        self._track = track
        self._head = head
        self._joiner = TrackJoiner(track)
        self._bases: list[int] = []
        self._records: list[bytes] = []
        self._walked = bytearray()
        self._held = 0
        self._enough = HELD
        self._given_up = False
        # what was put together: the first packet's number, how many there are, the joiner's flags, what came of it
        self._first = array("q")
        self._counts = array("q")
        self._flags = bytearray()
        self._kinds = bytearray()
        self._heads: dict[int, bytes] = {}
        self._known: dict[bytes, bytes] = {}
        # where it ended: number, and timestamp as it was sent and without its wraps
        self._last = -1
        self._wrapped = self._time = 0
        self._newest: int | None = None
        self._times: set[int] = set()  # of the pictures that a later one may be in the place of

    @property
    def held(self) -> int:
        """How many bytes of records are held."""
        return self._held

    def take(self, walked: bytes, record: Record) -> None:
        """Take packets of this track, and the record that they stand in. Raises JournalError."""
        if self._given_up:
            return
        if not self._bases or record.offset > self._bases[-1]:
            self._bases.append(record.offset)
            self._records.append(record.payload)
            self._held += len(record.payload)
        elif record.offset < self._bases[-1]:
            self._give_up()  # volumes that were swapped
            return
        self._walked += walked
        if self._held > self._enough:
            self._join(HELD // 2)
            # a picture that is larger is looked at again when much more of it has come
            self._enough = max(HELD, self._held + HELD // 2)
            if self._held > 2 * HELD + MOST:
                self._give_up()

    def end(self) -> None:
        """Say that the journal ends here. Raises JournalError."""
        if not self._given_up:
            self._join(0)
            self._let_go(None)

    def fits(self, packets: Packets, edges: NDArray[np.int64], flags: NDArray[np.uint8]) -> bool:
        """Tell whether the pictures were put together from these packets, as TrackJoiner.pictures would."""
        return (
            not self._given_up
            and np.array_equal(np.frombuffer(self._first, np.int64), packets.sequence[edges[:-1]])
            and np.array_equal(np.frombuffer(self._counts, np.int64), np.diff(edges))
            and self._flags == flags.tobytes()
        )

    def pictures(self) -> Iterator[Joined]:
        """Yield what became of each: of a key frame its head, of another picture a single byte."""
        for number, kind in enumerate(self._kinds):
            if kind == _KEY:
                yield self._heads[number], True
            else:
                yield None if kind == _NOTHING else (b"\1" if kind == _PICTURE else b"", False)

    def _join(self, margin: int) -> None:
        """Put together what stands before the last `margin` bytes of packets."""
        packets = packets_of(self._walked)
        begin = int(np.searchsorted(packets.sequence, self._last, "right"))
        sequence, markers = packets.sequence[begin:], packets.markers[begin:]
        if not len(sequence):
            return
        times = packets.timestamps[begin:] - packets.timestamps[begin]
        wrapped = (packets.first_timestamp + int(packets.timestamps[begin])) % (1 << 32)
        if self._last >= 0:
            step = (wrapped - self._wrapped) % (1 << 32)
            times += self._time + (step - (1 << 32) if step >= 1 << 31 else step)
        edges = np.flatnonzero(np.diff(times)) + 1
        start, end = np.concatenate(([0], edges)), np.concatenate((edges, [len(sequence)]))
        until = np.cumsum(packets.lengths[begin:], dtype=np.int64)[end - 1]
        count = len(start)
        if margin:
            count = min(count - 1, int(np.searchsorted(until, until[-1] - margin, "right")))
        if not count:
            return
        # the same as FrameReader reckons of the whole
        steps = np.diff(sequence) - 1
        before = np.concatenate(([sequence[0] - self._last - 1 if self._last >= 0 else 0], steps[edges - 1]))
        total = np.concatenate(([0], np.cumsum(steps)))
        ended = np.logical_or.reduceat(markers, start) | np.concatenate((before[1:] == 0, [False]))
        whole = ended & (total[end - 1] == total[start]) & self._in_time(times[start], count)
        sure = before == 0
        sure[0] &= self._last >= 0
        flags = (sure * SURE | ~whole * REFUSED).astype(np.uint8)[:count]
        offsets, lengths = packets.offsets[begin:], packets.lengths[begin:]
        cuts = np.concatenate((start[:count], end[count - 1 : count]))
        for picture in self._joiner.pictures(offsets, lengths, self._read, cuts, flags):
            self._note(picture)
        self._first.extend(sequence[start[:count]].tolist())
        self._counts.extend((end - start)[:count].tolist())
        self._flags += flags.tobytes()
        last = int(end[count - 1]) - 1
        self._last, self._time = int(sequence[last]), int(times[last])
        self._wrapped = (packets.first_timestamp + int(packets.timestamps[begin + last])) % (1 << 32)
        self._keep_rest()

    def _in_time(self, times: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
        """Tell of which pictures the time lies where a picture can be, and is nobody else's."""
        limit = int(MOST_REORDERING * self._track.clock_rate)
        placed = np.zeros(len(times), np.bool_)
        for number, time in enumerate(times[:count].tolist()):
            self._newest = time if self._newest is None else max(time, self._newest)
            placed[number] = self._newest - time <= limit and time not in self._times
            self._times.add(time)
        assert self._newest is not None, "there is one at least"
        oldest = self._newest - limit
        self._times = {time for time in self._times if time >= oldest}
        return placed

    def _note(self, picture: Joined) -> None:
        number = len(self._kinds)
        if picture is None:
            self._kinds.append(_NOTHING)
            return
        data, key = picture
        self._kinds.append(_REFUSED if not data else _KEY if key else _PICTURE)
        if data and key:
            head = self._head(self._track.codec, data) if self._heads else data
            self._heads[number] = self._known.setdefault(head, head)

    def _keep_rest(self) -> None:
        """Let go of what no packet that waits stands in."""
        walked = np.frombuffer(self._walked, WALKED_TYPE)
        rest = walked[walked["sequence"].astype(np.int64) > self._last]
        del walked
        self._walked = bytearray(rest.tobytes())
        self._let_go(int(rest["offset"].min()) if len(rest) else None)

    def _let_go(self, before: int | None) -> None:
        # a record of which a packet waits begins before it
        count = len(self._bases) if before is None else max(0, bisect_right(self._bases, before) - 1)
        self._held -= sum(map(len, self._records[:count]))
        del self._bases[:count], self._records[:count]

    def _read(self, offset: int, length: int) -> bytes:
        place = bisect_right(self._bases, offset) - 1
        start = offset - self._bases[place]
        return self._records[place][start : start + length]

    def _give_up(self) -> None:
        self._given_up = True
        self._let_go(None)
        self._walked.clear()


class EarlyTracks:
    """The pictures of all tracks, as `index_journal` goes through the journal."""

    def __init__(self, head: Callable[[Codec, bytes], bytes]) -> None:
        self._head = head
        self._tracks: dict[int, EarlyPictures] = {}

    def take(self, track: Track, walked: bytes, record: Record) -> None:
        """Take packets of a track (index.Watcher). Of sound nothing is: it is little, and read when it is wanted."""
        if track.codec is Codec.OPUS:
            return
        pictures = self._tracks.get(track.producer)
        if pictures is None:
            pictures = self._tracks[track.producer] = EarlyPictures(track, self._head)
        pictures.take(walked, record)

    def end(self) -> None:
        """Say that the journal ends here."""
        for pictures in self._tracks.values():
            pictures.end()

    def of(self, producer: int) -> EarlyPictures | None:
        """Give a track's; None: it has none."""
        return self._tracks.get(producer)
