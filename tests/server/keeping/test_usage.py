"""How much is kept, and when the disk will be full."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from server.__main__ import main
from server.keeping.forecast import Forecast, forecast
from tests.helpers.journals import STARTED
from tests.helpers.kept import keep_recording
from tests.helpers.served import served

DAY = 86_400_000
NOW = 1_800_000_000_000


def test_the_last_ninety_days_go_on() -> None:
    daily = [(NOW - day * DAY, 1000) for day in range(200)]
    ahead = forecast(daily, NOW, 50_000)
    assert ahead.growth == pytest.approx(1000, rel=0.02)
    assert ahead.full == pytest.approx(NOW + 50 * DAY, rel=1e-3)
    young = [(NOW - 10 * DAY, 5000), (NOW - 2 * DAY, 5000)]
    assert forecast(young, NOW, 20_000) == Forecast(1000.0, NOW + 20 * DAY)
    # what has just begun is not taken for a whole day's work
    assert forecast([(NOW - 60_000, 100)], NOW, 1000) == Forecast(100.0, NOW + 10 * DAY)


def test_what_does_not_grow_is_not_full_and_what_is_full_is_full_now() -> None:
    assert forecast([], NOW, 5) == Forecast(0.0, None)
    assert forecast([(NOW - 400 * DAY, 10)], NOW, 5) == Forecast(0.0, None)
    assert forecast([(NOW - DAY, 1)], NOW, 1 << 40) == Forecast(1.0, None)
    assert forecast([], NOW, 0).full == NOW
    assert forecast([(NOW - DAY, 1)], NOW, -5).full == NOW


async def test_usage_is_by_class_and_month_and_names_no_other_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KONSIL_DATABASE_FILE", str(tmp_path / "konsil.sqlite3"))
    monkeypatch.setenv("KONSIL_RECORDINGS_FOLDER", str(tmp_path / "recordings"))
    async with served(tmp_path) as running:
        running.service.keeper.clock = lambda: STARTED + 10 * 86_400
        own = [await asyncio.to_thread(keep_recording, tmp_path, "ward") for _ in range(2)]
        other = await asyncio.to_thread(keep_recording, tmp_path, "secret-room")
        assert (await running.ask("GET", "/api/keeping/usage", running.bearer("expert"))).status == 403
        answer = await running.ask("GET", "/api/keeping/usage", running.bearer("chair"))
        said = answer.json()
        assert b"secret-room" not in answer.body
        each = {
            name: sum(path.stat().st_size for path in (tmp_path / "recordings" / name).iterdir())
            for name in (*own, other)
        }
        mine = each[own[0]] + each[own[1]]
        assert said["rooms"] == [{"room": "ward", "bytes": mine}, {"room": "", "bytes": each[other]}]
        assert said["classes"] == [{"class": "process", "bytes": mine + each[other]}]
        assert said["months"] == [
            {"month": "2026-11", "here": mine + each[other], "moved": 0, "recordings": 3}
        ]  # fmt: skip
        assert said["sizes"] == {name: {"here": each[name], "moved": 0} for name in own}
        assert said["growth"] == round((mine + each[other]) / 10)
        assert said["disk"]["free"] <= said["disk"]["total"]
        assert said["copies"] == {"whole": 0, "failed": 0, "waiting": 3, "moved": 0}
        assert await asyncio.to_thread(main, ["keeping", "usage"]) == 0
        assert "room   secret-room" in capsys.readouterr().out
