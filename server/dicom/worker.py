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
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from annotation.dicom import ingest, looking, pixels, read_back, reading, rendering, serving, waveform
from annotation.dicom.errors import DicomError
from annotation.dicom.rendering import Viewport, Window
from annotation.dicom.room_uids import RoomUids
from recorder.small_writes import write_file

#: Points of marks out of one object: a room has no place for more.
READ_POINTS_LIMIT = 100_000
#: Longest question: paths, a few numbers, the sizes of a room's images.
QUESTION_LIMIT = 1 << 22


def answer(question: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Do what is asked. Raise DicomError."""
    path = Path(question["path"])
    match question["do"]:
        case "ingest":
            taken = ingest.ingest(path, RoomUids(bytes.fromhex(question["key"])), question["time"])
            if taken.replacement is not None:
                write_file(path, taken.replacement)
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
            arguments = (window, question["format"], Viewport.from_json(question["viewport"]))
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
        case "study":
            with path.open("rb") as source:
                return {"study": reading.text(reading.parse(source).dataset, "StudyInstanceUID")}, b""
        case "look":
            with path.open("rb") as source:
                return looking.look(source), b""
        case "film":
            # FFmpeg is loaded where there are films
            from .films import remux  # noqa: PLC0415

            return remux(path, serving.fragments(path), Path(question["target"])), b""
        case "film_picture":
            from .films import picture  # noqa: PLC0415

            pieces = serving.fragments(path)
            viewport = Viewport.from_json(question["viewport"])
            return {}, picture(path, pieces, question["frame"], question["format"], viewport)
        case "waveform":
            with path.open("rb") as source:
                return {}, json.dumps(waveform.waveform(reading.parse(source).dataset)).encode()
        case "read_back":
            return marks_of(path, question["sizes"]), b""
        case other:
            raise DicomError("bad_request", f"Nobody knows how to {other}.")


def marks_of(path: Path, sizes: dict[str, list[int]]) -> dict[str, Any]:
    """Read the marks of a presentation state or a report; `sizes` are the columns and rows of the room's images."""
    with path.open("rb") as source:
        dataset = reading.parse(source).dataset
    known = {uid: (size[0], size[1]) for uid, size in sizes.items()}
    try:
        found = reading.quietly(read_back.read_back, dataset, known.get)
    except read_back.ReadBackError as error:
        raise DicomError("unsupported", str(error)) from None
    points, kept = 0, []
    for mark in found.marks:
        points += len(mark.points)
        if points <= READ_POINTS_LIMIT:
            kept.append(asdict(mark))
    skipped = found.skipped + len(found.marks) - len(kept)
    return {"marks": kept, "skipped": skipped, "missing": sorted(found.missing)}


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
            head, body = {"code": error.code, "error": str(error), "detail": error.detail}, b""
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
