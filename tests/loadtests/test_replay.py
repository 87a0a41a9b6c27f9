"""What `python -m loadtests replay` replays is a recording like others, and what it says of seeks is what they took."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from loadtests.replay import parts
from loadtests.replay_page import Seek
from loadtests.replay_recording import PRODUCER, SOUND, Wanted, ensure_recording, helpings
from media.codecs import h264
from media.plane import Codec
from recorder.journal import tap_packets
from recorder.library import JOURNAL, read_header
from recorder.manifest import MANIFEST
from recorder.parts import open_part
from recorder.segments.index import SUFFIX
from recorder.segments.preview import SUFFIX as PREVIEW
from recorder.segments.preview import PreviewFile, parse_piece
from recorder.segments.track import open_track
from recorder.verify import verify
from tests.helpers.journal_media import encode

SMALL = Wanted(hours=0.02, bitrate=500_000, fps=30, key_frame_s=2)


def pictures(wanted: Wanted, _: Path) -> Sequence[Sequence[bytes]]:
    every = wanted.key_frame_s * wanted.fps
    return [h264.packetise(frame.data, 1150) for frame in encode(Codec.H264, every, every)]


def test_the_recording_is_sealed_signed_whole_and_begins_a_group_each_two_seconds(tmp_path: Path) -> None:
    told: list[float] = []
    made = ensure_recording(SMALL, lambda _, share: told.append(share), tmp_path, pictures)
    assert told[-1] == 1.0
    assert read_header(made.folder / JOURNAL).seal is not None
    assert verify(made.folder, made.archive / "keys" / "signing.public.pem").problems == []
    description = made.library.description(made.recording)
    assert description is not None
    assert (description["state"], description["gaps"], description["problems"]) == ("complete", [], [])
    assert description["seconds"] == pytest.approx(72)
    key = made.library.key(made.recording)
    with open_part(made.folder / f"{PRODUCER}{SUFFIX}", key) as index:
        track = open_track(index, made.folder / JOURNAL, key)
        keys = [start / 90_000 for start, _, begins in track.segments() if begins]
    assert keys == pytest.approx([2.0 * number for number in range(36)])

    # each picture is in its preview
    with closing(PreviewFile(open_part(made.folder / f"{PRODUCER}{PREVIEW}", key))) as preview:
        pieces = [parse_piece(preview.piece(number)) for number in range(len(preview.pieces))]
    times = [frame.time for piece in pieces for frame in piece]
    assert times == [number * 3000 for number in range(SMALL.frames)]

    # it is made once
    inode = (made.folder / JOURNAL).stat().st_ino
    assert ensure_recording(SMALL, folder=tmp_path, pictures=pictures) == made
    assert (made.folder / JOURNAL).stat().st_ino == inode
    # what was not finished is no recording to measure
    (made.folder / MANIFEST).unlink()
    again = ensure_recording(SMALL, folder=tmp_path, pictures=pictures)
    assert (again.folder / MANIFEST).exists()


def test_every_packet_comes_in_its_order_and_time_with_timestamps_that_come_round() -> None:
    wanted = Wanted(hours=56 / 60, fps=1, key_frame_s=1)
    clip = [[b"\x65" + bytes(20), b"\x65" + bytes(10)], [b"\x41" + bytes(5)]]
    packets = []
    heard: list[int] = []
    for until, data in helpings(wanted, clip, 10**18):
        for producer, arrival, sequence, start, end in tap_packets(data):
            if producer == SOUND:
                heard.append(arrival - 10**18)
                continue
            assert producer == PRODUCER
            assert arrival - 10**18 < (until + 0.5 / wanted.fps) * 1e9
            packets.append(
                (
                    arrival,
                    sequence,
                    int.from_bytes(data[start + 4 : start + 8], "big"),
                    data[start + 1] >> 7,
                    end,
                )
            )
    assert len(packets) == 56 * 60 * 3 // 2
    arrivals, sequences = [each[0] for each in packets], [each[1] for each in packets]
    assert arrivals == sorted(arrivals)
    assert sequences == list(range(sequences[0], sequences[0] + len(packets)))
    # sound comes each 20 ms, as long as there are pictures
    assert heard == [20_000_000 * number for number in range(len(heard))]
    assert len(heard) == 50 * (wanted.frames - 1) + 1
    stamps = [each[2] for each in packets]
    assert stamps[0] == wanted.timestamp(0)
    assert stamps[-1] == wanted.timestamp(wanted.frames - 1) == 59 * 90_000
    assert [each[3] for each in packets[:3]] == [0, 1, 1]


def test_a_seek_is_told_apart_into_fetching_and_the_rest() -> None:
    seeks = [
        Seek(first=n, exact=10 * n, fetched=4 * n, made=n, segments=2, megabytes=5, distance_s=1)
        for n in range(1, 101)
    ]
    figures = parts(seeks)
    assert figures["seek_p50_ms"] == figures["seek_sharp_p50_ms"] == 505
    assert figures["seek_p95_ms"] == pytest.approx(950.5, abs=1)
    assert figures["seek_fetched_p50_ms"] + figures["seek_rest_p50_ms"] == pytest.approx(505)
    assert figures["seek_segments"] == 2


def test_a_seek_has_its_picture_with_the_preview_and_the_sharp_one_beside() -> None:
    one = Seek(first=20, exact=2000, fetched=500, made=40, segments=5, megabytes=12, distance_s=5)
    seeks = [replace(one, preview=30, piece=15) for _ in range(3)] + [one]
    figures = parts(seeks)
    assert (figures["seek_p50_ms"], figures["seek_max_ms"]) == (30, 2000)
    assert (figures["seek_sharp_p50_ms"], figures["seek_sharp_p95_ms"]) == (2000, 2000)
    assert (figures["seek_previews_share"], figures["seek_piece_p95_ms"]) == (0.75, 15)
    # a preview that comes when the sharp picture is there is none
    assert replace(one, preview=2500).wished == 2000
