"""Whose stream is an undeclared SSRC? MID and RID say it (RFC 8843, section 9.2; RFC 8852), else the payload type."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .plane import Extension, PlaneEvent
from .producer import Producer
from .rtp.packet import RtpError, RtpPacket


@dataclass(frozen=True, slots=True)
class Recognised:
    """An encoding has shown itself, or its repeats have (`rtx`)."""

    producer: Producer
    encoding: int
    ssrc: int
    rtx: bool


def recognise(event: PlaneEvent, producers: Iterable[Producer]) -> Recognised | None:
    """Find whose packet an UNKNOWN_SSRC event bears; None where it does not say so beyond doubt."""
    try:
        packet = RtpPacket.parse(event.data)
    except RtpError:
        return None
    mine = [p for p in producers if p.transport == event.transport]
    named = [p for p in mine if _text(packet, p, Extension.MID) == p.track.mid]
    candidates = named or [p for p in mine if not _text(packet, p, Extension.MID)]
    found = [hit for p in candidates for hit in _encodings(packet, p)]
    return found[0] if len(found) == 1 else None


def _text(packet: RtpPacket, producer: Producer, extension: Extension) -> str:
    identifier = producer.track.extensions[extension]
    value = packet.extensions.get(identifier, b"") if identifier else b""
    return value.rstrip(b"\0").decode("ascii", "replace")


def _encodings(packet: RtpPacket, producer: Producer) -> list[Recognised]:
    """The encodings of a producer that a packet may be of: one, where it is its producer's at all."""
    track = producer.track
    rtx = bool(track.rtx_payload_type) and packet.payload_type == track.rtx_payload_type
    if not rtx and packet.payload_type not in {
        track.payload_type,
        track.red_payload_type or track.payload_type,
    }:
        return []
    rid = _text(packet, producer, Extension.REPAIRED_RID if rtx else Extension.RID)
    found = []
    for i, encoding in enumerate(producer.encodings):
        if encoding.rid and encoding.rid != rid:
            continue
        # one that has its SSRC may begin anew under another only where its RID says that it is the same
        if (encoding.rtx_ssrc if rtx else encoding.ssrc) and not encoding.rid:
            continue
        if rtx and not encoding.ssrc:
            continue
        found.append(Recognised(producer, i, packet.ssrc, rtx))
    return found
