"""Pictures that are put together while the journal is gone through are those that one finds who knows all of it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from media.plane import Codec
from recorder.export import early
from recorder.export.early import EarlyPictures, EarlyTracks
from recorder.export.frame_index import FrameNotes, head_of
from recorder.export.frames import Frame
from recorder.export.index import Track
from recorder.export.preparing import prepare
from recorder.journal import BlockHeader, Record
from recorder.seal.keys import DataKey
from recorder.seal.suites import suite_named
from recorder.sealing import JournalOpener
from tests.helpers.journal_media import Sent, camera, encode, encode_sound, record, sound, video

VIDEO = [codec for codec in Codec if codec is not Codec.OPUS]
#: So little is held that twenty pictures are put together in many goes.
LITTLE = 12_000


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What `fits` said."""
    said: list[bool] = []
    real = EarlyPictures.fits

    def noted(self: EarlyPictures, *arguments: object) -> bool:
        said.append(real(self, *arguments))  # type: ignore[arg-type]
        return said[-1]

    monkeypatch.setattr(EarlyPictures, "fits", noted)
    return said


def made(folder: Path) -> dict[str, bytes]:
    prepare(folder)
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.suffix in {".index", ".json", ".kjr"}
    }


def both(folder: Path, monkeypatch: pytest.MonkeyPatch, held: int = LITTLE) -> bool:
    """Prepare a recording with little held, and by reading everything twice; tell whether the files are the same."""
    monkeypatch.setattr(early, "HELD", held)
    once = made(folder)
    with monkeypatch.context() as patched:
        patched.setattr(EarlyTracks, "of", lambda self, producer: None)
        twice = made(folder)
    assert "7.index" in twice
    return once == twice


def late(sent: list[Sent], by: int, chance: random.Random, share: float = 0.1) -> list[Sent]:
    """Have some packets come up to so many packets later, and every hundredth not at all."""
    places = [(n + (chance.randrange(by) if chance.random() < share else 0), n) for n in range(len(sent))]
    return [sent[n] for _, n in sorted(places) if chance.random() > 0.01]


@pytest.mark.parametrize("codec", VIDEO)
def test_each_codec_is_the_same_in_one_pass(
    codec: Codec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fitted: list[bool]
) -> None:
    packets = video(7, codec, encode(codec, 40), sequence=65_400, timestamp=(1 << 32) - 20_000)
    assert both(record(tmp_path, [camera(7, codec)], packets), monkeypatch)
    assert fitted
    assert all(fitted)


@pytest.mark.parametrize("seed", range(4))
def test_losses_and_late_packets_are_the_same(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fitted: list[bool]
) -> None:
    chance = random.Random(seed)
    packets = late(video(7, Codec.H264, encode(Codec.H264, 60, b_frames=2 * (seed % 2))), 12, chance)
    packets += [replace(packet, payload=b"\x41forged") for packet in packets[3:9]]
    assert both(record(tmp_path, [camera(7)], packets), monkeypatch)
    assert fitted
    assert all(fitted)


def shuffled(sent: list[Sent]) -> list[Sent]:
    return late(sent, 2000, random.Random(7))


def repeated_time(sent: list[Sent]) -> list[Sent]:
    """Two pictures with one timestamp, and one whose clock jumps back by a minute."""
    times = sorted({packet.timestamp for packet in sent})
    renamed = {times[20]: times[18], times[30]: times[30] - 60 * 90_000}
    return [replace(packet, timestamp=renamed.get(packet.timestamp, packet.timestamp)) for packet in sent]


@pytest.mark.parametrize(("change", "fit"), [(shuffled, False), (repeated_time, True)])
def test_what_came_too_late_is_read_once_more(
    change: Callable[[list[Sent]], list[Sent]],
    fit: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fitted: list[bool],
) -> None:
    packets = change(video(7, Codec.H264, encode(Codec.H264, 60)))
    assert both(record(tmp_path, [camera(7)], packets), monkeypatch)
    assert fitted
    assert all(fitted) == fit


def test_two_cameras_with_sound_and_a_damaged_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fitted: list[bool]
) -> None:
    packets = sorted(
        video(7, Codec.H264, encode(Codec.H264, 90))
        + sound(8, encode_sound(150))
        + video(9, Codec.VP8, encode(Codec.VP8, 90), begin=0.4),
        key=lambda packet: packet.at,
    )
    producers = [camera(7), camera(8, Codec.OPUS), camera(9, Codec.VP8, participant="pt-2")]
    folder = record(tmp_path, producers, packets)
    assert both(folder, monkeypatch)
    data = bytearray((folder / "journal.kjr").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "journal.kjr").write_bytes(data)
    assert both(folder, monkeypatch)
    assert fitted
    assert all(fitted)


def test_no_block_of_pictures_is_opened_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = suite_named("AES-256-GCM-SHA256")
    key = DataKey(suite, bytes(suite.key_size))
    folder = record(tmp_path, [camera(7)], video(7, Codec.H264, encode(Codec.H264, 90)), sealed_with=key)
    opened: Counter[int] = Counter()
    real = JournalOpener.open

    def noted(self: JournalOpener, block: BlockHeader, payload: bytes) -> bytes:
        opened[block.number] += 1
        return real(self, block, payload)

    monkeypatch.setattr(JournalOpener, "open", noted)
    prepare(folder, key=key)
    assert len(opened) > 5
    assert set(opened.values()) == {1}


def test_little_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early, "HELD", LITTLE)
    held: list[int] = []
    real = EarlyPictures.take

    def noted(self: EarlyPictures, walked: bytes, taken: Record) -> None:
        real(self, walked, taken)
        held.append(self.held)

    monkeypatch.setattr(EarlyPictures, "take", noted)
    packets = video(7, Codec.H264, encode(Codec.H264, 90))
    prepare(record(tmp_path, [camera(7)], packets))
    pictures: Counter[int] = Counter()
    for packet in packets:
        pictures[packet.timestamp] += len(packet.tap())
    largest = max(pictures.values())
    # a picture is put together when it is whole
    assert LITTLE < max(held) <= 2 * (LITTLE + largest)
    assert sum(pictures.values()) > 3 * max(held)


def test_a_picture_without_end_is_given_up_and_not_gone_through_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fitted: list[bool]
) -> None:
    joined = 0
    real = EarlyPictures._join

    def noted(self: EarlyPictures, margin: int) -> None:
        nonlocal joined
        joined += 1
        real(self, margin)

    monkeypatch.setattr(EarlyPictures, "_join", noted)
    monkeypatch.setattr(early, "MOST", 8 * LITTLE)
    good = video(7, Codec.H264, encode(Codec.H264, 20))
    endless = [
        replace(good[-1], sequence=good[-1].sequence + n, timestamp=good[-1].timestamp + 3000, marker=False)
        for n in range(1, 2000)
    ]
    assert both(record(tmp_path, [camera(7)], good + endless), monkeypatch)
    assert not any(fitted)
    assert joined < 100


@pytest.mark.parametrize("codec", VIDEO)
def test_a_head_says_of_a_key_frame_what_the_whole_does(codec: Codec) -> None:
    notes = []
    for cut in (lambda codec, picture: picture, head_of):
        seen = FrameNotes(Track(7, "pt-1", "field", codec, "", 90_000, 96, ""))
        frames = [
            Frame(n, n, cut(codec, picture.data), True, n, n + 1)
            for n, picture in enumerate(encode(codec, 3, key_every=1))
        ]
        assert all(frame.data for frame in frames)
        list(seen.follow(iter(frames)))
        notes.append((list(seen.sets), seen.sets_of, seen._sizes))
    assert notes[0] == notes[1]
