"""Names as DICOM has them (PN, PS3.5 6.2.1): up to three groups, in letters, in characters and by sound.

One person is Wang^XiaoDong to one system, 王^小东 to another and both to a third, so names are compared
script by script.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

#: A name's words in one script.
Words = tuple[str, ...]

#: Scripts, by the first word of their letters' names in Unicode, that put no spaces between the parts of a name.
_UNSPACED: Final = frozenset({"CJK", "HANGUL", "HIRAGANA", "KATAKANA"})


def names_by_script(name: str) -> dict[str, list[Words]]:
    """Sort a name's groups by the scripts that they are written in, without accents, case and punctuation."""
    found: dict[str, list[Words]] = {}
    for group in name.split("="):
        plain = unicodedata.normalize("NFKD", group).casefold()
        plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
        words: dict[str, list[str]] = {}
        for word in re.findall(r"\w+", plain):
            words.setdefault(unicodedata.name(word[0], "?").split(" ")[0], []).append(word)
        for script, some in words.items():
            found.setdefault(script, []).append(("".join(some),) if script in _UNSPACED else tuple(some))
    return found


def alike(one: Words, other: Words) -> bool:
    """Tell whether two names of one script may be one person's: one may say more, parts may be joined or turned."""
    first, second = frozenset(one), frozenset(other)
    return first <= second or second <= first or "".join(one) == "".join(other)
