"""Bodies over HTTP as DICOMweb has them: JSON, packed; parts (RFC 2046); ranges of bytes (RFC 9110, 14)."""

from __future__ import annotations

import gzip
import re
import secrets
from collections.abc import Mapping, Sequence

from aiohttp import web

JSON = "application/dicom+json"
OCTETS = "application/octet-stream"

#: JSON below this is sent as it is.
PACKED_FROM = 2048

#: Kept by the page's own cache for an hour, and only for who asked with the same token and in the same way.
CACHED = {"Cache-Control": "private, max-age=3600", "Vary": "Authorization, Accept"}
UNCACHED = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Accept, Accept-Encoding"}

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def pack(text: str) -> bytes:
    """Pack a JSON text, quickly rather than tightly."""
    return gzip.compress(text.encode("utf-8", "surrogatepass"), 1, mtime=0)


def json_answer(request: web.Request, text: str, packed: bytes | None = None) -> web.Response:
    """Answer with DICOM JSON, packed if that pays and who asks can unpack."""
    headers = {**UNCACHED, "Content-Type": JSON}
    if "gzip" in request.headers.get("Accept-Encoding", "") and len(text) > PACKED_FROM:
        return web.Response(body=packed or pack(text), headers={**headers, "Content-Encoding": "gzip"})
    return web.Response(body=text.encode("utf-8", "replace"), headers=headers)


def not_modified(request: web.Request, tag: str) -> bool:
    """Tell whether who asks has this already."""
    asked = request.headers.get("If-None-Match", "")
    return asked == "*" or tag in [item.strip().removeprefix("W/") for item in asked.split(",")]


def bytes_answer(request: web.Request, body: bytes, content_type: str, tag: str) -> web.Response:
    """Answer with bytes, or with the range of them that is asked for."""
    headers = {**CACHED, "ETag": tag, "Accept-Ranges": "bytes", "Content-Type": content_type}
    if not_modified(request, tag):
        return web.Response(status=304, headers=headers)
    asked = request.headers.get("Range")
    if asked is None or request.headers.get("If-Range", tag) != tag:
        return web.Response(body=body, headers=headers)
    span = parse_range(asked, len(body))
    if span is None:
        return web.Response(body=body, headers=headers)
    start, end = span
    if start >= end:
        return web.Response(status=416, headers={"Content-Range": f"bytes */{len(body)}"})
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(body)}"
    return web.Response(status=206, body=body[start:end], headers=headers)


def parse_range(text: str, length: int) -> tuple[int, int] | None:
    """Parse a Range header: start and end (empty if it cannot be met), None if it is not one range of bytes."""
    found = _RANGE.fullmatch(text.replace(" ", ""))
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        return max(0, length - int(last)), length
    end = min(length, int(last) + 1) if last else length
    return int(first), end


def boundary() -> str:
    """Make what parts the parts."""
    return "konsil-" + secrets.token_hex(12)


def part_head(mark: str, content_type: str, length: int, location: str = "") -> bytes:
    """Write what stands before a part's bytes."""
    lines = [f"\r\n--{mark}", f"Content-Type: {content_type}", f"Content-Length: {length}"]
    if location:
        lines.append(f"Content-Location: {location}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def parts(mark: str, bodies: Sequence[tuple[str, bytes]]) -> bytes:
    """Write bodies, each with its content type, as one multipart body."""
    pieces: list[bytes] = []
    for content_type, body in bodies:
        pieces += [part_head(mark, content_type, len(body)), body]
    return b"".join(pieces) + f"\r\n--{mark}--\r\n".encode()


def related(mark: str, content_type: str) -> str:
    """Name the type of a multipart body."""
    return f'multipart/related; type="{content_type}"; boundary={mark}'


def accepted(request: web.Request) -> list[tuple[str, Mapping[str, str]]]:
    """Parse the Accept header and DICOMweb's `accept` parameter: types with their parameters, as they stand."""
    text = str(request.query.get("accept") or request.headers.get("Accept") or "")
    found: list[tuple[str, Mapping[str, str]]] = []
    for item in re.findall(r'(?:[^,"]|"[^"]*")+', text[:2000]):
        kind, *rest = [piece.strip() for piece in item.split(";")]
        parameters: dict[str, str] = {}
        for piece in rest:
            name, _, value = piece.partition("=")
            parameters[name.strip().lower()] = value.strip().strip('"')
        found.append((kind.lower(), parameters))
    return found
