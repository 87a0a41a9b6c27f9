"""The tables of training. What was delivered once is never changed: another script is appended."""

from __future__ import annotations

from typing import Final

_QUIZZES: Final = """
CREATE TABLE training_person (
    id TEXT PRIMARY KEY,
    room TEXT NOT NULL,
    person TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    seen REAL NOT NULL,
    UNIQUE (room, person)
);
CREATE TABLE training_question (
    id TEXT PRIMARY KEY,
    room TEXT NOT NULL,
    recording TEXT NOT NULL,
    producer INTEGER NOT NULL,
    rtp_timestamp INTEGER NOT NULL,
    at REAL NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    millimetres REAL,
    prompt TEXT NOT NULL,
    words TEXT NOT NULL,
    tolerance REAL NOT NULL,
    overlap REAL NOT NULL,
    answer TEXT NOT NULL,
    log_mark TEXT,
    expert TEXT NOT NULL,
    made_by TEXT NOT NULL REFERENCES training_person (id),
    made REAL NOT NULL,
    removed REAL
);
CREATE INDEX training_question_of ON training_question (recording, at);
CREATE TABLE training_attempt (
    id INTEGER PRIMARY KEY,
    question TEXT NOT NULL REFERENCES training_question (id),
    person TEXT NOT NULL REFERENCES training_person (id),
    made REAL NOT NULL,
    mark TEXT NOT NULL,
    distance REAL NOT NULL,
    overlap REAL,
    passed INTEGER NOT NULL
);
CREATE INDEX training_attempt_of ON training_attempt (question, person)
"""

_HOURS_AND_PLAYLISTS: Final = """
CREATE TABLE training_watched (
    person TEXT NOT NULL REFERENCES training_person (id),
    recording TEXT NOT NULL,
    seconds REAL NOT NULL,
    ranges TEXT NOT NULL,
    total REAL NOT NULL,
    spent REAL NOT NULL,
    speeds TEXT NOT NULL,
    heard REAL NOT NULL,
    used REAL NOT NULL,
    PRIMARY KEY (person, recording)
);
CREATE TABLE training_playlist (
    id TEXT PRIMARY KEY,
    room TEXT NOT NULL,
    title TEXT NOT NULL,
    note TEXT NOT NULL,
    due REAL,
    items TEXT NOT NULL,
    people TEXT,
    made_by TEXT NOT NULL REFERENCES training_person (id),
    made REAL NOT NULL,
    removed REAL
);
CREATE INDEX training_playlist_of ON training_playlist (room, made)
"""

_ASSESSMENTS: Final = """
CREATE TABLE training_form (
    form TEXT NOT NULL,
    version INTEGER NOT NULL,
    room TEXT NOT NULL,
    title TEXT NOT NULL,
    items TEXT NOT NULL,
    made_name TEXT NOT NULL,
    made REAL NOT NULL,
    removed REAL,
    PRIMARY KEY (form, version)
);
CREATE TABLE training_assessment (
    id TEXT PRIMARY KEY,
    room TEXT NOT NULL,
    form TEXT NOT NULL,
    version INTEGER NOT NULL,
    title TEXT NOT NULL,
    items TEXT NOT NULL,
    person TEXT NOT NULL REFERENCES training_person (id),
    recording TEXT,
    begins REAL,
    ends REAL,
    answers TEXT NOT NULL,
    points REAL,
    most REAL,
    remark TEXT NOT NULL,
    by_person TEXT NOT NULL REFERENCES training_person (id),
    by_name TEXT NOT NULL,
    made REAL NOT NULL
);
CREATE INDEX training_assessment_of ON training_assessment (person, made);
CREATE TABLE training_certificate (
    code TEXT PRIMARY KEY,
    room TEXT NOT NULL,
    person TEXT NOT NULL REFERENCES training_person (id),
    body BLOB NOT NULL,
    signature BLOB NOT NULL,
    made REAL NOT NULL
)
"""

#: What a question was before it was changed: each answer keeps the one that it was given to.
_CHANGES: Final = """
ALTER TABLE training_question ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE training_attempt ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
CREATE TABLE training_question_before (
    question TEXT NOT NULL REFERENCES training_question (id),
    version INTEGER NOT NULL,
    prompt TEXT NOT NULL,
    words TEXT NOT NULL,
    tolerance REAL NOT NULL,
    overlap REAL NOT NULL,
    answer TEXT NOT NULL,
    log_mark TEXT,
    expert TEXT NOT NULL,
    changed_by TEXT NOT NULL REFERENCES training_person (id),
    changed REAL NOT NULL,
    PRIMARY KEY (question, version)
)
"""

#: A recording of the list was deleted since its words were written, and with it what hides its patient in them.
_LOST: Final = "ALTER TABLE training_playlist ADD COLUMN lost INTEGER NOT NULL DEFAULT 0"

#: Quizzes were delivered alone.
SCRIPTS: Final = (_QUIZZES, _HOURS_AND_PLAYLISTS, _ASSESSMENTS, _CHANGES, _LOST)
