"""Where others can watch a stream."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Where others can watch a stream, while it runs.

    Whoever has the token can watch, so it is not shown: print what you want to give away.

    Attributes:
        url: Where WebRTC is spoken (WHEP); for ``ody.watch(url, token)``.
        token: Opens it.
        hls_url: Its HLS playlist, some seconds behind; the token is in it. Empty without HLS.
        watch_url: A page for people without a notebook; the token is in it. Empty where the service
            has none.
    """

    url: str
    token: str = field(repr=False)
    hls_url: str = field(repr=False)
    watch_url: str = field(repr=False)

    def __repr__(self) -> str:
        link = ".watch_url is a page for a browser; " if self.watch_url else ""
        return f"<Broadcast at {self.url}: {link}ody.watch(.url, .token) shows it in a notebook>"
