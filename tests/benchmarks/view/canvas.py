"""A live picture with ipycanvas: every picture drawn with `put_image_data`, which sends a JPEG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipycanvas import Canvas

from tests.benchmarks.view.receive import receive

if TYPE_CHECKING:
    import av


def show(url: str, api_key: str) -> Canvas:
    """Return a widget that shows a stream."""
    canvas = Canvas(width=1280, height=704, layout={"width": "100%"})

    def paint(picture: av.VideoFrame) -> None:
        canvas.put_image_data(picture.to_ndarray(format="rgb24"))

    receive(url, api_key, paint)
    return canvas
