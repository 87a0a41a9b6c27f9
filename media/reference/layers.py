"""Which of a producer's packets a consumer is sent: of which encoding, and of it which layers.

Between encodings a consumer changes at a key frame of the new one; until then the old one goes on. Both send the same
pictures under the same canonical timestamps, the better one a little later. So while a change waits, pictures of the
old encoding are held back until the new one has shown whether its picture of that time is the key frame: otherwise
that picture would have been sent already, and the change would be missed again and again.

What is sent of an encoding's pictures is chosen in targets.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from ..plane import Codec, Drop, Layer
from .history import HeldPacket
from .ingress import Encoding, Producer
from .numbering import Naming, Numbering, Run
from .places import Place
from .targets import Chosen, Targets, capped, newer

_MS = 1_000_000

#: How long a picture of the old encoding is held back at first, and at most, for the new one to come.
PATIENCE_NS = 30 * _MS
MAX_PATIENCE_NS = 120 * _MS

#: An encoding that has not sent for so long is not waited for.
ALIVE_NS = 200 * _MS

#: Packets before the picture itself in which its parameter sets may be.
MAX_PARAMETER_SETS = 8

#: While a switch waits its key frame is asked for so often; so soon, when it came too late.
ASK_AGAIN_NS = 500 * _MS
MISSED_NS = 100 * _MS


class State(Enum):
    """What a consumer does with the next packet."""

    PAUSED = "PAUSED"
    AWAITING = "AWAITING"
    SENDING = "SENDING"


@dataclass(frozen=True, slots=True)
class Deal:
    """Say what becomes of a packet: the number under which it is sent, or why it is not.

    `filler`: what came late is of a layer that is not sent; its number is used up by padding.
    """

    held: HeldPacket
    out: int | Drop
    filler: bool = False


class Selection:
    """Deal a producer's packets for one consumer. Times are ns."""

    def __init__(self, producer: Producer) -> None:
        """Begin with nothing sent."""
        self.numbering = Numbering()
        self.state = State.AWAITING
        self.wanted = Layer()
        self.encoding: int | None = None  # what is being sent, or was last
        self.hold_until: int | None = None
        self.asks: list[int] = []  # encodings whose key frame is waited for
        self.news: list[
            tuple[tuple[int, int, int], int]
        ] = []  # (encoding, spatial, temporal) from a timestamp on
        self.begins_at = 0  # the first number since an encoding was begun; 0: none was
        self.reported: tuple[int, int, int] | None = None
        self._producer = producer
        self._life = 0
        self._naming = Naming()
        self._names = _Names()
        self._newest: int | None = None
        self._targets = Targets()
        self._patience = PATIENCE_NS
        self._asked_at = 0

    # -- commands

    def set_paused(self, paused: bool) -> None:
        """Stop, or wait for the next packet at which to start again."""
        if paused:
            self.state, self.hold_until = State.PAUSED, None
        elif self.state is State.PAUSED:
            self.state = State.AWAITING

    def begin_anew(self) -> None:
        """Wait for a key frame: what waited to be sent was given up."""
        if self.state is State.SENDING:
            self.state, self.hold_until = State.AWAITING, None

    def lose(self, encoding: Encoding) -> None:
        """Note that an encoding begins anew."""
        if self.encoding == encoding.index:
            self.begin_anew()
            if len(self._producer.encodings) == 1:
                self._newest = None

    def want(self, layer: Layer, now: int) -> list[Deal]:
        """Change what is to be sent at most."""
        before, self.wanted = self.wanted, layer
        self._targets.wanted, self._targets.wanted_at = layer, now
        if layer.encoding == before.encoding:
            return []
        self._patience = PATIENCE_NS
        if self._producer.encodings[layer.encoding].offset_known and layer.encoding != self.encoding:
            self.asks.append(layer.encoding)
            self._asked_at = now
        return list(self.release(None, now))

    # -- packets

    def deal(self, held: HeldPacket, now: int) -> list[Deal]:
        """Say what is to be done now that a packet came."""
        if self.state is State.PAUSED:
            return [Deal(held, Drop.PAUSED)]
        encoding = self._producer.encodings[held.encoding]
        if self.state is State.SENDING and held.encoding == self.encoding:
            if held.sequence <= self.numbering.seen:
                return [self._late(held, encoding)]
            return [] if self._hold(held, encoding, now) else [self._next(held, encoding, now)]
        if self._may_begin(held, encoding, now):
            return self._begin(held, encoding, now)
        self._ask_to_begin(held, encoding, now)
        deals = [self._late(held, encoding)]
        if self.hold_until is not None and held.encoding == self.wanted.encoding:
            deals += self.release(encoding.canonical(held), now)
        return deals

    def release(self, until: int | None, now: int) -> Iterator[Deal]:
        """Deal what was held back, up to a canonical timestamp."""
        if self.hold_until is None or self.encoding is None:
            return
        encoding = self._producer.encodings[self.encoding]
        for number in range(self.numbering.seen + 1, encoding.highest + 1):
            held = encoding.history.held(number)
            if held is None:
                continue
            if until is not None and newer(encoding.canonical(held), until):
                self.hold_until = now + self._patience
                return
            yield self._next(held, encoding, now)
        self.hold_until = None

    def _may_begin(self, held: HeldPacket, encoding: Encoding, now: int) -> bool:
        if not self._producer.is_video:
            anew = held.encoding != self.encoding or encoding.life != self._life
            return anew or held.sequence > self.numbering.seen
        if not held.starts_key_frame or not encoding.offset_known:
            return False
        if held.encoding == self.encoding and encoding.life == self._life:
            return held.sequence > self.numbering.seen
        if (
            held.encoding > self.wanted.encoding
            if self.state is State.AWAITING
            else held.encoding != self.wanted.encoding
        ):
            return False
        if (
            held.encoding == self.encoding
            or self._newest is None
            or newer(encoding.canonical(held), self._newest)
        ):
            return True
        if self.state is State.SENDING and held.sequence == encoding.highest:
            # its picture was sent already, of the old encoding: next time more patience
            self._patience = min(2 * self._patience, MAX_PATIENCE_NS)
            self._asked_at = min(self._asked_at, now - ASK_AGAIN_NS + MISSED_NS)
        return False

    def _ask_to_begin(self, held: HeldPacket, encoding: Encoding, now: int) -> None:
        """Ask again for a key frame that does not come: the one before may have begun before it could be sent."""
        waits = self.state is State.AWAITING and self._producer.is_video and encoding.offset_known
        if not waits or encoding.index > self.wanted.encoding:
            return
        other = self._producer.encodings[self.wanted.encoding]
        if (
            other is not encoding
            and other.newest is not None
            and held.arrival - other.last_arrival <= ALIVE_NS
        ):
            return
        if self._asked_at == 0:
            self._asked_at = now
        elif now - self._asked_at >= ASK_AGAIN_NS:
            self._asked_at = now
            self.asks.append(encoding.index)

    def _begin(self, held: HeldPacket, encoding: Encoding, now: int) -> list[Deal]:
        timestamp = encoding.canonical(held)
        deals = list(self.release(timestamp - 1 & 0xFFFFFFFF, now))
        self.hold_until = None
        self.state = State.SENDING
        self.encoding, self._life = encoding.index, encoding.life
        self._naming = self._names.after(encoding, held.place)
        self._targets.begin()
        self.begins_at = self.numbering.highest + 1
        first = self._beginning(held, encoding)
        self.numbering.begin(first)
        # with what overtook the beginning
        for number in range(first, encoding.highest + 1):
            other = encoding.history.held(number)
            if other is not None:
                deals.append(self._next(other, encoding, now))
        return deals

    def _beginning(self, held: HeldPacket, encoding: Encoding) -> int:
        """Find the first number that may be of a key frame: of H.264 and H.265, parameter sets may be on their way."""
        first = held.sequence
        if self._producer.spec.codec not in (Codec.H264, Codec.H265):
            return first
        for number in range(first - 1, max(first - MAX_PARAMETER_SETS, -1), -1):
            before = encoding.history.held(number)
            if before is None and encoding.history.received(number):
                break
            if before is not None and before.packet.timestamp != held.packet.timestamp:
                break
            first = number
        return first

    def _hold(self, held: HeldPacket, encoding: Encoding, now: int) -> bool:
        if self.wanted.encoding == self.encoding:
            return False
        other = self._producer.encodings[self.wanted.encoding]
        if not other.offset_known or other.newest is None or held.arrival - other.last_arrival > ALIVE_NS:
            return self.hold_until is not None
        if now - self._asked_at >= ASK_AGAIN_NS:
            self._asked_at = now
            self.asks.append(other.index)
        if self.hold_until is not None:
            return True
        timestamp = encoding.canonical(held)
        if self._newest is not None and not newer(timestamp, self._newest):
            return False
        if not newer(timestamp, other.newest + other.offset & 0xFFFFFFFF):
            return False
        self.hold_until = now + self._patience
        return True

    def _next(self, held: HeldPacket, encoding: Encoding, now: int) -> Deal:
        """Deal the newest packet of the encoding that is being sent."""
        gap = held.sequence > self.numbering.seen + 1
        sent = self._targets.decide(held, encoding, now, gap=gap)
        if self._targets.lacking:
            self._targets.lacking = False
            self.asks.append(encoding.index)
        kind = Run(encoding.index, encoding.life, self._targets.stint, self._naming)
        if not sent:
            self.numbering.skip(held.sequence, kind)
            self._leave_out(held.place, gap=gap)
            return Deal(held, Drop.LAYER)
        timestamp = encoding.canonical(held)
        if self._newest is None or newer(timestamp, self._newest):
            self._newest = timestamp
            self._report(encoding, held.place, timestamp)
        self._names.note(held.place, self._naming)
        return Deal(held, self.numbering.take(held.sequence, kind))

    def _leave_out(self, place: Place, *, gap: bool) -> None:
        """Go on with the names after a packet that is not sent."""
        if not self._targets.begins_frame:
            return
        begins = self._targets.begins_picture
        if gap:
            # what is missing before it may still be sent, under the names before its own
            self._names.reserve(place, self._naming, begins=begins)
        if begins and self._producer.spec.codec is Codec.VP8 and place.picture is not None:
            # VP8's picture identifiers have no gap, or a receiver would wait for what is missing; but what was
            # lost before this picture keeps its name
            self._naming = replace(self._naming, picture=self._naming.picture - 1 & 0x7FFF)

    def _late(self, held: HeldPacket, encoding: Encoding) -> Deal:
        run = self.numbering.find(encoding.index, encoding.life, held.sequence)
        if run is None:
            if self.encoding not in (None, encoding.index):
                return Deal(held, Drop.LAYER)
            return Deal(held, Drop.AWAITING_KEY_FRAME if self._producer.is_video else Drop.TOO_OLD)
        chosen = self.chosen_for(run, held)
        if chosen is None or not chosen.sends(held.place):
            return Deal(held, run.out(held.sequence), filler=True)
        timestamp = held.packet.timestamp + run.naming.timestamp & 0xFFFFFFFF
        if self._newest is None or newer(timestamp, self._newest):
            self._newest = timestamp
        return Deal(held, run.out(held.sequence))

    def chosen_for(self, run: Run, held: HeldPacket) -> Chosen | None:
        """Find the target that holds for a packet whose number is in a run; None: it is not sent, or forgotten."""
        timestamp = held.packet.timestamp + run.naming.timestamp & 0xFFFFFFFF
        return self._targets.find(run.stint, held.sequence, timestamp)

    def _report(self, encoding: Encoding, place: Place, timestamp: int) -> None:
        layer = capped(self._targets.layer, encoding.top) if place.layered else (0, 0)
        now = (encoding.index, *layer)
        if now != self.reported:
            self.reported = now
            self.news.append((now, timestamp))


class _Names:
    """Remember how frames were called last."""

    def __init__(self) -> None:
        self._picture: int | None = None
        self._tl0: int | None = None
        self._frame_number: int | None = None

    def after(self, encoding: Encoding, place: Place) -> Naming:
        """Say what to add so that the next frame bears the next name."""
        return Naming(
            timestamp=encoding.offset,
            picture=_step(self._picture, place.picture, 0x7FFF),
            tl0=_step(self._tl0, place.tl0, 0xFF),
            frame_number=_step(self._frame_number, place.frame_number, 0xFFFF),
        )

    def note(self, place: Place, naming: Naming) -> None:
        """Note a packet that is sent."""
        if place.picture is not None:
            self._picture = place.picture + naming.picture & 0x7FFF
        if place.tl0 is not None:
            self._tl0 = place.tl0 + naming.tl0 & 0xFF
        if place.frame_number is not None:
            self._frame_number = place.frame_number + naming.frame_number & 0xFFFF

    def reserve(self, place: Place, naming: Naming, *, begins: bool) -> None:
        """Note that the names before those of a frame that is not sent were given away; `begins`: a picture too."""
        if begins and place.picture is not None:
            self._picture = place.picture + naming.picture - 1 & 0x7FFF
        if place.tl0 is not None:
            self._tl0 = place.tl0 + naming.tl0 & 0xFF
        if place.frame_number is not None:
            self._frame_number = place.frame_number + naming.frame_number - 1 & 0xFFFF


def _step(last: int | None, coming: int | None, mask: int) -> int:
    return (last + 1 - coming) & mask if last is not None and coming is not None else 0
