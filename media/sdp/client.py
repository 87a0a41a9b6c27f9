"""The other end, for our own Python clients: offers what they publish, answers what they are offered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..ids import Mid, Ssrc
from ..plane import Codec, Extension, ExtensionIds
from .bundle import describe
from .formats import OUR_EXTENSION_IDS, codec_of, extension_ids, extension_maps
from .offer import data_section, media_formats, token
from .parameters import MAX_MESSAGE_SIZE, SCTP_PORT, Setup, TransportParameters
from .remote import usable_sections
from .session import Direction, MediaSection, SessionDescription, Source, SourceGroup


@dataclass(frozen=True, slots=True)
class PublishedTrack:
    """A track that a client sends; the payload types are the client's choice."""

    mid: Mid
    kind: str
    codec: Codec
    fmtp: str
    payload_type: int
    ssrc: Ssrc
    cname: str
    stream: str
    label: str
    rtx_payload_type: int = 0
    rtx_ssrc: Ssrc = Ssrc(0)


@dataclass(frozen=True, slots=True)
class ReceivedTrack:
    """A track that a client is offered and takes."""

    mid: Mid
    kind: str
    codec: Codec
    clock_rate: int
    payload_type: int
    rtx_payload_type: int
    ssrc: Ssrc
    rtx_ssrc: Ssrc
    extensions: ExtensionIds
    active: bool


def offer_publisher(
    tracks: Sequence[PublishedTrack],
    local: TransportParameters,
    revision: int = 1,
    *,
    data_channel: bool = False,
) -> SessionDescription:
    """Offer tracks, sendonly. Extension ids are OUR_EXTENSION_IDS; the answer says which are taken."""
    media = [data_section()] if data_channel else []
    for track in tracks:
        feedback = ("nack", "nack pli", "ccm fir", "transport-cc") if track.kind == "video" else ("nack",)
        numbers = (track.payload_type, track.rtx_payload_type)
        formats = media_formats(track.codec, track.fmtp, numbers, feedback)
        msid = f"{token(track.stream)} {token(track.label)}"
        ssrcs = (track.ssrc, track.rtx_ssrc) if track.rtx_ssrc else (track.ssrc,)
        ids = list(OUR_EXTENSION_IDS)
        for unused in (Extension.RID, Extension.REPAIRED_RID):
            ids[unused] = 0
        if track.kind != "video":
            # sound is repeated under its own SSRC, bit for bit, so nothing in it may change with each sending
            ids[Extension.TRANSPORT_WIDE] = 0
        ids[Extension.DEPENDENCY_DESCRIPTOR] = ids[Extension.VIDEO_ORIENTATION] = 0
        media.append(
            MediaSection(
                kind=track.kind,
                port=9,
                protocol="UDP/TLS/RTP/SAVPF",
                formats=tuple(str(format_.payload_type) for format_ in formats),
                mid=track.mid,
                direction=Direction.SENDONLY,
                codecs=formats,
                extensions=extension_maps(tuple(ids), track.kind),
                msid=msid,
                sources=tuple(Source(ssrc, token(track.cname), msid) for ssrc in ssrcs),
                groups=(SourceGroup("FID", ssrcs),) if track.rtx_ssrc else (),
                rtcp_mux=True,
                rtcp_rsize=True,
            )
        )
    return describe(media, replace(local, setup=Setup.ACTPASS), revision)


def answer_subscriber(
    offer: SessionDescription, local: TransportParameters
) -> tuple[SessionDescription, list[ReceivedTrack]]:
    """Accept everything that a server offers but redundant sound, with every extension, as the DTLS client."""
    used = usable_sections(offer)
    tracks: list[ReceivedTrack] = []
    media: list[MediaSection] = []
    for section in offer.media:
        bare = MediaSection(
            section.kind, 0, section.protocol, section.formats, section.mid, Direction.INACTIVE
        )
        if section not in used:
            media.append(bare)
        elif section.kind == "application":
            media.append(
                replace(
                    bare,
                    port=9,
                    direction=Direction.SENDRECV,
                    sctp_port=SCTP_PORT,
                    max_message_size=MAX_MESSAGE_SIZE,
                )
            )
        else:
            active = section.direction.sends
            codecs = tuple(codec for codec in section.codecs if codec.name.lower() != "red")
            media.append(
                replace(
                    bare,
                    port=9,
                    formats=tuple(str(codec.payload_type) for codec in codecs),
                    direction=Direction.RECVONLY if active else Direction.INACTIVE,
                    codecs=codecs,
                    extensions=section.extensions,
                    rtcp_mux=True,
                    rtcp_rsize=True,
                )
            )
            tracks += _received(section)
    setup = Setup.PASSIVE if any(section.setup is Setup.ACTIVE for section in used) else Setup.ACTIVE
    return describe(media, replace(local, setup=setup), offer.version), tracks


def _received(section: MediaSection) -> list[ReceivedTrack]:
    for format_ in section.codecs:
        codec = codec_of(format_)
        if codec is not None:
            rtx = section.rtx_of(format_.payload_type)
            ssrcs = [source.ssrc for source in section.sources]
            pair = next((group.ssrcs for group in section.groups if group.semantics == "FID"), ())
            return [
                ReceivedTrack(
                    mid=section.mid,
                    kind=section.kind,
                    codec=codec,
                    clock_rate=format_.clock_rate,
                    payload_type=format_.payload_type,
                    rtx_payload_type=rtx.payload_type if rtx is not None else 0,
                    ssrc=pair[0] if pair else (ssrcs[0] if ssrcs else Ssrc(0)),
                    rtx_ssrc=pair[1] if len(pair) > 1 else Ssrc(0),
                    extensions=extension_ids(section.extensions, section.kind),
                    active=section.direction.sends,
                )
            ]
    return []
