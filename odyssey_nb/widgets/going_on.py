"""What goes on although its connection has ended: another one takes its place, when asked to."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from odyssey_nb.errors import NoStreamError, OdysseyNBError
from odyssey_nb.kernel.runtime import get_manager

if TYPE_CHECKING:
    from odyssey_nb.kernel.held import Held
    from odyssey_nb.widgets.poster import Poster


@dataclass(frozen=True, slots=True)
class Shown:
    """The newest stream that was shown; `number` is what pages call it."""

    number: int
    prompt: str
    orientation: str
    asked: dict[str, Any]  # what else it was started with


class Successor:
    """Remembers what a Player shows, over the connections of one name."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._shown: Shown | None = None
        self._turn = threading.Lock()

    def note(self, connection: Held, first: int) -> None:
        """Remember what streams on `connection`, whose streams pages count from `first`."""
        stream = getattr(connection, "stream", None)
        if stream is not None:
            number, asked = first + stream.number, stream.connection.asked
            self._shown = Shown(number, stream.prompt, connection.orientation, asked)

    def may_follow(self, connection: Held) -> bool:
        """Whether `connection` has ended, its user did not end it, and there is what can go on."""
        return self._shown is not None and connection.ended_itself

    def go_on(self, poster: Poster) -> None:
        """Open another connection to where the last one went, and start what was shown there.

        It begins from the picture of `poster` if that is of the same stream and the service takes
        images. Who comes second finds it streaming, and is content.

        Raises:
            NoStreamError: There has been no stream.
            OdysseyNBError: What `connect` and `start` raise; nothing is held then.
        """
        with self._turn:
            manager, shown = get_manager(), self._shown
            if shown is None:
                raise NoStreamError("there has been no stream that could go on")
            known = manager.get(self._name)
            connection = known or manager.reopen(self._name)
            if connection.streaming:
                return
            fits = connection.takes_images and poster.stream == shown.number
            try:
                connection.start(
                    shown.prompt,
                    orientation=shown.orientation,
                    image=poster.jpeg if fits else None,
                    **shown.asked,
                )
            except OdysseyNBError as error:
                if known is None:
                    connection.disconnect()
                    connection.explain(error.one_line())
                raise
