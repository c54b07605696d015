"""What Prometheus reads at ``/metrics``.

Most is asked of the live objects at the moment of a scrape, so that nothing is counted twice. No
label names an account, a session or a stream.

=================================================  =============================================
``odyssey_streamers``                              sessions that there may be at a time
``odyssey_sessions{state}``                        sessions that hold a streamer now
``odyssey_sessions_ended_total{reason}``           sessions that have ended
``odyssey_streams``                                streams that run now
``odyssey_stream_bitrate``                         bit/s that these are encoded for together
``odyssey_stream_pictures_per_second``             their picture rates together
``odyssey_streams_ended_total{reason}``            streams that have ended
``odyssey_spectators``                             spectators of all broadcasts now
``odyssey_pictures_total``                         pictures of ended streams
``odyssey_encodes_total``                          their encodings: as many, whoever watched
``odyssey_recordings{state}``                      streams, by what became of their recording
``odyssey_simulations{status}``                    simulations, by how far they have come
``odyssey_request_seconds{method,route,status}``   how long HTTP requests took
``process_…``                                      memory, processor and descriptors of this process
=================================================  =============================================

Counters begin at 0 with the process.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from odyssey_nb.service.sessions import SessionState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping

    from prometheus_client import Metric

    from odyssey_nb.service.broadcasts import Broadcasts
    from odyssey_nb.service.recordings import Recordings
    from odyssey_nb.service.sessions import SessionTable
    from odyssey_nb.service.simulations import SimulationQueue

    # The ASGI specification's
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Application = Callable[[Message, Receive, Send], Awaitable[None]]

BUCKETS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)  # seconds
NO_ROUTE = "none"  # for paths that the API does not have, of which there are infinitely many


@dataclass(slots=True)
class StreamTotals:
    """What the streams of this process came to, in numbers."""

    ended: Counter[str] = field(default_factory=Counter)  # by reason
    pictures: int = 0
    encodes: int = 0


class ServiceCollector(Collector):
    """Reads the live objects; called on a thread, since it asks the database."""

    def __init__(
        self,
        table: SessionTable,
        totals: StreamTotals,
        recordings: Recordings,
        simulations: SimulationQueue,
        broadcasts: Broadcasts,
        *,
        streamers: int,
    ) -> None:
        self._table = table
        self._totals = totals
        self._recordings = recordings
        self._simulations = simulations
        self._broadcasts = broadcasts
        self._streamers = streamers

    def collect(self) -> Iterable[Metric]:
        """Yield every metric with its value now."""
        live, totals = self._table.all(), self._totals
        states = Counter({str(state): 0 for state in SessionState})
        states.update(str(session.state) for session in live)
        running = [session for session in live if session.stream_id is not None]
        yield GaugeMetricFamily(
            "odyssey_streamers", "Sessions that there may be at a time.", self._streamers
        )
        yield _labelled(
            GaugeMetricFamily(
                "odyssey_sessions", "Sessions that hold a streamer.", labels=["state"]
            ),
            states,
        )
        yield _labelled(
            CounterMetricFamily(
                "odyssey_sessions_ended", "Sessions that have ended.", labels=["reason"]
            ),
            self._table.endings,
        )
        yield GaugeMetricFamily("odyssey_streams", "Streams that run.", len(running))
        yield GaugeMetricFamily(
            "odyssey_stream_bitrate",
            "Bits per second that running streams are encoded for, together.",
            sum(session.bitrate for session in running),
        )
        yield GaugeMetricFamily(
            "odyssey_stream_pictures_per_second",
            "Picture rates of running streams, together.",
            sum(session.pictures_per_second for session in running),
        )
        yield GaugeMetricFamily(
            "odyssey_spectators", "Spectators of all broadcasts.", self._broadcasts.watching
        )
        yield _labelled(
            CounterMetricFamily(
                "odyssey_streams_ended", "Streams that have ended.", labels=["reason"]
            ),
            totals.ended,
        )
        yield CounterMetricFamily("odyssey_pictures", "Pictures of ended streams.", totals.pictures)
        yield CounterMetricFamily("odyssey_encodes", "Encodings of these pictures.", totals.encodes)
        yield _labelled(
            GaugeMetricFamily(
                "odyssey_recordings", "Streams, by their recording.", labels=["state"]
            ),
            self._recordings.count(),
        )
        yield _labelled(
            GaugeMetricFamily("odyssey_simulations", "Simulations.", labels=["status"]),
            self._simulations.count(),
        )


Family = TypeVar("Family", GaugeMetricFamily, CounterMetricFamily)


def _labelled(family: Family, values: Mapping[str, int]) -> Family:
    for label, value in dict(values).items():
        family.add_metric([label], value)
    return family


class Metrics:
    """One application's metrics."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self.requests = Histogram(
            "odyssey_request_seconds",
            "How long HTTP requests took.",
            ["method", "route", "status"],
            buckets=BUCKETS,
            registry=self._registry,
        )

    def read_from(self, collector: Collector) -> None:
        """Ask `collector` too, at each scrape."""
        self._registry.register(collector)

    def text(self) -> bytes:
        """Return everything in Prometheus' text format; it blocks."""
        return generate_latest(self._registry)


class RequestTimer:
    """Middleware that times HTTP requests by the template of their route."""

    def __init__(self, app: Application, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve a request, and note how long it took."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500  # what a client sees of a request that fails before its answer

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began = time.monotonic()
        try:
            await self._app(scope, receive, noting)
        finally:
            route = getattr(scope.get("route"), "path", NO_ROUTE)
            method = scope["method"] if route != NO_ROUTE else NO_ROUTE
            self._metrics.requests.labels(method, route, str(status)).observe(
                time.monotonic() - began
            )
