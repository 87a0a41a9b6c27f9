"""SRTP with AES-GCM written from the RFCs, as a second opinion on libsrtp: slow, and for tests alone.

The published vectors give session keys, but libsrtp takes master keys only. So these functions are held
against the vectors, and libsrtp is held against these functions.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

#: Labels of the key derivation (RFC 3711, section 4.3): encryption key and salt, of SRTP and of SRTCP.
RTP_KEY, RTP_SALT, RTCP_KEY, RTCP_SALT = 0, 2, 3, 5

_ENCRYPTED = 1 << 31


def derive(master_key: bytes, master_salt: bytes, label: int, length: int) -> bytes:
    """Derive session bytes (RFC 3711, section 4.3.3); a salt of 96 bits counts as 112 with zeros behind."""
    salt = int.from_bytes(master_salt.ljust(14, b"\0"), "big")
    start = (salt ^ label << 48) << 16
    encryptor = Cipher(AES(master_key), CTR(start.to_bytes(16, "big"))).encryptor()
    return encryptor.update(bytes(length))


def make_iv(salt: bytes, ssrc: int, index: int) -> bytes:
    """Form the initialisation vector (RFC 7714, sections 8.1 and 9.1); of SRTP the index is ROC and SEQ."""
    return (int.from_bytes(salt, "big") ^ (ssrc << 48 | index)).to_bytes(12, "big")


@dataclass(frozen=True, slots=True)
class GcmSession:
    """Hold the session keys of one direction."""

    rtp_key: bytes
    rtp_salt: bytes
    rtcp_key: bytes
    rtcp_salt: bytes

    @classmethod
    def from_master(cls, key: bytes, salt: bytes) -> GcmSession:
        """Derive them."""
        return cls(
            derive(key, salt, RTP_KEY, len(key)),
            derive(key, salt, RTP_SALT, 12),
            derive(key, salt, RTCP_KEY, len(key)),
            derive(key, salt, RTCP_SALT, 12),
        )

    def protect(self, packet: bytes, header: int, rollover: int = 0) -> bytes:
        """Protect an RTP packet whose header (with extensions) has `header` bytes."""
        ssrc, sequence = int.from_bytes(packet[8:12], "big"), int.from_bytes(packet[2:4], "big")
        iv = make_iv(self.rtp_salt, ssrc, rollover << 16 | sequence)
        sealed = AESGCM(self.rtp_key).encrypt(iv, packet[header:], packet[:header])
        return packet[:header] + sealed

    def protect_rtcp(self, packet: bytes, index: int) -> bytes:
        """Protect a compound RTCP packet."""
        word = (_ENCRYPTED | index).to_bytes(4, "big")
        iv = make_iv(self.rtcp_salt, int.from_bytes(packet[4:8], "big"), index)
        return packet[:8] + AESGCM(self.rtcp_key).encrypt(iv, packet[8:], packet[:8] + word) + word
