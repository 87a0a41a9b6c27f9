"""Captions and chapters as WebVTT, marks as W3C Web Annotations: read back by parsers, and hostile descriptions."""

from __future__ import annotations

import copy
import json
import random
import re
import uuid
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import av
import pytest

from recorder.export.captions import Cue, vtt
from recorder.export.kinds import ExportError
from recorder.parts import read_part, write_part
from tests.exporting.recordings import KEY, consultation, drawn, job, mark, opened, work

_TIME = r"(\d{2,}):([0-5]\d):([0-5]\d)\.(\d{3})"


def parsed(text: str) -> list[tuple[float, float, str, str]]:
    """Read WebVTT as its section 4 writes it: begin, end, who speaks, words. Raises AssertionError."""
    signature, *blocks = text.rstrip("\n").split("\n\n")
    assert signature.split("\n")[0] == "WEBVTT"
    cues = []
    for block in blocks:
        identifier, timing, *lines = block.split("\n")
        assert "-->" not in identifier
        found = re.fullmatch(f"{_TIME} --> {_TIME}", timing)
        assert found is not None, timing
        h1, m1, s1, u1, h2, m2, s2, u2 = (int(group) for group in found.groups())
        begin, end = h1 * 3600 + m1 * 60 + s1 + u1 / 1000, h2 * 3600 + m2 * 60 + s2 + u2 / 1000
        assert begin < end
        assert lines
        assert all(lines)
        content = "\n".join(lines)
        assert "-->" not in content
        voice = re.match(r"<v ([^<>]+)>", content)
        words = content[voice.end() :] if voice else content
        assert not re.search(r"[<>]|&(?!(amp|lt|gt);)", words)
        cues.append((begin, end, voice[1] if voice else "", words))
    assert [cue[0] for cue in cues] == sorted(cue[0] for cue in cues)
    return cues


def talk() -> list[tuple[float, dict[str, Any]]]:
    return [
        drawn(1, 0.9, mark("m-1", "arrow", 10, [[0.1, 0.1], [0.4, 0.4]])),
        drawn(2, 1.0, mark("m-2", "text", 20, [[0.2, 0.7]], text="a < b & c --> d"), "pt-1"),
        drawn(3, 1.1, {"kind": "say", "text": "<v Somebody>first\n\nsecond --> third"}),
        drawn(
            4, 1.3, {"kind": "instruct", "instruction": "i-1", "text": "Clip", "mark": "m-1", "spoken": False}
        ),
        drawn(5, 1.5, {"kind": "answer", "instruction": "i-1", "answer": "done"}, "pt-1"),
        drawn(6, 1.7, {"kind": "delete", "marks": ["m-1"]}),
    ]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return consultation(tmp_path_factory.mktemp("texts"), talk())


def test_captions_are_read_back(recorded: Path, tmp_path: Path) -> None:
    asked = job(recorded, "captions", {"bookmarks": [{"at": 1.9, "text": "Hilum & vessels"}]})
    assert [file["name"] for file in work(asked)["files"]] == ["chapters.vtt", "captions.vtt"]
    chapters = parsed(opened(asked, "chapters.vtt").decode())
    assert [(round(begin, 2), words) for begin, _, _, words in chapters] == [
        (0.0, "Beginning"),
        (1.3, "Prof. Keller asks: Clip; Hilum &amp; vessels"),
    ]
    captions = opened(asked, "captions.vtt").decode()
    cues = parsed(captions)
    # a mark is told of from the picture on that it was drawn on, not when it was decided
    assert cues[0][0] == pytest.approx(0.1 + 10 / 30, abs=0.002)
    assert cues[0][2:] == ("Prof. Keller", "[arrow]")
    assert cues[1][2:] == ("Dr. Li Wei", "[text] a &lt; b &amp; c --&gt; d")
    assert cues[2][3] == "&lt;v Somebody&gt;first\nsecond --&gt; third"
    assert cues[-1][3] == "Done"
    # and FFmpeg's parser finds the same
    (tmp_path / "captions.vtt").write_text(captions)
    with av.open(str(tmp_path / "captions.vtt")) as container:
        packets = [packet for packet in container.demux() if packet.size]
    assert [round(float(p.pts * p.time_base), 3) for p in packets] == [cue[0] for cue in cues]


def test_names_are_left_out_where_they_are_not_wanted(recorded: Path) -> None:
    for language, called in (("en", "Expert 1"), ("zh", "专家 1")):
        asked = job(recorded, "captions", {"names": False, "language": language})
        work(asked)
        text = "".join(opened(asked, name).decode() for name in ("captions.vtt", "chapters.vtt"))
        assert called in text
        assert "Keller" not in text
        assert "Li Wei" not in text


def test_a_range_counts_from_its_beginning(recorded: Path) -> None:
    asked = job(recorded, "captions", {"from": 1.0, "to": 1.6})
    work(asked)
    cues = parsed(opened(asked, "captions.vtt").decode())
    assert max(end for _, end, _, _ in cues) <= 0.6 + 0.001
    assert parsed(opened(asked, "chapters.vtt").decode())[-1][1] == pytest.approx(0.6)


def test_no_text_can_break_out() -> None:
    for text in ("\n\n1\n00:00:00.000 --> 00:00:01.000\nforged", "-->", "", "\r\n\x00", "<c>", "&lt;"):
        ((_, _, _, words),) = parsed(vtt([Cue(0.0, 1.0, text, "A > B & C\n")]))
        assert words


def test_every_mark_is_an_annotation_in_time_and_place(recorded: Path) -> None:
    asked = job(recorded, "annotations", {})
    (file,) = work(asked)["files"]
    assert file["type"].startswith("application/ld+json")
    page = json.loads(opened(asked, "annotations.jsonld"))
    assert page["type"] == "AnnotationPage"
    arrow, text = page["items"]
    assert arrow["body"] == {
        "type": "TextualBody",
        "value": "Clip",
        "format": "text/plain",
        "purpose": "describing",
    }
    assert text["body"]["value"] == "a < b & c --> d"
    assert arrow["creator"]["name"] == "Prof. Keller"
    uuid.UUID(arrow["target"]["source"].removeprefix("urn:uuid:"))
    assert arrow["target"]["source"] == text["target"]["source"]
    selector = arrow["target"]["selector"]
    # in the film of the camera, which begins at 0.1 s: from its picture on until it was deleted
    assert selector["value"] == "t=0.333,1.600"
    svg = ElementTree.fromstring(selector["refinedBy"]["value"])
    assert svg.get("viewBox") == "0 0 320 180"
    # the same identifiers each time
    again = job(recorded, "annotations", {})
    work(again)
    assert opened(again, "annotations.jsonld") == opened(asked, "annotations.jsonld")


def test_hostile_descriptions_end_in_an_export_or_a_refusal(recorded: Path, tmp_path: Path) -> None:
    """Change single values of a description to others of any type: nothing hangs, and nothing is left half written."""
    chance = random.Random(5)
    original = json.loads(read_part(recorded / "description.json", KEY, 1 << 24))
    folder = tmp_path / recorded.name
    folder.mkdir()
    others: list[Any] = [None, True, -1, 1e300, float("nan"), "x" * 50, [], {}, [[]], {"kind": "add"}, 2**70]
    finished = 0
    for _ in range(30):
        description = copy.deepcopy(original)
        at: Any = description
        while isinstance(at, dict | list) and at:
            key = chance.choice(list(at)) if isinstance(at, dict) else chance.randrange(len(at))
            if not isinstance(at[key], dict | list) or not at[key] or chance.random() < 0.2:
                at[key] = chance.choice(others)
                break
            at = at[key]
        write_part(folder / "description.json", json.dumps(description).encode(), KEY)
        for kind in ("captions", "annotations"):
            asked = job(folder, kind, {})
            try:
                work(asked)
                finished += 1
            except (ExportError, ValueError, TypeError, KeyError, AttributeError, OverflowError):
                pass  # the worker says which, in a sentence
            assert not list(Path(asked["folder"]).glob("*.part"))
    assert finished > 35
