"""The description of a recording (PROTOCOL.md, section 8): what a replay needs beside the containers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from media.plane import Codec

from ..journal import JsonObject
from .index import JournalIndex, Track

#: Of one author's laser pointer at most so many positions a second are replayed.
_POINTERS_A_SECOND = 30

#: What a picture's sound is.
SOUND_TYPE = 'audio/mp4; codecs="opus"'

#: A hole: producer, at, seconds, packets.
HoleOnTimeline = tuple[int, float, float, int]


@dataclass(frozen=True, slots=True)
class Camera:
    """A picture with its sound, or a sound alone; or a sentence why there is none. Times in seconds."""

    track: Track
    problem: str = ""
    #: The type of its segments (segments/index.TrackFacts).
    media_type: str = ""
    offset: float = 0.0
    seconds: float = 0.0
    first_rtp_timestamp: int = 0
    #: When its first picture comes and its last one ends: sound may begin before and last longer.
    picture_at: float = 0.0
    picture_until: float = 0.0
    width: int = 0
    height: int = 0
    audio: int | None = None
    holes: list[HoleOnTimeline] = field(default_factory=list)

    def with_sound(self, sound: Track, holes: list[HoleOnTimeline]) -> Camera:
        """Return the same camera with its microphone."""
        return replace(self, audio=sound.producer, holes=[*self.holes, *holes])


def describe(index: JournalIndex, cameras: list[Camera], stills: list[JsonObject]) -> JsonObject:
    """Build the description; `stills` are the files of frozen frames that could be made."""
    header = index.header
    return {
        "recording": header.recording,
        "room": header.room,
        "started": header.started / 1e6,
        "seconds": _seconds(index.last_time - header.started),
        "state": "truncated" if index.truncated else "complete",
        "participants": _participants(index),
        "cameras": [_camera(camera) for camera in cameras if not camera.problem],
        "operations": [
            {"at": _at(index, time), **_pick(notice, "sequence", "author", "name", "colour", "operation")}
            for time, notice in index.operations
        ],
        "pointers": _pointers(index),
        "events": [{**event, "at": _at(index, time)} for time, event in index.events],
        "stills": stills,
        "gaps": _gaps(index, cameras),
        "problems": [
            {"producer": camera.track.producer, "message": camera.problem}
            for camera in cameras
            if camera.problem
        ],
        "ignored_bytes": index.ignored,
    }


def _camera(camera: Camera) -> JsonObject:
    track = camera.track
    description: JsonObject = {
        "producer": track.producer,
        "participant": track.participant,
        "source": track.source,
        "label": track.label,
        "codec": track.codec.name,
        "type": camera.media_type,
        "audio_type": SOUND_TYPE if camera.audio is not None else None,
        "offset": round(camera.offset, 6) + 0.0,  # never -0.0
        "seconds": round(camera.seconds, 6),
        "first_rtp_timestamp": camera.first_rtp_timestamp,
        "clock_rate": track.clock_rate,
    }
    if track.codec is not Codec.OPUS:
        size: JsonObject = {"width": camera.width, "height": camera.height}
        shown = {
            "picture_at": round(camera.picture_at, 6),
            "picture_until": round(camera.picture_until, 6),
        }
        description |= {**shown, **size}
    return description | {"audio": camera.audio}


def _participants(index: JournalIndex) -> list[JsonObject]:
    people: dict[str, JsonObject] = {}
    for _, event in index.events:
        participant = event.get("participant")
        if event["kind"] == "participant_joined" and isinstance(participant, str):
            people[participant] = _pick(event, "participant", "name", "role", "colour")
    return list(people.values())


def _pointers(index: JournalIndex) -> list[JsonObject]:
    """Thin the pointers out; that one is gone (point null) is always kept."""
    shortest = 1_000_000_000 // _POINTERS_A_SECOND
    last: dict[str, int] = {}
    kept: list[JsonObject] = []
    for time, message in index.pointers:
        author = message.get("author")
        if message.get("type") != "pointer" or not isinstance(author, str):
            continue
        if message.get("point") is not None and 0 <= time - last.get(author, -shortest) < shortest:
            continue
        last[author] = time
        kept.append({"at": _at(index, time), **_pick(message, "author", "anchor", "point")})
    return kept


def _gaps(index: JournalIndex, cameras: list[Camera]) -> list[JsonObject]:
    """List what is missing; a gap of the disk's counts where no later packet shows it by its number."""
    gaps: list[JsonObject] = [
        {"producer": producer, "at": round(at, 6), "seconds": round(seconds, 6), "packets": packets}
        for camera in cameras
        for producer, at, seconds, packets in camera.holes
    ]
    for time, gap in index.gaps:
        concerned = [gap.producer] if gap.producer else list(index.packets)
        newest = [int(index.packets[n].arrivals.max()) for n in concerned if len(index.packets.get(n, ()))]
        if time > max(newest, default=0):
            gaps.append(
                {"producer": gap.producer, "at": _at(index, time), "seconds": 0.0, "packets": gap.packets}
            )
    return sorted(gaps, key=lambda gap: (float(str(gap["at"])), str(gap["producer"])))


def _pick(source: JsonObject, *names: str) -> JsonObject:
    return {name: source.get(name) for name in names}


def _at(index: JournalIndex, time: int) -> float:
    return _seconds(time - index.header.started)


def _seconds(duration: int) -> float:
    return round(duration / 1e9, 6)
