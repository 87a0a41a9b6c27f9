"""How recordings are kept, over HTTP, for those who may `keep`: the room's own alone (PROTOCOL.md, the last section).

Reasons and references stand in bodies, never in addresses or logs.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Callable
from typing import Any

from aiohttp import web

from signalling.text import check_text
from signalling.tokens import Claims

from ..bearer import permitted
from ..exporting.sign_off import withdraw
from ..request_body import read_object
from ..service import Service
from . import audit, decisions, usage, view
from .audit import Doer
from .decisions import Refused
from .terms import PURPOSES

BASE = "/api/keeping"
BODY_LIMIT = 16 << 10
REASON_CHARACTERS = 500
AUDIT_LINES = 200
PRIVATE = {"Cache-Control": "private, no-store"}

#: A paper form's place: numbers, letters and strokes, which no name is written with.
_REFERENCE = re.compile(r"(?=.*[0-9])[A-Za-z0-9][A-Za-z0-9./_-]{0,63}")

_STATUS = {
    "unknown_recording": 404,
    "no_hold": 404,
    "bad_term": 400,
    "unknown_class": 400,
    "bad_until": 400,
    "bad_request": 400,
    "hides_nothing": 400,
    "same_person": 403,
}

Decision = Callable[[sqlite3.Connection, Doer, int, str], object]


def add_routes(application: web.Application, service: Service) -> None:
    """Add the paths."""
    http = Routes(service)
    application.router.add_get(BASE, http.show)
    application.router.add_get(BASE + "/audit", http.audit)
    application.router.add_get(BASE + "/usage", http.usage)
    one = BASE + "/recordings/{recording}"
    application.router.add_put(one + "/class", http.choose_class)
    application.router.add_post(one + "/holds", http.hold)
    application.router.add_post(one + "/holds/{number}/lift", http.lift)
    application.router.add_post(one + "/consent", http.consent)
    application.router.add_post(one + "/deletion", http.ask)
    application.router.add_post(one + "/deletion/{number}", http.answer)


class Routes:
    """Answers for the token's room."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._keeper = service.keeper

    def _claims(self, request: web.Request) -> Claims:
        return permitted(request, self._service, "keep")

    async def show(self, request: web.Request) -> web.Response:
        """Say how the room's recordings are kept, and what the classes are."""
        claims = self._claims(request)
        await self._keeper.take_in()
        return web.json_response(await self._view(claims), headers=PRIVATE)

    async def _view(self, claims: Claims) -> dict[str, Any]:
        now, person = self._keeper.now(), audit.doer_of(claims).person

        def read(c: sqlite3.Connection) -> tuple[dict[str, view.Row], list[dict[str, Any]]]:
            return view.kept(c, claims.room, person, now), decisions.classes(c)

        kept, classes = await self._service.database.run(read)
        unsure = await self._service.recorded_patients.not_all_known(kept)
        for name, each in kept.items():
            each["patients_known"] = name not in unsure
        shown = sorted(kept.values(), key=lambda each: each["started"], reverse=True)
        return {"now": now, "classes": classes, "recordings": shown}

    async def audit(self, request: web.Request) -> web.Response:
        """Give the last entries of the room's audit book, or of one recording."""
        claims = self._claims(request)
        recording = request.query.get("recording")
        found = await audit.last_entries(self._service, claims.room, recording, AUDIT_LINES)
        shown = [{name: entry[name] for name in _SHOWN} for entry in found]
        return web.json_response({"entries": shown}, headers=PRIVATE)

    async def usage(self, request: web.Request) -> web.Response:
        """Say how much is kept, how full the disk is, and when it will be; other rooms are one without a name."""
        claims, library = self._claims(request), self._service.archive.library
        await self._keeper.take_in()
        reserve = self._service.config.recordings.minimum_free_mb << 20
        measured = await asyncio.to_thread(usage.sizes, library)
        disk, now = await asyncio.to_thread(usage.disk_of, library, reserve), self._keeper.now()

        def read(c: sqlite3.Connection) -> tuple[dict[str, Any], dict[str, view.Row]]:
            return usage.report(c, measured, disk, now, claims.room), view.kept(c, claims.room, "", now)

        report, kept = await self._service.database.run(read)
        own = {
            name: {"here": size.here, "moved": size.moved} for name, size in measured.items() if name in kept
        }
        report |= {"sizes": own, "second_place": self._keeper.copies.store is not None}
        return web.json_response(report, headers=PRIVATE)

    async def choose_class(self, request: web.Request) -> web.Response:
        """Put a recording into a class."""
        claims, name = self._claims(request), _text(await body_of(request), "class", 64)
        return await self._decide(
            request, claims, lambda c, who, now, of: decisions.choose_class(c, who, now, of, name)
        )

    async def hold(self, request: web.Request) -> web.Response:
        """Lay a legal hold on a recording."""
        claims = self._claims(request)
        reason = _text(await body_of(request), "reason", REASON_CHARACTERS)
        return await self._decide(
            request, claims, lambda c, who, now, of: decisions.hold(c, who, now, of, reason)
        )

    async def lift(self, request: web.Request) -> web.Response:
        """Lift a hold."""
        claims, number = self._claims(request), _number(request)
        reason = _text(await body_of(request), "reason", REASON_CHARACTERS)
        return await self._decide(
            request, claims, lambda c, who, now, of: decisions.lift(c, who, now, of, number, reason)
        )

    async def consent(self, request: web.Request) -> web.Response:
        """Write down that consent was given or withdrawn."""
        claims, body = self._claims(request), await body_of(request)
        purpose, reference = _text(body, "purpose", 16), _text(body, "reference", 64)
        given, until = body.get("given"), body.get("until")
        if purpose not in PURPOSES or type(given) is not bool:
            raise refused(Refused("bad_request", f"Say of {', '.join(PURPOSES)} whether it was given."))
        if not _REFERENCE.fullmatch(reference):
            raise refused(
                Refused("bad_request", "Name the paper form by its number, never by the patient's name.")
            )
        if until is not None and (type(until) is not int or not 0 < until < 1 << 53):
            raise refused(Refused("bad_until", "The end of consent is a time in milliseconds."))
        answer = await self._decide(
            request,
            claims,
            lambda c, who, now, of: decisions.record_consent(
                c, who, now, of, purpose, reference, given=given, until=until
            ),
        )
        # what was made by consent that is withdrawn goes with it
        await withdraw(self._service, request.match_info["recording"])
        return answer

    async def ask(self, request: web.Request) -> web.Response:
        """Ask for a deletion."""
        claims = self._claims(request)
        reason = _text(await body_of(request), "reason", REASON_CHARACTERS)
        days = self._service.config.keeping.request_days
        return await self._decide(
            request, claims, lambda c, who, now, of: decisions.ask(c, who, now, of, reason, days)
        )

    async def answer(self, request: web.Request) -> web.Response:
        """Agree to a deletion that another asked for, refuse it, or take one's own request back."""
        claims, number = self._claims(request), _number(request)
        agrees = (await body_of(request)).get("agree")
        if type(agrees) is not bool:
            raise refused(Refused("bad_request", "Say whether you agree: true or false."))
        answer = decisions.agree if agrees else decisions.refuse
        response = await self._decide(
            request, claims, lambda c, who, now, of: answer(c, who, now, of, number)
        )
        self._keeper.look()
        return response

    def check(self, connection: sqlite3.Connection, claims: Claims, recording: str) -> None:
        """Raise Refused unless it is a recording of the token's room; others do not exist."""
        row = connection.execute("SELECT room FROM kept WHERE recording = ?", (recording,)).fetchone()
        if row is None or row["room"] != claims.room:
            raise Refused("unknown_recording", "There is no such recording.")

    async def _decide(self, request: web.Request, claims: Claims, decision: Decision) -> web.Response:
        """Carry a decision out for the room's recording, and answer with how the recordings are kept now."""
        recording, doer, now = request.match_info["recording"], audit.doer_of(claims), self._keeper.now()

        def work(c: sqlite3.Connection) -> None:
            self.check(c, claims, recording)
            decision(c, doer, now, recording)

        try:
            await self._keeper.decide(work)
        except Refused as error:
            raise refused(error) from None
        return web.json_response(await self._view(claims), headers=PRIVATE)


_SHOWN = ("number", "at", "deed", "name", "role", "recording", "about")


def refused(error: Refused) -> web.HTTPException:
    """Make the answer for what is not decided so."""
    kinds: dict[int, type[web.HTTPException]] = {
        400: web.HTTPBadRequest,
        403: web.HTTPForbidden,
        404: web.HTTPNotFound,
        409: web.HTTPConflict,
    }
    return kinds[_STATUS.get(error.code, 409)](text=str(error), reason=error.code)


async def body_of(request: web.Request) -> dict[str, Any]:
    """Read the JSON object that was sent. Raise 400."""
    body = await read_object(request, BODY_LIMIT)
    if body is None:
        raise refused(Refused("bad_request", "The body is a JSON object."))
    return body


def _text(body: dict[str, Any], field: str, limit: int) -> str:
    try:
        text = check_text(body.get(field), 1, limit).strip()
    except ValueError as error:
        raise refused(Refused("bad_request", f"The field {field} {error}.")) from None
    if not text:
        raise refused(Refused("bad_request", f"The field {field} is empty."))
    return text


def _number(request: web.Request) -> int:
    text = request.match_info["number"]
    if not text.isdecimal() or len(text) > 15:
        raise refused(Refused("no_request", "There is no such number."))
    return int(text)
