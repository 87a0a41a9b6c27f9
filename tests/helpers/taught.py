"""A small recording with an expert's marks in it, to ask questions about, and how people ask over HTTP."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from media.plane import Codec
from recorder.export.preparing import prepare
from recorder.library import DESCRIPTION
from server.demo import barcode
from signalling.permissions import Role
from tests.helpers.journal_media import Encoded, camera, encode, record, video
from tests.helpers.journals import RECORDING
from tests.helpers.served import Answered, Served

#: The first frame of its field, producer 7.
FIRST = 1_000_000
FRAME_TICKS = 3_000
ROOM = "demo"
#: A role and a name.
Who = tuple[Role, str]
#: The expert's marks: on the tenth frame, on the same frozen frame, and on the last one.
ON = FIRST + 9 * FRAME_TICKS


def mark(
    name: str, shape: str, points: list[list[float]], rtp_timestamp: int = ON, **more: Any
) -> dict[str, Any]:
    """Write a mark as it stands on the wire."""
    anchor = {
        "producer": 7,
        "rtp_timestamp": rtp_timestamp,
        **({"still": True} if more.pop("still", False) else {}),
    }
    return {
        "mark": name,
        "shape": shape,
        "anchor": anchor,
        "points": points,
        "width": 0.006,
        "text": "",
        **more,
    }


def entry(sequence: int, at: float, operation: dict[str, Any], author: str = "pt-k") -> dict[str, Any]:
    """Write an operation as it stands in a description."""
    name = "Prof. Keller" if author == "pt-k" else "Dr. Wu"
    return {
        "sequence": sequence,
        "at": at,
        "author": author,
        "name": name,
        "colour": "#ffff00",
        "operation": operation,
    }


OPERATIONS: list[dict[str, Any]] = [
    entry(1, 0.5, {"kind": "add", "mark": mark("m-tip", "arrow", [[0.2, 0.2], [0.5, 0.4]])}),
    entry(2, 0.5, {"kind": "add", "mark": mark("m-frozen", "pin", [[0.5, 0.4]], still=True)}, "pt-w"),
    entry(3, 0.6, {"kind": "instruct", "instruction": "i-1", "text": "Clip it", "mark": "m-tip", "spoken": False}),
    entry(4, 0.6, {"kind": "answer", "instruction": "i-1", "answer": "done"}),
    entry(5, 0.6, {"kind": "say", "text": "Well seen."}),
    entry(
        6, 0.7, {"kind": "track", "anchor": {"producer": 7, "rtp_timestamp": ON}, "tracks": [
            {"mark": "m-tip", "state": "good", "matrix": [1, 0, 0, 1, 0, 0], "confidence": 1}]}
    ),
    entry(7, 0.7, {"kind": "delete", "marks": ["m-frozen"]}),
    entry(8, 0.7, {"kind": "undo", "target": 7}),
]  # fmt: skip
POINTERS: list[dict[str, Any]] = [
    {"at": 0.4, "author": "pt-k", "anchor": {"producer": 7, "rtp_timestamp": ON}, "point": [0.5, 0.4]},
    {"at": 0.5, "author": "pt-k", "anchor": None, "point": None},
]


def lay_down(
    folder: Path,
    frames: Sequence[Encoded] | None = None,
    codec: Codec = Codec.VP8,
    recording: str = RECORDING,
    **changes: Any,
) -> dict[str, Any]:
    """Make a finished recording below a server's folder; give its description, with `changes` to it."""
    place = folder / "recordings" / recording
    record(place, [camera(7, codec)], video(7, codec, frames or encode(codec), timestamp=FIRST))
    prepare(place)
    description: dict[str, Any] = json.loads((place / DESCRIPTION).read_bytes())
    description |= {"operations": OPERATIONS, "pointers": POINTERS} | changes
    (place / DESCRIPTION).write_text(json.dumps(description))
    return description


async def call(
    server: Served, who: Who, method: str, path: str, body: object = None, room: str = ROOM
) -> Answered:
    """Ask as somebody (role, name)."""
    headers = {"Authorization": f"Bearer {server.token(who[0], who[1], room)}"}
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    return await server.ask(method, f"/api/training/{path}", headers, data)


def question(answer: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Write a question about the tenth frame."""
    asked = {
        "producer": 7,
        "rtp_timestamp": ON,
        "at": 0.4,
        "prompt": "Mark the cystic artery",
        "words": "It crosses\nCalot's triangle.",
        "tolerance": 5,
        "answer": answer,
    }
    return asked | changes


def barcoded(count: int = 60) -> tuple[Encoded, ...]:
    """Encode pictures of 320 x 240 (VP8, 30 a second) each of which bears its number as a barcode."""
    context = av.CodecContext.create("libvpx", "w")
    context.width, context.height, context.pix_fmt = 320, 240, "yuv420p"
    context.time_base = Fraction(1, 30)
    context.gop_size = 15
    context.bit_rate = 1_500_000
    context.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
    encoded = []
    noise = np.random.default_rng(3).integers(40, 90, (240, 320 + count * 2, 3), np.uint8)
    for number in range(count):
        picture = np.ascontiguousarray(noise[:, number * 2 : number * 2 + 320])
        barcode.draw(picture, number)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts = number
        encoded += context.encode(frame)
    encoded += context.encode(None)
    return tuple(Encoded(bytes(packet), int(packet.pts or 0)) for packet in encoded)
