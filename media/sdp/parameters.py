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
    tcp_type: str = ""  # active, passive or so (RFC 6544, section 4.5)

    def __str__(self) -> str:
        return (
            f"{self.foundation} {self.component} {self.protocol} {self.priority}"
            f" {self.host} {self.port} typ {self.kind}{f' tcptype {self.tcp_type}' if self.tcp_type else ''}"
        )


#: Type preferences of host candidates (RFC 8445, 5.1.2.1): any UDP path before any TCP one (RFC 6544, 4.2).
_UDP_HOST = 126
_TCP_HOST = 90

#: A passive candidate's part of the local preference (RFC 6544, section 4.2): direction 4, in its upper three bits.
_PASSIVE = 4 << 13


def host_candidates(addresses: tuple[Address, ...]) -> tuple[Candidate, ...]:
    """Make host candidates of the addresses, the first preferred; of TCP ones passive candidates: the peer calls."""
    candidates = []
    for index, address in enumerate(addresses):
        if address.tcp:
            protocol, tcp_type = "tcp", "passive"
            priority = (_TCP_HOST << 24) + ((_PASSIVE + 8191 - index) << 8) + 255
        else:
            protocol, tcp_type = "udp", ""
            priority = (_UDP_HOST << 24) + ((65535 - index) << 8) + 255
        candidates.append(
            Candidate(str(index + 1), 1, protocol, priority, address.host, address.port, tcp_type=tcp_type)
        )
    return tuple(candidates)


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
