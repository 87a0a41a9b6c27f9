"""What one subscriber's line is used for: feedback comes in, layers, pauses, pacing and probes go out.

The cycle, ten times a second and less often where nothing changes: the estimator says what the line carries, the
allocator gives it out, the plane is told. A subscriber whose line is not known to be narrow is sent everything that it
wishes; one that gives no feedback is never throttled. The recorder is no subscriber: nothing here touches it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf

from .congestion.allocator import (
    COVERED,
    MARGIN,
    RESERVED,
    Allocation,
    Demand,
    Priority,
    Reason,
    allocate,
)
from .congestion.estimator import BandwidthEstimator
from .congestion.patience import Patience, quality
from .congestion.prober import Prober
from .feedback_group import FeedbackGroup
from .ids import ProducerId, TransportId
from .plane import Extension, Plane
from .producer import Producer
from .qualities import Qualities, demand
from .subscriber import Slot, Subscriber

#: What no line is taken to exceed, bit/s: that of the server's own.
LINE_RATE = 1_000_000_000
#: What it is taken to carry before anything is known, bit/s, if nobody's least picture needs more: a guess too high
#: fills a thin line's queue before the first word of it comes, and the picture stands for seconds.
UNPROVEN = 300_000
#: Proven so much more than was known: decided upon at once.
MUCH_MORE = 1.2
#: Seconds between two decisions.
INTERVAL = 0.1
#: On a line that is known to be narrow, video leaves at this multiple of what it carries: a key frame takes its time.
PACING = 1.25
#: While a queue of so many ms stands there it is given time to empty: it may be full of repeats, each of which is asked
#: for again as long as it does not come.
STANDING, DRAINING = 30.0, 0.8
#: A probe asks for so much more than the wish, as the allocator keeps a margin.
ROOM = 1.3
#: Seconds for which the largest size does not come, before it is said: at the beginning each takes a moment.
LACKING = 3.0
#: Seconds in which it is found out what a line carries: what is less only then is not said.
STARTING = 1.0
#: A line that carries all that is wished is looked at when something has changed, and this often, seconds.
SETTLED_INTERVAL = 1.0


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a subscriber is sent of a producer has changed: for the page. `height` 0: nothing is sent."""

    transport: TransportId
    producer: ProducerId
    reason: Reason
    height: int


class Sent(StrEnum):
    """What somebody is sent of a picture."""

    WHOLE = "whole"
    LESS = "less"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class LineState:
    """A receiver's line, for those who watch the server: what it is taken to carry, and what is sent over it.

    `carries` is in bit/s, None where the receiver says nothing of it. `pictures` counts by what is sent, and why.
    """

    carries: int | None
    pictures: Counter[tuple[Sent, Reason]]


class Delivery:
    """One subscriber's transport."""

    def __init__(self, subscriber: Subscriber, plane: Plane, start: int) -> None:
        """`start`, bit/s: what publishers begin with, of which the line is probed for a multiple at once."""
        self.subscriber = subscriber
        self.estimator = BandwidthEstimator(min(start, UNPROVEN), LINE_RATE)
        self.probes = 0
        self._plane = plane
        self._prober = Prober(start)
        self._sending_since: float | None = None
        self._pacing = 0
        self._told: dict[ProducerId, tuple[Reason, int]] = {}
        self._lacking: dict[ProducerId, float] = {}
        self._patience = Patience()
        self._forgiven_at = float("-inf")
        self._given: dict[ProducerId, float] = {}
        #: what the last decision stood on, and the rate that it stays right with; None: decide anew
        self._settled: list[tuple[object, ...]] | None = None
        self._enough = 0.0
        self._next_look = 0.0

    def receive_feedback(self, data: bytes, now: float) -> bool:
        """Take a FEEDBACK event's data; tell whether the line has proven so much more that it is to be decided now."""
        before = self.estimator.expected
        self.estimator.receive_feedback(FeedbackGroup.read_all(data), now)
        return self._settled is None and self.estimator.expected > MUCH_MORE * before

    def decide(
        self, producers: Mapping[ProducerId, Producer], offered: Mapping[ProducerId, Qualities], now: float
    ) -> list[Delivered]:
        """Decide anew, of what is `offered` of each producer, and tell the plane; returns what is new for the page."""
        slots = [s for s in self.subscriber.slots if s.started and s.producer in producers]
        if not slots:
            self._sending_since = None
            return []
        if self._sending_since is None:
            self._sending_since = now
        offers = [_receivable(slot, offered[slot.producer]) for slot in slots]
        basis = [_basis(slot, found) for slot, found in zip(slots, offers, strict=True)]
        if self._is_settled(basis, now):
            return []
        demands = [
            demand(producers[s.producer], o, 0 if s.hidden else s.height, s.layer if not s.paused else None)
            for s, o in zip(slots, offers, strict=True)
        ]
        budget = self._budget(slots, demands, now)
        if self.estimator.absolved_at > self._forgiven_at:
            self._forgiven_at = self.estimator.absolved_at
            self._patience.forgive()
        demands = [self._patient(wanted, budget, now) for wanted in demands]
        allocations = allocate(budget, demands)
        self._note(demands, allocations, now)
        changed = []
        for slot, found, allocation in zip(slots, offers, allocations, strict=True):
            self._apply(slot, producers[slot.producer], found, allocation)
            if (told := self._tell(slot, producers[slot.producer], found, allocation, now)) is not None:
                changed.append(told)
        # before anything is heard pacing could only hold the first picture up
        narrow = self.estimator.heard and any(a.reason is Reason.LINE for a in allocations)
        self._pace(now, narrow=narrow)
        wish = self._wish(demands, allocations)
        if budget is not None:
            self._probe(demands, allocations, budget, wish, now)
        self._settle(slots, offers, budget, wish, now)
        return changed

    def _is_settled(self, basis: list[tuple[object, ...]], now: float) -> bool:
        """Tell whether deciding anew would change nothing: all that is wished is sent, and nothing has happened."""
        target = self.estimator.target(now)
        enough = target is None or target >= self._enough
        return enough and now < self._next_look and basis == self._settled

    def _settle(
        self, slots: list[Slot], offers: list[Qualities], budget: int | None, wish: int, now: float
    ) -> None:
        switching = any(slot.sending not in (-1, slot.layer.encoding) for slot in slots if not slot.paused)
        self._settled = None
        if (budget is None or budget >= wish) and not switching and not self._pacing:
            self._settled = [_basis(slot, found) for slot, found in zip(slots, offers, strict=True)]
            target = self.estimator.target(now)
            beside = budget - target if budget is not None and target is not None else 0
            self._enough = wish - beside
            self._next_look = now + SETTLED_INTERVAL

    # -- how much --------------------------------------------------------------------------------------------------

    def _budget(self, slots: list[Slot], demands: list[Demand], now: float) -> int | None:
        """Return the bits a second to be given out; None: no limit is known."""
        estimator = self.estimator
        target = estimator.target(now)
        speaks = any(slot.extensions[Extension.TRANSPORT_WIDE] for slot in slots)
        if target is None and (not speaks or estimator.silent(now, self._sending_since or now)):
            return None
        if target is not None and not speaks:
            # what a receiver guesses by itself (REMB) falls at each hiccup of its own machine, and rises by no more
            # than half above what it is sent: of nothing it would never rise again
            return max(target, _least(demands))
        if not estimator.limited:
            # nobody's least picture waits for a proof of what has shown no limit
            least = sum(min((o.rate for o in d.offers), default=0) for d in demands if d.height != 0)
            estimator.expect(int(MARGIN * least) + 2 * RESERVED)
            target = estimator.target(now)
        # what bears no transport-wide number (sound, as a rule) is not in what feedback tells of
        beside = sum(
            max((offer.rate for offer in wanted.offers), default=0)
            for slot, wanted in zip(slots, demands, strict=True)
            if speaks and not slot.extensions[Extension.TRANSPORT_WIDE] and not slot.paused
        )
        return (estimator.expected if target is None else target) + beside

    # -- what ------------------------------------------------------------------------------------------------------

    def _apply(self, slot: Slot, producer: Producer, found: Qualities, allocation: Allocation) -> None:
        if not producer.video or not found.offers:
            return
        if allocation.key is None:
            if not slot.paused:
                slot.paused = True
                self._plane.set_paused(slot.consumer, paused=True)
            return
        layer = found.layers[allocation.key]
        if layer != slot.layer:
            slot.layer = layer
            self._plane.set_layer(slot.consumer, layer)
        if slot.paused:
            slot.paused = False
            self._plane.set_paused(slot.consumer, paused=producer.muted)
            producer.want_key_frame(layer.encoding)
        elif slot.sending not in (-1, layer.encoding):
            # until the switch has happened; the requests are coalesced
            producer.want_key_frame(layer.encoding)

    def _patient(self, wanted: Demand, budget: int | None, now: float) -> Demand:
        current = self._given.get(wanted.producer, 0.0)
        limit = inf if budget is None else budget
        held = self._patience.held(wanted.producer, wanted.offers, current, limit, now)
        return replace(wanted, held=held) if held else wanted

    def _note(self, demands: list[Demand], allocations: list[Allocation], now: float) -> None:
        """Remember which steps were tried, and which were taken back."""
        given = [
            next((o for o in wanted.offers if o.key == allocation.key), None)
            for wanted, allocation in zip(demands, allocations, strict=True)
        ]
        needs = RESERVED + sum(offer.rate for offer in given if offer is not None)
        for wanted, offer, allocation in zip(demands, given, allocations, strict=True):
            after = quality(offer) if offer is not None else 0.0
            before = self._given.get(allocation.producer, 0.0)
            self._given[allocation.producer] = after
            if after != before:
                narrow = allocation.reason is Reason.LINE
                self._patience.note(wanted, before, after, needs, now, narrow=narrow)

    def _tell(
        self,
        slot: Slot,
        producer: Producer,
        found: Qualities,
        allocation: Allocation,
        now: float,
    ) -> Delivered | None:
        if not producer.video or not found.offers:
            return None
        height = found.offers[allocation.key].height if allocation.key is not None else 0
        reason = allocation.reason
        if reason is Reason.LINE and now - (self._sending_since or now) < STARTING:
            return None
        if reason is Reason.NONE and allocation.key is not None and _lacking(slot, producer, found):
            if now - self._lacking.setdefault(slot.producer, now) < LACKING:
                return None
            reason = Reason.PUBLISHER
        else:
            self._lacking.pop(slot.producer, None)
        if reason is Reason.NONE and slot.sending not in (-1, slot.layer.encoding):
            return None  # it is to be switched to, and may not come: nothing is said before it is there
        told = (reason, height)
        if self._told.get(slot.producer, (Reason.NONE, height)) == told:
            return None
        self._told[slot.producer] = told
        return Delivered(self.subscriber.transport, slot.producer, *told)

    def state(self, now: float) -> LineState:
        """Return what a measurement of the whole server wants to know: what the page was told last."""
        pictures: Counter[tuple[Sent, Reason]] = Counter()
        for slot in self.subscriber.slots:
            if slot.started and slot.video:
                reason, height = self._told.get(slot.producer, (Reason.NONE, 1))
                sent = Sent.NOTHING if height == 0 else Sent.WHOLE if reason is Reason.NONE else Sent.LESS
                pictures[sent, reason] += 1
        return LineState(self.estimator.target(now), pictures)

    @property
    def told(self) -> list[Delivered]:
        """What the page was told last of all that is not sent whole."""
        return [
            Delivered(self.subscriber.transport, producer, *told)
            for producer, told in self._told.items()
            if told[0] is not Reason.NONE
        ]

    def forget(self, producer: ProducerId) -> None:
        """A producer has ended."""
        self._told.pop(producer, None)
        self._lacking.pop(producer, None)
        self._given.pop(producer, None)
        self._patience.forget(producer)

    # -- how -------------------------------------------------------------------------------------------------------

    def _pace(self, now: float, *, narrow: bool) -> None:
        """Pace only where the line carries less than is wished: elsewhere pacing would only add delay."""
        factor = DRAINING if self.estimator.queue_ms(now) > STANDING else PACING
        pacing = int(factor * self.estimator.expected) if narrow or self.estimator.limited else 0
        if (pacing == 0) != (self._pacing == 0) or abs(pacing - self._pacing) > 0.1 * self._pacing:
            self._pacing = pacing
            self._plane.set_pacing(self.subscriber.transport, pacing)

    def _wish(self, demands: list[Demand], allocations: list[Allocation]) -> int:
        """Return the bits a second with which all that is wished can be sent for sure."""
        rates = [
            wanted.offers[allocation.wished].rate
            for wanted, allocation in zip(demands, allocations, strict=True)
            if allocation.wished is not None
        ]
        return int(ROOM * (RESERVED + sum(rates)))

    def _probe(
        self, demands: list[Demand], allocations: list[Allocation], budget: int, wish: int, now: float
    ) -> None:
        given = RESERVED
        steps = []
        measured = [a for d, a in zip(demands, allocations, strict=True) if d.priority is not Priority.AUDIO]
        for wanted, allocation in zip(demands, allocations, strict=True):
            rates = {offer.key: offer.rate for offer in wanted.offers}
            rate = rates[allocation.key] if allocation.key is not None else 0
            given += rate
            if allocation.reason is Reason.LINE:
                steps.append(min((other for other in rates.values() if other > rate), default=rate) - rate)
        order = self._prober.next_probe(
            now,
            budget,
            wish,
            quiet_since=self.estimator.last_trouble,
            step=int(ROOM * (given + min(steps, default=0))),
            idle=all(allocation.key is None for allocation in measured),
            heard=self.estimator.heard,
        )
        if order is not None:
            self.probes += 1
            self._plane.probe(self.subscriber.transport, order.cluster, order.rate, order.packets)


def _least(demands: list[Demand]) -> int:
    """Return the bits a second of all sound and the least of the picture that counts most."""
    sound = sum(max((o.rate for o in d.offers), default=0) for d in demands if d.priority is Priority.AUDIO)
    pictures = [d for d in demands if d.priority is not Priority.AUDIO and d.offers and d.height != 0]
    first = min(pictures, key=lambda demand: demand.priority, default=None)
    picture = int(MARGIN * min(o.rate for o in first.offers)) if first is not None else 0
    return RESERVED + sound + picture + 1


def _basis(slot: Slot, found: Qualities) -> tuple[object, ...]:
    """What a decision on a slot stands on."""
    return slot.consumer, found, slot.height, slot.hidden, slot.layer, slot.sending, slot.paused


def _receivable(slot: Slot, found: Qualities) -> Qualities:
    """Choose what a receiver of sound takes: with redundancy, or without."""
    return found if slot.red_payload_type or found.alone is None else found.alone


def _lacking(slot: Slot, producer: Producer, found: Qualities) -> bool:
    """Tell whether the largest encoding, which this tile would show, does not come although it is wanted."""
    best = len(producer.encodings) - 1
    return (
        producer.can_be_sent(best)
        and all(layer.encoding != best for layer in found.layers)
        and (slot.height is None or found.offers[-1].height < COVERED * slot.height)
    )
