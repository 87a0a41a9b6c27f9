"""The disk thread: real files, a real full disk, a real kill."""

from __future__ import annotations

import errno
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from recorder.interruption import TOO_SLOW
from recorder.journal import RecordType, tap_packets
from recorder.seal.suites import SealError
from recorder.writer import DiskError, DiskWriter, check_free_space
from tests.helpers.journals import read_all

ROOT = Path(__file__).parents[2]
PATIENCE = 20.0


def finish(writer: DiskWriter) -> None:
    writer.close()
    assert writer.join(PATIENCE)


def test_everything_is_written_in_order_and_synced(tmp_path: Path) -> None:
    synced: list[int] = []
    writer = DiskWriter(tmp_path / "journal.kjr", sync=synced.append)
    expected = b""
    for number in range(200):
        data = bytes([number]) * (number * 37 % 5000)
        writer.write(data)
        expected += data
    finish(writer)
    assert (tmp_path / "journal.kjr").read_bytes() == expected
    assert writer.written == writer.synced == len(expected)
    assert writer.backlog == 0
    assert writer.failure is None
    assert synced


def test_progress_is_reported(tmp_path: Path) -> None:
    reported = threading.Event()
    writer = DiskWriter(tmp_path / "journal.kjr", reported.set)
    writer.write(b"block")
    assert reported.wait(PATIENCE)
    finish(writer)


def test_an_existing_journal_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "journal.kjr").write_bytes(b"precious")
    with pytest.raises(DiskError, match=r"\.$"):
        DiskWriter(tmp_path / "journal.kjr")
    assert (tmp_path / "journal.kjr").read_bytes() == b"precious"


def test_a_folder_that_is_missing_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="does not exist"):
        DiskWriter(tmp_path / "nowhere" / "journal.kjr")


def test_a_disk_that_never_ends_a_sync_holds_nobody_up(tmp_path: Path) -> None:
    stuck, release = threading.Event(), threading.Event()

    def sync(_: int) -> None:
        stuck.set()
        release.wait(PATIENCE)

    taken = threading.Event()
    writer = DiskWriter(
        tmp_path / "journal.kjr",
        lambda: taken.set() if writer.taken == 1500 else None,
        sync=sync,
        stalled=0.0,
    )
    writer.write(b"x" * 500)
    assert stuck.wait(PATIENCE)  # a second later
    writer.write(b"y" * 1000)
    # what comes is with the kernel at once, where a kill does not reach it; but everybody is told
    assert taken.wait(PATIENCE)
    assert writer.synced == 0
    assert writer.trouble is TOO_SLOW
    release.set()
    finish(writer)
    assert (tmp_path / "journal.kjr").stat().st_size == 1500


def test_what_cannot_be_sealed_ends_writing_with_a_sentence(tmp_path: Path) -> None:
    def encode(_: bytes) -> bytes:
        raise SealError("A part has at most 4294967296 chunks.")

    failed = threading.Event()
    writer = DiskWriter(
        tmp_path / "journal.kjr", lambda: failed.set() if writer.failure else None, encode=encode
    )
    writer.write(b"block")
    assert failed.wait(PATIENCE)
    assert writer.failure == "A part has at most 4294967296 chunks."
    writer.write(b"later")  # dropped, as a recording may not know yet
    assert writer.backlog == 0
    assert writer.join(PATIENCE)


@pytest.mark.parametrize("code", [errno.EIO, errno.ENODEV, errno.ENOSPC, errno.EROFS, 999])
def test_an_error_of_the_disk_is_a_sentence_until_it_is_over(tmp_path: Path, code: int) -> None:
    broken = threading.Event()
    broken.set()

    def sync(_: int) -> None:
        if broken.is_set():
            raise OSError(code, os.strerror(code))

    told, well = threading.Event(), threading.Event()

    def look() -> None:
        if (trouble := writer.trouble) is not None:
            assert trouble.sentence.endswith(".")
            told.set()
        elif told.is_set():
            well.set()

    writer = DiskWriter(tmp_path / "journal.kjr", look, sync=sync, retry_interval=0.01)
    writer.write(b"block")
    assert told.wait(PATIENCE)
    writer.write(b"later")
    broken.clear()
    assert well.wait(PATIENCE)
    finish(writer)
    assert (tmp_path / "journal.kjr").read_bytes() == b"blocklater"


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from recorder.writer import DiskWriter
from tests.helpers.journals import STARTED, header, rtp, tap_record
from recorder.journal import JournalWriter

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
journal = JournalWriter(header())
writer = DiskWriter(Path(sys.argv[1]), retry_interval=0.01, closing_patience=0.1)
for number in range(200):  # twice what the file may hold, far from what the queue may
    journal.receive_packets(7, tap_record(7, 1, number, rtp(number, number, bytes(1000))), STARTED + number)
    writer.write(journal.blocks_to_write(STARTED + number + 0.6))
writer.close()
assert writer.join(20)
print(writer.failure)
"""


def test_a_real_file_that_may_not_grow_leaves_a_readable_journal(tmp_path: Path) -> None:
    journal = tmp_path / "journal.kjr"
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(journal)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "The recording's file has reached the size that the system allows."
    assert journal.stat().st_size <= 100_000
    reader, records = read_all(journal.read_bytes())
    assert reader.truncated
    assert len(records) > 80
    assert reader.ignored == 0  # no torn block is left


KILLED = """
import sys, threading, time
from pathlib import Path
from recorder.writer import DiskWriter
from recorder.recording import Recording
from tests.helpers.journals import header, rtp, tap_record
from tests.helpers.journal_media import camera

def now():
    return time.clock_gettime(time.CLOCK_REALTIME)

recording = Recording(header(), "Dr. Li Wei", now())
recording.add_producer(camera(7), now())
writer = DiskWriter(Path(sys.argv[1]))
pause = threading.Event()
number = 0
while True:
    arrival = time.clock_gettime_ns(time.CLOCK_REALTIME)
    recording.receive_tap(tap_record(7, arrival, 65536 + number, rtp(number, number, bytes(900))), now())
    writer.write(recording.bytes_to_write(now()))
    sys.stdout.write(f"{arrival}\\n")
    sys.stdout.flush()
    number += 1
    pause.wait(0.01)
"""


def test_after_a_kill_at_most_the_last_second_is_missing(tmp_path: Path) -> None:
    journal = tmp_path / "journal.kjr"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(journal)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    arrivals: list[int] = []
    try:
        while len(arrivals) < 200:
            ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
            assert ready, "the writer said nothing"
            arrivals.append(int(process.stdout.readline()))
    finally:
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate(timeout=PATIENCE)
    arrivals += [int(line) for line in rest.splitlines()]
    reader, records = read_all(journal.read_bytes())
    assert reader.truncated
    kept = [
        arrival
        for record in records
        if record.type is RecordType.PACKETS
        for _, arrival, *_ in tap_packets(record.payload)
    ]
    assert kept == arrivals[: len(kept)]
    assert kept, "nothing was kept"
    assert arrivals[-1] - kept[-1] < 1_000_000_000


def test_a_recording_is_not_begun_on_a_nearly_full_disk(tmp_path: Path) -> None:
    assert check_free_space(tmp_path, 1) > 0
    with pytest.raises(DiskError, match=r"GiB left, .* GiB are needed\.$"):
        check_free_space(tmp_path, 1 << 60)
    with pytest.raises(DiskError, match="does not exist"):
        check_free_space(tmp_path / "nowhere")
