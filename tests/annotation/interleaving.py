"""Sixteen authors and their pages over bad connections, in virtual time: one seed, one interleaving.

A page asks as `web_client/src/session.ts` does: adds and edits whose answer a broken connection took are sent again,
nothing else is. Both ways deliver in order until they break; single messages are lost, repeated and swapped besides,
which no connection does, and which a page must survive as well.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from annotation.anchors import BoardAnchor, DicomAnchor, VideoAnchor
from annotation.document import Document, Replica, Tail, parse_tail
from annotation.notes import SharedFile, Track, Tracked
from annotation.operations import Entry, Operation, parse_entry, parse_operation
from annotation.shapes import FORMS
from annotation.still import Facing, Scale, Still
from annotation.values import AnnotationError

AUTHORS = tuple(f"pt-{n:02}" for n in range(16))
SURGEON = AUTHORS[0]
SM3 = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
ANCHORS = (
    VideoAnchor(7, 3_735_928_559),
    VideoAnchor(7, 90_000, still=True),
    VideoAnchor(9, 1),
    DicomAnchor("1.2.840.113619.2.55.3", 4),
    BoardAnchor(2),
)
#: What an author does, and how often.
DEEDS = {
    "add": 40, "edit": 15, "edit_together": 14, "delete": 8, "undo": 20, "redo": 12, "clear_own": 2, "clear_field": 12,
    "instruct": 5, "answer": 4, "withdraw": 8, "say": 4, "calibrate": 2, "page": 2, "still": 2, "file": 2, "track": 10,
}  # fmt: skip


@dataclass(slots=True)
class Page:
    """One author's page: what it asks for, what is on its way, and what it has been told."""

    author: str
    replica: Replica = field(default_factory=Replica)
    up: list[dict[str, Any]] = field(default_factory=list)
    down: list[str] = field(default_factory=list)
    unanswered: list[dict[str, Any]] = field(default_factory=list)
    #: every text it was handed, for other replicas to be handed the same
    told: list[str] = field(default_factory=list)
    count: int = 0


class Interleaving:
    """A room and its pages; `run` lets things happen and settles all."""

    def __init__(self, seed: int, *, held: int = 30_000, recent: int = 1_000) -> None:
        self.chance = random.Random(seed)
        self.document = Document(held_limit=held, recent_limit=recent)
        self.pages = [Page(author) for author in AUTHORS]
        self.now = 1.79e9
        #: what a recording that began at some moment holds: first the compacted log of then
        self.recorded: list[Entry] | None = None
        self.refused: Counter[str] = Counter()
        self.entries: list[Entry] = []

    def run(self, steps: int) -> None:
        """Let so many things happen; then every connection holds until all is told."""
        begins = self.chance.randrange(steps)
        happen: list[Callable[[Page], None]] = [
            *[self._ask] * 6, *[self._serve] * 6, *[self._read] * 6,
            self._break, self._lose, self._repeat, self._swap, self._look_back,
        ]  # fmt: skip
        for step in range(steps):
            self.now += self.chance.expovariate(50)
            if step == begins:
                self.recorded = list(self.document.after(0).entries)
            # two draw so much that they have something to change and take back
            pages = self.pages[1:3] if self.chance.random() < 0.5 else self.pages
            self.chance.choice(happen)(self.chance.choice(pages))
        for page in self.pages:
            self._serve(page, 1_000)
        for page in self.pages:
            self._tell(page, self.document.after(page.replica.sequence))
            for _ in range(4):
                self._read(page, 1_000_000)
            assert not page.down

    # what happens

    def _ask(self, page: Page) -> None:
        operation = self._operation(page)
        if operation is None:
            return
        page.up.append(operation)
        if operation["kind"] in ("add", "edit"):
            page.unanswered.append(operation)

    def _serve(self, page: Page, most: int = 3) -> None:
        for _ in range(min(most, len(page.up))):
            body = json.loads(json.dumps(page.up.pop(0)))
            if body in page.unanswered:
                page.unanswered.remove(body)
            if "server" in body:
                self._decide(parse_decided, body, "tracker")
            else:
                self._decide(parse_operation, body, page.author)

    def _decide(
        self, parse: Callable[[dict[str, Any]], Operation], body: dict[str, Any], author: str
    ) -> None:
        over_others = author == SURGEON
        try:
            entry = self.document.apply(
                parse(body), author, author.upper(), "#4cc2ff", self.now, over_others=over_others
            )
        except AnnotationError as error:
            self.refused[error.code] += 1
            return
        self.entries.append(entry)
        if self.recorded is not None:
            self.recorded.append(entry)
        for page in self.pages:
            page.down.append(json.dumps({"type": "operation", **entry.to_json()}))

    def _read(self, page: Page, most: int = 40) -> None:
        for _ in range(min(most, len(page.down))):
            text = page.down.pop(0)
            page.told.append(text)
            body = json.loads(text)
            if "operations" in body:
                taken = page.replica.load(parse_tail(body))
            else:
                taken = page.replica.receive(parse_entry(body))
            if not taken:
                self._tell(page, self.document.after(page.replica.sequence))

    def _tell(self, page: Page, tail: Tail) -> None:
        page.down.append(json.dumps(tail.to_json()))

    def _break(self, page: Page) -> None:
        page.down.clear()
        page.up.clear()
        # what had arrived is refused as a duplicate, or changes nothing
        page.up += page.unanswered
        self._tell(page, self.document.after(page.replica.sequence))

    def _lose(self, page: Page) -> None:
        del page.down[:1]

    def _repeat(self, page: Page) -> None:
        page.down[1:1] = page.down[:1]
        page.up[1:1] = page.up[:1]

    def _swap(self, page: Page) -> None:
        page.down[:2] = reversed(page.down[:2])

    def _look_back(self, page: Page) -> None:
        self._tell(page, self.document.after(self.chance.randrange(self.document.sequence + 1)))

    # what is asked

    def _operation(self, page: Page) -> dict[str, Any] | None:
        chance = self.chance
        kind = chance.choices(list(DEEDS), list(DEEDS.values()))[0]
        page.count += 1
        seen = list(page.replica.visible_entries())
        mine = [entry for entry in seen if entry.author == page.author]
        match kind:
            case "add":
                return {"kind": "add", "mark": self._mark(f"m-{page.author}-{page.count}")}
            case "edit":
                entry = chance.choice(mine or seen) if seen else None
                old = None if entry is None else entry.to_json()["operation"]["mark"]
                return None if old is None else {"kind": "edit", "mark": self._mark(old["mark"], old)}
            case "edit_together":
                # some of which others have wiped away by the time it arrives
                own = chance.sample(mine, min(len(mine), chance.randint(2, 5)))
                olds = [entry.to_json()["operation"]["mark"] for entry in own]
                looks = [self._mark(old["mark"], old) for old in olds]
                return {"kind": "edit", "marks": looks} if looks else None
            case "delete":
                marks = seen if page.author == SURGEON else mine
                names = [entry.to_json()["operation"]["mark"]["mark"] for entry in marks]
                chosen = chance.sample(names, min(len(names), chance.randint(1, 3)))
                return {"kind": "delete", "marks": chosen} if chosen else None
            case "clear_field" if page.author != SURGEON and chance.random() < 0.9:
                return None
            case "clear_own" | "clear_field":
                return {"kind": kind, "of": chance.choice(["field", "field", "dicom", "board"])}
            case "instruct":
                mark = chance.choice(seen).to_json()["operation"]["mark"]["mark"] if seen else None
                name = f"i-{page.author}-{page.count}"
                return {
                    "kind": kind,
                    "instruction": name,
                    "text": "Clip\u2019 <b>here</b> 夹",
                    "mark": mark,
                    "spoken": False,
                    "number": 1,  # not a page's to say
                }
            case "answer" | "withdraw":
                given = [e.to_json()["operation"] for e in page.replica.notes("instructions")]
                names = sorted({body["instruction"] for body in given})
                theirs = [name for name in names if name.startswith(f"i-{page.author}-")]
                names = theirs or names if kind == "withdraw" else names
                reaction = {"answer": chance.choice(["seen", "done", "no"])} if kind == "answer" else {}
                return {"kind": kind, "instruction": chance.choice(names), **reaction} if names else None
            case "say":
                return {
                    "kind": kind,
                    "text": f'Line {page.count}\n"two" \\ \u00e9\U0001f600\u007f'.replace("\x7f", ""),
                }
            case "calibrate":
                length = chance.choice([None, 10, 12.5, 1e-2])
                anchor = chance.choice(ANCHORS[:3]).to_json()
                return {
                    "kind": kind,
                    "anchor": anchor,
                    "points": [[0, 0.5], [1e-07, 0.5]],
                    "millimetres": length,
                }
            case "page":
                return {"kind": kind, "board": chance.randint(1, 4), "title": f"Plan {page.count}"}
            case "still" | "file":
                return {"kind": kind, "server": page.count, "by": page.author}
            case "track":
                names = [entry.to_json()["operation"]["mark"]["mark"] for entry in seen]
                chosen = chance.sample(names, min(len(names), chance.randint(1, 4)))
                states = [[name, self._matrix(), chance.choice(["good", "lost", "stale"])] for name in chosen]
                return {"kind": kind, "server": page.count, "tracks": states} if chosen else None
        return {"kind": kind}

    def _mark(self, name: str, like: dict[str, Any] | None = None) -> dict[str, Any]:
        chance = self.chance
        anchor = chance.choice(ANCHORS)
        fitting = [shape for shape, form in FORMS.items() if anchor.surface in form.surfaces]
        shape = chance.choice(["pin", *fitting]) if like is None else like["shape"]
        form = FORMS[shape]
        count = chance.randint(form.least, min(form.most, 6))
        body: dict[str, Any] = {
            "mark": name,
            "shape": shape,
            "anchor": anchor.to_json() if like is None else like["anchor"],
            "points": [[self._fraction(), self._fraction()] for _ in range(count)],
            "width": chance.choice([0.001, 0.004, 0.0123456789, 0.05]),
            "text": "" if form.text is None else "<img src=x>",
        }
        if shape == "freehand" and chance.random() < 0.5:
            body["pressures"] = [self._fraction() for _ in range(count)]
        return body

    def _fraction(self) -> float:
        # numbers that Python and JavaScript write differently, among others
        odd = [0, 1, 1.0, 0.0, 1e-05, 1e-06, 1.5e-07, 5e-324, 0.1 + 0.2]
        return self.chance.choice([self.chance.random(), round(self.chance.random(), 5), *odd])

    def _matrix(self) -> list[float]:
        return [self.chance.choice([0, 1, -0.0, self.chance.uniform(-2, 2), -1e-07]) for _ in range(6)]


def parse_decided(body: dict[str, Any]) -> Tracked | Still | SharedFile:
    """Make what only the server says."""
    if body["kind"] == "track":
        tracks = [
            Track(name, state, tuple(map(float, matrix)), 0.5) for name, matrix, state in body["tracks"]
        ]
        return Tracked(tuple(tracks), VideoAnchor(7, body["server"]))
    if body["kind"] == "still":
        scale = Scale(((0.1, 0.5), (0.2, 0.5)), 10.5)
        facing = Facing("L", None, mirrored=True)
        return Still(
            7, body["server"], 3840, 2160, SM3, body["by"], True, "Gall bladder", "p-1", facing, scale
        )
    return SharedFile(f"f-{body['server']}", "report.pdf", 2**33, SM3, "application/pdf")
