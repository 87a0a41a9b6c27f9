"""What two peers tell each other about one transport: ICE credentials, certificate, candidates, DTLS role."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..plane import Address

#: SCTP over DTLS has always been given this port (RFC 8831 names none; browsers use it).
SCTP_PORT = 5000

#: The largest data channel message that we take, bytes.
MAX_MESSAGE_SIZE = 65536


class Setup(StrEnum):
    """Who begins the DTLS handshake (RFC 8842): the active side is the DTLS client."""

    ACTPASS = "actpass"
    ACTIVE = "active"
    PASSIVE = "passive"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A certificate's hash: `algorithm` as in SDP (`sha-256`), `value` in upper-case hex pairs with colons."""

    algorithm: str
    value: str

    def __str__(self) -> str:
        return f"{self.algorithm} {self.value}"


@dataclass(frozen=True, slots=True)
class Candidate:
    """Where a peer may be reached (RFC 8839, section 5.1). `host` may be a name (mDNS) in a peer's candidate."""

    foundation: str
    component: int
    protocol: str
    priority: int
    host: str
    port: int
    kind: str = "host"

    def __str__(self) -> str:
        return (
            f"{self.foundation} {self.component} {self.protocol} {self.priority}"
            f" {self.host} {self.port} typ {self.kind}"
        )


def host_candidates(addresses: tuple[Address, ...]) -> tuple[Candidate, ...]:
    """Make UDP host candidates of the addresses, the first preferred (priorities of RFC 8445, 5.1.2.1)."""
    return tuple(
        Candidate(
            str(index + 1), 1, "udp", (126 << 24) + ((65535 - index) << 8) + 255, address.host, address.port
        )
        for index, address in enumerate(addresses)
    )


@dataclass(frozen=True, slots=True)
class TransportParameters:
    """One side's half of a transport, as its description gives it.

    `sctp_port` is 0 where no data channels are negotiated. `connection` names the connection for as long as it lives,
    through ICE restarts; empty: as `ufrag`.
    """

    ufrag: str
    pwd: str
    fingerprints: tuple[Fingerprint, ...]
    candidates: tuple[Candidate, ...] = ()
    setup: Setup = Setup.ACTPASS
    ice_lite: bool = False
    sctp_port: int = 0
    max_message_size: int = MAX_MESSAGE_SIZE
    connection: str = ""
