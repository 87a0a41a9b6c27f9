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

#: Where people's words stand in an operation as JSON, and what has such words in it.
_WORDS: Final = frozenset({"text", "title", "label", "name"})
_WITH_WORDS: Final = frozenset({"mark", "file", "still"})

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


def veil_recording(description: dict[str, Any], *, hidden: bool, hide: Hide = str) -> dict[str, Any]:
    """Give a recording's description as one role may read it.

    An event `veiled` bears the number of an operation and its other words, an event with a text has its other words
    beside it. Where they are to be `hidden` the newest of them take the place of what was written; nobody is told both.
    `hide` hides in them who became known since.
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
    if hidden:
        given["events"] = [
            event | {"text": hide(event["text"])} if isinstance(event.get("text"), str) else event
            for event in events
        ]
        given["operations"] = [
            one | {"operation": _hidden(words.get(one["sequence"]) or one["operation"], hide)}
            for one in description["operations"]
        ]
    return given


def _hidden(body: dict[str, Any], hide: Hide) -> dict[str, Any]:
    """Hide what must not be read in an operation as it stands in a description: as `veiled` does."""
    told = dict(body)
    for name, value in body.items():
        if name in _WORDS and isinstance(value, str):
            told[name] = hide(value)
        elif name in _WITH_WORDS and isinstance(value, dict):
            told[name] = _hidden(value, hide)
        elif name == "marks" and isinstance(value, list):
            told[name] = [_hidden(mark, hide) if isinstance(mark, dict) else mark for mark in value]
    return told
