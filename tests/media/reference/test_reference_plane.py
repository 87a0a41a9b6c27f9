"""The reference plane does what every plane does, in memory and in virtual time."""

from collections.abc import Iterator

import pytest

from tests.helpers.rtp_harness import MemoryHarness, PlaneHarness
from tests.media.plane_behaviour import PlaneBehaviour


class TestReferencePlane(PlaneBehaviour):
    """All behaviour of a plane."""

    @pytest.fixture
    def harness(self, profile: str) -> Iterator[PlaneHarness]:
        """Put peers around a ReferencePlane."""
        harness = MemoryHarness(profile)
        yield harness
        harness.close()
