"""The fields of a client's message, each with its type and limits: what is wrong is a MessageError that names it."""

from __future__ import annotations

from typing import Any, cast

from .message_frame import MessageError
from .text import check_text

SDP_LIMIT = 131_072
#: What JavaScript counts exactly.
INTEGER_LIMIT = 2**53
#: Identifiers of the media plane travel in 32 bits (the tap of `media/plane.py`).
PRODUCER_LIMIT = 2**32 - 1


def bad(field: str, rule: str) -> MessageError:
    """Make the refusal of a field, by the rule that it breaks."""
    return MessageError("bad_message", f"The field {field} {rule}.")


def integer(body: dict[str, Any], field: str, low: int, high: int) -> int:
    """Read an integer."""
    value = body.get(field)
    if type(value) is int and low <= value <= high:
        return value
    raise bad(field, f"must be an integer from {low} to {high}")


def number(body: dict[str, Any], field: str, low: float, high: float) -> float:
    """Read a number as a float."""
    value = body.get(field)
    # the comparison refuses what 1e999 became, too
    if type(value) in (int, float) and low <= cast(float, value) <= high:
        return float(cast(float, value))
    raise bad(field, f"must be a number from {low:g} to {high:g}")


def flag(body: dict[str, Any], field: str) -> bool:
    """Read true or false."""
    value = body.get(field)
    if type(value) is bool:
        return value
    raise bad(field, "must be true or false")


def text(body: dict[str, Any], field: str, low: int, high: int) -> str:
    """Read words for people, of `low` to `high` characters."""
    try:
        return check_text(body.get(field), low, high)
    except ValueError as error:
        raise bad(field, str(error)) from None


def sdp(body: dict[str, Any]) -> str:
    """Read a description."""
    value = body.get("sdp")
    if type(value) is not str:
        raise bad("sdp", "must be a string")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise bad("sdp", "holds a character that is not Unicode text") from None
    if not 1 <= size <= SDP_LIMIT:
        raise bad("sdp", f"must have from 1 to {SDP_LIMIT} bytes")
    return value


def producer(body: dict[str, Any]) -> int:
    """Read a producer's number."""
    return integer(body, "producer", 1, PRODUCER_LIMIT)


#: ms: the year 33658.
TIME_LIMIT = 1e15
