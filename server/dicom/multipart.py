"""Takes multipart/related (RFC 2387, PS3.18 8.7.1) apart while it arrives: nothing is gathered but one part's head."""

from __future__ import annotations

import re
from collections.abc import Iterator

#: A part's head is a few lines.
HEAD_LIMIT = 16 << 10

_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))', re.IGNORECASE)


class MultipartError(ValueError):
    """What came is not multipart. The text is a sentence."""


def boundary_of(content_type: str) -> bytes:
    """Read the boundary of a Content-Type. Raise MultipartError."""
    found = _BOUNDARY.search(content_type)
    if not content_type.lower().startswith("multipart/") or found is None:
        raise MultipartError("The answer is not in parts.")
    return (found[1] or found[2]).encode("latin-1", "replace")


class PartReader:
    """Gives of each part its bytes as they come, then None at its end."""

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        # the first delimiter needs no line before it
        self._held = b"\r\n"
        self._where = "before"
        #: whether the closing delimiter has come
        self.complete = False

    def receive(self, data: bytes) -> Iterator[bytes | None]:
        """Take bytes. Raise MultipartError."""
        self._held += data
        while True:
            if self._where == "after":
                self._held = b""
                return
            if self._where == "head":
                if not self._pass_head():
                    return
                continue
            at = self._held.find(self._delimiter)
            if at < 0:
                # the delimiter may have begun at the end
                keep = len(self._delimiter) - 1
                ready, self._held = self._held[:-keep], self._held[-keep:]
                if ready and self._where == "body":
                    yield ready
                return
            behind = at + len(self._delimiter)
            if len(self._held) < behind + 2:
                if self._where == "body" and at:
                    yield self._held[:at]
                    self._held = self._held[at:]
                return
            if self._where == "body":
                if at:
                    yield self._held[:at]
                yield None
            closing = self._held[behind : behind + 2] == b"--"
            self._where, self.complete = ("after", True) if closing else ("head", False)
            self._held = self._held[behind:]

    def _pass_head(self) -> bool:
        end = self._held.find(b"\r\n\r\n")
        if end < 0:
            if len(self._held) > HEAD_LIMIT:
                raise MultipartError("A part of the answer begins with too many lines.")
            return False
        self._where, self._held = "body", self._held[end + 4 :]
        # a body that is empty ends at once: its delimiter begins with the line end that was the head's
        if self._held.startswith(self._delimiter[2:]):
            self._held = b"\r\n" + self._held
        return True
