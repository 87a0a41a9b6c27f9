"""The virus scanner: a program of somebody else's that is shown each file before anybody is given it.

It decides by its exit code, as clamdscan and clamscan do: 0 clean, 1 not. Whatever else happens (it is away, fails,
takes too long) is no answer, and without an answer nothing is passed on.
"""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

from .config import ScannerConfig

log = logging.getLogger(__name__)


class Infected(Exception):
    """The scanner refused a file."""


class NotScanned(Exception):
    """The scanner gave no answer; the text says in two words what it did instead."""


class Scanner:
    """Shows files to the configured program, one process a file."""

    def __init__(self, config: ScannerConfig) -> None:
        self._config = config

    @property
    def exists(self) -> bool:
        """Whether there is one."""
        return bool(self._config.command)

    def _words(self, path: Path) -> list[str]:
        return [*self._config.command, os.path.abspath(path)]

    async def look(self, path: Path) -> bool:
        """Have it look at a file: True: it is clean, False: there is no scanner. Raise Infected, NotScanned."""
        if not self.exists:
            return False
        nothing = asyncio.subprocess.DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(
                *self._words(path), stdin=nothing, stdout=nothing, stderr=nothing
            )
        except OSError as error:
            log.error("the virus scanner could not be started: %s", error.strerror)
            raise NotScanned("could not be started") from None
        try:
            async with asyncio.timeout(self._config.seconds):
                code = await process.wait()
        except TimeoutError:
            log.error("the virus scanner took longer than %g s", self._config.seconds)
            raise NotScanned("took too long") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if code == 1:
            log.warning("the virus scanner refused a file")
            raise Infected
        if code != 0:
            log.error("the virus scanner failed with exit code %d", code)
            raise NotScanned("failed")
        return True
