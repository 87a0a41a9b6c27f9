"""Beep and flash of a whole room, over real encoded streams: nobody is missing, all are together, for an hour too.

Sixteen participants with cameras and microphones, four of them with a field besides; some come late, some are mute for
a while, some lose packets, and sound and picture of one sender take different times over the network.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from media.ids import ProducerId
from media.plane import Codec
from media.rtp.ntp import ntp_from_unix
from recorder.export.preparing import prepare
from recorder.recording import Recording
from tests.helpers.journal_media import (
    Report,
    Sent,
    camera,
    encode,
    encode_sound,
    record,
    sound,
    video,
)
from tests.helpers.journals import STARTED, STARTED_NS, header
from tests.helpers.played import played

PEOPLE, FIELDS = 16, 4
#: When everybody's picture flashes and everybody's microphone beeps, seconds of the recording.
TOGETHER = 3.0
#: What sound takes longer over the network than the picture; the sender's reports tell.
LATE_SOUND = 0.06
FRAME = 1 / 30


def joined(person: int) -> float:
    """Seconds before the flash at which somebody's streams begin."""
    return (0.5, 1.0, 1.5)[person % 3]


def pictures_of(person: int, producer: int) -> list[Sent]:
    lead = joined(person)
    frames = encode(Codec.H264, 60, flash_at=round(lead * 30))
    sent = video(producer, Codec.H264, frames, begin=TOGETHER - lead, timestamp=producer * 1_000_000)
    if person % 4 == 1:
        # two packets of the fourth picture are lost: nothing is shown up to the next key frame
        lost = [one for one in sent if one.timestamp == producer * 1_000_000 + 3 * 3000][:2]
        sent = [one for one in sent if one not in lost]
    return sent


def sound_of(person: int, producer: int) -> list[Sent]:
    lead = joined(person)
    packets = encode_sound(100, beep_at=round(lead * 50))
    sent = sound(producer, packets, begin=TOGETHER - lead, timestamp=producer * 500_000)
    if person % 3 == 1:
        # mute for a fifth of a second: nothing is sent, and the numbers go on
        sent = [
            replace(one, sequence=one.sequence - 10 * (place >= 20))
            for place, one in enumerate(sent)
            if not 10 <= place < 20
        ]
    return [replace(one, at=one.at + LATE_SOUND) for one in sent]


def reports_of(person: int, producer: int, clock_rate: int, timestamp: int) -> Iterator[Report]:
    """Tell the time by the sender's own clock, which is anything."""
    for after in (0.2, 0.7):
        at = TOGETHER - joined(person) + after
        yield Report(
            producer, at, 1_700_000_000 + person * 1000 + after, timestamp + round(after * clock_rate)
        )


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("room")
    recording = Recording(header(), "Dr. 0", STARTED)
    packets: list[Sent] = []
    reports: list[Report] = []
    for person in range(PEOPLE):
        begin = STARTED + TOGETHER - joined(person) - 0.1
        who = f"pt-{person}"
        event = {"kind": "participant_joined", "participant": who, "name": f"Dr. {person}", "role": "expert"}
        recording.receive_event({**event, "colour": "#4cc2ff"}, begin)
        streams = [(100 + person, "camera"), *([(200 + person, "field")] if person < FIELDS else [])]
        for producer, source in streams:
            recording.add_producer(camera(producer, participant=who, source=source), begin)
            packets += pictures_of(person, producer)
            reports += reports_of(person, producer, 90_000, producer * 1_000_000)
        microphone = 300 + person
        recording.add_producer(camera(microphone, Codec.OPUS, participant=who), begin)
        packets += sound_of(person, microphone)
        reports += reports_of(person, microphone, 48_000, microphone * 500_000)
    for report in reports:
        recording.receive_sender_report(
            ProducerId(report.producer),
            ntp_from_unix(round(report.ntp * 1e9)),
            report.timestamp % (1 << 32),
            STARTED_NS + round(report.at * 1e9),
            STARTED + report.at,
        )
    data = b""
    for packet in sorted(packets, key=lambda one: one.at):
        recording.receive_tap(packet.tap(), STARTED + packet.at)
        data += recording.bytes_to_write(STARTED + packet.at)
    recording.stop("Dr. 0", STARTED + 6)
    (folder / "journal.kjr").write_bytes(data + recording.bytes_to_write(STARTED + 7))
    prepare(folder)
    return folder, json.loads((folder / "description.json").read_text())


def flash_in(path: Path, after: float = 0.0) -> float:
    with av.open(str(path)) as container:
        container.seek(int(after * 1_000_000))
        return next(
            float(frame.time)
            for frame in container.decode(video=0)
            if frame.time >= after and frame.to_ndarray(format="gray").mean() > 150
        )


def beep_in(path: Path, after: float = 0.0) -> float:
    with av.open(str(path)) as container:
        container.seek(int(after * 1_000_000))
        return next(
            float(frame.time)
            for frame in container.decode(audio=0)
            if frame.time >= after and np.abs(frame.to_ndarray()).max() > 0.1
        )


def test_nobody_is_missing(room: tuple[Path, dict[str, Any]]) -> None:
    _, description = room
    assert description["state"] == "complete"
    assert description["problems"] == []
    assert {one["participant"] for one in description["participants"]} == {f"pt-{n}" for n in range(PEOPLE)}
    cameras = description["cameras"]
    assert len(cameras) == PEOPLE + FIELDS
    assert {one["producer"] for one in cameras} == {
        *range(100, 100 + PEOPLE),
        *range(200, 200 + FIELDS),
    }
    # each one's voice is with the picture that people watch, once
    assert {one["participant"]: one["audio"] for one in cameras if one["audio"]} == {
        f"pt-{person}": 300 + person for person in range(PEOPLE)
    }
    assert all(one["source"] == "field" for one in cameras if one["audio"] and one["audio"] < 300 + FIELDS)
    # who lost packets says where
    holes = {gap["producer"] for gap in description["gaps"] if gap["producer"] < 300}
    assert holes == {producer for producer in (*range(100, 116), *range(200, 204)) if producer % 100 % 4 == 1}


def test_all_flash_and_beep_together(room: tuple[Path, dict[str, Any]]) -> None:
    folder, description = room
    flashes = []
    for one in description["cameras"]:
        flash = flash_in(played(folder, one["producer"]))
        flashes.append(one["offset"] + flash)
        if one["audio"]:
            assert abs(beep_in(played(folder, one["audio"])) - flash) < 0.02, one["producer"]
    assert max(flashes) - min(flashes) < FRAME
    assert abs(flashes[0] - TOGETHER) < FRAME + LATE_SOUND


def test_for_an_hour_sound_stays_with_the_picture(tmp_path: Path) -> None:
    """The sound card's clock is wrong by 60 ppm: 216 ms an hour, if nobody followed the reports."""
    hour = 3590.0
    frames, sounds = encode(Codec.H264, 20, flash_at=15), encode_sound(50, beep_at=25)
    early = video(7, Codec.H264, frames, begin=0.1)
    late = video(
        7,
        Codec.H264,
        frames,
        begin=hour + 0.1,
        timestamp=1_000_000 + round(hour * 90_000),
        sequence=early[-1].sequence + 1,
    )
    ears = sound(8, sounds, begin=0.1)
    ticks = 48_000 * (1 - 60e-6)
    ears_late = sound(
        8, sounds, begin=hour + 0.1, timestamp=7_000_000 + round(hour * ticks), sequence=ears[-1].sequence + 1
    )
    reports = [
        report
        for at in range(1, round(hour), 15)
        for report in (
            Report(7, at, 1_700_000_000 + at, 1_000_000 + round((at - 0.1) * 90_000)),
            Report(8, at, 1_700_000_000 + at, 7_000_000 + round((at - 0.1) * ticks)),
        )
    ]
    packets = sorted([*early, *ears, *late, *ears_late], key=lambda one: one.at)
    folder = record(tmp_path, [camera(7), camera(8, Codec.OPUS)], packets, reports)
    prepare(folder)
    (entry,) = json.loads((folder / "description.json").read_text())["cameras"]
    picture, heard = played(folder, entry["producer"]), played(folder, entry["audio"])
    lags = [beep_in(heard, after) - flash_in(picture, after) for after in (0.0, hour)]
    assert all(abs(lag) < 0.02 for lag in lags), lags
    assert abs(lags[1] - lags[0]) < 0.02
