"""A server that is killed in the middle of a deletion: the next one goes on, and nothing opens in between."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from recorder import tombstone
from recorder.library import Library, UnknownRecording
from recorder.seal.keys import KEY_FILE
from recorder.verify import BEFORE_REPAIR, verify
from server.archive_keys import ArchiveKeys
from server.config import SealConfig
from server.keeping.deletion import destroy
from tests.helpers.kept import keep_recording

# kills itself with SIGKILL before the n-th time that it touches a file of the folder, for n = 1, 2, ...
KILLED = """
import os, shutil, signal, sys
from pathlib import Path
from server.keeping.deletion import destroy

whole, signing = Path(sys.argv[1]), Path(sys.argv[2])
for moment in range(1, 1000):
    folder = whole.parent / str(moment) / whole.name
    shutil.copytree(whole, folder)
    child = os.fork()
    if child == 0:
        touched = 0
        def count(event, arguments):
            global touched
            if event in ("open", "os.remove", "os.rename", "os.truncate") and str(folder) in str(arguments[0]):
                touched += 1
                if touched == moment:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(count)
        destroy(folder, signing, 1.8e9, 7)
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
    print(folder)
"""


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    keys = tmp_path / "keys"
    ArchiveKeys(SealConfig(private_key=str(keys / "archive.pem"), signing_key=str(keys / "signing.pem")))
    folder = tmp_path / "recordings" / keep_recording(tmp_path, "ward")
    # what it was before it was repaired lies beside it, and goes with it
    (folder / BEFORE_REPAIR).mkdir()
    (folder / BEFORE_REPAIR / "journal.kjr").write_bytes(b"as it was")
    return folder


def test_a_deletion_that_was_killed_anywhere_is_gone_on_with(recording: Path, tmp_path: Path) -> None:
    signing = tmp_path / "keys" / "signing.pem"
    public, private = signing.with_suffix(".public.pem"), tmp_path / "keys" / "archive.pem"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(recording), str(signing)], capture_output=True, text=True, timeout=150,
        cwd=Path(__file__).parents[3], check=True,
    )  # fmt: skip
    cut = [Path(line) for line in done.stdout.split()]
    assert len(cut) > 10
    begun = 0
    for folder in cut:
        laid = (folder / tombstone.TOMBSTONE).exists()
        begun += laid
        # before the note is there nothing has gone; afterwards nobody is given anything
        assert laid or (folder / KEY_FILE).stat().st_size > 0
        if laid:
            with pytest.raises(UnknownRecording):
                Library(folder.parent, private).key(folder.name)
        destroy(folder, signing, 1.9e9, 7)
        assert {path.name for path in folder.iterdir()} == tombstone.STAYS
    assert [verify(folder, public).problems for folder in (cut[0], cut[-1])] == [[], []]
    assert 3 < begun < len(cut)
    # which does no harm when it is done twice
    shutil.copytree(recording, tmp_path / "again" / recording.name)
    for _ in range(2):
        destroy(tmp_path / "again" / recording.name, signing, 1.8e9, 7)


def test_a_recording_that_was_never_finished_can_be_deleted_too(recording: Path, tmp_path: Path) -> None:
    for name in ("manifest.json", "manifest.sig"):
        (recording / name).unlink()
    destroy(recording, tmp_path / "keys" / "signing.pem", 1.8e9, 7)
    verdict = verify(recording, tmp_path / "keys" / "signing.public.pem")
    assert verdict.problems == []
    assert "deleted on 2027-01-15" in verdict.remarks[0]
