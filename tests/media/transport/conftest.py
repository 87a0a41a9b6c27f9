"""Real peers over loopback for the tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import aioice.ice
import pytest

from media.transport import Endpoint
from tests.helpers.udp_plane import UdpPlane

MakeEndpoint = Callable[..., Endpoint]


@pytest.fixture(autouse=True)
def loopback_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let aiortc gather the one address that every machine has."""
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])


@pytest.fixture
async def make_endpoint() -> AsyncIterator[MakeEndpoint]:
    """Make endpoints on loopback that are closed after the test."""
    endpoints: list[Endpoint] = []

    def make(**options: object) -> Endpoint:
        endpoint = Endpoint(UdpPlane(), **options)  # type: ignore[arg-type]
        endpoints.append(endpoint)
        return endpoint

    yield make
    for endpoint in endpoints:
        await endpoint.close()


def plane_of(endpoint: Endpoint) -> UdpPlane:
    """Reach the plane of an endpoint that `make_endpoint` made."""
    assert isinstance(endpoint.plane, UdpPlane)
    return endpoint.plane
