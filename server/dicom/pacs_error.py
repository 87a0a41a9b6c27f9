"""What goes wrong between us and a hospital's systems: one error with a code and a sentence."""

from __future__ import annotations

from typing import NamedTuple


class PacsError(ValueError):
    """A hospital's system did not do what was asked. The text is a sentence for people, without anything of a patient.

    Codes: pacs_away, pacs_slow, pacs_refused, pacs_broken, too_large, not_configured. `word` says more exactly what
    happened, for pages that have a sentence of their own for it.
    """

    def __init__(self, code: str, sentence: str, word: str = "") -> None:
        super().__init__(sentence)
        self.code, self.word = code, word or code


class Verdict(NamedTuple):
    """What became of an object that was sent: if it was not taken, why, in a few words, by a word, and by status."""

    taken: bool
    why: str = ""
    code: str = ""
    status: str = ""


#: Why an archive does not take an object (PS3.4 table B.2-1, PS3.18 table 10.5.3-2), by the status' upper digits.
_REFUSALS = {
    0xA7: ("no_resources", "it is out of resources"),
    0xA9: ("wrong_class", "the object does not match its class"),
    0xC: ("not_understood", "it does not understand it"),
}


def refusal(status: int) -> Verdict:
    """Say for which reason an object was not taken."""
    found = _REFUSALS.get(status >> 8) or _REFUSALS.get(status >> 12)
    code, words = found or ("not_taken", "it does not take such objects")
    return Verdict(False, f"{words} ({status:04X})", code, f"{status:04X}")


#: The archive refused, and gave no reason.
UNSAID = Verdict(False, "it does not say why", "unsaid")


#: A sentence for each code.
AWAY = "{} cannot be reached."
SLOW = "{} has not answered for {:.0f} seconds."
REFUSED = "{} does not know us or does not permit it."
UNTRUSTED = "TLS with {} fails: one of the two does not trust the other's certificate, or knows another TLS."
BROKEN = "{} answered with something that is not what was asked for."
LARGE = "The study has more than {} MiB, which is more than is fetched."
