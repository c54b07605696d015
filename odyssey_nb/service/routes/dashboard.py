"""The dashboard: the page at ``/`` and its files. It asks the same API as everybody."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse

FOLDER = Path(__file__).parents[1] / "dashboard"
PAGE = FOLDER / "index.html"
FILES = {file.name: file for file in FOLDER.iterdir() if file.suffix in {".css", ".js", ".svg"}}
SOURCES = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "media-src": "'self'",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}


def headers(sources: dict[str, str]) -> dict[str, str]:
    """Return what a page of ours is sent with, which may load nothing but from `sources`."""
    return {
        "Content-Security-Policy": "; ".join(f"{kind} {which}" for kind, which in sources.items()),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


HEADERS = headers(SOURCES)

router = APIRouter(include_in_schema=False)


@router.get("/")
async def page() -> FileResponse:
    """Hand out the page; it signs in by itself."""
    return FileResponse(PAGE, headers=HEADERS | {"Cache-Control": "no-store"})


@router.get("/dashboard/{name}")
async def file(name: str) -> FileResponse:
    """Hand out what the page consists of; the browser asks again each time."""
    if name not in FILES:
        raise HTTPException(404, "The dashboard has no such file")
    return FileResponse(FILES[name], headers=HEADERS | {"Cache-Control": "no-cache"})
