"""``%odyssey`` and ``%%odyssey``, and how our objects look in a cell."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, magics_class

from odyssey_nb import completion, verbs
from odyssey_nb.config import headless
from odyssey_nb.errors import OdysseyNBError, UsageError
from odyssey_nb.kernel import hooks
from odyssey_nb.kernel.ahead import start_ahead
from odyssey_nb.kernel.runtime import runtime

if TYPE_CHECKING:
    from types import TracebackType

    from IPython.core.interactiveshell import InteractiveShell
    from ipywidgets import Widget

    from odyssey_nb.kernel.recordings import RecordingList
    from odyssey_nb.kernel.spectator import Spectator
    from odyssey_nb.kernel.stream import Stream
    from odyssey_nb.media.clip import Clip
    from odyssey_nb.research.invitations import Invitations
    from odyssey_nb.research.orchestrator import Orchestrator
    from odyssey_nb.widgets.compare import Comparison
    from odyssey_nb.widgets.sliders import Sliders


@magics_class
class OdysseyMagics(Magics):
    """The magic; it parses a line and calls the verb."""

    @line_cell_magic
    def odyssey(self, line: str, cell: str | None = None) -> object:
        """Explore worlds: ``%odyssey start "a misty forest at dawn"``, ``%odyssey help``."""
        result = verbs.run(_words(line), cell)
        return None if result is None else result


def _words(line: str) -> list[str]:
    """Split as a shell does, but leave apostrophes in prose alone ("it's snowing")."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.quotes = '"'
    lexer.commenters = ""
    lexer.escape = ""
    try:
        words = list(lexer)
    except ValueError:
        raise UsageError("a quotation mark is open", hint='Close it with another ".') from None
    return [
        word[1:-1] if word[:1] == word[-1:] == "'" and len(word) > 1 else word for word in words
    ]


def load(shell: InteractiveShell) -> None:
    """Add the magic, one-line errors and displays to `shell`."""
    shell.register_magics(OdysseyMagics)
    completion.add(shell)
    shell.set_custom_exc((OdysseyNBError,), _one_line)
    formatter = shell.display_formatter
    if formatter is not None:
        for shown, show in _SHOWN.items():
            formatter.mimebundle_formatter.for_type_by_name(*shown.rsplit(".", 1), show)
        if getattr(shell, "kernel", None) is not None:  # a terminal keeps no poster
            runtime().shown_by = "odyssey_nb.widgets.player"
            hooks.install()  # by the thread whose cells they follow
            start_ahead()
            for shown, display in _DISPLAYED.items():
                formatter.ipython_display_formatter.for_type_by_name(*shown.rsplit(".", 1), display)


def unload(shell: InteractiveShell) -> None:
    """Take it all away again."""
    shell.magics_manager.magics["line"].pop("odyssey", None)
    shell.magics_manager.magics["cell"].pop("odyssey", None)
    completion.remove(shell)
    shell.set_custom_exc((), None)
    formatter = shell.display_formatter
    if formatter is not None:
        for shown in _SHOWN:
            formatter.mimebundle_formatter.pop(shown, None)
        for shown in _DISPLAYED:
            formatter.ipython_display_formatter.pop(shown, None)


def _one_line(
    shell: InteractiveShell,
    kind: type[BaseException],
    error: OdysseyNBError,
    traceback: TracebackType | None,
    tb_offset: int | None = None,
) -> list[str]:
    """Show our own errors as one line with the remedy; the cell still counts as failed."""
    del kind, traceback, tb_offset
    line = f"{type(error).__name__}: {error.one_line()}"
    shell._showtraceback(type(error), error, [line])
    return [line]


def _show_stream(stream: Stream, **wanted: Any) -> dict[str, Any] | None:
    """Show the stream's live Player."""
    from odyssey_nb.widgets.player import player_of

    return _bundle(player_of(stream), stream, **wanted)


def _show_spectator(spectator: Spectator, **wanted: Any) -> dict[str, Any] | None:
    """Show what is watched."""
    from odyssey_nb.widgets.player import player_watching

    return _bundle(player_watching(spectator), spectator, **wanted)


def _show_recordings(recordings: RecordingList, **wanted: Any) -> dict[str, Any] | None:
    """Show the gallery, with thumbnails for where no kernel runs; the table if there are none."""
    from odyssey_nb.widgets.recordings import Gallery

    try:
        thumbnails = recordings.thumbnails()
    except OdysseyNBError:
        return None
    if not thumbnails:
        return None
    page = {"text/html": recordings.page(thumbnails), "text/plain": repr(recordings)}
    if headless():
        return page
    bundle = _bundle(Gallery(recordings, thumbnails), recordings, **wanted)
    return bundle and bundle | page


def _show_clip(clip: Clip, **wanted: Any) -> dict[str, Any] | None:
    """Show the clip, to play, and its filmstrip for where no kernel runs."""
    from odyssey_nb.media.filmstrip import page, strip
    from odyssey_nb.widgets.clip import ClipView

    film = strip(clip)
    if not film:
        return None
    filmstrip = {"text/html": page(clip, film), "text/plain": repr(clip)}
    if headless():
        return filmstrip
    bundle = _bundle(ClipView(clip, film), clip, **wanted)
    return bundle and bundle | filmstrip


def _show_sliders(sliders: Sliders, **wanted: Any) -> dict[str, Any] | None:
    """Show the sentence with its controls; where nobody moves them, as it reads."""
    if headless():
        return {"text/markdown": f"> {sliders.prompt}", "text/plain": repr(sliders)}
    return _bundle(sliders, sliders, **wanted)


def _show_crowd(crowd: Orchestrator, **wanted: Any) -> dict[str, Any] | None:
    """Show who steers together, what waits, and what was applied."""
    from odyssey_nb.widgets.crowd import panel_of

    if headless():
        return {"text/plain": repr(crowd)}
    return _bundle(panel_of(crowd), crowd, **wanted)


def _show_invitations(invitations: Invitations, **wanted: Any) -> dict[str, Any] | None:
    """Show a card for each, whose link the page gets by message and never saves."""
    from odyssey_nb.widgets.crowd import InvitationCards

    if headless():
        return {"text/plain": repr(invitations)}
    return _bundle(InvitationCards(invitations), invitations, **wanted)


def _bundle(widget: Widget, shown: object, **wanted: Any) -> dict[str, Any] | None:
    """Return how a front end shows `widget`, and as text what it shows."""
    bundle = widget._repr_mimebundle_(**wanted)
    data: dict[str, Any] | None = bundle[0] if isinstance(bundle, tuple) else bundle
    return None if data is None else data | {"text/plain": repr(shown)}


def _display_stream(stream: Stream) -> None:
    """Show the stream's live Player, and its poster in an output of its own."""
    from odyssey_nb.widgets.player import player_of
    from odyssey_nb.widgets.poster import display, still

    if headless():
        still((stream, stream.prompt))
        return
    player = player_of(stream)
    display(_bundle(player, stream) or {}, player.poster)
    player.poster.take(stream, stream.prompt)


def _display_spectator(spectator: Spectator) -> None:
    """Show what is watched, and its poster in an output of its own."""
    from odyssey_nb.widgets.player import player_watching
    from odyssey_nb.widgets.poster import display, still

    if headless():
        still((spectator, spectator.applied_prompt))
        return
    player = player_watching(spectator)
    display(_bundle(player, spectator) or {}, player.poster)


def _display_comparison(comparison: Comparison) -> None:
    """Show streams side by side, and a poster of each."""
    from odyssey_nb.widgets.poster import display, still

    if headless():
        still(*((each, each.prompt) for each in comparison.streams))
        return
    posters = [each.poster for each in comparison.players]
    display(_bundle(comparison, comparison) or {}, *posters)


_SHOWN = {
    "odyssey_nb.kernel.stream.Stream": _show_stream,
    "odyssey_nb.kernel.spectator.Spectator": _show_spectator,
    "odyssey_nb.kernel.recordings.RecordingList": _show_recordings,
    "odyssey_nb.media.clip.Clip": _show_clip,
    "odyssey_nb.research.orchestrator.Orchestrator": _show_crowd,
    "odyssey_nb.research.invitations.Invitations": _show_invitations,
    "odyssey_nb.widgets.sliders.Sliders": _show_sliders,
}
_DISPLAYED = {
    "odyssey_nb.kernel.stream.Stream": _display_stream,
    "odyssey_nb.kernel.spectator.Spectator": _display_spectator,
    "odyssey_nb.widgets.compare.Comparison": _display_comparison,
}
