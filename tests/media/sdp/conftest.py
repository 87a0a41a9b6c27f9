"""Descriptions to work on. The vectors were made by Debian's Chromium 156 (fake camera and microphone)."""

from __future__ import annotations

from pathlib import Path

import pytest

from media.plane import Address
from media.sdp import Fingerprint, TransportParameters, host_candidates

VECTORS = Path(__file__).parent / "vectors"
FINGERPRINT = Fingerprint("sha-256", ":".join(["AB"] * 32))


def vector(name: str) -> str:
    return (VECTORS / name).read_bytes().decode()


@pytest.fixture
def chromium_offer() -> str:
    return vector("chromium_offer.sdp")


@pytest.fixture
def local() -> TransportParameters:
    return TransportParameters(
        "abcd1234",
        "a" * 32,
        (FINGERPRINT,),
        host_candidates((Address("192.0.2.1", 5000), Address("2001:db8::1", 5000))),
        ice_lite=True,
        sctp_port=5000,
    )
