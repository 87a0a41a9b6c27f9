"""A journal in volumes is read as one, and whatever was done to them is seen while the rest is read."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from media.plane import Codec
from recorder.export.index import JournalIndex, index_journal
from recorder.export.preparing import prepare
from recorder.journal import BLOCK_HEADER_SIZE, BlockHeader, JournalError, JournalHeader, Record, RecordType
from recorder.manifest import MANIFEST
from recorder.reader import JournalReader
from recorder.seal import sm2
from recorder.seal.keys import DataKey
from recorder.seal.suites import SM4
from recorder.sealing import JournalOpener
from recorder.signing import sign_recording
from recorder.source import JournalSource
from recorder.verify import verify
from recorder.volumes import JournalFiles, VolumeHeader, VolumePlan, volumes_of
from recorder.writer import DiskWriter
from tests.helpers.disks import small_disk
from tests.helpers.journal_media import camera, encode, encode_sound, record, sound, video
from tests.recorder import stranger

KEY = DataKey(SM4, bytes(range(16)))
PATIENCE = 20.0


def blocks(data: bytes, header: bytes) -> list[bytes]:
    """Cut a journal into its blocks, the header with the first."""
    position, found = len(header), []
    while position < len(data):
        block = BlockHeader.parse(data[position : position + BLOCK_HEADER_SIZE])
        end = position + BLOCK_HEADER_SIZE + block.length
        found.append(data[position:end])
        position = end
    return [header + found[0], *found[1:]]


def part(folder: Path, limit: int) -> list[Path]:
    """Write a recording's journal anew, in volumes, by the disk thread."""
    journal = folder / "journal.kjr"
    data = journal.read_bytes()
    header = JournalHeader.parse(data)
    journal.unlink()
    writer = DiskWriter(journal, plan=VolumePlan(limit, header))
    for piece in blocks(data, bytes(header)):
        writer.write(piece)
    writer.close()
    assert writer.join(PATIENCE)
    assert writer.failure is None
    return volumes_of(journal)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed recording of three seconds in one volume."""
    packets = video(7, Codec.H264, encode(Codec.H264, 90)) + sound(8, encode_sound(150))
    packets.sort(key=lambda packet: packet.at)
    producers = [camera(7), camera(8, Codec.OPUS)]
    return record(tmp_path_factory.mktemp("whole") / "recording", producers, packets, sealed_with=KEY)


@pytest.fixture
def parted(whole: Path, tmp_path: Path) -> Path:
    """The same in volumes of some 50 kB."""
    folder = tmp_path / "recording"
    shutil.copytree(whole, folder)
    assert len(part(folder, 50_000)) >= 4
    return folder


def read(folder: Path) -> tuple[JournalReader, list[Record]]:
    reader, found = JournalReader(KEY), []
    with JournalFiles(folder / "journal.kjr") as files:
        while data := files.read(10_000):
            reader.receive_data(data)
            while (one := reader.next_record()) is not None:
                found.append(one)
    reader.finish()
    return reader, found


def contents(records: list[Record]) -> list[tuple[RecordType, int, bytes]]:
    return [(one.type, one.time, one.payload) for one in records]


def check_places(folder: Path, records: list[Record], reader: JournalReader) -> None:
    """Every record is found again at its place."""
    assert reader.header is not None
    with JournalSource(folder / "journal.kjr", reader.blocks, JournalOpener(reader.header, KEY)) as source:
        for one in records:
            assert source.read(one.offset, len(one.payload)) == one.payload


def test_volumes_are_read_as_one_journal(whole: Path, parted: Path) -> None:
    reader, records = read(parted)
    assert not reader.truncated
    assert reader.damaged == reader.ignored == 0
    assert contents(records) == contents(read(whole)[1])
    check_places(parted, records, reader)
    sizes = [path.stat().st_size for path in volumes_of(parted / "journal.kjr")]
    assert all(size <= 50_000 or size < 120_000 for size in sizes)  # no block is parted
    # what is made of it is the same, byte by byte
    made = []
    for folder in (whole, parted):
        copy = parted.parent / f"{folder.parent.name}-copy"
        shutil.copytree(folder, copy)
        prepare(copy, key=KEY)
        made.append((index_journal(copy / "journal.kjr", key=KEY), copy))
    assert made[0][0].last_time == made[1][0].last_time
    parts = [json.loads((copy / "unsigned.json").read_bytes())["parts"] for _, copy in made]
    assert [one["name"] for one in parts[1] if one["name"].startswith("journal")] == sorted(
        path.name for path in volumes_of(parted / "journal.kjr")
    )
    assert [one["size"] for one in parts[0] if one["name"] == "description.json"] == [
        one["size"] for one in parts[1] if one["name"] == "description.json"
    ]


def test_a_stranger_reads_volumes(parted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours = contents(read(parted)[1])
    assert list(stranger.records(stranger.whole_journal(parted), KEY.key)) == ours
    assert capsys.readouterr().err == ""
    (parted / "journal-3.kjr").unlink()
    assert list(stranger.records(stranger.whole_journal(parted), KEY.key)) == contents(read(parted)[1])
    assert "missing" in capsys.readouterr().err


def remove(folder: Path) -> None:
    (folder / "journal-3.kjr").unlink()


def cut(folder: Path) -> None:
    path = folder / "journal-3.kjr"
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 1000)


def cut_to_its_header(folder: Path) -> None:
    with (folder / "journal-3.kjr").open("r+b") as file:
        file.truncate(60)


def lengthen(folder: Path) -> None:
    with (folder / "journal-3.kjr").open("ab") as file:
        file.write(b"x" * 5000)


def swap(folder: Path) -> None:
    (folder / "journal-3.kjr").rename(folder / "x")
    (folder / "journal-4.kjr").rename(folder / "journal-3.kjr")
    (folder / "x").rename(folder / "journal-4.kjr")


def double(folder: Path) -> None:
    shutil.copy(folder / "journal-2.kjr", folder / "journal-3.kjr")


def spoil_header(folder: Path) -> None:
    with (folder / "journal-3.kjr").open("r+b") as file:
        file.seek(30)
        file.write(b"?")


def borrow(folder: Path) -> None:
    """Put another recording's volume in its place."""
    other = folder.parent / "other"
    packets = video(7, Codec.H264, encode(Codec.H264, 90))
    record(other, [camera(7)], packets, sealed_with=DataKey.random(SM4))
    part(other, 50_000)
    shutil.copy(other / "journal-3.kjr", folder / "journal-3.kjr")


HANDS = [remove, cut, cut_to_its_header, lengthen, swap, double, spoil_header, borrow]


@pytest.mark.parametrize("hand", HANDS)
def test_hands_in_a_volume_are_seen_and_the_others_are_read(
    parted: Path, hand: Callable[[Path], None]
) -> None:
    before = read(parted)[1]
    with JournalFiles(parted / "journal.kjr") as files:
        third = range(files.starts[2], files.starts[2] + files.sizes[2])
        fourth = range(files.starts[3], files.starts[3] + files.sizes[3])
    hand(parted)
    reader, records = read(parted)
    assert reader.truncated
    assert reader.damaged
    # what lies in the others is there, at the places where it was
    lost = {third, fourth} if hand is swap else {third}
    rest = [one for one in before if not any(one.offset in volume for volume in lost)]
    assert [one for one in records if not any(one.offset in volume for volume in lost)] == rest
    assert set(records) <= set(before)
    check_places(parted, records, reader)
    index = index_journal(parted / "journal.kjr", key=KEY)
    assert isinstance(index, JournalIndex)
    assert index.truncated


@pytest.mark.parametrize("hand", [remove, cut, swap, double, borrow])
def test_the_manifest_misses_a_volume(parted: Path, hand: Callable[[Path], None]) -> None:
    prepare(parted, key=KEY)
    signing = parted.parent / "signing.pem"
    sm2.generate(signing)
    public = signing.with_suffix(".public.pem")
    public.write_bytes(sm2.public_of(signing))
    sign_recording(parted, signing, 1_795_350_000)
    assert (parted / MANIFEST).exists()
    assert verify(parted, public).problems == []
    hand(parted)
    assert any("journal-3.kjr" in sentence for sentence in verify(parted, public).problems)


def test_the_last_volume_may_be_as_a_kill_leaves_it(parted: Path) -> None:
    paths = volumes_of(parted / "journal.kjr")
    before = read(parted)[1]
    with JournalFiles(parted / "journal.kjr") as files:
        start, size = files.starts[-1], files.sizes[-1]
    kept = [one for one in before if one.offset < start]
    for length in (*range(130), size - 1):
        with paths[-1].open("r+b") as file:
            data = file.read()
            file.truncate(length)
        reader, records = read(parted)
        assert [one for one in records if one.offset < start] == kept
        assert not reader.ended
        paths[-1].write_bytes(data)


def test_a_disk_that_fills_up_between_two_volumes_costs_nothing(whole: Path, tmp_path: Path) -> None:
    data = (whole / "journal.kjr").read_bytes()
    header = JournalHeader.parse(data)
    with small_disk(tmp_path, 1) as disk:
        path = disk.folder / "journal.kjr"
        full, well = threading.Event(), threading.Event()

        def look() -> None:
            (full if writer.trouble is not None else well).set()

        writer = DiskWriter(path, look, plan=VolumePlan(50_000, header), retry_interval=0.01)
        pieces = blocks(data, bytes(header))
        writer.write(pieces[0])
        assert well.wait(PATIENCE)
        disk.fill()
        for piece in pieces[1:]:
            writer.write(piece)
        assert full.wait(PATIENCE)
        disk.empty()
        writer.close()
        assert writer.join(PATIENCE)
        assert writer.failure is None
        assert contents(read(disk.folder)[1]) == contents(read(whole)[1])


def test_a_header_is_written_as_it_is_read() -> None:
    header = VolumeHeader("20261122-101500-demo-3f9a", 2, 1 << 40, "ab" * 32)
    assert VolumeHeader.parse(bytes(header)) == header
    for changed in (
        replace(header, number=1),
        replace(header, number=20_000),
        replace(header, start=1 << 63),
    ):
        with pytest.raises(JournalError, match=r"\.$"):
            VolumeHeader.parse(bytes(changed))
    for place in range(len(bytes(header))):
        damaged = bytearray(bytes(header))
        damaged[place] ^= 1
        with pytest.raises(JournalError, match=r"\.$"):
            VolumeHeader.parse(bytes(damaged))
        with pytest.raises(JournalError, match=r"\.$"):
            VolumeHeader.parse(bytes(header)[:place])
