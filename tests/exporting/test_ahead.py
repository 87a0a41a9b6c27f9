"""The cipher's threads: what they give is what one would have got without them, in its order, and they end."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest

from recorder.export.ahead import AHEAD, BEHIND, AheadSource, CipherThreads
from recorder.export.index import index_journal
from recorder.export.indexed_film import run_indexed
from recorder.export.options import camera_options
from recorder.export.work import Work
from recorder.parts import create_part, finish_part, read_part
from recorder.seal.file import CHUNK
from recorder.seal.suites import SealError
from recorder.sealing import JournalOpener
from recorder.source import JournalSource
from tests.exporting.recordings import KEY, job, two_cameras, work

THREADS = pytest.mark.parametrize("count", [0, 1, 3])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_cameras(tmp_path_factory.mktemp("ahead"), frames=150)


def bases(folder: Path) -> array[int]:
    return index_journal(folder / "journal.kjr", key=KEY).blocks


def ours() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("cipher")]


def ahead(folder: Path, threads: CipherThreads) -> AheadSource:
    index = index_journal(folder / "journal.kjr", key=KEY)
    return threads.source(folder / "journal.kjr", array("Q"), JournalOpener(index.header, KEY))


class Counting:
    """Threads that count what was begun and not yet taken."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened: list[int] = []
        self.most = self.taken = 0
        real = JournalSource._open

        def noted(source: JournalSource, base: int) -> bytes:
            self.opened.append(base)
            self.most = max(self.most, len(self.opened) - self.taken)
            return real(source, base)

        monkeypatch.setattr(JournalSource, "_open", noted)


@THREADS
def test_blocks_come_as_they_are_each_opened_once_and_few_ahead(
    folder: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = bases(folder)
    index = index_journal(folder / "journal.kjr", key=KEY)
    with JournalSource(folder / "journal.kjr", array("Q"), JournalOpener(index.header, KEY)) as plain:
        expected = [plain.block(base) for base in places]
        size = plain.bytes_read
    counting = Counting(monkeypatch)
    with CipherThreads(count) as threads, ahead(folder, threads) as source:
        # two segments lie in one block: it is named twice
        source.expect(base for place in places for base in (place, place))
        for base, content in zip(places, expected, strict=True):
            assert source.block(base) == source.block(base) == content
            counting.taken += 1
        assert source.bytes_read == size
    assert sorted(counting.opened) == sorted(places)
    assert len(places) > 2 * AHEAD
    assert counting.most <= AHEAD + 1
    assert not ours()


@THREADS
def test_a_damaged_block_fails_in_its_turn_and_no_other(folder: Path, count: int, tmp_path: Path) -> None:
    places = bases(folder)
    data = bytearray((folder / "journal.kjr").read_bytes())
    bad = [places[2], places[5]]
    for base in bad:
        data[base + 20] ^= 1
    (tmp_path / "journal.kjr").write_bytes(data)
    found = []
    with CipherThreads(count) as threads, ahead(tmp_path, threads) as source:
        source.expect(places)
        for base in places:
            try:
                source.block(base)
            except SealError as error:
                found.append((base, str(error)))
    assert [base for base, _ in found] == bad
    assert all("changed" in sentence for _, sentence in found)


@THREADS
def test_what_expects_may_fail_and_is_met_in_its_turn(folder: Path, count: int) -> None:
    places = bases(folder)

    def damaged() -> Iterator[int]:
        yield from places[:2]
        raise SealError("The index is damaged.")

    with CipherThreads(count) as threads, ahead(folder, threads) as source:
        source.expect(damaged())
        assert all(source.block(base) for base in places)


def test_who_closes_early_waits_for_the_threads_and_leaves_none(folder: Path) -> None:
    places = bases(folder)
    with CipherThreads(2) as threads:
        source = ahead(folder, threads)
        source.expect(places)
        source.block(places[0])
        assert ours()
        source.close()
    assert not ours()


@THREADS
def test_a_film_that_is_sealed_behind_is_read_as_it_was_written(tmp_path: Path, count: int) -> None:
    data = bytes(range(251)) * (CHUNK * (BEHIND + 4) // 251)
    with CipherThreads(count) as threads:
        with create_part(tmp_path / "film.mp4", KEY, threads.sealed) as file:
            for at in range(0, len(data), 300_000):
                file.write(data[at : at + 300_000])
                on_disk = (tmp_path / "film.mp4.part").stat().st_size
                assert on_disk >= at - (BEHIND + 2) * CHUNK
            file.seek(40)
            file.write(b"size")
        finish_part(tmp_path / "film.mp4")
        for size in (0, CHUNK, CHUNK + 1):
            with create_part(tmp_path / f"{size}.mp4", KEY, threads.sealed) as file:
                file.write(data[:size])
            finish_part(tmp_path / f"{size}.mp4")
            assert read_part(tmp_path / f"{size}.mp4", KEY, 1 << 30) == data[:size]
    assert read_part(tmp_path / "film.mp4", KEY, 1 << 30) == data[:40] + b"size" + data[44:]


class Cancelled(Exception):
    """Somebody does not want the film any more."""


def test_an_export_that_is_cancelled_leaves_no_thread_and_no_file(folder: Path) -> None:
    asked = job(folder, "camera", {})
    told: list[float] = []

    def tell(share: float) -> None:
        told.append(share)
        if len(told) > 3:
            raise Cancelled

    errand = Work(folder, Path(asked["folder"]), KEY, tell)
    with pytest.raises(Cancelled):
        run_indexed(errand, camera_options({}))
    assert not ours()
    assert [path.name for path in errand.folder.iterdir()] == ["request.json"]


def test_nothing_far_behind_a_clip_is_opened_and_nothing_twice(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = index_journal(folder / "journal.kjr", key=KEY)
    packets = index.packets[7]
    late = packets.arrivals > index.header.started + 3_000_000_000
    behind = int(packets.offsets[late].min())
    counting = Counting(monkeypatch)
    asked = job(folder, "clip", {"from": 1.2, "to": 1.9, "producers": [7], "sound": False})
    work(asked)
    assert counting.opened
    assert max(counting.opened) < behind
    assert len(counting.opened) == len(set(counting.opened))
