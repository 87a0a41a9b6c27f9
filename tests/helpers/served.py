"""A real server on free ports of the loopback, and links into it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from server.config import Config, HttpConfig, MediaConfig, RecordingsConfig, RoomsConfig, SecretsConfig
from server.run import serving
from server.service import Service
from signalling.permissions import Role
from signalling.tokens import issue


@dataclass(slots=True)
class Served:
    """A running server."""

    service: Service
    url: str

    def token(self, role: Role, name: str = "Dr. Test", room: str = "ward", **claims: float) -> str:
        """Sign a token for the room; `expires` in Unix seconds."""
        return issue(
            self.service.secret,
            room=room,
            name=name,
            role=role,
            expires=claims.get("expires", time.time() + 3600),
        )

    def link(self, role: Role, name: str = "Dr. Test", room: str = "ward", page: str = "") -> str:
        """Sign a link for a browser; localhost is a secure context."""
        return f"{self.url.replace('127.0.0.1', 'localhost')}/{page}#token={self.token(role, name, room)}"


@contextlib.asynccontextmanager
async def served(folder: Path, *, rooms: RoomsConfig | None = None) -> AsyncIterator[Served]:
    """Serve from a folder of one's own while the context lasts."""
    config = Config(
        http=HttpConfig(port=0),
        media=MediaConfig(port=0),
        rooms=rooms or RoomsConfig(),
        recordings=RecordingsConfig(folder=str(folder / "recordings"), minimum_free_mb=1),
        secrets=SecretsConfig(file=str(folder / "secret")),
    )
    async with serving(config) as (service, port):
        yield Served(service, f"http://127.0.0.1:{port}")
