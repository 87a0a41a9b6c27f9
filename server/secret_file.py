"""Secrets on the disk, readable by the server's user alone: ours, made on the first start, and the TURN server's."""

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


def load_shared_secret(path: Path, key: str) -> bytes:
    """Read a secret that another system gave us, without the white space around it; `key` is the configuration's.

    Raises FileNotFoundError, PermissionError or ValueError, each with a sentence.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{key}: there is no file {path}.")
    if path.stat().st_mode & 0o077:
        raise PermissionError(f"{path} can be read by others: chmod 600 it.")
    secret = path.read_bytes().strip()
    if not secret:
        raise ValueError(f"{path} is empty.")
    return secret


#: Characters below which a shared secret is a mistake.
TURN_SECRET_MINIMUM = 16


def load_turn_secret(path: Path) -> bytes:
    """Read the secret that a TURN server shares with us, without the white space around it.

    Raises FileNotFoundError, PermissionError or ValueError, each with a sentence.
    """
    secret = load_shared_secret(path, "[turn] secret_file")
    if len(secret) < TURN_SECRET_MINIMUM:
        raise ValueError(f"{path} must hold at least {TURN_SECRET_MINIMUM} characters.")
    return secret
