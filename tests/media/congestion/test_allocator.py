"""Who is sent what of a line: a table a clinician can read, and what must hold for every line."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.congestion.allocator import (
    MARGIN,
    PRIORITIES,
    RESERVED,
    Allocation,
    Demand,
    Offer,
    Priority,
    Reason,
    allocate,
    degradations,
)
from media.ids import ProducerId

# bit/s: a field of 4K, 1080p and 540p; a face of 720p, 360p and 180p; sound
FIELD = (Offer(0, 1_500_000, 540, 60), Offer(1, 6_000_000, 1080, 60), Offer(2, 20_000_000, 2160, 60))
FACE = (Offer(0, 150_000, 180, 30), Offer(1, 500_000, 360, 30), Offer(2, 1_500_000, 720, 30))
SOUND = (Offer(0, 40_000),)
# SVC: two sizes in two frame rates each
SVC = (
    Offer(0, 300_000, 360, 15),
    Offer(1, 500_000, 360, 30),
    Offer(4, 900_000, 720, 15),
    Offer(5, 1_500_000, 720, 30),
)

K, M = 1_000, 1_000_000


def field(number: int = 1, height: int | None = None, current: int | None = None) -> Demand:
    return Demand(ProducerId(number), Priority.FIELD, FIELD, height, current)


def second(number: int = 10, height: int | None = None, current: int | None = None) -> Demand:
    return Demand(ProducerId(number), Priority.SECOND, FIELD, height, current)


def face(number: int = 20, height: int | None = None, current: int | None = None) -> Demand:
    return Demand(ProducerId(number), Priority.FACE, FACE, height, current)


def sound(number: int = 30) -> Demand:
    return Demand(ProducerId(number), Priority.AUDIO, SOUND)


def keys(budget: int | None, *demands: Demand) -> list[int | None]:
    return [allocation.key for allocation in allocate(budget, demands)]


N = None
# fmt: off
TABLE: list[tuple[str, int | None, tuple[Demand, ...], Sequence[int | None]]] = [
    # no limit is known
    ("all of everything",                   None,     (field(), second(), face(), sound()),        [2, 2, 2, 0]),
    ("as sharp as its tile",                None,     (field(height=1080), face(height=180)),      [1, 0]),
    ("nothing on a hidden tile",            None,     (field(height=0), face(height=0)),           [N, N]),
    ("sound has no tile",                   None,     (sound(),),                                  [0]),
    ("nobody",                              None,     (),                                          []),
    ("a tile between two sizes: the better",None,     (field(height=700),),                        [1]),
    ("a tenth less than the tile does",     None,     (field(height=590),),                        [0]),
    ("a tile above all sizes: the best",    None,     (field(height=4000),),                       [2]),
    ("a tile of one pixel: the least",      None,     (field(height=1),),                          [0]),
    # one field, from a wide line to none
    ("field 100M",                          100 * M,  (field(),),                                  [2]),
    ("field just all",                      23 * M,   (field(),),                                  [2]),
    ("field 20M: no margin for 4K",         20 * M,   (field(),),                                  [1]),
    ("field 8M",                            8 * M,    (field(),),                                  [1]),
    ("field 6M: no margin for 1080",        6 * M,    (field(),),                                  [0]),
    ("field 2M",                            2 * M,    (field(),),                                  [0]),
    ("field 1M: not even the least",        1 * M,    (field(),),                                  [N]),
    ("field on nothing",                    0,        (field(),),                                  [N]),
    # what is sent already stays while it fits
    ("4K stays at 20.1M",                   20_100 * K, (field(current=2),),                       [2]),
    ("4K goes at 19M",                      19 * M,   (field(current=2),),                         [1]),
    ("1080 stays at 6.1M",                  6_100 * K, (field(current=1),),                        [1]),
    ("1080 goes at 5.9M",                   5_900 * K, (field(current=1),),                        [0]),
    ("540 stays at 1.6M",                   1_600 * K, (field(current=0),),                        [0]),
    ("540 alone does not help 1080 up",     6 * M,    (field(current=0),),                         [0]),
    ("an unknown current is none",          6 * M,    (field(current=7),),                         [0]),
    # sound before all
    ("sound on no line at all",             0,        (sound(),),                                  [0]),
    ("sound before the field",              1_560 * K, (field(), sound()),                         [N, 0]),
    ("sixteen voices on a narrow line",     100 * K,  tuple(sound(n) for n in range(30, 46)),      [0] * 16),
    ("sound stays, the field goes",         300 * K,  (field(current=2), sound()),                 [N, 0]),
    ("order of the list is no matter",      1_560 * K, (sound(), field()),                         [0, N]),
    # the field before everything that is seen
    ("field and second, all fits",          50 * M,   (field(), second()),                         [2, 2]),
    ("field whole, second less",            30 * M,   (field(), second()),                         [2, 1]),
    ("field whole, second least",           25 * M,   (field(), second()),                         [2, 0]),
    ("field whole, second none",             21 * M,   (field(current=2), second()),               [2, N]),
    ("second named first",                   21 * M,   (second(), field(current=2)),               [N, 2]),
    ("field less, second none",             7 * M,    (field(), second()),                         [1, N]),
    ("field and faces, all fits",           30 * M,   (field(), face(20), face(21)),               [2, 2, 2]),
    ("field whole, faces smaller",           22 * M,   (field(current=2), face(20), face(21)),     [2, 1, 1]),
    ("field whole, one face whole",          22_350 * K, (field(current=2), face(20), face(21)),   [2, 2, 1]),
    ("field whole, one face",               20_300 * K, (field(current=2), face(20), face(21)),    [2, 0, N]),
    ("field whole, no face",                20_100 * K, (field(current=2), face(20), face(21)),    [2, N, N]),
    ("no face is worth a step of the field",8 * M,    (field(), face(20), face(21)),               [1, 1, 1]),
    ("second before faces",                 2 * M,    (second(), face()),                          [0, 0]),
    ("second before faces, none left",       1_600 * K, (second(current=0), face()),              [0, N]),
    ("all four kinds, wide",                60 * M,   (field(), second(), face(), sound()),        [2, 2, 2, 0]),
    ("all four kinds, narrower",            32 * M,   (field(), second(), face(), sound()),        [2, 1, 2, 0]),
    ("all four kinds, narrow",              9 * M,    (field(), second(), face(), sound()),        [1, 0, 1, 0]),
    ("all four kinds, very narrow",         2 * M,    (field(), second(), face(), sound()),        [0, N, 0, 0]),
    ("all four kinds, hardly",               600 * K,  (field(), second(), face(), sound()),       [N, N, 0, 0]),
    # two fields share: everybody's least before anybody's more
    ("two fields, wide",                    60 * M,   (field(1), field(2)),                        [2, 2]),
    ("two fields, the first one better",    30 * M,   (field(1), field(2)),                        [2, 1]),
    ("two fields, both middling",           15 * M,   (field(1), field(2)),                        [1, 1]),
    ("two fields, one middling",            9 * M,    (field(1), field(2)),                        [1, 0]),
    ("two fields, both least",              4 * M,    (field(1), field(2)),                        [0, 0]),
    ("two fields, one least",               2 * M,    (field(1), field(2)),                        [0, N]),
    ("four fields, wide",                   100 * M,  tuple(field(n) for n in range(1, 5)),        [2, 2, 2, 2]),
    ("four fields, 50M",                     50 * M,   tuple(field(n) for n in range(1, 5)),       [2, 1, 1, 1]),
    # tiles bound what is taken
    ("a small field leaves room",           10 * M,   (field(height=540), second()),               [0, 1]),
    ("hidden faces cost nothing",           24 * M,   (field(), face(20, 0), face(21)),            [2, N, 2]),
    ("faces as sharp as their tiles",       24 * M,   (field(), face(20, 180), face(21, 180)),     [2, 0, 0]),
    ("sixteen faces in small tiles",        28 * M,   (field(), *(face(n, 180) for n in range(20, 36))),
                                                      [2] + [0] * 16),
    ("sixteen faces, room for four",        20_800 * K, (field(current=2), *(face(n, 180) for n in range(20, 36))),
                                                      [2] + [0] * 4 + [N] * 12),
    # resolution before frame rate: 360p at 30 before 720p at 15
    ("SVC whole",                           2 * M,    (Demand(ProducerId(1), Priority.FACE, SVC),), [5]),
    ("SVC: smaller, not slower",            1_200 * K, (Demand(ProducerId(1), Priority.FACE, SVC),), [1]),
    ("SVC: slower last",                    420 * K,  (Demand(ProducerId(1), Priority.FACE, SVC),), [0]),
    ("SVC: nothing",                        300 * K,  (Demand(ProducerId(1), Priority.FACE, SVC),), [N]),
    ("SVC: tile of 360",                    2 * M,    (Demand(ProducerId(1), Priority.FACE, SVC, 360),), [1]),
]
# fmt: on


@pytest.mark.parametrize(
    ("budget", "demands", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_table(budget: int | None, demands: tuple[Demand, ...], expected: Sequence[int | None]) -> None:
    assert keys(budget, *demands) == expected


@pytest.mark.parametrize(
    ("budget", "demand", "reason"),
    [
        (None, field(), Reason.NONE),
        (None, field(height=1080), Reason.SIZE),
        (None, field(height=0), Reason.HIDDEN),
        (8 * M, field(), Reason.LINE),
        (8 * M, field(height=1080), Reason.SIZE),
        (2 * M, field(height=1080), Reason.LINE),
        (0, field(), Reason.LINE),
        (0, sound(), Reason.NONE),
        (0, face(height=0), Reason.HIDDEN),
    ],
)
def test_the_reason_is_told(budget: int | None, demand: Demand, reason: Reason) -> None:
    assert allocate(budget, [demand])[0].reason is reason


def test_what_would_be_sent_on_a_better_line_is_told() -> None:
    assert allocate(2 * M, [field(height=1080)]) == [Allocation(ProducerId(1), 0, Reason.LINE, 1)]


def test_every_source_has_a_class() -> None:
    assert set(PRIORITIES) == {"microphone", "field", "second", "screen", "camera"}


def test_what_costs_more_without_being_better_is_never_chosen() -> None:
    odd = (Offer(0, 900_000, 180, 30), Offer(1, 500_000, 360, 30))
    assert [offer.key for offer in degradations(odd)] == [1]


@st.composite
def rooms(draw: st.DrawFn) -> list[Demand]:
    makers = draw(st.lists(st.sampled_from([field, second, face]), max_size=8))
    heights = st.sampled_from([None, 0, 180, 540, 1080, 2160])
    return [
        m(number, draw(heights), draw(st.sampled_from([None, 0, 1, 2]))) for number, m in enumerate(makers, 1)
    ]


def rate(demands: list[Demand], allocations: list[Allocation]) -> int:
    offers = [{offer.key: offer.rate for offer in demand.offers} for demand in demands]
    return sum(o[a.key] for o, a in zip(offers, allocations, strict=True) if a.key is not None)


@settings(max_examples=200)
@given(rooms(), st.integers(0, 120 * M))
def test_never_more_than_the_line_carries(demands: list[Demand], budget: int) -> None:
    assert rate(demands, allocate(budget, demands)) <= max(0, budget - RESERVED)


@settings(max_examples=200)
@given(rooms(), st.integers(0, 120 * M))
def test_what_is_decided_stays_decided(demands: list[Demand], budget: int) -> None:
    first = allocate(budget, demands)
    again = [
        Demand(d.producer, d.priority, d.offers, d.height, a.key) for d, a in zip(demands, first, strict=True)
    ]
    second_time = allocate(budget, again)
    # what had been given is not taken back, nor is anything added but what the margin had kept
    for demand, before, after in zip(again, first, second_time, strict=True):
        if demand.priority is Priority.FIELD and before.key is not None:
            assert after.key is not None
            assert after.key >= before.key


@settings(max_examples=200)
@given(rooms(), st.integers(0, 60 * M))
def test_a_wider_line_never_costs_the_field_anything(demands: list[Demand], budget: int) -> None:
    def best(budget: int) -> list[int]:
        allocations = allocate(budget, demands)
        fields = [a for d, a in zip(demands, allocations, strict=True) if d.priority is Priority.FIELD]
        return [-1 if a.key is None else a.key for a in fields]

    # of one field; several share in turns, and a step of one may cost another its own
    if sum(d.priority is Priority.FIELD for d in demands) == 1:
        assert best(int(budget * MARGIN) + 1) >= best(budget)
