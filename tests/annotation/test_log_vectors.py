"""The log's shared vectors: the page's own test reads the same file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from annotation.document import Replica
from annotation.notes import Instruct
from annotation.operations import parse_entry

VECTORS: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "vectors" / "log.json").read_text("utf-8")
)


def test_after_each_entry_the_same_is_seen() -> None:
    replica = Replica()
    for step in VECTORS["steps"]:
        entry = parse_entry(step["entry"])
        assert json.loads(entry.text) == step["entry"]
        assert replica.receive(entry)
        assert {mark.mark: mark.width for mark in replica.visible()} == step["widths"]
        assert replica.digest() == step["digest"]
    given = [entry.operation for entry in replica.notes("instructions")]
    assert {one.instruction: one.number for one in given if isinstance(one, Instruct)} == VECTORS["numbers"]


def test_what_was_recorded_before_instructions_had_numbers_is_the_same_as_ever() -> None:
    replica = Replica()
    for body in VECTORS["unnumbered"]["entries"]:
        assert replica.receive(parse_entry(body))
    assert replica.digest() == VECTORS["unnumbered"]["digest"]
