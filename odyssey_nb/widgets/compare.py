"""Streams side by side under one prompt box: what each world makes of the same words."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import anywidget
import ipywidgets as w
import traitlets as t

from odyssey_nb.errors import EmptyPromptError, UsageError
from odyssey_nb.kernel.runtime import get_manager
from odyssey_nb.widgets.base import answer_command, answer_while_busy, module, styles
from odyssey_nb.widgets.player import player_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from odyssey_nb.kernel.stream import Stream

FEWEST, MOST = 2, 4


class PromptBox(anywidget.AnyWidget):
    """Sends each prompt to several connections at once, and says what each made of it."""

    _esm = module("_shared.js", "compare.js")
    _css = styles("compare.css")

    names = t.List(t.Unicode(), help="What the connections are called.").tag(sync=True)

    def __init__(self, names: list[str]) -> None:
        super().__init__(names=names)
        answer_while_busy(self)
        self.on_msg(self._on_message)

    def _on_message(self, _widget: object, content: dict[str, Any], _buffers: list[bytes]) -> None:
        """Take a view's message; it may come on the main thread, so nothing here waits."""
        if content.get("type") == "interact" and content.get("name") in self.names:
            name, prompt = str(content["name"]), str(content.get("prompt") or "")
            answer_command(self, content, lambda: ({"prompt": steer(name, prompt)}, []))


class Comparison(w.VBox):
    """Two to four `streams` side by side, steered by one prompt box; `players` show them.

    See `odyssey_nb.compare` for the arguments.
    """

    def __init__(self, streams: Sequence[Stream | str]) -> None:
        if not FEWEST <= len(streams) <= MOST:
            raise UsageError(f"two to four streams can be compared, not {len(streams)}", hint=_HINT)
        self.streams = found = [_stream(each) for each in streams]
        self.names = [each.connection.name for each in found]
        if len(set(self.names)) < len(self.names):
            raise UsageError("a connection has one stream at a time", hint=_HINT)
        self.players = [player_of(each) for each in found]
        grid = w.Box(self.players)
        grid.add_class("odyssey-side-by-side")
        self._columns = 2 if len(found) == MOST else len(found)
        grid.add_class(f"odyssey-columns-{self._columns}")
        self._prompts = PromptBox(self.names)
        super().__init__([grid, self._prompts])
        self.add_class("odyssey-compare")

    def _display_(self) -> object:
        """Return what marimo shows, which knows no boxes of ipywidgets but has its own."""
        marimo: Any = sys.modules["marimo"]  # which has asked; we do not depend on it
        rows = [
            marimo.hstack(self.players[first : first + self._columns], widths="equal")
            for first in range(0, len(self.players), self._columns)
        ]
        return marimo.vstack([*rows, self._prompts])

    def __repr__(self) -> str:
        return f"<Comparison of {', '.join(map(repr, self.names))}>"


_HINT = 'ody.compare(ody.start("…", on="left"), ody.start("…", on="right"))'


def _stream(given: Stream | str) -> Stream:
    return get_manager().stream_on(given) if isinstance(given, str) else given


def steer(name: str, prompt: str) -> str:
    """Let what runs on connection `name` follow `prompt`, or start it; return what was applied.

    Raises:
        NotConnectedError: It is closed; its streamer is not reserved again by the way.
        EmptyPromptError: The prompt has no words.
        OdysseyNBError: The service refused.
    """
    if not prompt.strip():
        raise EmptyPromptError
    connection = get_manager()[name]
    if connection.stream is not None:
        return connection.stream.interact(prompt)
    return connection.start(prompt, orientation=connection.orientation).prompt
