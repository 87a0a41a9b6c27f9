"""PROTOCOL.md is true: its examples of requests parse, its examples of answers are what the builders make."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from annotation.document import Document, parse_tail
from annotation.ephemeral import parse_ephemeral
from annotation.notes import CLIENT_NOTES, SERVER_NOTES
from annotation.operations import Undo, parse_entry, parse_operation
from annotation.shapes import parse_mark
from annotation.values import AnnotationError
from signalling import notices
from signalling.door import Waiting
from signalling.messages import Ephemeral, MarkRequest, parse_message
from signalling.patient import Identity, Patient
from signalling.presenter import Presenter
from signalling.presenter_messages import Viewport
from signalling.room import AWAY_SECONDS, EXPERTS, Participant, ParticipantId, Producer, Recording, Room

TEXT = (Path(__file__).parents[2] / "signalling" / "PROTOCOL.md").read_text()

ANCHOR = {"producer": 7, "rtp_timestamp": 3735928559}
MARK = {
    "mark": "m-1",
    "shape": "arrow",
    "anchor": ANCHOR,
    "points": [[0.1, 0.2], [0.3, 0.4]],
    "width": 0.004,
    "text": "",
}
REQUESTS = {
    *("hello", "publish", "mute", "unpublish", "answer", "rewatch", "pause", "ping", "barcode"),
    *("mark", "marks", "pointer", "stroke", "record", "leave", "ice_servers", "restart_ice"),
    *("view", "admit", "lock", "remove", "permit", "restrict", "hand", "orient", "freeze"),
    *("present", "viewport", "choose_patient", "theatre"),
}
NOTICES = {
    *("welcome", "reply", "error", "closed", "pong", "offer", "participant", "participant_left", "producer"),
    *("producer_removed", "clock", "operation", "recording", "naming", "encodings", "delivery"),
    *("waiting_room", "door", "speaker", "presenter", "patient", "hospital", "followed", "showing"),
}


def examples() -> list[dict[str, Any]]:
    """Every JSON object with a type, from the blocks and from the running text; ellipses filled in."""
    blocks = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    inline = re.findall(r'`(\{"type".*?\})`', re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL))
    found = []
    decoder = json.JSONDecoder()
    for source in blocks + inline:
        text = source.replace('"anchor":{…}', f'"anchor":{json.dumps(ANCHOR)}')
        text = text.replace('"mark":{…}', f'"mark":{json.dumps(MARK)}')
        text = text.replace("[…]", "[]").replace("{…}", "{}").strip()
        while text:
            value, end = decoder.raw_decode(text)
            text = text[end:].lstrip()
            # over HTTP a type may be a medium's
            if "type" in value and "/" not in value["type"]:
                found.append(value)
    return found


EXAMPLES = examples()


def of(kinds: set[str]) -> list[Any]:
    return [
        pytest.param(example, id=json.dumps(example)[:60]) for example in EXAMPLES if example["type"] in kinds
    ]


def test_there_is_an_example_of_everything() -> None:
    assert {example["type"] for example in EXAMPLES} == REQUESTS | NOTICES


@pytest.mark.parametrize("example", of(REQUESTS))
def test_a_request_parses(example: dict[str, Any]) -> None:
    parsed = parse_message(json.dumps(example))
    if isinstance(parsed, MarkRequest):
        assert parse_operation(parsed.operation).to_json()["kind"] == example["operation"]["kind"]
    elif isinstance(parsed, Ephemeral):
        relayed = parse_ephemeral(parsed.body, "pt-1", 2e9)
        assert json.loads(relayed.data) == example | {"author": "pt-1"}
    elif isinstance(parsed, Viewport):
        assert parsed.state == example["state"]
    else:
        assert parsed.id == example["id"]


def participant() -> Participant:
    return Participant(ParticipantId("pt-1"), "Dr. Li Wei", "expert", None, "#4cc2ff")


def producer() -> Producer:
    return Producer(7, ParticipantId("pt-1"), "field", "video", "H264", "Operating field")


def entry(operation: dict[str, Any]) -> dict[str, Any]:
    document = Document()
    return document.apply(parse_operation(operation), "pt-1", "Dr. Li Wei", "#4cc2ff", 1e9).to_json()


def build(example: dict[str, Any]) -> notices.ServerMessage:
    match example["type"]:
        case "welcome":
            return notices.welcome(
                1,
                participant="pt-1",
                session="9JX",
                room="demo",
                now=1e9,
                permissions=["watch"],
                participants=[participant().to_json()],
                producers=[producer().to_json()],
                marks=Document().after(0).text,
                recording=None,
                presenter=Presenter(Room("demo")).last(),
                patient=None,
                turn={key: example[key] for key in ("ice_servers", "ice_lifetime")},
            )
        case "reply":
            return notices.reply(
                example["id"], **{k: v for k, v in example.items() if k not in ("type", "id")}
            )
        case "error":
            return notices.error(10, "not_permitted", "A trainee may not draw on the field.")
        case "closed":
            return notices.closed("token_expired", "This link has expired. Ask for a new one.")
        case "pong":
            return notices.pong(8, 1.5, 1e9)
        case "offer":
            return notices.offer(3, 1, "v=0", [{"mid": "0", "producer": 7, "consumer": 21}])
        case "participant":
            return notices.participant(participant().to_json())
        case "participant_left":
            return notices.participant_left("pt-1", "left")
        case "producer":
            return notices.producer(producer().to_json())
        case "producer_removed":
            return notices.producer_removed(7)
        case "clock":
            return notices.clock(7, 1, 1e9, 90_000, example["source"])
        case "naming":
            return notices.naming(7, 1, 1e9, {305419896: 0})
        case "encodings":
            return notices.encodings(7, [True])
        case "followed":
            return notices.followed(7, 1)
        case "delivery":
            return notices.delivery(7, "line", 360)
        case "operation":
            return notices.operation(entry(example["operation"]))
        case "recording":
            if example["recording"] is None:
                return notices.recording(None)
            recording = Recording("r", 1e9, "Dr. Li Wei")
            if example["recording"]["state"] == "interrupted":
                recording = replace(
                    recording, reason="Full.", cause="full", interrupted=1e9, missing=1.0, packets=3
                )
            return notices.recording(recording.to_json())
        case "waiting_room":
            return notices.waiting_room(1, "w-1", "demo", 1, attended=True)
        case "door":
            return notices.door(False, [Waiting("w-1", "Dr. Li Wei", "expert", 1e9).to_json()])
        case "hospital":
            return notices.hospital({key: value for key, value in example.items() if key != "type"})
        case "patient":
            identity = Identity("4711", "HIS", "Müller^Anna", "19700101")
            return notices.patient(Patient(identity, "p-1", "F", "A-1", "Appendectomy").to_json("expert"))
        case "presenter":
            return notices.presenter({"participant": "pt-1", "asking": ["pt-2"]})
        case "speaker":
            return notices.speaker("pt-1")
        case "showing":
            return notices.showing(example["showing"], example["reason"])
    raise AssertionError(example)


def shape(value: Any) -> Any:
    match value:
        case dict():
            return {key: shape(item) for key, item in value.items()}
        case list() | tuple():
            return [shape(item) for item in value[:1]]
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
    return value


@pytest.mark.parametrize("example", of(NOTICES))
def test_an_answer_has_the_shape_of_what_is_built(example: dict[str, Any]) -> None:
    assert shape(json.loads(build(example).text)) == shape(example)


def test_the_barcode_notice_is_the_request_without_its_id() -> None:
    (example,) = (example for example in EXAMPLES if example["type"] == "barcode")
    built = notices.barcode(7, 211, 1.5, 33.3, 300).body
    assert shape(built | {"id": 9}) == shape(example)


@pytest.mark.parametrize("kind", re.findall(r'^\| `(\{"kind".*?\})` \|', TEXT, re.MULTILINE))
def test_an_operation_of_the_table_parses(kind: str) -> None:
    operation = json.loads(kind.replace("{…}", json.dumps(MARK)))
    if operation["kind"] in SERVER_NOTES:
        with pytest.raises(AnnotationError):
            parse_operation(operation)
        assert json.loads(json.dumps(SERVER_NOTES[operation["kind"]](operation).to_json())) == operation
    else:
        assert json.loads(json.dumps(parse_operation(operation).to_json())) == operation


def test_every_operation_stands_in_a_table() -> None:
    kinds = set(re.findall(r'^\| `\{"kind":"(\w+)"', TEXT, re.MULTILINE))
    assert {
        *CLIENT_NOTES,
        *SERVER_NOTES,
        "add",
        "edit",
        "delete",
        "undo",
        "redo",
        "clear_own",
        "clear_field",
    } == kinds


def test_an_undo_notice_bears_its_target() -> None:
    assert Undo(12).to_json() == {"kind": "undo", "target": 12}
    assert '`undo` and `redo` bear `"target"`' in TEXT


def test_replies_to_marks_are_tails() -> None:
    tails = [example for example in EXAMPLES if "operations" in example]
    assert tails
    for tail in tails:
        assert parse_tail(tail).after == tail["after"]


def test_the_figures_in_the_text_are_those_of_the_code() -> None:
    assert f"Within {AWAY_SECONDS:.0f} s of a broken connection" in TEXT
    assert EXPERTS == 16
    assert parse_mark(MARK).to_json()["width"] == 0.004
    assert parse_entry(entry({"kind": "add", "mark": MARK})).sequence == 1
