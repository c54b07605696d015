"""Plants a leak: makes a test build of the package, which forgets one release.

Python imports this module when its folder is on the path, and `FAULTS_PLANT` says what the sidecar
forgets. It is no part of the package; the suite must notice each of these.
"""

from __future__ import annotations

import os
import sys
import time


async def _nothing(*_: object) -> None:
    """Forget to do it."""


if "odyssey_nb.sidecar.process" in sys.orig_argv:
    match os.environ.get("FAULTS_PLANT"):
        case "goodbye":
            from odyssey_nb.sidecar.link import Link

            Link.leave = _nothing  # type: ignore[method-assign]
        case "lease":
            from odyssey_nb.sidecar import connection

            connection.drop_lease = lambda _: None
        case "process":
            os._exit = lambda _: time.sleep(60)  # type: ignore[assignment]
