"""Instructions: every deed in every state, who may, how many, and what the notes add up to."""

from __future__ import annotations

from itertools import product

import pytest

from annotation.document import Document
from annotation.instructions import OPEN_BY_AUTHOR, OPEN_LIMIT, TRANSITIONS, State, standing
from annotation.notes import Answer, Instruct, Withdraw
from annotation.operations import Operation
from annotation.values import AnnotationError
from tests.annotation.helpers import add, apply

DEEDS: dict[State, Answer | Withdraw] = {
    "seen": Answer("i-1", "seen"),
    "done": Answer("i-1", "done"),
    "no": Answer("i-1", "no"),
    "withdrawn": Withdraw("i-1"),
}
#: How each state is reached.
WAYS: dict[State, tuple[State, ...]] = {
    "sent": (),
    "seen": ("seen",),
    "done": ("seen", "done"),
    "no": ("no",),
    "withdrawn": ("withdrawn",),
}


def instruct(identifier: str = "i-1", mark: str | None = None) -> Instruct:
    return Instruct(identifier, "Clip here", mark, spoken=False)


def code(document: Document, author: str, operation: Operation) -> str:
    before = document.digest()
    with pytest.raises(AnnotationError) as refused:
        apply(document, author, operation)
    assert document.digest() == before
    return refused.value.code


@pytest.mark.parametrize(("state", "deed"), list(product(WAYS, DEEDS)))
def test_every_deed_in_every_state(state: State, deed: State) -> None:
    document = Document()
    apply(document, "expert", instruct())
    for step in WAYS[state]:
        apply(document, "expert", DEEDS[step])
    expected = TRANSITIONS.get((state, deed))
    if expected is None:
        assert code(document, "expert", DEEDS[deed]) == "not_open"
    else:
        apply(document, "expert", DEEDS[deed])
        assert standing(document.notes("instructions"))["i-1"].state == expected


def test_what_is_closed_leads_nowhere() -> None:
    assert not [step for step in TRANSITIONS if step[0] in ("done", "no", "withdrawn")]


def test_the_times_of_seeing_and_doing_are_kept() -> None:
    document = Document()
    apply(document, "expert", instruct(), 100.0)
    apply(document, "surgeon", DEEDS["seen"], 101.2)
    apply(document, "surgeon", DEEDS["done"], 114.0)
    found = standing(document.notes("instructions"))["i-1"]
    assert (found.sent, found.seen, found.closed) == (100_000, 101_200, 114_000)


def test_an_answer_without_seen_counts_as_seen_then() -> None:
    document = Document()
    apply(document, "expert", instruct(), 100.0)
    apply(document, "surgeon", DEEDS["no"], 103.0)
    assert standing(document.notes("instructions"))["i-1"].seen == 103_000
    apply(document, "expert", instruct("i-2"), 104.0)
    apply(document, "expert", Withdraw("i-2"), 105.0)
    assert standing(document.notes("instructions"))["i-2"].seen is None


def test_only_its_author_withdraws_it() -> None:
    document = Document()
    apply(document, "expert", instruct())
    assert code(document, "surgeon", Withdraw("i-1")) == "not_permitted"
    assert code(document, "expert", Withdraw("i-9")) == "not_found"
    assert code(document, "surgeon", Answer("i-9", "seen")) == "not_found"
    assert code(document, "expert", instruct()) == "duplicate"


def test_it_hangs_on_a_mark_that_is_there() -> None:
    document = Document()
    assert code(document, "expert", instruct(mark="m-1")) == "not_found"
    apply(document, "expert", add("m-1"))
    apply(document, "expert", instruct(mark="m-1"))


def test_nobody_asks_for_more_than_can_be_attended_to() -> None:
    document = Document()
    for author in range(OPEN_LIMIT // OPEN_BY_AUTHOR):
        for number in range(OPEN_BY_AUTHOR):
            apply(document, f"e{author}", instruct(f"i-{author}-{number}"))
        assert code(document, f"e{author}", instruct("i-more")) == "too_many_instructions"
    assert code(document, "another", instruct("i-more")) == "too_many_instructions"
    apply(document, "e0", Withdraw("i-0-0"))
    apply(document, "another", instruct("i-more"))
