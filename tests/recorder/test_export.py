"""A journal becomes containers: every frame at its RTP timestamp, nothing shown that was not whole."""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from media.codecs import h264
from media.codecs.packetisation import split_annex_b
from media.plane import Codec
from recorder.export.preparing import prepare
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
from tests.helpers.played import played

VIDEO_CODECS = [Codec.H264, Codec.H265, Codec.VP8, Codec.VP9, Codec.AV1]


def exported(folder: Path) -> dict[str, Any]:
    prepare(folder)
    description = json.loads((folder / "description.json").read_text())
    assert isinstance(description, dict)
    assert not list(folder.glob("*.part"))
    return description


def times(path: Path, kind: str = "video") -> list[int]:
    """Presentation times in units of the track's RTP clock, in the order of the file."""
    rate = 90_000 if kind == "video" else 48_000
    with av.open(str(path)) as container:
        stream = container.streams.get({kind: 0})[0]
        return [
            round(packet.pts * stream.time_base * rate)
            for packet in container.demux(stream)
            if packet.pts is not None
        ]


def pictures(path: Path) -> list[tuple[Fraction, float]]:
    """Decode: the time of each picture in seconds and its mean brightness."""
    with av.open(str(path)) as container:
        return [
            (frame.pts * frame.time_base, float(frame.to_ndarray(format="gray").mean()))
            for frame in container.decode(video=0)
        ]


def loudness(path: Path) -> list[tuple[Fraction, float]]:
    """Decode: the time of each piece of sound in seconds and its loudness."""
    with av.open(str(path)) as container:
        return [
            (frame.pts * frame.time_base, float(np.abs(frame.to_ndarray()).max()))
            for frame in container.decode(audio=0)
        ]


def by_time(*streams: list[Sent]) -> list[Sent]:
    return sorted((packet for stream in streams for packet in stream), key=lambda packet: packet.at)


def simple(folder: Path, packets: list[Sent], codec: Codec = Codec.H264) -> dict[str, Any]:
    return exported(record(folder, [camera(7, codec)], packets))


@pytest.mark.parametrize("codec", VIDEO_CODECS)
def test_each_codec_is_remuxed_with_sound(tmp_path: Path, codec: Codec) -> None:
    frames = encode(codec)
    packets = by_time(video(7, codec, frames), sound(8, encode_sound(40)))
    description = exported(record(tmp_path, [camera(7, codec), camera(8, Codec.OPUS)], packets))
    (entry,) = description["cameras"]
    name = {
        Codec.H264: "avc1.42c0",
        Codec.H265: "hvc1.1.6.L",
        Codec.VP8: "vp8",
        Codec.VP9: "vp09.00.20.08",
        Codec.AV1: "av01.0.00M.08",
    }
    media_type = "video/webm" if codec is Codec.VP8 else "video/mp4"
    assert entry["type"].startswith(f'{media_type}; codecs="{name[codec]}')
    assert entry["audio_type"] == 'audio/mp4; codecs="opus"'
    assert (entry["width"], entry["height"]) == (320, 240)
    assert entry["audio"] == 8
    assert entry["offset"] == pytest.approx(0.1, abs=1e-4)
    # the sound lasts longer than the picture
    assert entry["picture_until"] == pytest.approx(20 / 30, abs=1e-4)
    assert entry["seconds"] == pytest.approx(0.8, abs=1e-4)
    assert description["state"] == "complete"
    assert description["gaps"] == description["problems"] == []
    path = played(tmp_path, 7)
    expected = [n * FRAME_TICKS for n in range(20)]
    if codec is Codec.VP8:  # WebM counts milliseconds
        assert times(path) == pytest.approx(expected, abs=45)
    else:
        assert times(path) == expected
        assert times(played(tmp_path, 8), "audio") == [n * SOUND_TICKS for n in range(40)]
    shown = pictures(path)
    assert len(shown) == 20
    assert len(loudness(played(tmp_path, 8))) == 40


def test_pictures_are_bit_for_bit_what_was_sent(tmp_path: Path) -> None:
    frames = encode(Codec.H264)
    simple(tmp_path, video(7, Codec.H264, frames))
    with av.open(str(played(tmp_path, 7))) as container:
        samples = [bytes(packet) for packet in container.demux(video=0) if packet.pts is not None]
    for sample, frame in zip(samples, frames, strict=True):
        units, position = [], 0
        while position < len(sample):
            size = int.from_bytes(sample[position : position + 4], "big")
            units.append(sample[position + 4 : position + 4 + size])
            position += 4 + size
        assert units == split_annex_b(frame.data)


@pytest.mark.parametrize("codec", [Codec.H264, Codec.VP8])
def test_the_same_journal_gives_the_same_bytes(tmp_path: Path, codec: Codec) -> None:
    packets = by_time(video(7, codec, encode(codec)), sound(8, encode_sound(40)))
    results = []
    for name in ("one", "two"):
        folder = record(tmp_path / name, [camera(7, codec), camera(8, Codec.OPUS)], packets)
        exported(folder)
        results.append({path.name: path.read_bytes() for path in folder.iterdir()})
        exported(folder)  # and a second export replaces what is there
        results.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert len(results[0]) == 6  # with two frame indices
    assert all(result == results[0] for result in results)


def test_wrapping_numbers_are_not_seen(tmp_path: Path) -> None:
    packets = video(
        7, Codec.H264, encode(Codec.H264), timestamp=(1 << 32) - 10 * FRAME_TICKS, sequence=65_500
    )
    assert packets[-1].sequence > 65_536
    (entry,) = simple(tmp_path, packets)["cameras"]
    assert entry["first_rtp_timestamp"] == (1 << 32) - 10 * FRAME_TICKS
    assert times(played(tmp_path, 7)) == [n * FRAME_TICKS for n in range(20)]


def test_reordered_and_repeated_packets_are_put_right(tmp_path: Path) -> None:
    sent = video(7, Codec.H264, encode(Codec.H264))
    shuffled = list(sent)
    for start in range(0, len(sent), 6):  # late by up to six packets
        part = shuffled[start : start + 6]
        random.Random(start).shuffle(part)
        shuffled[start : start + 6] = part
    shuffled += sent[3:9]
    description = simple(tmp_path, shuffled)
    assert times(played(tmp_path, 7)) == [n * FRAME_TICKS for n in range(20)]
    assert description["gaps"] == []


def test_of_two_packets_with_one_number_the_first_counts(tmp_path: Path) -> None:
    sent = video(7, Codec.H264, encode(Codec.H264))
    forged = [replace(packet, payload=b"\x41forged") for packet in sent[5:8]]
    simple(tmp_path, sent + forged)
    assert len(pictures(played(tmp_path, 7))) == 20


@pytest.mark.parametrize("codec", VIDEO_CODECS)
@pytest.mark.parametrize("which", [0, -1])
def test_after_a_loss_nothing_is_shown_until_a_key_frame(tmp_path: Path, codec: Codec, which: int) -> None:
    sent = video(7, codec, encode(codec, 30))
    of_frame_4 = [packet for packet in sent if packet.timestamp == 1_000_000 + 4 * FRAME_TICKS]
    lost = of_frame_4[which]
    description = simple(tmp_path, [packet for packet in sent if packet is not lost], codec)
    kept = [*range(4), *range(10, 30)]
    assert times(played(tmp_path, 7)) == pytest.approx([n * FRAME_TICKS for n in kept], abs=45)
    assert len(pictures(played(tmp_path, 7))) == len(kept)
    (gap,) = description["gaps"]
    assert gap["producer"] == 7
    assert gap["packets"] == 1
    assert gap["at"] == pytest.approx(0.1 + 3 / 30, abs=1e-3)
    assert gap["seconds"] == pytest.approx(7 / 30, abs=1e-3)


def test_a_lost_whole_frame_is_noticed(tmp_path: Path) -> None:
    sent = video(7, Codec.VP8, encode(Codec.VP8, 30))
    kept = [packet for packet in sent if packet.timestamp != 1_000_000 + 15 * FRAME_TICKS]
    description = simple(tmp_path, kept, Codec.VP8)
    assert len(times(played(tmp_path, 7))) == 30 - 5
    assert description["gaps"][0]["packets"] == len(sent) - len(kept)


def test_losses_in_quick_succession_are_one_gap(tmp_path: Path) -> None:
    sent = video(7, Codec.H264, encode(Codec.H264, 30))
    numbers = {sent[len(sent) // 3].sequence, sent[len(sent) // 2].sequence}
    description = simple(tmp_path, [packet for packet in sent if packet.sequence not in numbers])
    assert [gap["packets"] for gap in description["gaps"]] == [2]


def test_the_file_begins_at_the_first_key_frame(tmp_path: Path) -> None:
    frames = encode(Codec.H264, 30)
    sent = video(7, Codec.H264, frames)
    # the tap opened in the middle of frame 3
    in_frame_3 = [packet for packet in sent if packet.timestamp == 1_000_000 + 3 * FRAME_TICKS]
    begin = sent.index(in_frame_3[len(in_frame_3) // 2])
    (entry,) = simple(tmp_path, sent[begin:])["cameras"]
    assert entry["first_rtp_timestamp"] == 1_000_000 + 10 * FRAME_TICKS
    assert entry["offset"] == pytest.approx(0.1 + 10 / 30, abs=1e-3)
    assert times(played(tmp_path, 7)) == [n * FRAME_TICKS for n in range(20)]


@pytest.mark.parametrize("codec", [Codec.H264, Codec.VP8, Codec.VP9])
def test_a_frame_cut_by_the_end_is_left_out(tmp_path: Path, codec: Codec) -> None:
    sent = video(7, codec, encode(codec, 20, 1))  # all key frames, so none is small
    assert not sent[-2].marker, "the last frame has several packets"
    simple(tmp_path, sent[:-1], codec)
    assert len(times(played(tmp_path, 7))) == 19


def test_a_key_frame_that_lost_its_first_slices_is_none(tmp_path: Path) -> None:
    sent = video(7, Codec.H264, encode(Codec.H264, 30, slices=4))
    of_frame_10 = [packet for packet in sent if packet.timestamp == 1_000_000 + 10 * FRAME_TICKS]
    # everything before its third slice is lost: what is left is whole NAL units of an IDR picture
    starts = [n for n, packet in enumerate(of_frame_10) if h264.starts_frame(packet.payload)]
    lost = of_frame_10[: starts[2]]
    assert h264.starts_key_frame(of_frame_10[starts[2]].payload)
    simple(tmp_path, [packet for packet in sent if packet not in lost])
    kept = [*range(10), *range(20, 30)]
    assert times(played(tmp_path, 7)) == [n * FRAME_TICKS for n in kept]


def test_a_time_that_comes_twice_is_shown_once(tmp_path: Path) -> None:
    ticks = [n * FRAME_TICKS for n in range(20)]
    ticks[14] = ticks[12]
    description = simple(tmp_path, video(7, Codec.H264, encode(Codec.H264), times=ticks))
    # the second picture of that time cannot be placed, and later ones refer to it
    assert times(played(tmp_path, 7)) == ticks[:14]
    (gap,) = description["gaps"]
    assert gap["packets"] == 0


def test_a_clock_of_sound_that_goes_back_is_not_heard_twice(tmp_path: Path) -> None:
    ticks = [n * SOUND_TICKS for n in range(20)]
    ticks[10] = ticks[8]
    exported(record(tmp_path, [camera(8, Codec.OPUS)], sound(8, encode_sound(20), ticks=ticks)))
    assert times(played(tmp_path, 8), "audio") == [n * SOUND_TICKS for n in range(20)]  # one is silence


def test_variable_frame_rates_keep_their_times(tmp_path: Path) -> None:
    ticks = [0, 1500, 3000, 9000, 90_000, 91_501, 91_502, 270_000] + [300_000 + 777 * n for n in range(12)]
    (entry,) = simple(tmp_path, video(7, Codec.H264, encode(Codec.H264), times=ticks))["cameras"]
    assert times(played(tmp_path, 7)) == ticks
    assert entry["seconds"] == pytest.approx((ticks[-1] + 777) / 90_000, abs=1e-5)
    with av.open(str(played(tmp_path, 7))) as container:
        assert container.streams.video[0].duration == ticks[-1] + 777


def test_pictures_out_of_order_get_decoding_times(tmp_path: Path) -> None:
    frames = encode(Codec.H264, b_frames=2)
    assert [frame.order for frame in frames] != sorted(frame.order for frame in frames)
    simple(tmp_path, video(7, Codec.H264, frames))
    with av.open(str(played(tmp_path, 7))) as container:
        packets = [packet for packet in container.demux(video=0) if packet.pts is not None]
    assert [packet.pts for packet in packets] == [frame.order * FRAME_TICKS for frame in frames]
    decoding = [packet.dts for packet in packets]
    assert all(earlier < later for earlier, later in itertools.pairwise(decoding))
    assert all(packet.dts <= packet.pts for packet in packets)
    shown = [time for time, _ in pictures(played(tmp_path, 7))]
    assert shown == [Fraction(n, 30) for n in range(20)]


def test_parameter_sets_may_come_from_the_session_description(tmp_path: Path) -> None:
    import base64

    frames = encode(Codec.H264)
    sets = [unit for unit in split_annex_b(frames[0].data) if unit[0] & 0x1F in (h264.SPS, h264.PPS)]
    bare = tuple(
        replace(
            frame,
            data=b"".join(
                b"\0\0\0\1" + unit
                for unit in split_annex_b(frame.data)
                if unit[0] & 0x1F not in (h264.SPS, h264.PPS)
            ),
        )
        for frame in frames
    )
    fmtp = "packetization-mode=1;sprop-parameter-sets=" + ",".join(
        base64.b64encode(unit).decode() for unit in sets
    )
    packets = video(7, Codec.H264, bare)
    exported(record(tmp_path / "with", [camera(7, fmtp=fmtp)], packets))
    assert len(pictures(played(tmp_path / "with", 7))) == 20
    # without them there is nothing to decode with, and the description says so
    description = exported(
        record(tmp_path / "without", [camera(7, fmtp="sprop-parameter-sets=%%%")], packets)
    )
    assert description["cameras"] == []
    assert description["problems"][0]["producer"] == 7
    assert description["problems"][0]["message"].endswith(".")


def test_padding_and_other_payload_types_are_no_loss(tmp_path: Path) -> None:
    sent = video(7, Codec.H264, encode(Codec.H264))
    number, shifted = 0, []
    for packet in sent:
        shifted.append(replace(packet, sequence=packet.sequence + number))
        if packet.marker:  # a probe after each frame: padding only, in the same number space
            number += 1
            shifted.append(replace(packet, sequence=packet.sequence + number, payload=b"", marker=False))
            number += 1  # and repair data of another payload type
            shifted.append(
                replace(packet, sequence=packet.sequence + number, payload=b"\x41repair", payload_type=97)
            )
    description = simple(tmp_path, shifted)
    assert len(pictures(played(tmp_path, 7))) == 20
    assert description["gaps"] == []
    with av.open(str(played(tmp_path, 7))) as container:
        assert all(b"repair" not in bytes(packet) for packet in container.demux(video=0))


class TestSync:
    """Sound and picture of one sender, within a frame of each other."""

    FLASH = 15  # half a second after the first picture

    def packets(self, video_begin: float, audio_begin: float, **changes: Any) -> list[Sent]:
        frames = encode(Codec.H264, 30, 10, self.FLASH)
        return by_time(
            video(7, Codec.H264, frames, begin=video_begin),
            sound(8, encode_sound(50, 25), begin=audio_begin, **changes),
        )

    def apart(self, folder: Path) -> float:
        flash = next(time for time, brightness in pictures(played(folder, 7)) if brightness > 150)
        beep = next(time for time, loud in loudness(played(folder, 8)) if loud > 0.2)
        return float(beep - flash)

    def test_by_arrivals(self, tmp_path: Path) -> None:
        exported(record(tmp_path, [camera(7), camera(8, Codec.OPUS)], self.packets(0.1, 0.1)))
        assert abs(self.apart(tmp_path)) < 1 / 30

    def test_sender_reports_outweigh_arrivals(self, tmp_path: Path) -> None:
        # the picture comes 300 ms later than the sound that was captured with it
        reports = [Report(7, 0.5, 1000.0, 1_000_000), Report(8, 0.5, 1000.0, 7_000_000)]
        description = exported(
            record(tmp_path, [camera(7), camera(8, Codec.OPUS)], self.packets(0.4, 0.1), reports)
        )
        assert abs(self.apart(tmp_path)) < 1 / 30
        (entry,) = description["cameras"]
        assert (entry["first_rtp_timestamp"], entry["picture_at"]) == (1_000_000, 0)
        # both lie where the quicker of the two was received
        assert entry["offset"] == pytest.approx(0.1, abs=1e-3)

    def test_absurd_reports_are_not_believed(self, tmp_path: Path) -> None:
        reports = [Report(7, 0.5, 1000.0, 1_000_000), Report(8, 0.5, 2000.0, 7_000_000)]
        exported(record(tmp_path, [camera(7), camera(8, Codec.OPUS)], self.packets(0.1, 0.1), reports))
        assert abs(self.apart(tmp_path)) < 1 / 30

    def test_a_mute_gap_shifts_nothing(self, tmp_path: Path) -> None:
        ticks = [n * SOUND_TICKS + (0 if n < 10 else 10 * SOUND_TICKS) for n in range(40)]
        frames = encode(Codec.H264, 30, 10, self.FLASH)
        packets = by_time(
            video(7, Codec.H264, frames), sound(8, encode_sound(40, 15), ticks=ticks)
        )  # the beep is packet 15, at (15 + 10) × 20 ms
        description = exported(record(tmp_path, [camera(7), camera(8, Codec.OPUS)], packets))
        assert abs(self.apart(tmp_path)) < 1 / 30
        # players close gaps of sound: there is none, it was filled with silence
        assert times(played(tmp_path, 8), "audio") == [n * SOUND_TICKS for n in range(50)]
        assert description["gaps"] == []

    def test_lost_sound_is_a_gap_and_shifts_nothing(self, tmp_path: Path) -> None:
        packets = self.packets(0.1, 0.1)
        lost = [packet for packet in packets if packet.producer == 8 and 5005 <= packet.sequence < 5010]
        description = exported(
            record(tmp_path, [camera(7), camera(8, Codec.OPUS)], [p for p in packets if p not in lost])
        )
        assert abs(self.apart(tmp_path)) < 1 / 30
        (gap,) = description["gaps"]
        assert (gap["producer"], gap["packets"]) == (8, 5)
        assert gap["seconds"] == pytest.approx(0.12, abs=1e-3)

    def test_sound_before_the_picture_is_kept(self, tmp_path: Path) -> None:
        description = exported(record(tmp_path, [camera(7), camera(8, Codec.OPUS)], self.packets(0.6, 0.1)))
        (entry,) = description["cameras"]
        assert entry["offset"] == pytest.approx(0.1, abs=1e-3)
        # the picture's media time still follows from its RTP timestamp
        lead = 45_000
        assert entry["first_rtp_timestamp"] == 1_000_000 - lead
        # and it is said from when on there is one
        assert entry["picture_at"] == 0.5
        assert times(played(tmp_path, 7)) == [lead + n * FRAME_TICKS for n in range(30)]
        assert times(played(tmp_path, 8), "audio")[0] == 0

    def test_a_late_picture_keeps_its_offset_and_the_sound_its_file(self, tmp_path: Path) -> None:
        frames = encode(Codec.H264)
        packets = by_time(video(7, Codec.H264, frames, begin=8.0), sound(8, encode_sound(50) * 10, begin=0.1))
        description = exported(record(tmp_path, [camera(7), camera(8, Codec.OPUS)], packets))
        field, microphone = description["cameras"]
        assert (field["producer"], field["audio"], field["offset"]) == (7, None, pytest.approx(8.0, abs=1e-3))
        assert (microphone["producer"], microphone["audio"]) == (8, None)
        assert microphone["type"] == 'audio/mp4; codecs="opus"'
        assert microphone["offset"] == pytest.approx(0.1, abs=1e-3)
        assert "width" not in microphone

    def test_others_sound_never_gets_into_a_senders_file(self, tmp_path: Path) -> None:
        producers = [camera(7), camera(8, Codec.OPUS, participant="pt-2")]
        description = exported(record(tmp_path, producers, self.packets(0.1, 0.1)))
        assert [(entry["producer"], entry["audio"]) for entry in description["cameras"]] == [
            (7, None),
            (8, None),
        ]

    def test_clocks_that_drift_apart_are_kept_together(self, tmp_path: Path) -> None:
        # the sender's sound clock is 400 ppm slow: after 100 s its ticks are 40 ms behind
        seconds = 100
        pictures_sent = [
            packet
            for n in range(seconds)
            for packet in video(
                7,
                Codec.H264,
                encode(Codec.H264, 20)[:1],
                begin=n,
                timestamp=1_000_000 + n * 90_000,
                sequence=100 + 1000 * n,
            )
        ]
        renumbered = [replace(packet, sequence=n) for n, packet in enumerate(pictures_sent)]
        pace = 48_000 * (1 - 400e-6)
        sounds = [
            Sent(8, float(n), n, 7_000_000 + round(n * pace), encode_sound(1)[0], False)
            for n in range(seconds)
        ]
        reports = [
            Report(producer, n, 1000.0 + n, start + round(n * rate))
            for n in range(1, seconds, 5)
            for producer, start, rate in ((7, 1_000_000, 90_000), (8, 7_000_000, pace))
        ]
        exported(record(tmp_path, [camera(7), camera(8, Codec.OPUS)], by_time(renumbered, sounds), reports))
        heard = times(played(tmp_path, 8), "audio")
        # within a millisecond, and silence after it
        assert min(abs(time - 48_000 * (seconds - 1)) for time in heard) <= 48
        assert times(played(tmp_path, 7))[-1] == 90_000 * (seconds - 1)
