"""The recorder as a participant, in virtual time."""

from __future__ import annotations

from media.ids import ProducerId
from media.plane import Codec
from recorder.interruption import MAX_BACKLOG
from recorder.journal import Gap, RecordType, SenderReport, decode_json
from recorder.recording import (
    KEY_FRAME_INTERVAL,
    KEY_FRAME_PATIENCE,
    KeyFrameWanted,
    Recording,
    RecordingEvent,
    TapWanted,
)
from tests.helpers.journal_media import camera
from tests.helpers.journals import STARTED, header, read_all, rtp, tap_record

FIELD = ProducerId(7)


def begin() -> Recording:
    return Recording(header(), "Dr. Li Wei", STARTED)


def wishes(recording: Recording) -> list[RecordingEvent]:
    found = []
    while (event := recording.next_event()) is not None:
        found.append(event)
    return found


def test_a_track_is_tapped_and_asked_for_a_key_frame() -> None:
    recording = begin()
    recording.add_producer(camera(7), STARTED)
    recording.add_producer(camera(8, Codec.OPUS), STARTED)
    recording.add_producer(camera(7), STARTED)  # again: nothing
    assert wishes(recording) == [
        TapWanted(FIELD, True),
        KeyFrameWanted(FIELD),
        TapWanted(ProducerId(8), True),
    ]
    recording.remove_producer(FIELD, STARTED + 1)
    recording.remove_producer(FIELD, STARTED + 1)
    assert wishes(recording) == [TapWanted(FIELD, False)]
    recording.stop("Dr. Li Wei", STARTED + 2)
    assert wishes(recording) == [TapWanted(ProducerId(8), False)]


def test_key_frames_are_asked_for_until_one_comes_and_then_every_ten_seconds() -> None:
    recording = begin()
    recording.add_producer(camera(7), STARTED)
    recording.bytes_to_write(STARTED + 1)
    wishes(recording)
    assert recording.get_timer() == STARTED + KEY_FRAME_PATIENCE
    recording.handle_timer(STARTED + 1.9)
    assert wishes(recording) == []
    recording.handle_timer(STARTED + 2)
    assert wishes(recording) == [KeyFrameWanted(FIELD)]
    recording.receive_key_frame(FIELD, STARTED + 3, STARTED + 3)
    assert recording.get_timer() == STARTED + 3 + KEY_FRAME_INTERVAL
    recording.handle_timer(STARTED + 13)
    assert wishes(recording) == [KeyFrameWanted(FIELD)]


def test_a_key_frame_that_began_before_its_packets_were_copied_is_asked_for_once_more() -> None:
    recording = begin()
    recording.add_producer(camera(7), STARTED)
    wishes(recording)
    # it answered the wish, and none of it is in the journal
    recording.receive_key_frame(FIELD, STARTED + 0.01, STARTED + 0.2)
    assert wishes(recording) == [KeyFrameWanted(FIELD)]
    assert recording.get_timer() is not None
    recording.receive_key_frame(FIELD, STARTED + 1.2, STARTED + 1.3)
    recording.handle_timer(STARTED + 11.2)
    assert wishes(recording) == []
    recording.handle_timer(STARTED + 11.4)
    assert wishes(recording) == [KeyFrameWanted(FIELD)]


def test_a_slow_disk_costs_packets_that_are_counted_and_nothing_else() -> None:
    recording = begin()
    recording.add_producer(camera(7), STARTED)
    wishes(recording)
    chunk = b"".join(tap_record(7, 1, n, rtp(n, n, bytes(1000))) for n in range(1000))
    data = b""
    sent = 0
    while recording.backlog + len(chunk) <= MAX_BACKLOG:
        recording.receive_tap(chunk, STARTED + 1)
        data += recording.bytes_to_write(STARTED + 1)
        sent += 1000
    recording.receive_tap(chunk, STARTED + 2)
    assert recording.packets_left_out == 1000
    assert wishes(recording) == []
    recording.receive_event({"kind": "mute", "producer": 7, "muted": True}, STARTED + 2)  # never left out
    data += recording.bytes_to_write(STARTED + 3)
    recording.receive_written(len(data))
    assert recording.backlog == 0
    recording.receive_trouble(None, STARTED + 3)  # it is told, and over at once
    recording.receive_trouble(None, STARTED + 3)
    assert KeyFrameWanted(FIELD) in wishes(recording)
    recording.receive_tap(chunk, STARTED + 4)  # and on it goes
    recording.stop("Dr. Li Wei", STARTED + 5)
    reader, records = read_all(data + recording.bytes_to_write(STARTED + 5))
    assert not reader.truncated
    assert [Gap.parse(r.payload) for r in records if r.type is RecordType.GAP] == [Gap(7, 1000)]
    assert sum(len(r.payload) for r in records if r.type is RecordType.PACKETS) == len(chunk) * (
        sent // 1000 + 1
    )


def test_everything_stands_in_the_journal() -> None:
    recording = begin()
    recording.add_producer(camera(7, fmtp="packetization-mode=1"), STARTED)
    recording.receive_sender_report(FIELD, 1 << 40, 99, 12345, STARTED)
    recording.receive_sender_report(ProducerId(9), 1, 1, 1, STARTED)  # not recorded here
    recording.receive_operation({"type": "operation", "sequence": 1}, STARTED + 1)
    recording.receive_pointer({"type": "pointer", "author": "pt-1"}, STARTED + 1)
    recording.receive_gap(0, 3, STARTED + 1)
    recording.receive_gap(0, 0, STARTED + 1)
    recording.stop("Dr. Li Wei", STARTED + 2)
    recording.receive_tap(tap_record(7, 1, 1, b""), STARTED + 3)  # too late: ignored
    recording.receive_event({"kind": "mute"}, STARTED + 3)
    recording.stop("nobody", STARTED + 3)
    reader, records = read_all(recording.bytes_to_write(STARTED + 3))
    assert not reader.truncated
    assert [record.type.name for record in records] == [
        "EVENT",
        "EVENT",
        "SENDER_REPORT",
        "OPERATION",
        "POINTER",
        "GAP",
        "EVENT",
        "END",
    ]
    started, added = (decode_json(record.payload) for record in records[:2])
    assert started == {"kind": "recording_started", "by": "Dr. Li Wei"}
    assert added == {
        "kind": "producer_added",
        "producer": 7,
        "participant": "pt-1",
        "source": "field",
        "media": "video",
        "codec": "H264",
        "label": "Operating field",
        "clock_rate": 90000,
        "payload_type": 96,
        "fmtp": "packetization-mode=1",
        "muted": False,
    }
    assert SenderReport.parse(records[2].payload) == SenderReport(7, 1 << 40, 99)
    assert records[2].time == 12345
    assert decode_json(records[-2].payload) == {"kind": "recording_stopped", "by": "Dr. Li Wei"}


def test_time_is_an_argument_and_nothing_else() -> None:
    def run() -> bytes:
        recording = begin()
        recording.add_producer(camera(7), STARTED)
        recording.receive_tap(tap_record(7, 1, 1, rtp(1, 1, b"x")), STARTED + 1)
        recording.stop("Dr. Li Wei", STARTED + 2)
        return recording.bytes_to_write(STARTED + 2)

    assert run() == run()
