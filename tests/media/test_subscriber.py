"""The slots of a subscriber: media sections that are never taken out, and SSRCs that are never used twice."""

from __future__ import annotations

import itertools

from media.ids import ConsumerId, ProducerId, TransportId
from media.plane import Codec, Extension
from media.subscriber import Slot, Subscriber


def make() -> Subscriber:
    ids = itertools.count(1)
    return Subscriber(TransportId(1), lambda: next(ids))


def assign(subscriber: Subscriber, producer: int, codec: Codec = Codec.VP8) -> Slot:
    return subscriber.assign(ProducerId(producer), codec, 90_000, "")


def test_a_section_that_became_free_is_used_by_the_next_of_its_kind_under_new_ssrcs() -> None:
    subscriber = make()
    first, sound = assign(subscriber, 7), assign(subscriber, 8, Codec.OPUS)
    before = {first.ssrc, first.rtx_ssrc}
    subscriber.release(ProducerId(7))
    assert assign(subscriber, 9, Codec.OPUS) is not first
    again = assign(subscriber, 10, Codec.H264)
    assert again is first
    assert not before & {again.ssrc, again.rtx_ssrc, sound.ssrc}
    assert [slot.mid for slot in subscriber.slots] == ["0", "1", "2"]
    assert subscriber.watched() == [10, 8, 9]


def test_only_a_started_consumer_is_to_be_stopped() -> None:
    subscriber = make()
    slot = assign(subscriber, 7)
    assert subscriber.release(ProducerId(7)) is None
    slot = assign(subscriber, 8)
    slot.started = True
    assert subscriber.release(ProducerId(8)) == ConsumerId(2)
    assert subscriber.release(ProducerId(8)) is None


def test_without_rtx_nothing_is_written_that_changes_with_each_sending() -> None:
    slot = assign(make(), 7)
    slot.accept(96, 97, (1, 2, 3, 4, 5, 6))
    assert slot.extensions == (1, 2, 3, 4, 5, 6)
    slot.accept(96, 0, (1, 2, 3, 4, 5, 6))
    assert slot.extensions[Extension.ABS_SEND_TIME] == slot.extensions[Extension.TRANSPORT_WIDE] == 0
    assert slot.extensions[Extension.MID] == 1


def test_loss_is_noted_by_either_ssrc_and_by_no_others() -> None:
    subscriber = make()
    slot = assign(subscriber, 7)
    subscriber.report_loss(slot.rtx_ssrc, 0.25)
    assert slot.loss == 0.25
    subscriber.release(ProducerId(7))
    subscriber.report_loss(slot.ssrc, 0.5)
    assert slot.loss == 0.25
