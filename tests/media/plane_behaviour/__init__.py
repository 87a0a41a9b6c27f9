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
from .closing import Closing
from .forwarding import Forwarding
from .header_extensions import HeaderExtensions
from .losses import Losses
from .observing import Observing
from .repeats import Repeats
from .starting import Starting

__all__ = ["PlaneBehaviour"]


class PlaneBehaviour(
    BadDatagrams, Closing, Forwarding, HeaderExtensions, Losses, Observing, Repeats, Starting
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
