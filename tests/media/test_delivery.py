"""What a subscriber's line is used for, with a plane that notes what it was told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import pytest

from media.congestion.allocator import Reason
from media.congestion.estimator import SILENCE
from media.delivery import Delivered, Delivery, Sent
from media.feedback_group import FeedbackGroup
from media.ids import ConsumerId, Mid, ProducerId, Ssrc, TransportId
from media.plane import Codec, EncodingStatistics, Extension, Layer, Plane
from media.producer import Producer
from media.qualities import qualities
from media.sdp.answer import OfferedTrack
from media.sdp.simulcast import OfferedEncoding
from media.subscriber import Slot, Subscriber

M = 1_000_000
#: bit/s of the three encodings of a field, of a face
FIELD = (1.5 * M, 6 * M, 20 * M)
FACE = (0.15 * M, 0.5 * M, 1.5 * M)
WIDE = tuple(1 if extension is Extension.TRANSPORT_WIDE else 0 for extension in Extension)
NONE = (0,) * len(Extension)
#: Seconds: what is fed back together, and the longest queue of the line.
SLOT, LONGEST_QUEUE = 0.005, 0.3


@dataclass
class Told:
    """A plane that notes what it is told (its control half, as far as a delivery speaks to it)."""

    layers: dict[ConsumerId, Layer] = field(default_factory=dict)
    paused: set[ConsumerId] = field(default_factory=set)
    pacing: int = 0
    probes: list[tuple[int, int, float]] = field(default_factory=list)  # cluster, rate, bytes to be filled

    def set_layer(self, consumer: ConsumerId, layer: Layer) -> None:
        self.layers[consumer] = layer

    def set_paused(self, consumer: ConsumerId, *, paused: bool) -> None:
        (self.paused.add if paused else self.paused.discard)(consumer)

    def set_pacing(self, transport: TransportId, rate: int) -> None:
        self.pacing = rate

    def probe(self, transport: TransportId, cluster: int, rate: int, packets: int) -> None:
        self.probes.append((cluster, rate, packets * 1200))


class World:
    """A field and a face, a subscriber, and a line by which feedback comes."""

    def __init__(self, extensions: tuple[int, ...] = WIDE) -> None:
        self.plane = Told()
        self.now = 100.0
        self.producers: dict[ProducerId, Producer] = {}
        self.rates: dict[ProducerId, tuple[float, ...]] = {}
        self._bytes: dict[ProducerId, list[float]] = {}
        ids = iter(range(50, 99))
        self.subscriber = Subscriber(TransportId(9), lambda: next(ids))
        self.delivery = Delivery(self.subscriber, cast(Plane, self.plane), 6 * M)
        self.field = self._add(1, "field", FIELD, (540, 1080, 2160), extensions)
        self.face = self._add(2, "camera", FACE, (180, 360, 720), extensions)
        self.told: list[Delivered] = []
        self.queue = 0.0  # bytes

    def _add(
        self,
        number: int,
        source: str,
        rates: tuple[float, ...],
        heights: tuple[int, ...],
        extensions: tuple[int, ...],
    ) -> Slot:
        encodings = tuple(OfferedEncoding(ssrc=Ssrc(10 * number + i)) for i in range(3))
        track = OfferedTrack(Mid(str(number)), "video", Codec.H264, 90_000, 102, "", simulcast=encodings)
        producer = Producer(ProducerId(number), TransportId(1), track, source, heights)
        producer.identity.offsets = {0: 0, 1: 1, 2: 2}
        self.producers[producer.producer] = producer
        self.rates[producer.producer] = rates
        self._bytes[producer.producer] = [0.0] * 3
        slot = self.subscriber.assign(producer.producer, Codec.H264, 90_000, "")
        slot.accept(102, 103, extensions)
        slot.started = True
        return slot

    def run(self, seconds: float, capacity: float | None = None, *, feedback: bool = True) -> None:
        """Let time pass: what is sent arrives at `capacity` at most, and a queue grows by what does not."""
        for _ in range(round(seconds * 20)):
            self.now += 0.05
            for number, producer in self.producers.items():
                counters = self._bytes[number]
                for i, rate in enumerate(self.rates[number]):
                    counters[i] += rate / 8 * 0.05
                statistics = [EncodingStatistics(layer_bytes=(int(c), *[0] * 15)) for c in counters]
                producer.rates.update(statistics, self.now)
            if feedback:
                self._feedback(capacity)
            offered = {number: qualities(producer, self.now) for number, producer in self.producers.items()}
            self.told += self.delivery.decide(self.producers, offered, self.now)

    def sending(self) -> float:
        """Bits a second that the plane was told to send."""
        total = 0.0
        for slot in (self.field, self.face):
            if slot.consumer not in self.plane.paused:
                total += self.rates[slot.producer][slot.layer.encoding]
        return total

    def _feedback(self, capacity: float | None) -> None:
        """Let the line carry what was sent in the last 50 ms, filling too: all of it stands in one queue."""
        groups = []
        for i in range(10):
            sent = self.now - 0.05 + i * SLOT
            size, cluster = self.sending() / 8 * SLOT, 0
            if self.plane.probes:
                cluster, rate, left = self.plane.probes[0]
                # a probe is what there is to send, and so much more that it is the rate
                filling = min(left, max(0.0, rate / 8 * SLOT - size))
                size += filling
                self.plane.probes[0] = cluster, rate, left - filling
                if left - filling < 1:
                    self.plane.probes.pop(0)
            delay = 0.02
            if capacity is not None:
                before = self.queue
                self.queue = min(before + size, capacity / 8 * LONGEST_QUEUE)
                size = self.queue - before  # the rest is lost
                delay += self.queue * 8 / capacity
                self.queue = max(0.0, self.queue - capacity / 8 * SLOT)
            groups.append(_group(sent, sent + delay, size, cluster))
        self.delivery.receive_feedback(b"".join(map(bytes, groups)), self.now)


def _group(sent: float, arrived: float, size: float, cluster: int) -> FeedbackGroup:
    first, last, packets = int(sent * 1e9), int(sent * 1e9) + 1000, max(1, int(size / 1200))
    return FeedbackGroup(first, last, int(arrived * 1e9), int(size), packets, 0, cluster)


def test_on_a_wide_line_everything_is_sent_and_nothing_is_paced() -> None:
    world = World()
    world.run(5)
    assert (world.field.layer, world.face.layer) == (Layer(2), Layer(2))
    assert world.plane.paused == set()
    assert world.plane.pacing == 0
    # what was less at the beginning is told to be the best again
    assert {d.producer: d.reason for d in world.told} in (
        {},
        {1: Reason.NONE, 2: Reason.NONE},
        {1: Reason.NONE},
    )


@pytest.mark.parametrize(("capacity", "expected"), [(9 * M, 1), (3 * M, 0)])
def test_on_a_narrow_line_the_field_is_smaller_and_the_page_is_told_why(
    capacity: float, expected: int
) -> None:
    world = World()
    world.run(12, capacity)
    assert world.field.consumer not in world.plane.paused
    assert world.field.layer.encoding == expected
    assert [d.reason for d in world.told if d.producer == 1][-1] is Reason.LINE
    assert world.plane.pacing > 0


def test_what_a_line_carries_and_is_used_for_can_be_asked() -> None:
    world = World()
    world.run(12, 1.9 * M)
    state = world.delivery.state(world.now)
    assert state.carries is not None
    assert 0.5 * M < state.carries < 5 * M
    assert sum(state.pictures.values()) == 2
    assert {reason for _, reason in state.pictures} == {Reason.LINE}
    assert state.pictures[Sent.LESS, Reason.LINE] >= 1
    assert world.delivery.probes > 2
    wide = World()
    wide.run(10)
    assert wide.delivery.state(wide.now).pictures == {(Sent.WHOLE, Reason.NONE): 2}
    wide.face.height = 180
    wide.run(0.1)
    assert wide.delivery.state(wide.now).pictures[Sent.LESS, Reason.SIZE] == 1


def test_faces_are_given_up_before_the_field() -> None:
    world = World()
    world.run(12, 1.9 * M)
    assert world.field.consumer not in world.plane.paused
    # what is left is for a face's smallest, and nothing tempts anybody to try more
    for _ in range(280):
        world.run(0.1, 1.9 * M)
        assert (world.field.layer.encoding, world.face.layer.encoding) == (0, 0)
        assert world.plane.paused == set()


def test_a_line_that_becomes_wide_again_gets_everything_again() -> None:
    world = World()
    world.run(8, 3 * M)
    assert world.field.layer.encoding == 0
    world.run(25, 100 * M)
    assert world.field.layer.encoding == 2
    assert world.face.layer.encoding == 2


def test_a_lone_picture_that_was_paused_comes_back() -> None:
    world = World()
    world.face.hidden = True
    world.run(8, 0.4 * M)
    assert world.field.consumer in world.plane.paused
    world.run(20, 100 * M)
    assert world.field.consumer not in world.plane.paused
    assert world.field.layer.encoding == 2


def test_who_gives_no_feedback_is_not_throttled() -> None:
    for world in (World(NONE), World()):
        world.run(SILENCE + 1, feedback=False)
        assert (world.field.layer, world.face.layer) == (Layer(2), Layer(2))
        assert world.plane.probes == [] or world.delivery.estimator.silent(world.now, 100.0)


def test_a_line_that_carries_all_that_is_wished_hears_of_a_change_at_once() -> None:
    world = World()
    world.run(10)
    told = len(world.told)
    world.run(5)
    assert len(world.told) == told
    world.face.height = 180
    world.run(0.05)
    assert world.face.layer == Layer(0)
    world.face.height = 720
    world.run(0.05)
    assert world.face.layer == Layer(2)


def test_before_the_first_feedback_nobodys_least_picture_waits() -> None:
    world = World()
    world.rates[ProducerId(1)] = (20 * M, 0.0, 0.0)
    world.run(0.6, feedback=False)
    world.run(0.3, feedback=False)
    assert world.plane.paused == set()


def test_the_receivers_own_estimate_is_honoured() -> None:
    world = World(NONE)
    world.delivery.estimator.receive_remb(3 * M)
    world.run(3, feedback=False)
    assert world.field.layer.encoding == 0
    assert world.field.consumer not in world.plane.paused


def test_who_has_nothing_but_its_own_estimate_never_goes_dark() -> None:
    world = World(NONE)
    world.delivery.estimator.receive_remb(30_000)
    world.run(3, feedback=False)
    # it can only rise by what arrives: the field's least does
    assert world.field.consumer not in world.plane.paused
    assert (world.field.layer.encoding, world.face.layer.encoding) == (0, 0)
    world.delivery.estimator.receive_remb(60 * M)
    world.run(1, feedback=False)
    assert (world.field.layer, world.face.layer) == (Layer(2), Layer(2))
    assert world.plane.paused == set()


def test_a_size_that_the_publisher_cannot_send_is_told_and_until_it_really_comes_again() -> None:
    world = World()
    world.run(10, 100 * M)
    world.told.clear()
    world.rates[ProducerId(1)] = (1.5 * M, 6 * M, 0.0)
    world.run(8, 100 * M)
    assert [(d.reason, d.height) for d in world.told if d.producer == 1] == [(Reason.PUBLISHER, 1080)]
    # it may be woken, and is aimed at; what is sent is still the smaller one
    world.told.clear()
    world.field.sending = 1
    world.producers[ProducerId(1)].wanted = (True, True, False)
    world.run(4, 100 * M)
    assert world.field.layer.encoding == 2
    assert world.told == []
    world.rates[ProducerId(1)] = FIELD
    world.field.sending = 2
    world.run(4, 100 * M)
    assert [(d.reason, d.height) for d in world.told if d.producer == 1] == [(Reason.NONE, 2160)]


def test_a_small_tile_lacks_nothing_where_the_large_size_does_not_come() -> None:
    world = World()
    world.rates[ProducerId(1)] = (1.5 * M, 6 * M, 0.0)
    world.field.height = 540
    world.run(5, 100 * M)
    assert all(d.reason is not Reason.PUBLISHER for d in world.told)
    assert world.field.layer.encoding == 0
