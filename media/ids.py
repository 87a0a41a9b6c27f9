"""The identifiers of the media plane: what they name, who hands them out, how long they live.

All three are positive integers that the router counts up, never reused while the server runs, and the same
on the wire, in the plane, in marks and in recordings. 0 means "none".
"""

from __future__ import annotations

from typing import NewType

#: One peer's ICE, DTLS and SRTP association. A browser has two: what it publishes and what it is sent.
TransportId = NewType("TransportId", int)

#: A track that a participant sends. With an RTP timestamp it names one frame for everybody.
ProducerId = NewType("ProducerId", int)

#: What one transport is sent of one producer.
ConsumerId = NewType("ConsumerId", int)

#: An RTP synchronisation source, 32 bits (RFC 3550, section 3).
Ssrc = NewType("Ssrc", int)

#: The identification tag of an SDP media section (RFC 8843), at most 16 characters here.
Mid = NewType("Mid", str)

#: The name of one encoding of a track (RFC 8851), at most 16 characters here.
Rid = NewType("Rid", str)
