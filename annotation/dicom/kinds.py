"""The kinds of objects that go to a hospital: by name alone, for who does not write them."""

from __future__ import annotations

from typing import Final, Literal

Kind = Literal["presentation", "report", "key_objects", "capture_marked", "capture_plain"]
KINDS: Final[tuple[Kind, ...]] = ("presentation", "report", "key_objects", "capture_marked", "capture_plain")
