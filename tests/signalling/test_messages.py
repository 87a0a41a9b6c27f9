"""What a client may say, and what is refused, and how."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from signalling.message_frame import MESSAGE_LIMIT, MessageError
from signalling.messages import (
    Answer,
    Barcode,
    Ephemeral,
    Hello,
    Leave,
    MarkRequest,
    MarksRequest,
    Mute,
    Pause,
    Ping,
    Publish,
    PublishedSource,
    Record,
    Rewatch,
    Unpublish,
    parse_message,
)

CODES = {"not_json", "too_large", "unknown_type", "bad_message"}

VALID: dict[str, dict[str, Any]] = {
    "hello": {"version": 1, "token": "a.b.c"},
    "publish": {"sdp": "v=0", "sources": [{"mid": "0", "source": "camera", "label": "Dr. Li Wei"}]},
    "mute": {"producer": 7, "muted": True},
    "unpublish": {"producer": 7},
    "answer": {"revision": 3, "sdp": "v=0"},
    "rewatch": {},
    "pause": {"producer": 7, "paused": False},
    "ping": {"time": 1.5},
    "barcode": {"producer": 7, "frame": 4, "time": 1.0, "interval_ms": 33.3, "modulus": 300},
    "mark": {"operation": {"kind": "undo"}},
    "marks": {"after": 0},
    "record": {"action": "start"},
    "leave": {},
}


def message(kind: str, **changes: Any) -> str:
    return json.dumps({"type": kind, "id": 1} | VALID[kind] | changes)


def refused(text: str | bytes) -> MessageError:
    with pytest.raises(MessageError) as caught:
        parse_message(text)
    assert str(caught.value).endswith(".")
    return caught.value


@pytest.mark.parametrize(
    ("kind", "parsed"),
    [
        ("hello", Hello(1, 1, "a.b.c", None, 0)),
        ("publish", Publish(1, "v=0", (PublishedSource("0", "camera", "Dr. Li Wei"),))),
        ("mute", Mute(1, 7, True)),
        ("unpublish", Unpublish(1, 7)),
        ("answer", Answer(1, 3, "v=0")),
        ("rewatch", Rewatch(1)),
        ("pause", Pause(1, 7, False)),
        ("ping", Ping(1, 1.5)),
        ("barcode", Barcode(1, 7, 4, 1.0, 33.3, 300)),
        ("mark", MarkRequest(1, {"kind": "undo"})),
        ("marks", MarksRequest(1, 0)),
        ("record", Record(1, "start")),
        ("leave", Leave(1)),
    ],
)
def test_every_request_is_parsed(kind: str, parsed: object) -> None:
    assert parse_message(message(kind)) == parsed
    assert parse_message(message(kind).encode()) == parsed


def test_unknown_fields_are_ignored() -> None:
    assert parse_message(message("rewatch", later="version")) == Rewatch(1)


def test_a_returning_client_names_session_and_number() -> None:
    assert parse_message(message("hello", session="9JX", marks_after=12)) == Hello(1, 1, "a.b.c", "9JX", 12)


def test_pointer_and_stroke_are_passed_on_without_an_id() -> None:
    assert parse_message('{"type":"pointer","n":1}') == Ephemeral({"type": "pointer", "n": 1})
    assert parse_message('{"type":"stroke","n":1}') == Ephemeral({"type": "stroke", "n": 1})


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("hello", {"version": "1"}),
        ("hello", {"version": True}),
        ("hello", {"token": None}),
        ("hello", {"token": "x" * 4097}),
        ("hello", {"token": "a\r\nb"}),
        ("hello", {"session": 5}),
        ("hello", {"session": ""}),
        ("hello", {"marks_after": -1}),
        ("hello", {"marks_after": None}),
        ("publish", {"sdp": ""}),
        ("publish", {"sdp": "x" * 131_073}),
        ("publish", {"sdp": "\ud800"}),
        ("publish", {"sources": {}}),
        ("publish", {"sources": ["camera"]}),
        ("publish", {"sources": [{"mid": "0", "source": "camera"}] * 2}),
        ("publish", {"sources": [{"mid": str(i), "source": "camera"} for i in range(17)]}),
        ("publish", {"sources": [{"mid": "0", "source": "oven"}]}),
        ("publish", {"sources": [{"mid": "0", "source": ["camera"]}]}),
        ("publish", {"sources": [{"mid": "0", "source": "camera", "label": "x" * 81}]}),
        ("publish", {"sources": [{"mid": "0", "source": "camera", "label": "\u202elab"}]}),
        ("publish", {"sources": [{"mid": "", "source": "camera"}]}),
        ("mute", {"producer": 0}),
        ("mute", {"producer": 2**32}),
        ("mute", {"producer": 7.0}),
        ("mute", {"muted": 1}),
        ("mute", {"muted": None}),
        ("answer", {"revision": 0}),
        ("pause", {"paused": "yes"}),
        ("ping", {"time": "now"}),
        ("ping", {"time": True}),
        ("ping", {"time": 10**400}),
        ("barcode", {"frame": 65_536}),
        ("barcode", {"modulus": 65_537}),
        ("barcode", {"interval_ms": 0}),
        ("barcode", {"time": -1}),
        ("mark", {"operation": []}),
        ("mark", {"operation": None}),
        ("marks", {"after": 2**53 + 1}),
        ("record", {"action": "pause"}),
        ("record", {"action": ["start"]}),
    ],
)
def test_a_field_out_of_its_limits_is_named(kind: str, changes: dict[str, Any]) -> None:
    error = refused(message(kind, **changes))
    assert error.code == "bad_message"
    assert error.id == 1
    assert "field" in str(error)


@pytest.mark.parametrize("field", ["token", "version"])
def test_a_missing_field_is_named(field: str) -> None:
    body = {"type": "hello", "id": 1} | VALID["hello"]
    del body[field]
    assert f"field {field} " in str(refused(json.dumps(body)))


@pytest.mark.parametrize("identifier", [0, -1, 2**53 + 1, 1.0, True, "1", None, [1]])
def test_an_unreadable_id_is_refused_without_one(identifier: object) -> None:
    error = refused(message("rewatch", id=identifier))
    assert (error.code, error.id) == ("bad_message", None)


@pytest.mark.parametrize("kind", ["welcome", "", None, 5, ["hello"], {}])
def test_an_unknown_type_keeps_its_id(kind: object) -> None:
    error = refused(json.dumps({"type": kind, "id": 9}))
    assert (error.code, error.id) == ("unknown_type", 9)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff",
        b"{",
        b"{}}",
        b"nul",
        b'{"type":NaN}',
        b'{"a":Infinity}',
        b"-Infinity",
        b"1" * 5000,
        b"\x00",
    ],
)
def test_what_is_not_json_is_refused(text: bytes) -> None:
    assert refused(text).code == "not_json"


@pytest.mark.parametrize("text", ["1", "[]", '"hello"', "null", "true"])
def test_what_is_no_object_is_refused(text: str) -> None:
    assert refused(text).code == "bad_message"


def test_infinity_by_exponent_is_out_of_limits() -> None:
    assert refused('{"type":"ping","id":1,"time":1e999}').code == "bad_message"


@pytest.mark.parametrize("filler", ["x", "é", "中", "😀"])
def test_size_is_counted_in_bytes(filler: str) -> None:
    frame = '{{"type":"rewatch","id":1,"x":"{}"}}'
    room = MESSAGE_LIMIT - len(frame.format("").encode())
    count = room // len(filler.encode())
    fits = frame.format(filler * count + " " * (room - count * len(filler.encode())))
    assert len(fits.encode()) == MESSAGE_LIMIT
    assert parse_message(fits) == parse_message(fits.encode()) == Rewatch(1)
    assert refused(fits + " ").code == refused((fits + " ").encode()).code == "too_large"


def nested(depth: int, flat: int) -> str:
    return (
        '{"type":"rewatch","id":1,"x":'
        + "[" * (depth - 1)
        + "]" * (depth - 1)
        + ',"y":['
        + "{}," * flat
        + "0]}"
    )


@pytest.mark.parametrize("flat", [0, 50, 180, 200, 1000])
def test_nesting_is_limited_to_eight(flat: int) -> None:
    assert parse_message(nested(8, flat)) == Rewatch(1)
    for depth in (9, 10, 100, 190, 250):
        assert "nested" in str(refused(nested(depth, flat)))


def test_many_brackets_are_not_deep() -> None:
    flat = json.dumps(
        {"type": "rewatch", "id": 1, "points": [[0.5, 0.5]] * 2000, "text": '[[[[[[[[[[\\"{{{{{'}
    )
    assert parse_message(flat) == Rewatch(1)


@pytest.mark.parametrize(
    "text",
    [
        "[" * MESSAGE_LIMIT,
        '{"a":' * 40_000,
        "[" * 100_000 + "}" * 100_000,
        "[" * 100_000 + "]" * 8,
        '"' + '\\"' * 131_000,
        '{"a":"' + '\\"' * 130_000 + "[" * 9,
        '{"a":"' + '"[' * 80_000,
        "{" + '"":{},' * 40_000,
    ],
)
def test_hostile_nesting_costs_no_recursion(text: str) -> None:
    assert refused(text).code in {"bad_message", "not_json"}


def test_an_error_says_nothing_of_what_was_sent() -> None:
    for text in (
        '{"type":"secretword","id":1}',
        '{"type":"hello","id":1,"version":"secretword"}',
        "secretword",
    ):
        assert "secretword" not in str(refused(text))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=12,
)


def parses_or_refuses(text: str | bytes) -> None:
    error = MessageError("not_json", "")
    try:
        parse_message(text)
    except MessageError as caught:
        error = caught
    assert error.code in CODES
    assert error.id is None or error.id >= 1


@given(st.binary(max_size=300) | st.text(max_size=300))
@example("\ud800")
def test_any_text_parses_or_is_refused(text: str | bytes) -> None:
    parses_or_refuses(text)


@given(json_values)
def test_any_json_parses_or_is_refused(value: object) -> None:
    parses_or_refuses(json.dumps(value))


@given(st.sampled_from(sorted(VALID)), st.data())
def test_any_value_in_any_field_parses_or_is_refused(kind: str, data: st.DataObject) -> None:
    body: dict[str, Any] = {"type": kind, "id": 1} | VALID[kind]
    for field in data.draw(st.sets(st.sampled_from(sorted(body)))):
        body[field] = data.draw(json_values)
    parses_or_refuses(json.dumps(body))
