"""A live track as low-latency HLS (draft-pantos-hls-rfc8216bis): CMAF parts of a third of a second, as frames come.

Sans-IO: frames go in, parts and playlists come out. A frame's length is known when the next one comes, so what is
given is a frame late. Segments begin with a key frame, as long as one comes in time.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum

from . import fmp4

#: A part lasts this long at most, seconds; a player stays three of them behind (section 4.4.3.8).
PART = 0.334
#: A segment lasts this long at most, whether a key frame came or not.
LONGEST = 3
#: Where nothing came for longer than this, the timeline has a hole and says so.
_HOLE = 1.0
#: A key frame that comes sooner begins no segment: players take a segment that ends within a second of where they are
#: for the one that they have (Chromium), and fetch each by itself.
SHORTEST = 1.9
#: Players that know segments alone begin with so many, and look for more as often as the longest lasts (sections 6.3.3
#: and 6.3.4): with fewer, Chromium's gives up, with shorter ones it runs dry.
FIRST = 3
#: Seconds that a playlist lists at least: three of the longest segments (section 6.2.2).
LISTED = 3.0 * LONGEST
#: Segments that can still be fetched after no playlist lists them: a player may hold the one before.
_AFTERWARDS = 2
#: Of how many of the newest segments the parts are listed.
_WITH_PARTS = 3


class Cut(Enum):
    """Whether a segment begins here, and whether it follows the one before."""

    NONE = 0
    PLAIN = 1
    BROKEN = 2


@dataclass(slots=True)
class _Segment:
    """One segment as it grows: its parts with their ticks, and whether each begins with a key."""

    number: int
    start: int  # ticks of its first frame
    at: float  # Unix seconds when that was seen by a camera, as far as is known
    broken: bool  # whether it does not follow the one before
    parts: list[tuple[bytes, int, bool]] = field(default_factory=list)
    whole: bool = False

    @property
    def ticks(self) -> int:
        return sum(ticks for _, ticks, _ in self.parts)


class LiveTrack:
    """Takes frames of one track; gives its parts. `timescale` is ticks a second.

    `first` is the number of the first segment: other than all that were given under the same address before.
    `discontinuities` are those of the track that decides about segments, before this one began.
    """

    def __init__(self, timescale: int, first: int = 0, discontinuities: int = 0) -> None:
        self._timescale = timescale
        self.first = first
        self._segments: deque[_Segment] = deque()
        self._unlisted: deque[_Segment] = deque()
        self._dropped = discontinuities  # how many lie before the first that is listed
        self._fragments = 0
        self._waiting: tuple[int, bytes, bool, float, Cut | None] | None = None
        self._samples: list[fmp4.Sample] = []
        self._start = 0  # of the part that is being gathered
        self._broken = False  # whether the next segment does not follow

    def receive(self, time: int, sample: bytes, key: bool, at: float, cut: Cut | None = None) -> bool:
        """Take the next frame, at `time` ticks of the track and `at` Unix seconds; True when a part is whole.

        `cut` says whether a segment begins with it, where another track decides that (None: this one).
        """
        before = self._waiting
        if before is not None and time <= before[0]:
            return False  # sound or a picture that comes after its time
        self._waiting = (time, sample, key, at, cut)
        if before is None:
            return False
        started, content, was_key, seen, was_cut = before
        duration = time - started
        hole = duration > _HOLE * self._timescale
        if hole:
            duration = int(self._timescale * PART / 4)
        made = self._add(started, fmp4.Sample(content, duration, 0, was_key), seen, was_cut)
        if hole:
            made = self._end_segment() or made
            self._broken = True
        return made

    def _add(self, started: int, sample: fmp4.Sample, seen: float, cut: Cut | None) -> bool:
        made = False
        current = self._segments[-1] if self._segments and not self._segments[-1].whole else None
        gathered = sum(other.duration for other in self._samples)
        if current is not None:
            lasts = current.ticks + gathered
            full = lasts + sample.duration > LONGEST * self._timescale
            due = sample.key and lasts >= SHORTEST * self._timescale
            begins = due if cut is None else cut is not Cut.NONE
            if full or (begins and lasts):
                made, current = self._end_segment(), None
            elif gathered + sample.duration > PART * self._timescale:
                made = self._end_part()
        if current is None:
            number = self._segments[-1].number + 1 if self._segments else self.first
            broken = number > self.first and (self._broken or cut is Cut.BROKEN)
            self._segments.append(_Segment(number, started, seen, broken))
            self._broken = False
            self._forget()
        if not self._samples:
            self._start = started
        self._samples.append(sample)
        # the next frame lasts about as long: what would be too long with it is given at once
        lasts = sum(other.duration for other in self._samples) + sample.duration
        return self._end_part() or made if lasts > PART * self._timescale else made

    def _end_part(self) -> bool:
        if not self._samples:
            return False
        part = fmp4.write_fragment(self._fragments, self._start, self._samples)
        ticks = sum(sample.duration for sample in self._samples)
        self._segments[-1].parts.append((part, ticks, self._samples[0].key))
        self._fragments += 1
        self._samples = []
        return True

    def _end_segment(self) -> bool:
        made = self._end_part()
        self._segments[-1].whole = True
        return made

    def _forget(self) -> None:
        """Let the oldest segments go that the rest can spare."""
        newest = self._segments[-1].start
        while len(self._segments) > 1 and newest - self._segments[1].start >= LISTED * self._timescale:
            self._unlisted.append(self._segments.popleft())
            self._dropped += self._segments[0].broken
        while len(self._unlisted) > _AFTERWARDS:
            self._unlisted.popleft()

    @property
    def settled(self) -> float:
        """Seconds of the track before which all segments are known."""
        return self._waiting[0] / self._timescale if self._waiting is not None else float("-inf")

    def cut_between(self, after: float, until: float) -> Cut:
        """Tell whether a segment begins later than `after` and not later than `until`, seconds of the track."""
        found = [s for s in self._segments if after < s.start / self._timescale <= until]
        return Cut.NONE if not found else Cut.BROKEN if found[-1].broken else Cut.PLAIN

    def segment_at(self, time: float) -> float | None:
        """Tell when the newest segment began that began by `time`; seconds of the track."""
        begun = [segment.start / self._timescale for segment in self._segments]
        return max((start for start in begun if start <= time), default=None)

    @property
    def discontinuities(self) -> int:
        """Count those before the newest segment."""
        return self._dropped + sum(segment.broken for place, segment in enumerate(self._segments) if place)

    @property
    def whole(self) -> int:
        """How many segments are whole by now, those that were let go too."""
        return self._segments[-1].number - self.first + self._segments[-1].whole if self._segments else 0

    @property
    def next_part(self) -> tuple[int, int]:
        """Tell which part will come next: its segment's number, and its own."""
        if not self._segments:
            return self.first, 0
        newest = self._segments[-1]
        return (newest.number + 1, 0) if newest.whole else (newest.number, len(newest.parts))

    def has(self, segment: int, part: int | None) -> bool:
        """Tell whether this segment (whole, where `part` is None) or part has come, or will come no more."""
        upcoming = self.next_part
        return upcoming[0] > segment if part is None else upcoming > (segment, part)

    def part(self, segment: int, part: int) -> bytes | None:
        """Give a part, or None where it is not there (any more)."""
        found = self._find(segment)
        return found.parts[part][0] if found is not None and 0 <= part < len(found.parts) else None

    def segment(self, number: int) -> bytes | None:
        """Give a whole segment, or None where it is not there (any more)."""
        found = self._find(number)
        return b"".join(part for part, _, _ in found.parts) if found is not None and found.whole else None

    def _find(self, number: int) -> _Segment | None:
        kept = (*self._unlisted, *self._segments)
        return next((segment for segment in kept if segment.number == number), None)

    def playlist(self) -> str:
        """Write the playlist. A player that comes begins with the newest segment, or three of them before."""
        lines = [
            "#EXTM3U",
            "#EXT-X-VERSION:9",
            f"#EXT-X-TARGETDURATION:{LONGEST}",
            f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={3 * PART:.3f}",
            f"#EXT-X-PART-INF:PART-TARGET={PART:.3f}",
            f"#EXT-X-MEDIA-SEQUENCE:{self._segments[0].number if self._segments else self.first}",
            f"#EXT-X-DISCONTINUITY-SEQUENCE:{self._dropped}",
            f'#EXT-X-MAP:URI="init-{self.first}.mp4"',
        ]
        for place, segment in enumerate(self._segments):
            if segment.broken and place:
                lines.append("#EXT-X-DISCONTINUITY")
            if segment.parts:
                lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{_stamp(segment.at)}")
            if place >= len(self._segments) - _WITH_PARTS:
                for number, (_, ticks, key) in enumerate(segment.parts):
                    lasts = f"DURATION={ticks / self._timescale:.6f}"
                    alone = ",INDEPENDENT=YES" if key else ""
                    lines.append(f'#EXT-X-PART:{lasts},URI="{segment.number}.{number}.m4s"{alone}')
            if segment.whole:
                lines += [f"#EXTINF:{segment.ticks / self._timescale:.6f},", f"{segment.number}.m4s"]
        upcoming = self.next_part
        lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{upcoming[0]}.{upcoming[1]}.m4s"')
        return "\n".join((*lines, ""))


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
