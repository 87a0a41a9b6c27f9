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
from signalling.permissions import may
from signalling.tokens import Claims

from ..service import Service
from . import attempts, people, questions
from .body import read_body, refused
from .frames import find_frame
from .questions import parse_answer, parse_asked
from .training import TrainingHttp

BASE: Final = "/api/training"
PRIVATE: Final = {"Cache-Control": "private, no-store"}


def add_routes(application: web.Application, service: Service) -> None:
    """Add the paths."""
    http = QuestionsHttp(service)
    router = application.router
    router.add_get(BASE + "/recordings/{recording}/questions", http.list)
    router.add_post(BASE + "/recordings/{recording}/questions", http.ask)
    router.add_delete(BASE + "/questions/{question}", http.remove)
    router.add_post(BASE + "/questions/{question}/attempts", http.answer)
    router.add_get(BASE + "/questions/{question}/attempts", http.attempts)


class QuestionsHttp(TrainingHttp):
    """Answers for the token's room."""

    async def list(self, request: web.Request) -> web.Response:
        """List a recording's questions, with one's own first and best attempts."""
        claims = self.claims(request)
        recording = await self.recording(claims, request.match_info["recording"])

        def read(connection: sqlite3.Connection) -> list[dict[str, Any]]:
            person = people.known(connection, claims, self.service.wall_clock())
            return [
                _told(connection, row, person.id, claims)
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
                answer = questions.of_the_log(
                    description, asked.log_mark, asked.producer, asked.rtp_timestamp
                )
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

    async def remove(self, request: web.Request) -> web.Response:
        """Take a question away; what was answered is kept."""
        claims = self.claims(request, "teach")

        def write(connection: sqlite3.Connection) -> None:
            row = questions.find(connection, claims.room, request.match_info["question"])
            connection.execute(
                "UPDATE training_question SET removed = ? WHERE id = ?",
                (self.service.wall_clock(), row["id"]),
            )

        await self.run(write)
        return web.Response(status=204)

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

        def write(connection: sqlite3.Connection) -> dict[str, Any]:
            now = self.service.wall_clock()
            person = people.known(connection, claims, now)
            attempts.insert(connection, identifier, person.id, mark, scored, now)
            return _told(connection, question, person.id, claims)

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

        def read(connection: sqlite3.Connection) -> list[dict[str, Any]]:
            row = questions.find(connection, claims.room, request.match_info["question"])
            return attempts.of_question(connection, row["id"])

        return web.json_response({"attempts": await self.run(read)}, headers=PRIVATE)


def _told(connection: sqlite3.Connection, row: sqlite3.Row, person: str, claims: Claims) -> dict[str, Any]:
    """Give a question as one person may see it: its answer to who teaches, and to who has answered it."""
    results = attempts.results(connection, row["id"], person)
    told = {
        "question": row["id"],
        "recording": row["recording"],
        "producer": row["producer"],
        "rtp_timestamp": row["rtp_timestamp"],
        "at": row["at"],
        "unit": "percent" if row["millimetres"] is None else "mm",
        "prompt": row["prompt"],
        "tolerance": row["tolerance"],
        "overlap": row["overlap"],
        "answer": None,
        **results,
    }
    teaches = may(claims.role, "teach")
    if teaches or results["attempts"]:
        told["answer"] = {"mark": json.loads(row["answer"]), "expert": row["expert"], "words": row["words"]}
    if teaches:
        people_count = connection.execute(
            "SELECT count(DISTINCT person) FROM training_attempt WHERE question = ?", (row["id"],)
        ).fetchone()[0]
        told["people"] = people_count
    return told
