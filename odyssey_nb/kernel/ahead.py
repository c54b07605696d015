"""Loads what a connection will need while its sidecar starts, when nothing here computes."""

from __future__ import annotations

import importlib
import logging
import threading

from odyssey_nb.kernel import release
from odyssey_nb.kernel.runtime import runtime

log = logging.getLogger(__name__)


def load_ahead() -> None:
    """Load it on a thread of its own."""
    threading.Thread(target=_load, name="odyssey-load", daemon=True).start()


def _load() -> None:
    try:
        if shows := runtime().shown_by:
            importlib.import_module(shows)
        release.load()
    except ImportError:  # said where it is used
        log.debug("not everything could be loaded ahead", exc_info=True)
