"""TLS for DICOM after PS3.15, B.12 (BCP 195: RFC 8996 and 9325): 1.2 or 1.3, forward secrecy, authenticated ciphers."""

from __future__ import annotations

import ssl
from pathlib import Path

#: What RFC 9325, 4.2 recommends of TLS 1.2; 1.3 has only such.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


def client_context(ca: str, certificate: str, key: str) -> ssl.SSLContext:
    """Trust `ca` (empty: the system's) and show a certificate, if there is one. Raise ValueError with a sentence."""
    return _profiled(ssl.Purpose.SERVER_AUTH, ca, certificate, key)


def server_context(ca: str, certificate: str, key: str) -> ssl.SSLContext:
    """Show a certificate, and let in only those whose own `ca` vouches for; empty: all. Raise ValueError."""
    context = _profiled(ssl.Purpose.CLIENT_AUTH, ca, certificate, key)
    if ca:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _profiled(purpose: ssl.Purpose, ca: str, certificate: str, key: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(purpose, cafile=ca or None)
    except OSError:
        raise ValueError(f"{ca} is missing or holds no certificates (PEM).") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    try:
        if key and Path(key).stat().st_mode & 0o077:
            raise ValueError(f"{key} can be read by others: chmod 600 it.")
        if certificate:
            context.load_cert_chain(certificate, key or None)
    except OSError:
        raise ValueError(
            f"{certificate} or its key is missing, or they do not belong together (PEM)."
        ) from None
    return context
