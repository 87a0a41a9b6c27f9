"""Which way round a picture is: what its edges show of the patient, and whether it is mirrored.

The letters are those of DICOM's Patient Orientation (0020,0020), PS3.3 C.7.6.1.1.1: which way of the patient the rows
lead, from left to right, and the columns, downwards. They are said by people: no camera knows them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

#: Left and right of the patient, anterior and posterior, head and feet; each beside its opposite.
OPPOSITES: Final[dict[str, str]] = {"L": "R", "R": "L", "A": "P", "P": "A", "H": "F", "F": "H"}


@dataclass(frozen=True, slots=True)
class Orientation:
    """What the right edge shows (`row`), what the lower one (`column`); None: nobody said. Mirrored or not.

    Raise ValueError where both lie on one axis of the patient.
    """

    row: str | None = None
    column: str | None = None
    mirrored: bool = False

    def __post_init__(self) -> None:
        for letter in (self.row, self.column):
            if letter is not None and letter not in OPPOSITES:
                raise ValueError("must be null or one of L R A P H F")
        if self.row is not None and self.column in (self.row, OPPOSITES[self.row]):
            raise ValueError("must lead another way of the patient than row")

    def to_json(self) -> dict[str, Any]:
        """Describe for clients."""
        return {"row": self.row, "column": self.column, "mirrored": self.mirrored}
