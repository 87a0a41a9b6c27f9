"""The kind `dicom`: one camera as a DICOM Video Endoscopic object.

1080p in H.264 High at level 4.1 or 4.2, 2160p in HEVC Main at 5.1, by size and frame rate; whose film it is says the
server, which took it from the room's chosen patient (`dicom_options.DicomContext`).
"""

from __future__ import annotations

from dataclasses import replace

from annotation.dicom.endoscopic import (
    FRAGMENT_LIMIT,
    Coding,
    Film,
    Names,
    anonymous_video,
    coding_for,
    endoscopic_video,
    write_object,
)
from annotation.dicom.outgoing import OutgoingError, Stamp, Subject

from .cleaning import restricted_in
from .composed.footage import Reel, with_reel
from .dicom_options import DicomContext, DicomOptions, read_context
from .film_words import say
from .kinds import ExportError
from .masks import masks_of_one
from .muxing import drop_pieces, put_together
from .one_camera import chosen, plan_of
from .recoding import Form, Target, rate_of, recode
from .shown import Timeline
from .work import Work

NAME = "film.dcm"
DICOM = "application/dicom"
_VIDEO = "video.mp4"


def run(work: Work, options: DicomOptions) -> None:
    """Write the object. Raises ExportError."""
    context = read_context(work.context(), options)
    restricted = restricted_in(work.description)
    if options.film.sound and restricted:
        raise ExportError(
            "Something in this recording was for some people only: its DICOM film is made without sound.",
            "sound_restricted",
        )
    timeline = Timeline(work.description)
    for producer in restricted:
        timeline.cameras.pop(producer, None)
    with_reel(work, timeline, lambda reel: _make(work, timeline, options, context, reel))


def _make(work: Work, timeline: Timeline, options: DicomOptions, context: DicomContext, reel: Reel) -> None:
    camera, footage = chosen(timeline, reel, options.film.producers)
    plan = plan_of(footage, options.film.begin, options.film.end, options.film.rate or rate_of(footage))
    height = options.height or _height(work, camera.producer)
    try:
        coding = coding_for(height * 16 // 9, height, plan.rate)
    except OutgoingError as error:
        raise ExportError(str(error)) from None
    masks = masks_of_one(options.masks, camera.producer)
    target = _target(coding, height, plan.rate)
    sounds = reel.sounds if options.film.sound else []
    if not work.has(NAME):
        if not work.has(_VIDEO):
            recode(work, camera.producer, footage, plan, replace(target, masks=masks), work.part(0.05, 0.85))
            put_together(work, _VIDEO, plan, target.form, sounds, work.part(0.85, 0.95))
        with work.open(_VIDEO) as video:
            size = video.seek(0, 2)
        begins = float(work.description.get("started") or 0.0) / 1000 + plan.begin
        film = Film(
            coding=coding,
            width=target.width,
            height=target.height,
            rate=plan.rate,
            frames=plan.frames,
            bytes=size,
            begins=begins,
            label=say("en", f"source_{camera.source}"),
            sent_as=footage.codec.name,
            sound=bool(sounds),
            masked=bool(masks),
        )
        _write(work, film, context)
    drop_pieces(work, plan)
    work.drop(_VIDEO)
    facts = {"producer": camera.producer, "from": round(plan.begin, 6), "to": round(plan.end, 6)}
    coded = {"transfer_syntax": coding.transfer_syntax, "width": target.width, "height": target.height}
    work.add(NAME, DICOM, **facts, **coded, frames=plan.frames, rate=plan.rate)


def _write(work: Work, film: Film, context: DicomContext) -> None:
    if film.bytes > FRAGMENT_LIMIT:
        raise ExportError("The film is too long for one DICOM object (4 GB): take a part of it.", "too_large")
    names = Names(context.series, context.instance)
    stamp = Stamp(context.now, lambda: "", context.software, institution=context.institution)
    tell = work.part(0.95, 1.0)
    try:
        if context.subject is not None:
            dataset = endoscopic_video(film, Subject(**context.subject), names, stamp)
        else:
            # a number of its own: nothing leads from it to another copy
            patient = f"p-{int(context.study.rpartition('.')[2]) % 10**12:012}"
            dataset = anonymous_video(film, context.study, patient, names, stamp, context.days)
        with work.open(_VIDEO) as video, work.create(NAME) as file:
            write_object(file, dataset, film, video, lambda through: tell(through / film.bytes))
    except OutgoingError as error:
        raise ExportError(str(error)) from None


def _height(work: Work, producer: int) -> int:
    described = work.description.get("cameras")
    for camera in described if isinstance(described, list) else []:
        if isinstance(camera, dict) and camera.get("producer") == producer:
            lines = camera.get("height")
            return 2160 if isinstance(lines, int) and lines > 1088 else 1080
    return 1080


def _target(coding: Coding, height: int, rate: int) -> Target:
    form: Form = "hevc" if coding.codec == "hevc" else "h264"
    return Target(height * 16 // 9, height, rate, form, coding.profile, coding.level, coding.kbit)
