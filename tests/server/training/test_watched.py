"""Hours watched: merged, counted once and in total, and never more than time went by."""

from __future__ import annotations

import itertools
import random
import sqlite3
from collections.abc import Iterator

import pytest

from annotation.values import AnnotationError
from server.training.tables import SCRIPTS
from server.training.watched import Played, hours_of, length, merge, parse_played, ranges_of, report, within

RECORDING = "20261122-101500-demo-3f9a"
NOW = 1_796_000_000.0


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    for script in SCRIPTS:
        connection.executescript(script)
    connection.execute(
        "INSERT INTO training_person VALUES ('p-1', 'demo', 'demo/Maria', 'Maria', 'trainee', 0)"
    )
    yield connection
    connection.close()


def test_what_is_seen_twice_counts_once_and_in_total(database: sqlite3.Connection) -> None:
    report(database, "p-1", RECORDING, 600, [Played(0, 30, 1), Played(20, 40, 2)], NOW)
    told = report(database, "p-1", RECORDING, 600, [Played(100, 130, 1), Played(590, 700, 4)], NOW + 60)
    # 0-40 and 100-130 and 590-600; the recording is over then
    assert told == {"once": 80, "total": 90}
    hours = hours_of(database, "p-1")
    assert (hours["once"], hours["total"], hours["spent"]) == (80, 90, 72.5)
    assert hours["recordings"][0]["speeds"] == {"1": 60, "2": 20, "4": 10}
    assert within(ranges_of(database, "p-1", RECORDING), 30, 110) == 20


def test_nobody_watches_more_than_time_goes_by(database: sqlite3.Connection) -> None:
    with pytest.raises(AnnotationError, match="More was played than time has gone by"):
        report(database, "p-1", RECORDING, 7200, [Played(0, 2000, 1)], NOW)
    # at four times the speed it takes a quarter
    report(database, "p-1", RECORDING, 7200, [Played(0, 1200, 4)], NOW)
    # in two windows, or reported often, it is the same person's time
    refused = 0
    for second in range(60):
        try:
            report(
                database,
                "p-1",
                f"{RECORDING}{second % 2}",
                7200,
                [Played(second, second + 9, 1)],
                NOW + second,
            )
        except AnnotationError:
            refused += 1
    assert refused > 50
    assert hours_of(database, "p-1")["spent"] <= 300 + 60 + 10


def test_what_was_refused_is_not_counted(database: sqlite3.Connection) -> None:
    with pytest.raises(AnnotationError):
        report(database, "p-1", RECORDING, 7200, [Played(0, 5000, 1)], NOW)
    assert hours_of(database, "p-1")["recordings"] == []


def test_merging_is_what_counting_each_second_gives() -> None:
    chance = random.Random(3)
    for _ in range(50):
        ranges = [(float(a), float(a + chance.randint(1, 30))) for a in chance.choices(range(300), k=20)]
        seconds = {second for a, b in ranges for second in range(int(a), int(b))}
        merged = merge(ranges)
        assert length(merged) == len(seconds)
        assert all(before[1] < after[0] for before, after in itertools.pairwise(merged))
        assert within(merged, 50, 120) == len(seconds & set(range(50, 120)))


def test_what_is_no_report_is_refused() -> None:
    good = {"from": 0, "to": 5, "speed": 1}
    assert parse_played({"played": [good]}) == (Played(0, 5, 1),)
    for played in (
        [],
        [good] * 101,
        [good | {"to": 0}],
        [good | {"speed": 0}],
        [good | {"from": -1}],
        [7],
        None,
    ):
        with pytest.raises(AnnotationError):
            parse_played({"played": played})
