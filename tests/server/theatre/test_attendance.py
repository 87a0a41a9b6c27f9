"""Hours in the theatre, in virtual time: who was there while it played, and for how long."""

from __future__ import annotations

from server.keeping.audit import Doer
from server.theatre.attendance import Attendance
from server.training.watched import Played
from signalling.entities import ParticipantId

MARIA, JIN = (ParticipantId(name) for name in ("pt-1", "pt-2"))
WHO = {one: Doer(f"person {one}", "", "trainee", "demo") for one in (MARIA, JIN)}


def present(*those: ParticipantId) -> dict[ParticipantId, Doer]:
    return {one: WHO[one] for one in those}


def standing(
    attendance: Attendance, *, playing: bool, position: float, at: float, speed: float = 1.0
) -> None:
    attendance.stand(playing=playing, position=position, at=at, speed=speed)


def test_what_played_while_somebody_was_there_is_his() -> None:
    attendance = Attendance()
    assert attendance.look(present(MARIA), 100.0) == (None, [])
    # nothing is counted while it stands, nor before the picture that is asked for is shown
    standing(attendance, playing=False, position=5.0, at=101.0)
    assert attendance.look(present(MARIA), 110.0)[0] is None
    standing(attendance, playing=True, position=5.0, at=112.0, speed=2.0)
    assert attendance.look(present(MARIA), 111.0)[0] is None
    # who comes later has not seen what was before
    assert attendance.look(present(MARIA, JIN), 117.0) == (Played(5.0, 15.0, 2.0), [WHO[MARIA]])
    assert attendance.look(present(MARIA, JIN), 122.0) == (Played(15.0, 25.0, 2.0), [WHO[MARIA], WHO[JIN]])
    # who leaves was there until then; whose line broke in between was perhaps not
    assert attendance.look(present(JIN), 123.0, leaving=MARIA) == (
        Played(25.0, 27.0, 2.0),
        [WHO[MARIA], WHO[JIN]],
    )
    assert attendance.look(present(), 125.0) == (Played(27.0, 31.0, 2.0), [])
    assert attendance.look(present(JIN), 126.0) == (Played(31.0, 33.0, 2.0), [])


def test_no_second_counts_twice_and_none_backwards() -> None:
    attendance = Attendance()
    attendance.look(present(MARIA), 100.0)
    standing(attendance, playing=True, position=0.0, at=100.0)
    assert attendance.look(present(MARIA), 110.0)[0] == Played(0.0, 10.0, 1.0)
    # told late that it has stood still since before the last look
    assert attendance.look(present(MARIA), 109.0)[0] is None
    standing(attendance, playing=False, position=9.0, at=109.0)
    assert attendance.look(present(MARIA), 120.0)[0] is None
    standing(attendance, playing=True, position=9.0, at=120.0)
    assert attendance.look(present(MARIA), 120.01)[0] is None, "a hair's breadth is not watching"
    played, _ = attendance.look(present(MARIA), 121.0)
    assert played is not None
    assert (round(played.begins, 6), round(played.ends, 6)) == (9.01, 10.0)
