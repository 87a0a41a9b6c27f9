"""Offers a subscriber its slots, and reads which of them it accepted.

The data channel section comes first (mid `data`), so that the connection can stand before the first picture
and later slots only ever append. Slot i has mid `str(i)`. A slot is never taken away: it goes inactive and is
used again for another track of the same kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..ids import Mid, Ssrc
from ..plane import NO_EXTENSIONS, Codec, Extension, ExtensionIds
from .bundle import describe
from .errors import SdpError
from .formats import (
    ENCODINGS,
    OUR_EXTENSION_IDS,
    canonical_fmtp,
    codec_of,
    extension_ids,
    extension_maps,
)
from .parameters import MAX_MESSAGE_SIZE, SCTP_PORT, TransportParameters
from .parser import parse
from .remote import remote_parameters, usable_sections
from .session import Direction, Format, MediaSection, SessionDescription, Source, SourceGroup

#: The mid of the section with the data channels.
DATA_MID = Mid("data")

#: The profile that RFC 7742 makes every browser decode; the level is no bound where asymmetry is allowed.
CONSTRAINED_BASELINE = "42e01f"

#: Payload type and that of its retransmissions, for the first fmtp of each codec.
PREFERRED: dict[Codec, tuple[int, int]] = {
    Codec.OPUS: (111, 0),
    Codec.H264: (102, 103),
    Codec.VP8: (96, 97),
    Codec.VP9: (98, 99),
    Codec.AV1: (45, 46),
    Codec.H265: (104, 105),
}
#: Payload type of FlexFEC's protection packets, whatever they protect.
FLEXFEC = 119
#: Payload type of sound with redundancy (RED), the first one; the number that browsers use themselves.
RED = 63
#: How long a receiver keeps packets to make lost ones from, in µs.
FLEXFEC_WINDOW = 10_000_000
# RFC 5761, section 4, leaves 64-95 to RTCP; 35-63 are free where 96-127 do not suffice (RFC 8852)
_DYNAMIC = (*range(106, 111), *range(112, 119), *range(120, 128), 100, 101, *range(47, 63), *range(35, 45))


class PayloadTypes:
    """One subscriber's payload types: a (codec, fmtp) keeps its numbers as long as the connection lives."""

    def __init__(self) -> None:
        self._given: dict[tuple[Codec, str], tuple[int, int]] = {}
        self._redundant: dict[int, int] = {}

    def of(self, codec: Codec, fmtp: str) -> tuple[int, int]:
        """Give (payload type, that of its RTX or 0); SdpError when none is left."""
        key = (codec, canonical_fmtp(codec, fmtp))
        if key not in self._given:
            self._given[key] = self._choose(codec)
        return self._given[key]

    def reserve(self, codec: Codec, fmtp: str, *, redundant: bool = False) -> None:
        """Give a stream its numbers before it is offered; SdpError when there are not enough."""
        numbers = [self.of(codec, taken) for taken in _receivable_as(codec, fmtp)]
        if redundant:
            self.redundant(numbers[0][0])

    def redundant(self, payload_type: int) -> int:
        """Give the payload type under which sound of another comes with redundancy; SdpError when none is left."""
        if payload_type not in self._redundant:
            free = [number for number in (RED, *_DYNAMIC) if number not in self._taken()]
            if not free:
                raise SdpError("No payload type is left for sound with redundancy.")
            self._redundant[payload_type] = free[0]
        return self._redundant[payload_type]

    def _taken(self) -> set[int]:
        return {number for pair in self._given.values() for number in pair} | set(self._redundant.values())

    def _choose(self, codec: Codec) -> tuple[int, int]:
        taken = self._taken()
        if PREFERRED[codec][0] not in taken:
            return PREFERRED[codec]
        free = [number for number in _DYNAMIC if number not in taken]
        needed = 1 if codec is Codec.OPUS else 2
        if len(free) < needed:
            raise SdpError("No payload type is left for another codec of this subscriber.")
        return free[0], free[1] if needed == 2 else 0


@dataclass(frozen=True, slots=True)
class SubscribedTrack:
    """One slot of a subscriber. `stream` groups what belongs to one participant, `label` is the track's.

    `fec_ssrc` 0: no protection by FlexFEC is offered. `redundant`: sound comes with redundancy (RED, RFC 2198), and
    whoever takes it is sent it so.
    """

    kind: str
    codec: Codec
    fmtp: str
    ssrc: Ssrc
    rtx_ssrc: Ssrc
    cname: str
    stream: str
    label: str
    active: bool = True
    fec_ssrc: Ssrc = Ssrc(0)
    redundant: bool = False


@dataclass(frozen=True, slots=True)
class AcceptedTrack:
    """What the subscriber said about a slot. Not `accepted`: send nothing of it."""

    mid: Mid
    accepted: bool
    codec: Codec | None = None
    payload_type: int = 0
    rtx_payload_type: int = 0
    extensions: ExtensionIds = NO_EXTENSIONS
    fec_payload_type: int = 0
    red_payload_type: int = 0


@dataclass(frozen=True, slots=True)
class SubscriberAnswer:
    """A subscriber's answer: its half of the transport, and each slot by mid."""

    remote: TransportParameters
    tracks: dict[Mid, AcceptedTrack] = field(default_factory=dict)


def offer_subscriber(
    sections: Sequence[SubscribedTrack],
    local: TransportParameters,
    revision: int,
    payload_types: PayloadTypes,
    *,
    data_channel: bool = True,
    transport_wide: bool = True,
) -> SessionDescription:
    """Write the offer of a revision (1, 2, …) of one subscriber's connection.

    `data_channel` must be the same in every revision. `transport_wide` offers transport-wide feedback beside
    REMB.
    """
    media = [data_section()] if data_channel else []
    for index, track in enumerate(sections):
        media.append(_media_section(Mid(str(index)), track, payload_types, transport_wide))
    return describe(media, local, revision)


def data_section() -> MediaSection:
    """Describe the section of the data channels."""
    return MediaSection(
        "application",
        9,
        "UDP/DTLS/SCTP",
        ("webrtc-datachannel",),
        DATA_MID,
        sctp_port=SCTP_PORT,
        max_message_size=MAX_MESSAGE_SIZE,
    )


def video_feedback(*, transport_wide: bool) -> tuple[str, ...]:
    """Name the feedback that we understand of a receiver of video (`rrtr`: extended reports, RFC 3611)."""
    feedback = ("nack", "nack pli", "ccm fir", "goog-remb", "rrtr")
    return (*feedback, "transport-cc") if transport_wide else feedback


def media_formats(
    codec: Codec, fmtp: str, payload_types: tuple[int, int], feedback: tuple[str, ...]
) -> tuple[Format, ...]:
    """Describe one codec and, where it has a payload type, its RTX."""
    name, clock_rate, channels = ENCODINGS[codec]
    payload_type, rtx = payload_types
    formats = [Format(payload_type, name, clock_rate, channels, canonical_fmtp(codec, fmtp), feedback)]
    if rtx:
        formats.append(Format(rtx, "rtx", clock_rate, 1, f"apt={payload_type}"))
    return tuple(formats)


def _media_section(
    mid: Mid, track: SubscribedTrack, payload_types: PayloadTypes, transport_wide: bool
) -> MediaSection:
    ids = list(OUR_EXTENSION_IDS)
    # they name a sender's encodings; whoever is sent to is sent one
    ids[Extension.RID] = ids[Extension.REPAIRED_RID] = 0
    if not transport_wide:
        ids[Extension.TRANSPORT_WIDE] = 0
    feedback = video_feedback(transport_wide=transport_wide)
    if track.kind == "audio":
        feedback = ("nack", "transport-cc") if transport_wide else ("nack",)
    formats: tuple[Format, ...] = ()
    for fmtp in _receivable_as(track.codec, track.fmtp):
        formats += media_formats(track.codec, fmtp, payload_types.of(track.codec, fmtp), feedback)
    if track.redundant:
        plain = formats[0]
        red = payload_types.redundant(plain.payload_type)
        blocks = f"{plain.payload_type}/{plain.payload_type}"
        formats += (Format(red, "red", plain.clock_rate, plain.channels, blocks),)
    if track.fec_ssrc:
        window = f"repair-window={FLEXFEC_WINDOW}"
        formats += (Format(FLEXFEC, "flexfec-03", 90_000, 1, window),)
    msid = f"{token(track.stream)} {token(track.label)}"
    sources: tuple[Source, ...] = ()
    groups: tuple[SourceGroup, ...] = ()
    if track.active:
        beside = {"FID": track.rtx_ssrc, "FEC-FR": track.fec_ssrc}
        groups = tuple(SourceGroup(name, (track.ssrc, ssrc)) for name, ssrc in beside.items() if ssrc)
        ssrcs = [track.ssrc, *(ssrc for ssrc in beside.values() if ssrc)]
        sources = tuple(Source(ssrc, token(track.cname), msid) for ssrc in ssrcs)
    return MediaSection(
        kind=track.kind,
        port=9,
        protocol="UDP/TLS/RTP/SAVPF",
        formats=tuple(str(format_.payload_type) for format_ in formats),
        mid=mid,
        direction=Direction.SENDONLY if track.active else Direction.INACTIVE,
        codecs=formats,
        extensions=extension_maps(tuple(ids), track.kind),
        msid=msid if track.active else "",
        sources=sources,
        groups=groups,
        rtcp_mux=True,
        rtcp_rsize=True,
    )


def _receivable_as(codec: Codec, fmtp: str) -> list[str]:
    """Give the fmtps under which a subscriber may take the stream, the true one first.

    Browsers without an H.264 decoder in hardware accept Constrained Baseline only, but decode what the stream's
    own parameter sets say. Encoders beside browsers send Main or High.
    """
    if codec is not Codec.H264:
        return [fmtp]
    profile = Format(0, "", 0, fmtp=fmtp).parameters.get("profile-level-id", "").lower()
    baseline = profile[:2] == "42" or not profile
    return [fmtp] if baseline else [fmtp, f"profile-level-id={CONSTRAINED_BASELINE}"]


def token(text: str) -> str:
    """Make text from outside harmless in an attribute: letters, digits, - and _, at most 64 of them."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in text[:64])
    return kept or "-"


def read_answer(text: str) -> SubscriberAnswer:
    """Read a subscriber's answer; SdpError where it is none."""
    answer = parse(text)
    remote = remote_parameters(answer)
    used = usable_sections(answer)
    tracks: dict[Mid, AcceptedTrack] = {}
    for section in answer.media:
        if section.kind not in {"audio", "video"} or not section.mid:
            continue
        tracks[section.mid] = AcceptedTrack(section.mid, accepted=False)
        receives = section.direction in {Direction.RECVONLY, Direction.SENDRECV}
        if section not in used or not receives:
            continue
        for format_ in section.codecs:
            codec = codec_of(format_)
            if codec is not None:
                rtx = section.rtx_of(format_.payload_type)
                red = section.red_of(format_.payload_type) if section.kind == "audio" else None
                tracks[section.mid] = AcceptedTrack(
                    section.mid,
                    accepted=True,
                    codec=codec,
                    payload_type=format_.payload_type,
                    rtx_payload_type=rtx.payload_type if rtx is not None else 0,
                    extensions=extension_ids(section.extensions, section.kind),
                    fec_payload_type=section.flexfec.payload_type if section.flexfec is not None else 0,
                    red_payload_type=red.payload_type if red is not None else 0,
                )
                break
    return SubscriberAnswer(remote, tracks)
