"""Recordings on the disk are sealed: whoever takes the disk sees nothing, whoever changes it is found out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import pytest

from recorder.seal import keys
from server.archive_keys import ArchiveKeys
from server.config import ConfigError, SealConfig
from tests.helpers.recorded import played, prepared, recorded
from tests.helpers.served import Served, ask, served

OPEN = {"key.json", "summary.json", "manifest.json", "manifest.sig"}


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as server:
        yield server


def seal_config(folder: Path, **change: Any) -> SealConfig:
    pairs = {"private_key": str(folder / "archive.pem"), "signing_key": str(folder / "signing.pem")}
    return SealConfig(**(pairs | change))


async def test_it_is_sealed_on_the_disk_and_whole_on_the_glass(
    running: Served, caplog: pytest.LogCaptureFixture
) -> None:
    recording, producers = await recorded(running)
    bearer = running.bearer("trainee")
    await prepared(running.url, bearer, recording)
    folder = running.folder / "recordings" / recording
    names = {path.name for path in folder.iterdir()}
    producer = producers[0]["producer"]
    field = f"{producer}.index"
    assert names >= {field, "journal.kjr", "description.json", *OPEN}
    for name in names - OPEN:
        content = (folder / name).read_bytes()
        for secret in (b"Dr. S", b"operation", b"\x42\x82\x84webm"):
            assert secret not in content, name
    assert all(b"Dr. S" not in (folder / name).read_bytes() for name in OPEN)

    whole = await played(running.url, bearer, recording, producer)
    with av.open(BytesIO(whole)) as container:
        assert sum(1 for _ in container.decode(video=0)) > 5
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []

    # whoever changes it is found out: the picture is not given, nor the description
    address = f"/api/recordings/{recording}/{producer}/init.webm"
    for name, place in ((field, -20), ("description.json", -20)):
        changed = bytearray((folder / name).read_bytes())
        changed[place] ^= 1
        (folder / name).write_bytes(changed)
    assert (await ask(running.url, "GET", address, bearer)).status == 500
    told = await ask(running.url, "GET", f"/api/recordings/{recording}", bearer)
    assert told.status == 500
    assert b"tampered" in told.body

    # and whoever destroys its key has erased it, for a server too that had opened it before
    await asyncio.to_thread(keys.erase, folder)
    gone = await ask(running.url, "GET", address, bearer)
    assert gone.status == 403
    assert b"destroyed" in gone.body


def test_the_pair_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    config = seal_config(tmp_path / "keys")
    ArchiveKeys(config)
    pem = (tmp_path / "keys" / "archive.pem").read_bytes()
    assert (tmp_path / "keys" / "archive.pem").stat().st_mode & 0o777 == 0o600
    folder = tmp_path / "recording"
    folder.mkdir()
    key = ArchiveKeys(config).new(folder)
    assert (tmp_path / "keys" / "archive.pem").read_bytes() == pem
    wrapped = keys.read(folder)
    assert wrapped is not None
    assert wrapped.open(tmp_path / "keys" / "archive.pem") == key


def test_a_server_that_only_records_has_no_key_that_opens(tmp_path: Path) -> None:
    ArchiveKeys(seal_config(tmp_path, private_key=str(tmp_path / "hospital.pem")))
    public = str(tmp_path / "hospital.public.pem")
    recording = ArchiveKeys(seal_config(tmp_path, private_key="", public_keys=(public,)))
    folder = tmp_path / "recording"
    folder.mkdir()
    key = recording.new(folder)
    wrapped = keys.read(folder)
    assert wrapped is not None
    assert wrapped.open(tmp_path / "hospital.pem") == key


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"suite": "ROT13"}, "is not one of"),
        ({"private_key": ""}, "no key to seal them for"),
        ({"public_keys": ("none.pem",)}, "cannot be read"),
    ],
)
def test_what_cannot_seal_does_not_start(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        ArchiveKeys(seal_config(tmp_path, **change))


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    config = seal_config(tmp_path)
    ArchiveKeys(config)
    (tmp_path / "archive.pem").chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        ArchiveKeys(config)


async def test_a_server_whose_last_manifest_is_unreadable_serves_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "last-manifest.json").write_bytes(b"\0")
    async with served(tmp_path) as running:
        assert (await ask(running.url, "GET", "/api/recordings", running.bearer("trainee"))).status == 200
    assert "recordings cannot be signed" in caplog.text
