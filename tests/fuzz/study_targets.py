"""What people say of a note of a recording."""

from __future__ import annotations

from server.study.note import TEXT_CHARACTERS, NewNote, NoteError, changed, parse_change, parse_note

REFUSALS = (NoteError,)

#: By the first byte: a new note, or a change of one.
NOTES = (
    b'n{"kind":"clip","at":12.5,"until":34,"text":"Calot\'s triangle","shared":true}',
    b'n{"kind":"bookmark","at":0}',
    b'n{"kind":"comment","at":1e3,"text":"\\u5b57"}',
    b'c{"text":"other words","shared":false}',
)


def read_note(data: bytes) -> None:
    """Read one: it stands in the recording, and its words are within bounds."""
    if data[:1] == b"c":
        change = parse_change(data[1:])
        note = changed(NewNote("bookmark", 1.0, None, "", shared=False), change)
    else:
        note = parse_note(data[1:])
    assert 0 <= note.at <= (note.at if note.until is None else note.until) < 1e6
    assert (note.until is not None) == (note.kind == "clip")
    assert len(note.text) <= TEXT_CHARACTERS
    assert note.text or note.kind != "comment"
