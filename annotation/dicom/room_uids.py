"""The room's own UIDs: what names a study, a series, an instance or a frame of reference on the wire, for everybody.

A hospital's UIDs lead back to the patient, so they stand in no path, query, mark or log. Each is replaced by one that
is made of it with the room's key: the same for everybody in the room, so that marks and presenters name the same image
to a surgeon and to a trainee, and of no use outside it (docs/decisions/0017-room-uids.md).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final

from pydicom.dataset import Dataset

#: UIDs of the standard itself (SOP classes, transfer syntaxes, well-known frames of reference) identify nobody.
STANDARD: Final = "1.2.840.10008."

#: What a UI attribute names that is no instance: kinds of things, of the standard or of a manufacturer.
KINDS: Final = frozenset(
    {
        *("SOPClassUID", "ReferencedSOPClassUID", "MediaStorageSOPClassUID", "TransferSyntaxUID"),
        *("AvailableTransferSyntaxUID", "ReferencedTransferSyntaxUIDInFile", "ReferencedSOPClassUIDInFile"),
        *("RelatedGeneralSOPClassUID", "OriginalSpecializedSOPClassUID", "SOPClassesInStudy"),
        *("SOPClassesSupported", "CodingSchemeUID", "ContextUID", "MappingResourceUID"),
        *("ContextGroupExtensionCreatorUID",),
        *("ImplementationClassUID", "EncapsulatedDocumentTransferSyntaxUID", "EncryptedContentTransferSyntaxUID"),
    }
)  # fmt: skip

_UID = re.compile(r"[0-9.]{1,64}")


def is_uid(text: str) -> bool:
    """Tell whether a text could be a UID (PS3.5, 9.1); leading zeros of a component are let pass."""
    return _UID.fullmatch(text) is not None


class RoomUids:
    """Makes the room's UIDs with the room's key."""

    def __init__(self, key: bytes) -> None:
        """`key` is secret and the room's own, at least 16 bytes."""
        if len(key) < 16:
            raise ValueError("The room's key has fewer than 16 bytes.")
        self.key = key

    def _digest(self, domain: bytes, text: str) -> bytes:
        return hmac.digest(self.key, domain + text.encode("utf-8", "surrogatepass"), hashlib.sha256)

    def uid(self, original: str) -> str:
        """Give the room's UID for one of elsewhere; the standard's own stay."""
        if not original or original.startswith(STANDARD):
            return original
        # RFC 9562, version 8: 122 bits of the digest between version and variant
        number = int.from_bytes(self._digest(b"uid ", original)[:16], "big")
        number = number & ~(0xF << 76) | 8 << 76
        number = number & ~(0x3 << 62) | 2 << 62
        return f"2.25.{number}"

    def patient_key(self, patient_id: str, issuer: str = "") -> str:
        """Name a patient within the room without telling anything of him."""
        return "p-" + self._digest(b"patient ", f"{issuer.strip()}\\{patient_id.strip()}").hex()[:16]

    def file_name(self, room_uid: str) -> str:
        """Name the file of an instance."""
        return self._digest(b"file ", room_uid).hex()[:40]

    def pseudonym(self, domain: str, text: str) -> str:
        """Give eight characters that stand for a text within the room."""
        return self._digest(domain.encode() + b" ", text).hex()[:8]

    def apply(self, dataset: Dataset) -> None:
        """Replace every UID of a data set that names an instance, nested ones too."""

        def replace(_: Dataset, element: object) -> None:
            if getattr(element, "VR", "") != "UI" or getattr(element, "keyword", "") in KINDS:
                return
            value = element.value  # type: ignore[attr-defined]
            if isinstance(value, str):
                element.value = self.uid(value)  # type: ignore[attr-defined]
            elif value:
                element.value = [self.uid(str(item)) for item in value]  # type: ignore[attr-defined]

        dataset.walk(replace)
