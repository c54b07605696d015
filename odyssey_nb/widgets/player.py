"""The live Player: shows a connection's stream in a cell and lets a reader steer it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets as t

from odyssey_nb.errors import AnswerTimeoutError, EmptyPromptError, NoStreamError, NotConnectedError
from odyssey_nb.kernel.connection import START_SECONDS
from odyssey_nb.kernel.pictures import Pictures
from odyssey_nb.kernel.runtime import get_manager
from odyssey_nb.widgets.base import STATIC, answer_command, answer_while_busy, module, styles
from odyssey_nb.widgets.going_on import Successor
from odyssey_nb.widgets.poster import Poster
from odyssey_nb.widgets.saving import VERBS, Saving
from odyssey_nb.widgets.transport import Window
from odyssey_nb.wire import link as wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from odyssey_nb.kernel.held import Held
    from odyssey_nb.kernel.spectator import Spectator
    from odyssey_nb.kernel.stream import Stream
    from odyssey_nb.wire.link import Picture

STREAMS = 1_000_000  # more than one connection can have
HLS = STATIC / "../../service/watch/hls.js"
CLOCKS = ("stream_ends", "connection_ends", "idle_since", "idle_ends", "budget_ends")
TRAFFIC_SECONDS = 3.0
STILL_SECONDS = 3.0  # for a next picture, asked for by a page
NOTICE_SECONDS = 10.0  # unseen for less, nothing is said about it


class Player(anywidget.AnyWidget):
    """Shows the stream of the connection called `name`, also after it was opened again.

    Traits are small and change seldom. Pictures are not state: they travel as binary messages
    beside the traits, only while a view is on screen, and are never saved.
    """

    _esm = module(
        "_shared.js",
        "film.js",
        "mp4.js",
        "decoders.js",
        "screen.js",
        "stills.js",
        "kernel.js",
        "words.js",
        "limits.js",
        "ways.js",
        "traits.js",
        "direct.js",
        "floating.js",
        "sight.js",
        "furniture.js",
        "toolbar.js",
        "history.js",
        "steering.js",
        "saves.js",
        "timeline.js",
        "overlay.js",
        "face.js",
        "unseen.js",
        "poster.js",
        "../../service/watch/broadcast.js",
        "spectating.js",
        "player.js",
    )
    _css = styles("player.css", "tools.css", "controls.css", "unseen.css")

    status = t.Unicode("disconnected", help="The connection's status.").tag(sync=True)
    streaming = t.Bool(False, help="Whether a stream runs.").tag(sync=True)
    stage = t.Unicode("", help="What is going on before there are pictures.").tag(sync=True)
    applied_prompt = t.Unicode("", help="The prompt that the world applied last.").tag(sync=True)
    error = t.Unicode("", help="What went wrong, in one line; empty for nothing.").tag(sync=True)
    hint = t.Unicode("", help="What to do about the error.").tag(sync=True)
    orientation = t.Enum(
        ["landscape", "portrait"], "landscape", help="The stream's orientation."
    ).tag(sync=True)
    stream_ends = t.Float(
        0.0, help="When the stream's limit ends it, in epoch seconds; 0: unknown."
    ).tag(sync=True)
    connection_ends = t.Float(
        0.0, help="When its own limit ends the connection, in epoch seconds; 0: unknown."
    ).tag(sync=True)
    idle_since = t.Float(
        0.0, help="Since when a streamer is held without a stream, in epoch seconds; 0: it is not."
    ).tag(sync=True)
    budget_ends = t.Float(
        0.0, help="When its budget ends the connection, in epoch seconds; 0: it has none."
    ).tag(sync=True)
    extends = t.Enum(
        ["", "once", "always"], "", help="Past how many limits the stream goes on."
    ).tag(sync=True)
    at_limit = t.Bool(False, help="Whether a limit has ended the last stream.").tag(sync=True)
    unseen_step = t.Enum(
        ["", "end", "disconnect"], "", help="What is about to come of it that nobody sees it."
    ).tag(sync=True)
    unseen_due = t.Float(
        0.0, help="When that comes, in epoch seconds; 0: nothing is about to."
    ).tag(sync=True)
    idle_ends = t.Float(
        0.0, help="When the connection ends for want of a stream, in epoch seconds; 0: it does not."
    ).tag(sync=True)
    recording_since = t.Float(
        0.0, help="When the recording began that runs, in epoch seconds; 0: none does."
    ).tag(sync=True)
    name = t.Unicode("default", help="The connection's name.").tag(sync=True)
    target = t.Unicode("", help="Which service it goes to.").tag(sync=True)
    spectating = t.Bool(False, help="Whether it is watched only, and steered elsewhere.").tag(
        sync=True
    )
    resumes = t.Bool(
        False, help="Whether the connection has ended, and another can go on from there."
    ).tag(sync=True)
    was_left = t.Bool(False, help="Whether it was left, and has not ended itself.").tag(sync=True)
    caption = t.Unicode("", help="Text under the picture; empty hides it.").tag(sync=True)
    poster_id = t.Unicode("", help="What its posters in the page are called.").tag(sync=True)

    def __init__(self, name: str, **traits: Any) -> None:
        self._connection: Held | None = None
        self._stops: list[Callable[[], None]] = []
        self._stop_view: Callable[[], None] | None = None
        self._window = Window()
        self._bound = 0  # connections shown so far
        self._told = 0.0  # when the newest happening was that the views have heard of
        self._successor = Successor(name)
        self._saving = Saving(self._pictures, self._recorded)
        self._flow = threading.RLock()
        self.poster = Poster()
        super().__init__(name=name, poster_id=self.poster.id, **traits)
        answer_while_busy(self)
        self.on_msg(self._on_message)

    def bind(self, connection: Held) -> None:
        """Show `connection` from now on."""
        with self._flow:
            if self._connection is connection:
                return
            self._pause()
            for stop in self._stops:
                stop()
            self._connection = connection
            self._bound += 1
            self._stops = [connection.listen(self._follow)]
            self._told = connection.happenings[-1].at if connection.happenings else 0.0
        self._follow()
        self._resume()

    def statistics(self) -> dict[str, int]:
        """Return counts: views on screen, pictures sent to them, and how often sending stopped."""
        with self._flow:
            window = self._window
            return {"views": window.views, "sent": window.sent, "stalls": window.stalls}

    def _follow(self) -> None:
        """Copy what changed into traits; called on the link's thread."""
        connection = self._connection
        if connection is None:
            return
        self._successor.note(connection, self._bound * STREAMS)
        error, _, hint = connection.problem.partition(". ")
        with self.hold_sync():
            self.status = str(connection.status)
            self.streaming = connection.streaming
            self.stage = connection.stage
            self.applied_prompt = connection.applied_prompt
            self.target = connection.target
            self.orientation = connection.orientation
            self.error, self.hint = error, hint
            self.extends, self.at_limit = connection.extends, connection.at_limit
            self.was_left = connection.was_left
            self.resumes = self._successor.may_follow(connection)
            for clock in CLOCKS:
                self.set_trait(clock, getattr(connection.clocks, clock))
            hidden = connection.hidden if connection.is_open else None
            countdown = None if hidden is None else hidden.countdown
            self.unseen_step, self.unseen_due = countdown or ("", 0.0)
        self._tell_happenings(connection)
        if connection.released is not None:
            # The page outlives this kernel. A message, because a page that restarts its kernel
            # hears no traits any more.
            farewell = {"type": "farewell", "name": self.name, "released": connection.released}
            self.send(farewell)
        if not connection.is_open:
            with self._flow:
                self._stop_view = None
                self._window.reset()
        else:
            self._resume()

    def _tell_happenings(self, connection: Held) -> None:
        """Tell the views what is new; a view that comes later asks for what was before."""
        for each in tuple(connection.happenings):
            if each.at > self._told:
                self._told = each.at
                self.send({"type": "happening", **_facts(each)})

    def _resume(self) -> None:
        """Let pictures flow if somebody watches and they do not flow yet."""
        with self._flow:
            connection = self._connection
            if connection is None or not connection.is_open:
                return
            if self._window.watched and not self._window.stalled and self._stop_view is None:
                self._stop_view = connection.view(self._show)

    def _pause(self) -> None:
        with self._flow:
            stop, self._stop_view = self._stop_view, None
            if stop is not None:
                stop()

    def _show(self, picture: Picture) -> None:
        """Pass an encoded picture on to the views; called on the link's thread."""
        with self._flow:
            # Every connection counts its streams from 1, and a view must tell them apart.
            stream = self._bound * STREAMS + picture.stream
            if not self._window.admit(stream, picture.seq, time.monotonic()):
                if self._window.stalled:
                    # Under the lock: an acknowledgement that comes now finds it paused and resumes.
                    self._pause()
                return
        header = {
            "type": "picture",
            "stream": stream,
            "seq": picture.seq,
            "follows": picture.follows,
            "key": picture.key,
            "time": picture.time,
            "came": picture.received * 1000,
            "sent": time.time() * 1000,
        }
        self.send(header, buffers=[picture.data])

    def _on_message(self, _widget: object, content: dict[str, Any], buffers: list[bytes]) -> None:
        """Take a view's message; it may come on the main thread, so nothing here waits."""
        kind = content.get("type")
        if kind == "ack":
            self._acknowledge(content)
        elif kind == "view":
            # A view that cannot decode, or gets them from the sidecar, has no use for pictures.
            visible = bool(content.get("visible"))
            wants = bool(content.get("decodes", True)) and not content.get("direct")
            self._view_changed(str(content.get("view")), visible=visible and wants)
            if visible:
                self._seen()
        elif kind == "seen":
            self._seen()
        elif kind == "keep":
            if self._connection is not None and self._connection.hidden is not None:
                self._connection.hidden.clock.touch()
        elif kind == "poster" and buffers:
            stream = int(content.get("stream") or 0)
            self.poster.update(bytes(buffers[0]), self.applied_prompt, stream)
        elif kind == "need_keyframe":
            if self._connection is not None:
                self._connection.want_keyframe()
        elif kind == "direct":
            answer_command(self, content, lambda: (self._admit(str(content.get("origin"))), []))
        elif kind == "broadcast":
            answer_command(self, content, lambda: (self._broadcast(), []))
        elif kind == "hls":
            answer_command(self, content, lambda: ({}, [HLS.read_bytes()]))
        elif kind == "decode":
            past = int(content.get("stream") or 0), int(content.get("seq") or 0)
            answer_command(self, content, lambda: self._still(past))
        elif kind == "happenings":
            answer_command(self, content, lambda: ({"happenings": self._happenings()}, []))
        elif kind == "traffic":
            answer_command(self, content, lambda: (self._traffic(), []))
        elif kind in VERBS:
            answer_command(self, content, lambda: self._save(content))
        elif kind in {"interact", "start", "continue", "mark", "end", "disconnect"}:
            prompt = str(content.get("prompt") or "")
            answer_command(self, content, lambda: (self._do(kind, prompt), []))

    def _acknowledge(self, content: dict[str, Any]) -> None:
        view = str(content.get("view"))
        stream, seq = int(content.get("stream") or 0), int(content.get("seq") or 0)
        with self._flow:
            known = self._window.shows(view)
        if not known:
            # Only a visible view acknowledges. Its first message may still wait behind the cells of
            # a Run All, because it was sent before the front end had a subshell for it.
            self._view_changed(view, visible=True)
        with self._flow:
            self._window.acknowledge(stream, seq, time.monotonic())
        self._resume()
        self._seen()

    def _seen(self) -> None:
        """A view is on screen now; say what would have come of it if it had not been."""
        connection = self._connection
        if connection is None or connection.hidden is None or not connection.is_open:
            return
        coming = connection.hidden.clock.left(streaming=connection.streaming)
        unseen = connection.hidden.seen()
        if unseen > NOTICE_SECONDS and coming is not None:
            step, left = coming
            self.send({"type": "seen_again", "unseen": unseen, "step": step, "left": max(0, left)})

    def _view_changed(self, view: str, *, visible: bool) -> None:
        with self._flow:
            self._window.show(view, visible=visible)
            watched = self._window.watched
            self._window.reset()
        self._pause()  # a view that comes back starts from the newest keyframe, so all do
        if watched:
            self._resume()

    def _admit(self, origin: str) -> dict[str, Any]:
        """Return what a page needs to get pictures from the sidecar itself."""
        with self._flow:
            connection, first = self._connection, self._bound * STREAMS
        if connection is None:
            raise NotConnectedError(f"{self.name!r} is not connected")
        port, token, secret = connection.admit(origin)
        return {"port": port, "token": token, "secret": secret, "first": first}

    def _broadcast(self) -> dict[str, Any]:
        """Return what a page needs to watch by itself; the token is in it, so it is never state."""
        broadcast = getattr(self._connection, "broadcast", None)
        if broadcast is None:
            raise NotConnectedError("nothing is watched")
        return {"url": broadcast.url, "token": broadcast.token, "playlist": broadcast.hls_url}

    def _still(self, past: tuple[int, int]) -> tuple[dict[str, Any], list[bytes]]:
        """Return a picture after `past` as JPEG, with what its header says besides.

        Decoded here, for a page that cannot. It has asked, so it has taken what it got before; and
        what came meanwhile is left out.
        """
        from odyssey_nb.media.jpeg import encode

        with self._flow:
            first = self._bound * STREAMS
        source = self._pictures()
        stream, seq = past[0] - first, past[1]
        taken = source._newest.take("rgb", past=(stream, seq), timeout=STILL_SECONDS)
        if taken is None:
            raise AnswerTimeoutError(f"no picture came within {STILL_SECONDS:g} s")
        header = {"stream": first + taken.stream, "seq": taken.seq, "sent": time.time() * 1000}
        return header, [encode(taken.picture)]

    def _happenings(self) -> list[dict[str, Any]]:
        connection = self._connection
        return [_facts(each) for each in connection.happenings] if connection is not None else []

    def _traffic(self) -> dict[str, Any]:
        """Return how many packets came from the service, and how many were lost."""
        if self._connection is None:
            raise NotConnectedError(f"{self.name!r} is not connected")
        answer = self._connection.request(wire.Traffic, timeout=TRAFFIC_SECONDS)
        return {"number": answer.number, "lost": answer.lost}

    def _save(self, content: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        try:
            return self._saving.do(content)
        finally:
            self.recording_since = self._saving.recording_since

    def _recorded(self, what: dict[str, Any]) -> None:
        """Tell every view that a recording is over; called on its thread."""
        self.recording_since = self._saving.recording_since
        self.send({"type": "recorded", **what})

    def _do(self, kind: str, prompt: str) -> dict[str, Any]:
        """Do what a view asks for; return what its answer says besides."""
        manager = get_manager()
        match kind:
            case "start":
                if not prompt.strip():
                    raise EmptyPromptError
                connection = manager.get(self.name) or manager.reopen(self.name)
                return {"prompt": connection.start(prompt, orientation=self.orientation).prompt}
            case "continue":
                if self._connection is None or not self._connection.is_open:
                    self._successor.go_on(self.poster)
                else:
                    self._connection.request(wire.Continue, timeout=START_SECONDS)
            case "interact":
                return {"prompt": self._stream().interact(prompt)}
            case "mark":
                return {"time": self._stream().mark()}
            case "end":
                self._stream().end()
            case "disconnect":
                manager.disconnect(self.name)
        return {}

    def _pictures(self) -> Pictures:
        """Return what has the pictures that are shown."""
        connection = self._connection
        return connection if isinstance(connection, Pictures) else self._stream()

    def _stream(self) -> Stream:
        stream: Stream | None = getattr(self._connection, "stream", None)
        if stream is None:
            raise NoStreamError("no stream runs")
        return stream


def _facts(happening: wire.Happening) -> dict[str, Any]:
    """Return what a page is told of it."""
    return {name: getattr(happening, name) for name in ("at", "stream", "time", "kind", "text")}


def player_of(stream: Stream) -> Player:
    """Return the one Player of the stream's connection name, shown any number of times.

    An old stream shows what runs under that name now, if anything does.
    """
    connection = get_manager().get(stream.connection.name) or stream.connection
    return _player(connection)


def player_watching(spectator: Spectator) -> Player:
    """Return the one Player of a broadcast that is watched."""
    return _player(spectator, spectating=True)


def _player(shown: Held, **traits: Any) -> Player:
    players = get_manager().players
    player: Player | None = players.get(shown.name)
    # marimo closes the line to a widget's views when the cell that made it runs again.
    if player is None or player.comm is None or getattr(player.comm, "_closed", False):
        player = players[shown.name] = Player(shown.name, **traits)
    player.bind(shown)
    return player
