"""What holds for all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.helpers.orthanc import Orthanc

# examples are bounded in number, not in time: a busy machine is no failure. Continuous integration tries the same
# examples each time, people new ones.
settings.register_profile(
    "konsil",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=os.environ.get("CI") == "true",
)
settings.load_profile("konsil")


@pytest.fixture(autouse=True)
def _scheduling_stays() -> Iterator[None]:
    """No test leaves the process in a real-time class, which all that is started afterwards would inherit."""
    before = os.sched_getscheduler(0)
    yield
    assert os.sched_getscheduler(0) == before


@pytest.fixture(autouse=True)
def _browsers_run_as_they_are(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sanitizer's library, which `make debug` loads into this process, hangs a browser."""
    if request.node.get_closest_marker("browser") is not None:
        monkeypatch.delenv("LD_PRELOAD", raising=False)


@pytest.fixture(scope="session")
def _pacs() -> Iterator[Orthanc]:
    # what it needs takes half a second to import: only for who asks for it
    from tests.helpers.orthanc import orthanc

    with orthanc() as running:
        yield running


@pytest.fixture
def pacs(_pacs: Orthanc) -> Orthanc:
    """A PACS with nothing in it; the same program for all tests of a session."""
    _pacs.clear()
    return _pacs
