"""TLS for DICOM after PS3.15, B.12 (BCP 195: RFC 8996 and 9325): 1.2 or 1.3, forward secrecy, authenticated ciphers."""

from __future__ import annotations

import ssl
from pathlib import Path

#: What RFC 9325 recommends of TLS 1.2; 1.3 has only such.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


def client_context(ca: str, certificate: str, key: str) -> ssl.SSLContext:
    """Trust `ca` (empty: the system's) and show a certificate, if there is one. Raise OSError, ValueError."""
    context = ssl.create_default_context(cafile=ca or None)
    return _profiled(context, certificate, key)


def server_context(ca: str, certificate: str, key: str) -> ssl.SSLContext:
    """Show a certificate, and let in only those whose own `ca` vouches for; empty: all. Raise OSError, ValueError."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca or None)
    if ca:
        context.verify_mode = ssl.CERT_REQUIRED
    return _profiled(context, certificate, key)


def _profiled(context: ssl.SSLContext, certificate: str, key: str) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    if certificate:
        if key and Path(key).stat().st_mode & 0o077:
            raise PermissionError(f"{key} can be read by others: chmod 600 it.")
        context.load_cert_chain(certificate, key or None)
    return context
