"""A sealed file over HTTP, opened chunk by chunk on its way, with ranges (RFC 9110, section 14)."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from aiohttp import web

from recorder.seal.file import CHUNK, SealedReader
from recorder.seal.keys import DataKey
from recorder.seal.suites import SealError

log = logging.getLogger(__name__)


async def give_sealed(
    request: web.Request, path: Path, key: DataKey, headers: dict[str, str]
) -> web.StreamResponse:
    """Answer with the file or the range that is asked for.

    Where a chunk was tampered with the connection is closed within the body: nothing of it is given out.
    """
    try:
        file = await asyncio.to_thread(SealedReader, path, key, path.name)
    except SealError:
        log.error("a file of a recording was tampered with")
        raise web.HTTPInternalServerError(text="This recording has been tampered with.") from None
    if (asked := _asked(request, file.size)) is None:
        file.close()
        return web.Response(status=416, headers={"Content-Range": f"bytes */{file.size}"})
    start, stop, status = asked
    response = web.StreamResponse(status=status, headers={**headers, "Accept-Ranges": "bytes"})
    response.content_length = stop - start
    if status == web.HTTPPartialContent.status_code:
        response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{file.size}"
    try:
        await response.prepare(request)
        while start < stop and request.method != "HEAD":
            piece = await asyncio.to_thread(file.read_at, start, min(stop - start, CHUNK))
            await response.write(piece)
            start += len(piece)
        await response.write_eof()
        return response
    except SealError:
        log.error("a file of a recording was tampered with")
        if request.transport is not None:
            request.transport.abort()
        return response
    except ConnectionError:
        return response  # a player that seeks asks for another range, and leaves this one
    finally:
        file.close()


def _asked(request: web.Request, size: int) -> tuple[int, int, int] | None:
    """Tell from where to where, and the status; None where there is no such range."""
    try:
        asked = request.http_range
    except ValueError:
        return None
    if asked.start is None and asked.stop is None:
        return 0, size, web.HTTPOk.status_code
    start, stop, _ = asked.indices(size)
    return (start, stop, web.HTTPPartialContent.status_code) if start < stop else None
