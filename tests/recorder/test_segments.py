"""Segments made on demand are the container in pieces: the same frames, bytes and times, of their own blocks alone."""

from __future__ import annotations

import base64
import io
import json
import random
import shutil
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest

from media.codecs import h264
from media.codecs.packetisation import split_annex_b
from media.plane import Codec
from recorder.export import camera_film
from recorder.export.index import index_journal
from recorder.export.options import Options
from recorder.export.preparing import prepare
from recorder.export.work import Work
from recorder.journal import JournalError
from recorder.library import DESCRIPTION, JOURNAL
from recorder.parts import open_part
from recorder.seal.keys import DataKey
from recorder.seal.suites import SM4, SealError
from recorder.segments.index import FrameIndex, SegmentError
from recorder.segments.track import SegmentedTrack, open_track
from tests.helpers.journal_media import (
    FRAME_TICKS,
    SOUND_TICKS,
    Report,
    Sent,
    camera,
    encode,
    encode_sound,
    record,
    sound,
    video,
)

VIDEO_CODECS = [Codec.H264, Codec.H265, Codec.VP8, Codec.VP9, Codec.AV1]

#: Silent Opus, in one channel and in two.
SILENT = (b"\xf8\xff\xfe", b"\xfc\xff\xfe")

#: What a demuxer tells of a frame: presented, decoded, lasting, whether key, bytes.
Told = tuple[int | None, int | None, int | None, bool, bytes]


@contextmanager
def opened(folder: Path, producer: int, key: DataKey | None = None) -> Iterator[SegmentedTrack]:
    track = open_track(open_part(folder / f"{producer}.index", key), folder / JOURNAL, key)
    try:
        yield track
    finally:
        track.close()


def joined(track: SegmentedTrack) -> bytes:
    """Put everything together as a player does."""
    return track.init() + b"".join(track.segment(number) for number in range(track.count))


def told(file: Any, kind: str = "video") -> tuple[bytes, str, list[Told]]:
    with av.open(file) as container:
        stream = container.streams.get({kind: 0})[0]
        packets = [
            (packet.pts, packet.dts, packet.duration, packet.is_keyframe, bytes(packet))
            for packet in container.demux(stream)
            if packet.size
        ]
        return stream.codec_context.extradata or b"", stream.codec_context.name, packets


def durations_of(fragment: bytes) -> list[int]:
    """Read how long the samples of a fragment last (ISO/IEC 14496-12, section 8.8.8)."""
    start = fragment.index(b"trun") + 4
    flags, count = struct.unpack_from("!II", fragment, start)
    size = 16 if flags & 0x800 else 12
    return [struct.unpack_from("!I", fragment, start + 12 + n * size)[0] for n in range(count)]


def container_of(folder: Path, producer: int) -> Path:
    """Have the camera's container made from the journal alone, without an index."""
    plain, films = folder.parent / f"{folder.name}-plain", folder.parent / f"{folder.name}-films"
    for made in (plain, films):
        made.mkdir(exist_ok=True)
    for name in (JOURNAL, DESCRIPTION):
        shutil.copy(folder / name, plain / name)
    work = Work(plain, films, None)
    camera_film.run(work, Options(producers=(producer,)))
    return films / str(work.files[0]["name"])


def check(folder: Path, producer: int = 7, sound_of: int | None = None) -> tuple[list[Told], SegmentedTrack]:
    """Hold the segments of a camera, and of its sound, against its container; return what is in them."""
    path = container_of(folder, producer)
    with opened(folder, producer) as track:
        kind = "audio" if track.facts.codec is Codec.OPUS else "video"
        whole = joined(track)
        assert whole == joined(track), "the same bytes each time"
        got, expected = told(io.BytesIO(whole), kind), told(str(path), kind)
        assert got[0] == expected[0]
        assert [frame[:2] + frame[3:] for frame in got[2]] == [frame[:2] + frame[3:] for frame in expected[2]]
        if not track.in_webm:
            # FFmpeg itself reads no durations of fragments whose codec it parses not
            durations = [
                time for number in range(track.count) for time in durations_of(track.segment(number))
            ]
            # beneath sound that lasts longer the last picture does too
            assert durations[:-1] == [frame[2] for frame in expected[2]][:-1]
            assert durations[-1] >= (expected[2][-1][2] or 0)
        listed = list(track.segments())
        check_list(listed, track)
    if sound_of is not None:
        with opened(folder, sound_of) as heard:
            sounds, expected = told(io.BytesIO(joined(heard)), "audio"), told(str(path), "audio")
            assert sounds[:2] == expected[:2]
            # it is silent until it begins, and from its end to that of the picture
            begins = next(
                n
                for n, frame in enumerate(sounds[2])
                if (frame[0] or 0) >= (expected[2][0][0] or 0) * (48 if path.suffix == ".webm" else 1) - 24
            )
            around = sounds[2][:begins] + sounds[2][begins + len(expected[2]) :]
            assert all(frame[4] in SILENT for frame in around)
            sounds = sounds[0], sounds[1], sounds[2][begins : begins + len(expected[2])]
            if path.suffix == ".webm":  # which counts milliseconds
                assert [(round((frame[0] or 0) / 48), *frame[3:]) for frame in sounds[2]] == [
                    (frame[0], *frame[3:]) for frame in expected[2]
                ]
            else:
                assert sounds[2] == expected[2]
            check_list(list(heard.segments()), heard)
    return got[2], track


def check_list(listed: list[tuple[int, int, bool]], track: SegmentedTrack) -> None:
    """Hold a track's list against the contract: no gap, a second at most or one picture, and it begins with a key."""
    assert listed[0][2]
    ended = listed[0][0]
    for number, (start, duration, _) in enumerate(listed):
        assert start == ended
        ended = start + duration
        frames = len(told_alone(track, number))
        assert duration <= track.facts.timescale or frames == 1


def told_alone(track: SegmentedTrack, number: int) -> list[Told]:
    kind = "audio" if track.facts.codec is Codec.OPUS else "video"
    return told(io.BytesIO(track.init() + track.segment(number)), kind)[2]


def by_time(*streams: list[Sent]) -> list[Sent]:
    return sorted((packet for stream in streams for packet in stream), key=lambda packet: packet.at)


def exported(folder: Path) -> dict[str, Any]:
    prepare(folder)
    description = json.loads((folder / "description.json").read_text())
    assert isinstance(description, dict)
    return description


@pytest.mark.parametrize("codec", VIDEO_CODECS)
def test_segments_of_each_codec_are_the_container_in_pieces(tmp_path: Path, codec: Codec) -> None:
    frames = encode(codec, 60)
    packets = by_time(video(7, codec, frames), sound(8, encode_sound(100)))
    (entry,) = exported(record(tmp_path, [camera(7, codec), camera(8, Codec.OPUS)], packets))["cameras"]
    got, track = check(tmp_path, sound_of=8)
    assert len(got) == 60
    assert entry["type"] == track.facts.media_type
    assert entry["audio_type"] == 'audio/mp4; codecs="opus"'
    assert (track.facts.width, track.facts.height) == (320, 240)


def test_pictures_out_of_order_keep_their_times(tmp_path: Path) -> None:
    frames = encode(Codec.H264, b_frames=2, count=40)
    exported(record(tmp_path, [camera(7)], video(7, Codec.H264, frames)))
    got, track = check(tmp_path)
    assert track.facts.shift > 0
    assert [frame[0] for frame in got] == [frame.order * FRAME_TICKS for frame in frames]


def test_a_picture_before_a_hole_lasts_until_the_next(tmp_path: Path) -> None:
    sent = video(7, Codec.H264, encode(Codec.H264, 60, 30))
    lost = [packet for packet in sent if packet.timestamp == 1_000_000 + 4 * FRAME_TICKS]
    exported(record(tmp_path, [camera(7)], [packet for packet in sent if packet not in lost]))
    got, _ = check(tmp_path)
    assert [frame[0] for frame in got] == [n * FRAME_TICKS for n in (*range(4), *range(30, 60))]


def test_a_pause_is_one_picture(tmp_path: Path) -> None:
    times = [n * FRAME_TICKS + (0 if n < 15 else 900_000) for n in range(40)]
    exported(record(tmp_path, [camera(7)], video(7, Codec.H264, encode(Codec.H264, 40, 40), times=times)))
    got, _ = check(tmp_path)
    with opened(tmp_path, 7) as track:
        listed = list(track.segments())
        assert listed == [
            (0, 14 * FRAME_TICKS, True),
            (14 * FRAME_TICKS, 900_000 + FRAME_TICKS, False),
            (900_000 + 15 * FRAME_TICKS, 25 * FRAME_TICKS, False),
        ]
        assert len(told_alone(track, 0)) == 14
    assert len(got) == 40


def test_numbers_that_wrap_are_not_seen(tmp_path: Path) -> None:
    sent = video(
        7, Codec.H264, encode(Codec.H264, 60), timestamp=(1 << 32) - 10 * FRAME_TICKS, sequence=65_500
    )
    exported(record(tmp_path, [camera(7)], sent))
    got, _ = check(tmp_path)
    assert [frame[0] for frame in got] == [n * FRAME_TICKS for n in range(60)]


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265, Codec.VP9])
def test_another_size_in_the_middle_is_decoded(tmp_path: Path, codec: Codec) -> None:
    small, large = encode(codec, 20), encode(codec, 20, size=(480, 272))
    frames = [*small, *(replace(frame, order=frame.order + 20) for frame in large)]
    (entry,) = exported(record(tmp_path, [camera(7, codec)], video(7, codec, frames)))["cameras"]
    with opened(tmp_path, 7) as track:
        whole = joined(track)
        changes = {Codec.H264: "avc3.", Codec.H265: "hev1.", Codec.VP9: "vp09."}
        assert f'codecs="{changes[codec]}' in track.facts.media_type
        assert entry["type"] == track.facts.media_type
    with av.open(io.BytesIO(whole)) as container:
        shown = [(frame.width, frame.height) for frame in container.decode(video=0)]
    assert shown == [(320, 240)] * 20 + [(480, 272)] * 20


def test_parameter_sets_of_the_session_description_are_put_before_their_key_frame(tmp_path: Path) -> None:
    frames = encode(Codec.H264, 40)
    sets = (h264.SPS, h264.PPS)
    units = [unit for unit in split_annex_b(frames[0].data) if unit[0] & 0x1F in sets]
    bare = [
        replace(
            frame,
            data=b"".join(
                b"\0\0\0\1" + unit for unit in split_annex_b(frame.data) if unit[0] & 0x1F not in sets
            ),
        )
        for frame in frames
    ]
    said = "sprop-parameter-sets=" + ",".join(base64.b64encode(unit).decode() for unit in units)
    exported(record(tmp_path, [camera(7, fmtp=said)], video(7, Codec.H264, bare)))
    got, _ = check(tmp_path)
    assert len(got) == 40


def test_reordered_repeated_and_foreign_packets_change_nothing(tmp_path: Path) -> None:
    number, sent = 0, []
    for packet in video(7, Codec.H264, encode(Codec.H264, 60)):
        sent.append(replace(packet, sequence=packet.sequence + number))
        if packet.marker:  # padding, and repair data of another payload type
            sent.append(replace(packet, sequence=packet.sequence + number + 1, payload=b"", marker=False))
            sent.append(replace(sent[-1], sequence=sent[-1].sequence + 1, payload=b"\x41", payload_type=97))
            number += 2
    shuffled = list(sent)
    for start in range(0, len(sent), 6):
        part = shuffled[start : start + 6]
        random.Random(start).shuffle(part)
        shuffled[start : start + 6] = part
    shuffled += [replace(packet, payload=b"\x41forged") for packet in sent[3:9]]
    exported(record(tmp_path, [camera(7)], shuffled))
    got, _ = check(tmp_path)
    assert len(got) == 60


class TestSound:
    def test_mute_gaps_are_silence_and_the_clock_is_the_cameras(self, tmp_path: Path) -> None:
        # half a second of sound before the picture, then two seconds muted
        ticks = [n * SOUND_TICKS + (0 if n < 60 else 100 * SOUND_TICKS) for n in range(120)]
        packets = by_time(
            video(7, Codec.H264, encode(Codec.H264, 60), begin=0.6),
            sound(8, encode_sound(120), begin=0.1, ticks=ticks),
        )
        exported(record(tmp_path, [camera(7), camera(8, Codec.OPUS)], packets))
        got, _ = check(tmp_path, sound_of=8)
        assert got[0][0] == 45_000
        with opened(tmp_path, 8) as heard:
            pieces = told(io.BytesIO(joined(heard)), "audio")[2]
        assert [piece[0] for piece in pieces] == [n * SOUND_TICKS for n in range(220)]
        assert all(piece[4] == b"\xfc\xff\xfe" for piece in pieces[60:160])

    def test_drifting_clocks_are_kept_together(self, tmp_path: Path) -> None:
        # the sender's microphone has 47,990 samples in a second of its camera
        frames = [replace(frame, order=n) for n, frame in enumerate(encode(Codec.H264, 60) * 20)]
        pieces = [piece for piece in encode_sound(100) for _ in range(20)]
        reports = [
            Report(number, float(at), 1000.0 + at, first + round(at * rate))
            for at in range(1, 41, 2)
            for number, first, rate in ((7, 1_000_000, 90_000), (8, 7_000_000, 47_990))
        ]
        packets = by_time(video(7, Codec.H264, frames, begin=0.0), sound(8, pieces, begin=0.0))
        exported(record(tmp_path, [camera(7), camera(8, Codec.OPUS)], packets, reports))
        check(tmp_path, sound_of=8)
        with opened(tmp_path, 8) as heard:
            times = [piece[0] or 0 for piece in told(io.BytesIO(joined(heard)), "audio")[2]]
        assert times[-1] - times[0] == pytest.approx(1999 * 960 * 48_000 / 47_990, abs=5)

    def test_a_microphone_alone_is_a_track(self, tmp_path: Path) -> None:
        ticks = [n * SOUND_TICKS + (0 if n < 60 else 10 * SOUND_TICKS) for n in range(120)]
        exported(record(tmp_path, [camera(8, Codec.OPUS)], sound(8, encode_sound(120), ticks=ticks)))
        got, track = check(tmp_path, 8)
        assert len(got) == 130
        assert track.facts.media_type == 'audio/mp4; codecs="opus"'


class TestSealed:
    KEY = DataKey(SM4, bytes(range(16)))

    def recorded(self, folder: Path, key: DataKey | None) -> Path:
        frames = [replace(frame, order=n) for n, frame in enumerate(encode(Codec.H264, 60) * 5)]
        packets = by_time(video(7, Codec.H264, frames), sound(8, encode_sound(100) * 5))
        record(folder, [camera(7), camera(8, Codec.OPUS)], packets, sealed_with=key)
        prepare(folder, key=key)
        return folder

    def test_sealed_or_not_the_segments_are_the_same(self, tmp_path: Path) -> None:
        self.recorded(tmp_path / "open", None)
        self.recorded(tmp_path / "sealed", self.KEY)
        assert b"avc1" not in (tmp_path / "sealed" / "7.index").read_bytes()
        for producer in (7, 8):
            with (
                opened(tmp_path / "open", producer) as plain,
                opened(tmp_path / "sealed", producer, self.KEY) as sealed,
            ):
                assert joined(plain) == joined(sealed)

    def test_nothing_but_a_segments_own_blocks_is_read(self, tmp_path: Path) -> None:
        folder = self.recorded(tmp_path, self.KEY)
        index = index_journal(folder / JOURNAL, key=self.KEY)
        with opened(folder, 7, self.KEY) as track:
            number = track.count - 2
            alone = track.segment(number)
            with (folder / "7.index").open("rb"):
                frames = FrameIndex(open_part(folder / "7.index", self.KEY))
            places = frames.places(frames.segment(number))
            frames.close()
            blocks = list(index.blocks)
            ends = [*(place - 28 for place in blocks[1:]), (folder / JOURNAL).stat().st_size]
            own = sum(ends[blocks.index(place)] - place + 28 for place in places)
            assert 1 <= len(places) <= 3
            assert track.bytes_read == own
            assert own < 0.1 * (folder / JOURNAL).stat().st_size
            # and what lies before it may be gone
            data = bytearray((folder / JOURNAL).read_bytes())
            data[len(data) // 10 : places[0] - 28] = bytes(places[0] - 28 - len(data) // 10)
            (folder / JOURNAL).write_bytes(data)
        with opened(folder, 7, self.KEY) as track:
            assert track.segment(number) == alone
            with pytest.raises((SealError, JournalError)):
                track.segment(number // 2)

    def test_a_flipped_bit_is_no_picture(self, tmp_path: Path) -> None:
        for key, name in ((self.KEY, "sealed"), (None, "open")):
            folder = self.recorded(tmp_path / name, key)
            with opened(folder, 7, key) as track:
                frames = FrameIndex(open_part(folder / "7.index", key))
                place = frames.places(frames.segment(3))[0]
                frames.close()
                data = bytearray((folder / JOURNAL).read_bytes())
                data[place + 200] ^= 1
                (folder / JOURNAL).write_bytes(data)
                with pytest.raises((SealError, JournalError)):
                    track.segment(3)
                assert track.segment(10)


def test_a_segment_beyond_the_last_is_none(tmp_path: Path) -> None:
    exported(record(tmp_path, [camera(7)], video(7, Codec.H264, encode(Codec.H264, 60))))
    with opened(tmp_path, 7) as track:
        for number in (track.count, -1, 1 << 40):
            with pytest.raises(IndexError):
                track.segment(number)


def test_an_index_of_another_journal_shows_nothing(tmp_path: Path) -> None:
    exported(record(tmp_path / "one", [camera(7)], video(7, Codec.H264, encode(Codec.H264, 60))))
    exported(
        record(tmp_path / "two", [camera(7)], video(7, Codec.H264, encode(Codec.H264, 60), sequence=9_000))
    )
    (tmp_path / "two" / "7.index").write_bytes((tmp_path / "one" / "7.index").read_bytes())
    with opened(tmp_path / "two", 7) as track, pytest.raises((SegmentError, JournalError)):
        track.segment(0)


def test_indices_alone_leave_the_other_files_as_they_were(tmp_path: Path) -> None:
    packets = by_time(video(7, Codec.H264, encode(Codec.H264)), sound(8, encode_sound(40)))
    folder = record(tmp_path, [camera(7), camera(8, Codec.OPUS)], packets)
    exported(folder)
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}
    indices = {name: before.pop(name)[1] for name in ("7.index", "8.index")}
    for name in indices:
        (folder / name).unlink()
    prepare(folder, indices_only=True)
    after = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}
    assert {name: after.pop(name)[1] for name in indices} == indices
    assert after == before
