"""DICOM JSON (PS3.18, annex F) of an instance as the room sees it: the room's UIDs, pixels as they are served."""

from __future__ import annotations

import json
import math
from typing import Any, Final

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from .facts import Facts
from .reading import FAILURES, quietly

#: Values up to this many bytes stand in the metadata themselves: palettes of 65,536 colours do.
INLINE_LIMIT: Final = 1 << 18
#: Values within sequences have no address of their own: curves stand in the metadata.
CURVES_LIMIT: Final = 64 << 20

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
    body["00083002"] = {"vr": "UI", "Value": [facts.TransferSyntaxUID]}
    finite: dict[str, Any] = _finite(body)
    return finite


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
