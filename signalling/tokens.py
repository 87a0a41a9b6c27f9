"""Signed links: who may enter which room, as whom, until when (JWT, RFC 7519, HS256 only).

The token never stands in an error's text, nor does anything that was inside one that could not be trusted.
"""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass, replace
from typing import Any, Final, cast

import jwt

from .permissions import ROLES, Role
from .text import check_text

AUDIENCE: Final = "konsil"
#: An HMAC-SHA256 key shorter than its output weakens it (RFC 7518, section 3.2).
SECRET_BYTES: Final = 32
TOKEN_CHARACTERS: Final = 4096
NAME_CHARACTERS: Final = 80
SUBJECT_CHARACTERS: Final = 64

_ROOM: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}")
# three base64url parts: whatever else there is never reaches a decoder
_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class TokenError(ValueError):
    """The link does not admit. `code` is token_expired or token_invalid (PROTOCOL.md, section 7)."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified link says. `expires` is in Unix seconds.

    `wait`: whether its bearer waits at the door; None: as the room has it. `link` names the link itself, and opens
    nothing.
    """

    room: str
    name: str
    role: Role
    subject: str | None
    expires: float
    wait: bool | None = None
    link: str = ""


def person_named(room: str, name: str, subject: str | None) -> str:
    """Name a person beyond a link: by the subject, else by room and name. It stands in no log."""
    return f"subject {subject}" if subject is not None else f"{room}/{name}"


def is_room_name(value: object) -> bool:
    """Tell whether `value` may name a room: 1-64 of A-Z a-z 0-9 - _ . and no dot in front."""
    return isinstance(value, str) and _ROOM.fullmatch(value) is not None


def issue(
    secret: bytes,
    *,
    room: str,
    name: str,
    role: Role,
    expires: float,
    subject: str | None = None,
    wait: bool | None = None,
) -> str:
    """Sign a link's token. Raise ValueError if `verify` would refuse it."""
    _check_secret(secret)
    claims: dict[str, Any] = {"aud": AUDIENCE, "room": room, "name": name, "role": role, "exp": int(expires)}
    if subject is not None:
        claims["sub"] = subject
    if wait is not None:
        claims["wait"] = wait
    _read(claims)
    return jwt.encode(claims, secret, algorithm="HS256")


def verify(secret: bytes, token: str, now: float, room: str | None = None) -> Claims:
    """Check the token's signature, audience, expiry (against `now`, Unix seconds) and claims.

    With `room`, it must be the token's. Raise TokenError.
    """
    _check_secret(secret)
    if len(token) > TOKEN_CHARACTERS or not _COMPACT.fullmatch(token):
        raise _invalid("is not a signed link")
    try:
        payload = jwt.decode(
            token,
            secret,
            algorithms=["HS256"],
            audience=AUDIENCE,
            # its clock is not ours: exp and nbf are checked below
            options={
                "require": ["aud", "exp"],
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
    except (jwt.PyJWTError, ValueError, RecursionError):
        # what exactly is wrong helps only whoever forges one
        raise _invalid("is not one of this server's") from None
    claims = _read(payload)
    if payload.get("nbf") is not None and not _seconds(payload["nbf"]) <= now:
        raise _invalid("is not valid yet")
    if claims.expires <= now:
        raise TokenError("token_expired", "This link has expired. Ask for a new one.")
    if room is not None and claims.room != room:
        raise _invalid("is for another room")
    return replace(claims, link=hashlib.sha256(token.encode()).hexdigest()[:32])


def _read(payload: dict[str, Any]) -> Claims:
    room, role, subject = payload.get("room"), payload.get("role"), payload.get("sub")
    wait = payload.get("wait")
    if wait is not None and type(wait) is not bool:
        raise _invalid("does not say whether its bearer waits")
    if not is_room_name(room):
        raise _invalid("names no valid room")
    if not isinstance(role, str) or role not in ROLES:
        raise _invalid("names no known role")
    try:
        name = check_text(payload.get("name"), 1, NAME_CHARACTERS)
        if not name.strip():
            raise ValueError("is blank")
        if subject is not None:
            subject = check_text(subject, 1, SUBJECT_CHARACTERS)
    except ValueError:
        raise _invalid("names no valid person") from None
    return Claims(cast(str, room), name, role, subject, _seconds(payload.get("exp")), wait)


def _seconds(value: object) -> float:
    # beyond 2**53 a float no longer counts seconds
    if type(value) in (int, float) and math.isfinite(cast(float, value)) and 0 <= cast(float, value) <= 2**53:
        return float(cast(float, value))
    raise _invalid("bears no valid time")


def _check_secret(secret: bytes) -> None:
    if len(secret) < SECRET_BYTES:
        raise ValueError(f"The secret that signs links must have at least {SECRET_BYTES} bytes.")


def _invalid(what: str) -> TokenError:
    return TokenError("token_invalid", f"This link {what}. Ask for a new one.")
