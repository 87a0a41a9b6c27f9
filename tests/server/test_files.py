"""Files over HTTP against a real server: pieces, breaks, hashes, a scanner, limits, and who may do what."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from loadtests.caller import Caller, Refused
from loadtests.files import measure
from loadtests.server_process import ServerUnderLoad
from server.config import FilesConfig, ScannerConfig
from server.files import ABANDONED, MOST_BEGUN, FileStore
from server.files_http import PATH, PIECE_TYPE
from server.scanning import Scanner
from signalling.file_digest import FileDigest
from tests.helpers.served import Answered, Served, served
from tests.helpers.udp_peers import until


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as server:
        yield server


def digest_of(data: bytes) -> str:
    digest = FileDigest()
    digest.update(data)
    return digest.hexdigest()


class Sender:
    """One person with a link, who is in the room as long as the context lasts."""

    def __init__(self, server: Served, role: Any = "expert", room: str = "ward", token: str = "") -> None:
        self.server = server
        self.token = token or server.token(role, room=room)

    async def __aenter__(self) -> Sender:
        self.caller = Caller(self.server.url, self.token)
        await self.caller.join()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.caller.close()

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def ask(self, method: str, target: str = "", body: bytes = b"", **headers: str) -> Answered:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.server.ask(method, PATH + target, self.bearer | named, body)

    async def begin(self, name: str = "report.pdf", size: int = 5, kind: str = "application/pdf") -> Answered:
        return await self.ask("POST", "", json.dumps({"name": name, "size": size, "type": kind}).encode())

    async def piece(self, file: str, offset: int, data: bytes) -> Answered:
        return await self.ask("PATCH", f"/{file}", data, Content_Type=PIECE_TYPE, Upload_Offset=str(offset))

    async def finish(self, file: str, digest: str) -> Answered:
        return await self.ask("POST", f"/{file}", json.dumps({"digest": digest}).encode())

    async def send(self, data: bytes, name: str = "report.pdf") -> Answered:
        file = (await self.begin(name, len(data))).json()["file"]
        assert (await self.piece(file, 0, data)).status == 204
        return await self.finish(file, digest_of(data))


Enter = Callable[..., Awaitable[Sender]]


@pytest.fixture
async def enter() -> AsyncIterator[Enter]:
    async with contextlib.AsyncExitStack() as stack:

        async def come_in(
            server: Served, role: Any = "expert", room: str = "ward", token: str = ""
        ) -> Sender:
            return await stack.enter_async_context(Sender(server, role, room, token))

        yield come_in


async def test_a_file_goes_from_one_to_another(running: Served, tmp_path: Path, enter: Enter) -> None:
    data = os.urandom(300_000)
    sender, other = await enter(running), await enter(running, "surgeon")
    begun = await sender.begin("Befund „A“.pdf", len(data))
    assert (begun.status, begun.json()["offset"]) == (201, 0)
    file = begun.json()["file"]
    assert begun.headers["location"] == f"{PATH}/{file}"
    first = await sender.piece(file, 0, data[:100_000])
    assert (first.status, first.headers["upload-offset"]) == (204, "100000")
    # before it is whole it is nobody's to fetch, and nobody else's to send
    assert (await other.ask("GET", f"/{file}")).status == 404
    assert (await other.piece(file, 100_000, b"x")).status == 404
    told = await sender.ask("HEAD", f"/{file}")
    assert (told.headers["upload-offset"], told.headers["upload-length"]) == ("100000", "300000")
    wrong = await sender.piece(file, 0, data[:10])
    assert (wrong.status, wrong.headers["upload-offset"]) == (409, "100000")
    assert (await sender.finish(file, digest_of(data))).status == 409
    await sender.piece(file, 100_000, data[100_000:])
    done = await sender.finish(file, digest_of(data))
    assert done.status == 200
    assert done.json()["digest"] == digest_of(data)
    assert not done.json()["scanned"]
    assert (await sender.finish(file, digest_of(data))).json() == done.json()

    listed = (await other.ask("GET")).json()
    assert [(item["file"], item["name"], item["size"]) for item in listed["files"]] == [
        (file, "Befund „A“.pdf", 300_000)
    ]
    whole = await other.ask("GET", f"/{file}")
    assert (whole.status, whole.body) == (200, data)
    assert whole.headers["content-type"] == "application/octet-stream"
    assert whole.headers["content-disposition"].startswith("attachment; ")
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert whole.headers["konsil-digest"] == digest_of(data)
    part = await other.ask("GET", f"/{file}", Range="bytes=299990-")
    assert (part.status, part.body) == (206, data[-10:])
    assert (await other.ask("GET", f"/{file}", Range="bytes=300000-")).status == 416
    # on the disk nothing bears its name, and nobody else reads it
    names = [path.name for path in (tmp_path / "files").rglob("*")]
    assert not any("Befund" in name for name in names)
    content = tmp_path / "files" / "kept" / file / "content"
    assert stat.S_IMODE(content.stat().st_mode) == 0o600

    assert (await (await enter(running, room="icu")).ask("GET", f"/{file}")).status == 404
    assert (await (await enter(running, room="icu")).ask("DELETE", f"/{file}")).status == 404
    assert (await sender.ask("DELETE", f"/{file}")).status == 204
    assert (await other.ask("GET", f"/{file}")).status == 404
    assert not content.exists()


async def test_everybody_is_told_in_the_log_and_once(running: Served, enter: Enter) -> None:
    sender = await enter(running)
    async with Caller(running.url, running.token("trainee")) as other:
        file = (await sender.begin("Ä.pdf", 1)).json()["file"]
        await sender.piece(file, 0, b"x")
        # with the link alone nothing goes out: the log wants an author who is there
        await sender.caller.request("leave")
        outside = await sender.finish(file, digest_of(b"x"))
        assert (outside.status, outside.json()["code"]) == (403, "not_present")
        assert (await sender.begin()).status == 403
        async with Caller(running.url, sender.token) as me:
            answers = await asyncio.gather(*(sender.finish(file, digest_of(b"x")) for _ in range(3)))
            assert [answer.status for answer in answers] == [200, 200, 200]
            notice = await other.notice("operation")
            assert notice["author"] == me.welcome["self"]
            assert notice["operation"] == {
                "kind": "file",
                "file": {
                    "file": file,
                    "name": "Ä.pdf",
                    "size": 1,
                    "digest": digest_of(b"x"),
                    "type": "application/pdf",
                },
            }
            # nobody but the server writes that
            with pytest.raises(Refused, match="kind"):
                await other.request("mark", operation=notice["operation"])
    assert running.service.rooms == {} or running.service.rooms["ward"].document.sequence == 1


async def test_a_broken_connection_loses_nothing_that_came(running: Served, enter: Enter) -> None:
    data = os.urandom(3_000_000)
    sender = await enter(running)
    file = (await sender.begin(size=len(data))).json()["file"]
    where = urlsplit(running.url)
    _, writer = await asyncio.open_connection(where.hostname, where.port)
    head = {**sender.bearer, "Content-Type": PIECE_TYPE, "Upload-Offset": "0", "Content-Length": "3000000"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    writer.write(f"PATCH {PATH}/{file} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode() + data[:1_000_000])
    await writer.drain()
    incoming = running.service.files.incoming[file]
    await until(lambda: incoming.piece is not None, 20)
    writer.close()
    await writer.wait_closed()
    assert incoming.piece is not None
    await asyncio.wait({incoming.piece}, timeout=20)
    offset = int((await sender.ask("HEAD", f"/{file}")).headers["upload-offset"])
    assert offset == 1_000_000
    assert (await sender.piece(file, offset, data[offset:])).status == 204
    assert (await sender.finish(file, digest_of(data))).status == 200


async def test_who_comes_back_takes_over_a_connection_that_hangs(running: Served, enter: Enter) -> None:
    sender = await enter(running)
    file = (await sender.begin(size=10)).json()["file"]
    where = urlsplit(running.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    head = {**sender.bearer, "Content-Type": PIECE_TYPE, "Upload-Offset": "0", "Content-Length": "10"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    writer.write(f"PATCH {PATH}/{file} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode())
    incoming = running.service.files.incoming[file]
    await until(lambda: incoming.piece is not None, 20)
    assert (await sender.piece(file, 0, b"0123456789")).status == 204
    async with asyncio.timeout(20):
        assert b" 409 " in await reader.readline()
    writer.close()
    assert (await sender.finish(file, digest_of(b"0123456789"))).status == 200


async def test_a_server_that_comes_back_goes_on(tmp_path: Path, enter: Enter) -> None:
    data = os.urandom(200_000)
    async with served(tmp_path) as first:
        sender = await enter(first)
        kept = (await sender.send(b"kept")).json()["file"]
        file = (await sender.begin(size=len(data))).json()["file"]
        await sender.piece(file, 0, data[:150_000])
    # what stands behind the last whole piece is not believed
    async with served(tmp_path) as second:
        again = await enter(second, token=sender.token)
        assert (await again.ask("GET", f"/{kept}")).body == b"kept"
        assert (await again.ask("HEAD", f"/{file}")).headers["upload-offset"] == "150000"
        await again.piece(file, 150_000, data[150_000:])
        assert (await again.finish(file, digest_of(data))).status == 200


async def test_what_arrived_damaged_is_not_passed_on(running: Served, enter: Enter) -> None:
    sender = await enter(running)
    file = (await sender.begin(size=4)).json()["file"]
    await sender.piece(file, 0, b"abcd")
    for _ in range(2):
        refused = await sender.finish(file, digest_of(b"abce"))
        assert refused.status == 422
        assert "damaged" in refused.json()["message"]
    assert (await sender.ask("HEAD", f"/{file}")).status == 404
    assert not list((running.folder / "files").rglob("content"))


@pytest.mark.parametrize(
    ("script", "status", "words"),
    [
        ("exit 0", 200, ""),
        ("exit 1", 422, "The virus scanner refused this file. It was deleted."),
        ("exit 2", 503, "The virus scanner failed"),
        ("exec sleep 60", 503, "The virus scanner took too long"),
        (None, 503, "The virus scanner could not be started"),
    ],
)
async def test_a_scanner_decides(
    tmp_path: Path, script: str | None, status: int, words: str, enter: Enter
) -> None:
    command = (
        ("/bin/sh", "-c", f'cat "$0" > "{tmp_path}/seen"; {script}') if script else ("/no/such/scanner",)
    )
    async with served(tmp_path, scanner=ScannerConfig(command, seconds=1.0)) as running:
        sender = await enter(running)
        answer = await sender.send(b"X5O!P%")
        assert answer.status == status
        if status == 200:
            assert answer.json()["scanned"]
            assert len((await sender.ask("GET")).json()["files"]) == 1
            return
        assert words in answer.json()["message"]
        assert answer.json()["code"] == ("file_infected" if status == 422 else "scanner_failed")
        assert (await sender.ask("GET")).json()["files"] == []
        assert not list((tmp_path / "files").glob("kept/*"))
        # what a scanner refused is gone; what it could not judge waits in quarantine
        assert bool(list((tmp_path / "files").glob("incoming/*/content"))) == (status == 503)
        assert script is None or (tmp_path / "seen").read_bytes() == b"X5O!P%"


async def test_limits(tmp_path: Path, enter: Enter) -> None:
    async with served(tmp_path, files=FilesConfig(size_mb=2, room_mb=3, minimum_free_mb=1)) as running:
        sender = await enter(running)
        assert (await sender.begin(size=(2 << 20) + 1)).status == 413
        assert (await sender.begin(size=2 << 20)).status == 201
        full = await sender.begin(size=2 << 20)
        assert full.status == 507
        assert "at most 3 MiB" in full.json()["message"]
        assert (await (await enter(running, room="icu")).begin(size=2 << 20)).status == 201
        file = (await sender.begin(size=4)).json()["file"]
        assert (await sender.piece(file, 0, b"12345")).status == 413
        chunked = b"5\r\n12345\r\n0\r\n\r\n"
        where = urlsplit(running.url)
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        head = {
            **sender.bearer,
            "Content-Type": PIECE_TYPE,
            "Upload-Offset": "0",
            "Transfer-Encoding": "chunked",
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        writer.write(f"PATCH {PATH}/{file} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode() + chunked)
        async with asyncio.timeout(20):
            assert b" 409 " in await reader.readline()
        writer.close()
        for _ in range(MOST_BEGUN - 2):
            assert (await sender.begin(size=0)).status == 201
        assert (await sender.begin(size=0)).status == 429
    async with served(tmp_path / "b", files=FilesConfig(minimum_free_mb=1_000_000)) as running:
        assert (await (await enter(running)).begin()).status == 507
    async with served(tmp_path / "c", files=FilesConfig(size_mb=0)) as running:
        assert (await (await enter(running)).begin()).status == 403


async def test_who_may(running: Served, enter: Enter) -> None:
    for method, target in (("GET", ""), ("POST", ""), ("GET", "/f-" + "0" * 32), ("PATCH", "/f-" + "0" * 32)):
        assert (await running.ask(method, PATH + target)).status == 401
    for role in ("trainee", "observer"):
        learner = await enter(running, role)
        assert (await learner.begin()).status == 403
        refused = await learner.ask("GET")
        assert refused.status == 403
        assert "may not fetch files" in refused.json()["message"]
    file = (await (await enter(running)).send(b"x")).json()["file"]
    assert (await (await enter(running, "trainee")).ask("GET", f"/{file}")).status == 403
    stranger = await enter(running, token=running.token("expert", "Dr. Other"))
    assert (await stranger.ask("DELETE", f"/{file}")).status == 403
    assert (await (await enter(running, "chair")).ask("DELETE", f"/{file}")).status == 204


async def test_who_waits_or_was_shown_out_is_given_nothing(running: Served, enter: Enter) -> None:
    chair, guest = await enter(running, "chair"), await enter(running)
    file = (await chair.send(b"x")).json()["file"]
    assert (await guest.ask("GET", f"/{file}")).status == 200
    await chair.caller.request("remove", participant=guest.caller.identifier, reason="")
    for method, target in (("GET", f"/{file}"), ("HEAD", f"/{file}"), ("GET", "")):
        assert (await guest.ask(method, target)).status == 403
    waiting = Sender(running, token=running.token("expert", "Dr. Waits"))
    assert (await waiting.ask("GET", f"/{file}")).json()["code"] == "not_present"


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\r\nX: y", "report\u202efdp.exe", "a\0b"])
async def test_bad_names_are_refused_in_a_sentence(running: Served, name: str, enter: Enter) -> None:
    refused = await (await enter(running)).begin(name)
    assert refused.status == 400
    assert refused.json()["message"].startswith("The file's name must ")


async def test_bad_pieces(running: Served, enter: Enter) -> None:
    sender = await enter(running)
    file = (await sender.begin(size=4)).json()["file"]
    assert (await sender.ask("PATCH", f"/{file}", b"1234", Upload_Offset="0")).status == 415
    assert (await sender.ask("PATCH", f"/{file}", b"1234", Content_Type=PIECE_TYPE)).status == 400
    assert (await sender.ask("POST", "", b"{}")).status == 400
    assert (await sender.ask("POST", "", b" " * 100_000)).status == 400
    assert (await sender.ask("POST", f"/{file}", b"{}")).status == 400
    assert (await sender.piece("f-" + "0" * 32, 0, b"1")).status == 404


async def test_files_are_deleted_after_a_while(running: Served, enter: Enter) -> None:
    sender = await enter(running)
    kept = (await sender.send(b"x")).json()["file"]
    begun = (await sender.begin()).json()["file"]
    store, now = running.service.files, running.service.now()
    store.sweep(now + ABANDONED - 60)
    assert (kept in store.kept, begun in store.incoming) == (True, True)
    store.sweep(now + ABANDONED + 60)
    assert (kept in store.kept, begun in store.incoming) == (True, False)
    store.sweep(now + 24 * 3600 + 60)
    assert (await sender.ask("GET", f"/{kept}")).status == 404
    assert not list((running.folder / "files").rglob("content"))


def test_what_cannot_be_read_is_not_believed(tmp_path: Path) -> None:
    for place in ("kept", "incoming"):
        for number, about in enumerate(("{", "[]", '{"file":"f-x"}', '{"no":1}')):
            folder = tmp_path / place / f"f-{number:032x}"
            folder.mkdir(parents=True)
            (folder / "about.json").write_text(about)
            (folder / "content").write_bytes(b"x")
    store = FileStore(FilesConfig(folder=str(tmp_path)), Scanner(ScannerConfig()))
    store.load()
    assert (store.kept, store.incoming) == ({}, {})


async def test_the_load_test_sends_and_fetches(running: Served) -> None:
    server = ServerUnderLoad(running.url, running.service.secret, None)
    token = running.token("expert")
    async with Caller(running.url, token):
        result = await asyncio.to_thread(measure, server, token, 20.0)
    assert result.same_hash
    assert result.megabytes == 20.0
    assert not running.service.files.kept
