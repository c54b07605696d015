"""A stream as cells see it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from odyssey_nb.errors import AnswerTimeoutError, NoStreamError, NotConnectedError
from odyssey_nb.kernel.aio import Aio
from odyssey_nb.kernel.link import GRACE
from odyssey_nb.wire import link as wire

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from odyssey_nb.kernel.connection import Connection
    from odyssey_nb.media.clip import Clip

INTERACT_SECONDS = 10.0
FRAME_SECONDS = 10.0
END_SECONDS = 10.0
MARK_SECONDS = 5.0


class Stream:
    """One run of a world. In a notebook, naming it in a cell shows the live Player.

    Attributes:
        id: The service's id of the stream.
        number: Counts the connection's streams, from 1.
    """

    def __init__(self, connection: Connection, number: int, stream_id: str) -> None:
        self.connection = connection
        self.number = number
        self.id = stream_id
        self.aio = Aio(self, "interact", "frame", "snapshot", "last", "mark", "end")
        self._decoding = threading.Lock()
        self._decoder: Any = None
        self._decoded = 0
        self._newest: NDArray[np.uint8] | None = None

    @property
    def active(self) -> bool:
        """Whether it still runs."""
        return self.connection.stream is self

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

    def frame(self, timeout: float = FRAME_SECONDS) -> NDArray[np.uint8]:
        """Return the newest picture.

        Waits only before the first one; called again before the next picture, it returns the same.

        Args:
            timeout: Longest wait for a first picture, in seconds.

        Returns:
            Shape (height, width, 3), dtype uint8, RGB, row 0 at the top; read-only.

        Raises:
            NoStreamError: The stream has ended.
            AnswerTimeoutError: No picture came in time.
        """
        from odyssey_nb.media.h264 import Decoder

        with self._decoding:
            self._check()
            first = self._newest is None
            answer = self.connection.request(
                wire.Fetch,
                timeout=timeout if first else 0,
                grace=GRACE if first else max(GRACE, timeout),
                stream=self.number,
                after=self._decoded,
            )
            pictures = [each for each in answer.pictures if each.stream == self.number]
            decoded = None
            for picture in pictures:
                if picture.key or self._decoder is None:
                    self._decoder = Decoder()
                decoded = self._decoder.decode(picture.data) or decoded
                self._decoded = picture.seq
            if decoded is not None:
                self._newest = decoded.to_ndarray(format="rgb24")
                self._newest.flags.writeable = False
            if self._newest is None:
                raise AnswerTimeoutError(f"no picture came within {timeout:g} s")
            return self._newest

    def snapshot(self) -> Image.Image:
        """Return the newest picture as a PIL image."""
        from PIL import Image

        return Image.fromarray(self.frame())

    def last(self, seconds: float = 5.0) -> Clip:
        """Return the past `seconds`, from the keyframe before them; decoded when looked at.

        Raises:
            NoStreamError: The stream has ended.
        """
        from odyssey_nb.media.clip import Clip

        if not seconds > 0:
            raise ValueError(f"seconds must be positive, not {seconds!r}")
        self._check()
        answer = self.connection.request(
            wire.Fetch, timeout=0, grace=FRAME_SECONDS, seconds=float(seconds)
        )
        return Clip(
            [each for each in answer.pictures if each.stream == self.number],
            [each for each in answer.happenings if each.stream == self.number],
        )

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

    def end(self) -> None:
        """End the stream; the connection stays. A stream that has ended is left alone."""
        if self.active:
            self.connection.request(wire.End, timeout=END_SECONDS)

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def __repr__(self) -> str:
        state = "live" if self.active else "ended"
        return f"<Stream {self.number} of {self.connection.name!r}, {state}: {self.prompt!r}>"

    def _check(self) -> None:
        self.connection.link.check_process()
        if not self.connection.is_open:
            raise NotConnectedError(f"the connection {self.connection.name!r} is closed")
        if not self.active:
            why, _, hint = self.connection.problem.partition(". ")
            if why and self.connection.stream is None:
                raise NoStreamError(why, hint=hint or None)
            raise NoStreamError("this stream has ended")
