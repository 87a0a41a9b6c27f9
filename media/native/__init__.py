"""The packet plane of every running server: one thread in C that never takes the GIL."""

from .plane import NativePlane
from .probe import Probe, ProbeEvent, ProbeStatistics, StreamReceived, StreamSent, percentile

__all__ = [
    "NativePlane",
    "Probe",
    "ProbeEvent",
    "ProbeStatistics",
    "StreamReceived",
    "StreamSent",
    "percentile",
]
