"""From the bytes of a client's message to one JSON object, and what is said where that fails."""

from __future__ import annotations

import json
import re
from typing import Any

#: Bytes of a client's message. A mark of 2,000 points takes about 90,000, an SDP of 32 sections 100,000.
MESSAGE_LIMIT = 262_144
#: The deepest message that we define (an operation's points) has 5 levels.
NESTING_LIMIT = 8


class MessageError(ValueError):
    """The client's message is refused; the connection stays (PROTOCOL.md, section 7).

    `code` is one of not_json, too_large, unknown_type, bad_message; `id` is the request's, where it could be
    read. The text is a sentence for the person who wrote the client and holds nothing of what was sent.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.id: int | None = None


# all but the brackets: strings, and what is neither string nor bracket. A string ends at its quote or,
# unterminated, with the text, so that no quote is ever tried twice
_NO_BRACKETS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[^"\[\]{}]+', re.DOTALL)


def load_object(text: str | bytes) -> dict[str, Any]:
    """Read one text frame. Raise MessageError: not_json, too_large, bad_message."""
    try:
        if isinstance(text, bytes):
            size = len(text)
            text = text.decode()
        else:
            # a character has at most four bytes: only long texts are worth counting
            size = len(text) if 4 * len(text) <= MESSAGE_LIMIT else len(text.encode())
    except UnicodeError:
        raise MessageError("not_json", "The message is not UTF-8.") from None
    if size > MESSAGE_LIMIT:
        raise MessageError("too_large", f"A message has at most {MESSAGE_LIMIT} bytes.")
    # json recurses as deep as the text says, so many brackets are looked at before, and some after
    brackets = text.count("[") + text.count("{")
    if brackets > _HARMLESS_BRACKETS and _is_deep(text):
        raise MessageError("bad_message", _TOO_DEEP)
    try:
        body = _DECODER.decode(text)
    except ValueError:
        raise MessageError("not_json", "The message is not JSON.") from None
    if type(body) is not dict:
        raise MessageError("bad_message", "A message is a JSON object.")
    if NESTING_LIMIT < brackets <= _HARMLESS_BRACKETS and _has_levels(body, NESTING_LIMIT + 1):
        raise MessageError("bad_message", _TOO_DEEP)
    return body


#: So deep json may recurse, from wherever it is called: Python's limit is 1,000.
_HARMLESS_BRACKETS = 200
_TOO_DEEP = f"A message is nested at most {NESTING_LIMIT} deep."


def _has_levels(value: list[Any] | dict[str, Any], levels: int) -> bool:
    if levels == 1:
        return True
    for item in value.values() if type(value) is dict else value:
        if (type(item) is list or type(item) is dict) and _has_levels(item, levels - 1):
            return True
    return False


def _is_deep(text: str) -> bool:
    brackets = _NO_BRACKETS.sub("", text).replace("{", "[").replace("}", "]")
    for _ in range(NESTING_LIMIT):
        inside = brackets.replace("[]", "")  # takes the innermost level away
        if len(inside) == len(brackets):
            # what is left never closes: harmless if json soon meets the end
            return inside.count("[") > NESTING_LIMIT
        brackets = inside
    return "[" in brackets


def _refuse_constant(name: str) -> float:
    raise ValueError(name)  # NaN and Infinity are Python's, not JSON's


# json.loads would make one at each call that is not quite plain
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
