"""What people wrote, for those who may not see the patient: what is known of him is hidden in it.

It is a help and no guarantee. Hidden are the words of the patient's name, his number, his accession and his date of
birth, in the ways in which people write them; not what is misspelt, nor an address, nor what nobody told the server.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import date
from typing import Final

from .patient import Patient

#: Stands for each letter that is hidden, three times at most: what is hidden grows no text beyond its limit.
MASK: Final = "▮"
MASKED: Final = 3

#: A word of fewer letters (Li, An, Do) is hidden only beside another of the name, and a number of fewer signs not at
#: all: both stand in too much that is nobody's name.
WORD_LETTERS: Final = 3
NUMBER_SIGNS: Final = 4

#: Begins and ends where no letter and no digit goes on: `Zhang_Wei.pdf` holds two words.
_BEGIN: Final = r"(?<![^\W_])"
_END: Final = r"(?![^\W_])"
#: What may stand between the words of a name, or the parts of a number.
_BETWEEN: Final = r"[\W_]{0,3}"
_WITHIN: Final = r"[\s\-./]?"

#: Chinese, Japanese and Korean letters (folded): no spaces between words, so a word ends nowhere.
_UNSPACED: Final = re.compile(r"[\u1100-\u11ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+")
#: How a person is called by the family name alone where it is one letter.
_CALLED: Final = "(?:某+|先生|女士|小姐|太太|同志|老师|氏|さん|様)"
#: Longer words that many names share and no name is known by.
_PARTICLES: Final = frozenset(
    {"von", "van", "der", "den", "del", "della", "dos", "das", "bin", "ibn", "abu", "les"}
)
#: Words of a name that stand together, so many at most.
_MOST_WORDS: Final = 6
_UMLAUTS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "oe", "æ": "ae"})

_MONTHS: Final = (
    *("jan(?:uary)?", "feb(?:ruary)?", "mar(?:ch)?", "apr(?:il)?", "may", "june?", "july?", "aug(?:ust)?"),
    *("sept?(?:ember)?", "oct(?:ober)?", "nov(?:ember)?", "dec(?:ember)?"),
)


class Veil:
    """Hides what is known of some patients. One without patients hides nothing."""

    def __init__(self, patients: Iterable[Patient] = ()) -> None:
        patterns = dict.fromkeys(pattern for patient in patients for pattern in _patterns(patient))
        # the longest first: a whole name goes in one, and not word by word
        found = "|".join(sorted(patterns, key=len, reverse=True))
        self._hidden = re.compile(found) if found else None

    def __bool__(self) -> bool:
        return self._hidden is not None

    def hide(self, text: str) -> str:
        """Put a mask where a text says who the patient is; the result is never longer than the text."""
        if self._hidden is None or not text:
            return text
        plain, places = _folded(text)
        parts, end = [], 0
        for match in self._hidden.finditer(plain):
            if match.start() == match.end():
                continue
            begin, stop = places[match.start()], places[match.end() - 1] + 1
            begin = max(begin, end)
            if begin >= stop:
                continue
            parts += [text[end:begin], MASK * min(MASKED, stop - begin)]
            end = stop
        return "".join([*parts, text[end:]])


def _folded(text: str) -> tuple[str, list[int]]:
    """Write a text without case, accents and width, and say for each letter where in the text it comes from."""
    letters: list[str] = []
    places: list[int] = []
    for place, letter in enumerate(text):
        for plain in unicodedata.normalize("NFKD", letter).casefold():
            if unicodedata.combining(plain) or unicodedata.category(plain) == "Cf":
                continue
            letters.append(plain)
            places.append(place)
    return "".join(letters), places


def _patterns(patient: Patient) -> list[str]:
    found = []
    for group in patient.identity.name.split("="):
        # family, given and middle names; all in one part where people entered them and no machine
        parts = [
            _folded(unicodedata.normalize("NFC", part).casefold().translate(_UMLAUTS))[0]
            for part in group.split("^")[:3]
        ]
        found += _unspaced(parts) if any(map(_UNSPACED.search, parts)) else _spaced(parts)
    for number in (patient.identity.patient_id, patient.accession):
        found += _number(number)
    return found + _birth_date(patient.identity.birth_date)


def _spaced(parts: list[str]) -> list[str]:
    """Hide each longer word by itself, and the short ones beside another."""
    words = [word for part in parts for word in re.findall(r"[^\W_]+", part) if word not in _PARTICLES][
        :_MOST_WORDS
    ]
    # Müller is Mueller to some and Muller to others
    forms = [re.sub("ae|oe|ue|ss", lambda pair: f"{pair[0]}?", word) for word in words]
    alone = [
        f"{_BEGIN}{form}{_END}" for word, form in zip(words, forms, strict=True) if len(word) >= WORD_LETTERS
    ]
    if len(forms) < 2:
        return alone
    one = f"(?:{'|'.join(sorted(dict.fromkeys(forms), key=len, reverse=True))})"
    return [f"{_BEGIN}{one}(?:{_BETWEEN}{one}){{1,{len(forms) - 1}}}{_END}", *alone]


def _unspaced(parts: list[str]) -> list[str]:
    """Hide the whole name, a given name of two letters and more, and a family name in an address (张先生)."""
    words = [word for part in parts for word in _UNSPACED.findall(part)]
    if len(words) == 1:
        return [word for word in words if _is_longer(word)]
    family, given = words[0], "".join(words[1:])
    found = [f"{family}{_BETWEEN}{given}", f"{given}{_BETWEEN}{family}", f"{family}{_CALLED}"]
    return found + [word for word in (family, given) if _is_longer(word)]


def _is_longer(word: str) -> bool:
    # folded, a Korean letter is two or three
    return len(unicodedata.normalize("NFC", word)) > 1


def _number(number: str) -> list[str]:
    """Hide a number however its parts are set off: 47-11/03 is 471103."""
    signs = "".join(re.findall(r"[^\W_]", _folded(number)[0])).lstrip("0")
    if len(signs) < NUMBER_SIGNS:
        return []
    return [f"{_BEGIN}(?:0{_WITHIN})*{_WITHIN.join(signs)}{_END}"]


def _birth_date(text: str) -> list[str]:
    """Hide a day in figures, in either order, in English words and in Chinese characters."""
    try:
        born = date.fromisoformat(text.strip())
    except ValueError:
        return []
    year, month, day = rf"(?:{born.year}|{born.year % 100:02})", f"0?{born.month}", f"0?{born.day}"
    word, sign = f"(?:{_MONTHS[born.month - 1]})", r"\s?[\-./\s]\s?"
    forms = [
        f"{born.year}{born.month:02}{born.day:02}",
        f"{born.year}{sign}{month}{sign}{day}",
        f"{day}{sign}{month}{sign}{year}",
        f"{month}{sign}{day}{sign}{year}",
        rf"{day}(?:st|nd|rd|th)?[\s.\-]*{word}[\s.,\-]*{year}",
        rf"{word}[\s.]*{day}(?:st|nd|rd|th)?[\s.,]*{year}",
    ]
    characters = rf"{year}\s?年\s?{month}\s?月\s?{day}\s?日?"
    return [*(rf"(?<!\d){form}(?!\d)" for form in forms), characters]
