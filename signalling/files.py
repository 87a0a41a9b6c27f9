"""Files that go from one to all (PROTOCOL.md, section 13): what may be said of one, as it comes from outside.

A name is shown to people and written into a header, so it must be what it seems: no way to another folder, no line
break, nothing that turns the reading direction so that `exe.pdf` is read where `fdp.exe` stands.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from .text import check_text

#: What the room's log takes (PROTOCOL.md, section 4), and what file systems take, in bytes of UTF-8.
NAME_CHARACTERS: Final = 200
NAME_BYTES: Final = 255
TYPE_CHARACTERS: Final = 100
#: 1 TiB: beyond it a number is a mistake; what a server really takes is configured.
SIZE_LIMIT: Final = 1 << 40
#: An announcement or a hash: what is longer is not read.
BODY_LIMIT: Final = 4096
UNKNOWN_TYPE: Final = "application/octet-stream"

_FILE: Final = re.compile(r"f-[0-9a-f]{32}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")
# what is never seen lets two names look alike; joiners and direction marks stay: some scripts need them
_UNSEEN: Final = re.compile("[\u00ad\u180e\u200b\u2060-\u2064\ufeff\ufff9-\ufffb]")


class FileError(ValueError):
    """What is said of a file cannot be taken; the text is a sentence for whoever said it."""


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that somebody is about to send. `size` in bytes."""

    name: str
    size: int
    type: str


def is_file_id(value: object) -> bool:
    """Tell whether `value` may name a file: `f-` and 32 hexadecimal digits, made by the server."""
    return isinstance(value, str) and _FILE.fullmatch(value) is not None


def check_name(value: object) -> str:
    """Return a file's name as it may be shown and offered for saving. Raise FileError."""
    try:
        name = check_text(value, 1, NAME_CHARACTERS)
    except ValueError as error:
        raise FileError(f"The file's name {error}.") from None
    if "/" in name or "\\" in name:
        raise FileError("The file's name must not hold a slash or a backslash.")
    if name.strip() in {"", ".", ".."}:
        raise FileError("The file's name must hold more than dots and spaces.")
    if _UNSEEN.search(name):
        raise FileError("The file's name must not hold characters that are not seen.")
    if len(name.encode()) > NAME_BYTES:
        raise FileError(f"The file's name must have at most {NAME_BYTES} bytes in UTF-8.")
    return name


def parse_new(body: bytes) -> NewFile:
    """Parse the announcement of a file: `name`, `size`, and if it is known `type`. Raise FileError."""
    fields = _object(body)
    size = fields.get("size")
    if type(size) is not int or not 0 <= size <= SIZE_LIMIT:
        raise FileError(f"The field size must be a whole number from 0 to {SIZE_LIMIT}.")
    kind = fields.get("type", "")
    if type(kind) is not str or len(kind) > TYPE_CHARACTERS:
        raise FileError(f"The field type must be a string of at most {TYPE_CHARACTERS} characters.")
    # it is shown and never believed: what is sent out bears the unknown type
    known = kind.lower() if _TYPE.fullmatch(kind.lower()) else UNKNOWN_TYPE
    return NewFile(check_name(fields.get("name")), size, known)


def parse_finish(body: bytes) -> str:
    """Parse what ends a file: the hash of what was sent (`file_digest`), 64 hexadecimal digits. Raise FileError."""
    digest = _object(body).get("digest")
    if type(digest) is not str or not _DIGEST.fullmatch(digest):
        raise FileError("The field digest must be a string of 64 hexadecimal digits, in small letters.")
    return digest


def parse_offset(value: str | None) -> int:
    """Parse the header Upload-Offset: bytes. Raise FileError."""
    # isdecimal() takes digits of every script
    if value is None or not re.fullmatch(r"[0-9]{1,13}", value) or int(value) > SIZE_LIMIT:
        raise FileError(f"The header Upload-Offset must be a whole number from 0 to {SIZE_LIMIT}.")
    return int(value)


def disposition(name: str) -> str:
    """Write the header Content-Disposition (RFC 6266) that offers a file for saving under its name."""
    plain = re.sub(r"[^A-Za-z0-9 !#$&+.^_`{}~()\[\]@=,-]", "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _object(body: bytes) -> dict[str, Any]:
    if len(body) > BODY_LIMIT:
        raise FileError(f"The body must have at most {BODY_LIMIT} bytes.")
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise FileError("The body is not JSON.") from None
    if not isinstance(fields, dict):
        raise FileError("The body must be a JSON object.")
    return fields
