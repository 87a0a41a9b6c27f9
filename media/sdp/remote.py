"""Takes the peer's half of the transport out of its description, and refuses what is not safe to use."""

from __future__ import annotations

from .errors import SdpError
from .parameters import MAX_MESSAGE_SIZE, SCTP_PORT, Setup, TransportParameters
from .parser import DIGEST_SIZES
from .session import MediaSection, SessionDescription

_RTP = frozenset({"UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "TCP/DTLS/RTP/SAVPF", "TCP/DTLS/RTP/SAVP"})
_SCTP = frozenset({"UDP/DTLS/SCTP", "TCP/DTLS/SCTP"})


def usable_sections(description: SessionDescription) -> tuple[MediaSection, ...]:
    """Give the sections that share the one transport; SdpError where they do not share it, or it is not DTLS."""
    used = [section for section in description.media if not section.rejected]
    for section in used:
        protocols = _SCTP if section.kind == "application" else _RTP
        if section.protocol not in protocols:
            raise SdpError(f"The {section.kind} section uses {section.protocol}, which is not DTLS.")
    if len(used) <= 1:
        return tuple(used)
    bundled = tuple(section for section in used if section.mid and section.mid in description.bundle)
    if not bundled:
        raise SdpError("The session description has several media sections but does not bundle them.")
    return bundled


def remote_parameters(description: SessionDescription) -> TransportParameters:
    """Read the peer's transport parameters (those of the first bundled section)."""
    sections = usable_sections(description)
    if not sections:
        raise SdpError("The session description has no media section in use.")
    # the tagged section carries them for the whole group (RFC 9143, section 7.2)
    order = {mid: index for index, mid in enumerate(description.bundle)}
    tagged = min(sections, key=lambda section: order.get(section.mid, len(order)))
    if not tagged.ufrag or not tagged.pwd:
        raise SdpError("The session description has no ICE credentials.")
    if not tagged.fingerprints:
        raise SdpError("The session description has no certificate fingerprint.")
    strong = tuple(f for f in tagged.fingerprints if f.algorithm in DIGEST_SIZES)
    if not strong:
        raise SdpError("The certificate fingerprint uses none of SHA-256, SHA-384 and SHA-512.")
    data = next((section for section in sections if section.kind == "application"), None)
    limit = data.max_message_size if data is not None else 0
    return TransportParameters(
        ufrag=tagged.ufrag,
        pwd=tagged.pwd,
        fingerprints=strong,
        candidates=tagged.candidates,
        setup=tagged.setup or Setup.ACTPASS,
        ice_lite=description.ice_lite,
        sctp_port=(data.sctp_port or SCTP_PORT) if data is not None else 0,
        max_message_size=limit or MAX_MESSAGE_SIZE,
        connection=str(description.session_id),
    )
