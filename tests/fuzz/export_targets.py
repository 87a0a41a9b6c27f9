"""What is asked of an export: any JSON, which every kind's options take or refuse."""

from __future__ import annotations

import json

from recorder.export.kinds import KINDS, ExportError, kind_of, read_options

REFUSALS = (ExportError,)

REQUESTS = (
    b'{"kind":"composed","options":{"from":1.5,"to":9,"producers":[7,9],"main":7,"names":false,"height":720,"rate":25,"kbit":4000,"bookmarks":[{"at":2,"text":"Hilum"}],"language":"zh"}}',
    b'{"kind":"clip","options":{"from":0,"to":3.25,"sound":false}}',
    b'{"kind":"captions","options":{}}',
)


def read_request(data: bytes) -> None:
    """Read a request; what is taken lies within its bounds."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise ExportError("The request is not JSON.") from None
    fields = body.get("options") if isinstance(body, dict) else None
    if not isinstance(fields, dict):
        raise ExportError("The request has no options.")
    kind = body.get("kind")
    options = read_options(kind_of(kind), fields)
    assert kind in KINDS
    begin = getattr(options, "begin", 0.0)
    end = getattr(options, "end", None)
    assert 0 <= begin <= 86_400
    assert end is None or begin < end <= 86_400
    assert len(getattr(options, "bookmarks", ())) <= 200
