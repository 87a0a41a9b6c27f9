"""The comparison, as short as it can be: both servers pass the field on, and every figure is there."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from loadtests.peers import namespace
from loadtests.peers.janus import Janus

ROOT = Path(__file__).parent.parent.parent
SHORT = ("--seconds", "0.2", "--subscribers", "2", "--fastest", "60", "--memory-subscribers", "5")
FIGURES = {
    "packets_per_cpu_s",
    "max_packets_per_s",
    "added_ms",
    "added_four_bursts_ms",
    "rss_kb_per_subscriber",
}


async def test_konsil_and_janus_pass_the_same_field_on(tmp_path: Path) -> None:
    file = tmp_path / "compare.json"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "loadtests", "compare", "--peer", "janus", *SHORT, "--json", str(file)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complaints = await process.communicate()
    if missing := namespace.missing() or Janus(1).missing():
        # without the right or the package it says so in one sentence
        assert process.returncode == 2
        assert complaints.decode().strip() == missing
        return
    assert process.returncode == 0, complaints.decode()
    assert b"packets/CPU s" in said
    result = json.loads(file.read_text())
    for key in ("konsil", "janus", "ratio"):
        assert set(result[key]) == FIGURES
        assert set(result[key]["added_ms"]) == {"p50", "p99", "p999"}
    for figures in result["configurations"].values():
        # a step that lost nothing, or that the clients were too slow for: either way the field came through
        assert figures["steps"][0]["packets_per_s"] > 0
        assert figures["added_ms"]["p50"] > 0
    assert set(result["configurations"]) == {
        "konsil: as delivered",
        "janus: default",
        "janus: event_loops = 1",
    }
