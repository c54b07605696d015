"""A crowd in a cell: who is there, what waits, what was applied; and the links that let people in.

Links hold tokens, so views get them by message and none is ever state, or saved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anywidget
import msgspec
import traitlets as t

from odyssey_nb.errors import NotFoundError
from odyssey_nb.widgets.base import answer_command, answer_while_busy, module, styles
from odyssey_nb.widgets.steering import NewestWins

if TYPE_CHECKING:
    from odyssey_nb.research.invitations import Invitations
    from odyssey_nb.research.orchestrator import Orchestrator

EVERY_SECONDS = 0.2  # between two updates of the views
QR_HINT = "pip install odyssey-nb[qr] shows it as a QR code too."
LOCAL_HINT = (
    "Only browsers on this machine can open it; others can where you connect to a service that "
    "listens for them: odyssey-nb serve --host 0.0.0.0."
)
ACTIONS = {"approve", "reject", "revoke", "pause", "resume", "close", "link"}


class CrowdPanel(anywidget.AnyWidget):
    """Shows a crowd, and lets its owner approve, reject, pause, send away and close."""

    _esm = module("_shared.js", "film.js", "links.js", "crowd.js")
    _css = styles("theme.css", "crowd.css")

    board: t.Dict[str, Any] = t.Dict(help="What its participants see too.").tag(sync=True)
    inbox: t.List[dict[str, Any]] = t.List(help="What waits for the moderator's word.").tag(
        sync=True
    )
    people: t.List[dict[str, Any]] = t.List(help="Each participant's id, name, and if here.").tag(
        sync=True
    )
    running = t.Bool(True, help="Whether it takes proposals.").tag(sync=True)
    problem = t.Unicode("", help="Why it closed by itself; empty otherwise.").tag(sync=True)

    def __init__(self, crowd: Orchestrator) -> None:
        self._crowd = crowd
        self._pace = NewestWins(lambda _: self._update(), every=EVERY_SECONDS)
        super().__init__(**self._state())
        answer_while_busy(self)
        crowd.listen(lambda: self._pace.put(""))
        self.on_msg(self._on_message)

    def _state(self) -> dict[str, Any]:
        crowd = self._crowd
        people = [
            {"id": each.id, "name": each.name, "here": each.here} for each in crowd.participants
        ]
        return {
            "board": msgspec.to_builtins(crowd.room.board()),
            "inbox": [
                {"id": each.id, "prompt": each.prompt, "names": crowd.room.names(each.by)}
                for each in crowd.inbox
            ],
            "people": people,
            "running": crowd.open,
            "problem": crowd.problem,
        }

    def _update(self) -> None:
        with self.hold_sync():  # one message for all that changed
            for name, value in self._state().items():
                setattr(self, name, value)

    def _on_message(self, _widget: object, content: dict[str, Any], _buffers: list[bytes]) -> None:
        """Take a view's message; it may come on the main thread, so nothing here waits."""
        if content.get("type") in ACTIONS:
            answer_command(self, content, lambda: (self._do(content), []))

    def _do(self, content: dict[str, Any]) -> dict[str, Any]:
        crowd, which = self._crowd, str(content.get("which", ""))
        match content["type"]:
            case "approve" | "reject" | "revoke" as verb:
                getattr(crowd, verb)(which)
            case "link":
                return _shown(crowd.link)
            case verb:
                getattr(crowd, verb)()
        return {}


class InvitationCards(anywidget.AnyWidget):
    """Shows a card for each invitation: a name, a link to copy, and its QR code."""

    _esm = module("_shared.js", "film.js", "links.js", "invitations.js")
    _css = styles("theme.css", "crowd.css")

    names = t.List(t.Unicode(), help="Of those who are invited.").tag(sync=True)

    def __init__(self, invitations: Invitations) -> None:
        self._invitations = invitations
        super().__init__(names=[each.name for each in invitations])
        answer_while_busy(self)
        self.on_msg(self._on_message)

    def _on_message(self, _widget: object, content: dict[str, Any], _buffers: list[bytes]) -> None:
        if content.get("type") == "link":
            answer_command(self, content, lambda: (self._link(content.get("number")), []))

    def _link(self, number: object) -> dict[str, Any]:
        if not isinstance(number, int) or not 0 <= number < len(self._invitations):
            raise NotFoundError("there is no such invitation")
        return _shown(self._invitations[number].link)


def _shown(link: str) -> dict[str, Any]:
    """Return a link as a view shows it: with a picture of its QR code, where segno is installed."""
    note = LOCAL_HINT if urlsplit(link).hostname in {"127.0.0.1", "localhost", "::1"} else ""
    try:
        import segno
    except ModuleNotFoundError:
        return {"link": link, "qr": "", "note": f"{QR_HINT} {note}"}
    made = segno.make(link, micro=False)
    return {"link": link, "qr": made.svg_data_uri(scale=4, border=2, light="#fff"), "note": note}


def panel_of(crowd: Orchestrator) -> CrowdPanel:
    """Return a crowd's panel, one for all cells that show it."""
    if crowd.panel is None:
        crowd.panel = CrowdPanel(crowd)
    panel: CrowdPanel = crowd.panel
    return panel
