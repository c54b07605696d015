"""Streams that outlast what ends them: a connection that broke, or a limit that was reached."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from math import inf
from typing import TYPE_CHECKING

from odyssey_nb import errors
from odyssey_nb.client.session import START_SECONDS
from odyssey_nb.client.streams import COMMAND_SECONDS, Streams
from odyssey_nb.media.still import still
from odyssey_nb.wire import stream as wire
from odyssey_nb.wire.status import Extension, StreamState

if TYPE_CHECKING:
    from collections.abc import Callable

    from odyssey_nb.wire.link import Event, Picture

STREAM_LIMIT = "session_timeout"  # after which the connection usually stays
JUST_NOW_SECONDS = 2.0


class LastingStreams(Streams):
    """Streams of which another one can take the place, as like the one before as can be."""

    def __init__(
        self,
        name: str,
        on_event: Callable[[Event], None],
        on_picture: Callable[[Picture], None],
        recall: Callable[[], list[Picture]],
    ) -> None:
        super().__init__(name, on_event, on_picture)
        self._recall = recall
        self._again = False  # the stream that is over is to be started once more
        self._limit = asyncio.Event()  # it has reached its limit, and is to go on
        self._went_on = -inf  # when one did last

    @property
    @abstractmethod
    def _is_up(self) -> bool:
        """Whether there is a session."""

    async def _successor(self) -> wire.InteractiveStreamStart:
        """Return what starts the newest stream once more, from its last picture where one may."""
        prompt, portrait = self._applied, self._portrait
        pictures = self._recall() if self.takes_images else []
        image = None
        if pictures:
            image = await asyncio.to_thread(still, pictures, portrait=portrait)
        return wire.InteractiveStreamStart(
            prompt=prompt,
            portrait=portrait,
            input_image_base64=image,
            broadcast=self._broadcast is not None,
            bypass_vlm_expansion=self._bypass,
        )

    async def _begin_again(self) -> None:
        """Start the stream that was lost, or reached a limit, once more."""
        start = await self._successor()
        if not self._again:
            return  # it was ended meanwhile
        if self._continues and self.extends == Extension.ONCE:
            self.extends = Extension.NONE
        try:
            await self._begin(start, timeout=START_SECONDS)
        except errors.OdysseyNBError as error:
            if not self._is_up:
                return  # lost as well; the next one will start it
            self._continues, self.extends = "", Extension.NONE
            self._tell_stream(reason="not_restarted", message=error.one_line())
        if self._continues:
            self._continues, self._went_on = "", asyncio.get_running_loop().time()
        wanted, self._again = self._again, False
        if not wanted:
            await super().end()

    async def _keep_going_on(self) -> None:
        """Start another stream whenever one reached its limit and is to go on."""
        while True:
            await self._limit.wait()
            self._limit.clear()
            if self._again and not self._lost.done():
                await self._begin_again()

    def _goes_on(self) -> bool:
        # A service may end the connection too, a moment after a stream has reached its limit.
        recent = asyncio.get_running_loop().time() - self._went_on < JUST_NOW_SECONDS
        return bool(self.extends) or bool(self._continues) or recent

    def _go_on(self, reason: str) -> bool:
        if not self.extends or self._lost.done():
            return False
        self._again = True
        if reason == STREAM_LIMIT:  # at any other the session is about to end
            self._limit.set()
        return True

    async def extend(self, *, always: bool = False, timeout: float = START_SECONDS) -> None:  # noqa: ASYNC109
        """Let the stream go on past its next limit, or `always`, as another one.

        That is of the prompt that was applied last, and starts from the last picture where streams
        may start from an image. A stream that has ended goes on at once; one that is told to end
        does not. The limit of the connection is one too: then another connection takes its place.

        Raises:
            NoStreamError: There has been no stream yet.
            StreamError, LimitError: The service refused.
        """
        wanted = Extension.ALWAYS if always else Extension.ONCE
        if self._again or self.stream_state != StreamState.NONE:
            self._extend(wanted)
            return
        if not self._applied:
            raise errors.NoStreamError("there has been no stream that could go on")
        self._check()
        start = await self._successor()
        self._continues = "its end"
        try:
            await self._begin(start, timeout=timeout)
        except BaseException:
            self._continues = ""
            self._tell_stream(reason="not_started")
            raise
        self._continues = ""
        self._extend(Extension.ALWAYS if always else Extension.NONE)

    async def end(self, *, timeout: float = COMMAND_SECONDS) -> None:  # noqa: ASYNC109
        """End the running stream, also one that is being repaired; without one, do nothing."""
        self._again = False
        if self._continues:
            self._continues, self.extends = "", Extension.NONE
            self._tell_stream(reason="ended")
        self._extend(Extension.NONE)
        if self._is_up or self._lost.done():
            await super().end(timeout=timeout)
