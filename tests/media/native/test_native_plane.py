"""The native plane does what every plane does, in its own thread and over real sockets."""

from collections.abc import Iterator

import pytest

from media.native import NativePlane
from tests.helpers.rtp_harness import NativeHarness, PlaneHarness
from tests.media.plane_behaviour import CongestionBehaviour, PlaneBehaviour


class TestNativePlane(PlaneBehaviour):
    """All behaviour of a plane."""

    @pytest.fixture
    def harness(self, profile: str) -> Iterator[PlaneHarness]:
        """Put peers around a NativePlane; nothing that C made may be left afterwards."""
        plane = NativePlane()
        harness = NativeHarness(plane, profile)
        yield harness
        harness.close()
        assert plane.live_objects() == (0, 0, 0, 0, 0)


class TestNativeCongestion(CongestionBehaviour):
    """All behaviour of congestion control and repair."""

    @pytest.fixture
    def harness(self, profile: str) -> Iterator[PlaneHarness]:
        """Put peers around a NativePlane; nothing that C made may be left afterwards."""
        plane = NativePlane()
        harness = NativeHarness(plane, profile)
        yield harness
        harness.close()
        assert plane.live_objects() == (0, 0, 0, 0, 0)
