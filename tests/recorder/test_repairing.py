"""A torn recording is ended cleanly, what is made of it is made anew, and what is good is not touched."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import pytest

from media.plane import Codec
from recorder.appending import AppendedFile
from recorder.export.previews import make_previews
from recorder.journal import RecordType, decode_json
from recorder.library import JOURNAL, Library
from recorder.manifest import MANIFEST, Manifest
from recorder.parts import read_part
from recorder.repairing import Repaired, RepairError, discard, repair, undo
from recorder.seal import keys, sm2
from recorder.seal.keys import DataKey
from recorder.seal.suites import SM4, SealError
from recorder.signing import sign_recording
from recorder.verify import BEFORE_REPAIR, check_chain, verify
from recorder.volumes import volumes_of
from server.repair_cli import repair_all
from tests.helpers.journal_media import camera, encode, record, video
from tests.helpers.journals import read_all, small_journal

from .test_volumes import part

NOW = 1_795_350_000
NAMES = ["20261122-101500-demo-0001", "20261122-101500-demo-0002", "20261122-101500-demo-0003"]
KEY = DataKey(SM4, bytes(range(16)))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sealed recordings that are not exported yet, the keys beside them."""
    root = tmp_path_factory.mktemp("archive")
    for pair in ("hospital", "signing"):
        sm2.generate(root / f"{pair}.pem")
        (root / f"{pair}.public.pem").write_bytes(sm2.public_of(root / f"{pair}.pem"))
    packets = video(7, Codec.H264, encode(Codec.H264, 60))
    for name in NAMES:
        folder = record(root / "recordings" / name, [camera(7)], packets, sealed_with=KEY)
        keys.write(folder, keys.wrap(name, KEY, [root / "hospital.public.pem"]))
    return root


@pytest.fixture
def archive(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "archive")
    return tmp_path / "archive"


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def mend(folder: Path, now: float = NOW) -> Repaired:
    shares: list[float] = []
    repaired = repair(folder, KEY, folder.parents[1] / "signing.pem", now, shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    return repaired


def tear(folder: Path, size: int = 700) -> None:
    """Leave what a kill leaves: no end, and a part of a block."""
    path = volumes_of(folder / JOURNAL)[-1]
    data = path.read_bytes()
    path.write_bytes(data[:-size])


def test_a_torn_end_becomes_a_clean_one_and_can_be_undone(archive: Path) -> None:
    folder = archive / "recordings" / NAMES[0]
    tear(folder)
    before = content(folder)
    reader, kept = read_all((folder / JOURNAL).read_bytes(), key=KEY)
    assert not reader.ended
    repaired = mend(folder)
    assert any("lost: at most a second" in sentence for sentence in repaired.lost)
    assert any(f"{reader.ignored} bytes" in sentence for sentence in repaired.lost)
    # the journal is what was whole of it, and an end
    after, records = read_all((folder / JOURNAL).read_bytes(), key=KEY)
    assert not after.truncated
    assert records[:-1] == kept
    assert records[-1].type is RecordType.END
    assert decode_json(records[-1].payload) == {"reason": "repaired"}
    assert before[JOURNAL].startswith((folder / JOURNAL).read_bytes()[: reader.whole_until])
    # what was lost stays lost: the description and the manifest say so
    assert b'"state":"truncated"' in read_part(folder / "description.json", KEY, 1 << 20)
    verdict = verify(folder, archive / "signing.public.pem")
    assert verdict.problems == []
    assert verdict.manifest is not None
    assert verdict.manifest.state == "truncated"
    assert any("before a repair is kept" in remark for remark in verdict.remarks)
    again = (folder / JOURNAL).read_bytes()
    # a second repair finds nothing to do
    assert mend(folder) == Repaired(folder.name)
    # a preview that was made of it since goes with it
    make_previews(folder, KEY)
    assert (folder / "7.preview").exists()
    undo(folder)
    assert content(folder) == before
    # the same block is sealed however often it is done: no nonce bears two texts
    mend(folder, NOW + 1000)
    assert (folder / JOURNAL).read_bytes() == again
    discard(folder)
    assert not (folder / BEFORE_REPAIR).exists()
    for act in (undo, discard):
        with pytest.raises(RepairError, match="Nothing is kept"):
            act(folder)


def test_what_is_as_it_was_signed_is_not_touched(archive: Path) -> None:
    folder = archive / "recordings" / NAMES[0]
    mend(folder)
    discard(folder)
    before = content(folder)
    times = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert mend(folder) == Repaired(folder.name)
    assert content(folder) == before
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == times


def test_what_is_made_of_a_journal_is_made_anew_and_the_chain_holds(archive: Path) -> None:
    root = archive / "recordings"
    for name in NAMES:
        mend(root / name)
        discard(root / name)
    (root / NAMES[1] / "7.index").unlink()
    (root / NAMES[1] / "description.json").write_bytes(b"?")
    last = Manifest.parse((root / NAMES[1] / MANIFEST).read_bytes())
    journal = (root / NAMES[1] / JOURNAL).read_bytes()
    repaired = mend(root / NAMES[1], NOW + 5)
    assert repaired.lost == []
    assert (root / NAMES[1] / JOURNAL).read_bytes() == journal
    verdicts = [verify(root / name, archive / "signing.public.pem") for name in NAMES]
    assert [verdict.problems for verdict in verdicts] == [[], [], []]
    assert check_chain(verdicts) == []
    manifest = verdicts[1].manifest
    assert manifest is not None
    assert manifest.previous == last.previous
    assert len(manifest.replaces) == 1
    (root / NAMES[1] / "description.json").write_bytes(b"!")
    with pytest.raises(RepairError, match="repaired before"):
        mend(root / NAMES[1], NOW + 6)
    # and the newest of the chain is known by its new name
    (root / NAMES[2] / "description.json").write_bytes(b"?")
    mend(root / NAMES[2], NOW + 7)
    digest = verify(root / NAMES[2], archive / "signing.public.pem").digest
    assert digest in (root / "last-manifest.json").read_text()


def test_damage_within_is_located_and_left_alone(archive: Path) -> None:
    folder = archive / "recordings" / NAMES[0]
    path = folder / JOURNAL
    data = bytearray(path.read_bytes())
    reader, _ = read_all(bytes(data), key=KEY)
    place = reader.blocks[2]
    data[place + 100] ^= 1
    path.write_bytes(data)
    repaired = mend(folder)
    (sentence,) = repaired.lost
    assert f"bytes at {place - 28} of the journal are damaged" in sentence
    assert sentence.count("UTC") == 2
    assert path.read_bytes() == data
    assert verify(folder, archive / "signing.public.pem").problems == []


def test_a_torn_volume_is_ended_and_what_follows_it_put_aside(archive: Path) -> None:
    folder = archive / "recordings" / NAMES[0]
    part(folder, 30_000)
    tear(folder)
    paths = volumes_of(folder / JOURNAL)
    (folder / f"journal-{len(paths) + 1}.kjr").write_bytes(b"KONSIL")  # killed as it began
    before = content(folder)
    mend(folder)
    assert volumes_of(folder / JOURNAL) == paths
    assert verify(folder, archive / "signing.public.pem").problems == []
    undo(folder)
    assert content(folder) == before


def test_a_recording_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / NAMES[0]
    folder.mkdir()
    file = AppendedFile(folder / JOURNAL)
    file.append(small_journal(finished=False))
    file.sync()
    with pytest.raises(RepairError, match="being written"):
        repair(folder, None, None, NOW)
    file.close()
    assert repair(folder, None, None, NOW).done


@pytest.mark.parametrize("sealed", [False, True])
def test_cut_at_any_byte_it_is_ended_at_its_last_whole_block(tmp_path: Path, sealed: bool) -> None:
    key = KEY if sealed else None
    whole = small_journal(finished=False, sealed_with=key)
    reader, _ = read_all(whole, key=key)
    first = reader.blocks[0]
    for cut in range(first, len(whole), 23):
        folder = tmp_path / f"{cut}"
        folder.mkdir()
        (folder / JOURNAL).write_bytes(whole[:cut])
        _, kept = read_all(whole[:cut], key=key)
        repair(folder, key, None, NOW)
        after, records = read_all((folder / JOURNAL).read_bytes(), key=key)
        assert not after.truncated
        assert records[:-1] == kept


def test_a_sealed_recording_needs_its_key(archive: Path) -> None:
    folder = archive / "recordings" / NAMES[0]
    tear(folder)
    before = content(folder)
    for key in (None, DataKey.random(SM4)):
        with pytest.raises(SealError):
            repair(folder, key, None, NOW)
        assert content(folder) == before


def test_the_command_says_what_it_did(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    library = Library(archive / "recordings")
    tear(archive / "recordings" / NAMES[0])
    options = argparse.Namespace(
        names=NAMES[:2],
        private_key=archive / "hospital.pem",
        signing_key=archive / "signing.pem",
        undo=False,
        discard=False,
    )
    assert repair_all(library, options) == 1
    said = capsys.readouterr().out
    assert f"{NAMES[0]}: repaired." in said
    assert "LOST: What was recorded after" in said
    assert f"{NAMES[1]}: repaired." in said  # nobody had made its files
    options.discard = True
    assert repair_all(library, options) == 0
    options.discard = False
    assert repair_all(library, options) == 0 or "whole" in capsys.readouterr().out
    sign_recording(
        archive / "recordings" / NAMES[1], archive / "signing.pem", NOW
    )  # signed already: left as it is
