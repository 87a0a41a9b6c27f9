"""Our side of WHIP (RFC 9725): one POST, one DELETE, and between them the sending times of a picture with a barcode."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import quote, urljoin, urlsplit

import aiohttp

from .server_clock import ServerClock

#: Seconds for one request.
TIMEOUT = 10.0

#: What an answer or an error may be long.
MOST_BYTES = 1 << 18


class WhipError(Exception):
    """The server did not do what was asked; `final`: nor will it if asked again."""

    def __init__(self, message: str, *, final: bool) -> None:
        super().__init__(message)
        self.final = final


class SessionEndedError(WhipError):
    """The server knows the session no more."""


@dataclass(frozen=True, slots=True)
class Barcode:
    """Frame `frame` of a loop of `modulus` left at `time` (Unix ms by the server), the others `interval_ms` apart."""

    frame: int
    time: float
    interval_ms: float
    modulus: int


class Whip:
    """One session with a server. The token stands in a header, never in an address or a message."""

    def __init__(self, server: str, token: str, former: str = "") -> None:
        """`server` is its http(s) address, `former` a session's that broke (`resource`): its place is taken again.

        ValueError where `server` is none.
        """
        parts = urlsplit(server)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"The server's address must begin with http:// or https://, not {server!r}.")
        self.host: str = parts.hostname
        self.clock = ServerClock()
        self._server = server.rstrip("/")
        self._origin = (parts.scheme, parts.netloc)
        self._headers = {"Authorization": f"Bearer {token}"}
        self._former = former
        self._resource: str | None = None
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Whip:
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=TIMEOUT), headers=self._headers
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._http is not None
        await self._http.close()

    @property
    def resource(self) -> str:
        """The session's address, also of one that is over; empty where there was none."""
        return self._resource or self._former

    async def offer(self, room: str, sdp: str, *, source: str, label: str) -> str:
        """Ask the server in; returns its answer. WhipError otherwise."""
        url = (
            f"{self._server}/whip/{quote(room, safe='')}?source={quote(source)}&label={quote(label, safe='')}"
        )
        named = {"Konsil-Former": self._former} if self._former else {}
        status, headers, body = await self._request("POST", url, sdp.encode(), "application/sdp", named)
        if status != 201:
            raise _refused(status, body)
        resource = urljoin(url, headers.get("Location", ""))
        parts = urlsplit(resource)
        # the token goes to nobody else
        if "Location" not in headers or (parts.scheme, parts.netloc) != self._origin:
            raise WhipError("The server named no session of its own.", final=True)
        self._resource = resource
        return body.decode("utf-8", "replace")

    async def tell(self, barcode: Barcode) -> None:
        """Make the sending time of a frame known. WhipError otherwise, SessionEndedError when there is no session."""
        assert self._resource is not None, "told before asked in"
        body = json.dumps(
            {
                "frame": barcode.frame,
                "time": barcode.time,
                "interval_ms": barcode.interval_ms,
                "modulus": barcode.modulus,
            }
        ).encode()
        status, _, answer = await self._request("POST", f"{self._resource}/barcode", body, "application/json")
        if status in (404, 410):
            raise SessionEndedError("The server has ended the session.", final=False)
        if status >= 300:
            raise _refused(status, answer)

    async def synchronise(self) -> None:
        """Compare clocks with the server. WhipError where it cannot be reached."""
        await self._request("GET", f"{self._server}/healthz", None, None)

    async def end(self) -> None:
        """Leave the room; nothing happens where there is no session. WhipError where the server does not hear it."""
        resource, self._resource = self._resource, None
        if resource is not None:
            status, _, body = await self._request("DELETE", resource, None, None)
            # not found: it ended before
            if status >= 300 and status != 404:
                raise _refused(status, body)

    async def _request(
        self,
        method: str,
        url: str,
        body: bytes | None,
        content_type: str | None,
        named: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        assert self._http is not None, "the session is entered first"
        headers = ({"Content-Type": content_type} if content_type else {}) | dict(named or {})
        asked = time.time_ns()
        try:
            async with self._http.request(
                method, url, data=body, headers=headers, allow_redirects=False
            ) as response:
                answered = time.time_ns()
                read = await response.content.read(MOST_BYTES)
                while len(read) < MOST_BYTES and (
                    more := await response.content.read(MOST_BYTES - len(read))
                ):
                    read += more
                self._learn(response.headers.get("Konsil-Time", ""), asked, answered)
                return response.status, {str(k): v for k, v in response.headers.items()}, read
        except (aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError) as error:
            raise WhipError(
                f"The certificate of {self.host} is not trusted (SSL_CERT_FILE names one's own authority): "
                f"{getattr(error, 'certificate_error', error)}",
                final=True,
            ) from None
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            cause = getattr(error, "os_error", error)
            words = getattr(cause, "strerror", None) or str(error) or type(error).__name__
            raise WhipError(
                f"The server at {self._server} cannot be reached: {words}.", final=False
            ) from None

    def _learn(self, text: str, asked: int, answered: int) -> None:
        try:
            milliseconds = float(text)
        except ValueError:
            return
        # beyond this it is no time at all
        if 0 < milliseconds < 1e14:
            self.clock.add(asked, round(milliseconds * 1_000_000), answered)


def _refused(status: int, body: bytes) -> WhipError:
    try:
        message = str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        message = f"status {status}"
    # 404 of a session: it has ended; 429 and 5xx pass
    return WhipError(
        f"The server refused: {message[:500]}",
        final=400 <= status < 500 and status not in (404, 408, 409, 429),
    )
