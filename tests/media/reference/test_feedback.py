"""Arrivals and feedback under any loss and any order: what is told is what came, and what is joined was sent."""

from hypothesis import given, settings
from hypothesis import strategies as st

from media.reference.arrivals import MAX_NUMBERS, ArrivalLog
from media.reference.sent_window import BURST_NS, SentWindow
from media.rtp.transport_wide import TICK_NS, Arrivals

_MS = 1_000_000

#: Steps from one packet to the next: numbers skipped or gone back, and time gone by in ms.
_packets = st.lists(
    st.tuples(st.integers(-6, 9), st.one_of(st.integers(0, 3), st.integers(0, 40), st.just(9000))),
    max_size=150,
)


@given(_packets, st.integers(0, 0xFFFF))
@settings(max_examples=150, deadline=None)
def test_what_is_told_is_what_came(packets: list[tuple[int, int]], first: int) -> None:
    log = ArrivalLog()
    number, now = first + 0x10000, 1_795_305_600_000 * _MS
    came: dict[int, int] = {}
    told: dict[int, int | None] = {}
    expected = 0
    for step, milliseconds in packets:
        number, now = number + step, now + milliseconds * _MS
        timer = log.get_timer()
        if timer is not None and timer <= now:
            for feedback in log.take(now):
                read = Arrivals.parse(bytes(feedback))
                assert read == feedback
                assert read.count == expected
                assert len(bytes(read)) <= 1200
                expected = expected + 1 & 0xFF
                told |= {read.base + i & 0xFFFF: tick for i, tick in enumerate(read.ticks)}
        log.record(number & 0xFFFF, now, now)
        came.setdefault(number & 0xFFFF, now // TICK_NS)
    for feedback in log.take(now + 1000 * _MS):
        told |= {feedback.base + i & 0xFFFF: tick for i, tick in enumerate(feedback.ticks)}
    for key, tick in told.items():
        if tick is not None:
            assert tick & 0xFFFFFFFF == came[key] & 0xFFFFFFFF
    near = {key for key in came if (number - key + 0x8000 & 0xFFFF) - 0x8000 < MAX_NUMBERS - 10}
    assert {key for key in near if told.get(key) is None} == set()


@given(
    st.lists(
        st.tuples(st.integers(1, 1500), st.integers(0, 12), st.integers(0, 2)), min_size=1, max_size=100
    ),
    st.data(),
)
@settings(max_examples=100, deadline=None)
def test_what_is_joined_was_sent(sent: list[tuple[int, int, int]], data: st.DataObject) -> None:
    window = SentWindow()
    now = 1_795_305_600_000 * _MS
    for size, milliseconds, cluster in sent:
        now += milliseconds * _MS
        window.put(size, now, cluster)
    ticks = data.draw(st.lists(st.one_of(st.none(), st.integers(0, 100)), min_size=1, max_size=120))
    base = data.draw(st.integers(-20, 120))
    groups = window.join(Arrivals(base & 0xFFFF, tuple(ticks), 0))
    named = [(base + i, tick) for i, tick in enumerate(ticks) if 1 <= base + i <= len(sent)]
    received = [number for number, tick in named if tick is not None]
    assert sum(group.packets_received for group in groups) == len(received)
    assert sum(group.packets_lost for group in groups) == len(named) - len(received)
    assert sum(group.bytes_received for group in groups) == sum(sent[number - 1][0] for number in received)
    assert window.ignored == len(ticks) - len(named)
    assert all(0 <= group.last_sent - group.first_sent <= BURST_NS for group in groups)
    # said once more, of what arrived nothing is believed, of what did not nothing either
    assert not window.join(Arrivals(base & 0xFFFF, tuple(ticks), 1))
