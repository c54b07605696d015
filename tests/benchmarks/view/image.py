"""A live picture with ipywidgets: every picture a JPEG, set as the value of an `Image`."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from ipywidgets import Image

from tests.benchmarks.view.receive import receive

if TYPE_CHECKING:
    import av


def show(url: str, api_key: str) -> Image:
    """Return a widget that shows a stream."""
    widget = Image(format="jpeg", layout={"width": "100%"})

    def paint(picture: av.VideoFrame) -> None:
        jpeg = io.BytesIO()
        picture.to_image().save(jpeg, "jpeg")
        widget.value = jpeg.getvalue()

    receive(url, api_key, paint)
    return widget
