"""The page at ``/watch/STREAM?token=…``, for spectators without a notebook, and its files."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse

from odyssey_nb.service.routes.dashboard import SOURCES, headers

FOLDER = Path(__file__).parents[1] / "watch"
PAGE = FOLDER / "index.html"
FILES = {
    "watch.css", "crowd.css", "watch.js", "broadcast.js", "crowd.js", "panel.js", "hls.js",
}  # fmt: skip

# hls.js hands its video over as a blob.
HEADERS = headers(SOURCES | {"media-src": "'self' blob:"})

router = APIRouter(prefix="/watch", include_in_schema=False)


@router.get("/{name}")
async def page(name: str) -> FileResponse:
    """Hand out one of the files, or for a stream the page, which finds out what there is."""
    file, kept = (FOLDER / name, "no-cache") if name in FILES else (PAGE, "no-store")
    return FileResponse(file, headers=HEADERS | {"Cache-Control": kept})
