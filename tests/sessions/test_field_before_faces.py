"""A line that does not carry all pictures: the field is served first, faces have what is left, sound is whole."""

from __future__ import annotations

from media.congestion.allocator import Reason
from tests.helpers.line import Line
from tests.helpers.virtual_call import VirtualCall
from tests.sessions.lines import FACE, FIELD, SOUND, M


def test_faces_give_way_to_the_field() -> None:
    line = Line(13, rate=1.2 * M)
    call = VirtualCall()
    faces = [call.publish("camera", *FACE) for _ in range(2)]
    field = call.publish("field", *FIELD)
    sound = call.publish("microphone", SOUND)
    expert = call.add_viewer(line)
    call.run(16)
    # the field has what a line of its own would give it
    assert expert.pictures[field].heights(6, 16) == {360}
    assert expert.pictures[field].longest_standstill(6, 16) < 0.5
    for face in faces:
        # seldom a step is tried that does not fit
        assert sum(d.producer == face and time > 6 for time, d in expert.told) <= 4
    last = {d.producer: d.reason for _, d in expert.told}
    assert last[field] is Reason.LINE
    assert Reason.LINE in {last.get(face) for face in faces}
    assert len(expert.pictures[sound].between(6, 16)) > 0.97 * 10 * 50


def test_on_a_line_for_the_field_alone_there_are_no_faces() -> None:
    call = VirtualCall()
    face = call.publish("camera", *FACE)
    field = call.publish("field", *FIELD)
    expert = call.add_viewer(Line(14, rate=0.27 * M))
    call.run(14)
    assert expert.pictures[field].heights(7, 14) == {180}
    # it is tried once at most
    assert len(expert.pictures[face].between(7, 14)) < 0.4 * 7 * 30
    assert len(expert.pictures[field].between(7, 14)) > 0.9 * 7 * 30
