"""The HTTP API, one file for each noun (protocol section 2)."""

from odyssey_nb.service.routes import (
    access,
    broadcast,
    crowd,
    dashboard,
    operations,
    recordings,
    sessions,
    simulations,
    usage,
    watch,
)

ROUTERS = (
    access.router,
    sessions.router,
    crowd.router,
    broadcast.router,
    watch.router,
    recordings.router,
    simulations.router,
    usage.router,
    operations.router,
    dashboard.router,
)
