"""A live picture with jupyter_rfb, which encodes with simplejpeg and waits for the page."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from jupyter_rfb import RemoteFrameBuffer

from tests.benchmarks.view.receive import receive

if TYPE_CHECKING:
    import av
    from numpy.typing import NDArray


class Screen(RemoteFrameBuffer):
    """Shows the newest picture whenever the page has room for one."""

    newest: NDArray | None = None

    def get_frame(self) -> NDArray | None:
        """Return the newest picture."""
        return self.newest


def show(url: str, api_key: str) -> Screen:
    """Return a widget that shows a stream; call it in a cell."""
    screen = Screen(css_width="100%", css_height="620px")
    loop = asyncio.get_running_loop()  # the kernel's, on which jupyter_rfb draws

    def paint(picture: av.VideoFrame) -> None:
        screen.newest = picture.to_ndarray(format="rgb24")
        loop.call_soon_threadsafe(screen.request_draw)

    receive(url, api_key, paint)
    return screen
