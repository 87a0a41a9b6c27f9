"""A reader of journals that knows FORMAT.md and nothing of Konsil: no line of `recorder` is used here.

`python stranger.py FOLDER [PRIVATE_KEY.pem]` lists what a recording holds.
"""

from __future__ import annotations

import base64
import json
import struct
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SUITES: dict[str, Any] = {
    "SM4-GCM-SM3": (algorithms.SM4, 16, hashes.SM3),
    "AES-256-GCM-SHA256": (algorithms.AES, 32, hashes.SHA256),
}
TYPES = {
    1: "packets",
    2: "sender report",
    3: "operation",
    4: "pointer",
    5: "event",
    6: "gap",
    7: "end",
    8: "still",
}
CHUNK = 1 << 20


def openssl(*arguments: str, given: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=True).stdout


def digest(kind: Any, data: bytes) -> bytes:
    context = hashes.Hash(kind())
    context.update(data)
    return context.finalize()


def data_key(folder: Path, private: Path) -> bytes:
    """Unwrap the data key that key.json holds for the owner of this key pair."""
    owner = digest(hashes.SM3, openssl("pkey", "-in", str(private), "-pubout", "-outform", "DER")).hex()
    wrapped = base64.b64decode(json.loads((folder / "key.json").read_text())["wrapped"][owner])
    return openssl("pkeyutl", "-decrypt", "-inkey", str(private), given=wrapped)


class Seal:
    """The key of one sealed part, and its nonces."""

    def __init__(self, fields: dict[str, str], header: bytes, key: bytes) -> None:
        self.cipher, size, self.hash = SUITES[fields["suite"]]
        info = b"konsil seal 1\0" + digest(self.hash, header)
        derived = HKDF(self.hash(), size + 7, bytes.fromhex(fields["salt"]), info).derive(key)
        self.key, self.prefix = derived[:size], derived[size:]

    def open(self, number: int, last: bool, sealed: bytes, beside: bytes = b"") -> bytes:
        nonce = self.prefix + struct.pack("!IB", number, last)
        context = Cipher(self.cipher(self.key), modes.GCM(nonce, sealed[-16:])).decryptor()
        context.authenticate_additional_data(beside)
        return context.update(sealed[:-16]) + context.finalize()


def volumes(journal: bytes, owner: str) -> Iterator[tuple[int | None, int]]:
    """Give (number, place) of every volume's header in joined volumes; None: it is not what should be there."""
    place, missing, before = 0, 0, 1
    while (place := journal.find(b"KONSILJV", place)) >= 0:
        _, _, _, start, length = struct.unpack_from("!8sHHQI", journal + bytes(24), place)
        head, place = journal[place : place + 24 + length + 4], place + 1
        if len(head) < 28 + length or zlib.crc32(head[:-4]) != struct.unpack("!I", head[-4:])[0]:
            continue
        fields = json.loads(head[24:-4])
        mine = fields["journal"] == owner
        good = mine and fields["volume"] == before + 1 and start == place - 1 + missing
        if mine:
            before, missing = fields["volume"], start - (place - 1)
        yield (before if good else None), place - 1


def whole_journal(folder: Path) -> bytes:
    """Join a journal's volumes."""
    later = sorted(folder.glob("journal-*.kjr"), key=lambda path: int(path.stem[8:]))
    return b"".join(path.read_bytes() for path in [folder / "journal.kjr", *later])


def records(journal: bytes, key: bytes | None = None) -> Iterator[tuple[int, int, bytes]]:
    """Give (type, time, content) of every record in a whole block, whatever lies between the blocks."""
    magic, version, flags, _, length = struct.unpack_from("!8sHHQI", journal)
    assert (magic, version) == (b"KONSILJR", 1)
    end = 24 + length + 4
    assert zlib.crc32(journal[: end - 4]) == struct.unpack_from("!I", journal, end - 4)[0]
    seal = None
    if flags & 1:
        assert key is not None, "the journal is sealed"
        seal = Seal(json.loads(journal[24 : 24 + length])["seal"], journal[:end], key)
    position = end
    for volume, place in volumes(journal, digest(hashes.SM3, journal[:end]).hex()):
        if volume is None:
            print(f"Something is missing, or not where it should be, before byte {place}.", file=sys.stderr)
    while (position := journal.find(b"\xb1KBL", position)) >= 0:
        head = journal[position : position + 28]
        position += 1
        if len(head) < 28 or zlib.crc32(head[:24]) != struct.unpack_from("!I", head, 24)[0]:
            continue
        flags, number, length, checksum = struct.unpack_from("!IQII", head, 4)
        payload = journal[position + 27 : position + 27 + length]
        if len(payload) < length or zlib.crc32(payload) != checksum:
            continue
        position += 27 + length
        if seal is not None:
            try:
                payload = seal.open(number, bool(flags & 2), payload, head[:20])
            except InvalidTag:
                continue
        inner = 0
        while inner < len(payload):
            kind, time, size = struct.unpack_from("!BQI", payload, inner)
            yield kind, time, payload[inner + 13 : inner + 13 + size]
            inner += 13 + size


def sealed_file(data: bytes, key: bytes) -> bytes:
    """Open a file beside the journal."""
    magic, version, length = struct.unpack_from("!8sHI", data)
    assert (magic, version) == (b"KONSILSF", 1)
    start = 14 + length
    seal = Seal(json.loads(data[14:start]), data[:start], key)
    pieces = range(start, len(data), CHUNK + 16)
    last = len(pieces) - 1
    return b"".join(
        seal.open(number, number == last, data[place : place + CHUNK + 16])
        for number, place in enumerate(pieces)
    )


def main(arguments: list[str]) -> int:
    folder = Path(arguments[0])
    key = data_key(folder, Path(arguments[1])) if len(arguments) > 1 else None
    found: Counter[str] = Counter()
    for kind, _, _ in records(whole_journal(folder), key):
        found[TYPES.get(kind, f"type {kind}")] += 1
    for name, count in sorted(found.items()):
        print(f"{count:8} {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
