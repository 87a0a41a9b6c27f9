"""The hash of what is visible: equal at the server, on every page and in replay, or one of them is wrong.

It is SHA-256 over JSON in canonical form (RFC 8785), in hexadecimal. Times are left out: a replay has its own.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from .log import MarkLog
from .notebook import SHELVES, Notebook
from .operations import Entry

_ESCAPED: Final = json.JSONEncoder(ensure_ascii=False)


def digest(log: MarkLog, notebook: Notebook) -> str:
    """Hash the visible marks, each with its newest track, and the notes."""
    marks = []
    for entry in log.visible.values():
        body = _body(entry)
        track = log.track(body["operation"]["mark"]["mark"])
        marks.append(body if track is None else body | {"track": track.to_json()})
    notes = {shelf: [_body(entry) for entry in notebook[shelf]] for shelf in SHELVES}
    return hashlib.sha256(canonical({"marks": marks, "notes": notes}).encode()).hexdigest()


def _body(entry: Entry) -> dict[str, Any]:
    body = entry.to_json()
    del body["time"]
    return body


def canonical(value: Any) -> str:
    """Write plain JSON values as RFC 8785 does. Keys must be ASCII, numbers finite."""
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, str):
        return _ESCAPED.encode(value)
    if isinstance(value, int | float):
        return _number(float(value))
    if isinstance(value, dict):
        return (
            "{" + ",".join(f"{_ESCAPED.encode(key)}:{canonical(value[key])}" for key in sorted(value)) + "}"
        )
    return "[" + ",".join([canonical(item) for item in value]) + "]"


def _number(value: float) -> str:
    """Write a number as ECMAScript does (ECMA-262, Number::toString)."""
    if value == 0:
        return "0"
    text = repr(value)
    mantissa, _, exponent = text.partition("e")
    if not exponent and not text.endswith(".0") and abs(value) >= 1e-4:
        return text  # both write it so
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    # the value is 0.DIGITS times ten to the power of `point`
    point = int(exponent or 0) + len(whole) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if len(digits) <= point <= 21:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return sign + digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + digits
    scientific = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{sign}{scientific}e{'+' if point > 0 else '-'}{abs(point - 1)}"
