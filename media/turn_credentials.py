"""Time-limited TURN credentials (draft-uberti-behave-turn-rest-00), as coturn's `use-auth-secret` takes them.

The TURN server shares one secret with us and knows no user: a username is the Unix second at which it ends, a colon and
a name; its password is the HMAC-SHA1 of that username under the secret. Nothing is kept, nothing is revoked: what was
given to a page ends by itself, and a page that stays longer asks for new ones before.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

#: RFC 7065, with a port and a transport at most. The host is a name, an IPv4 address or an IPv6 one in brackets.
_URL = re.compile(
    r"turns?:(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::(\d{1,5}))?"
    r"(?:\?transport=(?:udp|tcp))?"
)

#: Our names for users: what stands after the colon must not bear one, nor anything that a header would have to quote.
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


class TurnError(ValueError):
    """A URL or a name cannot be used for TURN; the text is a sentence."""


def check_turn_url(url: str) -> str:
    """Return a TURN URL as it is. Raise TurnError if it is none (RFC 7065)."""
    match = _URL.fullmatch(url)
    if match is None or (match[1] is not None and not 1 <= int(match[1]) <= 65535):
        raise TurnError(
            f"{url[:80]!r} is not a TURN URL such as turn:turn.example.org:3478 or"
            " turns:turn.example.org:443?transport=tcp."
        )
    return url


@dataclass(frozen=True, slots=True)
class IceServer:
    """A TURN server's URLs and the credentials for it; `expires` in Unix seconds."""

    urls: tuple[str, ...]
    username: str
    credential: str
    expires: int

    def to_json(self) -> dict[str, Any]:
        """Describe as an RTCIceServer, which a page hands to its connection as it is."""
        return {"urls": list(self.urls), "username": self.username, "credential": self.credential}

    def links(self) -> list[str]:
        """Give the values of `Link` headers (RFC 9725, section 4.6), one a URL."""
        return [
            f'<{url}>; rel="ice-server"; username="{self.username}"; credential="{self.credential}"; '
            'credential-type="password"'
            for url in self.urls
        ]


def turn_password(secret: bytes, username: str) -> str:
    """Derive the password of a username: the base64 of its HMAC-SHA1 under the shared secret."""
    return base64.b64encode(hmac.digest(secret, username.encode(), "sha1")).decode("ascii")


def ice_servers(
    urls: Sequence[str], secret: bytes, name: str, now: float, lifetime: float
) -> tuple[IceServer, ...]:
    """Make credentials that hold for `lifetime` seconds after `now` (Unix seconds); empty where no URL is given.

    `name` (1-64 characters of A-Z a-z 0-9 . _ -) tells users apart in the TURN server's quotas: never a person's
    name. Raise TurnError.
    """
    if not urls:
        return ()
    if _NAME.fullmatch(name) is None:
        raise TurnError("A TURN user's name has 1-64 characters of A-Z a-z 0-9 . _ -.")
    expires = int(now + lifetime)
    username = f"{expires}:{name}"
    checked = tuple(check_turn_url(url) for url in urls)
    return (IceServer(checked, username, turn_password(secret, username), expires),)
