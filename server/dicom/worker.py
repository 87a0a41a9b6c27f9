"""A process that reads and decodes DICOM for the server: whatever a file does to it, the rooms do not notice.

It is asked on standard input and answers on standard output: four bytes of length and a JSON object, the answer with
eight bytes of length and a body behind it. It logs nothing, since what decoders say quotes files.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import struct
import sys
from pathlib import Path
from typing import Any, BinaryIO

from annotation.dicom import ingest, pixels, reading, rendering, serving, waveform
from annotation.dicom.errors import DicomError
from annotation.dicom.rendering import Window
from annotation.dicom.room_uids import RoomUids

#: Longest question; paths and a few numbers.
QUESTION_LIMIT = 1 << 16


def answer(question: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Do what is asked. Raise DicomError."""
    path = Path(question["path"])
    match question["do"]:
        case "ingest":
            taken = ingest.ingest(path, RoomUids(bytes.fromhex(question["key"])), question["time"])
            if taken.replacement is not None:
                path.write_bytes(taken.replacement)
            body = {
                "facts": taken.facts.to_json(),
                "metadata": taken.metadata,
                "deidentified": taken.deidentified,
            }
            return body, b""
        case "frame":
            return {}, pixels.as_served(pixels.decode(path, question["frame"]))
        case "rendered":
            window = Window(*question["window"]) if question["window"] else None
            arguments = (window, question["format"], question["side"])
            return {}, rendering.render(path, question["frame"], *arguments)
        case "stored":
            return {}, serving.stored_frame(path, question["frame"])
        case "whole":
            uids = RoomUids(bytes.fromhex(question["key"]))
            return {}, serving.whole(path, uids, question["time"], patient=question["patient"])
        case "bulk":
            return {}, serving.bulk(path, question["tag"])
        case "fragments":
            return {"fragments": serving.fragments(path)}, b""
        case "waveform":
            with path.open("rb") as source:
                return {}, json.dumps(waveform.waveform(reading.parse(source).dataset)).encode()
        case other:
            raise DicomError("bad_request", f"Nobody knows how to {other}.")


def main() -> None:
    """Answer until standard input ends."""
    memory = int(sys.argv[1]) << 20
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(5)
    logging.disable(logging.CRITICAL)
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    # what a library prints must not become part of an answer
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    while (question := _read(source)) is not None:
        try:
            head, body = answer(question)
        except DicomError as error:
            head, body = {"code": error.code, "error": str(error)}, b""
        except MemoryError:
            head, body = {"code": "too_large", "error": "The file needs more memory than a picture may."}, b""
        except OSError as error:
            head, body = (
                {"code": "broken", "error": f"The file cannot be read ({type(error).__name__})."},
                b"",
            )
        text = json.dumps(head).encode()
        sink.write(struct.pack("!IQ", len(text), len(body)) + text)
        sink.write(body)
        sink.flush()


def _read(source: BinaryIO) -> dict[str, Any] | None:
    head = source.read(4)
    if len(head) < 4:
        return None
    (length,) = struct.unpack("!I", head)
    if length > QUESTION_LIMIT:
        return None
    question: dict[str, Any] = json.loads(source.read(length))
    return question


if __name__ == "__main__":
    main()
