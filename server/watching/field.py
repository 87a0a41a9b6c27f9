"""One field as the server sees it: a customer of the tap that keeps the newest packets, and has marks followed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from annotation.anchors import VideoAnchor
from annotation.notes import TRACKS_LIMIT, Track, Tracked
from annotation.shapes import Mark
from media.ids import ProducerId

from . import wire
from .backlog import Backlog
from .follower import Follower
from .low import LowLayer
from .pictures import Stream

if TYPE_CHECKING:
    from media.producer import Producer

#: Seconds after which a key frame is asked for, so that what is kept does not grow without end; and the least between
#: two requests that were not answered.
KEY_FRAME_EVERY: Final = 10.0
ASK_AGAIN: Final = 2.0
#: Seconds between two looks at the tap, while nobody follows and while somebody does.
INTERVAL: Final = 0.1
FOLLOWED_INTERVAL: Final = 0.02
#: A worker that has not looked at what arrived so long ago, seconds, is not believed any more.
SILENT: Final = 0.25
LINGER: Final = 10.0
#: Marks of a field that are watched one by one: those that follow first, and of each the newest. The others are stale
#: once the camera was cut or fast.
MARKS_LIMIT: Final = 200
#: Seconds between two words to the worker that something is still being drawn on a frame; frames of which it is told.
DRAWN_EVERY: Final = 1.0
DRAWN_LIMIT: Final = 16
#: The movement of what did not move.
UNMOVED: Final = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


class Field:
    """Keeps what a still needs, and runs a worker while there are marks. `now` is Unix seconds."""

    def __init__(
        self,
        producer: Producer,
        *,
        tracks: bool,
        decide: Callable[[Tracked], None],
        vouch: Callable[[ProducerId, int], None],
        known: Callable[[str], Track | None],
        ended: Callable[[Follower], None],
    ) -> None:
        """`decide` puts tracks into the log, `vouch` says up to which frame they stand, `known` finds a mark's newest,
        `ended` closes a worker.
        """
        track = producer.track
        self.producer = ProducerId(producer.producer)
        self.producers = frozenset({self.producer})
        self.stream = Stream(track.codec, track.payload_type, track.fmtp, track.clock_rate)
        self.backlog = Backlog(track.codec)
        #: what is followed instead, where there is one and it flows
        self.low: LowLayer | None = None
        self._from_low = False
        self._arrived = 0  # when the best encoding's newest packet did, ns
        self._producer = producer
        self._tracks = tracks
        self._decide = decide
        self._vouch = vouch
        self._known = known
        self._ended = ended
        self._asked = float("-inf")
        self._marks: dict[str, Mark] = {}
        self._unwatched: list[Mark] = []
        self._places: dict[str, int] = {}  # how often each was put elsewhere
        self._drawn: dict[
            int, float
        ] = {}  # frames that something is being drawn on, and when the worker was told
        #: Seconds that a worker is kept after the last mark went: the next is often drawn at once.
        self.linger = LINGER
        self._unneeded_since = float("-inf")
        self.follower: Follower | None = None
        self._fed = 0  # when the newest packet arrived that the worker was given, ns
        self._looked = 0  # when the newest one that it looked at did
        self._believed = False
        self._newest: int | None = None  # the RTP timestamp that it looked at last

    @property
    def kept(self) -> int:
        """Bytes of compressed frames that are held in memory."""
        return self.backlog.size + (self.low.backlog.size if self.low is not None else 0)

    @property
    def from_low(self) -> bool:
        """Whether the low layer is what the worker is given."""
        return self._from_low and self.follower is not None

    @property
    def tap_interval(self) -> float:
        """How many seconds packets may lie in the tap."""
        return FOLLOWED_INTERVAL if self.follower is not None else INTERVAL

    # -- packets -------------------------------------------------------------------------------------------------

    def receive_tap(self, data: bytes, now: float) -> None:
        """Take packets of this field."""
        self.backlog.receive(data)
        self._arrived = int.from_bytes(data[8:16], "big")
        if not self._from_low:
            self._feed(data)

    def receive_low(self, data: bytes) -> None:
        """Take packets of the low layer."""
        if self._from_low:
            self._feed(data)

    def _feed(self, data: bytes) -> None:
        if self.follower is None:
            return
        # what a worker that does not read cannot take is late too
        self._fed = int.from_bytes(data[8:16], "big")
        self.follower.send(wire.message(wire.PACKETS, data), dispensable=True)

    def _followed_backlog(self) -> Backlog:
        return self.low.backlog if self.low is not None and self._from_low else self.backlog

    def _choose_layer(self) -> None:
        """Go over to the low layer when it flows, and to the best when it does not."""
        if self.low is None:
            return
        self.low.compare(self._arrived)
        if self.follower is None:
            return
        from_low = self.low.flows if self._from_low else self.low.reliable
        if from_low != self._from_low:
            self._from_low = from_low
            if not from_low:
                self._want_key_frame(self._arrived / 1e9)
            # the same frames by other packets: the worker keeps what it knows of the tissue
            self.follower.send(wire.message_of(wire.STREAM, wire.describe(self.stream)))
            self.follower.send(wire.message(wire.PACKETS, self._followed_backlog().newest_group()))

    def receive_gap(self, packets: int, now: float) -> None:
        """Learn that packets are missing: their numbers tell where."""

    def pump(self, now: float) -> None:
        """Ask for a key frame where one is due; look whether the worker is in time, and whether it is needed."""
        newest = self.backlog.newest_key_frame
        overdue = newest is None or self.backlog.oversized or now - newest / 1e9 > KEY_FRAME_EVERY
        if overdue:
            self._want_key_frame(now)
        self._choose_layer()
        if self.follower is not None and self._believed and self._late():
            self._disbelieve()
        if not self._marks and now - self._unneeded_since > self.linger:
            self.close()

    def _want_key_frame(self, now: float) -> None:
        if now - self._asked > ASK_AGAIN and not self._producer.muted:
            self._asked = now
            for encoding in range(len(self._producer.encodings)):
                self._producer.want_key_frame(encoding)

    # -- marks ---------------------------------------------------------------------------------------------------

    def watch(self, marks: list[Mark], now: float) -> None:
        """Watch these marks from now on, and no others."""
        chosen = marks
        if len(marks) > MARKS_LIMIT:
            chosen = sorted(marks, key=lambda mark: mark.follow)[-MARKS_LIMIT:]
        before, self._marks = self._marks, {mark.mark: mark for mark in chosen}
        self._unwatched = [mark for mark in marks if mark.mark not in self._marks]
        # nobody looks any more where it goes
        self._give_up(mark for mark in self._unwatched if mark.follow)
        if before and not marks:
            self._unneeded_since = now
        # only what is new: a worker that was told everything at each mark would cost more than all else of a mark
        changed = [
            mark
            for name, mark in self._marks.items()
            if name not in before or before[name].tissue != mark.tissue
        ]
        gone = list(before.keys() - self._marks.keys())
        self._places = {name: place for name, place in self._places.items() if name in self._marks}
        for mark in changed:
            self._places[mark.mark] = self._places.get(mark.mark, 0) + 1
        if not self._tracks:
            return
        if self.follower is None:
            if marks:
                self._start()
            return
        if changed or gone:
            self.follower.send(self._wanted(changed, gone))

    def expect(self, rtp_timestamp: int, now: float) -> None:
        """Somebody draws on this frame: have a worker, and keep the frame's picture, by the time the mark comes."""
        self._unneeded_since = now
        if not self._tracks or now - self._drawn.get(rtp_timestamp, float("-inf")) < DRAWN_EVERY:
            return
        self._drawn.pop(rtp_timestamp, None)
        self._drawn[rtp_timestamp] = now
        if len(self._drawn) > DRAWN_LIMIT:
            del self._drawn[next(iter(self._drawn))]
        if self.follower is None:
            self._start()
        else:
            self.follower.send(_drawn([rtp_timestamp]))

    def _start(self) -> None:
        self._from_low = self.low is not None and self.low.reliable
        self.follower = Follower(self.stream, self._begin, self._receive, self._disbelieve)

    def close(self) -> None:
        """End the worker, if there is one."""
        follower, self.follower = self.follower, None
        if follower is not None:
            self._believed = False
            self._ended(follower)

    def _begin(self) -> list[bytes]:
        self._fed = self._looked = 0
        frames = [
            mark.anchor.rtp_timestamp for mark in self._marks.values() if isinstance(mark.anchor, VideoAnchor)
        ]
        # what was given up long ago is not worth the way from its frame to now
        self._drawn = {
            frame: told for frame, told in self._drawn.items() if told > self._unneeded_since - LINGER
        }
        records = self._followed_backlog().records_since([*frames, *self._drawn])
        marks = self._wanted(self._marks.values(), [])
        return [marks, _drawn(self._drawn), wire.message(wire.PACKETS, records)]

    # -- the worker ----------------------------------------------------------------------------------------------

    def _receive(self, kind: bytes, body: dict[str, Any]) -> None:
        if kind == wire.KEY_FRAME:
            self._want_key_frame(time.time())
            return
        before = self._newest
        self._looked, self._newest = int(body["arrival"]), int(body["rtp_timestamp"])
        if kind == wire.TRACKS:
            # what is told of where a mark was before it was moved is no news of it
            told = [one for one in body["tracks"] if one["place"] == self._places.get(str(one["mark"]))]
            self._tell([_track(one, self._known(str(one["mark"]))) for one in told])
        if body["swept"]:
            self._give_up(self._unwatched)
        if not body["late"]:
            self._believed = True
            # after the tracks themselves, and once a frame: a page believes no good mark beyond the last of these
            if self._marks and self._newest != before:
                self._vouch(self.producer, self._newest)

    def _wanted(self, changed: Iterable[Mark], gone: list[str]) -> bytes:
        marks = [
            {
                "mark": mark.mark,
                "rtp_timestamp": mark.anchor.rtp_timestamp,
                "points": mark.tissue[1],
                "follow": mark.follow,
                "place": self._places[mark.mark],
            }
            for mark in changed
            if isinstance(mark.anchor, VideoAnchor)
        ]
        return wire.message_of(wire.MARKS, {"marks": marks, "gone": gone})

    def _late(self) -> bool:
        return self._fed > 0 and (self._fed - self._looked) / 1e9 > SILENT

    def _disbelieve(self) -> None:
        """Tell everybody that nothing is known of any mark: the worker died, or cannot follow."""
        self._believed = False
        known = [self._known(mark) or Track(mark, "good", UNMOVED, 1.0) for mark in self._marks]
        self._tell(
            [Track(track.mark, "stale", track.matrix, 0.0) for track in known if track.state == "good"]
        )
        self._give_up(self._unwatched)
        if self.follower is not None:
            self.follower.send(wire.message_of(wire.FORGET, {}))

    def _give_up(self, marks: Iterable[Mark]) -> None:
        """Tell everybody that marks which are not watched may lie elsewhere now: it stays so."""
        if self._newest is None or not self._tracks:
            return
        anchor = VideoAnchor(int(self.producer), self._newest)
        known = [self._known(mark.mark) or Track(mark.mark, "good", UNMOVED, 1.0) for mark in marks]
        stale = [replace(track, state="stale", confidence=0.0) for track in known if track.state == "good"]
        for start in range(0, len(stale), TRACKS_LIMIT):
            self._decide(Tracked(tuple(stale[start : start + TRACKS_LIMIT]), anchor))

    def _tell(self, tracks: list[Track]) -> None:
        # the same once more is a sign of life of what is good, and no news of anything else
        news = tuple(
            track
            for track in tracks
            if track.mark in self._marks and (track.state == "good" or track != self._known(track.mark))
        )
        if news and self._newest is not None:
            self._decide(Tracked(news, VideoAnchor(int(self.producer), self._newest)))


def _drawn(rtp_timestamps: Iterable[int]) -> bytes:
    return wire.message_of(wire.DRAWN, {"rtp_timestamps": list(rtp_timestamps)})


def _track(body: dict[str, Any], before: Track | None) -> Track:
    matrix = tuple(float(value) for value in body["matrix"])
    if not body["seen"] and before is not None:
        # a worker that never saw the mark's own picture knows less than the one before it
        matrix = before.matrix
    return Track(str(body["mark"]), body["state"], matrix, float(body["confidence"]))
