"""Real disks of a few megabytes, which a test fills, empties, takes away and brings back.

They are file systems in memory (tmpfs). Needs root, or a `sudo` that asks for no password.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


def _run(*command: str) -> None:
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    done = subprocess.run([*as_root, *command], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()}"


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A disk that is seen at `folder`."""

    folder: Path
    _body: Path

    def fill(self, leaving: int = 0) -> None:
        """Use up all that is free, but for so many bytes."""
        file = os.open(self._body / "ballast", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for piece in (bytes(1 << 16), bytes(1 << 12), b"\0"):
            with contextlib.suppress(OSError):
                while True:
                    os.write(file, piece)
        os.ftruncate(file, max(os.fstat(file).st_size - leaving, 0))
        os.close(file)

    def empty(self) -> None:
        """Give free again what `fill` used up."""
        (self._body / "ballast").unlink(missing_ok=True)

    def take_away(self) -> None:
        """Unplug it: what is open stays so, and its folder is an empty one."""
        _run("umount", "-l", str(self.folder))

    def bring_back(self) -> None:
        """Plug it in again, as it was."""
        _run("mount", "--bind", str(self._body), str(self.folder))


@contextlib.contextmanager
def small_disk(where: Path, megabytes: int, name: str = "disk") -> Iterator[SmallDisk]:
    """Mount a disk of this size below a folder, for the time of a test."""
    disk = SmallDisk(where / name, where / f"{name}-body")
    for folder in (disk.folder, disk._body):
        folder.mkdir()
    _run(
        "mount", "-t", "tmpfs", "-o", f"size={megabytes}m,uid={os.geteuid()}", "konsil-test", str(disk._body)
    )
    try:
        disk.bring_back()
        yield disk
    finally:
        for folder in (disk.folder, disk._body):
            with contextlib.suppress(AssertionError):
                _run("umount", "-l", str(folder))
