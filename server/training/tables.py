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

SCRIPTS: Final = (_QUIZZES,)
