"""De-identified copies over HTTP (PROTOCOL.md, section 12): looked at, asked for, fetched once by a ticket.

The ticket stands in the address, so that the browser saves the ZIP file as it comes and nothing of it is held in the
page: it is good for one fetch within a minute, and names nothing.
"""

from __future__ import annotations

import asyncio
import contextlib

from aiohttp import web

from .dicom.copies import PATIENCE
from .dicom.copy_request import REQUEST_LIMIT, parse_copy_request
from .dicom.pacs_error import PacsError
from .hospital_http import BASE, PRIVATE, HospitalHttp, refused
from .request_body import read_up_to
from .service import Service

NAME = "deidentified-copy.zip"


def add_routes(application: web.Application, service: Service) -> None:
    """Add the paths."""
    http = CopiesHttp(service)
    application.router.add_post(BASE + "/copy/preview", http.preview)
    application.router.add_post(BASE + "/copy", http.ask)
    application.router.add_get(BASE + "/copies/{ticket}", http.take)


class CopiesHttp(HospitalHttp):
    """Answers for the token's room."""

    async def preview(self, request: web.Request) -> web.Response:
        """Say what could be in a copy, and what has to be looked at."""
        conductor = self.room(self.claims(request, "copy_out"))
        return web.json_response(self.service.hospital.copies.preview(conductor), headers=PRIVATE)

    async def ask(self, request: web.Request) -> web.Response:
        """Take somebody's choice."""
        claims = self.claims(request, "copy_out")
        raw = await read_up_to(request, REQUEST_LIMIT)
        if len(raw) > REQUEST_LIMIT:
            raise refused(PacsError("bad_request", "The question is too long."))
        try:
            choice = parse_copy_request(raw)
            ticket = self.service.hospital.copies.ask(self.room(claims), choice, claims)
        except PacsError as error:
            raise refused(error) from None
        return web.json_response({"copy": f"{BASE}/copies/{ticket}"}, status=201)

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Send the ZIP file while it is made."""
        copies = self.service.hospital.copies
        copy = copies.fetch(request.match_info["ticket"])
        if copy is None:
            raise refused(PacsError("not_found", "This copy was fetched already, or its time is over."))
        disposition = {"Content-Disposition": f'attachment; filename="{NAME}"'}
        response = web.StreamResponse(headers={**PRIVATE, **disposition})
        response.content_type = "application/zip"
        await response.prepare(request)
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with contextlib.aclosing(copies.make(copy)) as pieces:
                async for piece in pieces:
                    async with asyncio.timeout(PATIENCE):
                        await response.write(piece)
        if copy.state == "done":
            await response.write_eof()
        elif request.transport is not None:
            # without an end the browser knows that it is not whole
            request.transport.abort()
        return response
