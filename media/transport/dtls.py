"""DTLS-SRTP (RFC 5764) by aiortc's RTCDtlsTransport, of which private names are used.

Each of them has a contract test: `_setup_srtp`, `_ssl`, `_role`, `_set_role`, `_srtp_profiles`, `_write_ssl`,
`_validate_peer_identity`, the certificate's `_create_ssl_context`, and the path's `_recv` and `_send`. RTP never passes
through here: the SRTP sessions go to the plane.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from aiortc.rtcdtlstransport import (
    SRTP_AEAD_AES_128_GCM,
    SRTP_AEAD_AES_256_GCM,
    SRTP_AES128_CM_SHA1_80,
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    SRTPProtectionProfile,
)
from OpenSSL import SSL
from pylibsrtp import Policy, Session

from ..sdp.parameters import Fingerprint
from .path import MAX_DATAGRAM, Path

#: Ours first: as the server we choose by this order. GCM is faster here than AES-CM with HMAC-SHA1.
SRTP_PROFILES = [SRTP_AEAD_AES_128_GCM, SRTP_AEAD_AES_256_GCM, SRTP_AES128_CM_SHA1_80]

#: Seconds for the whole handshake.
HANDSHAKE_TIMEOUT = 15.0

#: Packets that SRTP remembers of what is received, against replay: a 4K stream's history, and what is repeated from it.
RECEIVE_WINDOW = 4096

#: Packets that SRTP remembers of what is sent. libsrtp shifts the whole window with every packet: 4,096 cost 40 % more
#: CPU. Repeats travel in a stream of their own (RTX), in order.
SEND_WINDOW = 128

_RECORD_HEADER = 13

#: Receive session, send session, profile name.
KeysCallback = Callable[[Session, Session, str], None]


class DtlsError(Exception):
    """The handshake failed; the message is a sentence."""


class _SharedContext(RTCCertificate):  # type: ignore[misc]
    """aiortc's certificate, with one OpenSSL context for all connections instead of one for each (20 kB)."""

    _context: SSL.Context | None = None

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        if self._context is None:
            self._context = super()._create_ssl_context(srtp_profiles)
            # nobody resumes: each connection shows the certificate that its own description announced
            self._context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        return self._context


class Certificate:
    """The server's self-signed ECDSA P-256 certificate, made once per process and known by its hash."""

    def __init__(self) -> None:
        self.rtc = _SharedContext.generateCertificate()

    @property
    def fingerprint(self) -> Fingerprint:
        """The SHA-256 hash that descriptions bear."""
        value = next(f.value for f in self.rtc.getFingerprints() if f.algorithm == "sha-256")
        return Fingerprint("sha-256", value)


def split_records(datagram: bytes) -> list[bytes]:
    """Give the whole DTLS records (RFC 6347, section 4.1) that a datagram begins with.

    aiortc reads one record for each datagram it is given, and what it leaves would pile up in OpenSSL.
    """
    records: list[bytes] = []
    at = 0
    while at + _RECORD_HEADER <= len(datagram):
        end = at + _RECORD_HEADER + int.from_bytes(datagram[at + 11 : at + 13], "big")
        if end > len(datagram):
            break
        records.append(datagram[at:end])
        at = end
    return records


def split_flight(flight: bytes, limit: int = MAX_DATAGRAM) -> list[bytes]:
    """Cut what OpenSSL wrote between records into datagrams within the limit."""
    datagrams: list[bytes] = []
    current = b""
    for record in split_records(flight):
        if current and len(current) + len(record) > limit:
            datagrams.append(current)
            current = b""
        current += record
    if current:
        datagrams.append(current)
    return datagrams


class _DtlsTransport(RTCDtlsTransport):  # type: ignore[misc]
    """aiortc's transport with our profile order and windows, giving its sessions away."""

    def __init__(self, path: Path, certificate: Certificate, on_keys: KeysCallback) -> None:
        super().__init__(path, [certificate.rtc])
        self._srtp_profiles = SRTP_PROFILES
        self._on_keys = on_keys
        self.failure = ""

    def _validate_peer_identity(self, remote: RTCDtlsParameters) -> None:
        super()._validate_peer_identity(remote)
        if self.state == "failed":
            self.failure = "The peer's certificate is not the one that its description announced."

    def _setup_srtp(self) -> None:
        name = self._ssl.get_selected_srtp_profile()
        profile = next((profile for profile in SRTP_PROFILES if profile.openssl_profile == name), None)
        if profile is None:
            # nothing is protected without a profile, so the connection is of no use
            self.failure = "The peer accepts none of our SRTP profiles."
            raise ConnectionError(self.failure)
        material = self._ssl.export_keying_material(
            b"EXTRACTOR-dtls_srtp", 2 * (profile.key_length + profile.salt_length)
        )
        client, server = (profile.get_key_and_salt(material, side) for side in (0, 1))
        receive, send = (client, server) if self._role == "server" else (server, client)
        self._on_keys(
            _session(receive, Policy.SSRC_ANY_INBOUND, profile.libsrtp_profile, RECEIVE_WINDOW),
            _session(send, Policy.SSRC_ANY_OUTBOUND, profile.libsrtp_profile, SEND_WINDOW),
            name.decode("ascii"),
        )

    async def _write_ssl(self) -> None:
        flight = b""
        while True:
            try:
                flight += self._ssl.bio_read(4096)
            except SSL.Error:  # nothing (more) to read
                break
        for datagram in split_flight(flight):
            await self.transport._send(datagram)


def _session(key: bytes, ssrc_type: int, profile: int, window: int) -> Session:
    policy = Policy(key=key, ssrc_type=ssrc_type, srtp_profile=profile)
    # a repeat without RTX is bit-identical to the first sending, so no nonce has two contents
    policy.allow_repeat_tx = True
    policy.window_size = window
    return Session(policy)


class Dtls:
    """One DTLS association. `on_closed` is called once if the peer ends it after the handshake."""

    def __init__(
        self,
        path: Path,
        certificate: Certificate,
        role: str,
        on_keys: KeysCallback,
        on_closed: Callable[[], None],
    ) -> None:
        self._path = path
        self._stopped = False
        self._on_closed = on_closed
        self.transport = _DtlsTransport(path, certificate, on_keys)
        self.transport._set_role(role)
        self.transport.on("statechange", self._state_changed)

    async def handshake(
        self,
        fingerprints: Sequence[Fingerprint],
        timeout: float = HANDSHAKE_TIMEOUT,  # noqa: ASYNC109
    ) -> None:
        """Shake hands; DtlsError if it fails, and then no keys were handed out."""
        remote = RTCDtlsParameters([RTCDtlsFingerprint(f.algorithm, f.value) for f in fingerprints])
        try:
            async with asyncio.timeout(timeout):
                await self.transport.start(remote)
        except TimeoutError:
            raise DtlsError(f"The DTLS handshake took longer than {timeout:g} s.") from None
        except (ConnectionError, SSL.Error):
            raise DtlsError(self.transport.failure or "The DTLS handshake was interrupted.") from None
        if self.transport.state != "connected":
            raise DtlsError(self.transport.failure or "The DTLS handshake failed.")

    def _state_changed(self) -> None:
        if self.transport.state == "closed" and not self._stopped:
            self._stopped = True
            self._on_closed()

    async def stop(self) -> None:
        """Say goodbye and stop."""
        self._stopped = True
        await self.transport.stop()
        # after a failed handshake aiortc says nothing; the peer shall not have to wait for its time-out
        if self.transport.state == "failed" and self.transport._ssl is not None:
            try:
                self.transport._ssl.shutdown()
                await self.transport._write_ssl()
            except (SSL.Error, ConnectionError):
                pass
