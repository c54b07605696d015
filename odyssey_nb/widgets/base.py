"""What our widgets share: how their JavaScript is joined and their messages are routed."""

from __future__ import annotations

import logging
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from odyssey_nb.errors import OdysseyNBError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipywidgets import Widget

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"

_IMPORT = re.compile(r"^import .*? from \"\.{1,2}/[^\"]+\";\n", re.MULTILINE | re.DOTALL)
_EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)


def module(*names: str) -> str:
    """Return the named files of ``static/`` as the one module that anywidget takes.

    Helpers come first; imports between the files and their ``export`` words go, the last file's
    ``export default`` stays. Names are unique over all files.
    """
    parts = [(STATIC / name).read_text() for name in names]
    return "\n".join(_EXPORT.sub("", _IMPORT.sub("", part)) for part in parts)


def styles(*names: str) -> str:
    """Return the named files of ``static/`` as one style sheet."""
    return "\n".join((STATIC / name).read_text() for name in names)


def answer_while_busy(widget: Widget) -> None:
    """Let messages of `widget` arrive while a cell computes.

    ipykernel 7.4 sends a comm's messages to the shell that the comm last spoke with, the main one;
    the front end asks for a subshell, and this keeps its choice. Elsewhere it changes nothing.
    """
    comm: Any = widget.comm
    if comm is not None and hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda _data, default: default


def answer_command(
    widget: Widget,
    content: dict[str, Any],
    work: Callable[[], tuple[dict[str, Any], list[bytes]]],
) -> None:
    """Do what a view asks for on a thread of its own, since nothing that hears messages may wait.

    The answer carries the fields and buffers that `work` returns, or its error.
    """
    kind = content.get("type")

    def run() -> None:
        answer = {"type": "answer", "id": content.get("id"), "ok": True, "error": "", "hint": ""}
        buffers: list[bytes] = []
        try:
            fields, buffers = work()
            answer |= fields
        except OdysseyNBError as error:
            answer.update(ok=False, error=str(error), hint=error.hint)
        except Exception as error:
            log.exception("a view's %s failed", kind)
            text = f"{kind} failed ({type(error).__name__})"  # whose words may hold secrets
            answer.update(ok=False, error=text, hint="The kernel's log says more.")
        widget.send(answer, buffers=buffers)

    threading.Thread(target=run, name=f"odyssey-{kind}", daemon=True).start()
