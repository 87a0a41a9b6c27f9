"""All that goes to a hospital after a consultation, written from the room's marks, its images and its stills."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut

from ..anchors import DicomAnchor, VideoAnchor
from ..still import Facing
from .capture import rgb_of_png, secondary_capture
from .errors import DicomError
from .frames import of_frame
from .key_objects import key_object_selection
from .kinds import Kind
from .measuring import Measured, Pixels, label, measure, measured_image
from .outgoing import DrawnMark, OutgoingError, Stamp, Subject
from .pixels import decode
from .presentation import presentation_states
from .reading import FAILURES, parse, quietly
from .rendering import render
from .report import measurement_report

#: The shapes that measure values, for which a frame must be decoded.
_VALUED: Final = frozenset({"roi_ellipse", "roi_rectangle", "probe"})


@dataclass(frozen=True, slots=True)
class StillFile:
    """A kept frame of the field: which, its PNG, and which way round it was said to be."""

    producer: int
    rtp_timestamp: int
    path: Path
    facing: Facing | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """An object that is to go: what it is, on how many images, with how many marks; of a still, which."""

    kind: Kind
    dataset: Dataset
    images: int
    marks: int
    still: StillFile | None = None


class _Frames:
    """The images that marks hang on, read once; of the decoded frames the last."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self.paths = paths
        self.headers: dict[str, Dataset] = {}
        for anchor, path in paths.items():
            with path.open("rb") as source:
                self.headers[anchor] = parse(source).dataset
        self._last: tuple[str, int] | None = None
        self._values: Pixels | None = None

    def values(self, anchor: str, frame: int) -> Pixels | None:
        """Give a frame's values with the rescale applied; None: in colour, or not to be decoded."""
        if self._last != (anchor, frame):
            self._last, self._values = (anchor, frame), None
            header = of_frame(self.headers[anchor], frame)
            if str(header.get("PhotometricInterpretation", "")).startswith("MONOCHROME"):
                try:
                    self._values = quietly(apply_modality_lut, decode(self.paths[anchor], frame), header)
                except (DicomError, *FAILURES):
                    self._values = None
        return self._values

    def measure(self, drawn: DrawnMark) -> Measured | None:
        """Measure a mark on its image."""
        anchor = drawn.mark.anchor
        assert isinstance(anchor, DicomAnchor), "only marks on images are measured"
        pixels = self.values(anchor.sop_instance_uid, anchor.frame) if drawn.mark.shape in _VALUED else None
        return measure(
            drawn.mark, measured_image(self.headers[anchor.sop_instance_uid], pixels, anchor.frame)
        )


def labels_of(marks: Sequence[DrawnMark], images: Mapping[str, Path]) -> dict[str, str]:
    """Say what each mark on these images measures, by mark, as it stands beside it; nothing of those that do not."""
    frames = _Frames(images)
    on_images = [drawn for drawn in marks if _anchor(drawn) in frames.headers]
    return {drawn.mark.mark: label(frames.measure(drawn)) for drawn in on_images}


def write_all(
    marks: Sequence[DrawnMark],
    images: Mapping[str, Path],
    stills: Sequence[StillFile],
    subject: Subject | None,
    want: Sequence[str],
    stamp: Stamp,
) -> Iterator[Written | OutgoingError]:
    """Write what is wanted, yielding each object, or why one could not be written.

    `images` are files by the SOPInstanceUID of the marks' anchors; the stills are of `subject`, the room's patient.
    """
    frames = _Frames(images)
    on_images = [drawn for drawn in marks if _anchor(drawn) in frames.headers]
    for study in dict.fromkeys(str(frames.headers[_anchor(drawn)].StudyInstanceUID) for drawn in on_images):
        here = [one for one in on_images if str(frames.headers[_anchor(one)].StudyInstanceUID) == study]
        yield from _of_study(here, frames, want, stamp)
    if subject is not None:
        yield from _of_stills(marks, stills, subject, want, stamp)


def _anchor(drawn: DrawnMark) -> str:
    return drawn.mark.anchor.sop_instance_uid if isinstance(drawn.mark.anchor, DicomAnchor) else ""


def _of_study(
    marks: Sequence[DrawnMark], frames: _Frames, want: Sequence[str], stamp: Stamp
) -> Iterator[Written | OutgoingError]:
    used = {_anchor(drawn): frames.headers[_anchor(drawn)] for drawn in marks}
    measured = {drawn.mark.mark: frames.measure(drawn) for drawn in marks}
    labels = {name: label(found) for name, found in measured.items()}
    chosen: list[Dataset] = list(used.values())
    if "presentation" in want:
        try:
            states = presentation_states(marks, used, stamp, labeller=lambda one, _: labels[one.mark.mark])
        except OutgoingError as error:
            yield error
        else:
            chosen += states
            for state in states:
                annotations = state.GraphicAnnotationSequence
                images = {a.ReferencedImageSequence[0].ReferencedSOPInstanceUID for a in annotations}
                kept = [drawn for drawn in marks if str(used[_anchor(drawn)].SOPInstanceUID) in images]
                yield Written("presentation", state, len(images), len(kept))
    if "report" in want:
        try:
            report = measurement_report(marks, used, stamp, lambda one, _: measured[one.mark.mark])
        except OutgoingError as error:
            yield error
        else:
            if report is not None:
                chosen.append(report)
                yield Written(
                    "report", report, len(used), sum(found is not None for found in measured.values())
                )
    if "key_objects" in want:
        try:
            selection = key_object_selection(chosen, stamp, "Discussed in a consultation")
        except OutgoingError as error:
            yield error
        else:
            yield Written("key_objects", selection, len(used), 0)
    yield from _captures(marks, frames, labels, want, stamp)


def _captures(
    marks: Sequence[DrawnMark], frames: _Frames, labels: dict[str, str], want: Sequence[str], stamp: Stamp
) -> Iterator[Written | OutgoingError]:
    pictures: dict[tuple[str, int], list[DrawnMark]] = {}
    for drawn in marks:
        assert isinstance(drawn.mark.anchor, DicomAnchor), "only marks on images come here"
        pictures.setdefault((_anchor(drawn), drawn.mark.anchor.frame), []).append(drawn)
    for number, ((anchor, frame), here) in enumerate(pictures.items(), 1):
        if "capture_marked" not in want and "capture_plain" not in want:
            return
        try:
            picture = rgb_of_png(render(frames.paths[anchor], frame, None, "png"))
        except DicomError as error:
            yield OutgoingError(str(error))
            continue
        numbered = replace(stamp, number=number)
        header = of_frame(frames.headers[anchor], frame)
        try:
            if "capture_marked" in want:
                capture = secondary_capture(picture, header, numbered, marks=here, labels=labels)
                yield Written("capture_marked", capture, 1, len(here))
            if "capture_plain" in want:
                yield Written("capture_plain", secondary_capture(picture, header, numbered), 1, 0)
        except OutgoingError as error:
            yield error


def _of_stills(
    marks: Sequence[DrawnMark],
    stills: Sequence[StillFile],
    subject: Subject,
    want: Sequence[str],
    stamp: Stamp,
) -> Iterator[Written | OutgoingError]:
    for number, still in enumerate(stills, 1):
        here = [drawn for drawn in marks if _is_on(drawn, still)]
        try:
            picture = rgb_of_png(still.path.read_bytes())
            numbered = replace(stamp, number=number)
            if "capture_marked" in want and here:
                capture = secondary_capture(
                    picture,
                    subject,
                    numbered,
                    marks=here,
                    description="Field, with marks",
                    facing=still.facing,
                )
                yield Written("capture_marked", capture, 1, len(here), still)
            if "capture_plain" in want:
                plain = secondary_capture(
                    picture, subject, numbered, description="Field, without marks", facing=still.facing
                )
                yield Written("capture_plain", plain, 1, 0, still)
        except OutgoingError as error:
            yield error


def _is_on(drawn: DrawnMark, still: StillFile) -> bool:
    anchor = drawn.mark.anchor
    return (
        isinstance(anchor, VideoAnchor)
        and anchor.still
        and (anchor.producer, anchor.rtp_timestamp) == (still.producer, still.rtp_timestamp)
    )
