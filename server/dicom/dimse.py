"""Errands to a PACS over DIMSE, each in a process of its own, ended when it takes too long or is not wanted."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from .forking import Forked, forker
from .pacs_error import AWAY, BROKEN, LARGE, REFUSED, SLOW, UNTRUSTED, PacsError

#: Longest line of an answer.
LINE_LIMIT = 1 << 20
#: A peer's answer may take so many times the seconds of one wait: connecting, agreeing, answering.
WAITS = 4

_ADDRESS = re.compile(r"([A-Za-z0-9 _.-]{1,16})@(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):(\d{1,5})")


@dataclass(frozen=True, slots=True)
class Peer:
    """An application entity: its title, host and port, and how we call ourselves."""

    title: str
    host: str
    port: int
    aet: str
    name: str
    seconds: float = 20.0
    #: None: no TLS; else the files that are trusted, shown, and the key (dicom_tls.client_context)
    tls: tuple[str, str, str] | None = None

    @classmethod
    def parse(
        cls, text: str, aet: str, name: str, seconds: float, *, tls: tuple[str, str, str] | None = None
    ) -> Peer:
        """Read TITLE@host:port. Raise ValueError with a sentence."""
        found = _ADDRESS.fullmatch(text)
        if found is None or not 1 <= int(found[3]) <= 65535:
            raise ValueError(
                "A DIMSE address is written TITLE@host:port, the title with 16 characters at most."
            )
        return cls(found[1].strip(), found[2].strip("[]"), int(found[3]), aet, name, seconds, tls)

    @property
    def patience(self) -> float:
        """Seconds for one thing to happen: a peer's waits; and the interpreter and the libraries take a moment, too."""
        return WAITS * self.seconds + 10

    async def errand(
        self, do: str, *, patience: float = 0.0, **fields: Any
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Run an errand and yield what happens. Raise PacsError. Whoever stops asking ends it."""
        try:
            process = await forker("dimse_program").fork(limit=LINE_LIMIT)
        except OSError:
            raise PacsError("pacs_broken", "The server has no process left to ask with.") from None
        asked = {
            "do": do,
            "host": self.host,
            "port": self.port,
            "called": self.title,
            "aet": self.aet,
            "seconds": self.seconds,
            "tls": self.tls,
        }
        try:
            process.writer.write(json.dumps(asked | fields).encode() + b"\n")
            async for line in self._lines(process, patience or self.patience):
                if "error" in line:
                    raise self._refusal(line["error"], fields)
                if line.get("done"):
                    return
                yield line
        finally:
            await process.end()

    async def _lines(self, process: Forked, patience: float) -> AsyncGenerator[dict[str, Any], None]:
        while True:
            try:
                async with asyncio.timeout(patience):
                    text = await process.reader.readline()
            except TimeoutError:
                raise PacsError("pacs_slow", SLOW.format(self.name, patience)) from None
            except ValueError:
                raise PacsError("pacs_broken", BROKEN.format(self.name)) from None
            if not text:
                raise PacsError("pacs_broken", BROKEN.format(self.name))
            yield json.loads(text)

    def _refusal(self, code: str, fields: dict[str, Any]) -> PacsError:
        sentences = {
            "pacs_away": AWAY.format(self.name),
            "pacs_slow": SLOW.format(self.name, self.seconds),
            "pacs_refused": REFUSED.format(self.name),
            "pacs_broken": BROKEN.format(self.name),
            "untrusted": UNTRUSTED.format(self.name),
            "does_not_send": f"{self.name} does not send to us: it has to know our title, address and port.",
            "too_large": LARGE.format(int(fields.get("bytes", 0)) >> 20),
        }
        sentence = sentences.get(code, BROKEN.format(self.name))
        return PacsError("pacs_refused" if code in ("does_not_send", "untrusted") else code, sentence, code)
