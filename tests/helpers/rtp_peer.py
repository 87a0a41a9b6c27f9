"""A peer of the plane in tests: an address, its own SRTP sessions, and what arrived there, decrypted."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha512

from pylibsrtp import Error, Policy, Session

from media.ids import TransportId
from media.plane import Address
from media.reference import srtp
from media.rtp.packet import RtpPacket
from media.rtp.rtcp import GenericNack, RtcpPacket, parse_compound

#: The SRTP profiles that Konsil negotiates, and the length of each one's master key and salt.
PROFILES: dict[str, tuple[int, int]] = {
    "AEAD_AES_128_GCM": (Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 28),
    "AEAD_AES_256_GCM": (Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 44),
    "AES_CM_128_HMAC_SHA1_80": (Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 30),
}

#: The bytes that each profile adds to an RTP packet.
TAG_LENGTHS = {"AEAD_AES_128_GCM": 16, "AEAD_AES_256_GCM": 16, "AES_CM_128_HMAC_SHA1_80": 10}

#: A repeat may be as old as the history that it comes from.
WINDOW = 4096


def make_session(profile: str, secret: str, *, inbound: bool) -> Session:
    """Make one direction's SRTP session; equal secrets make equal keys."""
    number, length = PROFILES[profile]
    policy = Policy(
        key=sha512(secret.encode()).digest()[:length],
        ssrc_type=Policy.SSRC_ANY_INBOUND if inbound else Policy.SSRC_ANY_OUTBOUND,
        srtp_profile=number,
    )
    policy.window_size = WINDOW
    policy.allow_repeat_tx = not inbound
    return Session(policy)


class Peer:
    """Speak SRTP with the plane; `rtp`, `rtcp` and `raw` are what arrived so far, in order.

    `plain` are the bytes of `rtp`, `datagrams` those of all that arrived, `repeated` those that SRTP had seen before.
    """

    def __init__(
        self, transport: TransportId, address: Address, profile: str, send: Callable[[Peer, bytes], None]
    ) -> None:
        """Make the peer's sessions and the plane's (`plane_receive`, `plane_send`)."""
        self.transport = transport
        self.address = address
        self._send_datagram = send
        self.plane_receive = make_session(profile, f"{transport} to plane", inbound=True)
        self.plane_send = make_session(profile, f"{transport} from plane", inbound=False)
        self._protecting = make_session(profile, f"{transport} to plane", inbound=False)
        self._unprotecting = make_session(profile, f"{transport} from plane", inbound=True)
        self.rtp: list[RtpPacket] = []
        self.plain: list[bytes] = []
        self.rtcp: list[bytes] = []
        self.raw: list[bytes] = []
        self.datagrams: list[bytes] = []
        self.repeated: list[bytes] = []

    def send(self, data: bytes) -> None:
        """Send a datagram as it is."""
        self._send_datagram(self, data)

    def protect(self, packet: RtpPacket | bytes) -> bytes:
        """Protect an RTP packet without sending it."""
        # the method of the session itself takes 1,356 bytes at most
        protected = srtp.protect(self._protecting, bytes(packet))
        assert isinstance(protected, bytes), "libsrtp refused to protect what the test sends."
        return protected

    def protect_rtcp(self, compound: bytes) -> bytes:
        """Protect a compound RTCP packet without sending it."""
        protected: bytes = self._protecting.protect_rtcp(compound)
        return protected

    def send_rtp(self, packet: RtpPacket | bytes) -> None:
        """Protect an RTP packet and send it."""
        self.send(self.protect(packet))

    def send_rtcp(self, *packets: RtcpPacket) -> None:
        """Protect a compound RTCP packet and send it."""
        self.send(self.protect_rtcp(b"".join(map(bytes, packets))))

    def deliver(self, data: bytes) -> None:
        """Take a datagram from the plane; what is neither decryptable nor a repeat is an AssertionError."""
        self.datagrams.append(data)
        if not data or not 128 <= data[0] < 192:
            self.raw.append(data)
        elif 192 <= data[1] < 224:
            self.rtcp.append(self._unprotecting.unprotect_rtcp(data))
        else:
            try:
                plain = self._unprotecting.unprotect(data)
            except Error as error:
                if "replay" not in str(error):
                    raise AssertionError("The plane sent what its peer cannot decrypt.") from error
                self.repeated.append(data)
                return
            self.plain.append(plain)
            self.rtp.append(RtpPacket.parse(plain))

    def nacked(self, ssrc: int) -> list[int]:
        """List the sequence numbers that the plane asked for so far, in order."""
        return [
            number
            for compound in self.rtcp
            for packet in parse_compound(compound)
            if isinstance(packet, GenericNack) and packet.media_ssrc == ssrc
            for number in packet.lost
        ]
