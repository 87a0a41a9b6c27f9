"""Backup and restore: a fresh server has the same recordings, byte for byte, and the same decisions."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from recorder.seal.keys import KEY_FILE
from server.__main__ import main
from server.config import CopiesConfig
from server.keeping.backup import BackupError, check_backup, parse_list
from tests.helpers.kept import keep_recording
from tests.helpers.recorded import prepared
from tests.helpers.served import Served, served


def _configure(folder: Path, second: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Call commands as on the machine of the server in this folder."""
    for name, value in {
        "DATABASE_FILE": folder / "konsil.sqlite3",
        "RECORDINGS_FOLDER": folder / "recordings",
        "SEAL_PRIVATE_KEY": folder / "keys" / "archive.pem",
        "SEAL_SIGNING_KEY": folder / "keys" / "signing.pem",
        "COPIES_PLACE": second,
    }.items():
        monkeypatch.setenv(f"KONSIL_{name}", str(value))


async def _command(*words: str | Path) -> int:
    return await asyncio.to_thread(main, [str(word) for word in words])


async def _delete(server: Served, recording: str) -> None:
    one = f"/api/keeping/recordings/{recording}/deletion"
    target = one
    for who, body in (("A", {"reason": "over"}), ("B", {"agree": True})):
        bearer = {"Authorization": f"Bearer {server.token('chair', who)}"}
        answer = await server.ask("POST", target, bearer, json.dumps(body).encode())
        assert answer.status == 200, answer.body
        lines = {line["recording"]: line for line in answer.json()["recordings"]}
        target = f"{one}/{lines[recording]['request']['number']}"
    await server.service.keeper.round()


async def test_a_fresh_server_replays_and_proves_what_was_backed_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new, second, backup = (tmp_path / name for name in ("old", "new", "second", "backup"))
    copies = CopiesConfig(place=str(second), rate_mb=1000)
    _configure(old, second, monkeypatch)
    async with served(old, copies=copies) as running:
        kept, deleted_before, deleted_after = [
            await asyncio.to_thread(keep_recording, old, "ward") for _ in range(3)
        ]
        await running.service.keeper.take_in()
        await running.service.keeper.copy_round()
        await _delete(running, deleted_before)
        bearer = running.bearer("chair")
        await running.ask("POST", f"/api/keeping/recordings/{kept}/holds", bearer, b'{"reason":"claim 17"}')
        # beside the running server
        assert await _command("backup", backup) == 0
        assert await _command("backup", backup) == 2
        assert "is there already" in capsys.readouterr().err
        whole = {path.name: path.read_bytes() for path in (old / "recordings" / kept).iterdir()}
        film = (await running.ask("GET", f"/api/recordings/{kept}/7/0.webm", bearer)).body
        assert len(film) > 1000
        # what is deleted afterwards loses its key in the backup too
        await _delete(running, deleted_after)
        assert not (backup / "recordings" / deleted_after / KEY_FILE).exists()
        assert (backup / "recordings" / kept / KEY_FILE).exists()

    # the house burns down; keys and secret were in the safe
    new.mkdir()
    shutil.copytree(old / "keys", new / "keys")
    shutil.copy(old / "secret", new / "secret")
    shutil.rmtree(old)
    _configure(new, second, monkeypatch)
    assert await _command("restore", backup) == 0
    assert f"{deleted_after}: was deleted after the backup, and stays so." in capsys.readouterr().out
    assert await _command("restore", backup) == 2
    assert "where there is nothing" in capsys.readouterr().err
    assert await _command("copies", "verify") == 0
    assert "1 of 1 second copies are whole" in capsys.readouterr().out

    async with served(new, copies=copies) as running:
        bearer = running.bearer("chair")
        assert (await running.ask("GET", f"/api/recordings/{kept}", bearer)).status == 409
        await prepared(running.url, bearer, kept)
        restored = {path.name: path.read_bytes() for path in (new / "recordings" / kept).iterdir()}
        assert restored == whole
        assert (await running.ask("GET", f"/api/recordings/{kept}/7/0.webm", bearer)).body == film
        shown = (await running.ask("GET", "/api/keeping", bearer)).json()["recordings"]
        lines = {line["recording"]: line for line in shown}
        assert [hold["reason"] for hold in lines[kept]["holds"]] == ["claim 17"]
        assert lines[deleted_before]["deleted"] is not None
    assert await _command("recordings", "verify") == 0
    said = capsys.readouterr().out
    assert "3 of 3 recordings are as they were signed" in said
    assert said.count("by decision of two people") == 2
    assert await _command("audit", "verify") == 0
    assert await _command("copies", "fetch") == 0


async def test_a_deletion_waits_for_a_backup_that_is_not_mounted_or_gone_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _configure(tmp_path, tmp_path / "second", monkeypatch)
    async with served(tmp_path) as running:
        recording = await asyncio.to_thread(keep_recording, tmp_path, "ward")
        await running.service.keeper.take_in()
        for name in ("mounted", "lost"):
            assert await _command("backup", tmp_path / name) == 0
        (tmp_path / "lost").rename(tmp_path / "away")
        await _delete(running, recording)
        bearer = running.bearer("chair")
        request = (await running.ask("GET", "/api/keeping", bearer)).json()["recordings"][0]["request"]
        assert request["state"] == "agreed"
        assert "backups that cannot be reached, made on 20" in request["remaining"]
        assert not (tmp_path / "mounted" / "recordings" / recording / KEY_FILE).exists()
        assert await _command("backup", tmp_path / "lost", "--forget") == 0
        assert await _command("backup", tmp_path / "lost", "--forget") == 2
        await running.service.keeper.round()
        request = (await running.ask("GET", "/api/keeping", bearer)).json()["recordings"][0]["request"]
        assert (request["state"], request["remaining"]) == ("done", "")


async def test_a_backup_that_was_changed_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _configure(tmp_path, tmp_path / "second", monkeypatch)
    backup, public = tmp_path / "backup", tmp_path / "keys" / "signing.public.pem"
    async with served(tmp_path):
        recording = await asyncio.to_thread(keep_recording, tmp_path, "ward")
        assert await _command("backup", backup) == 0
    assert len(check_backup(backup, public)) == 6
    for name, words in (
        (f"recordings/{recording}/manifest.json", "manifest.json of the backup"),
        ("konsil.sqlite3", "konsil.sqlite3 of the backup"),
        ("backup.json", "not signed by the hospital"),
    ):
        sound = (backup / name).read_bytes()
        (backup / name).write_bytes(sound[:-2] + bytes([sound[-2] ^ 1, sound[-1]]))
        with pytest.raises(BackupError, match=words):
            check_backup(backup, public)
        (backup / name).write_bytes(sound)
    for name in ("/etc/passwd", "../x", "a/../../x", ""):
        with pytest.raises(BackupError, match="outside of it"):
            parse_list(json.dumps({"version": 1, "files": [{"name": name, "bytes": 1, "sm3": ""}]}).encode())
    for data in (b"", b"[]", b'{"version":1,"files":7}', b'{"version":2,"files":[]}'):
        with pytest.raises(BackupError):
            parse_list(data)
