"""DICOM JSON (PS3.18, annex F) of an instance as the room sees it: the room's UIDs, pixels as they are served."""

from __future__ import annotations

import base64
import json
import math
from typing import Any, Final

import numpy as np
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian

from .facts import Facts
from .reading import FAILURES, quietly

#: Values up to this many bytes stand in the metadata themselves: palettes of 65,536 colours do.
INLINE_LIMIT: Final = 1 << 18
#: Values within sequences have no address of their own: curves stand in the metadata.
CURVES_LIMIT: Final = 64 << 20

#: Bytes of the words of a value whose order is that of its file.
_WORDS: Final = {"OW": 2, "OL": 4, "OF": 4, "OD": 8, "OV": 8}

#: What is served in its own right.
_BULK: Final = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})


def metadata(dataset: Dataset, facts: Facts) -> str:
    """Write a data set, which bears the room's UIDs already, as one JSON object."""
    return json.dumps(quietly(_to_json, dataset, facts), separators=(",", ":"), ensure_ascii=False)


def _to_json(dataset: Dataset, facts: Facts) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for tag in sorted(dataset.keys()):
        if tag.element == 0 or tag in _BULK:
            continue
        try:
            element = dataset[tag]
            limit = CURVES_LIMIT if element.VR == "SQ" else INLINE_LIMIT
            body[f"{tag:08X}"] = element.to_json_dict(bulk(tag), limit)
        except FAILURES:
            # a value that its own VR does not allow stands for nothing
            continue
    if facts.kind == "image":
        body |= served_pixels(dataset, facts)
    if facts.TransferSyntaxUID == ExplicitVRBigEndian:
        body = _little_endian(body)
    body["00083002"] = {"vr": "UI", "Value": [facts.TransferSyntaxUID]}
    finite: dict[str, Any] = _finite(body)
    return finite


def swapped(value: bytes, vr: str) -> bytes:
    """Turn a big-endian file's words round: on the wire all are little-endian (PS3.18, F.2.7)."""
    size = _WORDS.get(vr, 1)
    whole = len(value) - len(value) % size
    return (
        np.frombuffer(value[:whole], f"V{size}").view(np.uint8).reshape(-1, size)[:, ::-1].tobytes()
        + value[whole:]
    )


def _little_endian(value: Any) -> Any:
    if isinstance(value, list):
        return [_little_endian(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "InlineBinary" in value:
        data = swapped(base64.b64decode(value["InlineBinary"]), value.get("vr", ""))
        return {**value, "InlineBinary": base64.b64encode(data).decode()}
    return {key: _little_endian(item) for key, item in value.items()}


def bulk(tag: int) -> Any:
    """Give the handler that names a large value by where it is served, relative to the instance."""

    def handler(_: DataElement) -> str:
        return f"bulkdata/{tag:08X}"

    return handler


def served_pixels(dataset: Dataset, facts: Facts) -> dict[str, Any]:
    """Describe the pixels as they are served: colour as RGB and interleaved, single bits as bytes."""
    body: dict[str, Any] = {}
    if facts.SamplesPerPixel > 1:
        body["00280004"] = {"vr": "CS", "Value": ["RGB"]}
        body["00280006"] = {"vr": "US", "Value": [0]}
    if facts.BitsAllocated == 1:
        body["00280100"] = {"vr": "US", "Value": [8]}
        body["00280101"] = {"vr": "US", "Value": [1]}
        body["00280102"] = {"vr": "US", "Value": [0]}
    return body


def _finite(value: Any) -> Any:
    """Leave out numbers that JSON does not have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value
