"""Playing in virtual time: every picture is the recorded one, in one stream without a gap, whatever is done."""

from __future__ import annotations

from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from media.plane import Codec
from media.rtp.packet import RtpPacket
from recorder.export.preparing import prepare
from recorder.journal import JournalWriter
from recorder.seal.keys import DataKey
from recorder.seal.suites import SealError, suite_named
from server.theatre.opening import Opened
from tests.helpers.journal_media import camera, encode_sound, record, sound, video
from tests.helpers.journals import STARTED, STARTED_NS, header, rtp, tap_record
from tests.helpers.numbered import Numbers, numbered, numbered_recording
from tests.server.theatre.stage import Stage, opened

CODECS = (Codec.H264, Codec.H265, Codec.VP8, Codec.VP9, Codec.AV1)

#: The picture of a number was taken so many seconds after the recording began.
BEGIN, STEP = 0.1, 1 / 30


def at(number: int) -> float:
    """The position in the middle of a picture."""
    return BEGIN + (number + 0.5) * STEP


def shown(stage: Stage, codec: Codec = Codec.H264) -> list[tuple[int, int | None]]:
    numbers = Numbers(codec)
    numbers.receive(stage.packets(7))
    return numbers.seen


def steps(stamps: list[int]) -> list[int]:
    return [(b - a) & 0xFFFFFFFF for a, b in pairwise(stamps)]


@pytest.mark.parametrize("prepared", [False, True], ids=["journal", "index"])
@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_it_is_sent_as_it_was_recorded_over_pauses_and_seeks(
    tmp_path: Path, codec: Codec, prepared: bool
) -> None:
    numbered_recording(tmp_path, codec)
    if prepared:
        prepare(tmp_path)
    with closing(opened(tmp_path)) as found:
        assert found.indexed == prepared
        stage = Stage(found)
        stage.ask("seek", position=at(40))
        stage.run(1)  # paused: the run-up from picture 30 on, and nothing else
        seen = shown(stage, codec)
        assert [number for _, number in seen] == list(range(30, 41))
        assert stage.states[-1]["state"] == "paused"
        assert stage.states[-1]["pictures"]["7"]["frame"] == seen[-1][0]
        stage.ask("play")
        stage.run(0.5)
        stage.ask("pause")
        stage.run(5)
        assert [number for _, number in shown(stage, codec)] == list(range(30, 56))
        stage.ask("seek", position=at(2))
        stage.run(1)
        stage.ask("play")
        stage.run(10)
        seen = shown(stage, codec)
        assert [number for _, number in seen] == [*range(30, 56), *range(90)]
        assert all(0 < step < 1 << 31 for step in steps([stamp for stamp, _ in seen]))
        assert stage.states[-1]["state"] == "paused"
        assert stage.states[-1]["reason"] == "end"


def test_timestamps_are_the_time_of_showing(tmp_path: Path) -> None:
    with closing(opened(numbered_recording(tmp_path))) as found:
        stage = Stage(found)
        stage.ask("seek", position=0.0)
        stage.run(2)
        stage.ask("play")
        began = stage.now
        stage.run(1)
        first = (1 << 32) - 5000
        pictures = shown(stage)
        # before it played, the first picture stood there
        assert pictures[0][1] == 0
        for stamp, number in pictures[1:]:
            assert number is not None
            instant = began + BEGIN + number * STEP
            assert (stamp - first - round(instant * 90_000)) % (1 << 32) in (0, 1, (1 << 32) - 1)
        for when, track, packets in stage.sent:
            if track == 7 and when > began:
                stamp = RtpPacket.parse(packets[0]).timestamp
                assert abs(when - ((stamp - first) % (1 << 32)) / 90_000) < 0.01


@pytest.mark.parametrize("prepared", [False, True], ids=["journal", "index"])
def test_sound_and_picture_stay_together_and_sound_is_heard_at_its_own_speed_alone(
    tmp_path: Path, prepared: bool
) -> None:
    numbered_recording(tmp_path)
    if prepared:
        prepare(tmp_path)
    with closing(opened(tmp_path)) as found:
        assert found.indexed == prepared
        stage = Stage(found, firsts={7: 0, 8: 0})
        stage.ask("seek", position=0.99)
        stage.run(1)
        assert not stage.packets(8)
        stage.ask("play")
        stage.run(0.5)
        heard = [RtpPacket.parse(packet) for packet in stage.packets(8)]
        assert len(heard) == 25
        assert [packet.marker for packet in heard] == [True, *[False] * 24]
        assert set(steps([packet.timestamp for packet in heard])) == {960}
        assert all((b.sequence_number - a.sequence_number) % 65536 == 1 for a, b in pairwise(heard))
        # what was recorded at one moment is shown and heard at one instant
        pictures = {number: stamp for stamp, number in shown(stage)}
        assert abs(pictures[30] / 90_000 - heard[0].timestamp / 48_000 - (at(30) - STEP / 2 - 1.0)) < 0.001
        stage.ask("speed", speed=2)
        count = len(stage.packets(8))
        stage.run(0.2)
        assert len(stage.packets(8)) == count
        assert shown(stage)[-1][1] == pytest.approx(42 + 2 * 0.2 * 30, abs=1)
        stage.ask("speed", speed=1)
        stage.run(0.2)
        again = [RtpPacket.parse(packet) for packet in stage.packets(8)][count:]
        assert len(again) == 10
        assert again[0].marker


@pytest.mark.parametrize("prepared", [False, True], ids=["journal", "index"])
@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_before_the_first_picture_that_one_is_shown(tmp_path: Path, codec: Codec, prepared: bool) -> None:
    numbered_recording(tmp_path, codec)
    if prepared:
        prepare(tmp_path)
    with closing(opened(tmp_path)) as found:
        stage = Stage(found)
        stage.ask("seek", position=0.0)
        stage.run(1)
        ((stamp, number),) = shown(stage, codec)
        assert number == 0
        state = stage.states[-1]
        assert (state["state"], state["position"]) == ("paused", 0.0)
        # it is said under which name it stands on the glass
        assert state["pictures"]["7"]["frame"] == stamp == state["pictures"]["7"]["rtp_timestamp"]
        # who comes meanwhile is sent it too
        stage.run(1)
        stage.ask("lacking")
        stage.run(1)
        assert [number for _, number in shown(stage, codec)] == [0, 0]
        stage.ask("play")
        stage.run(10)
        seen = shown(stage, codec)
        assert [number for _, number in seen] == [0, 0, *range(90)]
        assert all(0 < step < 1 << 31 for step in steps([stamp for stamp, _ in seen]))
        # at its end it is played again from there
        stage.ask("play")
        stage.run(10)
        assert [number for _, number in shown(stage, codec)][92:] == [0, *range(90)]


def test_a_picture_that_comes_much_later_is_not_shown_before(tmp_path: Path) -> None:
    pictures = video(7, Codec.H264, numbered(Codec.H264), begin=5.0)
    record(tmp_path, [camera()], pictures)
    with closing(opened(tmp_path)) as found:
        stage = Stage(found)
        stage.ask("seek", position=1.0)
        stage.run(2)
        assert shown(stage) == []
        assert stage.states[-1]["pictures"]["7"]["frame"] is None
        stage.ask("seek", position=4.0)
        stage.run(2)
        assert [number for _, number in shown(stage)] == [0]


def test_a_run_up_keeps_to_what_the_lines_take(tmp_path: Path) -> None:
    with closing(opened(numbered_recording(tmp_path, key_every=90))) as found:
        bits = 8 * sum(len(packet) for packet in _run_up(Stage(found), 100_000_000).packets(7))
        slow = _run_up(Stage(found), bits)  # a second's worth
        assert 0.9 < _took(slow) < 1.1
        # but never slower than it was recorded
        slowest = _run_up(Stage(found), 1000)
        assert 1.99 < _took(slowest) < 2.1
        assert max(len(packets) for _, _, packets in slow.sent) <= 32


def _took(stage: Stage) -> float:
    """How long pictures were sent; padding follows them."""
    times = [when for when, _, packets in stage.sent if RtpPacket.parse(packets[0]).payload]
    return times[-1] - times[0]


def _run_up(stage: Stage, bits_per_second: int) -> Stage:
    stage.ask("seek", position=at(60), bits_per_second=bits_per_second)
    stage.run(10)
    return stage


@pytest.mark.parametrize("prepared", [False, True], ids=["journal", "index"])
def test_nothing_is_shown_that_refers_to_what_is_missing(tmp_path: Path, prepared: bool) -> None:
    pictures = video(7, Codec.H264, numbered(Codec.H264))
    stamps = sorted({packet.timestamp for packet in pictures})
    lost = [packet for packet in pictures if packet.timestamp == stamps[40]][:1]
    kept = [packet for packet in pictures if packet not in lost]
    record(tmp_path, [camera()], kept)
    if prepared:
        prepare(tmp_path)
    with closing(opened(tmp_path)) as found:
        assert found.indexed == prepared
        stage = Stage(found)
        stage.ask("seek", position=at(35))
        stage.run(1)
        stage.ask("play")
        stage.run(10)
        assert [n for _, n in shown(stage)] == [*range(30, 40), *range(60, 90)]
        # sought within the hole: the last picture before it is what stands there
        stage.ask("seek", position=at(50))
        stage.run(1)
        assert [n for _, n in shown(stage)][40:] == list(range(30, 40))


@pytest.mark.parametrize("prepared", [False, True], ids=["journal", "index"])
def test_pictures_out_of_order_leave_as_they_are_needed(tmp_path: Path, prepared: bool) -> None:
    frames = numbered(Codec.H264, 60, 30, b_frames=2)
    record(tmp_path, [camera()], video(7, Codec.H264, frames))
    if prepared:
        prepare(tmp_path)
    with closing(opened(tmp_path)) as found:
        assert found.indexed == prepared
        stage = Stage(found)
        stage.ask("seek", position=at(38))
        stage.run(1)
        stage.ask("play")
        stage.run(0.4)
        stage.ask("speed", speed=0.5)
        stage.run(0.5)
        stage.ask("pause")
        stage.run(2)
        stage.ask("play")
        stage.run(5)
        sent = [RtpPacket.parse(packet) for packet in stage.packets(7)]
        assert all((b.sequence_number - a.sequence_number) % 65536 == 1 for a, b in pairwise(sent)), (
            "one unbroken stream"
        )
        # each picture once a run-up, and no two under one timestamp
        ends = [packet.timestamp for packet in sent if packet.marker]
        assert len(set(ends)) == len(ends)


def test_who_lacks_a_picture_is_sent_the_very_one_that_stands(tmp_path: Path) -> None:
    with closing(opened(numbered_recording(tmp_path))) as found:
        stage = Stage(found)
        stage.ask("seek", position=at(40))
        stage.run(0.5)
        stage.ask("lacking")  # too soon: it has just been sent
        stage.run(0.5)
        assert len(shown(stage)) == 11
        stage.run(1)
        stage.ask("lacking")
        stage.run(1)
        assert [number for _, number in shown(stage)] == 2 * [*range(30, 41)]
        assert stage.states[-1]["position"] == pytest.approx(at(40))
        assert stage.states[-1]["reason"] == "lacking"
        # while it plays the next one that a decoder can begin at is soon there
        stage.ask("play")
        stage.run(0.1)
        before = len(stage.states)
        stage.ask("lacking")
        assert len(stage.states) == before


def test_a_worker_that_was_held_up_sends_nothing_in_a_rush(tmp_path: Path) -> None:
    with closing(opened(numbered_recording(tmp_path))) as found:
        stage = Stage(found)
        stage.ask("seek", position=at(10))
        stage.run(1)
        stage.ask("play")
        stage.run(0.2)
        count = len(shown(stage))
        stage.stall(20)
        stage.run(0.1)
        assert count <= len(shown(stage)) <= count + 5
        assert stage.states[-1]["state"] == "playing"
        stage.run(0.5)
        assert [number for _, number in shown(stage)] == list(range(len(shown(stage))))


def test_sound_alone_and_a_recording_that_begins_later(tmp_path: Path) -> None:
    with closing(opened(record(tmp_path, [camera(8, Codec.OPUS)], sound(8, encode_sound(50))))) as found:
        stage = Stage(found)
        stage.ask("seek", position=0)
        stage.ask("play")
        stage.run(5)
        assert len(stage.packets(8)) == 50
        assert stage.states[-1]["position"] == pytest.approx(found.seconds)
        stage.ask("play")  # from the beginning again
        stage.run(5)
        assert len(stage.packets(8)) == 100


def test_what_was_for_some_only_is_shown_to_them_alone(tmp_path: Path) -> None:
    head = header()
    writer = JournalWriter(head)
    for number in (7, 9, 11):
        added = {"kind": "producer_added", "producer": number, "participant": "pt-1", "source": "field"}
        more = {"codec": "H264", "label": "", "clock_rate": 90_000, "payload_type": 96, "fmtp": ""}
        writer.receive_event({**added, **more}, STARTED)
    for number, roles in ((9, ["surgeon", "chair", "observer"]), (11, [])):
        audience = {"roles": roles, "participants": ["pt-1"]}
        writer.receive_event({"kind": "restrict", "producer": number, "audience": audience}, STARTED)
    for number in (7, 9, 11):
        packet = rtp(0, 1000, b"\x65\x80", marker=True)
        writer.receive_packets(number, tap_record(number, STARTED_NS, 65536, packet), STARTED)
    writer.finish(STARTED + 1, "stopped")
    (tmp_path / "journal.kjr").write_bytes(writer.blocks_to_write(STARTED + 2))
    with closing(opened(tmp_path)) as found:
        shown_to = {one["producer"]: one["roles"] for one in found.describe()["tracks"]}
    assert shown_to == {7: ["surgeon", "chair", "expert", "trainee"], 9: ["surgeon", "chair"]}


def test_sealed_it_is_read_by_its_index_alone(tmp_path: Path) -> None:
    key = DataKey(suite_named("SM4-GCM-SM3"), bytes(range(16)))
    pictures = video(7, Codec.H264, numbered(Codec.H264))
    record(tmp_path, [camera()], pictures, sealed_with=key)
    prepare(tmp_path, key=key)
    with closing(Opened(tmp_path, key, (), lambda _: None)) as found:
        assert found.indexed
        stage = Stage(found)
        stage.ask("seek", position=at(40))
        stage.run(1)
        assert [number for _, number in shown(stage)] == list(range(30, 41))
    with pytest.raises(SealError):
        Opened(tmp_path, None, (), lambda _: None)


def test_before_it_stands_still_a_receiver_is_shown_what_it_may_have_missed(tmp_path: Path) -> None:
    with closing(opened(numbered_recording(tmp_path))) as found:
        stage = Stage(found)
        stage.ask("seek", position=at(40))
        stage.run(5)
        sent = [RtpPacket.parse(packet) for packet in stage.packets(7)]
        tail = [packet for packet in sent if not packet.payload]
        assert sent[-3:] == tail
        assert {packet.timestamp for packet in tail} == {shown(stage)[-1][0]}
        assert 0.5 < stage.sent[-1][0] < 1
        # while it plays there is none
        stage.ask("play")
        stage.run(1)
        again = [RtpPacket.parse(packet) for packet in stage.packets(7)][len(sent) :]
        assert all(packet.payload for packet in again)
