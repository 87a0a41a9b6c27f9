"""SRTP with AES-GCM gives the bytes of the RFCs."""

import json
from pathlib import Path
from typing import Any

import pytest
from pylibsrtp import Policy, Session

from media.plane import Drop
from media.reference import srtp
from media.rtp.packet import RtpPacket, measure_header
from media.rtp.rtcp import ReceiverReport, SenderReport
from tests.helpers.rtp_srtp_gcm import RTP_KEY, RTP_SALT, GcmSession, derive, make_iv

VECTORS: Any = json.loads((Path(__file__).parents[2] / "vectors" / "srtp_gcm.json").read_text())
SALT = bytes.fromhex(VECTORS["session_salt"])
KEYS = list(VECTORS["rtp"]["protected"])

MASTERS = {
    "AEAD_AES_128_GCM": (Policy.SRTP_PROFILE_AEAD_AES_128_GCM, bytes(range(16)), bytes(range(160, 172))),
    "AEAD_AES_256_GCM": (Policy.SRTP_PROFILE_AEAD_AES_256_GCM, bytes(range(32)), bytes(range(160, 172))),
}


def session(profile: str, *, inbound: bool) -> Session:
    number, key, salt = MASTERS[profile]
    kind = Policy.SSRC_ANY_INBOUND if inbound else Policy.SSRC_ANY_OUTBOUND
    return Session(Policy(key=key + salt, ssrc_type=kind, srtp_profile=number))


@pytest.mark.parametrize("key", KEYS)
def test_packets_of_rfc_7714(key: str) -> None:
    vector = VECTORS["rtp"]
    plain = bytes.fromhex(vector["plain"])
    keys = GcmSession(bytes.fromhex(key), SALT, b"", b"")
    assert make_iv(SALT, 0x5501A0B2, 0xF17B).hex() == vector["iv"]
    assert keys.protect(plain, 12).hex() == vector["protected"][key]


@pytest.mark.parametrize("key", KEYS)
def test_reports_of_rfc_7714(key: str) -> None:
    vector = VECTORS["rtcp"]
    keys = GcmSession(b"", b"", bytes.fromhex(key), SALT)
    assert make_iv(SALT, int.from_bytes(b"Mars", "big"), vector["index"]).hex() == vector["iv"]
    protected = keys.protect_rtcp(bytes.fromhex(vector["plain"]), vector["index"])
    assert protected.hex() == vector["protected"][key]


def test_key_derivation_of_rfc_3711() -> None:
    vector = {name: bytes.fromhex(value) for name, value in VECTORS["derivation"].items()}
    assert derive(vector["master_key"], vector["master_salt"], RTP_KEY, 16) == vector["session_key"]
    assert derive(vector["master_key"], vector["master_salt"], RTP_SALT, 14) == vector["session_salt"]


@pytest.mark.parametrize("profile", MASTERS)
def test_libsrtp_protects_packets_as_the_rfc_says(profile: str) -> None:
    _, key, salt = MASTERS[profile]
    keys = GcmSession.from_master(key, salt)
    sending, receiving = session(profile, inbound=False), session(profile, inbound=True)
    for number in (65_533, 65_534, 65_535, 65_536, 65_537):
        packet = RtpPacket(
            96,
            number & 0xFFFF,
            number * 3000,
            0x5501A0B2,
            marker=True,
            csrc=(1, 2),
            extensions={1: b"0", 3: bytes(3)},
            payload=b"Gallia est omnis divisa in partes tres" * (number % 7),
        )
        plain = bytes(packet)
        expected = keys.protect(plain, measure_header(plain)[1], rollover=number >> 16)
        assert srtp.protect(sending, plain) == expected
        assert srtp.unprotect(receiving, expected) == plain


@pytest.mark.parametrize("profile", MASTERS)
def test_libsrtp_protects_reports_as_the_rfc_says(profile: str) -> None:
    _, key, salt = MASTERS[profile]
    keys = GcmSession.from_master(key, salt)
    sending, receiving = session(profile, inbound=False), session(profile, inbound=True)
    for index in (1, 2, 3):
        plain = bytes(SenderReport(0x4D617273, index << 40, index, index, index)) + bytes(ReceiverReport(2))
        expected = keys.protect_rtcp(plain, index)
        assert srtp.protect_rtcp(sending, plain) == expected
        assert srtp.unprotect_rtcp(receiving, expected) == plain


@pytest.mark.parametrize("profile", MASTERS)
def test_each_failure_has_its_reason(profile: str) -> None:
    sending, receiving = session(profile, inbound=False), session(profile, inbound=True)
    protected = srtp.protect(sending, bytes(RtpPacket(96, 1, 2, 3, payload=b"x")))
    assert isinstance(protected, bytes)
    assert srtp.unprotect(receiving, protected[:-1] + b"?") is Drop.AUTHENTICATION
    assert srtp.unprotect(receiving, protected) == bytes(RtpPacket(96, 1, 2, 3, payload=b"x"))
    assert srtp.unprotect(receiving, protected) is Drop.REPLAYED
    for sequence in (200, 600):
        later = srtp.protect(sending, bytes(RtpPacket(96, sequence, 2, 3)))
        assert isinstance(later, bytes)
        assert isinstance(srtp.unprotect(receiving, later), bytes)
    assert srtp.unprotect(receiving, protected) is Drop.REPLAYED
    # the same number again, without allow_repeat_tx
    assert srtp.protect(sending, bytes(RtpPacket(96, 600, 9, 3))) is Drop.PROTECT_FAILED
