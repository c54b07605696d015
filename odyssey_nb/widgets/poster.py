"""The poster: a live view's last picture, which the saved notebook shows where no kernel runs."""

from __future__ import annotations

import base64
import html
import io
import secrets
from typing import TYPE_CHECKING, Any

from odyssey_nb.errors import OdysseyNBError

if TYPE_CHECKING:
    from PIL import Image

    from odyssey_nb.kernel.pictures import Pictures

LONGEST = 960  # pixels of its longer side
MOST_BYTES = 72_000  # of JPEG; as text, which a notebook is, 96 KB
QUALITIES = (80, 65, 50, 35, 20)
TAKE_SECONDS = 1.0  # for a first picture, while a cell waits

# Without a kernel, JupyterLab says in the live view's output that it is not there; the poster says
# it better. Its sanitizer takes this from notebooks of others, and shows them no widget either.
_INSTEAD = (
    "<style>.jp-OutputArea-child:not(:has(.odyssey-player, [data-odyssey-poster]))"
    ":has(+ .jp-OutputArea-child [data-odyssey-poster]){display:none}</style>"
)
_FIGURE = "margin:0;padding:4px 3px"
_PICTURE = "display:block;max-width:min(100%,720px);max-height:80vh;border-radius:10px"
_CAPTION = "margin-top:6px;opacity:.75"


class Poster:
    """One picture in an output of its own, next to that of a live view, which hides it.

    An output of its own, because a front end that is handed new data for the live view's would make
    that view anew. `id` names it: to the front end, and to the view. `jpeg` is the picture,
    and `stream` the number that a view has for its stream.
    """

    def __init__(self) -> None:
        self.id = f"odyssey-{secrets.token_hex(6)}"
        self.jpeg: bytes | None = None
        self.stream = 0
        self._html = f'<div data-odyssey-poster="{self.id}"></div>'

    def show(self) -> None:
        """Add it to what the running cell shows; empty while there is no picture."""
        self._publish(update=False)

    def update(self, jpeg: bytes, caption: str, stream: int = 0) -> None:
        """Show another picture, wherever it is shown; one that is too large is left out."""
        if not jpeg.startswith(b"\xff\xd8") or len(jpeg) > MOST_BYTES:
            return
        self.jpeg, self.stream = jpeg, stream
        words = html.escape(" ".join(caption.split())[:500], quote=True)
        data = base64.b64encode(jpeg).decode()
        self._html = (
            f'{_INSTEAD}<figure data-odyssey-poster="{self.id}" style="{_FIGURE}">'
            f'<img alt="the last picture: {words}" style="{_PICTURE}"'
            f' src="data:image/jpeg;base64,{data}">'
            f'<figcaption style="{_CAPTION}">{words}</figcaption></figure>'
        )
        self._publish(update=True)

    def take(self, source: Pictures, caption: str) -> None:
        """Show the newest picture of `source`, if it has one; for notebooks that run unseen."""
        try:
            picture = source.frame("pil", timeout=TAKE_SECONDS)
        except OdysseyNBError:
            return
        self.update(encode(picture), caption)

    def _publish(self, *, update: bool) -> None:
        publish({"text/html": self._html}, transient={"display_id": self.id}, update=update)


def encode(picture: Image.Image) -> bytes:
    """Return `picture` as a JPEG of at most `LONGEST` pixels and `MOST_BYTES`."""
    small = picture.copy()
    small.thumbnail((LONGEST, LONGEST))
    for quality in QUALITIES:
        file = io.BytesIO()
        small.save(file, "JPEG", quality=quality, subsampling="4:2:0")
        if file.tell() <= MOST_BYTES:
            break
    return file.getvalue()


def still(*shown: tuple[Pictures, str]) -> None:
    """Show the newest picture of each, over its caption, where nobody watches a live view."""
    for source, caption in shown:
        poster = Poster()
        poster.show()
        poster.take(source, caption)


def display(bundle: dict[str, Any], *posters: Poster) -> None:
    """Show a live view, and its posters behind it."""
    publish(bundle)
    for each in posters:
        each.show()


def publish(bundle: dict[str, Any], **more: Any) -> None:
    """Let the notebook show `bundle`, if this is a notebook's kernel."""
    from IPython.core.getipython import get_ipython

    shell: Any = get_ipython()
    if getattr(shell, "kernel", None) is not None:
        shell.display_pub.publish(bundle, **more)
