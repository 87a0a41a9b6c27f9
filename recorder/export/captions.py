"""The kind `captions`: what was said in writing and drawn, and the chapters, as WebVTT (W3C, "WebVTT: The Web
Video Text Tracks Format").

Two files, since players take them as two tracks: `chapters.vtt`, which follow each other, and `captions.vtt`.
Times are those of the recording, less the beginning of the range that was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from annotation.notes import Answer, Instruct, Say, Withdraw
from annotation.operations import Add
from annotation.still import Still

from .film_words import say
from .options import Options
from .people import People
from .shown import Timeline
from .work import Work

VTT = "text/vtt; charset=utf-8"

#: How long a mark, and something written, is told of (seconds).
_MARK, _SAID, _ASKED = 4.0, 6.0, 10.0
#: An answer ends what was asked for, but not before it could be read.
_LEAST = 2.0
#: Who and what was there at the beginning is no chapter.
_BEGINNING = 0.05


@dataclass(frozen=True, slots=True)
class Cue:
    """Words from a position to another; `voice` is who says them."""

    begin: float
    end: float
    text: str
    voice: str = ""


def run(work: Work, options: Options) -> None:
    """Write both files."""
    timeline = Timeline(work.description)
    people = People(work.description, options)
    end = min(timeline.seconds, options.end) if options.end is not None else timeline.seconds
    chapters = list(chapters_of(timeline, people, options, end))
    for name, cues in (
        ("chapters.vtt", chapters),
        ("captions.vtt", list(captions_of(timeline, people, options, end))),
    ):
        if not work.has(name):
            work.write(name, vtt(cues, options.begin).encode())
        work.add(name, VTT, cues=len(cues))
    work.part(0.0, 1.0)(1.0)


def chapters_of(timeline: Timeline, people: People, options: Options, end: float) -> Iterator[Cue]:
    """Give the chapters of a range, each until the next: bookmarks, instructions, stills, who and what came."""
    starts = sorted(_starts(timeline, people, options))
    before = [text for at, text in starts if at <= options.begin]
    inside = [(at, text) for at, text in starts if options.begin < at < end]
    title = before[-1] if before else say(options.language, "beginning")
    # several at one moment are one chapter
    rows: list[tuple[float, str]] = [(options.begin, title)]
    for at, text in inside:
        if at - rows[-1][0] < 1.0:
            rows[-1] = rows[-1][0], text if len(rows) == 1 and not before else f"{rows[-1][1]}; {text}"
        else:
            rows.append((at, text))
    for number, (at, text) in enumerate(rows):
        until = rows[number + 1][0] if number + 1 < len(rows) else end
        if until > at:
            yield Cue(at, until, text)


def _starts(timeline: Timeline, people: People, options: Options) -> Iterator[tuple[float, str]]:
    for bookmark in options.bookmarks:
        yield bookmark.at, bookmark.text
    for entry in timeline.entries:
        name, at = people.name(entry.author), timeline.at(entry)
        if isinstance(asked := entry.operation, Instruct):
            text = asked.text or say(options.language, "instruction_spoken")
            yield at, say(options.language, "instruction", name=name, text=text)
        elif isinstance(entry.operation, Still):
            yield at, say(options.language, "still", name=name)
    for event in timeline.events:
        at, kind = float(event.get("at") or 0.0), event.get("kind")
        name = people.name(str(event.get("participant") or ""))
        if at < _BEGINNING:
            continue
        if kind == "participant_joined":
            yield at, say(options.language, "joined", name=name)
        elif kind == "producer_added" and event.get("source") == "field":
            yield at, say(options.language, "field_begins")
        elif kind == "patient_chosen":
            yield at, say(options.language, "patient")


def captions_of(timeline: Timeline, people: People, options: Options, end: float) -> Iterator[Cue]:
    """Give what was drawn, asked for and written within a range, in the order of its beginning."""
    cues = [cue for cue in _cues(timeline, people, options) if cue.begin < end and cue.end > options.begin]
    for cue in sorted(cues, key=lambda cue: (cue.begin, cue.end)):
        yield Cue(max(cue.begin, options.begin), min(cue.end, end), cue.text, cue.voice)


def _cues(timeline: Timeline, people: People, options: Options) -> Iterator[Cue]:
    ended = _ended(timeline)
    for entry in timeline.entries:
        at, name = timeline.at(entry), people.name(entry.author)
        match entry.operation:
            case Add(mark):
                begin = timeline.appearance(mark.anchor, at)
                shape = say(options.language, f"shape_{mark.shape}")
                number = f" {mark.number}" if mark.number else ""
                yield Cue(begin, begin + _MARK, f"[{shape}{number}] {mark.text}".strip(), name)
            case Instruct(identifier, text):
                done = ended.get(identifier, at + _ASKED)
                until = max(at + _LEAST, min(done, at + _ASKED))
                yield Cue(at, until, text or say(options.language, "instruction_spoken"), name)
            case Answer(answer=answer):
                yield Cue(at, at + _LEAST, say(options.language, f"answer_{answer}"), name)
            case Say(text):
                yield Cue(at, at + _SAID, text, name)


def _ended(timeline: Timeline) -> dict[str, float]:
    found: dict[str, float] = {}
    for entry in timeline.entries:
        match entry.operation:
            case Answer(identifier, "done" | "no") | Withdraw(identifier):
                found.setdefault(identifier, timeline.at(entry))
    return found


def vtt(cues: Iterable[Cue], zero: float = 0.0) -> str:
    """Write a file; no word of a cue can be taken for markup, or end it."""
    parts = ["WEBVTT\n"]
    for number, cue in enumerate(cues, 1):
        begin, end = (_timestamp(at - zero) for at in (cue.begin, cue.end))
        if begin == end:
            continue
        voice = f"<v {_voice(cue.voice)}>" if cue.voice else ""
        parts.append(f"{number}\n{begin} --> {end}\n{voice}{_escaped(cue.text)}\n")
    return "\n".join(parts)


def _timestamp(seconds: float) -> str:
    milliseconds = max(0, round(seconds * 1000))
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"


def _escaped(text: str) -> str:
    # an empty line would end the cue
    lines = [" ".join(line.split()) for line in _plain(text).splitlines()]
    joined = "\n".join(line for line in lines if line)
    return joined.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") or "–"


def _voice(name: str) -> str:
    # an annotation of a tag ends at the first > and takes character references
    return " ".join(_plain(name).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _plain(text: str) -> str:
    return re.sub(r"[\x00-\x09\x0b-\x1f\x7f]", " ", text)
