"""Every answer over HTTP: its headers, its one way of writing a path, and what it tells."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from loadtests.caller import Caller
from media.plane import Drop
from recorder.library import Library
from tests.helpers.served import Served, scraped, served


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as server:
        yield server


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/"),
        ("GET", "/replay"),
        ("GET", "/healthz"),
        ("GET", "/metrics"),
        ("GET", "/api/recordings"),
        ("POST", "/api/replay"),
        ("POST", "/whip/ward"),
        ("GET", "/nothing"),
        ("DELETE", "/healthz"),
        ("GET", "//"),
    ],
)
async def test_every_answer_bears_the_security_headers(running: Served, method: str, target: str) -> None:
    headers = (await running.ask(method, target)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "script-src" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "geolocation=()" in headers["permissions-policy"]
    assert headers["server"] == "Konsil"
    assert abs(float(headers["konsil-time"]) / 1000 - running.service.wall_clock()) < 60


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/nothing", 404),
        ("DELETE", "/healthz", 405),
        ("GET", "/api/recordings", 401),
        ("PATCH", "/whip/ward/abc", 401),
        ("PUT", "/whip/ward/abc", 405),
    ],
)
async def test_an_error_is_a_code_and_a_sentence(
    running: Served, method: str, target: str, status: int
) -> None:
    answer = await running.ask(method, target)
    assert answer.status == status
    assert set(answer.json()) == {"code", "message"}
    assert answer.headers["content-type"].startswith("application/json")


#: Ways of writing a path that is not the one it is registered under.
WRITTEN = (
    "/{0}",  # doubled slash in front
    "{0}/",
    "{0}//",
    "{0}/.",
    "{0}/..",
    "/.{0}",
    "/x/..{0}",
    "/%2e{0}",
    "/x/%2e%2e{0}",
    "{0}%2e",
    "{0}%2f",
    "{0}%00",
    "{0}%20",
    "{0}.",
    "{0};x",
    "{0}\\",
    "http://127.0.0.1{0}",
)


@pytest.mark.parametrize(
    "method_and_path",
    [
        "GET /api/recordings",
        "GET /api/recordings/r",
        "GET /api/recordings/r/f",
        "POST /api/replay",
        "GET /api/linetest",
        "POST /api/linetest",
        "GET /api/linetest/bytes",
        "POST /api/linetest/bytes",
        "GET /api/files",
        "POST /api/files",
        "GET /api/files/f-00000000000000000000000000000000",
        "DELETE /api/files/f-00000000000000000000000000000000",
        "POST /whip/ward",
        "POST /whip/ward/s/barcode",
        "POST /whep/ward",
    ],
)
async def test_a_guarded_path_is_written_in_one_way_only(running: Served, method_and_path: str) -> None:
    """A path that is not canonical never reaches its handler, with a token or without (CVE-2026-33186)."""
    method, path = method_and_path.split(" ")
    for write in WRITTEN:
        target = write.format(path)
        for headers in ({}, running.bearer("surgeon")):
            sdp = headers | {"Content-Type": "application/sdp"}
            answer = await running.ask(method, target, sdp, b"v=0\r\n")
            # `/whip/ward.` names another room, and `/whip/ward/…` its session: 401 or 403 by the guard, never past it
            assert answer.status in {400, 401, 403, 404, 405}, (target, answer.body)
            assert answer.status != 400 or answer.body == b"" or "offer" not in answer.body.decode(), target
    assert not running.service.rooms


@pytest.mark.parametrize("inner", ["//", "/./", "/x/../", "/%2e/", "/%2E%2E/", "/%2f"])
async def test_nor_within(running: Served, inner: str) -> None:
    answer = await running.ask("GET", f"/api{inner}recordings", running.bearer("surgeon"))
    assert answer.status == 404


async def test_health_says_that_all_is_well(running: Served) -> None:
    answer = await running.ask("GET", "/healthz")
    assert answer.status == 200
    body = answer.json()
    assert body["status"] == "ok"
    assert body["rooms"] == 0
    assert body["receive_buffer"] > 0
    assert isinstance(body["realtime"], bool)


async def test_health_turns_when_the_server_stops(running: Served) -> None:
    running.service.stopping = True
    answer = await running.ask("GET", "/healthz")
    assert (answer.status, answer.json()["status"]) == (503, "stopping")


async def test_metrics_are_what_prometheus_reads(running: Served) -> None:
    async with Caller(running.url, running.token("expert")):
        answer = await running.ask("GET", "/metrics")
        text = answer.body.decode()
        families = {family.name: family for family in text_string_to_metric_families(text)}
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert {sample.labels["reason"] for sample in families["konsil_drops"].samples} >= {
            reason.name.lower() for reason in Drop
        }
        assert scraped(text, "konsil_rooms") == 1
        assert scraped(text, "konsil_participants", role="expert") == 1
        assert families["konsil_transit_seconds"].type == "histogram"
        assert scraped(text, "konsil_waiting_packets", shard="0") == 0
        assert scraped(text, "konsil_lines", measured="no") == 1
        assert scraped(text, "konsil_pictures", sent="less", reason="line") == 0
        assert scraped(text, "konsil_probes_total") == 0
        # whoever may scrape learns neither who is here nor where
        assert "Dr. Test" not in text
        assert '"ward"' not in text


@pytest.mark.parametrize(
    ("origin", "welcome"),
    [
        (None, True),
        ("http://{0}", True),
        ("https://evil.example", False),
        ("http://evil.example/{0}", False),
        ("http://{0}.evil.example", False),
        ("http://evil.example#{0}", False),
        ("null", False),
        ("", False),
    ],
)
async def test_only_our_own_pages_open_the_socket(running: Served, origin: str | None, welcome: bool) -> None:
    host = running.url.removeprefix("http://")
    headers = {} if origin is None else {"Origin": origin.format(host)}
    opening = connect(f"ws://{host}/ws", additional_headers=headers, proxy=None)
    if welcome:
        async with opening as socket:
            assert socket.response is not None
            assert socket.response.status_code == 101
        return
    with pytest.raises(InvalidStatus) as refused:
        await opening
    assert refused.value.response.status_code == 403
    assert json.loads(refused.value.response.body)["code"] == "forbidden"


async def test_a_mistake_of_the_server_tells_nothing(
    running: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr(Library, "recordings", broken)
    answer = await running.ask("GET", "/api/recordings", running.bearer("surgeon"))
    assert answer.status == 500
    assert b"secret" not in answer.body
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "127.0.0.1" not in caplog.text
    assert "the secret of the house" in caplog.text
