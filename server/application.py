"""The HTTP application: which path leads where, and what every answer bears."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from . import (
    copies_http,
    files_http,
    hls_http,
    hospital_http,
    line_test,
    live_http,
    previews_http,
    recordings_http,
    segments_http,
    stills_http,
    whep,
    whip,
)
from .dicom import aside as dicom_aside
from .dicom import curate as dicom_curate
from .dicom import films_http as dicom_films
from .dicom import retrieve as dicom_retrieve
from .dicom import upload as dicom_upload
from .dicom import web as dicom_web
from .exporting import exports_http
from .keeping import patients_http
from .keeping import routes as keeping_routes
from .metrics import Metrics
from .service import Service
from .sockets import serve_socket
from .study import notes_http
from .training import routes as training_routes
from .wish import cors

log = logging.getLogger(__name__)

DIST = Path(__file__).parent.parent / "web_client" / "dist"

#: The pages, by path.
PAGES = {"/": "index.html", "/replay": "replay.html", "/linetest": "linetest.html", "/watch": "watch.html"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: Scripts and styles are files of ours; nothing is inline, nothing comes from elsewhere, no page frames ours.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; worker-src 'self' blob:; "
        "style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Server": "Konsil",
}


def canonical(raw_path: str) -> bool:
    """Tell whether a request's path is written in the only way that we route.

    Doubled slashes, dot segments and encoded ones can lead a guard and a handler to different places.
    """
    path = raw_path.partition("?")[0].lower()
    doubtful = ("//", "/./", "/../", "%2e", "%2f", "%5c", "\\", "%00", "%0d", "%0a")
    return not any(part in path for part in doubtful) and not path.endswith(("/.", "/.."))


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse odd paths; give every answer its headers and every error a code and a sentence."""
    try:
        if not canonical(request.raw_path):
            raise web.HTTPNotFound(text="There is nothing here.")
        response = await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        response = web.json_response(
            {"code": error.reason.lower().replace(" ", "_"), "message": _sentence(error)}, status=error.status
        )
        for name in (
            "WWW-Authenticate",
            "Allow",
            "Accept-Post",
            "Accept-Patch",
            "Retry-After",
            "Upload-Offset",
        ):
            if name in error.headers:
                response.headers[name] = error.headers[name]
    except Exception:
        # aiohttp would write the peer's address into the log
        log.exception("a request could not be answered")
        response = web.json_response(
            {"code": "internal_server_error", "message": "The server made a mistake; it is in its log."},
            status=500,
        )
    if not response.prepared:
        response.headers.update(HEADERS)
        response.headers.update(cors(request.path))
        response.headers["Konsil-Time"] = f"{time.time() * 1000:.3f}"
    return response


def _sentence(error: web.HTTPException) -> str:
    # what aiohttp says itself is a number and a word
    own = error.text is None or error.text.startswith(f"{error.status}: ")
    return f"{error.reason}: this address offers nothing of the kind." if own else error.text or ""


def build(service: Service) -> web.Application:
    """Build the application over a service that has been started."""
    metrics = Metrics(service.snapshot)

    async def page(request: web.Request) -> web.StreamResponse:
        file = DIST / PAGES[request.path]
        if not file.is_file():
            raise web.HTTPServiceUnavailable(text="The web client is not built: run `make setup`.")
        return web.FileResponse(file, headers={"Cache-Control": "no-cache"})

    async def health(_: web.Request) -> web.StreamResponse:
        health = service.health()
        return web.json_response(health, status=200 if health["status"] == "ok" else 503)

    async def render_metrics(_: web.Request) -> web.StreamResponse:
        return web.Response(
            body=metrics.render(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )

    async def socket(request: web.Request) -> web.StreamResponse:
        return await serve_socket(request, service)

    application = web.Application(middlewares=[guard], client_max_size=1 << 20)
    for path in PAGES:
        application.router.add_get(path, page)
    application.router.add_get("/healthz", health)
    application.router.add_get("/metrics", render_metrics)
    application.router.add_get("/ws", socket)
    whip.add_routes(application, service)
    whep.add_routes(application, service)
    recordings_http.add_routes(application, service)
    hls_http.add_routes(application, service, segments_http.add_routes(application, service))
    previews_http.add_routes(application, service)
    live_http.add_routes(application, service)
    stills_http.add_routes(application, service)
    line_test.add_routes(application, service)
    files_http.add_routes(application, service)
    for part in (dicom_web, dicom_retrieve, dicom_upload, dicom_aside, dicom_curate, dicom_films):
        part.add_routes(application, service)
    hospital_http.add_routes(application, service)
    copies_http.add_routes(application, service)
    notes_http.add_routes(application, service)
    exports_http.add_routes(application, service)
    keeping_routes.add_routes(application, service)
    patients_http.add_routes(application, service)
    training_routes.add_routes(application, service)
    if (DIST / "assets").is_dir():
        application.router.add_static("/assets", DIST / "assets")
    return application
