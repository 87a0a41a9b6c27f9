"""Answers what a publisher offers: one codec a section, its retransmissions and encodings, the extensions we know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..ids import Mid, Ssrc
from ..plane import NO_EXTENSIONS, Codec, Extension, ExtensionIds
from .bundle import with_transport
from .errors import SdpError
from .formats import codec_of, extension_ids, extension_maps
from .parameters import MAX_MESSAGE_SIZE, SCTP_PORT, Setup, TransportParameters
from .remote import usable_sections
from .session import Direction, Format, MediaSection, SessionDescription
from .simulcast import OfferedEncoding, offered_encodings

#: Feedback that we send to a publisher. What it has of transport-cc it needs the header extension for, and vice versa.
PUBLISHER_FEEDBACK = ("nack", "nack pli", "ccm fir", "goog-remb", "transport-cc")


@dataclass(frozen=True, slots=True)
class Bitrates:
    """What a browser's video encoder begins with, and its bounds, in kbit/s (`x-google-…-bitrate`)."""

    start: int = 6000
    minimum: int = 500
    maximum: int = 50000


@dataclass(frozen=True, slots=True)
class OfferedTrack:
    """A track that the publisher will send. `ssrc` and `rtx_ssrc` are 0 where the offer does not tell them.

    `simulcast` are its encodings, the lowest first; empty: one, under `ssrc`. An extension that the offer lacks has
    id 0, and so has `red_payload_type` where sound comes without redundancy (RFC 2198).
    """

    mid: Mid
    kind: str
    codec: Codec
    clock_rate: int
    payload_type: int
    fmtp: str
    rtx_payload_type: int = 0
    ssrc: Ssrc = Ssrc(0)
    rtx_ssrc: Ssrc = Ssrc(0)
    extensions: ExtensionIds = NO_EXTENSIONS
    feedback: tuple[str, ...] = ()
    cname: str = ""
    msid: str = ""
    simulcast: tuple[OfferedEncoding, ...] = ()
    red_payload_type: int = 0

    @property
    def encodings(self) -> tuple[OfferedEncoding, ...]:
        """All encodings, the lowest first: one at least."""
        return self.simulcast or (OfferedEncoding(ssrc=self.ssrc, rtx_ssrc=self.rtx_ssrc),)


def answer_setup(offered: Setup) -> Setup:
    """Choose our DTLS role: the server's (passive), unless the peer insists on it."""
    return Setup.ACTIVE if offered is Setup.PASSIVE else Setup.PASSIVE


def answer_publisher(
    offer: SessionDescription,
    local: TransportParameters,
    *,
    bitrates: Mapping[str, Bitrates] | None = None,
    prefer: Sequence[Codec] = (),
    redundancy: bool = True,
) -> tuple[SessionDescription, list[OfferedTrack]]:
    """Answer a publisher's offer and name the tracks that it will send.

    `bitrates` is by mid (default Bitrates()). `prefer` names codecs that are taken first if offered, else the
    offer's own order counts. With `redundancy` sound is preferred in the form that repeats the packet before (RED,
    RFC 2198), where that is offered. A section that we cannot use is rejected; SdpError if the transport is unusable
    (see also `remote_parameters`, which the caller needs anyway).
    """
    used = usable_sections(offer)
    tracks: list[OfferedTrack] = []
    sections: list[MediaSection] = []
    data_mid: Mid | None = None
    for section in offer.media:
        answered = _reject(section)
        if section in used and section.kind == "application" and data_mid is None:
            data_mid = section.mid
            answered = replace(
                answered,
                port=9,
                direction=Direction.SENDRECV,
                sctp_port=SCTP_PORT,
                max_message_size=MAX_MESSAGE_SIZE,
            )
        elif section in used and section.kind in {"audio", "video"}:
            chosen = _choose(section, prefer)
            if chosen is not None:
                track = _track(section, *chosen, redundancy=redundancy)
                answered = _accept(section, track, (bitrates or {}).get(section.mid, Bitrates()))
                if section.direction.sends:
                    tracks.append(track)
        if not answered.rejected:
            setup = answer_setup(section.setup or Setup.ACTPASS)
            answered = with_transport(answered, replace(local, setup=setup))
        sections.append(answered)
    accepted = [section for section in sections if not section.rejected]
    if not accepted:
        raise SdpError(
            "The offer has no section that can be used: no codec that Konsil passes, no data channel."
        )
    bundle = tuple(section.mid for section in accepted if section.mid in offer.bundle)
    answer = SessionDescription(
        tuple(sections), bundle, session_id=offer.session_id, version=offer.version, ice_lite=local.ice_lite
    )
    return answer, tracks


def _reject(section: MediaSection) -> MediaSection:
    return MediaSection(
        section.kind, 0, section.protocol, section.formats[:1], section.mid, direction=Direction.INACTIVE
    )


def _choose(section: MediaSection, prefer: Sequence[Codec]) -> tuple[Codec, Format] | None:
    offered = [(codec, format_) for format_ in section.codecs if (codec := codec_of(format_)) is not None]
    offered = [pair for pair in offered if (pair[0] is Codec.OPUS) == (section.kind == "audio")]
    for wanted in prefer:
        for pair in offered:
            if pair[0] is wanted:
                return pair
    return offered[0] if offered else _unsaid(section)


def _unsaid(section: MediaSection) -> tuple[Codec, Format] | None:
    """Find H.264 of whose packetization nothing is said, where there is nothing else.

    That means mode 0 (RFC 6184, section 8.1), which is a part of mode 1; GStreamer says nothing when it offers before
    its first picture, and sends mode 1.
    """
    for format_ in section.codecs:
        said = "packetization-mode" in format_.parameters
        if section.kind == "video" and format_.name.lower() == "h264" and not said:
            return Codec.H264, format_
    return None


def _track(section: MediaSection, codec: Codec, format_: Format, *, redundancy: bool) -> OfferedTrack:
    red = section.red_of(format_.payload_type) if redundancy and section.kind == "audio" else None
    rtx = section.rtx_of(format_.payload_type)
    pair = next(
        (group.ssrcs for group in section.groups if group.semantics == "FID" and len(group.ssrcs) == 2), None
    )
    ssrc = pair[0] if pair else (section.sources[0].ssrc if section.sources else Ssrc(0))
    source = next((source for source in section.sources if source.ssrc == ssrc), None)
    ids = list(extension_ids(section.extensions, section.kind))
    if "transport-cc" not in format_.feedback:
        ids[Extension.TRANSPORT_WIDE] = 0
    return OfferedTrack(
        mid=section.mid,
        kind=section.kind,
        codec=codec,
        clock_rate=format_.clock_rate,
        payload_type=format_.payload_type,
        fmtp=format_.fmtp,
        rtx_payload_type=rtx.payload_type if rtx is not None else 0,
        ssrc=ssrc,
        rtx_ssrc=pair[1] if pair and rtx is not None else Ssrc(0),
        extensions=tuple(ids),
        feedback=tuple(text for text in PUBLISHER_FEEDBACK if text in format_.feedback),
        cname=source.cname if source is not None else "",
        msid=section.msid or (source.msid if source is not None else ""),
        simulcast=offered_encodings(section) if section.kind == "video" else (),
        red_payload_type=red.payload_type if red is not None else 0,
    )


def _accept(section: MediaSection, track: OfferedTrack, bitrates: Bitrates) -> MediaSection:
    format_ = section.codec(track.payload_type)
    assert format_ is not None, "the track was made of this section"
    fmtp = format_.fmtp
    if section.kind == "video":
        seeds = (
            f"x-google-start-bitrate={bitrates.start};x-google-min-bitrate={bitrates.minimum}"
            f";x-google-max-bitrate={bitrates.maximum}"
        )
        fmtp = f"{fmtp};{seeds}" if fmtp else seeds
    codecs = [replace(format_, fmtp=fmtp, feedback=track.feedback)]
    red = section.codec(track.red_payload_type) if track.red_payload_type else None
    if red is not None:
        # what stands first is what is sent
        codecs.insert(0, replace(red, feedback=()))
    rids = [encoding.rid for encoding in track.simulcast if encoding.rid]
    rtx = section.rtx_of(track.payload_type)
    if rtx is not None:
        codecs.append(replace(rtx, feedback=()))
    return MediaSection(
        kind=section.kind,
        port=9,
        protocol=section.protocol,
        formats=tuple(str(codec.payload_type) for codec in codecs),
        mid=section.mid,
        direction=Direction.RECVONLY if section.direction.sends else Direction.INACTIVE,
        codecs=tuple(codecs),
        extensions=extension_maps(track.extensions, section.kind),
        rids=tuple(f"{rid} recv" for rid in rids),
        simulcast=f"recv {';'.join(rids)}" if rids else "",
        rtcp_mux=True,
        rtcp_rsize=section.rtcp_rsize,
    )
