"""Answers a view-only player (WHEP), which offers once and is never offered anything new.

It is promised no streams by SSRC, and every codec of its offer that we pass stays in the answer, with its own payload
type. So whoever the picture comes from next, in whichever codec, needs no new description: the packets' MID (or their
payload type alone) leads them to the player's section (RFC 8843, section 9.2), and a new stream in it takes the old
one's place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..ids import Mid
from ..plane import Codec, Extension, ExtensionIds
from .answer import answer_setup
from .bundle import with_transport
from .errors import SdpError
from .formats import codec_of, extension_ids, extension_maps
from .fragment import over_http
from .offer import token, video_feedback
from .parameters import Setup, TransportParameters
from .remote import usable_sections
from .session import Direction, Format, MediaSection, SessionDescription

#: Profiles that stand for each other: a player that offers one of a row decodes what the stream's own parameter
#: sets say, or nobody would be sent anything by encoders that are not browsers.
_ANY_PROFILE = frozenset({Codec.H264, Codec.H265})

#: Not REMB: the guess of a player that has nothing better falls at each hiccup of its own, and rises only with what it
#: is sent; for one picture there is nothing smaller to fall back to, so it would go dark. What measures the line is
#: transport-wide feedback, or nothing.
_FEEDBACK = {
    "video": tuple(name for name in video_feedback(transport_wide=True) if name != "goog-remb"),
    "audio": ("nack", "transport-cc"),
}


@dataclass(frozen=True, slots=True)
class AcceptedFormat:
    """One codec that a section takes, with the player's numbers; `rtx_payload_type` 0: no RTX."""

    codec: Codec
    fmtp: str
    payload_type: int
    rtx_payload_type: int


@dataclass(frozen=True, slots=True)
class ViewedSection:
    """One section that a player wants to receive in."""

    mid: Mid
    video: bool
    formats: tuple[AcceptedFormat, ...]
    extensions: ExtensionIds

    def format_for(self, codec: Codec, fmtp: str) -> AcceptedFormat | None:
        """Choose the format that a stream is sent in: its own profile, else one that stands for it; None if none."""
        candidates = [accepted for accepted in self.formats if accepted.codec is codec]
        same = [accepted for accepted in candidates if _profile(accepted) == _profile_of(codec, fmtp)]
        if same:
            return same[0]
        return candidates[0] if candidates and codec in _ANY_PROFILE else None


def answer_viewer(
    offer: SessionDescription, local: TransportParameters, stream: str
) -> tuple[SessionDescription, list[ViewedSection]]:
    """Answer with one picture and one sound at most; the sections in the offer's order.

    SdpError where nothing in the offer can be sent. `stream` groups picture and sound for the player.
    """
    used = usable_sections(offer)
    answered: list[MediaSection] = []
    viewed: list[ViewedSection] = []
    for section in offer.media:
        taken = None
        if section in used and section.kind in {"audio", "video"}:
            video = section.kind == "video"
            wanted = section.direction in {Direction.RECVONLY, Direction.SENDRECV}
            if wanted and not any(other.video == video for other in viewed):
                taken = _view(section)
        if taken is None:
            kept = section.formats[:1]
            answered.append(
                MediaSection(
                    section.kind, 0, section.protocol, kept, section.mid, direction=Direction.INACTIVE
                )
            )
            continue
        viewed.append(taken)
        setup = answer_setup(section.setup or Setup.ACTPASS)
        answered.append(with_transport(_accept(section, taken, stream), replace(local, setup=setup)))
    if not viewed:
        raise SdpError("The offer asks for no picture and no sound in a codec that Konsil passes.")
    bundle = tuple(
        section.mid for section in answered if not section.rejected and section.mid in offer.bundle
    )
    answer = SessionDescription(tuple(answered), bundle, offer.session_id, offer.version, local.ice_lite)
    return over_http(answer), viewed


def _view(section: MediaSection) -> ViewedSection | None:
    video = section.kind == "video"
    formats = []
    for format_ in section.codecs:
        codec = codec_of(format_)
        if codec is not None and (codec is not Codec.OPUS) == video:
            rtx = section.rtx_of(format_.payload_type)
            formats.append(
                AcceptedFormat(codec, format_.fmtp, format_.payload_type, rtx.payload_type if rtx else 0)
            )
    if not formats:
        return None
    ids = list(extension_ids(section.extensions, section.kind))
    # the times that a player without transport-wide feedback would make its REMB of (see `_FEEDBACK`)
    ids[Extension.ABS_SEND_TIME] = 0
    return ViewedSection(section.mid, video, tuple(formats), tuple(ids))


def _accept(section: MediaSection, viewed: ViewedSection, stream: str) -> MediaSection:
    codecs: list[Format] = []
    understood = _FEEDBACK[section.kind]
    for accepted in viewed.formats:
        format_ = section.codec(accepted.payload_type)
        assert format_ is not None, "the format was found in this section"
        codecs.append(replace(format_, feedback=tuple(f for f in understood if f in format_.feedback)))
        rtx = section.rtx_of(accepted.payload_type)
        if rtx is not None:
            codecs.append(replace(rtx, feedback=()))
    return MediaSection(
        kind=section.kind,
        port=9,
        protocol=section.protocol,
        formats=tuple(str(codec.payload_type) for codec in codecs),
        mid=section.mid,
        direction=Direction.SENDONLY,
        codecs=tuple(codecs),
        extensions=extension_maps(viewed.extensions, section.kind),
        msid=f"{token(stream)} {section.kind}",
        rtcp_mux=True,
        rtcp_rsize=section.rtcp_rsize,
    )


def _profile(accepted: AcceptedFormat) -> str:
    return _profile_of(accepted.codec, accepted.fmtp)


def _profile_of(codec: Codec, fmtp: str) -> str:
    """Name what a decoder must be able to do, as far as formats of one codec differ in it; levels do not count."""
    given = Format(0, "", 0, fmtp=fmtp).parameters
    match codec:
        case Codec.H264:
            # profile_idc and the constraint flags (RFC 6184, section 8.1)
            return given.get("profile-level-id", "420010").lower()[:4]
        case Codec.H265:
            return given.get("profile-id", "1")
        case Codec.VP9:
            return given.get("profile-id", "0")
        case Codec.AV1:
            return given.get("profile", "0")
        case _:
            return ""
