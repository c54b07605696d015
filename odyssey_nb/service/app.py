"""The service as an ASGI application, and the process that serves it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import uvicorn
from fastapi import Depends, FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect

from odyssey_nb.concurrency import Crew, background
from odyssey_nb.config import VERSION, default_data_dir
from odyssey_nb.discovery import ServiceAddress, publish, withdraw
from odyssey_nb.errors import SettingError
from odyssey_nb.private import write_private
from odyssey_nb.service.accounts import Accounts
from odyssey_nb.service.broadcasts import Broadcasts
from odyssey_nb.service.crowds import Crowds
from odyssey_nb.service.database import Database, sqlite_url
from odyssey_nb.service.desk import Desk, answer, identify
from odyssey_nb.service.directory import owned
from odyssey_nb.service.gate import Gate, keep_inspecting
from odyssey_nb.service.keys import LOCAL_KEY, KeyRing
from odyssey_nb.service.limits import Limits
from odyssey_nb.service.metrics import Metrics, RequestTimer, ServiceCollector
from odyssey_nb.service.openapi import describe
from odyssey_nb.service.patience import patient
from odyssey_nb.service.pool import StreamerPool
from odyssey_nb.service.rates import Rates
from odyssey_nb.service.readiness import Probe
from odyssey_nb.service.recordings import Recordings
from odyssey_nb.service.refusals import RefusedError
from odyssey_nb.service.routes import ROUTERS
from odyssey_nb.service.sessions import SHUTDOWN, SessionTable
from odyssey_nb.service.signaling import Switchboard, keep_sweeping
from odyssey_nb.service.simulations import SimulationQueue
from odyssey_nb.service.simulators import Simulators
from odyssey_nb.service.storage import Storage
from odyssey_nb.service.stun import stun_responder
from odyssey_nb.service.turn import relay_servers
from odyssey_nb.service.usage import Ledger
from odyssey_nb.service.worlds.base import find_world, takes_images
from odyssey_nb.wire.codec import encode_body
from odyssey_nb.wire.control import UsageRefusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

log = logging.getLogger(__name__)

WEBSOCKET_BYTES = 64 * 1024 * 1024  # protocol section 5.3: a 25 MiB image as base64
SWEEP_SECONDS = 10.0
INSPECTION_SECONDS = 5.0  # also how much of a stream's time a killed service may lose count of
CLOSING_SECONDS = 3.0  # what sessions get to end when the service stops
LAST_SECONDS = 0.3  # and what they left to do then


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceOptions:
    """What ``odyssey-nb serve`` takes; `stop_when_unused` in seconds, 0 never."""

    host: str = "127.0.0.1"
    port: int = 8707
    data_dir: Path = field(default_factory=default_data_dir)
    api_keys: tuple[str, ...] = ()
    streamers: int = 5
    world: str = "landscape"
    limits: Limits = field(default_factory=Limits)
    ready_file: Path | None = None
    stop_when_unused: float = 0
    close_on_stream_limit: bool = False  # whether a stream's limit ends its connection too
    private_script_urls: bool = False  # whether scripts may be fetched from private addresses
    turn: tuple[str, ...] = ()  # URLs of TURN servers
    turn_secret: str = field(default="", repr=False)  # that they share with us
    database: str = ""  # a SQLAlchemy URL; empty for SQLite in the data directory


def create_app(
    options: ServiceOptions,
    database: Database,
    *,
    secret: str = "",
    clock: Callable[[], float] = time.monotonic,
) -> FastAPI:
    """Return the application; it has its own streamers while it runs."""
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        crew = Crew()
        keys = KeyRing(options.data_dir)
        accounts = Accounts(database, options.limits)
        await asyncio.to_thread(_learn_keys, accounts, keys, options)
        ledger = Ledger(database)
        gate = Gate(accounts, ledger)
        storage = Storage(options.data_dir / "media", keys.secret)
        lease = options.limits.simulation_lease_seconds
        simulations = SimulationQueue(database, lease_seconds=lease)
        segments = Storage(options.data_dir / "broadcasts", keys.secret)
        async with (
            Recordings.open(database, storage, options.limits) as recordings,
            stun_responder(options.host) as stun_port,
            Broadcasts.open(segments) as broadcasts,
            StreamerPool.open() as pool,
            Simulators.open(
                simulations, recordings, world=options.world, silence=lease
            ) as simulators,
        ):
            crowds = Crowds(broadcasts, crew)
            switchboard = Switchboard(crew, pool, recordings, gate, broadcasts)
            table = SessionTable(
                options.limits,
                streamers=options.streamers,
                clock=clock,
                on_end=switchboard.end,
                close_on_stream_limit=options.close_on_stream_limit,
            )
            metrics.read_from(
                ServiceCollector(
                    table,
                    switchboard.totals,
                    recordings,
                    simulations,
                    broadcasts,
                    streamers=options.streamers,
                )
            )
            app.state.desk = Desk(
                keys=keys,
                accounts=accounts,
                ledger=ledger,
                gate=gate,
                rates=Rates(options.limits.requests_per_second),
                limits=options.limits,
                table=table,
                switchboard=switchboard,
                recordings=recordings,
                broadcasts=broadcasts,
                crowds=crowds,
                simulators=simulators,
                private_script_urls=options.private_script_urls,
                metrics=metrics,
                probe=Probe(table, pool, database, storage),
                world=options.world,
                takes_images=takes_images(find_world(options.world)),
                stun_port=stun_port,
                relays=lambda: relay_servers(options.turn, options.turn_secret),
                secret=secret,
                pid=os.getpid(),
            )

            async def say_goodbye() -> None:
                seconds = LAST_SECONDS if table.closed else CLOSING_SECONDS
                crowds.close()
                table.close(SHUTDOWN)
                pool.retire()
                await crew.settle(seconds)

            app.state.say_goodbye = say_goodbye
            every = min(SWEEP_SECONDS, options.limits.shortest_clock / 4)
            inspecting = keep_inspecting(
                gate, table, switchboard, every=min(INSPECTION_SECONDS, every)
            )
            async with background(keep_sweeping(table, every=every), inspecting):
                yield
            await say_goodbye()

    app = FastAPI(
        title="Odyssey, served locally",
        version=VERSION,
        lifespan=lifespan,
        dependencies=[Depends(identify)],
        docs_url=None,  # FastAPI's pages load their scripts from elsewhere
        redoc_url=None,
    )
    app.add_exception_handler(RefusedError, _refuse)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_middleware(RequestTimer, metrics=metrics)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=["Location", "Retry-After"],
        max_age=3600,
    )
    for router in ROUTERS:
        app.include_router(router)
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]
    return app


def _learn_keys(accounts: Accounts, keys: KeyRing, options: ServiceOptions) -> None:
    accounts.take_over(options.data_dir)
    accounts.remember(keys.local_key(), "local")
    for key in options.api_keys:
        accounts.remember(key)


async def _gone(_request: Request, _error: Exception) -> Response:
    """Whoever hung up in the middle of a request gets no answer; that is no failure of ours."""
    return Response(status_code=400)


async def _refuse(_request: Request, error: Exception) -> Response:
    """Answer what a limit refuses with 429."""
    assert isinstance(error, RefusedError)
    refusal = answer(UsageRefusal(detail=error.problem), 429)
    if error.retry_after is not None:
        refusal.headers["Retry-After"] = str(error.retry_after)
    return refusal


def serve(options: ServiceOptions) -> None:
    """Serve until a signal, or until unused for long enough.

    Raises:
        SettingError: The address is taken or cannot be used, the data directory belongs to another
            service, or the database cannot be opened.
        UnknownWorldError: There is no such world.
    """
    find_world(options.world)
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    # Told that it is TCP, asyncio does without Nagle, who holds back an answer's end for 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((options.host, options.port))
    except (OSError, OverflowError) as error:
        listener.close()
        why = error.strerror if isinstance(error, OSError) else "no such port"
        raise SettingError(
            f"cannot listen on {options.host}:{options.port} ({why})",
            hint="Choose another --port; 0 takes any free one.",
        ) from error
    url = options.database or sqlite_url(options.data_dir)
    os.umask(0o077)  # whatever this process and its children write is for this user alone
    with listener, owned(options.data_dir), Database.open(url) as database, database.owned():
        asyncio.run(_serve(options, listener, database))


async def _serve(options: ServiceOptions, listener: socket.socket, database: Database) -> None:
    secret = secrets.token_hex(16)
    app = create_app(options, database, secret=secret)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,  # tokens travel in query strings
        http=patient(options.limits.request_seconds),
        ws="websockets-sansio",
        ws_max_size=WEBSOCKET_BYTES,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    host = f"[{options.host}]" if ":" in options.host else options.host
    url = f"http://{host}:{listener.getsockname()[1]}"
    told = asyncio.Event()  # to stop
    address = ServiceAddress(
        url=url, pid=os.getpid(), secret=secret, data_dir=str(options.data_dir.resolve())
    )

    async def announce() -> None:
        while not server.started:  # noqa: ASYNC110 - uvicorn offers nothing to wait on
            await asyncio.sleep(0.01)
        try:
            await asyncio.to_thread(publish, address)
        except (OSError, SettingError) as error:
            log.warning("notebooks will not find this service by themselves: %s", error)
        if options.ready_file is not None:
            write_private(
                options.ready_file, encode_body({"url": url, "pid": os.getpid()}).decode()
            )
        print(f"Odyssey service at {url} (world: {options.world})")  # noqa: T201
        print(f"The key for its page is in {options.data_dir / LOCAL_KEY}", flush=True)  # noqa: T201

    async def stop_when_unused() -> None:
        if not options.stop_when_unused:
            return
        while True:
            await asyncio.sleep(min(5.0, options.stop_when_unused / 4))
            desk = getattr(app.state, "desk", None)
            if desk is None or len(desk.table) or desk.simulators.workers:
                continue
            if time.monotonic() - desk.table.last_busy >= options.stop_when_unused:
                told.set()
                return

    async def stop_when_told() -> None:
        """Let clients hear why before uvicorn, which closes every socket with 1012, stops."""
        await told.wait()
        say_goodbye = getattr(app.state, "say_goodbye", None)
        if say_goodbye is not None:
            await say_goodbye()
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, told.set)
    try:
        async with background(announce(), stop_when_unused(), stop_when_told()):
            await server._serve([listener])
    finally:
        with contextlib.suppress(OSError, SettingError):
            withdraw(address)
