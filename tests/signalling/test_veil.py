"""What is known of the patient is hidden in what people wrote, in the ways in which they write it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalling.patient import Identity, Patient
from signalling.veil import Veil

ANNA = Patient(
    Identity("00471103", "HIS", "Müller^Anna Maria=张^伟明", "19610304"), "p-1", accession="A-2026-77"
)
LINA = Patient(Identity("12", "", "Li^Na", "no date"), "p-2")
MINSU = Patient(Identity("13", "", "Kim^Min Su=김^민수"), "p-3")

HIDDEN = [
    (ANNA, "Anna Müller", "▮▮▮"),
    (ANNA, "Is mueller, ANNA here?", "Is ▮▮▮ here?"),
    (ANNA, "MULLER_CT.zip", "▮▮▮_CT.zip"),
    (ANNA, unicodedata.normalize("NFD", "Müller.pdf"), "▮▮▮.pdf"),
    (ANNA, "Anna's vein", "▮▮▮'s vein"),
    (ANNA, "an\u200bna", "▮▮▮"),
    (ANNA, "ＡＮＮＡ", "▮▮▮"),
    (ANNA, "张伟明的CT", "▮▮▮的CT"),
    (ANNA, "伟明", "▮▮"),
    (ANNA, "张先生，请看", "▮▮▮，请看"),
    (ANNA, "id 47-11/03 ok", "id ▮▮▮ ok"),
    (ANNA, "0471103", "▮▮▮"),
    (ANNA, "a2026-77", "▮▮▮"),
    (ANNA, "born 4.3.1961", "born ▮▮▮"),
    (ANNA, "3/4/61", "▮▮▮"),
    (ANNA, "4 March 1961", "▮▮▮"),
    (ANNA, "Mar. 4th, 1961", "▮▮▮"),
    (ANNA, "1961年3月4日", "▮▮▮"),
    (ANNA, "1961-03-04T10:00", "▮▮▮T10:00"),
    (ANNA, "19610304.pdf", "▮▮▮.pdf"),
    (LINA, "na, Li!", "▮▮▮!"),
    (LINA, "LiNa", "▮▮▮"),
    (MINSU, "김민수", "▮▮▮"),
    (MINSU, unicodedata.normalize("NFD", "김민수.pdf"), "▮▮▮.pdf"),
]

SHOWN = [
    (ANNA, "the annals of surgery, 1471103, 4.3.1962, 张开"),
    (ANNA, "Ann, clip here: 12 mm\n3/4 of it"),
    (LINA, "Li writes: Na+ 140, 12 mm"),
    (MINSU, "김"),
    (Patient(Identity("4711", "", "von^der Tann"), "p-4"), "Schnitt von der Seite"),
    (Patient(Identity("", "", "^^"), "p-5"), "nothing is known of him"),
]


@pytest.mark.parametrize(("patient", "text", "read"), HIDDEN)
def test_what_is_known_of_the_patient_is_hidden(patient: Patient, text: str, read: str) -> None:
    assert Veil([patient]).hide(text) == read


@pytest.mark.parametrize(("patient", "text"), SHOWN)
def test_what_says_nothing_of_him_stays(patient: Patient, text: str) -> None:
    assert Veil([patient]).hide(text) == text


def test_all_patients_of_a_room_are_hidden_and_without_one_nothing_is() -> None:
    assert Veil([ANNA, LINA]).hide("Anna Müller, then Li Na") == "▮▮▮, then ▮▮▮"
    assert not Veil([])
    assert Veil([]).hide("Anna Müller") == "Anna Müller"


@given(
    st.text(st.sampled_from("aA ä^=-.张伟") | st.characters(), max_size=30),
    st.text(max_size=16),
    st.text(st.sampled_from("aA äß-.张伟0123456789") | st.characters(), max_size=200),
)
def test_whatever_is_written_and_whoever_it_is(name: str, number: str, text: str) -> None:
    veil = Veil([Patient(Identity(number, "", name, "19610304"), "p-1", accession=number)])
    read = veil.hide(text)
    # within the limits that the text had, and the same for who reads it again
    assert len(read) <= len(text)
    assert veil.hide(read) == read


def test_a_name_and_a_text_made_to_take_long_do_not() -> None:
    veil = Veil([Patient(Identity("1212", "", "A^AA^AAA AAAA BB B"), "p-1")])
    for text in ("a" * 2000, "aa " * 700, "0" * 2000, "12" * 1000):
        assert len(veil.hide(text + "!")) <= len(text) + 1
