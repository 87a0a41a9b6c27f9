"""What people are called in an export: by their names, or by what they do."""

from __future__ import annotations

from typing import Any

from .film_words import say
from .options import Options

_NOBODY = "#ffffff"


class People:
    """The participants of a recording."""

    def __init__(self, description: dict[str, Any], options: Options) -> None:
        self._names: dict[str, str] = {}
        self._colours: dict[str, str] = {}
        roles: dict[str, int] = {}
        listed = description.get("participants")
        for person in listed if isinstance(listed, list) else []:
            if not isinstance(person, dict) or not isinstance(person.get("participant"), str):
                continue
            identifier, role = person["participant"], str(person.get("role") or "")
            roles[role] = roles.get(role, 0) + 1
            called = say(options.language, f"role_{role}" if role in _ROLES else "role_")
            self._names[identifier] = (
                str(person.get("name") or called) if options.names else f"{called} {roles[role]}"
            )
            self._colours[identifier] = str(person.get("colour") or _NOBODY)
        self._unknown = say(options.language, "role_")

    def name(self, participant: str) -> str:
        """Call somebody."""
        return self._names.get(participant, self._unknown)

    def colour(self, participant: str) -> str:
        """Give somebody's colour, #rrggbb."""
        return self._colours.get(participant, _NOBODY)


_ROLES = frozenset({"surgeon", "chair", "expert", "trainee", "observer"})
