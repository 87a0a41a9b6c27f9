"""Single values of annotation's messages: each is checked, and refused in one sentence."""

from __future__ import annotations

import re
from typing import Any, Final, cast

IDENTIFIER_LIMIT: Final = 64
NAME_LIMIT: Final = 80
#: What JavaScript counts exactly.
SEQUENCE_LIMIT: Final = 2**53
#: The media plane's numbers for producers, and RTP timestamps (RFC 3550), have 32 bits.
UINT32: Final = 2**32 - 1

_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
# control characters and line separators, bidirectional overrides, lone surrogates
_FORBIDDEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class AnnotationError(ValueError):
    """What was asked cannot be done. `code` is bad_message, duplicate_mark, duplicate, nothing_to_undo,
    nothing_to_redo, too_many_marks, not_found, not_permitted, not_calibrated, not_open or too_many_instructions
    (PROTOCOL.md, section 7); the text is a sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def bad(field: str, rule: str) -> AnnotationError:
    """Make the error for a field that breaks a rule."""
    return AnnotationError("bad_message", f"The field {field} {rule}.")


def as_object(value: object, field: str) -> dict[str, Any]:
    """Require a JSON object."""
    if type(value) is dict:
        return value
    raise bad(field, "must be an object")


def as_integer(value: object, field: str, low: int, high: int) -> int:
    """Require an integer within limits (true is none)."""
    if type(value) is int and low <= value <= high:
        return value
    raise bad(field, f"must be an integer from {low} to {high}")


def as_number(value: object, field: str, low: float, high: float) -> float:
    """Require a finite number within limits."""
    if type(value) in (int, float) and low <= cast(float, value) <= high:
        return float(cast(float, value))
    raise bad(field, f"must be a number from {low:g} to {high:g}")


def as_flag(value: object, field: str) -> bool:
    """Require true or false."""
    if type(value) is bool:
        return value
    raise bad(field, "must be true or false")


def as_text(value: object, field: str, low: int, high: int, *, lines: bool = False) -> str:
    """Require plain characters of a number within limits; with `lines` it may have line breaks (LF)."""
    if type(value) is not str or not low <= len(value) <= high:
        raise bad(field, f"must be a string of {low} to {high} characters")
    if _FORBIDDEN.search(value.replace("\n", "") if lines else value):
        raise bad(field, "must not hold control characters")
    return value


def as_identifier(value: object, field: str) -> str:
    """Require 1-64 of A-Z a-z 0-9 and -."""
    if type(value) is not str or not _IDENTIFIER.fullmatch(value):
        raise bad(field, f"must have 1 to {IDENTIFIER_LIMIT} characters of A-Z a-z 0-9 and -")
    return value


def as_hash(value: object, field: str) -> str:
    """Require a hash of 256 bits in hexadecimal."""
    if type(value) is not str or not _HASH.fullmatch(value):
        raise bad(field, "must have 64 hexadecimal digits")
    return value
