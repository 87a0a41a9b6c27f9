"""A PACS over DICOMweb (PS3.18): QIDO-RS, WADO-RS, STOW-RS, with bounded waits and sizes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from annotation.dicom.query import ANSWERS_LIMIT, FoundStudy, StudyQuery, qido_parameters, study_of_json
from annotation.dicom.storing import IN_MEMORY, SLOWEST

from .multipart import MultipartError, PartReader, boundary_of
from .pacs_error import AWAY, BROKEN, LARGE, REFUSED, SLOW, UNSAID, UNTRUSTED, PacsError, Verdict, refusal

#: Most bytes of an answer in JSON.
JSON_LIMIT = 8 << 20
PIECE = 1 << 18
JSON_TYPES = "application/dicom+json, application/fhir+json, application/json"

#: Transfer syntaxes as they are stored: nothing is converted for us.
ACCEPT = 'multipart/related; type="application/dicom"; transfer-syntax=*'
BOUNDARY = "konsil-and-nothing-of-a-file"


@dataclass(frozen=True, slots=True)
class WebPacs:
    """Where it is and how we show who we are."""

    url: str
    name: str
    seconds: float = 20.0
    user: str = ""
    password: str = ""
    token: str = ""
    ca: str = ""

    async def search(self, query: StudyQuery) -> tuple[list[FoundStudy], bool]:
        """Look for studies; the second says that there are more. Raise PacsError."""
        found = await self.json("/studies", qido_parameters(query))
        if not isinstance(found, list):
            raise PacsError("pacs_broken", BROKEN.format(self.name))
        studies = [study for study in map(study_of_json, found[:ANSWERS_LIMIT]) if study is not None]
        return studies, len(found) >= ANSWERS_LIMIT

    async def json(self, path: str, parameters: dict[str, str]) -> Any:
        """Ask for JSON. Raise PacsError."""
        # a caret parts the components of a name, and there are archives that do not know it as %5E
        query = urlencode(parameters, quote_via=quote, safe="^*,:")
        async with (
            self._session(total=3 * self.seconds) as session,
            self._asking(session, "GET", f"{path}?{query}", headers={"Accept": JSON_TYPES}) as answer,
        ):
            if answer.status == 204:
                return []
            body = bytearray()
            async for piece in answer.content.iter_chunked(PIECE):
                body += piece
                if len(body) > JSON_LIMIT:
                    raise PacsError("pacs_broken", BROKEN.format(self.name))
            try:
                return json.loads(body)
            except (ValueError, RecursionError):
                raise PacsError("pacs_broken", BROKEN.format(self.name)) from None

    async def retrieve(self, study: str, spool: Callable[[], Path], limit: int) -> AsyncGenerator[Path, None]:
        """Fetch a study, yielding each file as it is complete. Raise PacsError; what was yielded is whole."""
        async with (
            self._session(total=None) as session,
            self._asking(session, "GET", f"/studies/{study}", headers={"Accept": ACCEPT}) as answer,
        ):
            try:
                reader = PartReader(boundary_of(answer.headers.get("Content-Type", "")))
                total = 0
                path = spool()
                file = path.open("wb")
                try:
                    async for piece in answer.content.iter_chunked(PIECE):
                        total += len(piece)
                        if total > limit:
                            raise PacsError("too_large", LARGE.format(limit >> 20))
                        for part in reader.receive(piece):
                            if part is not None:
                                await asyncio.to_thread(file.write, part)
                                continue
                            file.close()
                            done, path = path, spool()
                            file = path.open("wb")
                            yield done
                finally:
                    # what is not complete is not an instance
                    file.close()
                    path.unlink(missing_ok=True)
            except MultipartError:
                raise PacsError("pacs_broken", BROKEN.format(self.name)) from None
            if not reader.complete:
                raise PacsError(
                    "pacs_broken", f"{self.name} broke off before the study was complete.", "broke_off"
                )

    async def store(self, path: Path) -> Verdict:
        """Send one object (STOW-RS); returns whether it was taken, and what was said if not. Raise PacsError."""
        head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        end = f"\r\n--{BOUNDARY}--\r\n".encode()
        size = (await asyncio.to_thread(path.stat)).st_size
        headers = {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary="{BOUNDARY}"',
            "Accept": "application/dicom+json",
        }
        if size > IN_MEMORY:
            # many archives want to know the length of what comes
            headers["Content-Length"] = str(len(head) + size + len(end))
            body: bytes | AsyncIterator[bytes] = _streamed(head, path, end)
        else:
            body = head + await asyncio.to_thread(path.read_bytes) + end
        async with (
            self._session(total=max(6 * self.seconds, size / SLOWEST)) as session,
            self._asking(
                session, "POST", "/studies", data=body, headers=headers, also=(400, 409, 415)
            ) as answer,
        ):
            raw = await answer.content.read(JSON_LIMIT)
            with contextlib.suppress(ValueError, RecursionError):
                return _verdict(json.loads(raw), answer.status)
            return Verdict(True) if answer.status in (200, 202) else UNSAID

    def _session(self, total: float | None) -> aiohttp.ClientSession:
        timeout = aiohttp.ClientTimeout(total=total, connect=self.seconds, sock_read=self.seconds)
        headers = {}
        if self.user:
            headers["Authorization"] = aiohttp.encode_basic_auth(self.user, self.password, "utf-8")
        elif self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        trusted = ssl.create_default_context(cafile=self.ca or None) if self.url.startswith("https") else None
        connector = aiohttp.TCPConnector(ssl=trusted) if trusted is not None else None
        return aiohttp.ClientSession(timeout=timeout, headers=headers, connector=connector)

    @contextlib.asynccontextmanager
    async def _asking(
        self,
        session: aiohttp.ClientSession,
        method: str,
        path: str,
        *,
        also: tuple[int, ...] = (),
        **fields: Any,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask; every way in which it can fail is a PacsError."""
        url = URL(self.url.rstrip("/") + path, encoded=True)
        try:
            # where it sends us else is not where our password belongs
            async with session.request(method, url, allow_redirects=False, **fields) as answer:
                if answer.status in (401, 403):
                    raise PacsError("pacs_refused", REFUSED.format(self.name))
                if answer.status == 404 and path.count("/") > 1:
                    raise PacsError(
                        "pacs_refused", f"{self.name} does not have this study any more.", "study_gone"
                    )
                if not (200 <= answer.status < 300 or answer.status in also):
                    raise PacsError("pacs_broken", f"{self.name} answered with HTTP status {answer.status}.")
                yield answer
        except TimeoutError:
            raise PacsError("pacs_slow", SLOW.format(self.name, self.seconds)) from None
        except aiohttp.ClientPayloadError:
            sentence = f"{self.name} broke off before its answer was complete."
            raise PacsError("pacs_broken", sentence, "broke_off") from None
        except (aiohttp.ClientSSLError, ssl.SSLError):
            raise PacsError("pacs_refused", UNTRUSTED.format(self.name), "untrusted") from None
        except (aiohttp.ClientConnectionError, OSError):
            raise PacsError("pacs_away", AWAY.format(self.name)) from None
        except (aiohttp.ClientError, ValueError) as error:
            if isinstance(error, PacsError):
                raise
            raise PacsError("pacs_broken", BROKEN.format(self.name)) from None


def _verdict(answer: Any, status: int) -> Verdict:
    """Read STOW's answer (PS3.18 10.5.3, annex I): what failed, and for what reason."""
    failed = answer.get("00081198", {}).get("Value") if isinstance(answer, dict) else None
    for item in failed if isinstance(failed, list) else []:
        reason = item.get("00081197", {}).get("Value", [0]) if isinstance(item, dict) else [0]
        said = isinstance(reason, list) and reason and isinstance(reason[0], int) and 0 < reason[0] <= 0xFFFF
        return refusal(reason[0]) if said else UNSAID
    return Verdict(True) if status in (200, 202) else UNSAID


async def _streamed(head: bytes, path: Path, end: bytes) -> AsyncGenerator[bytes, None]:
    """Give a part of a body around a file, without holding it."""
    yield head
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece
    finally:
        await asyncio.to_thread(file.close)
    yield end
