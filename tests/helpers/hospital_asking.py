"""What a page asks of its hospital, and waiting for what becomes of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from loadtests.caller import Caller

from .served import Served, ask

#: Seconds that a job may take beside everything else that a machine does.
PATIENCE = 90


async def post(caller: Caller, path: str, body: dict[str, Any]) -> Any:
    headers = {"Authorization": f"Bearer {caller.token}", "Content-Type": "application/json"}
    answered = await ask(http(caller), "POST", f"/api/hospital/{path}", headers, json.dumps(body).encode())
    assert answered.status < 300, answered.body
    return json.loads(answered.body) if answered.body else None


def http(caller: Caller) -> str:
    """Where the server of a caller is asked over HTTP."""
    return caller.url.replace("ws://", "http://").removesuffix("/ws")


async def over(caller: Caller, job: str, *states: str) -> dict[str, Any]:
    """Wait until a job is in one of these states."""
    while True:
        told = await patient_notice(caller, "hospital")
        for one in told["jobs"]:
            if one["job"] == job and one["state"] in states:
                found: dict[str, Any] = one
                return found


async def patient_notice(caller: Caller, kind: str) -> dict[str, Any]:
    """Wait for a notice for as long as processes may take to start on a machine that does much else."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(TimeoutError):
                return await caller.notice(kind)


async def fetched(caller: Caller, query: dict[str, str]) -> dict[str, Any]:
    """Look for a study, fetch it and wait for the room's images."""
    found = await post(caller, "search", query)
    job = await post(caller, "fetch", {"study": found["studies"][0]["study"]})
    done = await over(caller, job["job"], "done", "failed")
    assert done["state"] == "done", done
    return done


def sop_in(running: Served, room: str, modality: str = "CT") -> str:
    records = running.service.images.store.instances(room)
    return next(record.sop for record in records if record.facts.Modality == modality)
