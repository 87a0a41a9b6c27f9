"""What was written, as it is told to who may not read all of it: the same operation with other words.

Only words change, so that every copy of the log shows the same marks at the same places under the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from .document import Tail
from .notes import Instruct, Page, Say, SharedFile
from .operations import Add, Edit, Entry, Operation
from .still import Still

#: The event of a recording with an operation's other words; within an event, the other words of its text.
VEILED: Final = "veiled"

#: Gives a text as it may be read, or as it was.
Hide = Callable[[str], str]


def veiled(operation: Operation, hide: Hide) -> Operation:
    """Hide what must not be read in an operation; the same object where there is nothing."""
    match operation:
        case Add(mark) if (text := hide(mark.text)) != mark.text:
            return Add(replace(mark, text=text))
        case Edit(marks) if any(hide(mark.text) != mark.text for mark in marks):
            return Edit(tuple([replace(mark, text=hide(mark.text)) for mark in marks]))
        case Say() | Instruct() if (text := hide(operation.text)) != operation.text:
            return replace(operation, text=text)
        case Page(title=title) if (text := hide(title)) != title:
            return replace(operation, title=text)
        case SharedFile(name=name) if (text := hide(name)) != name:
            return replace(operation, name=text)
        case Still(label=label) if (text := hide(label)) != label:
            return replace(operation, label=text)
    return operation


def veiled_entry(entry: Entry, hide: Hide) -> Entry:
    """Hide what must not be read in an entry; the same object where there is nothing."""
    operation = veiled(entry.operation, hide)
    return entry if operation is entry.operation else replace(entry, operation=operation)


def veiled_tail(tail: Tail, hide: Hide) -> Tail:
    """Hide what must not be read in what a late comer is told."""
    return Tail(tail.after, tail.sequence, tuple([veiled_entry(entry, hide) for entry in tail.entries]))


def veil_recording(description: dict[str, Any], *, hidden: bool) -> dict[str, Any]:
    """Give a recording's description as one role may read it.

    An event `veiled` bears the number of an operation and its other words, an event with a text has its other words
    beside it. Where they are to be `hidden` the newest of them take the place of what was written; nobody is told both.
    """
    words = {}
    events = []
    for event in description["events"]:
        if event.get("kind") == VEILED:
            words[event.get("sequence")] = event.get("operation")
        elif VEILED in event:
            told = {name: value for name, value in event.items() if name != VEILED}
            events.append(told | {"text": event[VEILED]} if hidden else told)
        else:
            events.append(event)
    given = {**description, "events": events}
    if hidden and words:
        given["operations"] = [
            one | {"operation": words.get(one["sequence"]) or one["operation"]}
            for one in description["operations"]
        ]
    return given
