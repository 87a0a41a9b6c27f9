"""The kind `teaching`: a film for learners that names nobody, which a person looks at before they do.

It is the composed film, or one camera's encoded anew, made of the cleaned description (`cleaning`), with the masks that
somebody drew; and, where words stay, a file with all of them (`captions.vtt`), by which they are read.
"""

from __future__ import annotations

from dataclasses import replace

from .captions import VTT, captions_of, vtt
from .cleaning import cleaned, restricted_in
from .composed import film as composed
from .composed.footage import Reel, with_reel
from .kinds import ExportError
from .masks import masks_of_one
from .muxing import drop_pieces, put_together
from .one_camera import chosen, plan_of
from .options import Options
from .people import People
from .recoding import Target, rate_of, recode
from .shown import Timeline
from .teaching_options import TeachingOptions
from .work import Work

NAME = "film.mp4"
WORDS = "captions.vtt"

#: Faces tell who somebody is: they are in a copy where a person asks for them by their numbers.
_FACES = "camera"
#: Of a copy of one camera at 30 frames a second: High 4.0 holds 1080p, and every player plays it.
_LEVELS = {720: "3.2", 1080: "4.0", 2160: "5.1", 360: "3.0"}


def run(work: Work, options: TeachingOptions) -> None:
    """Make the copy. Raises ExportError."""
    if options.film.sound and restricted_in(work.description):
        raise ExportError(
            "Something in this recording was for some people only: its teaching copy is made without sound.",
            "sound_restricted",
        )
    work.describe_as(cleaned(work.description, texts=options.texts, patients=work.patients))
    film = _without_faces(work, options.film)
    if options.view == "camera":
        _one_camera(work, film)
    else:
        composed.run(work, film)
    if options.texts:
        _write_words(work, film)


def _without_faces(work: Work, film: Options) -> Options:
    if film.producers:
        return film
    shown = [
        one["producer"]
        for one in work.description["cameras"]
        if one.get("source") not in (_FACES, "microphone")
    ]
    if not shown:
        raise ExportError(
            "There are only faces in this recording: name the cameras that a copy shows.", "faces_only"
        )
    return replace(film, producers=tuple(sorted(shown)))


def _one_camera(work: Work, options: Options) -> None:
    timeline = Timeline(work.description)

    def make(reel: Reel) -> None:
        wanted = options.producers if len(options.producers) == 1 else ()
        camera, footage = chosen(timeline, reel, wanted)
        rate = options.rate or min(rate_of(footage), 30)
        plan = plan_of(footage, options.begin, options.end, rate)
        masks = masks_of_one(options.masks, camera.producer)
        level = _LEVELS[options.height] if rate <= 30 else "5.2"
        target = Target(options.height * 16 // 9, options.height, rate, level=level, kbit=20_000, masks=masks)
        if not work.has(NAME):
            recode(work, camera.producer, footage, plan, target, work.part(0.05, 0.9))
            sounds = reel.sounds if options.sound else []
            put_together(work, NAME, plan, target.form, sounds, work.part(0.9, 1.0))
        drop_pieces(work, plan)
        facts = {"from": round(plan.begin, 6), "to": round(plan.end, 6), "seconds": plan.frames / plan.rate}
        work.add(NAME, "video/mp4", **facts, width=target.width, height=target.height)

    with_reel(work, timeline, make)


def _write_words(work: Work, options: Options) -> None:
    if not work.has(WORDS):
        timeline, people = Timeline(work.description), People(work.description, options)
        end = timeline.seconds if options.end is None else min(options.end, timeline.seconds)
        cues = list(captions_of(timeline, people, options, end))
        work.write(WORDS, vtt(cues, options.begin).encode())
    work.add(WORDS, VTT)
