"""The signing secret: made on the first start, readable by the server's user alone."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

#: HS256 wants at least as many bytes as its hash has (RFC 7518, section 3.2).
SECRET_BYTES = 32


def load_secret(path: Path) -> bytes:
    """Read the secret, or make it if the file is missing.

    Raises PermissionError when others can read the file, ValueError when it is too short.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if path.stat().st_mode & 0o077:
            raise PermissionError(
                f"{path} can be read by others: chmod 600 it, or delete it (all links end)."
            ) from None
        secret = path.read_bytes()
        if len(secret) < SECRET_BYTES:
            raise ValueError(
                f"{path} has fewer than {SECRET_BYTES} bytes: delete it (all links end)."
            ) from None
        return secret
    with os.fdopen(descriptor, "wb") as file:
        secret = secrets.token_bytes(SECRET_BYTES)
        file.write(secret)
    return secret
