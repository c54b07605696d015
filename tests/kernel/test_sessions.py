"""The table of sessions, and what an error about a limit makes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from odyssey_nb.kernel.runtime import runtime
from odyssey_nb.kernel.sessions import SessionList, SessionRow, limit_hint, spell

URL = "http://127.0.0.1:8707"


def row(session_id: str, **more: Any) -> SessionRow:
    """A session of a notebook, idle for a minute."""
    fields: dict[str, Any] = {
        "connection": "default", "url": URL, "target": "local service", "status": "connected",
        "seconds": 3725, "idle": 61, "holder": "/home/a/walk.ipynb", "pid": 4711,
    }  # fmt: skip
    return SessionRow(session_id=session_id, **(fields | more))


LOST = row("77de01", pid=0, holder="old.ipynb", dangling="its kernel is gone")
STREAMING = row("3f2a01", status="streaming", left=134, prompt="a <b>forest</b>\nat dawn")


def test_ids_are_as_short_as_tells_them_apart() -> None:
    """Four letters are enough, unless two begin alike; a session without an id has none."""
    rows = SessionList([row("3f2a01"), row("3f2a02"), row("9b1c00"), row("")])
    assert [each.id for each in rows] == ["3f2a01", "3f2a02", "9b1c", ""]


def test_the_table_in_a_terminal() -> None:
    """One line for each session, times as clocks, and what to type below."""
    lines = repr(SessionList([STREAMING, LOST])).splitlines()
    assert lines[0].split() == [
        "id", "connection", "status", "open", "idle", "left", "held", "by", "prompt"
    ]  # fmt: skip
    assert lines[1].split("  ")[-1].strip() == "a <b>forest</b> at dawn"
    assert "1:02:05" in lines[1]
    assert "2:14" in lines[1]
    assert "walk.ipynb, pid 4711" in lines[1]
    assert "dangling" in lines[2]
    assert "old.ipynb: its kernel is gone" in lines[2]
    assert lines[3:] == [
        f"{spell('reap')} ends what dangles (1)", f"{spell('kill', '77de')} ends one"
    ]  # fmt: skip


def test_verbs_are_spelled_as_they_are_typed_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a terminal, and in a notebook with the extension or without."""
    shell = InteractiveShell.instance()
    shell.run_cell("%load_ext odyssey_nb")
    assert spell("kill", "77de") == "%odyssey kill 77de"
    shell.run_cell("%unload_ext odyssey_nb")
    assert spell("kill", "77de") == 'ody.kill("77de")'
    monkeypatch.setattr(runtime(), "terminal", True)
    assert spell("reap") == "odyssey-nb reap"


def test_two_services_are_told_apart() -> None:
    """The service has a column where there are several."""
    assert "service" not in repr(SessionList([STREAMING])).splitlines()[0]
    other = replace(LOST, target="https://api.example")
    assert "https://api.example" in repr(SessionList([STREAMING, other]))


def test_the_table_in_a_cell_runs_nothing() -> None:
    """It is a plain table in which a prompt is text, and which needs no kernel."""
    page = SessionList([STREAMING, LOST])._repr_html_()
    assert "a &lt;b&gt;forest&lt;/b&gt; at dawn" in page
    assert page.count("<tr") == 3
    assert page.count('scope="col"') == 8
    for active in ("<script", "onclick", "http"):
        assert active not in page
    assert "no sessions" in SessionList([])._repr_html_()


def test_a_limit_names_who_is_missed_least() -> None:
    """What dangles comes first, then what is idle, and ours last; other services do not count."""
    here = row("aa0000", here=True, idle=500)
    other = row("bb0000", url="http://elsewhere", dangling="its kernel is gone")
    gone = replace(LOST, session_id="cc0000", status="ended")
    rows = SessionList([here, STREAMING, row("9b1c00"), LOST, other, gone])
    assert limit_hint(rows, URL) == (
        "Held by old.ipynb: its kernel is gone (default, dangling, idle 1:01); "
        "walk.ipynb, pid 4711 (default, idle 1:01); walk.ipynb, pid 4711 (default, streaming); "
        f"1 more. Free one with {spell('kill', '77de')}."
    )
    assert limit_hint(SessionList([other]), URL) == ""
