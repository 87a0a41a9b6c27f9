"""One recording that all these tests export; who changes it takes a copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.exporting.recordings import two_cameras


@pytest.fixture(scope="session")
def sealed_recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cameras and a sound, sealed and prepared; exports of it lie in folders of their own."""
    return two_cameras(tmp_path_factory.mktemp("sealed"))


@pytest.fixture
def recording_copy(sealed_recording: Path, tmp_path: Path) -> Path:
    """The same, to be damaged."""
    return Path(shutil.copytree(sealed_recording, tmp_path / sealed_recording.name))
