"""A recorder that is there to be killed: real packets at their own pace into a sealed journal, as a room's are.

`python -m loadtests.kill_writer JOURNAL SUITE FRAMES FPS VOLUME`, the data key on standard input: records the frames of
that file round and round, in volumes of so many bytes. It says on standard output when it began (Unix ns), and after
each helping what it was given: how many packets so far, and when the last of them came.
"""

from __future__ import annotations

import struct
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from media.ids import ProducerId
from media.plane import Codec
from media.rtp.packet import RtpPacket
from recorder.journal import JournalHeader
from recorder.recording import RecordedProducer, Recording
from recorder.seal.keys import DataKey
from recorder.seal.suites import suite_named
from recorder.sealing import JournalSealer, new_seal
from recorder.volumes import VolumePlan
from recorder.writer import DiskWriter

#: As the server looks at the tap (server/tap.py).
INTERVAL = 0.1
PRODUCER = ProducerId(7)

_TAP = struct.Struct("!IIQQ")

Frames = Sequence[Sequence[bytes]]


def write_frames(path: Path, frames: Frames) -> None:
    """Write pictures as the payloads of their packets."""
    with path.open("wb") as file:
        for payloads in frames:
            file.write(struct.pack("!H", len(payloads)))
            for payload in payloads:
                file.write(struct.pack("!H", len(payload)) + payload)


def read_frames(path: Path) -> Frames:
    """Read what `write_frames` wrote."""
    data, position, frames = path.read_bytes(), 0, []
    while position < len(data):
        (count,) = struct.unpack_from("!H", data, position)
        position += 2
        payloads = []
        for _ in range(count):
            (size,) = struct.unpack_from("!H", data, position)
            payloads.append(data[position + 2 : position + 2 + size])
            position += 2 + size
        frames.append(payloads)
    return frames


def packets(frames: Frames, fps: int) -> Iterator[tuple[int, bytes]]:
    """Give every packet that is ever sent, with its picture's number: always the same ones."""
    sequence = number = 0
    while True:
        payloads = frames[number % len(frames)]
        for place, payload in enumerate(payloads):
            packet = RtpPacket(
                payload_type=96,
                sequence_number=sequence & 0xFFFF,
                timestamp=number * 90_000 // fps & 0xFFFFFFFF,
                ssrc=0x1234,
                marker=place == len(payloads) - 1,
                payload=payload,
            )
            yield number, bytes(packet)
            sequence += 1
        number += 1


def main(arguments: list[str]) -> int:
    """Record until somebody kills this."""
    journal = Path(arguments[0])
    key = DataKey(suite_named(arguments[1]), sys.stdin.buffer.read())
    fps = int(arguments[3])
    stream = packets(read_frames(Path(arguments[2])), fps)
    begun = time.time()
    header = JournalHeader(journal.parent.name, "ward", int(begun * 1e9), seal=new_seal(key))
    recording = Recording(header, "Dr. Li Wei", begun)
    recording.add_producer(
        RecordedProducer(PRODUCER, "pt-1", "field", Codec.H264, "Operating field", 90_000, 96), begun
    )
    reported = 0

    pause = threading.Event()
    plan = VolumePlan(int(arguments[4]), header)
    writer = DiskWriter(journal, encode=JournalSealer(header, key), plan=plan)
    sys.stdout.write(f"{header.started}\n")
    sys.stdout.flush()
    number, packet = next(stream)
    count = arrival = 0
    while True:
        now = time.time()
        helping = []
        while number / fps <= now - begun:
            arrival = time.time_ns()
            helping.append(_TAP.pack(20 + len(packet), PRODUCER, arrival, 65536 + count) + packet)
            count += 1
            number, packet = next(stream)
        recording.receive_tap(b"".join(helping), now)
        recording.receive_trouble(writer.trouble, now)
        writer.write(recording.bytes_to_write(now))
        recording.receive_written(writer.taken - reported)
        reported = writer.taken
        sys.stdout.write(f"{count} {arrival}\n")
        sys.stdout.flush()
        pause.wait(INTERVAL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
