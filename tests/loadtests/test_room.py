"""The load test runs against a real server of its own and its verdict has the keys that others read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtests.__main__ import main
from loadtests.field import make_frames


@pytest.mark.slow
def test_the_verdict_has_its_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "verdict.json"
    words = ["room", "--experts", "2", "--fields", "1", "--bitrate", "2M", "--seconds", "1", "--marks", "2"]
    main([*words, "--json", str(file)])
    verdict = json.loads(file.read_text())
    for key in ("packets_in", "packets_out", "loss", "server_cpu_s", "packets_per_cpu_s", "rss_mb"):
        assert verdict[key] is not None
    for key in ("transit_ms", "added_ms"):
        assert set(verdict[key]) == {"p50", "p99", "p999"}
        assert 0 < verdict[key]["p50"] <= verdict[key]["p99"] <= verdict[key]["p999"]
    assert verdict["packets_out"] > verdict["packets_in"] > 100
    assert verdict["silent_streams"] == 0
    assert verdict["marks"]["sent"] > 0
    assert verdict["marks"]["received"] > 0
    assert "verdict" in capsys.readouterr().out


def test_frames_have_the_rate_that_was_asked_for() -> None:
    frames = make_frames(20_000_000)
    size = sum(len(payload) for frame in frames for payload in frame)
    seconds = len(frames) / 60
    assert size * 8 / seconds == pytest.approx(20_000_000, rel=0.05)


def test_an_unknown_load_test_is_named() -> None:
    assert main(["flood"]) == 2
