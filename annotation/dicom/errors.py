"""The one error of what comes as DICOM."""

from __future__ import annotations


class DicomError(ValueError):
    """What was sent is not taken: `code` is a word for programs, the text a sentence without any value of the file.

    Codes: not_dicom, directory, duplicate, broken, too_large, incomplete, unsupported, infected, not_scanned,
    bad_query, bad_request. `detail`, where it is not empty, says more exactly what is wrong: a page has words of its
    own for code and detail, in the language of who reads it.
    """

    def __init__(self, code: str, sentence: str, detail: str = "") -> None:
        super().__init__(sentence)
        self.code, self.detail = code, detail
