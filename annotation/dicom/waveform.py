"""Curves, such as an electrocardiogram's, as plain JSON (PS3.3, C.10.9): integers, and what one of them is worth."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from pydicom.dataset import Dataset

from .errors import DicomError
from .reading import FAILURES, number, quietly, text

#: Samples of all channels of an instance: two hours of twelve leads at 500 Hz are 43 million, a long stress test 10.
SAMPLES_LIMIT: Final = 20_000_000

#: WaveformSampleInterpretation → how a sample is stored (C.10.9.1.5); what is companded is not drawn.
_KINDS: Final = {"SB": "<i1", "UB": "<u1", "SS": "<i2", "US": "<u2", "SL": "<i4", "UL": "<u4"}


def waveform(dataset: Dataset) -> dict[str, Any]:
    """Give the multiplex groups of a data set. Raise DicomError."""
    try:
        return quietly(_waveform, dataset)
    except FAILURES as error:
        if isinstance(error, DicomError):
            raise
        raise DicomError("broken", f"The curves cannot be read ({type(error).__name__}).") from None


def _waveform(dataset: Dataset) -> dict[str, Any]:
    groups = list(dataset.get("WaveformSequence") or [])
    if not groups:
        raise DicomError("unsupported", "The object has no curves.")
    total = sum(number(g, "NumberOfWaveformChannels") * number(g, "NumberOfWaveformSamples") for g in groups)
    if total > SAMPLES_LIMIT:
        raise DicomError("too_large", f"The curves have more than {SAMPLES_LIMIT:,} samples.")
    return {"groups": [_group(group) for group in groups]}


def _group(group: Dataset) -> dict[str, Any]:
    channels, samples = number(group, "NumberOfWaveformChannels"), number(group, "NumberOfWaveformSamples")
    kind = _KINDS.get(text(group, "WaveformSampleInterpretation"))
    frequency = float(group.get("SamplingFrequency") or 0)
    if kind is None or channels <= 0 or samples <= 0 or not 0 < frequency < 1e9:
        raise DicomError("unsupported", "The curves are stored in a way that is not drawn.")
    data = bytes(group.get("WaveformData") or b"")
    kind_ = np.dtype(kind)
    if len(data) < channels * samples * kind_.itemsize:
        raise DicomError("incomplete", "The curves have fewer samples than they say.")
    values = np.frombuffer(data, kind_, channels * samples).reshape(samples, channels)
    definitions = list(group.get("ChannelDefinitionSequence") or [])
    return {
        "label": text(group, "MultiplexGroupLabel", 64),
        "frequency": frequency,
        "samples": samples,
        "channels": [
            _channel(definitions[index] if index < len(definitions) else Dataset(), values[:, index].tolist())
            for index in range(channels)
        ],
    }


def _channel(definition: Dataset, values: list[int]) -> dict[str, Any]:
    source = list(definition.get("ChannelSourceSequence") or [])[:1]
    units = list(definition.get("ChannelSensitivityUnitsSequence") or [])[:1]
    correction = _number(definition, "ChannelSensitivityCorrectionFactor", 1.0)
    return {
        "name": text(definition, "ChannelLabel", 64)
        or (text(source[0], "CodeMeaning", 64) if source else ""),
        # a sample is worth sample × scale + baseline, in the unit
        "scale": _number(definition, "ChannelSensitivity", 1.0) * correction,
        "baseline": _number(definition, "ChannelBaseline", 0.0),
        "unit": text(units[0], "CodeValue", 16) if units else "",
        "low_hz": _number(definition, "FilterLowFrequency", 0.0),
        "high_hz": _number(definition, "FilterHighFrequency", 0.0),
        "values": values,
    }


def _number(dataset: Dataset, keyword: str, default: float) -> float:
    try:
        value = float(dataset.get(keyword) if dataset.get(keyword) is not None else default)
    except FAILURES:
        return default
    return value if abs(value) < 1e12 else default
