"""Ask a server for images as a page does."""

from __future__ import annotations

from typing import Any

from signalling.permissions import Role
from tests.helpers.served import Answered, Served


async def upload(
    running: Served, data: bytes, name: str = "a.dcm", role: Role = "expert"
) -> list[dict[str, Any]]:
    """Send a file into the room; gives what became of it, of each file if it holds several."""
    headers = {**running.bearer(role), "Konsil-File-Name": name}
    answered = await running.ask("POST", "/dicom/upload", headers, data)
    assert answered.status == 200, answered.body
    files: list[dict[str, Any]] = answered.json()["files"]
    return files


async def bring(running: Served, data: bytes) -> dict[str, Any]:
    """Send a file that is taken."""
    (file,) = await upload(running, data)
    assert file["taken"], file
    return file


async def get(running: Served, target: str, role: Role = "expert", **headers: str) -> Answered:
    """Ask for something."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await running.ask("GET", target, {**running.bearer(role), **named})


def at(taken: dict[str, Any]) -> str:
    """Give the path of an instance that was taken."""
    return (
        f"/dicom/studies/{taken['StudyInstanceUID']}/series/{taken['SeriesInstanceUID']}"
        f"/instances/{taken['SOPInstanceUID']}"
    )
