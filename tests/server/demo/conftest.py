"""One small clip for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.demo.clip import SMALL, ensure_clip


@pytest.fixture(scope="session")
def small_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of the two-second clip."""
    return ensure_clip(tmp_path_factory.mktemp("clip") / "small.mp4", SMALL)
