"""What the command line names: a file, an address, or one of FFmpeg's devices, such as ``v4l2:/dev/video0``."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

#: FFmpeg's input devices that give pictures. Which of them there are depends on how FFmpeg was built.
DEVICES = frozenset(
    {
        "android_camera", "avfoundation", "decklink", "dshow", "fbdev", "gdigrab", "iec61883", "kmsgrab", "lavfi",
        "libdc1394", "libndi_newtek", "v4l2", "x11grab",
    }
)  # fmt: skip

#: A picture that is computed has neither a clock of its own nor a plug.
COMPUTED = "lavfi"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a source is, and how it is opened. `options` are FFmpeg's own (`video_size`, `framerate`, …)."""

    url: str
    options: dict[str, str] = field(default_factory=dict)

    @property
    def device(self) -> str:
        """FFmpeg's name of the device; empty for files and addresses."""
        name, colon, rest = self.url.partition(":")
        return name if colon and rest and name in DEVICES and not rest.startswith("//") else ""

    @property
    def target(self) -> str:
        """What FFmpeg is to open."""
        return self.url.partition(":")[2] if self.device else self.url

    @property
    def remote(self) -> bool:
        """Whether it is reached over a network."""
        return not self.device and "://" in self.url

    @property
    def may_come_back(self) -> bool:
        """Whether trying again may help: a camera is plugged in again, a server restarts; a file is what it is."""
        return self.remote or self.device not in ("", COMPUTED)

    @property
    def name(self) -> str:
        """The address for people, without what may be secret in it."""
        return shown(self.url) if self.remote else self.url


def shown(url: str) -> str:
    """Return an address without what may be secret in it: user, password, query."""
    if "://" not in url:
        return url
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
