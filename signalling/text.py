"""Which words from outside may be shown to people."""

from __future__ import annotations

import re

# control characters and line separators break logs and headers; bidirectional overrides show one name as
# another; lone surrogates cannot be sent on as UTF-8
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def clean_text(value: str, limit: int) -> str:
    """Make words of another system fit for people: what is forbidden becomes a space, `limit` characters at most."""
    return " ".join(_FORBIDDEN.sub(" ", value[: 4 * limit]).split())[:limit].strip()


def check_text(value: object, low: int, high: int) -> str:
    """Return `value` if it is a string of `low` to `high` plain characters; else raise ValueError.

    The error's text continues the sentence "The field … ".
    """
    if type(value) is not str:
        raise ValueError("must be a string")
    if not low <= len(value) <= high:
        raise ValueError(f"must have from {low} to {high} characters")
    if _FORBIDDEN.search(value):
        raise ValueError("must not hold control characters")
    return value
