"""The qualities in which a producer can be sent, as the allocator wants them: bits a second, height, frame rate."""

from __future__ import annotations

from dataclasses import dataclass

from .congestion.allocator import PRIORITIES, Demand, Offer, Priority
from .plane import Layer
from .producer import Producer

#: Height of the largest encoding where the publisher did not say.
USUAL_HEIGHT = {"field": 2160, "second": 1080, "screen": 1080, "camera": 720}
#: Only ratios count.
FULL_FPS = 30.0
#: An encoding that was never seen to flow is taken to need so many bits a second for a square of its height: 20 Mbit/s
#: for 2160 lines, 2.2 for 720.
UNSEEN = 4.3
UNSEEN_SOUND = 64_000
#: Seconds that a publisher has to wake an encoding.
WAKING = 3.0
#: A rate that differs by no more than this share is taken for the same: it was measured.
ALIKE = 0.05


@dataclass(frozen=True, slots=True)
class Qualities:
    """What can be sent of a producer: the key of an offer is its place, and that of its layer.

    `alone`: what is sent to who takes sound without the redundancy (RFC 2198) with which it comes.
    """

    layers: tuple[Layer, ...]
    offers: tuple[Offer, ...]
    alone: Qualities | None = None


def qualities(producer: Producer, now: float, before: Qualities | None = None) -> Qualities:
    """List what can be sent of a producer just now; `before` itself as long as that has hardly changed."""
    found = _list(producer, now)
    layers = tuple(layer for layer, _ in found)
    if (
        before is not None
        and before.layers == layers
        and all(_alike(offer, old) for (_, offer), old in zip(found, before.offers, strict=True))
    ):
        return before
    alone = None
    if not producer.video and layers:
        alone = Qualities(layers, (Offer(0, producer.rates.rate(Layer(0, 0, 0)) or UNSEEN_SOUND),))
    return Qualities(layers, tuple(offer for _, offer in found), alone)


def _alike(offer: Offer, before: Offer) -> bool:
    same = offer.height == before.height and offer.fps == before.fps
    return same and abs(offer.rate - before.rate) <= ALIKE * before.rate


def _list(producer: Producer, now: float) -> list[tuple[Layer, Offer]]:
    found: list[tuple[Layer, Offer]] = []
    for i in range(len(producer.encodings)):
        if not producer.can_be_sent(i):
            continue
        if not producer.video:
            # what it has of redundancy is counted as a layer above it
            found.append((Layer(i), Offer(0, producer.rates.rate(Layer(i)) or UNSEEN_SOUND)))
            continue
        if i > 0 and not producer.rates.flows(i, now) and not _may_come(producer, i, now):
            continue
        spatial, temporal = producer.rates.layers(i)
        for s in range(spatial + 1):
            for t in range(temporal + 1):
                layer = Layer(i, s if s < spatial else 3, t if t < temporal else 3)
                height = height_of(producer, i) >> (spatial - s)
                rate = producer.rates.rate(layer) or int(UNSEEN * height**2)
                fps = FULL_FPS / (1 << (temporal - t))
                found.append((layer, Offer(len(found), rate, height, fps)))
    return found


def _may_come(producer: Producer, encoding: int, now: float) -> bool:
    """Tell whether an encoding that does not flow rests, or has just been woken; else its publisher cannot send it."""
    return not producer.wanted[encoding] or now - producer.wanted_since[encoding] < WAKING


def height_of(producer: Producer, encoding: int) -> int:
    """Return an encoding's height: as its publisher said, else by its place among them."""
    if encoding < len(producer.heights):
        return producer.heights[encoding]
    return USUAL_HEIGHT.get(producer.source, 720) >> (len(producer.encodings) - 1 - encoding)


def demand(producer: Producer, found: Qualities, height: int | None, current: Layer | None) -> Demand:
    """Say what somebody with a tile of this height would be sent."""
    key = found.layers.index(current) if current in found.layers else None
    priority = PRIORITIES.get(producer.source, Priority.FACE) if producer.video else Priority.AUDIO
    return Demand(producer.producer, priority, found.offers, height, key)
