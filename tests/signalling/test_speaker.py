"""Who speaks, from loudness alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from signalling.speaker import SILENCE, ActiveSpeaker

TICK = 0.1
SPEECH, QUIET = 25, 70


class Room:
    """Voices over time."""

    def __init__(self) -> None:
        self.active = ActiveSpeaker()
        self.now = 100.0
        self.changes = 0

    def hear(self, seconds: float, **levels: int) -> str | None:
        """Let everybody be so loud for so long; returns who speaks then."""
        for _ in range(round(seconds / TICK)):
            self.now += TICK
            self.changes += self.active.receive_levels(levels, self.now)
        return self.active.speaker


def test_the_first_voice_is_the_speaker_at_once() -> None:
    room = Room()
    assert room.hear(1, a=QUIET, b=QUIET) is None
    assert room.hear(0.3, a=SPEECH, b=QUIET) == "a"


def test_a_cough_is_no_speech() -> None:
    room = Room()
    room.hear(3, a=SPEECH, b=QUIET)
    assert room.hear(0.3, a=SPEECH, b=10) == "a"
    assert room.hear(2, a=SPEECH, b=QUIET) == "a"


def test_who_speaks_after_another_takes_over_within_two_seconds() -> None:
    room = Room()
    room.hear(3, a=SPEECH, b=QUIET)
    assert room.hear(2, a=QUIET, b=SPEECH) == "b"
    assert room.changes == 2


def test_a_breath_does_not_end_a_speech_and_two_as_loud_do_not_take_turns() -> None:
    room = Room()
    room.hear(3, a=SPEECH, b=QUIET)
    for _ in range(10):
        room.hear(0.4, a=QUIET, b=QUIET)
        room.hear(0.6, a=SPEECH, b=QUIET)
    for _ in range(20):
        room.hear(0.3, a=SPEECH, b=SPEECH + 2)
        room.hear(0.3, a=SPEECH + 2, b=SPEECH)
    assert room.changes == 1


def test_after_silence_nobody_speaks_and_who_is_muted_stops_at_once() -> None:
    room = Room()
    room.hear(3, a=SPEECH, b=QUIET)
    assert room.hear(SILENCE - 1, a=QUIET, b=QUIET) == "a"
    assert room.hear(3, a=QUIET, b=QUIET) is None
    assert room.hear(1, a=QUIET, b=SPEECH) == "b"
    assert room.hear(TICK, a=QUIET) is None


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 127)), max_size=60), st.floats(0, 5))
def test_whatever_is_heard_the_speaker_is_one_who_is_there(heard: list[dict[str, int]], step: float) -> None:
    active, now = ActiveSpeaker(), 0.0
    for levels in heard:
        now += step
        before = active.speaker
        assert active.receive_levels(levels, now) == (active.speaker != before)
        assert active.speaker is None or active.speaker in levels
