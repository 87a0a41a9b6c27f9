"""Instructions: every deed in every state, who may, how many, and what the notes add up to."""

from __future__ import annotations

from itertools import product

import pytest

from annotation.document import Document, Replica, Tail, parse_tail
from annotation.instructions import OPEN_BY_AUTHOR, OPEN_LIMIT, TRANSITIONS, State, standing
from annotation.notebook import LIMITS
from annotation.notes import Answer, Instruct, Withdraw
from annotation.operations import Operation, parse_entry, parse_operation
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


def numbers(document: Document | Replica) -> dict[str, int]:
    """The number that each instruction bears which is still there."""
    notes = [entry.operation for entry in document.notes("instructions")]
    return {note.instruction: note.number for note in notes if isinstance(note, Instruct)}


def test_its_number_is_given_once_and_never_shifts() -> None:
    document, follows, entries = Document(), Replica(), []
    for n in range(1, 701):
        for author, note in (
            (f"e{n % 3}", instruct(f"i-{n}")),
            ("surgeon", Answer(f"i-{n}", "seen")),
            ("surgeon", Answer(f"i-{n}", "done")),
        ):
            entries.append(apply(document, author, note))
            assert follows.receive(parse_entry(entries[-1].to_json()))
    late = Replica()
    assert late.load(parse_tail(document.after(0).to_json()))
    kept = {f"i-{n}": n for n in range(701 - LIMITS["instructions"] // 3, 701)}
    assert numbers(document) == numbers(follows) == numbers(late) == kept
    assert document.digest() == follows.digest() == late.digest()
    # a recording holds them all, whatever the room has let go of since
    recorded = [parse_entry(entry.to_json()).operation for entry in entries]
    assert [note.number for note in recorded if isinstance(note, Instruct)] == list(range(1, 701))


def test_many_answers_do_not_take_the_count_away() -> None:
    document = Document()
    for n in range(1, 300):
        apply(document, "expert", instruct(f"i-{n}"))
        apply(document, "surgeon", Answer(f"i-{n}", "no"))
    assert apply(document, "expert", instruct("i-300")).operation == Instruct(
        "i-300", "Clip here", None, False, 300
    )


def test_its_number_is_not_the_clients_to_say() -> None:
    document = Document()
    apply(document, "expert", instruct())
    asked = parse_operation({**instruct("i-2").to_json(), "number": 77})
    assert apply(document, "expert", asked).to_json()["operation"]["number"] == 2
    entry = apply(document, "expert", instruct("i-3")).to_json()
    for number in (0, -1, 1.5, True, "4", 2**53 + 1):
        with pytest.raises(AnnotationError):
            parse_entry({**entry, "operation": {**entry["operation"], "number": number}})


def test_a_recording_from_before_they_were_numbered_can_be_read() -> None:
    document = Document()
    apply(document, "expert", instruct())
    body = apply(document, "surgeon", Answer("i-1", "seen")), document.notes("instructions")[0].to_json()
    del body[1]["operation"]["number"]
    replay = Replica()
    assert replay.load(Tail(0, 2, (parse_entry(body[1]), body[0])))
    assert numbers(replay) == {"i-1": 0}
    assert standing(replay.notes("instructions"))["i-1"].state == "seen"


def test_what_waits_for_an_answer_stays_however_much_comes_after_it() -> None:
    document, follows = Document(), Replica()
    apply(document, "expert", instruct("i-open"))
    apply(document, "other", instruct("i-seen"))
    apply(document, "surgeon", Answer("i-seen", "seen"))
    assert follows.load(document.after(0))
    for n in range(3, 403):
        for note in (instruct(f"i-{n}"), Answer(f"i-{n}", "done")):
            author = "expert" if isinstance(note, Instruct) else "surgeon"
            assert follows.receive(apply(document, author, note))
    late = Replica()
    assert late.load(document.after(0))
    for copy in (document, follows, late):
        known = standing(copy.notes("instructions"))
        assert (known["i-open"].state, known["i-seen"].state) == ("sent", "seen")
        assert len(copy.notes("instructions")) == LIMITS["instructions"]
    assert document.digest() == follows.digest() == late.digest()
    # once they are closed they go as all others do
    for note in (Answer("i-open", "no"), Answer("i-seen", "done"), instruct("i-new")):
        entry = apply(document, "expert" if isinstance(note, Instruct) else "surgeon", note)
        assert follows.receive(entry)
        assert late.receive(entry)
    assert "i-open" not in standing(document.notes("instructions"))
    assert numbers(document)["i-new"] == 403
    assert document.digest() == follows.digest() == late.digest()
