"""STUN messages (RFC 8489) as ICE uses them (RFC 8445): bytes in, values out, and back.

Short-term credentials only: MESSAGE-INTEGRITY is HMAC-SHA1 over the password.
"""

from __future__ import annotations

import hmac
import ipaddress
import struct
import zlib
from dataclasses import dataclass, field
from enum import IntEnum

from ..plane import Address

MAGIC_COOKIE = 0x2112A442
_COOKIE = MAGIC_COOKIE.to_bytes(4, "big")
HEADER_SIZE = 20
#: No check of a browser is longer than 200 bytes; an Ethernet frame is the bound.
MAX_SIZE = 1500
MAX_ATTRIBUTES = 32
_FINGERPRINT_XOR = 0x5354554E
_INTEGRITY_SIZE = 24
_FINGERPRINT_SIZE = 8


class StunError(ValueError):
    """A datagram that is not the STUN message it seems to be."""


class MessageClass(IntEnum):
    """The two class bits of a message type."""

    REQUEST = 0x000
    INDICATION = 0x010
    SUCCESS = 0x100
    ERROR = 0x110


BINDING = 0x001


class Attribute(IntEnum):
    """Attribute types (RFC 8489, section 18.3; RFC 8445, section 20.1)."""

    MAPPED_ADDRESS = 0x0001
    USERNAME = 0x0006
    MESSAGE_INTEGRITY = 0x0008
    ERROR_CODE = 0x0009
    UNKNOWN_ATTRIBUTES = 0x000A
    REALM = 0x0014
    NONCE = 0x0015
    XOR_MAPPED_ADDRESS = 0x0020
    PRIORITY = 0x0024
    USE_CANDIDATE = 0x0025
    SOFTWARE = 0x8022
    FINGERPRINT = 0x8028
    ICE_CONTROLLED = 0x8029
    ICE_CONTROLLING = 0x802A


# a receiver must refuse a request with any other type below 0x8000 (RFC 8489, section 6.3.1)
_UNDERSTOOD = frozenset(int(attribute) for attribute in Attribute)


@dataclass(frozen=True, slots=True)
class Message:
    """A STUN message. `attributes` are in order, without MESSAGE-INTEGRITY and FINGERPRINT.

    `raw` is the datagram of a parsed message, up to which offset it is protected: `integrity_at` (0: it is not).
    """

    message_class: MessageClass
    transaction: bytes
    attributes: tuple[tuple[int, bytes], ...] = ()
    method: int = BINDING
    raw: bytes = field(default=b"", compare=False, repr=False)
    integrity_at: int = field(default=0, compare=False)

    def write(self, password: str | None = None) -> bytes:
        """Build the datagram, with MESSAGE-INTEGRITY if a password is given, and with FINGERPRINT."""
        body = b"".join(
            struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)
            for kind, value in self.attributes
        )
        if password is not None:
            covered = self._header(len(body) + _INTEGRITY_SIZE) + body
            digest = hmac.digest(password.encode(), covered, "sha1")
            body += struct.pack("!HH", Attribute.MESSAGE_INTEGRITY, 20) + digest
        covered = self._header(len(body) + _FINGERPRINT_SIZE) + body
        return covered + struct.pack("!HHI", Attribute.FINGERPRINT, 4, zlib.crc32(covered) ^ _FINGERPRINT_XOR)

    def _header(self, length: int) -> bytes:
        # the class bits stand between the method's (RFC 8489, section 5)
        method = (self.method & 0xF80) << 2 | (self.method & 0x70) << 1 | self.method & 0xF
        return struct.pack("!HH", method | self.message_class, length) + _COOKIE + self.transaction

    @classmethod
    def parse(cls, data: bytes) -> Message:
        """Read a datagram; StunError unless every length, the cookie and the FINGERPRINT (if any) are right."""
        if not HEADER_SIZE <= len(data) <= MAX_SIZE:
            raise StunError(f"A STUN message has {HEADER_SIZE} to {MAX_SIZE} bytes, this one {len(data)}.")
        kind, length = struct.unpack_from("!HH", data)
        if kind & 0xC000 or data[4:8] != _COOKIE:
            raise StunError("The datagram has no STUN header.")
        if length % 4 or length != len(data) - HEADER_SIZE:
            raise StunError("The STUN message's length is not that of its datagram.")
        attributes: list[tuple[int, bytes]] = []
        integrity_at = 0
        at = HEADER_SIZE
        while at < len(data):
            attribute, size = struct.unpack_from("!HH", data, at)
            end = at + 4 + size
            if end + -size % 4 > len(data):
                raise StunError("An attribute is longer than its STUN message.")
            if len(attributes) == MAX_ATTRIBUTES:
                raise StunError(f"The STUN message has more than {MAX_ATTRIBUTES} attributes.")
            if attribute == Attribute.FINGERPRINT:
                if end != len(data) or size != 4:
                    raise StunError("The FINGERPRINT is not at the end of its STUN message.")
                expected = zlib.crc32(data[:at]) ^ _FINGERPRINT_XOR
                if struct.unpack_from("!I", data, at + 4)[0] != expected:
                    raise StunError("The STUN message's FINGERPRINT is wrong.")
            elif attribute == Attribute.MESSAGE_INTEGRITY:
                if size != 20:
                    raise StunError("The MESSAGE-INTEGRITY has not 20 bytes.")
                integrity_at = integrity_at or at
            elif not integrity_at:  # what follows MESSAGE-INTEGRITY is not protected, so it is ignored
                attributes.append((attribute, data[at + 4 : end]))
            at = end + -size % 4
        method = (kind & 0x3E00) >> 2 | (kind & 0xE0) >> 1 | kind & 0xF
        return cls(MessageClass(kind & 0x110), data[8:20], tuple(attributes), method, data, integrity_at)

    def get(self, attribute: Attribute) -> bytes | None:
        """Give the first value of an attribute."""
        return next((value for kind, value in self.attributes if kind == attribute), None)

    def authenticated(self, password: str) -> bool:
        """Check MESSAGE-INTEGRITY of a parsed message."""
        if not self.integrity_at:
            return False
        # the length in the header is that of the message up to and including this attribute
        length = self.integrity_at + _INTEGRITY_SIZE - HEADER_SIZE
        covered = self.raw[:2] + struct.pack("!H", length) + self.raw[4 : self.integrity_at]
        digest = hmac.digest(password.encode(), covered, "sha1")
        return hmac.compare_digest(digest, self.raw[self.integrity_at + 4 : self.integrity_at + 24])

    @property
    def username(self) -> str:
        """The USERNAME, empty if there is none (or none in UTF-8)."""
        value = self.get(Attribute.USERNAME)
        return value.decode("utf-8", "replace") if value is not None and len(value) <= 513 else ""

    @property
    def unknown(self) -> tuple[int, ...]:
        """Attributes that we would have to understand and do not."""
        return tuple(kind for kind, _ in self.attributes if kind < 0x8000 and kind not in _UNDERSTOOD)

    @property
    def error_code(self) -> int:
        """The code of an ERROR-CODE attribute, 0 if there is none."""
        value = self.get(Attribute.ERROR_CODE)
        return (value[2] & 7) * 100 + value[3] if value is not None and len(value) >= 4 else 0

    @property
    def mapped_address(self) -> Address | None:
        """The XOR-MAPPED-ADDRESS, None if there is none or it is malformed."""
        value = self.get(Attribute.XOR_MAPPED_ADDRESS)
        if value is None or len(value) not in {8, 20} or value[1] != (1 if len(value) == 8 else 2):
            return None
        port = struct.unpack_from("!H", value, 2)[0] ^ (MAGIC_COOKIE >> 16)
        mask = (_COOKIE + self.transaction)[: len(value) - 4]
        host = bytes(a ^ b for a, b in zip(value[4:], mask, strict=True))
        return Address(str(ipaddress.ip_address(host)), port)


def xor_mapped_address(address: Address, transaction: bytes) -> tuple[int, bytes]:
    """Make the attribute that tells a peer where its request came from."""
    host = ipaddress.ip_address(address.host).packed
    mask = (_COOKIE + transaction)[: len(host)]
    value = struct.pack("!BBH", 0, 1 if len(host) == 4 else 2, address.port ^ (MAGIC_COOKIE >> 16))
    return Attribute.XOR_MAPPED_ADDRESS, value + bytes(a ^ b for a, b in zip(host, mask, strict=True))


def error_code(code: int, reason: str) -> tuple[int, bytes]:
    """Make an ERROR-CODE attribute."""
    return Attribute.ERROR_CODE, struct.pack("!HBB", 0, code // 100, code % 100) + reason.encode()


def peek_username(data: bytes) -> str:
    """Give a request's USERNAME, or an empty string for anything else; never raises."""
    try:
        message = Message.parse(data)
    except StunError:
        return ""
    return message.username if message.message_class is MessageClass.REQUEST else ""
