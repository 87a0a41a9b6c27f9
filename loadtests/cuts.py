"""Cuts, flips, swaps, drops and mixes up a recording's bytes, and reads what is left.

Journals and sealed files of real pictures. Each damage must be seen and located, everything that it did not touch must
be read, and nothing that was not written may be read.
"""

from __future__ import annotations

import argparse
import random
import struct
import sys
import tempfile
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from media.ids import ProducerId
from media.plane import Codec
from recorder.journal import BLOCK_HEADER_SIZE, JournalError, JournalHeader, Record
from recorder.reader import JournalReader
from recorder.recording import RecordedProducer, Recording
from recorder.seal.file import CHUNK, SealedReader, SealedWriter
from recorder.seal.keys import DataKey
from recorder.seal.suites import SM4, TAG_SIZE, SealError
from recorder.sealing import JournalSealer, new_seal

from .following import clip_frames
from .kill_writer import Frames, packets

#: Bytes on both sides of a border at which everything is cut.
AROUND = 48
#: Pictures in the journal that is damaged: about a megabyte.
PICTURES = 12
_STARTED = 1_795_342_500
_PIECE = 1 << 16
_TAP = struct.Struct("!IIQQ")


@dataclass(frozen=True, slots=True)
class Whole:
    """A journal that nothing was done to: what it holds, and where its blocks end (its header first)."""

    data: bytes
    key: DataKey | None
    records: list[Record]
    ends: list[int]

    def block_of(self, place: int) -> tuple[int, int]:
        """Tell where the block begins and ends that a byte lies in."""
        number = bisect_right(self.ends, place)
        return self.ends[number - 1], self.ends[number]


def read(data: bytes, key: DataKey | None) -> tuple[JournalReader, list[Record]]:
    """Read a journal's bytes, as they come from a file."""
    reader, records = JournalReader(key), []
    for start in range(0, len(data), _PIECE):
        reader.receive_data(data[start : start + _PIECE])
        while (record := reader.next_record()) is not None:
            records.append(record)
    reader.finish()
    return reader, records


def journal(frames: Frames, key: DataKey | None, salt: int = 0) -> Whole:
    """Record some pictures and what goes with them, a block for each."""
    header = JournalHeader(
        "20261122-101500-demo-3f9a",
        "demo",
        (_STARTED + salt) * 10**9,
        {},
        new_seal(key) if key is not None else None,
    )
    recording = Recording(header, "Dr. Li Wei", _STARTED)
    recording.add_producer(
        RecordedProducer(ProducerId(7), "pt-1", "field", Codec.H264, "Field", 90_000, 96), _STARTED
    )
    data, sequence = b"", 0
    stream = packets(frames, 30)
    number, packet = next(stream)
    for picture in range(PICTURES):
        helping = b""
        while number == picture:
            helping += _TAP.pack(20 + len(packet), 7, _STARTED, sequence) + packet
            sequence += 1
            number, packet = next(stream)
        now = float(_STARTED + picture)
        recording.receive_tap(helping, now)
        recording.receive_operation(
            {"type": "operation", "sequence": picture, "operation": {"kind": "undo"}}, now
        )
        data += recording.bytes_to_write(now + 0.9)
    recording.stop("Dr. Li Wei", _STARTED + PICTURES)
    data += recording.bytes_to_write(_STARTED + PICTURES + 1)
    data = data if key is None else JournalSealer(header, key)(data)
    reader, records = read(data, key)
    assert not reader.truncated
    starts = [base - BLOCK_HEADER_SIZE for base in reader.blocks]
    return Whole(data, key, records, [*starts, len(data)])


def judge_cut(whole: Whole, place: int) -> bool:
    """Cut at a byte: everything in the blocks before is read, and the rest counted."""
    reader, records = read(whole.data[:place], whole.key)
    if place < whole.ends[0]:
        return reader.header is None and not records
    last = max(end for end in whole.ends if end <= place)
    good = records == [record for record in whole.records if record.offset < last]
    return (
        good
        and reader.ignored == place - last
        and reader.whole_until == last
        and reader.ended == (place == len(whole.data))
    )


def judge_flip(whole: Whole, place: int, bit: int) -> bool:
    """Flip a bit: its block is missing and located, every other is read."""
    damaged = bytearray(whole.data)
    damaged[place] ^= 1 << bit
    try:
        reader, records = read(bytes(damaged), whole.key)
    except JournalError:
        return place < whole.ends[0]
    if place < whole.ends[0]:
        return reader.header is None and not records
    begin, end = whole.block_of(place)
    rest = [record for record in whole.records if not begin <= record.offset < end]
    return records == rest and reader.truncated and reader.ignored_at == [(begin, end - begin)]


def _contents(records: list[Record]) -> Counter[tuple[int, bytes]]:
    return Counter((record.time, record.payload) for record in records)


def judge_order(whole: Whole, order: list[int], *, missing: set[int]) -> bool:
    """Put the blocks in another order: what is there is read, and it is seen that it is not as it was."""
    pieces = [whole.data[begin:end] for begin, end in pairwise(whole.ends)]
    damaged = whole.data[: whole.ends[0]] + b"".join(pieces[number] for number in order)
    reader, records = read(damaged, whole.key)
    lost = [range(whole.ends[number], whole.ends[number + 1]) for number in missing]
    rest = [record for record in whole.records if not any(record.offset in block for block in lost)]
    return _contents(records) == _contents(rest) and reader.truncated


def judge_borrowed(whole: Whole, other: Whole, number: int) -> bool:
    """Put another recording's block in the place of this one's: it is refused, and the rest read."""
    begin, end = whole.ends[number], whole.ends[number + 1]
    foreign = other.data[other.ends[number] : other.ends[number + 1]]
    reader, records = read(whole.data[:begin] + foreign + whole.data[end:], whole.key)
    rest = [record for record in whole.records if not begin <= record.offset < end]
    return _contents(records) == _contents(rest) and reader.truncated and reader.refused == 1


def journals(
    whole: Whole, other: Whole, times: int, around: int, chance: random.Random
) -> Iterator[tuple[str, bool]]:
    """Do everything to a journal: give what was done, and whether it went as it must."""
    size, blocks = len(whole.data), len(whole.ends) - 1
    for place in {p for end in whole.ends for p in range(max(0, end - around), min(size, end + around) + 1)}:
        yield "cut at a border", judge_cut(whole, place)
    for _ in range(times):
        yield "cut", judge_cut(whole, chance.randrange(size))
    for _ in range(times):
        yield "flip", judge_flip(whole, chance.randrange(size), chance.randrange(8))
    for first in range(blocks):
        plain = list(range(blocks))
        yield "dropped", judge_order(whole, plain[:first] + plain[first + 1 :], missing={first})
        yield "doubled", judge_order(whole, [*plain[: first + 1], *plain[first:]], missing=set())
        second = chance.choice([number for number in plain if number != first])
        plain[first], plain[second] = plain[second], plain[first]
        yield "swapped", judge_order(whole, plain, missing=set())
        if whole.key is not None:
            yield "borrowed", judge_borrowed(whole, other, first)
    if whole.key is not None:
        reader, records = read(whole.data, DataKey.random(whole.key.suite))
        yield "wrong key", not records and reader.truncated and reader.refused == blocks


def sealed_files(
    folder: Path, key: DataKey, times: int, around: int, chance: random.Random
) -> Iterator[tuple[str, bool]]:
    """Do everything to a sealed file of several chunks."""
    plain = chance.randbytes(2 * CHUNK + 12_345)
    paths = [folder / name for name in ("7.mp4", "8.mp4")]
    for path in paths:
        with SealedWriter(path, key, path.name) as file:
            file.write(plain)
    data, other = (path.read_bytes() for path in paths)
    start = len(data) - len(plain) - 3 * TAG_SIZE
    step = CHUNK + TAG_SIZE
    borders = [start, start + step, start + 2 * step, len(data)]

    def opened(changed: bytes, with_key: DataKey = key) -> list[bool] | None:
        """Tell which of the chunks are right; None: the file is refused. One that is wrong is never given."""
        target = folder / "changed"
        target.write_bytes(changed)
        try:
            with SealedReader(target, with_key, "7.mp4") as file:
                found = []
                for place in range(0, len(plain), CHUNK):
                    try:
                        given = file.read_at(place, CHUNK)
                    except SealError:
                        found.append(False)
                        continue
                    assert given == plain[place : place + CHUNK], "a wrong chunk was given"
                    found.append(True)
                return found
        except SealError:
            return None

    assert opened(data) == [True, True, True]
    for place in {p for border in borders for p in range(border - around, min(border + around, len(data)))}:
        yield "cut at a border", opened(data[:place]) is None
    for _ in range(times):
        yield "cut", opened(data[: chance.randrange(len(data))]) is None
    for _ in range(times):
        place = chance.randrange(len(data))
        damaged = bytearray(data)
        damaged[place] ^= 1 << chance.randrange(8)
        hit = bisect_right(borders, place) - 1
        # without its header, or without its end, nothing is sure
        expected = None if hit in (-1, 2) else [number != hit for number in range(3)]
        yield "flip", opened(bytes(damaged)) == expected
    chunks = [data[begin:end] for begin, end in pairwise(borders)]
    yield "swapped", opened(data[:start] + chunks[1] + chunks[0] + chunks[2]) == [False, False, True]
    yield "dropped", opened(data[:start] + chunks[0] + chunks[2]) is None
    yield "dropped", opened(data[:start] + chunks[0] + chunks[1]) is None
    yield (
        "borrowed",
        opened(data[:start] + other[start : start + step] + chunks[1] + chunks[2]) == [False, True, True],
    )
    yield "another file", opened(other) is None
    yield "wrong key", opened(data, DataKey.random(key.suite)) is None


def everything(
    frames: Frames,
    folder: Path,
    times: int,
    seed: int,
    around: int = AROUND,
    say: Callable[[str, str], None] = lambda *_: None,
) -> tuple[Counter[str], list[str]]:
    """Do all of it, `times` random places for each; gives how often, and what went wrong."""
    done: Counter[str] = Counter()
    wrong: list[str] = []
    for suite, key in (("plain", None), (SM4.name, DataKey.random(SM4))):
        whole, other = journal(frames, key), journal(frames, key, salt=1)
        for what, good in journals(whole, other, times, around, random.Random(seed)):
            name = f"journal {suite}: {what}"
            done[name] += 1
            if not good:
                wrong.append(name)
                say(name, "WRONG")
    for what, good in sealed_files(
        folder, DataKey.random(SM4), max(1, times // 10), around, random.Random(seed)
    ):
        name = f"sealed file: {what}"
        done[name] += 1
        if not good:
            wrong.append(name)
            say(name, "WRONG")
    return done, wrong


def main(arguments: list[str]) -> int:
    """Run it; 1 where anything went wrong."""
    parser = argparse.ArgumentParser(prog="python -m loadtests cuts", description=__doc__)
    parser.add_argument("--times", type=int, default=10_000, help="random cuts, and flips, of each journal")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="konsil-cuts-") as folder:
        done, wrong = everything(
            clip_frames(1150),
            Path(folder),
            options.times,
            options.seed,
            say=lambda *what: print(*what, file=sys.stderr),
        )
    for name, count in sorted(done.items()):
        print(f"{name:40} {count:8}")
    print(f"{'wrong':40} {len(wrong):8}")
    return 1 if wrong else 0
