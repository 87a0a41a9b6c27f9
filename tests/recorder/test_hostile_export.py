"""Journals that were cut, damaged or written by somebody with bad intentions, and what an export makes of them."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from media.codecs.packetisation import CodecError
from media.plane import Codec
from recorder.export import av1
from recorder.export.assembly import assembler_for
from recorder.export.preparing import prepare
from recorder.journal import JournalError, JournalWriter
from tests.helpers.journal_media import Sent, camera, encode, encode_sound, record, sound, video
from tests.helpers.journals import STARTED, STARTED_NS, header, rtp, tap_record

ROOT = Path(__file__).parents[2]


def description_of(folder: Path) -> dict[str, Any]:
    value = json.loads((folder / "description.json").read_text())
    assert isinstance(value, dict)
    return value


def whole(folder: Path) -> Path:
    packets = sorted(
        video(7, Codec.H264, encode(Codec.H264, 100)) + sound(8, encode_sound(150)),
        key=lambda packet: packet.at,
    )
    return record(folder, [camera(7), camera(8, Codec.OPUS)], packets)


def write_journal(folder: Path, writer: JournalWriter) -> Path:
    writer.finish(STARTED + 9, "stopped")
    folder.mkdir(exist_ok=True)
    (folder / "journal.kjr").write_bytes(writer.blocks_to_write(STARTED + 10))
    return folder


def test_cut_journals_give_what_is_whole_and_say_so(tmp_path: Path) -> None:
    journal = whole(tmp_path) / "journal.kjr"
    data = journal.read_bytes()
    prepare(tmp_path)
    assert description_of(tmp_path)["state"] == "complete"
    seconds = []
    for cut in range(len(data) - 1, 300, -len(data) // 12):
        journal.write_bytes(data[:cut])
        prepare(tmp_path)
        description = description_of(tmp_path)
        assert description["state"] == "truncated"
        assert description["cameras"] or cut < len(data) / 4
        seconds.append(description["seconds"])
    assert seconds == sorted(seconds, reverse=True)
    journal.write_bytes(data[:30])
    with pytest.raises(JournalError):
        prepare(tmp_path)


def test_a_damaged_block_in_the_middle_costs_only_itself(tmp_path: Path) -> None:
    journal = whole(tmp_path) / "journal.kjr"
    data = bytearray(journal.read_bytes())
    data[len(data) // 2] ^= 0xFF
    journal.write_bytes(data)
    prepare(tmp_path)
    description = description_of(tmp_path)
    assert description["state"] == "truncated"
    assert description["ignored_bytes"] > 0
    # a block holds packets of one camera
    assert {gap["producer"] for gap in description["gaps"]} in ({7}, {8})
    assert description["cameras"][0]["seconds"] == pytest.approx(100 / 30, abs=0.01)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 1 << 30))
def test_random_damage_ends_in_a_description_or_a_journal_error(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    data = bytearray((whole(tmp_path) / "journal.kjr").read_bytes())
    for _ in range(chance.randrange(1, 6)):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    (tmp_path / "journal.kjr").write_bytes(data)
    try:
        prepare(tmp_path)
    except JournalError:
        return
    assert description_of(tmp_path)["state"] == "truncated"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([c for c in Codec if c is not Codec.AV1]), st.integers(0, 1 << 30))
def test_media_damaged_at_its_source_ends_in_a_description(tmp_path: Path, codec: Codec, seed: int) -> None:
    chance = random.Random(seed)
    packets = sound(7, encode_sound(50)) if codec is Codec.OPUS else video(7, codec, encode(codec))
    damaged = []
    for packet in packets:
        payload = bytearray(packet.payload)
        if chance.random() < 0.3:
            payload[chance.randrange(min(len(payload), 20))] = chance.randrange(256)
        if chance.random() < 0.05:
            del payload[chance.randrange(len(payload)) :]
        step = chance.choice([0] * 30 + [-(1 << 31), 1 << 31, 5, -90_000])
        damaged.append(
            Sent(7, packet.at, packet.sequence, packet.timestamp + step, bytes(payload), packet.marker)
        )
    prepare(record(tmp_path, [camera(7, codec)], damaged))
    assert description_of(tmp_path)["state"] == "complete"


@given(
    st.sampled_from([c for c in Codec if c is not Codec.OPUS]),
    st.lists(st.binary(min_size=1, max_size=60), min_size=1),
)
def test_assemblers_raise_nothing_but_codec_error(codec: Codec, payloads: list[bytes]) -> None:
    assembler = assembler_for(codec, "sprop-parameter-sets=AAAA,;sprop-vps==")
    for sure in (True, False):
        try:
            data, _ = assembler.assemble(payloads, beginning_sure=sure)
        except CodecError:
            continue
        assert len(data) < sum(map(len, payloads)) * 8 + 100


def test_av1_lengths_that_lie_are_refused() -> None:
    for payload in (
        b"\x00\xff\xff\xff\xff\xff\xff",
        b"\x00\x05ab",
        b"\x20\x01a",
        b"\x10\x80a",
        b"\x50\x30a",
        b"\x90\x30a",
    ):
        with pytest.raises(CodecError):
            av1.depacketise([payload])


def test_labels_and_names_never_become_paths(tmp_path: Path) -> None:
    folder = record(
        tmp_path / "recording",
        [camera(7, label="../../evil", participant="../pt", source="../field")],
        video(7, Codec.H264, encode(Codec.H264)),
    )
    prepare(folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "7.index",
        "description.json",
        "journal.kjr",
        "summary.json",
        "unsigned.json",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["recording"]
    assert description_of(folder)["cameras"][0]["label"] == "../../evil"


@pytest.mark.parametrize(
    "change",
    [
        {"producer": "../7"},
        {"producer": -1},
        {"producer": True},
        {"producer": 1 << 32},
        {"producer": None},
        {"codec": "H266"},
        {"codec": ["H264"]},
        {"label": 5},
        {"clock_rate": 0},
        {"clock_rate": 1e300},
        {"payload_type": 200},
        {"fmtp": None},
    ],
)
def test_producers_that_make_no_sense_are_passed_over(tmp_path: Path, change: dict[str, object]) -> None:
    event: dict[str, object] = {
        "kind": "producer_added",
        "producer": 7,
        "participant": "pt-1",
        "source": "field",
        "media": "video",
        "codec": "H264",
        "label": "",
        "clock_rate": 90000,
        "payload_type": 96,
        "fmtp": "",
    }
    writer = JournalWriter(header())
    writer.receive_event(event | change, STARTED)
    for packet in video(7, Codec.H264, encode(Codec.H264)):
        writer.receive_packets(packet.producer, packet.tap(), STARTED + packet.at)
    prepare(write_journal(tmp_path / "recording", writer))
    assert description_of(tmp_path / "recording")["cameras"] == []


def test_records_with_nonsense_in_them_are_passed_over(tmp_path: Path) -> None:
    writer = JournalWriter(header())
    writer.receive_event({"kind": 5}, STARTED)
    writer.receive_event({"kind": "participant_joined", "participant": ["x"]}, STARTED)
    writer.receive_operation({"sequence": 1}, STARTED)
    writer.receive_operation({"sequence": 1, "operation": {"kind": []}}, STARTED)
    writer.receive_pointer({"type": "pointer", "author": 5, "point": [0, 0]}, STARTED)
    writer.receive_packets(7, b"\xff\xff\xff\xff" + bytes(40), STARTED)
    writer.receive_packets(7, tap_record(7, STARTED_NS, 1, b"short"), STARTED)
    writer.receive_packets(7, tap_record(7, 1 << 63, 1 << 63, rtp(1, 1, b"x")), STARTED)
    prepare(write_journal(tmp_path / "recording", writer))
    description = description_of(tmp_path / "recording")
    assert description["operations"] == description["pointers"] == description["participants"] == []


def test_a_track_without_a_key_frame_is_a_sentence_and_its_sound_is_kept(tmp_path: Path) -> None:
    frames = encode(Codec.H264)[1:10]
    packets = sorted(video(7, Codec.H264, frames) + sound(8, encode_sound(20)), key=lambda packet: packet.at)
    prepare(record(tmp_path, [camera(7), camera(8, Codec.OPUS)], packets))
    description = description_of(tmp_path)
    assert [entry["producer"] for entry in description["cameras"]] == [8]
    assert description["problems"] == [
        {"producer": 7, "message": "No key frame was received, so no picture can be shown."}
    ]


def test_the_worker_reports_progress_and_failure(tmp_path: Path) -> None:
    folder = whole(tmp_path / "recording")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "recorder.export", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    done = run(str(folder))
    assert done.returncode == 0, done.stderr
    shares = [json.loads(line)["progress"] for line in done.stdout.splitlines()]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert done.stderr == ""
    os.truncate(folder / "journal.kjr", 10)
    done = run(str(folder))
    assert done.returncode == 1
    assert json.loads(done.stdout.splitlines()[-1])["error"].endswith(".")
    assert run().returncode == 2
