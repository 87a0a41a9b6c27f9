"""What may be chosen of the kind `teaching`: by itself it shows and says as little as it can."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from .kinds import ExportError
from .masks import read_masks
from .options import Options, read

View = Literal["composed", "camera"]

_OWN = ("view", "sound", "texts", "masks")
_FILM = frozenset({"from", "to", "producers", "main", "marks", "pointers", "language", "height", "rate"})


@dataclass(frozen=True, slots=True)
class TeachingOptions:
    """What was asked for. `film` never has names, a title card or the time of day.

    `texts`: what people wrote stays, cleaned; else only their lines do.
    """

    film: Options
    view: View = "composed"
    texts: bool = False


def teaching_options(fields: Mapping[str, object]) -> TeachingOptions:
    """Read what a teaching copy may be. Raises ExportError."""
    film = read({name: value for name, value in fields.items() if name not in _OWN}, _FILM)
    view = fields.get("view", "composed")
    if view not in ("composed", "camera"):
        raise ExportError("`view` is composed or camera.")
    if view == "camera" and len(film.producers) > 1:
        raise ExportError("A camera's film shows one camera: name one in `producers`.")
    sound, texts = _flag(fields, "sound"), _flag(fields, "texts")
    film = replace(
        film,
        names=False,
        title=False,
        clock=False,
        sound=sound,
        masks=read_masks(fields.get("masks")),
    )
    return TeachingOptions(film, "camera" if view == "camera" else "composed", texts)


def _flag(fields: Mapping[str, object], name: str) -> bool:
    value = fields.get(name, False)
    if not isinstance(value, bool):
        raise ExportError(f"`{name}` is true or false.")
    return value
