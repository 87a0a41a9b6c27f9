"""FORMAT.md is enough: a reader that was written from it alone reads what the recorder wrote."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from media.plane import Codec
from recorder.export.preparing import prepare
from recorder.parts import read_part
from recorder.seal import keys, sm2
from recorder.seal.keys import DataKey
from recorder.seal.suites import AES, SM4, Suite
from tests.helpers.journal_media import camera, encode, record, video
from tests.helpers.journals import read_all, small_journal
from tests.recorder import stranger


@pytest.mark.parametrize("suite", [None, SM4, AES], ids=["plain", "SM4", "AES"])
def test_a_stranger_reads_every_record(suite: Suite | None) -> None:
    key = None if suite is None else DataKey.random(suite)
    journal = small_journal(sealed_with=key)
    ours = [(record.type, record.time, record.payload) for record in read_all(journal, key=key)[1]]
    assert list(stranger.records(journal, None if key is None else key.key)) == ours
    assert {kind for kind, *_ in ours} >= {1, 2, 3, 4, 5, 7}
    # and what is left of a damaged one
    damaged = bytearray(journal)
    damaged[len(journal) // 2] ^= 1
    ours = [(record.type, record.time, record.payload) for record in read_all(bytes(damaged), key=key)[1]]
    assert list(stranger.records(bytes(damaged), None if key is None else key.key)) == ours


def test_a_stranger_opens_a_recording_with_the_hospitals_key(tmp_path: Path) -> None:
    private, public = tmp_path / "hospital.pem", tmp_path / "hospital.public.pem"
    sm2.generate(private)
    public.write_bytes(sm2.public_of(private))
    key = DataKey.random(SM4)
    folder = record(
        tmp_path / "recording", [camera(7)], video(7, Codec.H264, encode(Codec.H264)), sealed_with=key
    )
    keys.write(folder, keys.wrap("recording", key, [public]))
    prepare(folder, key=key)
    assert stranger.data_key(folder, private) == key.key
    for name in ("7.index", "description.json"):
        assert stranger.sealed_file((folder / name).read_bytes(), key.key) == read_part(
            folder / name, key, 1 << 30
        )
    script = Path(stranger.__file__)
    lines = script.read_text().splitlines()
    assert len(lines) < 200
    imported = {line.split()[1].split(".")[0] for line in lines if line.startswith(("import ", "from "))}
    assert imported <= sys.stdlib_module_names | {"cryptography"}
    listed = subprocess.run(
        [sys.executable, str(script), str(folder), str(private)], capture_output=True, text=True, check=True
    )
    assert "packets" in listed.stdout
    assert "1 end" in listed.stdout
