"""One moment of a recording as one picture."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import cv2
import numpy as np

from annotation.anchors import DicomAnchor
from annotation.notes import Track

from ..captions import Cue, captions_of, chapters_of
from ..film_words import say
from ..masks import masks_on
from ..options import Options
from ..people import People
from ..shown import Seen, Timeline
from . import letters
from .figures import Matrix, moved_by
from .images import Images, active_pane, read_pane
from .ink import Painted, Pixels, Sprite, paint_mark, paint_pointer, rgb
from .layout import Box, Layout, layout_of
from .pictures import Picture, Pictures

_GROUND, _PANEL, _LINE = "#05080b", "#10171d", "#34434f"
_TEXT, _DIM, _ACCENT, _AMBER = "#dbe2e8", "#98a6b2", "#3fd0b6", "#ffdf9e"
#: Which camera is the large one, if nobody says it.
_LARGE = ("field", "screen", "second", "camera")
_TRAIL = 0.35
#: So many marks that are stale say so, as on the page; of more the colour says it.
_SAID = 5
#: A mark bears its author's name when it comes: nobody can ask a film.
_NAMED = 3.0
_SPRITES = 400
#: Nothing is told of for longer (seconds).
_LONGEST_CUE = 60.0


@dataclass(frozen=True, slots=True)
class Seat:
    """A camera as a film shows it."""

    pictures: Pictures
    source: str
    participant: str


class Scene:
    """Draws moments, in their order."""

    def __init__(
        self,
        description: dict[str, Any],
        timeline: Timeline,
        seats: Sequence[Seat],
        options: Options,
        images: Images,
    ) -> None:
        self._description, self._timeline, self._options = description, timeline, options
        self._seats = sorted(seats, key=lambda seat: (_rank(seat), seat.pictures.producer))
        self._people = People(description, options)
        self._images = images
        self._presented = list(_presented(timeline))
        self._presented_at = [at for at, _ in self._presented]
        presents = any(pane is not None for _, pane in self._presented)
        self.layout: Layout = layout_of(options.height, side=len(seats) > 1, images=presents)
        end = min(options.end or timeline.seconds, timeline.seconds)
        self.chapters = list(chapters_of(timeline, self._people, options, end))
        self._captions = list(captions_of(timeline, self._people, options, end))
        self._starts = [cue.begin for cue in self._captions]
        self._gaps = [
            (int(gap["producer"]), float(gap["at"]), float(gap["at"]) + float(gap.get("seconds") or 0.0))
            for gap in description.get("gaps") or []
        ]
        self._zone_started = datetime.fromtimestamp(
            float(description.get("started") or 0.0) / 1000
        ).astimezone()
        self._ground = np.full((self.layout.height, self.layout.width, 3), rgb(_GROUND), np.uint8)
        self._ground[self.layout.strip.slices()] = rgb(_PANEL)
        self._sprites: OrderedDict[object, list[Sprite]] = OrderedDict()
        self._fitted: dict[int, tuple[Picture, Box, Pixels]] = {}

    # -- a moment ------------------------------------------------------------------------------------------------

    def draw(self, position: float) -> Pixels:
        """Draw the moment at a position; RGB."""
        canvas = self._ground.copy()
        speaker = self._timeline.speaker(position)
        there = [seat for seat in self._seats if seat.pictures.is_there(position)]
        large = next((seat for seat in there if seat.pictures.producer == self._options.main), None)
        large = large or (there[0] if there else None)
        shown = large is not None and self._draw_seat(
            canvas, large, self.layout.main, position, speaker, large=True
        )
        if not shown:
            self._write_middle(canvas, self.layout.main, say(self._options.language, "no_picture"))
        elif large is not None and self._is_in_gap(large, position):
            self._write_low(canvas, self.layout.main, say(self._options.language, "gap"), _AMBER)
        self._draw_image(canvas, position)
        others = [seat for seat in there if seat is not large]
        for seat, box in zip(self._seated(others, speaker), self.layout.tiles, strict=False):
            self._draw_seat(canvas, seat, box, position, speaker, large=False)
        self._draw_strip(canvas, position, speaker)
        return canvas

    def _seated(self, others: list[Seat], speaker: str) -> list[Seat]:
        """Where there are more than places, who speaks has the last one."""
        places = len(self.layout.tiles)
        if len(others) <= places or any(seat.participant == speaker for seat in others[:places]):
            return others[:places]
        speaking = [seat for seat in others if seat.participant == speaker]
        return [*others[: places - 1], *speaking[:1]] if speaking else others[:places]

    def _draw_seat(
        self, canvas: Pixels, seat: Seat, box: Box, position: float, speaker: str, *, large: bool
    ) -> bool:
        picture = seat.pictures.at(position)
        if not large:
            canvas[box.slices()] = rgb(_PANEL)
        if picture is not None:
            place = box.holding(picture.frame.width, picture.frame.height)
            ground = self._fit(seat, picture, place)
            if self._options.marks or self._options.pointers:
                ground = self._with_ink(ground, seat, picture, position)
            canvas[place.slices()] = ground
        if not large:
            self._draw_label(canvas, seat, box, speaking=bool(speaker) and seat.participant == speaker)
        return picture is not None

    def _fit(self, seat: Seat, picture: Picture, place: Box) -> Pixels:
        known = self._fitted.get(seat.pictures.producer)
        if known is None or known[0] is not picture or known[1] != place:
            fitted = picture.fitted(place.width, place.height)
            masks = masks_on(self._options.masks, seat.pictures.producer)
            fitted = fitted.copy() if masks else fitted
            for mask in masks:
                fitted[mask.rows_and_columns(place.width, place.height)] = 0
            known = self._fitted[seat.pictures.producer] = picture, place, fitted
        return known[2]

    # -- marks and pointers --------------------------------------------------------------------------------------

    def _with_ink(self, ground: Pixels, seat: Seat, picture: Picture, position: float) -> Pixels:
        producer, at = seat.pictures.producer, picture.position
        size = (ground.shape[1], ground.shape[0])
        matrix: Matrix = (size[0], 0.0, 0.0, size[1], 0.0, 0.0)
        sprites: list[Sprite] = []
        marks = self._timeline.marks_on(producer, at) if self._options.marks else []
        for seen in marks:
            sprites += self._sprites_of(seen, at, matrix, size, many=len(marks) > _SAID)
        if self._options.pointers:
            for pointer in self._timeline.pointers_on(producer, position):
                trail = [
                    (point, 0.0 if number == len(pointer.trail) - 1 else min(1.0, age / _TRAIL))
                    for number, (point, age) in enumerate(pointer.trail)
                ]
                name = self._people.name(pointer.author) if self._options.names else ""
                sprites += paint_pointer(trail, name, self._people.colour(pointer.author), matrix, size)
        if not sprites:
            return ground
        inked = ground.copy()
        for sprite in sprites:
            sprite.lay_on(inked)
        return inked

    def _sprites_of(
        self, seen: Seen, at: float, matrix: Matrix, size: tuple[int, int], *, many: bool
    ) -> list[Sprite]:
        track: Track | None
        track, state = self._timeline.moved(seen, at)
        outdated = self._timeline.is_outdated(seen, at)
        said = "outdated" if outdated else state if state in ("lost", "stale", "pending") else ""
        moved = matrix if track is None else moved_by(track.matrix, matrix)
        since = self._timeline.appearance(
            seen.mark.anchor, (seen.anchored - float(self._description["started"])) / 1000
        )
        named = state == "lost" or (state == "stale" and not many) or at - since < _NAMED
        words = [self._people.name(seen.author)] if self._options.names else []
        words += [say(self._options.language, said)] if said else []
        painted = Painted(
            mark=seen.mark,
            colour=seen.colour,
            matrix=tuple(round(value, 2) for value in moved),  # type: ignore[arg-type]
            unit=size[1],
            stale=outdated or state in ("lost", "stale", "pending"),
            plate=" · ".join(words) if named else "",
            measured=self._measured(seen, at),
        )
        sprites = self._sprites.get(painted)
        if sprites is None:
            sprites = self._sprites[painted] = paint_mark(painted, size)
            if len(self._sprites) > _SPRITES:
                self._sprites.popitem(last=False)
        return sprites

    def _measured(self, seen: Seen, at: float) -> str:
        """Say how long a length is, as the page does."""
        mark = seen.mark
        seat = next(
            (s for s in self._seats if s.pictures.producer == getattr(mark.anchor, "producer", None)), None
        )
        if mark.shape != "length" or seat is None:
            return ""
        known = self._fitted.get(seat.pictures.producer)
        if known is None:
            return ""
        frame = known[0].frame
        size = np.array([frame.width, frame.height], np.float64)
        pixels = float(np.linalg.norm((np.array(mark.points[1]) - np.array(mark.points[0])) * size))
        calibration = self._timeline.calibration(seen, at)
        if calibration is not None:
            points, millimetres = calibration
            reach = float(np.linalg.norm((np.array(points[1]) - np.array(points[0])) * size))
            if reach > 0:
                length = pixels * millimetres / reach
                return f"{length:.1f} mm" if length < 100 else f"{round(length)} mm"
        return say(self._options.language, "length_px", value=str(round(pixels)))

    # -- what is presented ---------------------------------------------------------------------------------------

    def _draw_image(self, canvas: Pixels, position: float) -> None:
        """Draw the image that somebody presents at a position, or say that it is not here."""
        number = bisect_right(self._presented_at, position)
        fields = self._presented[number - 1][1] if number else None
        box = self.layout.image
        if fields is None or box is None:
            return
        pane = read_pane(fields)
        shown = self._images.show(pane, box.width, box.height) if pane is not None else None
        if pane is None or shown is None:
            canvas[box.slices()] = rgb(_PANEL)
            height = max(12.0, box.height * 0.05)
            words = say(self._options.language, "dicom_gone" if pane is not None else "dicom_cut")
            top = box.top + box.height * 0.4
            for line in letters.broken(words, height, box.width - 2 * height):
                self._write(canvas, line, box.left + height, top, height, _AMBER)
                top += height * 1.5
            return
        size = (box.width, box.height)
        for seen in self._timeline.marks_at(position) if self._options.marks else []:
            anchor = seen.mark.anchor
            if isinstance(anchor, DicomAnchor) and (anchor.sop_instance_uid, anchor.frame) == (
                pane.instance,
                pane.frame,
            ):
                for sprite in paint_mark(Painted(seen.mark, seen.colour, shown.matrix, shown.unit), size):
                    sprite.lay_on(shown.picture)
        canvas[box.slices()] = shown.picture

    # -- words ---------------------------------------------------------------------------------------------------

    def _draw_label(self, canvas: Pixels, seat: Seat, box: Box, *, speaking: bool) -> None:
        height = max(12.0, box.height * 0.09)
        words = self._people.name(seat.participant)
        if seat.source != "camera":
            words = f"{say(self._options.language, f'source_{seat.source}')} · {words}"
        words = letters.fitted(words, height, box.width - height * 1.4)
        top = box.top + box.height - int(height * 1.8)
        rows = canvas[top : box.top + box.height, box.left : box.left + box.width]
        rows[:] = (rows * 0.35).astype(np.uint8)
        self._write(canvas, words, box.left + height * 0.6, top + height * 0.2, height, _TEXT)
        ink, width = (_ACCENT, 4) if speaking else (_LINE, 1)
        cv2.rectangle(
            canvas, (box.left, box.top), (box.left + box.width - 1, box.top + box.height - 1), rgb(ink), width
        )

    def _draw_strip(self, canvas: Pixels, position: float, speaker: str) -> None:
        box = self.layout.strip
        height = box.height * 0.26
        moment = datetime.fromtimestamp(self._zone_started.timestamp() + position, self._zone_started.tzinfo)
        minutes, seconds = divmod(int(position), 60)
        clock = f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
        if self._options.clock:
            clock = f"{moment:%H:%M:%S}   {clock}"
        wide = letters.width_of(clock, height)
        edge = height * 0.8
        self._write(canvas, clock, box.width - wide - edge, box.top + height * 0.45, height, _DIM)
        room = box.width - wide - 3 * edge
        number = bisect_right(self.chapters, position, key=lambda cue: cue.begin)
        if number:
            title = letters.fitted(self.chapters[number - 1].text, height, room)
            self._write(canvas, title, edge, box.top + height * 0.45, height, _TEXT)
        if speaker:
            words = say(self._options.language, "speaks", name=self._people.name(speaker))
            wide = letters.width_of(words, height)
            self._write(canvas, words, box.width - wide - edge, box.top + height * 2.0, height, _ACCENT)
            room = box.width - wide - 3 * edge
        if (cue := self._caption(position)) is not None:
            words = letters.fitted(f"{cue.voice}: {cue.text}" if cue.voice else cue.text, height, room)
            self._write(canvas, words, edge, box.top + height * 2.0, height, _AMBER)

    def _caption(self, position: float) -> Cue | None:
        """Give the newest thing that was written, asked for or drawn, while it is told of."""
        for number in range(bisect_right(self._starts, position) - 1, -1, -1):
            cue = self._captions[number]
            if cue.end > position:
                return cue
            if position - cue.begin > _LONGEST_CUE:
                break
        return None

    def _is_in_gap(self, seat: Seat, position: float) -> bool:
        return any(
            producer in (0, seat.pictures.producer) and begin <= position < end
            for producer, begin, end in self._gaps
        )

    def _write_middle(self, canvas: Pixels, box: Box, words: str) -> None:
        height = self.layout.height * 0.03
        left = box.left + (box.width - letters.width_of(words, height)) / 2
        self._write(canvas, words, left, box.top + box.height / 2, height, _DIM)

    def _write_low(self, canvas: Pixels, box: Box, words: str, colour: str) -> None:
        self._write_plate(canvas, box, words, colour, box.top + box.height - self.layout.height * 0.07)

    def _write_plate(self, canvas: Pixels, box: Box, words: str, colour: str, top: float) -> None:
        height = self.layout.height * 0.024
        wide = letters.width_of(words, height)
        left = box.left + (box.width - wide) / 2
        rows = slice(int(top - height * 0.4), int(top + height * 1.6))
        columns = slice(max(0, int(left - height)), int(left + wide + height))
        canvas[rows, columns] = (canvas[rows, columns] * 0.25).astype(np.uint8)
        self._write(canvas, words, left, top, height, colour)

    # -- the title -----------------------------------------------------------------------------------------------

    def title(self) -> Pixels:
        """Draw the title card: which room, when, how long; nobody's name, and nothing of the patient."""
        canvas = np.full((self.layout.height, self.layout.width, 3), rgb(_GROUND), np.uint8)
        unit = self.layout.height
        end = min(self._options.end or self._timeline.seconds, self._timeline.seconds)
        minutes, seconds = divmod(round(end - self._options.begin), 60)
        room = say(self._options.language, "room", room=str(self._description.get("room") or ""))
        lines = [
            ("Konsil", 0.03, _ACCENT),
            (letters.fitted(room, unit * 0.07, self.layout.width * 0.9), 0.07, _TEXT),
            (f"{self._zone_started:%Y-%m-%d %H:%M %Z}", 0.035, _DIM),
            (f"{minutes // 60}:{minutes % 60:02}:{seconds:02}", 0.035, _DIM),
        ]
        if self._description.get("state") == "truncated":
            lines.append((say(self._options.language, "truncated"), 0.028, _AMBER))
        top = unit * 0.32
        for words, height, colour in lines:
            left = (self.layout.width - letters.width_of(words, unit * height)) / 2
            self._write(canvas, words, left, top, unit * height, colour)
            top += unit * height * 1.9
        return canvas

    @staticmethod
    def _write(canvas: Pixels, words: str, left: float, top: float, height: float, colour: str) -> None:
        picture, edge = letters.written(words, float(round(height)), colour)
        alpha = picture[:, :, 3:].astype(np.float32) / np.float32(255)
        inked = picture[:, :, :3].astype(np.float32) * alpha
        Sprite(inked, alpha[:, :, 0], round(left) - edge, round(top) - edge).lay_on(canvas)


def _rank(seat: Seat) -> int:
    return _LARGE.index(seat.source) if seat.source in _LARGE else len(_LARGE)


def _presented(timeline: Timeline) -> Iterator[tuple[float, dict[str, Any] | None]]:
    """List what somebody presented from when on, None: nothing."""
    for event in timeline.events:
        at = float(event["at"]) if isinstance(event.get("at"), int | float) else 0.0
        if event.get("kind") == "viewport":
            yield at, active_pane(event.get("state"))
        elif event.get("kind") == "presenter" and event.get("participant") is None:
            yield at, None
