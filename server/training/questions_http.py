"""Pause-and-mark questions over HTTP: made by who teaches, answered by who learns, who sees the answer afterwards."""

from __future__ import annotations

import asyncio
import json
import secrets
import sqlite3
from typing import Any, Final

from aiohttp import web

from annotation.shapes import Mark
from annotation.values import AnnotationError
from annotation.veiled import Hide
from signalling.permissions import may
from signalling.tokens import Claims

from ..service import Service
from . import attempts, changes, people, questions
from .body import read_body, refused
from .changes import parse_change
from .frames import find_frame
from .questions import of_the_log, parse_answer, parse_asked
from .training import TrainingHttp

BASE: Final = "/api/training"
PRIVATE: Final = {"Cache-Control": "private, no-store"}


def add_routes(application: web.Application, service: Service) -> None:
    """Add the paths."""
    http = QuestionsHttp(service)
    router = application.router
    router.add_get(BASE + "/recordings/{recording}/questions", http.list)
    router.add_post(BASE + "/recordings/{recording}/questions", http.ask)
    router.add_put(BASE + "/questions/{question}", http.change)
    router.add_delete(BASE + "/questions/{question}", http.remove)
    router.add_post(BASE + "/questions/{question}/restore", http.restore)
    router.add_post(BASE + "/questions/{question}/attempts", http.answer)
    router.add_get(BASE + "/questions/{question}/attempts", http.attempts)


class QuestionsHttp(TrainingHttp):
    """Answers for the token's room."""

    async def list(self, request: web.Request) -> web.Response:
        """List a recording's questions, with one's own first and best attempts."""
        claims = self.claims(request)
        recording = await self.recording(claims, request.match_info["recording"])
        hide = await self._hide(claims, recording)

        def read(connection: sqlite3.Connection) -> list[dict[str, Any]]:
            person = people.known(connection, claims, self.service.wall_clock())
            return [
                _told(connection, row, person.id, claims, hide)
                for row in questions.of_recording(connection, recording)
            ]

        return web.json_response({"questions": await self.run(read)}, headers=PRIVATE)

    async def ask(self, request: web.Request) -> web.Response:
        """Make a question on a frame."""
        claims = self.claims(request, "teach")
        recording = await self.recording(claims, request.match_info["recording"])
        asked = await read_body(request, parse_asked)
        description = await self.training.description(recording)
        try:
            frame = find_frame(description, asked.producer, asked.rtp_timestamp, asked.near)
            answer: tuple[Mark, str]
            if asked.log_mark is not None:
                answer = of_the_log(description, asked.log_mark, asked.producer, asked.rtp_timestamp)
            else:
                assert asked.drawn is not None
                answer = asked.drawn, claims.name
        except AnnotationError as error:
            raise refused(error) from None

        def write(connection: sqlite3.Connection) -> dict[str, Any]:
            now = self.service.wall_clock()
            person = people.known(connection, claims, now)
            identifier = "q-" + secrets.token_hex(8)
            made = (claims.room, person.id, now)
            questions.insert(connection, identifier, recording, asked, frame, answer, made)
            return _told(connection, questions.find(connection, claims.room, identifier), person.id, claims)

        return web.json_response(await self.run(write), status=201, headers=PRIVATE)

    async def change(self, request: web.Request) -> web.Response:
        """Ask otherwise on the same frame; what was answered stays measured by what was asked then."""
        claims = self.claims(request, "teach")
        identifier = request.match_info["question"]
        change = await read_body(request, parse_change)
        row = await self.run(lambda connection: questions.find(connection, claims.room, identifier))
        frame = row["producer"], row["rtp_timestamp"]
        answer = None
        try:
            if change.drawn is not None:
                questions.check_frame(change.drawn, *frame)
                answer = change.drawn, claims.name
            elif change.log_mark is not None:
                description = await self.training.description(row["recording"])
                answer = of_the_log(description, change.log_mark, *frame)
        except AnnotationError as error:
            raise refused(error) from None

        def write(connection: sqlite3.Connection) -> dict[str, Any]:
            now = self.service.wall_clock()
            person = people.known(connection, claims, now)
            changed = changes.keep(connection, claims.room, identifier, change, answer, person.id, now)
            return _told(connection, changed, person.id, claims)

        return web.json_response(await self.run(write), headers=PRIVATE)

    async def remove(self, request: web.Request) -> web.Response:
        """Take a question away; what was answered is kept."""
        claims = self.claims(request, "teach")
        identifier, now = request.match_info["question"], self.service.wall_clock()
        await self.run(lambda connection: questions.remove(connection, claims.room, identifier, now))
        return web.Response(status=204)

    async def restore(self, request: web.Request) -> web.Response:
        """Bring a question back that was taken away, with all that was answered."""
        claims = self.claims(request, "teach")

        def write(connection: sqlite3.Connection) -> dict[str, Any]:
            person = people.known(connection, claims, self.service.wall_clock())
            row = questions.restore(connection, claims.room, request.match_info["question"])
            return _told(connection, row, person.id, claims)

        return web.json_response(await self.run(write), headers=PRIVATE)

    async def answer(self, request: web.Request) -> web.Response:
        """Take somebody's mark, and tell how far it is from the expert's, whose mark and words he sees now."""
        claims = self.claims(request)
        identifier = request.match_info["question"]
        mark = await read_body(request, parse_answer)
        question = await self.run(lambda connection: questions.find(connection, claims.room, identifier))
        try:
            questions.check_frame(mark, question["producer"], question["rtp_timestamp"])
        except AnnotationError as error:
            raise refused(error) from None
        scored = await asyncio.to_thread(questions.score, question, mark)
        hide = await self._hide(claims, question["recording"])

        def write(connection: sqlite3.Connection) -> dict[str, Any]:
            now = self.service.wall_clock()
            person = people.known(connection, claims, now)
            attempts.insert(connection, question, person.id, mark, scored, now)
            return _told(connection, question, person.id, claims, hide)

        told = await self.run(write)
        attempt = {
            "distance": round(scored.distance, 4),
            "overlap": None if scored.overlap is None else round(scored.overlap, 4),
            "passed": scored.passed,
        }
        return web.json_response({"attempt": attempt, "question": told}, status=201, headers=PRIVATE)

    async def attempts(self, request: web.Request) -> web.Response:
        """List what everybody answered, for who teaches."""
        claims = self.claims(request, "teach")

        def read(connection: sqlite3.Connection) -> dict[str, Any]:
            row = questions.find(connection, claims.room, request.match_info["question"])
            return {
                "attempts": attempts.of_question(connection, row["id"]),
                "before": changes.before(connection, row["id"]),
            }

        return web.json_response(await self.run(read), headers=PRIVATE)

    async def _hide(self, claims: Claims, recording: str) -> Hide:
        """Give what hides the patients that are known in what is asked of trainees: it was written for them."""
        return (await self.reading(claims).of(recording)).hide


def _told(
    connection: sqlite3.Connection, row: sqlite3.Row, person: str, claims: Claims, hide: Hide = str
) -> dict[str, Any]:
    """Give a question as one person may see it: its answer to who teaches, and to who has answered it."""
    results = attempts.results(connection, row["id"], person)
    told = {
        "question": row["id"],
        "version": row["version"],
        "recording": row["recording"],
        "producer": row["producer"],
        "rtp_timestamp": row["rtp_timestamp"],
        "at": row["at"],
        "unit": "percent" if row["millimetres"] is None else "mm",
        "prompt": hide(row["prompt"]),
        "tolerance": row["tolerance"],
        "overlap": row["overlap"],
        "answer": None,
        **results,
    }
    teaches = may(claims.role, "teach")
    if teaches or results["attempts"]:
        mark = json.loads(row["answer"])
        told["answer"] = {
            "mark": mark | {"text": hide(mark["text"])} if "text" in mark else mark,
            "expert": row["expert"],
            "words": hide(row["words"]),
        }
    if teaches:
        people_count = connection.execute(
            "SELECT count(DISTINCT person) FROM training_attempt WHERE question = ?", (row["id"],)
        ).fetchone()[0]
        told["people"] = people_count
    return told
