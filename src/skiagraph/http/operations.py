"""Pages for operators, outside the Base URI: health, readiness, measures, and a word of welcome."""

from __future__ import annotations

import asyncio
import html

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from skiagraph.http import observe
from skiagraph.services.archive import Archive

_STYLE = (
    "body{font:1rem/1.6 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem;color:#1d2733;"
    "background:#fbfcfd}code,pre{background:#eef2f5;border-radius:4px;padding:.1rem .3rem}pre{padding:1rem;"
    "white-space:pre-wrap;overflow-wrap:anywhere}a{color:#0b5a8a}h1{font-weight:600}@media(prefers-color-scheme:dark){body{background:#12171c;"
    "color:#dde4ea}code,pre{background:#1e262d}a{color:#7fc4ee}}"
)


def operations(archive: Archive, *, several_processes: bool) -> Starlette:
    """Return the application for everything outside the Base URI."""
    base = archive.settings.base_path

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def readyz(_: Request) -> Response:
        try:
            await asyncio.to_thread(archive.index.known, ["-"])
        except Exception as error:
            return PlainTextResponse(f"the index does not answer ({type(error).__name__})\n", status_code=503)
        return PlainTextResponse("ready\n")

    async def metrics(_: Request) -> Response:
        text = await asyncio.to_thread(observe.exposition, of_all_processes=several_processes)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def welcome(request: Request) -> Response:
        url = html.escape((archive.settings.public_url or str(request.base_url).rstrip("/") + base).rstrip("/"))
        return HTMLResponse(
            f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
            f"<title>skiagraph</title><style>{_STYLE}</style><h1>skiagraph</h1>"
            f"<p>A DICOMweb origin server. Viewers and scripts use the Base URI</p><pre>{url}</pre>"
            f"<p>Look at what is stored: <a href='{url}/studies?accept=application/json'>all Studies</a>.</p>"
            f"<p>From a terminal:</p><pre>curl {url}/studies\n"
            f"curl -H 'Content-Type: application/dicom' --data-binary @image.dcm {url}/studies</pre>"
            f"<p>For operators: <a href=/healthz>health</a>, <a href=/readyz>readiness</a>,"
            f" <a href=/metrics>measures</a>.</p></html>"
        )

    async def not_found(request: Request, _: Exception) -> Response:
        if "html" in request.headers.get("accept", ""):
            return HTMLResponse(
                f"<!doctype html><html lang=en><meta charset=utf-8><title>Not found</title><style>{_STYLE}</style>"
                f"<h1>Not found</h1><p>The DICOMweb services are under <a href='{base}/studies'>{base}</a>.</p></html>",
                status_code=404,
            )
        return JSONResponse(
            {"status": 404, "title": "Not found", "detail": f"The DICOMweb services are under {base}."}, status_code=404
        )

    return Starlette(
        routes=[
            Route("/", welcome),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
        ],
        exception_handlers={404: not_found},
    )
