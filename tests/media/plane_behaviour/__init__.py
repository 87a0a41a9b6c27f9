"""What every plane does: a class of tests to inherit, with a `harness` fixture to provide.

class TestReferencePlane(PlaneBehaviour):
    @pytest.fixture
    def harness(self, profile: str) -> Iterator[PlaneHarness]:
        harness = MemoryHarness(profile)
        yield harness
        harness.close()
"""

from collections.abc import Iterator

import pytest

from tests.helpers.rtp_harness import PlaneHarness
from tests.helpers.rtp_peer import PROFILES

from .bad_datagrams import BadDatagrams
from .capture_times import CaptureTimes
from .closing import Closing
from .feedback_from_subscribers import FeedbackFromSubscribers
from .feedback_to_publishers import FeedbackToPublishers
from .forwarding import Forwarding
from .header_extensions import HeaderExtensions
from .known_holes import KnownHoles
from .late_packets import LatePackets
from .layers import Layers
from .losses import Losses
from .moving import Moving
from .observing import Observing
from .pacing import Pacing
from .probing import Probing
from .protection import Protection
from .redundancy import Redundancy
from .repeats import Repeats
from .round_trips import RoundTrips
from .simulcast import SimulcastSwitches
from .starting import Starting

__all__ = ["CongestionBehaviour", "PlaneBehaviour"]


class PlaneBehaviour(
    BadDatagrams,
    CaptureTimes,
    Closing,
    Forwarding,
    HeaderExtensions,
    KnownHoles,
    LatePackets,
    Layers,
    Losses,
    Moving,
    Observing,
    Redundancy,
    Repeats,
    SimulcastSwitches,
    Starting,
):
    """All behaviour tests, with each SRTP profile."""

    @pytest.fixture(params=list(PROFILES))
    def profile(self, request: pytest.FixtureRequest) -> str:
        """Name the SRTP profile of all peers."""
        return str(request.param)

    @pytest.fixture
    def harness(self, profile: str) -> Iterator[PlaneHarness]:
        """Provide the harness: the class that inherits does."""
        raise NotImplementedError


class CongestionBehaviour(
    FeedbackFromSubscribers, FeedbackToPublishers, Pacing, Probing, Protection, RoundTrips
):
    """All behaviour tests of congestion control and repair, with the profile that browsers negotiate."""

    @pytest.fixture
    def profile(self) -> str:
        """Name the SRTP profile of all peers."""
        return "AEAD_AES_128_GCM"

    @pytest.fixture
    def harness(self, profile: str) -> Iterator[PlaneHarness]:
        """Provide the harness: the class that inherits does."""
        raise NotImplementedError
