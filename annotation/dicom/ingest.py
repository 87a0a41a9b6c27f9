"""One file comes in: read, described, and written as the room sees it and as those who may not see the patient do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .deidentify import deidentify
from .describe import describe
from .errors import DicomError
from .facts import Facts
from .metadata import metadata
from .original import keep_original
from .reading import FAILURES, Parsed, parse, quietly
from .room_uids import RoomUids


@dataclass(frozen=True, slots=True)
class Ingested:
    """What the store keeps of a file beside the file itself."""

    facts: Facts
    #: DICOM JSON with the room's UIDs, for those who may see the patient, and for the others
    metadata: str
    deidentified: str
    #: what is to be kept instead of what came, if that was deflated
    replacement: bytes | None


def ingest(path: Path, uids: RoomUids, time: str) -> Ingested:
    """Read a file; `time` is DICOM's (YYYYMMDDHHMMSS). Raise DicomError, OSError."""
    with path.open("rb") as source:
        parsed = parse(source)
        try:
            return quietly(_ingest, parsed, uids, time)
        except DicomError:
            raise
        except FAILURES as error:
            raise DicomError(
                "broken",
                f"The file breaks the rules of DICOM ({type(error).__name__} while it was described).",
            ) from None


def _ingest(parsed: Parsed, uids: RoomUids, time: str) -> Ingested:
    facts = describe(parsed)
    dataset = parsed.dataset
    original = keep_original(dataset, time)
    uids.apply(dataset)
    hidden = deidentify(dataset, uids.patient_key(facts.PatientID, facts.IssuerOfPatientID))
    dataset.OriginalAttributesSequence = [*dataset.get("OriginalAttributesSequence", []), original]
    return Ingested(facts, metadata(dataset, facts), metadata(hidden, facts), parsed.inflated)
