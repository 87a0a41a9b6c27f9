"""Any interleaving of 16 authors with loss, duplication and reconnects ends in the same hash: at the server, on every
page (in Python and in the browser's own code), and in a replay of the journal."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.document import Replica, Tail
from annotation.notes import Instruct
from annotation.operations import Edit, Entry, parse_entry, parse_operation
from annotation.shapes import Mark
from recorder.journal import JournalWriter, RecordType, decode_json

from ..helpers.journals import STARTED, header, read_all
from ..helpers.node import NODE, WEB_CLIENT
from .interleaving import DEEDS, Interleaving

#: Limits of what is held and of what is remembered for those who reconnect.
LIMITS = ((30_000, 1_000), (60, 40), (12, 3))


def interleaved(seed: int, steps: int, held: int, recent: int) -> Interleaving:
    """Run one interleaving and see that server and pages agree."""
    room = Interleaving(seed, held=held, recent=recent)
    room.run(steps)
    digest = room.document.digest()
    for page in room.pages:
        assert page.replica.sequence == room.document.sequence
        assert page.replica.digest() == digest
    given = [entry.operation for entry in room.entries if isinstance(entry.operation, Instruct)]
    assert [instruct.number for instruct in given] == list(range(1, len(given) + 1))
    return room


def edited(entry: Entry) -> tuple[Mark, ...]:
    """The marks that an entry edits."""
    return entry.operation.marks if isinstance(entry.operation, Edit) else ()


def replayed(room: Interleaving) -> list[dict[str, Any]]:
    """Record what a recording would hold, and read the journal again."""
    assert room.recorded is not None
    writer = JournalWriter(header())
    for entry in room.recorded:
        writer.receive_operation({"type": "operation", **entry.to_json()}, STARTED + 1)
    writer.finish(STARTED + 2, "stopped")
    _, records = read_all(writer.blocks_to_write(STARTED + 9))
    return [decode_json(record.payload) for record in records if record.type is RecordType.OPERATION]


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 500), st.sampled_from(LIMITS))
def test_server_and_pages_agree(seed: int, steps: int, limits: tuple[int, int]) -> None:
    room = interleaved(seed, steps, *limits)
    late = Replica()
    assert late.load(room.document.after(0))
    assert late.digest() == room.document.digest()
    replay = Replica()
    assert replay.load(Tail(0, room.document.sequence, tuple(map(parse_entry, replayed(room)))))
    assert replay.digest() == room.document.digest()


def test_things_happen() -> None:
    rooms = [interleaved(seed, 900, *LIMITS[0]) for seed in range(4)]
    entries = [entry.to_json()["operation"] for room in rooms for entry in room.entries]
    assert {operation["kind"] for operation in entries} == set(DEEDS) - {"edit_together"}
    groups = {entry.sequence for room in rooms for entry in room.entries if len(edited(entry)) > 1}
    toggled = {(entry["kind"], entry.get("target") in groups) for entry in entries}
    assert {("undo", True), ("redo", True)} <= toggled
    refused = {code for room in rooms for code in room.refused}
    assert refused >= {"duplicate_mark", "nothing_to_redo", "not_found", "not_permitted"}
    marks = [(room.document, mark.mark) for room in rooms for mark in room.document.visible()]
    assert any(document.track(mark) for document, mark in marks)


def test_the_browser_arrives_at_the_same(tmp_path: Path) -> None:
    cases = []
    for seed in range(9):
        room = interleaved(seed, 700, *LIMITS[seed % len(LIMITS)])
        cases.append(
            {
                "digest": room.document.digest(),
                "pages": [page.told for page in room.pages],
                "replay": [{**body, "at": 1.0 + n / 1000} for n, body in enumerate(replayed(room))],
            }
        )
    streams = tmp_path / "streams.json"
    streams.write_text(json.dumps(cases))
    run = subprocess.run(
        [NODE, "test/replay_streams.mjs", str(streams)],
        cwd=WEB_CLIENT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    verdict = json.loads(run.stdout)
    for case, found in zip(cases, verdict, strict=True):
        assert found["replay"] == case["digest"]
        assert set(found["pages"]) == {case["digest"]}
        assert len(found["pages"]) == 16


@pytest.mark.parametrize("value", [0, 1, 0.5])
def test_the_hash_tells_marks_apart(value: float) -> None:
    room = Interleaving(1)
    before = room.document.digest()
    mark = room._mark("m-1") | {"shape": "arrow", "points": [[0.25, value], [0.25, 0.3]], "text": ""}
    mark["anchor"] = {"board": 1}
    mark.pop("pressures", None)
    body = {"kind": "add", "mark": mark}
    room.document.apply(parse_operation(body), "pt-1", "A", "#4cc2ff", 1.0)
    assert room.document.digest() != before
