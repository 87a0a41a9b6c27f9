"""The packet plane of every running server: threads in C that never take the GIL."""

from .plane import NativePlane
from .probe import (
    STAMP_IN_PAYLOAD,
    Probe,
    ProbeEvent,
    ProbeStatistics,
    StreamReceived,
    StreamSent,
    percentile,
)
from .sharded import ShardedPlane

__all__ = [
    "STAMP_IN_PAYLOAD",
    "NativePlane",
    "Probe",
    "ProbeEvent",
    "ProbeStatistics",
    "ShardedPlane",
    "StreamReceived",
    "StreamSent",
    "percentile",
]
