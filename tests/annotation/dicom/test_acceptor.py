"""An association that somebody asks us for, without a socket and in virtual time."""

from __future__ import annotations

import struct

import pytest

from annotation.dicom import acceptor, upper_layer
from annotation.dicom.acceptor import (
    PROGRESS,
    SILENCE,
    Acceptor,
    Begun,
    Ended,
    Event,
    Piece,
    Rejection,
    Whole,
)
from annotation.dicom.command_set import COMMAND_LIMIT, Command
from annotation.dicom.upper_layer import PDU_LIMIT, UpperLayerError, pdu
from tests.helpers.dicom_sending import CT, IMPLICIT, LITTLE, STORE_CT, asking, command, element, value

LIMIT = 1 << 22
LAST = value(b"\x20\0\x0d\0", 2)


def started(*said: bytes, permit: Rejection | None = None) -> Acceptor:
    taking = Acceptor(lambda called, calling: permit, frozenset({IMPLICIT}), "2.25.1", LIMIT, 0.0)
    taking.receive_data(b"".join(said), 0.0) if said else None
    return taking


def events(taking: Acceptor) -> list[Event]:
    found = []
    while (event := taking.next_event()) is not None:
        found.append(event)
    return found


def status(answer: bytes) -> tuple[int, int]:
    """Read an answer: the message that it is for, and its status."""
    ((_, _, data),) = upper_layer.values(answer[6:])
    assert data.index(struct.pack("<HHI", 0, 0x0120, 2)) < data.index(struct.pack("<HHI", 0, 0x0900, 2))
    at = data.index(struct.pack("<HHI", 0, 0x0120, 2)) + 8
    then = data.index(struct.pack("<HHI", 0, 0x0900, 2)) + 8
    return int.from_bytes(data[at : at + 2], "little"), int.from_bytes(data[then : then + 2], "little")


def test_an_object_comes_in_pieces_and_is_answered_when_it_is_whole() -> None:
    taking = started(asking(), STORE_CT, LITTLE, LAST)
    assert taking.data_to_send()[0] == upper_layer.ASSOCIATE_AC
    assert events(taking) == [
        Begun("THEATRE1", "MODALITY", CT, "1.2.3.4.5", IMPLICIT),
        *(Piece(LITTLE[12:]), Piece(LAST[12:]), Whole()),
    ]
    assert taking.data_to_send() == b""
    taking.answer(acceptor.TAKEN, 1.0)
    assert status(taking.data_to_send()) == (7, 0)
    taking.receive_data(pdu(upper_layer.RELEASE_RQ, bytes(4)), 2.0)
    assert taking.data_to_send() == pdu(upper_layer.RELEASE_RP, bytes(4))
    assert (events(taking), taking.over, taking.get_timer()) == ([Ended("released")], True, None)


def test_however_the_network_cuts_it_it_is_the_same() -> None:
    whole = b"".join((asking(), STORE_CT, LITTLE, LAST))
    at_once = events(started(whole))
    taking = started()
    for at in range(len(whole)):
        taking.receive_data(whole[at : at + 1], 0.0)
    assert events(taking) == at_once


def test_objects_that_are_sent_without_waiting_are_answered_in_their_order() -> None:
    taking = started(asking(), STORE_CT, LAST, STORE_CT, LAST)
    taking.data_to_send()
    assert sum(isinstance(event, Whole) for event in events(taking)) == 2
    for wanted in (acceptor.OUT_OF_RESOURCES, acceptor.TAKEN):
        taking.answer(wanted, 0.0)
        assert status(taking.data_to_send())[1] == wanted


def test_what_is_not_storage_is_not_agreed_on() -> None:
    for abstract, taken in (
        (CT, 0),
        ("1.2.840.10008.1.1", 0),
        ("1.2.840.10008.5.1.4.1.2.2.1", 3),
        ("1.2.3", 3),
    ):
        answer = started(asking(abstract=abstract)).data_to_send()
        at = answer.index(b"\x21\0")
        assert answer[at + 6] == taken


@pytest.mark.parametrize("refused", Rejection)
def test_who_is_not_permitted_is_rejected(refused: Rejection) -> None:
    taking = started(asking(), permit=refused)
    assert taking.data_to_send()[0] == upper_layer.ASSOCIATE_RJ
    assert events(taking) == [Ended(str(refused))]
    taking.receive_data(STORE_CT, 0.0)
    assert (taking.data_to_send(), events(taking)) == (b"", [])


def test_who_asks_for_nothing_is_given_up() -> None:
    taking = started(asking()[:40])
    assert taking.get_timer() == acceptor.ASKING
    taking.handle_timer(acceptor.ASKING - 0.1)
    assert not taking.over
    taking.handle_timer(acceptor.ASKING)
    assert taking.data_to_send() == upper_layer.abort(0)


def test_who_is_silent_or_drips_is_given_up() -> None:
    taking = started(asking(), STORE_CT)
    now, piece = 0.0, value(bytes(1000), 0)
    # a kilobyte a second is too slow, however long it lasts
    while not taking.over:
        now += 1.0
        taking.receive_data(piece, now)
        taking.handle_timer(now)
    assert now == SILENCE
    assert taking.data_to_send()[-10:] == upper_layer.abort(0)


def test_who_is_slow_but_goes_on_is_not() -> None:
    taking = started(asking(), STORE_CT)
    for step in range(1, 10):
        now = step * (SILENCE - 1)
        for _ in range(PROGRESS // 50_000 + 1):
            taking.receive_data(value(bytes(50_000), 0), now)
        taking.handle_timer(now)
        assert taking.get_timer() == now + SILENCE


def test_an_object_without_end_ends_the_association() -> None:
    taking = started(asking(), STORE_CT)
    piece = value(bytes(PDU_LIMIT - 6), 0)
    held = 0
    while not taking.over:
        taking.receive_data(piece, 0.0)
        held += (
            sum(len(event.data) for event in events(taking) if isinstance(event, Piece))
            if not taking.over
            else 0
        )
    assert held <= LIMIT
    assert events(taking)[-1] == Ended("an object is larger than is taken", too_large=True)


BROKEN = {
    "no preamble of a request": pdu(1, bytes(20)),
    "another version": pdu(1, bytes(68)),
    "no context": pdu(1, asking()[6 : 6 + 68 + 25]),
    "an even number of a context": asking().replace(b"\x01\0\0\0\x30", b"\x02\0\0\0\x30"),
    "an item beyond the request": pdu(1, asking()[6:] + b"\x50\0\xff\xff"),
    "half an item": pdu(1, asking()[6:] + b"\x50\0"),
    "another application context": asking().replace(b"3.1.1.1", b"3.1.1.2"),
    "a context twice": pdu(1, asking()[6:] + asking()[asking().index(b"\x20\0") :]),
    "a context without syntaxes": asking(abstract=""),
}
BROKEN_LATER = {
    "a value without a header": pdu(4, b"\0\0\0\1\1"),
    "half a value": pdu(4, b"\0\0"),
    "an element beyond the command": value(element(0x100, b"\1\0")[:-1], 3),
    "another group in a command": value(b"\x08\0\0\0\0\0\0\0", 3),
    "half an element": value(b"\0\0", 3),
    "a command without its field": value(element(0x110, b"\1\0") + element(0x800, b"\1\1"), 3),
    "a command without end": b"".join(
        value(bytes(1 << 13), 1) for _ in range(COMMAND_LIMIT // (1 << 13) + 1)
    ),
    "a store without a data set": command(1, element(2, b"1.2\0"), element(0x1000, b"1.2\0"), data=False),
    "a store of nothing named": command(1, data=True),
    "a store of what is no UID": command(
        1, element(2, b"../../etc/passwd"), element(0x1000, b"1.2\0"), data=True
    ),
    "a query": command(0x20, data=True),
    "an echo with a data set": command(0x30, data=True),
    "a command within an object": STORE_CT + STORE_CT,
    "data on another context": STORE_CT + value(b"ab", 0, context=3),
}


@pytest.mark.parametrize("what", [*BROKEN, *BROKEN_LATER])
def test_who_breaks_the_protocol_is_aborted(what: str) -> None:
    said = BROKEN[what] if what in BROKEN else asking() + BROKEN_LATER[what]
    taking = started(said)
    assert taking.data_to_send()[-10:] == upper_layer.abort(6)
    (*_, ended) = events(taking)
    assert isinstance(ended, Ended)
    assert ended.why.endswith(".")


def test_a_cancel_is_passed_over_and_an_echo_answered() -> None:
    taking = started(asking(), command(0xFFF, data=False))
    taking.data_to_send()
    taking.receive_data(command(0x30, data=False), 0.0)
    assert status(taking.data_to_send()) == (7, 0)


def test_an_answer_fits_into_what_the_peer_takes() -> None:
    long = Command(0x0001, 7, CT, "1." * 31 + "1").answer(0)
    written = upper_layer.commands(1, long, 48)
    found, at = b"", 0
    while at < len(written):
        size = int.from_bytes(written[at + 2 : at + 6], "big")
        assert size <= 48
        ((_, control, data),) = upper_layer.values(written[at + 6 : at + 6 + size])
        found, at = found + data, at + 6 + size
        assert control == (3 if at == len(written) else 1)
    assert found == long
    assert Command.parse(long[12:]).sop_instance == "1." * 31 + "1"


def test_what_was_read_says_nothing_of_a_peer() -> None:
    with pytest.raises(UpperLayerError) as refused:
        Command.parse(command(1, element(2, b"secret..\0"), element(0x1000, b"1.2\0"), data=True)[12:])
    assert "secret" not in str(refused.value)
