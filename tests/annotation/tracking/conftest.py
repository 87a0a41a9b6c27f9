"""Several tests run beside each other: OpenCV's threads would only wait for one another."""

from __future__ import annotations

import pytest

from annotation.tracking.flow import work_alone


@pytest.fixture(autouse=True, scope="session")
def _alone() -> None:
    work_alone()
