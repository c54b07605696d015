"""Signaling: relays between a client's WebSocket and its streamer process.

A session has one `Conversation`, from its first socket to its end. Sockets may come and go within
it: the newest wins, and one that comes back in time goes on with the same peer (protocol section
3.7).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from fastapi.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from odyssey_nb.service.metrics import StreamTotals
from odyssey_nb.service.pool import StreamerLostError
from odyssey_nb.service.sessions import LEFT, STREAMER_LOST, Ending, Session, SessionTable
from odyssey_nb.wire.codec import MalformedMessageError
from odyssey_nb.wire.signaling import (
    CloseCode,
    FromServer,
    SignalingProblem,
    from_client,
    from_server,
)
from odyssey_nb.wire.streamer import EndStream, Negotiate

if TYPE_CHECKING:
    from odyssey_nb.concurrency import Crew
    from odyssey_nb.service.broadcasts import Broadcasts
    from odyssey_nb.service.gate import Gate
    from odyssey_nb.service.pool import Streamer, StreamerPool
    from odyssey_nb.service.recordings import Recordings
    from odyssey_nb.wire.streamer import AskStart, FromControl

log = logging.getLogger(__name__)

SEND_SECONDS = 5.0  # longest that a client may take to accept a message
STREAM_END_SECONDS = 1.0  # longest wait for a stream to end before its session does
GOODBYE_SECONDS = 0.5  # what a client that was told why gets to close by itself
MIN_IDLE_SWEEP = 0.1
MOST_EARLY = 16  # messages kept for a streamer that is still getting warm


class Conversation:
    """One session's socket and streamer."""

    def __init__(
        self,
        session: Session,
        table: SessionTable,
        pool: StreamerPool,
        recordings: Recordings,
        gate: Gate,
        broadcasts: Broadcasts,
        crew: Crew,
        totals: StreamTotals,
    ) -> None:
        self.session = session
        self._table = table
        self._pool = pool
        self._recordings = recordings
        self._gate = gate
        self._broadcasts = broadcasts
        self._crew = crew
        self._totals = totals
        self._recording: tuple[str, asyncio.Task[None]] | None = None  # stream, its entry
        self._ended_for = STREAMER_LOST.reason
        self._socket: WebSocket | None = None
        self._streamer: Streamer | None = None
        self._unsent: list[FromServer] = []
        self._early: list[FromControl] = []
        self._stream_over = asyncio.Event()
        self._gone = asyncio.Event()  # set while a socket was there and is not
        self._told = False  # that the session is over

    async def relay(self, negotiate: Negotiate) -> None:
        """Carry what the streamer says, for the whole session; owned by the switchboard."""
        try:
            self._streamer = streamer = await self._pool.take()
            streamer.send(negotiate)
            early, self._early = self._early, []
            for each in early:
                streamer.send(each)
            while True:
                message = await streamer.receive()
                match message.type:
                    case "offer" | "ice_candidate":
                        await self._tell(message)
                    case "peer_connected":
                        self._table.connected(self.session)
                    case "peer_lost":
                        self._table.peer_lost(self.session)
                    case "ask_start":
                        self._crew.start(self._decide(streamer, message))
                    case "stream_began":
                        self._stream_over.clear()
                        self._table.stream_began(self.session, message.stream_id, message.prompt)
                        entry = self._recordings.began(
                            message.stream_id,
                            account=self.session.account,
                            session_id=self.session.id,
                            width=message.width,
                            height=message.height,
                        )
                        self._recording = message.stream_id, self._crew.start(entry)
                    case "stream_steered":
                        self._table.steered(self.session, message.prompt)
                    case "stream_paced":
                        self._table.paced(
                            self.session, message.bitrate, message.pictures_per_second
                        )
                    case "stream_over":
                        self._stream_over.set()
                        self._table.stream_over(self.session, message.reason)
                        self._totals.ended[message.reason] += 1
                        self._totals.pictures += message.pictures_total
                        self._totals.encodes += message.encodes_total
                        self._finish_stream(message.reason)
                        log.info(
                            "stream %s over: %s, %d pictures, %d encodes",
                            message.stream_id,
                            message.reason,
                            message.pictures_total,
                            message.encodes_total,
                        )
                    case "broadcast_began" | "spectator_answer" | "spectator_gone":
                        self._broadcasts.take(message, streamer.send)
        except StreamerLostError:
            self._table.end(self.session.id, STREAMER_LOST)
        except Exception:
            log.exception("the relay of a session failed")
            self._table.end(self.session.id, STREAMER_LOST)
        finally:
            self._stream_over.set()
            if self._streamer is not None:
                gone = self._pool.give_back(self._streamer)
                self._finish_stream(self._ended_for, gone)

    async def _decide(self, streamer: Streamer, ask: AskStart) -> None:
        streamer.send(await self._gate.decide(self.session, self._table, ask))

    def command(self, command: EndStream) -> None:
        """Have the streamer, if there is one yet, end its stream."""
        if self._streamer is not None:
            self._streamer.send(command)

    def _finish_stream(self, reason: str, *writers: asyncio.Task[None]) -> None:
        """End a broadcast, and make the recording whole once it has its entry and no `writers`."""
        if self._recording is None:
            return
        (stream_id, entry), self._recording = self._recording, None
        self._broadcasts.over(stream_id, *writers)

        async def finish() -> None:
            await asyncio.wait([entry, *writers])
            await self._recordings.over(stream_id, reason)

        self._crew.start(finish())

    async def attend(self, socket: WebSocket) -> None:
        """Serve `socket` until it closes or a newer one takes over."""
        older, self._socket = self._socket, socket
        self._gone.clear()
        if older is not None:
            await _close(older, CloseCode.REPLACED, "replaced by a newer socket")
        unsent, self._unsent = self._unsent, []
        for message in unsent:
            await self._tell(message)
        code = await self._listen(socket)
        if self._socket is not socket:
            return
        self._socket = None
        self._gone.set()
        if code == CloseCode.NORMAL:
            self._table.end(self.session.id, LEFT)
        else:
            self._table.socket_lost(self.session)

    async def _listen(self, socket: WebSocket) -> int:
        while True:
            try:
                message = await socket.receive()
            except (WebSocketDisconnect, RuntimeError):
                return 1006
            if message["type"] == "websocket.disconnect":
                return int(message.get("code") or 1005)
            if self._socket is not socket:
                return CloseCode.REPLACED
            self._table.heard(self.session)
            self._take(message.get("text") or message.get("bytes") or "")
            del message  # it may hold an image
            if self._streamer is not None:
                await self._streamer.drain()

    def _take(self, text: str | bytes) -> None:
        try:
            message = from_client.from_json(text)
        except MalformedMessageError as error:
            log.info("ignored a signaling message: %s", error)
            return
        if message is None or message.type == "keepalive":
            return
        if message.type == "client_disconnecting":
            self._table.end(self.session.id, LEFT)
        elif self._streamer is not None:
            self._streamer.send(message)
        elif len(self._early) < MOST_EARLY and not self._is_second_start(message):
            self._early.append(message)

    def _is_second_start(self, message: FromControl) -> bool:
        """Return whether `message` would be refused anyway; it may be large."""
        start = "interactive_stream_start"
        return message.type == start and any(each.type == start for each in self._early)

    async def _tell(self, message: FromServer) -> None:
        if self._told:
            return
        if self._socket is None:
            self._unsent.append(message)  # at most an offer and its candidates
            return
        with contextlib.suppress(RuntimeError, WebSocketDisconnect, TimeoutError, OSError):
            async with asyncio.timeout(SEND_SECONDS):
                await self._socket.send_text(from_server.to_json(message))

    async def finish(self, ending: Ending) -> None:
        """Tell the client and close its socket."""
        self._ended_for = ending.reason
        if ending.told and self._streamer is not None and self.session.stream_id is not None:
            # What waits on the stream is answered before the socket goes (section 3.6).
            self._streamer.send(EndStream(reason=ending.reason, message=ending.told))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STREAM_END_SECONDS):
                    await self._stream_over.wait()
        if ending.told and self._socket is not None:
            await self._tell(SignalingProblem(reason=ending.told))
            self._told = True
            # The JavaScript SDK closes when it is told. Closed by us meanwhile, it would report a
            # second fatal error, and tear down the connection that an application makes on the
            # first.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GOODBYE_SECONDS):
                    await self._gone.wait()
        socket, self._socket = self._socket, None
        if socket is not None:
            await _close(socket, ending.code, ending.reason)


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    if socket.application_state != WebSocketState.DISCONNECTED:
        with contextlib.suppress(RuntimeError, WebSocketDisconnect, TimeoutError, OSError):
            async with asyncio.timeout(SEND_SECONDS):
                await socket.close(code, reason)


class Switchboard:
    """All conversations, by session."""

    def __init__(
        self,
        crew: Crew,
        pool: StreamerPool,
        recordings: Recordings,
        gate: Gate,
        broadcasts: Broadcasts,
    ) -> None:
        self._crew = crew
        self._pool = pool
        self._recordings = recordings
        self.totals = StreamTotals()
        self._gate = gate
        self._broadcasts = broadcasts
        self._conversations: dict[str, tuple[Conversation, asyncio.Task[None]]] = {}

    def conversation(
        self, session: Session, table: SessionTable, negotiate: Negotiate
    ) -> Conversation:
        """Return the session's conversation; the first call begins it."""
        if session.id not in self._conversations:
            conversation = Conversation(
                session, table, self._pool, self._recordings, self._gate, self._broadcasts,
                self._crew, self.totals,
            )  # fmt: skip
            relay = self._crew.start(conversation.relay(negotiate))
            self._conversations[session.id] = conversation, relay
        return self._conversations[session.id][0]

    def command(self, session: Session, command: EndStream) -> None:
        """Have the session's stream end, if there is one."""
        if session.id in self._conversations:
            self._conversations[session.id][0].command(command)

    def end(self, session: Session, ending: Ending) -> None:
        """End the session's conversation; process and socket follow in their own time."""
        found = self._conversations.pop(session.id, None)
        if found is not None:
            self._crew.start(self._finish(*found, ending))

    async def _finish(
        self, conversation: Conversation, relay: asyncio.Task[None], ending: Ending
    ) -> None:
        try:
            await conversation.finish(ending)
        finally:
            relay.cancel()


async def keep_sweeping(table: SessionTable, *, every: float) -> None:
    """Let the clocks act, every so many seconds."""
    while True:
        await asyncio.sleep(max(MIN_IDLE_SWEEP, every))
        table.sweep()
