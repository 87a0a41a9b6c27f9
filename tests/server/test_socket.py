"""The sending half of a WebSocket: one piece a turn of the loop, and a slow reader who costs nobody else anything."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web

from loadtests.caller import Caller, calling
from server.sockets import BACKLOG_LIMIT, CLOSE_CODE, Socket
from signalling.notices import ServerMessage
from tests.helpers.served import Served, served


class Line:
    """Stands for a request, its response, its protocol and its transport: takes what is written while it is open."""

    def __init__(self) -> None:
        self.transport = self.protocol = self.writer = self
        self.written: list[bytes] = []
        self.writing_paused = False
        self.closed = False
        self.code = 0
        self._taken = asyncio.Event()

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def is_closing(self) -> bool:
        return self.closed

    async def drain(self) -> None:
        if self.writing_paused:
            await self._taken.wait()

    async def close(self, *, code: int) -> None:
        self.code = code
        self.closed = True

    def take(self) -> None:
        """Read again."""
        self.writing_paused = False
        self._taken.set()

    def texts(self) -> list[list[str]]:
        """Part what was written into messages: a list a write."""
        return [list(_frames(piece)) for piece in self.written]


def _frames(data: bytes) -> Iterator[str]:
    while data:
        assert data[0] == 0x81, "a whole text frame"
        size, start = data[1], 2
        if size >= 126:
            start = 4 if size == 126 else 10
            size = int.from_bytes(data[2:start], "big")
        assert len(data) >= start + size
        yield data[start : start + size].decode()
        data = data[start + size :]


def socket_on(line: Line) -> Socket:
    return Socket(cast(web.Request, line), cast(web.WebSocketResponse, line))


def message(text: str) -> ServerMessage:
    return ServerMessage({}, text)


async def turn() -> None:
    """Let the loop turn often enough for all that is due."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_is_said_in_one_turn_leaves_in_one_piece_and_in_order() -> None:
    line = Line()
    sending = socket_on(line)
    lane = [b"stroke"]
    sending.lane = lambda: [lane.pop()] if lane else []
    for text in ("one", "two", "three"):
        sending.send(message(text))
    assert line.written == []
    await turn()
    # what is fleeting comes after what stays
    assert line.texts() == [["one", "two", "three", "stroke"]]
    sending.send(message("four"))
    await turn()
    assert line.texts()[1:] == [["four"]]


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
async def test_frames_of_every_length_can_be_read(size: int) -> None:
    line = Line()
    socket_on(line).send(message("x" * size))
    await turn()
    assert line.texts() == [["x" * size]]


async def test_one_who_does_not_read_is_told_later_all_that_stays_and_the_newest_of_what_does_not() -> None:
    line = Line()
    sending = socket_on(line)
    newest = b"1"
    sending.lane = lambda: [newest]
    attendant = asyncio.create_task(sending.attend())
    line.writing_paused = True
    sending.send(message("a"))
    await turn()
    line.written.clear()
    for n in range(100):
        newest = str(n).encode()
        sending.send(message(f"durable {n}"))
        sending.flush()
        await turn()
    assert line.written == []
    line.take()
    await turn()
    assert line.texts() == [[f"durable {n}" for n in range(100)] + ["99"]]
    attendant.cancel()


async def test_one_who_never_reads_is_cut_off() -> None:
    line = Line()
    sending = socket_on(line)
    attendant = asyncio.create_task(sending.attend())
    line.writing_paused = True
    sending.send(message("a"))
    await turn()
    for _ in range(17):
        sending.send(message("x" * (BACKLOG_LIMIT // 16)))
    assert sending.closing
    line.take()
    await asyncio.wait_for(attendant, 5)
    assert line.code == CLOSE_CODE
    assert [text for piece in line.texts() for text in piece] == ["a"]


async def test_the_last_words_are_written_before_it_closes() -> None:
    line = Line()
    sending = socket_on(line)
    attendant = asyncio.create_task(sending.attend())
    sending.send(message("one"))
    sending.finish(message("closed"))
    sending.send(message("too late"))
    await asyncio.wait_for(attendant, 5)
    assert [text for piece in line.texts() for text in piece] == ["one", "closed"]
    assert line.code == CLOSE_CODE


async def test_nothing_is_written_to_a_broken_line() -> None:
    line = Line()
    sending = socket_on(line)
    line.closed = True
    sending.send(message("one"))
    await turn()
    assert line.written == []
    assert sending.closing


def add(n: int) -> dict[str, Any]:
    points = [[round(i / 400, 4), round(n / 1000, 4)] for i in range(400)]
    return {
        "kind": "add",
        "mark": {
            "mark": f"m-{n}", "shape": "freehand", "anchor": {"board": 1}, "points": points, "width": 0.004, "text": "",
        },
    }  # fmt: skip


async def test_over_real_sockets_a_slow_reader_holds_nobody_up_and_loses_no_mark(tmp_path: Path) -> None:
    server: Served
    async with (
        served(tmp_path) as server,
        calling(
            server.url, *[server.token("expert", name) for name in ("Slow", "Draws", "Reads")]
        ) as callers,
    ):
        slow, draws, reads = callers
        member = next(
            m for m in server.service.rooms["ward"].members.values() if m.identifier == slow.identifier
        )
        assert member.socket is not None
        line = _hold(slow, member.socket)
        count = 0
        while not member.socket.slow:
            await draws.request("mark", operation=add(count), patience=30)
            count += 1
            assert count < 200
        for n in range(200):
            await draws.send(_stroke(n, server.service.now() * 1000))
        await draws.request("mark", operation=add(count), patience=30)
        count += 1
        # the quick one has all of it while the slow one stands
        await _told(reads, count)
        assert member.socket.slow
        line.resume_reading()
        await _told(slow, count)
        # of what was drawn meanwhile at most the newest, if that is not old by now
        assert sum(seen["type"] == "stroke" for seen in slow._seen) <= 1


def _hold(caller: Caller, served: Socket) -> asyncio.Transport:
    """Have a caller read no more, and both ends hold little for it."""
    assert caller._socket is not None
    line = caller._socket.transport
    assert isinstance(line, asyncio.Transport)
    line.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    served._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    line.pause_reading()
    return line


def _stroke(n: int, sent: float) -> dict[str, Any]:
    return {
        "type": "stroke", "mark": "m-x", "shape": "freehand", "anchor": {"board": 1}, "from": 0,
        "points": [[0.1, 0.1], [round(n / 1000, 4), 0.2]], "width": 0.004, "sent": sent, "n": n,
    }  # fmt: skip


async def _told(caller: Caller, count: int) -> None:
    marks = [await caller.notice("operation", sequence=n + 1) for n in range(count)]
    assert [told["operation"]["mark"]["mark"] for told in marks] == [f"m-{n}" for n in range(count)]
    assert json.loads(json.dumps(marks[-1]))["author"] != caller.identifier
