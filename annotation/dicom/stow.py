"""What a store request is answered with (PS3.18, 10.5.3; PS3.3, C.12.1.1.17 for the words)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

#: Our codes → failure reasons of PS3.18, table I.2-2.
_REASONS: Final = {"too_large": 0xA700, "unsupported": 0x0122, "duplicate": 0x0111, "not_dicom": 0xC000}
_CANNOT_UNDERSTAND: Final = 0xC000


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of one object: its own UIDs and where it is, or why it was not taken."""

    sop_class: str = ""
    sop: str = ""
    where: str = ""
    code: str = ""


def stow_answer(stored: Sequence[Stored], base: str) -> tuple[int, str]:
    """Give the status and DICOM JSON: 200 if all were taken, 202 if some, 409 if none."""
    taken = [item for item in stored if not item.code]
    failed = [item for item in stored if item.code]
    body: dict[str, Any] = {}
    if failed:
        reasons = [_REASONS.get(item.code, _CANNOT_UNDERSTAND) for item in failed]
        # FailedSOPSequence needs UIDs that were not read; these have none (OtherFailuresSequence, C.12.1.1.17)
        body["0008119A"] = {
            "vr": "SQ",
            "Value": [{"00081197": {"vr": "US", "Value": [reason]}} for reason in reasons],
        }
    if taken:
        body["00081199"] = {"vr": "SQ", "Value": [_reference(item, base) for item in taken]}
    status = 200 if not failed else 202 if taken else 409
    return status, json.dumps(body, separators=(",", ":"))


def _reference(item: Stored, base: str) -> dict[str, Any]:
    return {
        "00081150": {"vr": "UI", "Value": [item.sop_class]},
        "00081155": {"vr": "UI", "Value": [item.sop]},
        "00081190": {"vr": "UR", "Value": [base + item.where]},
    }
