"""The pictures of something that streams, as arrays: decoded here, and only when asked for."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from odyssey_nb.errors import AnswerTimeoutError
from odyssey_nb.kernel.link import GRACE
from odyssey_nb.wire import link as wire

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from odyssey_nb.kernel.held import Held
    from odyssey_nb.media.clip import Clip

FRAME_SECONDS = 10.0


class Pictures(ABC):
    """What a stream and a spectator have in common: `frame`, `snapshot` and `last`.

    Attributes:
        number: Counts what streams under one name, from 1.
    """

    number: int

    def __init__(self) -> None:
        self._decoding = threading.Lock()
        self._decoder: Any = None
        self._shown = 0  # the stream that was decoded last
        self._decoded = 0  # its picture
        self._newest: NDArray[np.uint8] | None = None

    @property
    @abstractmethod
    def _held(self) -> Held:
        """What is asked for them."""

    @abstractmethod
    def _check(self) -> None:
        """Raise what is wrong if there is nothing to ask for."""

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
            number = self.number
            if number != self._shown:  # numbers begin anew, and what was decoded is of the past
                self._shown, self._decoded, self._decoder = number, 0, None
            first = self._newest is None
            answer = self._held.request(
                wire.Fetch,
                timeout=timeout if first else 0,
                grace=GRACE if first else max(GRACE, timeout),
                stream=number,
                after=self._decoded,
            )
            pictures = [each for each in answer.pictures if each.stream == number]
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
        answer = self._held.request(
            wire.Fetch, timeout=0, grace=FRAME_SECONDS, seconds=float(seconds)
        )
        return Clip(
            [each for each in answer.pictures if each.stream == self.number],
            [each for each in answer.happenings if each.stream == self.number],
        )
