"""The index of a server that was there before: it is read on, and what it lacks is added."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from annotation.dicom.errors import DicomError
from server.dicom.index import Index, Refused

#: The list of refused files as it was before it had details.
EARLIER = """CREATE TABLE quarantine (
    number INTEGER PRIMARY KEY, room TEXT NOT NULL, name TEXT NOT NULL, source TEXT NOT NULL, code TEXT NOT NULL,
    reason TEXT NOT NULL, bytes INTEGER NOT NULL, file TEXT NOT NULL, added REAL NOT NULL
);
INSERT INTO quarantine VALUES (1, 'room', 'old.dcm', 'upload', 'broken', 'It is broken.', 9, 'kept', 5.0);"""


def test_an_index_from_before_there_were_details_is_read_on(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    with sqlite3.connect(path) as database:
        database.executescript(EARLIER)
    database.close()
    new = Refused(2, "new.zip", "zip", "unsupported", "It is encrypted.", 7, "", 6.0, "zip_encrypted")
    for _ in range(2):
        index = Index(path)
        if len(index.refused("room")) == 1:
            assert index.refuse("room", new) == 2
        index.refuse_again("room", 1, DicomError("too_large", "No place.", "room_full"), kept=True)
        index.close()
    index = Index(path)
    old = Refused(1, "old.dcm", "upload", "too_large", "No place.", 9, "kept", 5.0, "room_full")
    assert index.refused("room") == [new, old]
    index.close()
