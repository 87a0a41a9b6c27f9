"""The tables of what is kept: classes and terms, holds, consents, deletions, copies, backups."""

from __future__ import annotations

PART = "keeping"

#: Times are Unix milliseconds. `years` NULL: until consent to teaching ends. `least`: what the law leaves no choice of.
SCRIPTS = (
    """
    CREATE TABLE retention (
        class TEXT PRIMARY KEY, years INTEGER, least INTEGER NOT NULL, usual INTEGER NOT NULL,
        recordings INTEGER NOT NULL
    );
    INSERT INTO retention VALUES
        ('audit', 5, 5, 0, 0), ('medical', 15, 0, 0, 1), ('process', 3, 0, 1, 1), ('teaching', NULL, 0, 0, 1);
    CREATE TABLE kept (
        recording TEXT PRIMARY KEY, room TEXT NOT NULL, started INTEGER NOT NULL,
        class TEXT NOT NULL REFERENCES retention, proposed INTEGER, deleted INTEGER
    );
    CREATE INDEX kept_room ON kept (room);
    CREATE TABLE hold (
        number INTEGER PRIMARY KEY, recording TEXT NOT NULL REFERENCES kept, reason TEXT NOT NULL,
        since INTEGER NOT NULL, person TEXT NOT NULL, name TEXT NOT NULL,
        lifted INTEGER, lifted_name TEXT, lifted_reason TEXT
    );
    CREATE INDEX hold_recording ON hold (recording);
    CREATE TABLE consent (
        number INTEGER PRIMARY KEY, recording TEXT NOT NULL REFERENCES kept, purpose TEXT NOT NULL,
        given INTEGER NOT NULL, until INTEGER, reference TEXT NOT NULL,
        at INTEGER NOT NULL, person TEXT NOT NULL, name TEXT NOT NULL
    );
    CREATE INDEX consent_recording ON consent (recording, purpose);
    CREATE TABLE deletion (
        number INTEGER PRIMARY KEY, recording TEXT NOT NULL REFERENCES kept, reason TEXT NOT NULL,
        person TEXT NOT NULL, name TEXT NOT NULL, asked INTEGER NOT NULL, expires INTEGER NOT NULL,
        state TEXT NOT NULL, answered_person TEXT, answered_name TEXT, answered INTEGER,
        remaining TEXT NOT NULL DEFAULT '', done INTEGER
    );
    CREATE UNIQUE INDEX deletion_open ON deletion (recording) WHERE state IN ('asked', 'agreed')
    """,
    """
    CREATE TABLE copied (
        recording TEXT NOT NULL, name TEXT NOT NULL, sm3 TEXT NOT NULL, bytes INTEGER NOT NULL,
        PRIMARY KEY (recording, name)
    ) WITHOUT ROWID;
    CREATE TABLE copy (
        recording TEXT PRIMARY KEY, whole INTEGER, problem TEXT NOT NULL DEFAULT '',
        failures INTEGER NOT NULL DEFAULT 0, again INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE backup (folder TEXT PRIMARY KEY, made INTEGER NOT NULL)
    """,
)
