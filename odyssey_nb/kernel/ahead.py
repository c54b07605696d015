"""What is made ready before it is asked for: the sidecar, and what a connection will need here."""

from __future__ import annotations

import importlib
import logging
import threading

from odyssey_nb.errors import OdysseyNBError
from odyssey_nb.kernel.runtime import get_manager, runtime

log = logging.getLogger(__name__)


def start_ahead() -> None:
    """Start the sidecar while the cell is written that connects; unused it ends after a minute."""
    threading.Thread(target=_start, name="odyssey-start", daemon=True).start()


def _start() -> None:
    try:
        get_manager().start_sidecar()
    except (OdysseyNBError, ImportError, OSError):  # said where it is used
        log.debug("no sidecar could be started ahead", exc_info=True)


def load_ahead() -> None:
    """Load what a connection needs in this process while its sidecar starts."""
    threading.Thread(target=_load, name="odyssey-load", daemon=True).start()


def _load() -> None:
    from odyssey_nb.kernel import release  # most of what there is to load

    try:
        if shows := runtime().shown_by:
            importlib.import_module(shows)
        release.load()
    except ImportError:  # said where it is used
        log.debug("not everything could be loaded ahead", exc_info=True)
