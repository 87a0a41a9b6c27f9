"""The consultation, small: everybody is sent everybody, and the verdict has its keys."""

from __future__ import annotations

from loadtests.consultation import good, measure
from loadtests.server_process import started


async def test_three_people_and_a_field() -> None:
    async with started() as server:
        verdict = await measure(server, 2, 1.0, settle=3.0)
    assert verdict["streams"] == 6
    assert verdict["silent_streams"] == 0
    assert verdict["packets_out"] > 0
    assert isinstance(good(verdict), bool)
