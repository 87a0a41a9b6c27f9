"""Puts one transport under several media sections."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace

from .parameters import TransportParameters
from .session import MediaSection, SessionDescription


def describe(media: Sequence[MediaSection], local: TransportParameters, revision: int) -> SessionDescription:
    """Bundle sections over one transport: the same ICE and DTLS attributes in each."""
    completed = tuple(with_transport(section, local) for section in media)
    # constant for one connection (RFC 8866, section 5.2), also over an ICE restart
    session_id = zlib.crc32((local.connection or local.ufrag).encode())
    bundle = tuple(section.mid for section in completed if not section.rejected)
    return SessionDescription(completed, bundle, session_id, revision, local.ice_lite)


def with_transport(section: MediaSection, local: TransportParameters) -> MediaSection:
    """Add the transport's attributes to a section in use."""
    if section.rejected:
        return section
    return replace(
        section,
        ufrag=local.ufrag,
        pwd=local.pwd,
        fingerprints=local.fingerprints,
        setup=local.setup,
        candidates=local.candidates,
        end_of_candidates=bool(local.candidates),
    )
