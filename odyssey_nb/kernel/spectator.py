"""A broadcast as cells see it: somebody else's stream, to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlsplit

from odyssey_nb.errors import BroadcastEndedError, UsageError, WatchError
from odyssey_nb.kernel.aio import Aio
from odyssey_nb.kernel.broadcast import Broadcast
from odyssey_nb.kernel.held import Held
from odyssey_nb.kernel.pictures import Pictures

if TYPE_CHECKING:
    from odyssey_nb.kernel.link import SidecarLink
    from odyssey_nb.kernel.manager import ConnectionManager
    from odyssey_nb.wire import link as wire

JOIN_SECONDS = 15.0
PLAYLIST = "index.m3u8"  # where our service has it; what there is not is not played


class Spectator(Held, Pictures):
    """Watches a broadcast; it holds no streamer. In a notebook, naming it in a cell shows it.

    A page that can reach the broadcast's service watches by itself, so that pictures which nobody
    reads in Python never come here; `Pictures` are the sidecar's.

    Attributes:
        url: Where the broadcast is.
        broadcast: The same with what opens it, which is not shown.
        number: Counts how often it was joined: again wherever the network broke.
    """

    def __init__(
        self, manager: ConnectionManager, link: SidecarLink, *, name: str, broadcast: Broadcast
    ) -> None:
        where = urlsplit(broadcast.url).netloc
        Held.__init__(self, manager, link, name=name, target=f"broadcast at {where}")
        Pictures.__init__(self)
        self.url = broadcast.url
        self.broadcast = broadcast
        self.number = 0
        self._streams = False
        self.aio = Aio(self, "frame", "frames", "snapshot", "last", "record", "leave")

    @property
    def streaming(self) -> bool:
        """Whether pictures are coming."""
        return self._streams

    @property
    def active(self) -> bool:
        """Whether we watch; also while the broadcast is joined again because the picture broke."""
        return self.status in {"connecting", "connected", "reconnecting"} and self.link.usable

    def leave(self) -> None:
        """Watch no more; safe to call again."""
        self._manager.disconnect(self.name, only=self)

    @property
    def _held(self) -> Held:
        return self

    def _check(self) -> None:
        self.link.check_process()
        if not self.active:
            raise BroadcastEndedError("the broadcast has ended, or was left")
        if not self.is_open:
            raise WatchError("the picture broke off", hint="Try again: it is being joined anew.")

    def _is_over(self) -> bool:
        return not self.active and not self.broke

    def _follow(self, event: wire.Event) -> None:
        if event.type == "stream_changed":
            self.number, self._streams = event.stream, event.state == "streaming"

    def _no_stream(self) -> None:
        self._streams = False
        self.drop_pictures()

    def close_lease(self) -> None:
        """There is none, because no streamer is held."""

    def __enter__(self) -> Spectator:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def __repr__(self) -> str:
        return f"<Spectator of the {self.target}: {'live' if self.active else 'over'}>"


def watch(
    manager: ConnectionManager,
    url: str | Broadcast,
    token: str | None,
    *,
    timeout: float = JOIN_SECONDS,
) -> Spectator:
    """Watch the broadcast at `url`: `odyssey_nb.watch`."""
    if isinstance(url, str):
        address, opener = broadcast_at(url, token)
        playlist = f"{address}/{PLAYLIST}?token={quote(opener, safe='')}"
    else:
        address, opener = broadcast_at(url.url, url.token)
        playlist = url.hls_url
    name = f"watch {urlsplit(address).path.rpartition('/')[2]}"
    return manager.watch(name, Broadcast(address, opener, playlist, ""), timeout=timeout)


def broadcast_at(url: str, token: str | None) -> tuple[str, str]:
    """Return a broadcast's `webrtc_url` and token from what people hand each other.

    That is the two as they are, or one link with the token in it: that of the page for browsers, or
    of the playlist.

    Raises:
        UsageError: It is no http(s) address, or there is no token.
    """
    try:
        parts = urlsplit(url.strip())
        given = token or parse_qs(parts.query).get("token", [""])[0]
    except ValueError:
        parts, given = urlsplit(""), ""
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise UsageError(
            "a broadcast is at an http(s) address",
            hint="Take it from the owner's stream.broadcast.",
        )
    if not given:
        raise UsageError(
            "a broadcast is opened by its token",
            hint="ody.watch(url, token), or the owner's stream.broadcast.watch_url as it is.",
        )
    path = parts.path.rstrip("/").removesuffix("/whep")
    if path.endswith(".m3u8"):
        path = path.rpartition("/")[0]
    if path.startswith("/watch/"):
        path = "/live/" + path.removeprefix("/watch/")
    return f"{parts.scheme}://{parts.netloc}{path}", given
