"""A recorded case as trainees study it: numbered frames, two experts' marks, talk, an instruction, some trouble."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from media.plane import Codec
from recorder.journal import JournalHeader
from recorder.recording import Recording
from server.demo import barcode

from .journal_media import FRAME_TICKS, Encoded, camera, encode, video
from .journals import STARTED, STARTED_NS

STUDIED = "20261122-101500-demo-57d1"
FIELD, FACE = 7, 9
#: RTP timestamp of the field's frame 0, and when it was recorded (seconds).
FIRST, BEGIN = 1_000_000, 0.1
FRAMES = 150
RATE = 30
PEOPLE = (
    ("pt-1", "Dr. Zhang Wei", "surgeon", "#e6e6e6"),
    ("pt-2", "Dr. Li", "expert", "#4cc2ff"),
    ("pt-3", "Prof. Keller", "expert", "#ffb454"),
)


@functools.cache
def numbered(frames: int = FRAMES) -> tuple[Encoded, ...]:
    """Encode frames of 640 × 360 that bear their numbers; one in 15 can be begun with."""
    context = av.CodecContext.create("libvpx", "w")
    context.width, context.height, context.pix_fmt = 640, 360, "yuv420p"
    context.time_base, context.gop_size, context.bit_rate = Fraction(1, RATE), 15, 1_500_000
    context.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
    rows, columns = np.mgrid[0:360, 0 : 640 + 2 * frames]
    tissue = 90 + 50 * np.sin(columns / 37) * np.cos(rows / 29) + 20 * np.sin((columns + rows) / 11)
    encoded = []
    for number in range(frames):
        luma = np.ascontiguousarray(tissue[:, 2 * number : 2 * number + 640]).astype(np.uint8)
        barcode.draw(luma, number, black=16, white=235)
        chroma = np.concatenate([np.full((90, 640), 110, np.uint8), np.full((90, 640), 168, np.uint8)])
        frame = av.VideoFrame.from_ndarray(np.concatenate([luma, chroma]), format="yuv420p")
        frame.pts = number
        encoded += context.encode(frame)
    encoded += context.encode(None)
    return tuple(Encoded(bytes(packet), int(packet.pts or 0)) for packet in encoded)


def _mark(name: str, frame: int, shape: str, *points: tuple[float, float], text: str = "") -> dict[str, Any]:
    anchor = {"producer": FIELD, "rtp_timestamp": FIRST + frame * FRAME_TICKS}
    mark = {"mark": name, "shape": shape, "anchor": anchor, "points": points, "width": 0.005, "text": text}
    return {"kind": "add", "mark": mark}


#: Who did what when, in seconds.
OPERATIONS: tuple[tuple[float, str, dict[str, Any]], ...] = (
    (0.8, "pt-2", _mark("m-1", 20, "arrow", (0.62, 0.3), (0.45, 0.5))),
    (1.0, "pt-3", _mark("m-2", 26, "ellipse", (0.3, 0.4), (0.5, 0.7))),
    (
        1.2,
        "pt-2",
        {"kind": "instruct", "instruction": "i-1", "text": "Clip here", "mark": "m-1", "spoken": False},
    ),
    (1.5, "pt-1", {"kind": "answer", "instruction": "i-1", "answer": "seen"}),
    (1.8, "pt-3", {"kind": "say", "text": "Is that the cystic duct?"}),
    (2.6, "pt-1", {"kind": "answer", "instruction": "i-1", "answer": "done"}),
    (3.0, "pt-3", _mark("m-3", 86, "text", (0.7, 0.6), text="Calot")),
)
EVENTS: tuple[tuple[float, dict[str, Any]], ...] = (
    (0.1, {"kind": "speaker", "participant": "pt-1"}),
    (0.9, {"kind": "speaker", "participant": "pt-2"}),
    (2.2, {"kind": "speaker", "participant": "pt-3"}),
    (3.4, {"kind": "speaker", "participant": None}),
    (3.5, {"kind": "hand", "participant": "pt-2", "raised": True, "by": "pt-2"}),
    (3.8, {"kind": "producer_interrupted", "producer": FACE}),
    (4.2, {"kind": "producer_resumed", "producer": FACE, "since": 1}),
    (4.4, {"kind": "speaker", "participant": "pt-1"}),
)


def image_events(there: dict[str, str]) -> tuple[tuple[float, dict[str, Any]], ...]:
    """Say who showed what of the images: two series side by side, the second of which nobody has any more.

    `there`: `study`, `series` and `instance` of an image that the room has.
    """
    view = {"frame": 1, "plane": "stack", "slice": 0, "slab": None, "invert": False, "centre": [0.5, 0.5]}
    view |= {"zoom": 1, "rotation": 0, "flip": False, "playing": False, "rate": 15}
    ct = {**there, **view, "window": [40, 400]}
    mr = {
        "study": "2.25.90",
        "series": "2.25.91",
        "instance": "2.25.92",
        **view,
        "slice": 11,
        "window": [300, 600],
    }
    state = {"layout": "1x2", "active": 0, "lines": True, "board": 1}

    def shown(series: str, modality: str, number: int, images: int) -> dict[str, Any]:
        said = {"series": series, "modality": modality, "number": number, "images": images}
        return {"kind": "images_shown", "participant": "pt-2", **said}

    def seen(*panes: dict[str, Any]) -> dict[str, Any]:
        return {"kind": "viewport", "participant": "pt-2", "state": {**state, "panes": list(panes)}}

    return (
        (2.0, {"kind": "presenter", "participant": "pt-2"}),
        (2.02, shown(there["series"], "CT", 1, 1)),
        (2.03, shown("2.25.91", "MR", 3, 20)),
        (2.04, seen(ct, mr)),
        (2.6, seen({**ct, "zoom": 2, "window": [60, 200]}, mr)),
        (4.5, {"kind": "presenter", "participant": None}),
    )


def image_mark(instance: str) -> tuple[float, str, dict[str, Any]]:
    """Draw on the image that was shown."""
    mark = {
        "mark": "m-d",
        "shape": "ellipse",
        "anchor": {"SOPInstanceUID": instance, "frame": 1},
        "points": [[0.4, 0.4], [0.6, 0.6]],
    }
    return (2.3, "pt-3", {"kind": "add", "mark": {**mark, "width": 0.005, "text": ""}})


def studied(
    folder: Path,
    events: Iterable[tuple[float, dict[str, Any]]] = EVENTS,
    operations: Sequence[tuple[float, str, dict[str, Any]]] = OPERATIONS,
) -> None:
    """Record it into a folder: the journal alone, whose files are to be made."""
    recording = Recording(JournalHeader(STUDIED, "demo", STARTED_NS, {}), "Dr. Zhang Wei", STARTED)
    for participant, name, role, colour in PEOPLE:
        event = {"participant": participant, "name": name, "role": role, "colour": colour}
        recording.receive_event({"kind": "participant_joined", **event}, STARTED)
    recording.add_producer(camera(FIELD, Codec.VP8), STARTED)
    recording.add_producer(camera(FACE, Codec.VP8, participant="pt-2", source="camera", label=""), STARTED)
    known = {participant: (name, colour) for participant, name, _, colour in PEOPLE}
    operations = sorted(operations, key=lambda one: one[0])
    happened: list[tuple[float, dict[str, Any]]] = list(events)
    for sequence, (at, author, operation) in enumerate(operations, 1):
        name, colour = known[author]
        signed = {"sequence": sequence, "author": author, "name": name, "colour": colour}
        happened.append(
            (at, {"type": "operation", **signed, "operation": operation, "time": (STARTED + at) * 1000})
        )
    packets = video(FIELD, Codec.VP8, numbered(), begin=BEGIN, timestamp=FIRST)
    # the small picture is the same few seconds over and over
    face = [
        Encoded(one.data, at) for at, one in enumerate(encode(Codec.VP8, 30, key_every=30) * (FRAMES // 30))
    ]
    packets += video(FACE, Codec.VP8, face, begin=BEGIN, timestamp=5_000_000)
    happened.sort(key=lambda one: one[0])
    for packet in sorted(packets, key=lambda one: one.at):
        while happened and happened[0][0] <= packet.at:
            at, what = happened.pop(0)
            if "type" in what:
                recording.receive_operation(what, STARTED + at)
            else:
                recording.receive_event(what, STARTED + at)
        recording.receive_tap(packet.tap(), STARTED + packet.at)
    recording.stop("Dr. Zhang Wei", STARTED + BEGIN + FRAMES / RATE)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "journal.kjr").write_bytes(recording.bytes_to_write(STARTED + BEGIN + FRAMES / RATE + 1))
