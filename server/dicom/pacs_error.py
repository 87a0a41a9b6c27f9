"""What goes wrong between us and a hospital's systems: one error with a code and a sentence."""

from __future__ import annotations


class PacsError(ValueError):
    """A hospital's system did not do what was asked. The text is a sentence for people, without anything of a patient.

    Codes: pacs_away, pacs_slow, pacs_refused, pacs_broken, too_large, not_configured.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


#: A sentence for each code.
AWAY = "{} cannot be reached."
SLOW = "{} has not answered for {:.0f} seconds."
REFUSED = "{} does not know us or does not permit it."
UNTRUSTED = "TLS with {} fails: one of the two does not trust the other's certificate, or knows another TLS."
BROKEN = "{} answered with something that is not what was asked for."
LARGE = "The study has more than {} MiB, which is more than is fetched."
