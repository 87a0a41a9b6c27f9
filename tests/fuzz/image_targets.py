"""What comes as images and to the watcher of a field: DICOM and ZIP files, what is asked of them, tap records."""

from __future__ import annotations

import io
import json
import re
import struct
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl

import pydicom.data
from PIL import Image
from pydicom.dataset import Dataset

from annotation.dicom.acceptor import Acceptor, Begun, Ended, Event, Piece, Whole
from annotation.dicom.deidentify import deidentify
from annotation.dicom.errors import DicomError
from annotation.dicom.looking import look
from annotation.dicom.packing import ALWAYS_ALLOWED, Archive
from annotation.dicom.reading import parse, quietly, text
from annotation.dicom.rendering import Viewport, fitted, parse_window
from annotation.dicom.rendering import parse_viewport as parse_rendered_viewport
from annotation.dicom.search import LIMIT, parse_query
from media.plane import Codec
from recorder.journal import JournalError, tap_packets
from server.dicom.films import picture, remux
from server.watching.backlog import Backlog
from server.watching.pictures import Pictures, Stream, in_order
from server.watching.wire import Messages, WireError
from signalling.message_frame import MessageError
from signalling.presenter_messages import LAYOUTS, parse_viewport
from tests.helpers.dicom_sending import CT, IMPLICIT, LITTLE, STORE_CT, asking, command, value
from tests.helpers.films import H264, MPEG2, encoded

from . import hospital_targets

REFUSALS = (DicomError, JournalError, WireError, MessageError)


def read_dicom(data: bytes) -> None:
    """Read a file up to its pixels, which lie within it."""
    parsed = parse(io.BytesIO(data))
    assert 0 <= parsed.pixel_offset <= len(parsed.inflated or data)


def hide(data: bytes) -> None:
    """De-identify what can be read: the copy says that it is one, and has none of what is private."""
    dataset = parse(io.BytesIO(data)).dataset
    names = {word.casefold() for word in re.findall(r"[^\W_\d]{5,}", quietly(text, dataset, "PatientName"))}
    hidden = quietly(deidentify, dataset, "p-1")
    assert hidden.PatientID == "p-1"
    assert hidden.PatientName == "Anonymous"
    assert not any(tag.is_private for tag in hidden)
    assert not names & set(quietly(_words_of, hidden))


def _words_of(hidden: Dataset) -> Iterator[str]:
    """Yield the words of all texts but those that de-identifying itself writes."""
    own = ("PatientName", "DeidentificationMethod", "DeidentificationMethodCodeSequence")
    for element in hidden:
        if element.VR == "SQ" and element.keyword not in own:
            for item in element.value:
                yield from _words_of(item)
        elif (
            element.VR in ("LO", "SH", "CS", "LT", "ST", "UT", "UC", "PN", "UI", "AE")
            and element.keyword not in own
        ):
            # what is replaced says so itself
            yield from re.findall(r"[^\W_]+", str(element.value).casefold().replace("removed", ""))


def look_closer(data: bytes) -> None:
    """Tell what a file is: words of the standard and numbers, and nothing that stands in it."""
    told = look(io.BytesIO(data))
    assert set(told) <= {"file", "modality", "object", "syntax", "rows", "columns", "frames"}
    assert b"Geheim" not in json.dumps(told).encode()


def play(data: bytes) -> None:
    """Put a film into MP4 and show its second frame; what was written is a film."""
    with tempfile.TemporaryDirectory() as folder:
        path, target = Path(folder) / "film", Path(folder) / "film.mp4"
        path.write_bytes(data)
        half = len(data) // 2
        try:
            told = remux(path, [(0, half), (half, len(data) - half)], target)
        except DicomError:
            assert not target.exists()
            raise
        assert target.exists() == bool(told["type"])
        assert picture(path, [(0, len(data))], 2, "jpeg", Viewport(32, 32)).startswith(b"\xff\xd8")


def unpack(data: bytes) -> None:
    """Unpack all files of a ZIP; none has more than it says, or than is allowed."""
    archive = Archive(io.BytesIO(data), 1 << 20)
    for packed in archive.files:
        try:
            size = sum(map(len, archive.read(packed)))
        except DicomError:
            continue
        assert size <= min(packed.size, ALWAYS_ALLOWED)


def look_for(data: bytes) -> None:
    """Parse a query string."""
    query = parse_query(parse_qsl(data.decode("utf-8", "replace"), keep_blank_values=True))
    assert 0 <= query.limit <= LIMIT
    assert query.offset >= 0


def window(data: bytes) -> None:
    """Parse a window; its width can be divided by."""
    assert 0 < parse_window(data.decode("utf-8", "replace")).width < 1e9


def part(data: bytes) -> None:
    """Parse a viewport and cut a picture by it; what comes out is within both."""
    viewport = parse_rendered_viewport(data.decode("utf-8", "replace"))
    assert Viewport.from_json(viewport.to_json()) == viewport
    shown = fitted(Image.new("L", (37, 23)), viewport)
    assert 1 <= shown.width <= min(37, viewport.width)
    assert 1 <= shown.height <= min(23, viewport.height)


def read_wire(data: bytes) -> None:
    """Take messages in two pieces; they are what a whole one gives."""
    whole, parted = Messages(), Messages()
    half = len(data) // 2
    found = [*parted.receive(data[:half]), *parted.receive(data[half:])]
    assert found == list(whole.receive(data))


def put_together(data: bytes) -> None:
    """Put pictures of tap records together, by the codec that the first byte names."""
    codecs = list(Codec)
    codec = codecs[data[0] % len(codecs)] if data else Codec.VP8
    if codec is Codec.OPUS:
        return
    pictures = Pictures(Stream(codec, 0, "", 90_000))
    found = [*pictures.receive(data[1:]), *pictures.finish()]
    assert not found or found[0].key


def sort_records(data: bytes) -> None:
    """Sort tap records, each once; what is sorted stays so."""
    ordered = in_order(data)
    numbers = [sequence for _, _, sequence, _, _ in tap_packets(ordered)]
    assert numbers == sorted(set(numbers))
    assert in_order(ordered) == ordered


def keep_back(data: bytes) -> None:
    """Keep tap records back to a key frame, within the limit."""
    backlog = Backlog(Codec.VP8, limit=256)
    backlog.receive(data)
    assert backlog.size == len(backlog.records()) <= 256
    list(tap_packets(backlog.records()))


def see(data: bytes) -> None:
    """Read what a presenter sees; it is read as it was written."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(body, dict):
        viewport = parse_viewport(body)
        assert len(viewport.state["panes"]) == LAYOUTS[viewport.state["layout"]]
        again = {"n": viewport.n, "sent": viewport.sent, "state": viewport.state}
        assert parse_viewport(json.loads(json.dumps(again))) == viewport


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("a/IM1"), b"DICM" * 20, zipfile.ZIP_DEFLATED)
        archive.writestr(zipfile.ZipInfo("b"), b"stored")
    return buffer.getvalue()


def _tap(*payloads: bytes) -> bytes:
    records = []
    for number, payload in enumerate(payloads):
        packet = struct.pack("!BBHII", 0x80, 0xE0, number, 3000 * number, 7) + payload
        records.append(struct.pack("!IIQQ", 20 + len(packet), 1, 1000 * number, number) + packet)
    return b"".join(records)


_PANE = (
    '{"study":"2.25.1","series":"2.25.2","instance":"2.25.3","frame":1,"plane":"stack","slice":0,"slab":{"mode":"max","mm":12.5},"window":[40,400],'
    '"invert":false,"centre":[0.5,0.5],"zoom":1,"rotation":0,"flip":false,"playing":false,"rate":0}'
)


def _heads() -> tuple[bytes, ...]:
    """Cut pydicom's own files before their pixels: what is read and hidden stands there."""
    found = []
    for path in sorted((Path(pydicom.data.__file__).parent / "test_files").glob("*.dcm")):
        data = path.read_bytes()
        places = [at for tag in _PIXELS if (at := data.find(tag)) > 0]
        head = data[: min(places, default=len(data))]
        if len(head) <= HEAD_LIMIT:
            found.append(head)
    return tuple(found)


_PIXELS = (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")
#: Longer heads than these (functional groups, curves) say nothing new, and cost executions.
HEAD_LIMIT = 6000
HEADS = hospital_targets.MARKS + _heads()
FILMS = (
    encoded(H264, 3),
    encoded(H264, 3, "mpegts"),
    encoded(MPEG2, 3, "mpeg"),
)
FILM_LIMIT = 4000
FILES = hospital_targets.MARKS
ZIPS = (_zip(),)
QUERIES = (
    b"Modality=CT&limit=5&offset=1",
    b"StudyInstanceUID=2.25.1%5C2.25.2",
    b"00080061=MR,CT&includefield=all",
)
PARTS = (b"640,640", b"9,9,1,2.5,-8,8", b"40,30,,,,")
WINDOWS = (b"40,400", b"-600,1500,linear-exact", b"0.5,1e-3,sigmoid")
MESSAGES = (b"P\0\0\0\3abcT\0\0\0\0", b"M\0\0\0\2[]")
TAPS = (
    _tap(b"\x10\0\0\0\x9d\x01\x2a\x40\0\x30\0", b"\x10\x01\0\0xx"),
    _tap(b"\x65\x88\x80", b"\x41\x9a"),
)
PICTURES = tuple(bytes([number]) + tap for number in range(len(Codec)) for tap in TAPS)
VIEWPORTS = (
    f'{{"n":1,"sent":1.5,"state":{{"layout":"1x2","active":0,"lines":true,"panes":[{_PANE},null]}}}}'.encode(),
    f'{{"n":2,"sent":-0.0,"state":{{"layout":"1x1","active":0,"lines":false,"panes":[{_PANE}]}}}}'.encode(),
    f'{{"n":3,"sent":1e12,"state":{{"layout":"2x2","active":3,"lines":true,"panes":[null,{_PANE},null,null]}}}}'.encode(),
)


def associate(data: bytes) -> None:
    """Take what a peer sends, whole and cut in two: the same comes of it, in an order that a file can be made of."""
    at_once = _associated(data)
    assert _associated(data[: len(data) // 2], data[len(data) // 2 :]) == at_once
    within, held = False, 0
    for event in at_once:
        assert within or not isinstance(event, Piece | Whole)
        within = isinstance(event, Begun) or (within and isinstance(event, Piece))
        held += len(event.data) if isinstance(event, Piece) else 0
    assert held <= len(data)


def _associated(*parts: bytes) -> list[Event]:
    taking = Acceptor(lambda called, calling: None, frozenset({IMPLICIT}), "2.25.1", 2000, 0.0)
    for part in filter(None, parts):
        taking.receive_data(part, 0.0)
    sent = taking.data_to_send()
    found = []
    while (event := taking.next_event()) is not None:
        found.append(event)
    assert taking.over == (bool(found) and isinstance(found[-1], Ended))
    assert len(sent) < 4096 + 30 * sum(map(len, parts))
    return found


ASSOCIATIONS = (
    asking() + STORE_CT + LITTLE + value(b"\x20\0\x0d\0", 2) + STORE_CT,
    asking(abstract="1.2.840.10008.1.1") + command(0x30, data=False) + b"\5\0\0\0\0\4\0\0\0\0",
    asking(abstract=CT) + STORE_CT + b"\7\0\0\0\0\4\0\0\0\0",
)
