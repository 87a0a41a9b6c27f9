"""libsrtp's functions, out of pylibsrtp's binding, handed to the extension; and their test at start."""

from __future__ import annotations

from pylibsrtp import Policy, Session
from pylibsrtp._binding import ffi, lib

from . import _native

# libsrtp's own vectors (srtp_driver.c): master key and salt, and what becomes of one packet
_PACKET = bytes.fromhex("800f1234decafbadcafebabe") + b"\xab" * 16
_VECTORS = (
    (
        Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
        "000102030405060708090a0b0c0d0e0fa0a1a2a3a4a5a6a7a8a9aaab",
        "800f1234decafbadcafebabec5002ede04cfdd2eb91159e0880aa06ed2976826f796b201df3131a127e8a392",
    ),
    (
        Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
        "e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6",
        "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb",
    ),
)

# a receiver report without blocks
_RTCP = bytes.fromhex("80c90001cafebabe")


def session_pointer(session: Session) -> int:
    """Give the srtp_t of a session, for C. The session must outlive its use there."""
    return int(ffi.cast("uintptr_t", session._srtp[0]))


def connect_libsrtp() -> None:
    """Hand libsrtp's functions to the extension and prove that they are what they should be.

    Raises RuntimeError if an answer is not the known one: another version of pylibsrtp, or a broken build.
    """
    names = ("srtp_protect", "srtp_unprotect", "srtp_protect_rtcp", "srtp_unprotect_rtcp")
    _native.set_srtp(*(int(ffi.cast("uintptr_t", ffi.addressof(lib, name))) for name in names))
    for profile, key, expected in _VECTORS:
        sender = _session(profile, bytes.fromhex(key), Policy.SSRC_ANY_OUTBOUND)
        receiver = _session(profile, bytes.fromhex(key), Policy.SSRC_ANY_INBOUND)
        protected = _native.protect(session_pointer(sender), _PACKET)
        if protected.hex() != expected:
            raise RuntimeError(
                "libsrtp does not protect as its own test vectors say: the plane cannot start."
            )
        if _native.unprotect(session_pointer(receiver), protected) != _PACKET:
            raise RuntimeError("libsrtp does not unprotect what it protected: the plane cannot start.")
        report = _native.protect_rtcp(session_pointer(sender), _RTCP)
        if report == _RTCP or _native.unprotect_rtcp(session_pointer(receiver), report) != _RTCP:
            raise RuntimeError("libsrtp does not unprotect the RTCP it protected: the plane cannot start.")


def _session(profile: int, key: bytes, direction: int) -> Session:
    return Session(Policy(key=key, ssrc_type=direction, srtp_profile=profile))
