"""The reference plane does what every plane does, in memory and in virtual time."""

from collections.abc import Iterator

import pytest

from tests.helpers.rtp_harness import MemoryHarness, PlaneHarness
from tests.media.plane_behaviour import CongestionBehaviour, PlaneBehaviour


class TestReferencePlane(PlaneBehaviour):
    """All behaviour of a plane."""

    @pytest.fixture
    def harness(self, profile: str) -> Iterator[PlaneHarness]:
        """Put peers around a ReferencePlane."""
        harness = MemoryHarness(profile)
        yield harness
        harness.close()


class TestReferenceCongestion(CongestionBehaviour):
    """All behaviour of congestion control and repair."""

    @pytest.fixture
    def harness(self, profile: str) -> Iterator[PlaneHarness]:
        """Put peers around a ReferencePlane."""
        harness = MemoryHarness(profile)
        yield harness
        harness.close()
