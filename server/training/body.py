"""The JSON body of a request, of a bounded size, and its refusals as HTTP says them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, TypeVar

from aiohttp import web

from annotation.values import AnnotationError, as_object, bad

from ..request_body import read_up_to

#: A stroke of 2,000 points with their pressures, written out.
BODY_LIMIT: Final = 200_000

_STATUS: Final[dict[str, type[web.HTTPException]]] = {
    "not_found": web.HTTPNotFound,
    "conflict": web.HTTPConflict,
}

T = TypeVar("T")


def parse_body(data: bytes) -> dict[str, Any]:
    """Read a JSON object. Raise AnnotationError."""
    if len(data) > BODY_LIMIT:
        raise AnnotationError("bad_message", f"The request must not have more than {BODY_LIMIT} bytes.")
    try:
        value = json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise AnnotationError("bad_message", "The request is not JSON.") from None
    return as_object(value, "request")


def _refuse(_: str) -> None:
    raise ValueError("JSON has no such number")


async def read_body(request: web.Request, parse: Callable[[dict[str, Any]], T]) -> T:
    """Read and parse a request's body. Raise 400 with a sentence."""
    data = await read_up_to(request, BODY_LIMIT)
    try:
        return parse(parse_body(data))
    except AnnotationError as error:
        raise refused(error) from None


def refused(error: AnnotationError) -> web.HTTPException:
    """Say it over HTTP."""
    return _STATUS.get(error.code, web.HTTPBadRequest)(text=str(error))


def as_list(value: object, field: str, most: int, least: int = 0) -> list[Any]:
    """Require a list of a length within limits."""
    if isinstance(value, list) and least <= len(value) <= most:
        return value
    raise bad(field, f"must be a list of {least} to {most}")
