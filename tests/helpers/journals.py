"""Builds journals for tests: tap records, RTP packets, whole files."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import replace

from media.rtp.packet import RtpPacket
from recorder.journal import JournalHeader, JournalWriter, Record, Seal, SenderReport
from recorder.reader import JournalReader
from recorder.seal.keys import DataKey
from recorder.sealing import JournalSealer

#: The zero of all test recordings: 2026-11-22 10:15:00 UTC.
STARTED = 1_795_342_500
STARTED_NS = STARTED * 1_000_000_000
RECORDING = "20261122-101500-demo-3f9a"


def tap_record(producer: int, arrival: int, sequence: int, packet: bytes) -> bytes:
    """Build one tap record as Plane.read_tap gives it."""
    return struct.pack("!IIQQ", 20 + len(packet), producer, arrival, sequence) + packet


def rtp(
    sequence: int, timestamp: int, payload: bytes, *, marker: bool = False, payload_type: int = 96
) -> bytes:
    """Build one RTP packet; sequence number and timestamp are cut to their width."""
    return bytes(
        RtpPacket(
            payload_type=payload_type,
            sequence_number=sequence & 0xFFFF,
            timestamp=timestamp & 0xFFFFFFFF,
            ssrc=0x1234,
            marker=marker,
            payload=payload,
        )
    )


def header(**metadata: object) -> JournalHeader:
    """Build the header of a test recording."""
    return JournalHeader(RECORDING, "demo", STARTED_NS, metadata)


def small_journal(*, finished: bool = True, sealed_with: DataKey | None = None) -> bytes:
    """Build a journal of six blocks with every type of record."""
    head = header()
    if sealed_with is not None:
        head = replace(head, seal=Seal(sealed_with.suite.name, bytes(16)))
    writer = JournalWriter(head)
    writer.receive_event({"kind": "recording_started", "by": "Dr. Li Wei"}, STARTED)
    writer.receive_packets(7, tap_record(7, STARTED_NS, 65536, rtp(0, 1000, b"one")), STARTED)
    data = writer.blocks_to_write(STARTED + 1)
    writer.receive_sender_report(SenderReport(7, 1 << 40, 1000), STARTED_NS, STARTED + 1)
    writer.receive_operation({"type": "operation", "sequence": 1, "operation": {"kind": "undo"}}, STARTED + 1)
    data += writer.blocks_to_write(STARTED + 2)
    writer.receive_pointer({"type": "pointer", "author": "pt-1", "point": [0.5, 0.5]}, STARTED + 2)
    if finished:
        writer.finish(STARTED + 2.5, "stopped")
    data += writer.blocks_to_write(STARTED + 3)
    return data if sealed_with is None else JournalSealer(head, sealed_with)(data)


def read_all(
    data: bytes, *, piece: int = 0, key: DataKey | None = None
) -> tuple[JournalReader, list[Record]]:
    """Read a whole journal, at once or in pieces of some bytes."""
    reader = JournalReader(key)
    records = []
    for start in range(0, len(data), piece or max(len(data), 1)):
        reader.receive_data(data[start : start + (piece or len(data))])
        while (record := reader.next_record()) is not None:
            records.append(record)
    reader.finish()
    return reader, records


def chunked(items: list[bytes], size: int) -> Iterable[bytes]:
    """Join every `size` items, as the tap is read now and then."""
    for start in range(0, len(items), size):
        yield b"".join(items[start : start + size])
