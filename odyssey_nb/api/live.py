"""Connections and their streams, and what is made of live streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from odyssey_nb.errors import EmptyPromptError, OdysseyNBError
from odyssey_nb.kernel.runtime import get_manager

if TYPE_CHECKING:
    from odyssey_nb.kernel.broadcast import Broadcast
    from odyssey_nb.kernel.connection import Connection
    from odyssey_nb.kernel.hidden import Given
    from odyssey_nb.kernel.spectator import Spectator
    from odyssey_nb.kernel.stream import Stream
    from odyssey_nb.media.image import Source
    from odyssey_nb.widgets.compare import Comparison


def connect(
    name: str = "default",
    *,
    local: bool | None = None,
    url: str | None = None,
    api_key: str | None = None,
    timeout: float = 45.0,
    when_hidden: Given = ...,
    budget: float | None = None,
) -> Connection:
    """Reserve a streamer, and return the connection to it. Safe to re-run: an open one is reused.

    Without an API key (argument, ``ODYSSEY_API_KEY`` or `login`) it goes to the local service,
    which is started when none runs. The connection stays until `disconnect`, the kernel's end, or
    the service's limits.

    >>> conn = connect()
    >>> conn = connect(budget=10)  # ends by itself after ten minutes
    >>> with connect() as conn, conn.start("a beach") as stream: ...

    Args:
        name: Several connections can be open at once, each under its own name.
        local: True for the local service even with a key; False to insist on a remote one.
        url: Base URL of the service; ``ODYSSEY_API_URL`` or the cloud if left out.
        api_key: Better given to `login` than to a cell.
        timeout: Longest wait, in seconds.
        when_hidden: Seconds for which no view of it need be visible until its stream ends, and
            until it is disconnected; None for never, ``(None, 600)`` for only the second. Left out
            it is ``ODYSSEY_NB_WHEN_HIDDEN`` ("120,300", "off"), else ``(120, 300)``. Counts once a
            view has been shown; never while a cell runs, Python reads pictures, or a broadcast
            streams. The page counts down the last 30 s, or half of a shorter time. An open
            connection keeps what it has unless this is given.
        budget: Minutes for which it may be held; then it ends, also if the kernel hangs. Left out
            it is any time, and an open connection keeps what it has. Besides, all connections of
            this user share what ``ODYSSEY_NB_BUDGET_MINUTES_PER_DAY`` says, by the local day.

    Raises:
        AuthError: The key was refused.
        BudgetError: The day's budget is used up.
        LimitError: The account's limits refuse another connection.
        NoStreamerError: No streamer became free in time.
        ConnectError: The service, signaling or WebRTC did not come up.
        SettingError: The arguments contradict each other.
    """
    return get_manager().connect(
        name,
        local=local,
        url=url,
        api_key=api_key,
        timeout=timeout,
        hidden=when_hidden,
        budget=budget,
    )


def start(
    prompt: str,
    *,
    orientation: str = "landscape",
    image: Source | None = None,
    broadcast: bool = False,
    bypass_expansion: bool = False,
    extend: bool = False,
    on: str = "default",
    timeout: float = 30.0,
) -> Stream:
    """Start a stream on the connection called `on`, connecting first if need be.

    See `Connection.start` for arguments and errors.
    """
    if not prompt.strip():
        raise EmptyPromptError
    connection = get_manager().get(on) or get_manager().reopen(on)
    return connection.start(
        prompt,
        orientation=orientation,
        image=image,
        broadcast=broadcast,
        bypass_expansion=bypass_expansion,
        extend=extend,
        timeout=timeout,
    )


def interact(prompt: str, *, on: str = "default", timeout: float = 10.0) -> str:
    """Steer the stream that runs on `on`; return the prompt that the service applied.

    See `Stream.interact` for errors; also NotConnectedError.
    """
    return get_manager().stream_on(on).interact(prompt, timeout=timeout)


def mark(text: str = "", *, on: str = "default") -> float:
    """Mark this moment of the stream that runs on `on`; return its time in seconds.

    See `Stream.mark`.
    """
    return get_manager().stream_on(on).mark(text)


def end(*, on: str = "default") -> None:
    """End the stream that runs on `on`; the connection stays."""
    get_manager().stream_on(on).end()


def disconnect(name: str | None = None) -> None:
    """Free the streamer of the connection called `name`, or of every connection of this kernel.

    Without a name, what is watched is left too.
    """
    manager = get_manager()
    failures = []
    for each in [name] if name is not None else manager.names():
        try:
            manager.disconnect(each)
        except OdysseyNBError as error:  # one that does not answer must not keep the others
            failures.append(error)
    if failures:
        raise failures[0]


def status() -> list[Connection]:
    """Return this kernel's open connections."""
    return get_manager().all()


def watch(url: str | Broadcast, token: str | None = None, *, timeout: float = 15.0) -> Spectator:
    """Watch somebody's broadcast; safe to re-run: who watches already is returned.

    It takes no streamer and no key. Naming what is returned in a cell shows it.

    >>> live = watch(url, token)  # from the owner's stream.broadcast
    >>> live.frame().shape
    >>> with watch(link) as live: live.last(5).save("seen.mp4")

    Args:
        url: The broadcast's `url`; or its link for browsers, `watch_url`, which needs no `token`;
            or a stream's `broadcast` itself.
        token: Its spectator token.
        timeout: Longest wait until it is joined, in seconds.

    Raises:
        SpectatorTokenError: The token is not this broadcast's.
        BroadcastEndedError: There is no such broadcast, or not any more.
        BroadcastFullError: It has as many spectators as it may have.
        ConnectError: The service, or WebRTC, did not come up.
        UsageError: There is no token, or the URL is none.
    """
    from odyssey_nb.kernel.spectator import watch

    return watch(get_manager(), url, token, timeout=timeout)


def compare(*streams: Stream | str) -> Comparison:
    """Show two to four streams side by side, under one prompt box whose words go to all of them.

    Each says what it applied, or why it did not; one that has ended is started again by a prompt.
    What streams at once needs connections of its own.

    >>> compare(start("a forest at dawn", on="left"), start("a forest at night", on="right"))

    Args:
        streams: The streams, or the names of the connections that they run on.

    Raises:
        NotConnectedError: No connection of that name is open.
        NoStreamError: No stream runs on it.
        UsageError: They are too few or too many, or two are on one connection.
    """
    from odyssey_nb.widgets.compare import Comparison

    return Comparison(streams)
