"""A disk that does not follow: everybody is told, what is missing is counted once, and it goes on with key frames."""

from __future__ import annotations

from media.ids import ProducerId
from recorder.interruption import (
    MAX_BACKLOG,
    MAX_TALK_BACKLOG,
    RESUME_BACKLOG,
    TOO_SLOW,
    Interrupted,
    Resumed,
    Trouble,
)
from recorder.journal import Gap, RecordType, decode_json, nanoseconds
from recorder.recording import KeyFrameWanted, Recording, RecordingEvent
from tests.helpers.journal_media import camera
from tests.helpers.journals import STARTED, header, read_all, rtp, tap_record

FULL = Trouble("full", "The disk for recordings is full.")
#: 4 MB in few packets, so that 48 of them are quickly there.
PACKETS = 64
CHUNK = b"".join(tap_record(7, 1, n, rtp(n, n, bytes(64_000))) for n in range(PACKETS))


class Disk:
    """A recording, and what it gave to be written; `now` goes on by a tenth of a second."""

    def __init__(self) -> None:
        self.recording = Recording(header(), "Dr. Li Wei", STARTED)
        self.recording.add_producer(camera(7), STARTED)
        self.recording.add_producer(camera(9), STARTED)
        self.now = float(STARTED)
        self.data: list[bytes] = []
        self._waiting = 0
        self.take()

    def take(self) -> list[RecordingEvent]:
        taken = []
        while (event := self.recording.next_event()) is not None:
            taken.append(event)
        return taken

    def look(self, trouble: Trouble | None, *, chunk: bytes = b"") -> list[RecordingEvent]:
        self.now += 0.1
        if chunk:
            self.recording.receive_tap(chunk, self.now)
        self.recording.receive_trouble(trouble, self.now)
        written = self.recording.bytes_to_write(self.now)
        self.data.append(written)
        self._waiting += len(written)
        return [event for event in self.take() if isinstance(event, Interrupted | Resumed | KeyFrameWanted)]

    def fill(self, trouble: Trouble | None) -> list[RecordingEvent]:
        told = []
        while not self.recording.packets_left_out:
            told += self.look(trouble, chunk=CHUNK)
        return told

    def write(self) -> None:
        self.recording.receive_written(self._waiting)
        self._waiting = 0

    def records(self) -> list[tuple[RecordType, int, bytes]]:
        self.recording.stop("Dr. Li Wei", self.now)
        self.data.append(self.recording.bytes_to_write(self.now + 1))
        reader, records = read_all(b"".join(self.data))
        assert not reader.truncated
        return [(record.type, record.time, record.payload) for record in records]


def test_a_disk_that_is_back_in_time_costs_nothing() -> None:
    disk = Disk()
    (told,) = disk.look(FULL, chunk=CHUNK)
    assert told == Interrupted(FULL, disk.now)
    since = disk.now
    assert disk.look(FULL, chunk=CHUNK) == []
    gone = Trouble("gone", "The disk for recordings is gone.")
    assert disk.look(gone) == [Interrupted(gone, since)]
    disk.write()
    assert disk.look(None) == [Resumed(0.0, 0)]
    assert disk.look(None) == []
    records = disk.records()
    assert [kind for kind, _, _ in records].count(RecordType.GAP) == 0
    assert sum(len(content) for kind, _, content in records if kind is RecordType.PACKETS) == 2 * len(CHUNK)
    events = [decode_json(content) for kind, _, content in records if kind is RecordType.EVENT]
    assert {"kind": "recording_interrupted", "reason": FULL.sentence} in events
    assert {"kind": "recording_resumed", "seconds": 0.0, "packets": 0, "records": 0} in events


def test_what_is_left_out_is_one_gap_a_producer_and_key_frames_follow() -> None:
    disk = Disk()
    disk.fill(FULL)
    first = disk.now
    both = CHUNK + tap_record(9, 1, 1, rtp(1, 1, b"x"))
    for _ in range(600):
        assert disk.look(FULL, chunk=both) == []
    assert disk.recording.backlog < MAX_BACKLOG + 100_000  # an hour of it costs no memory
    disk.recording.handle_timer(disk.now)
    assert disk.take() == []  # nobody is asked for a key frame that would be left out
    disk.write()
    told = disk.look(None)
    assert isinstance(told[0], Resumed | KeyFrameWanted)
    resumed = next(event for event in told if isinstance(event, Resumed))
    assert resumed.packets == 601 * PACKETS + 600
    assert abs(resumed.seconds - 60.1) < 0.01
    assert {event for event in told if isinstance(event, KeyFrameWanted)} == {
        KeyFrameWanted(ProducerId(7)),
        KeyFrameWanted(ProducerId(9)),
    }
    disk.look(None, chunk=CHUNK)
    records = disk.records()
    gaps = [(time, Gap.parse(content)) for kind, time, content in records if kind is RecordType.GAP]
    assert [gap for _, gap in gaps] == [Gap(7, 601 * PACKETS), Gap(9, 600)]
    assert gaps[0][0] == nanoseconds(first)
    assert gaps[0][0] < gaps[1][0]
    # marks and events are kept all the while
    assert [kind for kind, _, _ in records][-1] is RecordType.END


def test_a_disk_that_is_slow_and_says_nothing_is_told_too() -> None:
    disk = Disk()
    told = disk.fill(None)
    assert [event.trouble for event in told if isinstance(event, Interrupted)] == [TOO_SLOW]
    # until most of what waits is written nothing is taken: one hole, not many
    disk.recording.receive_written(disk.recording.backlog - RESUME_BACKLOG - 1)
    assert disk.look(None, chunk=CHUNK) == []
    disk.write()
    (resumed,) = [event for event in disk.look(None) if isinstance(event, Resumed)]
    assert resumed.packets == 2 * PACKETS
    assert [e for e in disk.look(None, chunk=CHUNK) if isinstance(e, Interrupted)] == []


def test_a_second_interruption_tells_only_its_own_loss() -> None:
    disk = Disk()
    disk.fill(FULL)
    disk.write()
    disk.look(None)
    before = disk.recording.packets_left_out
    assert disk.look(FULL) == [Interrupted(FULL, disk.now)]
    disk.write()
    assert disk.look(None) == [Resumed(0.0, 0)]
    assert disk.recording.packets_left_out == before


def test_no_disk_is_waited_for_without_end() -> None:
    disk = Disk()
    disk.fill(FULL)
    mark = {"type": "operation", "sequence": 1, "operation": {"kind": "add", "text": "x" * 200_000}}
    for _ in range(200):
        disk.recording.receive_operation(mark, disk.now)
        disk.look(FULL)
    assert disk.recording.backlog < MAX_TALK_BACKLOG + 500_000
    disk.recording.add_producer(camera(11), disk.now)  # without it nothing of the track could be read
    disk.write()
    (resumed,) = [event for event in disk.look(None) if isinstance(event, Resumed)]
    assert resumed.records > 50
    kept = sum(kind is RecordType.OPERATION for kind, _, _ in disk.records())
    assert kept + resumed.records == 200


def test_a_recording_that_ends_meanwhile_says_what_is_missing() -> None:
    disk = Disk()
    disk.fill(FULL)
    disk.look(FULL, chunk=CHUNK)
    gaps = [Gap.parse(content) for kind, _, content in disk.records() if kind is RecordType.GAP]
    assert gaps == [Gap(7, 2 * PACKETS)]
