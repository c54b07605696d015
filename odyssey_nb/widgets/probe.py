"""A widget without a view: the page that makes its model says what its browser can do."""

from __future__ import annotations

import threading
import time
from typing import Any

import anywidget

from odyssey_nb.widgets.base import answer_while_busy, module


class Probe(anywidget.AnyWidget):
    """Asks whichever page is open; nothing of it is displayed, so nothing is saved."""

    _esm = module("mp4.js", "decoders.js", "probe.js")

    def __init__(self) -> None:
        self._asked = time.monotonic()
        self._told: dict[str, Any] | None = None
        self._answered = threading.Event()
        super().__init__()
        answer_while_busy(self)
        self.on_msg(self._on_message)

    def wait(self, seconds: float) -> dict[str, Any] | None:
        """Return what the first page said, and after how many `seconds`; None if none has."""
        self._answered.wait(seconds)
        return self._told

    def _on_message(self, _widget: object, content: dict[str, Any], _buffers: list[bytes]) -> None:
        if content.get("type") == "abilities" and self._told is None:
            self._told = content | {"seconds": time.monotonic() - self._asked}
            self._answered.set()
