"""Live sound as players need it: without a hole, as long as its samples, in segments that begin with its picture's.

Sans-IO. Players count samples: where a packet is missing, or the microphone's clock runs slower than the picture's, all
that follows would be heard too soon. So silence stands for what is missing, and what is too much is left out, a packet
at a time. Players that know segments alone (Chromium's own) begin sound and picture with the beginning of a segment:
the segments of both begin at one time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from media.codecs import opus

from ..export.container import silent_frame
from .live import LiveTrack

_RATE = opus.CLOCK_RATE
#: Seconds that sound waits for its picture, which takes longer to be encoded.
PATIENCE = 0.6
#: Samples that a silent packet lasts, and by how many sound may be out of its place: with less, a packet would be put
#: in and another left out again and again.
_SILENCE = 960
TOLERANCE = 1_440
#: Silent packets that are put into one hole at most. What is longer, players are told as a hole.
_MOST = 1_500


class LiveSound:
    """Takes packets of a microphone, gives them to its track. `picture` is the track of who speaks, if there is one.

    `seen` gives the Unix seconds of a place.
    """

    def __init__(
        self, track: LiveTrack, seen: Callable[[int], float], picture: LiveTrack | None = None
    ) -> None:
        self._track = track
        self._seen = seen
        self._picture = picture
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._end: int | None = None  # where the last packet that was given ended
        self._cut = 0.0  # seconds up to which it was looked where the picture's segments begin
        self._like = b"\xfc"

    def receive(self, time: int, data: bytes) -> bool:
        """Take a packet of Opus at its place, in samples; True when a part is whole."""
        self._waiting.append((time, data))
        return self.advance()

    def advance(self) -> bool:
        """Give what the picture has come to, and what has waited for too long; True when a part is whole."""
        made = False
        while self._waiting and self._due(self._waiting[0][0]):
            made = self._give(*self._waiting.popleft()) or made
        if self._picture is not None and self._end is not None and not self._waiting:
            # a microphone that is off: silence follows the picture
            made = self._fill(int(max(0.0, self._picture.settled - PATIENCE) * _RATE)) or made
        return made

    def _due(self, time: int) -> bool:
        if self._picture is None or time < self._picture.settled * _RATE:
            return True
        return self._waiting[-1][0] - time > PATIENCE * _RATE

    def _give(self, time: int, data: bytes) -> bool:
        if self._end is None:
            if self._picture is not None:
                # what lies before the first sound of its picture's segment is silent
                self._cut = self._picture.segment_at(time / _RATE) or time / _RATE
            self._end = round(self._cut * _RATE) if self._picture is not None else time
        self._like = data
        made = self._fill(time)
        if self._end - time > TOLERANCE:
            return made  # its samples would push all that follows back
        return self._put(data) or made

    def _fill(self, until: int) -> bool:
        """Put silence before a place that is too far ahead."""
        assert self._end is not None
        made = False
        if until - self._end > TOLERANCE:
            missing = (until - self._end) // _SILENCE
            if missing > _MOST:
                self._end = until
            for _ in range(missing if missing <= _MOST else 0):
                made = self._put(silent_frame(0, self._like).data) or made
        return made

    def _put(self, data: bytes) -> bool:
        assert self._end is not None
        time, cut = self._end, None
        if self._picture is not None:
            cut = self._picture.cut_between(self._cut, time / _RATE)
            self._cut = time / _RATE
        self._end += opus.duration(data)
        return self._track.receive(time, data, True, self._seen(time), cut)
