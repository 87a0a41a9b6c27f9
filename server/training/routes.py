"""All paths of training."""

from __future__ import annotations

from aiohttp import web

from ..service import Service
from . import assessments_http, certificates_http, overview_http, playlists_http, questions_http, watched_http


def add_routes(application: web.Application, service: Service) -> None:
    """Add the paths under ``/api/training``."""
    for part in (
        questions_http,
        watched_http,
        playlists_http,
        assessments_http,
        certificates_http,
        overview_http,
    ):
        part.add_routes(application, service)
