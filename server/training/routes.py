"""All paths of training."""

from __future__ import annotations

from aiohttp import web

from ..service import Service
from . import questions_http


def add_routes(application: web.Application, service: Service) -> None:
    """Add the paths under ``/api/training``."""
    for part in (questions_http,):
        part.add_routes(application, service)
