"""A film goes to an archive from the disk: the same bytes as what fits into memory, with its length said before."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from server.dicom import pacs_web
from server.dicom.pacs_web import WebPacs


@pytest.mark.parametrize("size", [0, 1, pacs_web.PIECE, pacs_web.PIECE * 2 + 7])
async def test_what_is_streamed_is_what_was_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    path = tmp_path / "film.dcm"
    path.write_bytes(bytes(range(256)) * (size // 256) + bytes(size % 256))
    got: list[tuple[dict[str, str], bytes]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        got.append((headers, await reader.readexactly(int(headers["content-length"]))))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    archive = WebPacs(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "PACS")
    async with server, asyncio.timeout(30):
        for most in (1 << 30, -1):
            monkeypatch.setattr(pacs_web, "IN_MEMORY", most)
            assert (await archive.store(path)).taken
    (held, one), (streamed, other) = got
    assert one == other
    assert path.read_bytes() in one
    assert held["content-length"] == streamed["content-length"]
    assert "transfer-encoding" not in streamed
