"""How it goes: one line that renews itself on a terminal, else a line a second."""

from __future__ import annotations

import io

from server.publisher.bar import Bar, line
from server.publisher.session import Status
from server.publisher.stream import Reception

STATUS = Status(1.0, 20_100_000, 29.97, 300, 3, 2, 7, Reception(0.015, 0.0021, 0.034), left_out=4)


class Terminal(io.StringIO):
    """Something that renews its lines."""

    def isatty(self) -> bool:
        return True


def test_a_status_says_what_matters() -> None:
    assert line(STATUS, encodes=False) == (
        " 20.10 Mbit/s   30.0 frames/s  3 key frames  7 repeated  2 key frames asked for (the next one of the source "
        "serves)  4 pictures left out: the encoder does not keep up  loss 1.5 %  jitter 2.1 ms  round trip 34.0 ms"
    )
    assert "the source serves" not in line(STATUS, encodes=True)
    bare = Status(1.0, 0, 0, 0, 0, 0, 0, None)
    assert line(bare, encodes=True) == "  0.00 Mbit/s    0.0 frames/s  0 key frames  0 repeated"


def test_a_terminal_is_renewed_and_no_sentence_is_written_over() -> None:
    terminal, log = Terminal(), io.StringIO()
    bar = Bar(terminal, log)
    bar.say("Begun.")
    bar.show(STATUS)
    bar.show(STATUS)
    bar.say("Lost.")
    bar.show(STATUS)
    bar.end("Stopped.")
    text = line(STATUS, encodes=False)
    assert terminal.getvalue() == f"Begun.\n\r\x1b[K{text}\r\x1b[K{text}\r\x1b[KLost.\n\r\x1b[K{text}\n"
    assert log.getvalue() == "Stopped.\n"


def test_a_file_gets_a_line_each_time() -> None:
    errors, log = io.StringIO(), io.StringIO()
    bar = Bar(errors, log)
    bar.show(STATUS)
    bar.say("Lost.")
    bar.show(STATUS)
    bar.end("Stopped.")
    text = line(STATUS, encodes=False)
    assert (errors.getvalue(), log.getvalue()) == ("Lost.\n", f"{text}\n{text}\nStopped.\n")
