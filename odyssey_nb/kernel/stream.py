"""A stream as cells see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from odyssey_nb.errors import ConnectionLostError, NoStreamError
from odyssey_nb.kernel.aio import Aio
from odyssey_nb.kernel.frames import told
from odyssey_nb.kernel.pictures import Pictures
from odyssey_nb.kernel.tables import clock
from odyssey_nb.wire import link as wire

if TYPE_CHECKING:
    from odyssey_nb.kernel.broadcast import Broadcast
    from odyssey_nb.kernel.connection import Connection
    from odyssey_nb.kernel.script import Script

INTERACT_SECONDS = 10.0
END_SECONDS = 10.0
EXTEND_SECONDS = 30.0
MARK_SECONDS = 5.0

# Why a stream ends as it should: it or its connection was ended, or a limit was reached.
OVER = ("", "ended", "session_timeout", "quota_exceeded")


class Stream(Pictures):
    """One run of a world. In a notebook, naming it in a cell shows the live Player.

    Attributes:
        id: The service's id of the stream.
        number: Counts the connection's streams, from 1; another one once it has gone on.
        ended_for: Why it ended; empty while it runs.
        broadcast: Where others can watch it; None where they cannot, or not yet.
    """

    def __init__(self, connection: Connection, number: int, stream_id: str) -> None:
        super().__init__()
        self.connection = connection
        self.number = number
        self.id = stream_id
        self.ended_for = ""
        self.broadcast: Broadcast | None = None
        self.aio = Aio(
            self,
            "interact",
            "frame",
            "frames",
            "snapshot",
            "last",
            "record",
            "mark",
            "extend",
            "end",
        )

    @property
    def _held(self) -> Connection:
        return self.connection

    @property
    def active(self) -> bool:
        """Whether it still runs."""
        return self.connection.stream is self

    @property
    def remaining(self) -> float | None:
        """Seconds until a limit or the budget ends it; None once it has ended.

        >>> stream.remaining
        134.2
        """
        ends = "stream_ends", "connection_ends", "budget_ends"
        return self.connection.left(*ends) if self.active else None

    @property
    def prompt(self) -> str:
        """The prompt that the world applied last."""
        return self.connection.applied_prompt

    def interact(self, prompt: str, *, timeout: float = INTERACT_SECONDS) -> str:
        """Steer the world with `prompt`; return the prompt that the service applied.

        Args:
            prompt: What shall be, as a state rather than an action: "it is snowing".
            timeout: Longest wait for the acknowledgement, in seconds.

        Raises:
            EmptyPromptError: The prompt has no words.
            NoStreamError: The stream has ended.
            AnswerTimeoutError: No acknowledgement in time.
        """
        self._check()
        return self.connection.request(wire.Interact, timeout=timeout, prompt=prompt).text

    def mark(self, text: str = "") -> float:
        """Mark this moment; return its time in seconds since the stream began.

        The mark is among the events of ``last()``, and of the recording where the service is ours.

        Args:
            text: Why, in a few words; at most 200 characters.

        Raises:
            UsageError: The text is too long.
            NoStreamError: The stream has ended.
        """
        self._check()
        return self.connection.request(wire.Mark, timeout=MARK_SECONDS, text=text).time

    @property
    def script(self) -> Script:
        """What was said to this stream so far, and when, to play it again; the last 150 s of it.

        >>> again = stream.script.play(ody.connect("other"))

        Raises:
            NoStreamError: The stream has ended; its recording's clip knows as much.
        """
        from odyssey_nb.kernel.script import of_stream

        self._check()
        happenings, ended = told(self)
        return of_stream(happenings, ended)

    def extend(self, *, always: bool = False, timeout: float = EXTEND_SECONDS) -> None:
        """Let the stream go on past its next limit, or `always`: that of itself or its connection.

        The service ends it there and another one takes its place: it begins from the last picture,
        where streams may start from an image, with the prompt that was applied last. This object
        and the Player go on with it, and `last` has an event "continued". A stream that a limit has
        ended goes on at once, as ``conn.stream``. Ending it is the end.

        >>> stream.extend()
        >>> stream = conn.start("a misty forest at dawn", extend=True)  # past every limit

        Args:
            always: Past every limit, not only the next.
            timeout: Longest wait where it goes on at once, in seconds.

        Raises:
            NotConnectedError: The connection is closed.
            StreamError, LimitError: The service refused.
        """
        self.connection.link.check_process()
        self.connection.request(wire.Continue, timeout=timeout, always=always)

    def go_on(self, number: int) -> None:
        """It goes on as the connection's stream `number`."""
        self.number = number
        self.broadcast = None

    def end(self) -> None:
        """End the stream; the connection stays. A stream that has ended is left alone."""
        if self.active or self._being_replaced:
            self.connection.request(wire.End, timeout=END_SECONDS)

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def __repr__(self) -> str:
        left = self.remaining
        until = "" if left is None else f", {clock(left)} left"
        state = f"live{until}" if self.active else "ended"
        return f"<Stream {self.number} of {self.connection.name!r}, {state}: {self.prompt!r}>"

    def _check(self) -> None:
        self.connection.link.check_process()
        if not self.connection.is_open:
            raise self.connection.closed()
        if self._being_replaced:
            raise ConnectionLostError(
                "the connection broke and is being repaired",
                hint="Wait a moment; then its stream goes on as conn.stream.",
            )
        if not self.active and self.ended_for == "connection_lost" and self.connection.stream:
            raise NoStreamError(
                "the connection broke, and another stream took this one's place",
                hint="Use conn.stream.",
            )
        if not self.active:
            why, _, hint = self.connection.problem.partition(". ")
            if why and self.connection.stream is None:
                raise NoStreamError(why, hint=hint or None)
            raise NoStreamError("this stream has ended")

    def _is_over(self) -> bool:
        return not self.active and self.ended_for in OVER and not self.connection.broke

    @property
    def _being_replaced(self) -> bool:
        lost, connection = self.ended_for == "connection_lost", self.connection
        return lost and connection.stream is None and connection.status == "reconnecting"
