"""The archive's commands: what they print, and what they say to a mistake."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from media.plane import Codec
from recorder.export.preparing import prepare
from recorder.seal import keys, sm2
from recorder.seal.keys import DataKey
from recorder.seal.suites import SM4, SealError
from recorder.signing import sign_recording
from server.__main__ import main
from server.archive_keys import ArchiveKeys
from server.config import Config, DatabaseConfig, SealConfig
from server.keeping import decisions
from server.keeping.audit import Doer
from server.keeping.commands import at_once
from tests.helpers.journal_media import camera, encode, record, video

NAME = "20261122-101500-demo-3f9a"


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One finished recording, and the configuration that finds it."""
    config = SealConfig(private_key=str(tmp_path / "archive.pem"), signing_key=str(tmp_path / "signing.pem"))
    ArchiveKeys(config)
    monkeypatch.setenv("KONSIL_DATABASE_FILE", str(tmp_path / "konsil.sqlite3"))
    monkeypatch.setenv("KONSIL_RECORDINGS_FOLDER", str(tmp_path / "recordings"))
    monkeypatch.setenv("KONSIL_SEAL_PRIVATE_KEY", config.private_key)
    monkeypatch.setenv("KONSIL_SEAL_SIGNING_KEY", config.signing_key)
    key = DataKey.random(SM4)
    packets = video(7, Codec.VP8, encode(Codec.VP8))
    folder = record(tmp_path / "recordings" / NAME, [camera(7, Codec.VP8)], packets, sealed_with=key)
    keys.write(folder, keys.wrap(NAME, key, [tmp_path / "archive.public.pem"]))
    prepare(folder, key=key)
    sign_recording(folder, tmp_path / "signing.pem", 1.8e9)
    return tmp_path


def test_verify_says_what_is_wrong_and_where(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recordings", "verify"]) == 0
    assert (
        capsys.readouterr().out == f"{NAME}: as it was signed\n1 of 1 recordings are as they were signed.\n"
    )
    path = archive / "recordings" / NAME / "7.index"
    path.write_bytes(path.read_bytes()[:-1])
    assert main(["recordings", "verify", NAME]) == 1
    said = capsys.readouterr().out
    assert "WRONG" in said
    assert "7.index has" in said
    assert main(["recordings", "verify", "../etc"]) == 2
    assert main(["recordings", "verify", "--public-key", str(archive / "none.pem")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_show_says_what_it_holds(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recordings", "show", NAME]) == 0
    said = capsys.readouterr().out
    assert "room demo" in said
    assert "SM4-GCM-SM3" in said
    assert "packets" in said
    assert "preview" not in said
    for name in ("7.0.preview", "7.1.preview", "7.2.preview.part"):
        (archive / "recordings" / NAME / name).touch()
    assert main(["recordings", "show", NAME]) == 0
    assert "its preview is being made: 2 pieces" in capsys.readouterr().out
    assert main(["recordings", "show", NAME, "--private-key", str(archive / "none.pem")]) == 0
    assert "sealed blocks, which this key does not open" in capsys.readouterr().out


def test_the_hospital_changes_its_key(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sm2.generate(archive / "new.pem")
    (archive / "new.public.pem").write_bytes(sm2.public_of(archive / "new.pem"))
    assert main(["recordings", "rewrap", NAME, "--for", str(archive / "new.public.pem")]) == 0
    wrapped = keys.read(archive / "recordings" / NAME)
    assert wrapped is not None
    wrapped.open(archive / "new.pem")
    with pytest.raises(SealError):
        wrapped.open(archive / "archive.pem")
    assert main(["recordings", "verify"]) == 0
    assert main(["recordings", "rewrap", NAME, "--for", str(archive / "new.public.pem")]) == 2
    assert "another key" in capsys.readouterr().err


def test_erasing_asks_first(
    archive: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    assert main(["recordings", "erase", NAME]) == 1
    assert keys.read(archive / "recordings" / NAME) is not None
    assert main(["recordings", "erase", NAME, "--yes"]) == 0
    assert keys.read(archive / "recordings" / NAME) is None
    assert main(["recordings", "erase", NAME, "--yes"]) == 2
    assert "erased already" in capsys.readouterr().err
    assert main(["audit", "show"]) == 0
    assert capsys.readouterr().out.count("key_erased") == 1


def test_what_lies_under_a_hold_is_not_erased_without_a_word(
    archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Config(database=DatabaseConfig(file=str(archive / "konsil.sqlite3")))
    claimant = Doer("ward/A", "A", "chair", "demo")
    at_once(config, lambda c: decisions.register(c, [(NAME, "demo", 1)]))
    at_once(config, lambda c: decisions.hold(c, claimant, 2, NAME, "claim 17"))
    assert main(["recordings", "erase", NAME, "--yes"]) == 1
    assert "A legal hold lies on" in capsys.readouterr().out
    assert keys.read(archive / "recordings" / NAME) is not None
    assert main(["recordings", "erase", NAME, "--yes", "--despite-hold", "court order 3"]) == 0
    assert keys.read(archive / "recordings" / NAME) is None
    assert main(["audit", "show"]) == 0
    assert "key_erased 20261122-101500-demo-3f9a despite_hold=court order 3" in capsys.readouterr().out


def test_what_cannot_be_written_down_is_not_erased(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (archive / "konsil.sqlite3").mkdir()
    assert main(["recordings", "erase", NAME, "--yes"]) == 2
    assert "cannot be opened" in capsys.readouterr().err
    assert keys.read(archive / "recordings" / NAME) is not None


def test_the_table_of_terms_is_the_hospital_s(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keeping", "classes"]) == 0
    assert "process          3 years   (new recordings)" in capsys.readouterr().out
    assert main(["keeping", "set", "medical", "30"]) == 0
    assert main(["keeping", "set", "research", "10"]) == 0
    assert main(["keeping", "usual", "medical"]) == 0
    said = capsys.readouterr().out
    assert "medical          30 years   (new recordings)" in said
    assert "research         10 years" in said
    for wrong in (
        ["set", "audit", "4"],
        ["set", "medical", "0"],
        ["set", "teaching", "3"],
        ["usual", "audit"],
    ):
        assert main(["keeping", *wrong]) == 2
    assert "audit is kept for 5 to 200 years" in capsys.readouterr().err
    assert main(["keeping", "set", "audit", "10"]) == 0
    assert main(["audit", "show"]) == 0
    assert capsys.readouterr().out.count("retention_changed") == 3
