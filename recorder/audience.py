"""Who may see which picture of a recording: whoever could see it in the room, and nobody else.

A picture that was shown to some only (the event `restrict`) is in the recording like any other. It is given to those
who were of its audience all the time, by their role or as themselves, and to who sent it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .journal import JsonObject
from .seal.digest import sm3

#: Lists of a description that name a producer in each of their items.
_OF_PRODUCERS = ("stills", "gaps", "problems")


def person_digest(recording: str, person: str) -> str:
    """Name a person within one recording and nowhere else: what an event of the journal bears."""
    return sm3(f"konsil person\n{recording}\n{person}".encode())[:16].hex()


@dataclass(frozen=True, slots=True)
class _Audience:
    roles: frozenset[str]
    persons: frozenset[str]


class Audiences:
    """The restrictions of one recording; `events` are its description's, or its journal's."""

    def __init__(self, recording: str, events: Iterable[JsonObject]) -> None:
        self._recording = recording
        self._owners: dict[int, str] = {}
        self._restrictions: dict[int, list[_Audience]] = {}
        persons: dict[object, str] = {}
        for event in events:
            producer, participant = event.get("producer"), event.get("participant")
            match event.get("kind"):
                case "participant_joined" if isinstance(person := event.get("person"), str):
                    persons[participant] = person
                case "producer_added" if isinstance(producer, int):
                    self._owners[producer] = persons.get(participant, "")
                case "restrict" if isinstance(producer, int) and isinstance(event.get("audience"), dict):
                    self._restrictions.setdefault(producer, []).append(_read(event["audience"], persons))

    @property
    def restricted(self) -> frozenset[int]:
        """Name the producers that were for some only, at any time."""
        return frozenset(self._restrictions)

    def withheld(self, role: str, person: str) -> frozenset[int]:
        """Name the producers whose pictures and sounds this role and person may not be given."""
        if not self._restrictions:
            return frozenset()
        digest = person_digest(self._recording, person)
        return frozenset(
            producer
            for producer, audiences in self._restrictions.items()
            if self._owners.get(producer) != digest
            and any(role not in one.roles and digest not in one.persons for one in audiences)
        )


def _read(audience: Any, persons: dict[object, str]) -> _Audience:
    """Read an audience; what is not understood lets nobody in."""
    roles, participants = audience.get("roles"), audience.get("participants")
    return _Audience(
        frozenset(role for role in roles if isinstance(role, str))
        if isinstance(roles, list)
        else frozenset(),
        frozenset(persons[one] for one in participants if isinstance(one, str) and one in persons)
        if isinstance(participants, list)
        else frozenset(),
    )


def without(description: JsonObject, withheld: frozenset[int]) -> JsonObject:
    """Give a description without these producers' pictures, saying which they are (`withheld`)."""
    given = {**description, "withheld": sorted(withheld)}
    if not withheld:
        return given
    for name in _OF_PRODUCERS:
        items: Any = description.get(name, [])
        given[name] = [item for item in items if item.get("producer") not in withheld]
    cameras: Any = description["cameras"]
    given["cameras"] = [told for camera in cameras if (told := _told(camera, withheld)) is not None]
    return given


def _told(camera: JsonObject, withheld: frozenset[int]) -> JsonObject | None:
    """Give what is left of a camera: without its sound, its sound alone, or nothing."""
    producer, audio = camera.get("producer"), camera.get("audio")
    if producer not in withheld:
        return camera | {"audio": None, "audio_type": None} if audio in withheld else camera
    if audio is None or audio in withheld:
        return None
    kept = {name: camera[name] for name in ("participant", "offset", "seconds")}
    sound = {"producer": audio, "source": "microphone", "label": "", "codec": "OPUS", "clock_rate": 48_000}
    return {
        **kept,
        **sound,
        "type": camera["audio_type"],
        "first_rtp_timestamp": 0,
        "audio": None,
        "audio_type": None,
    }
