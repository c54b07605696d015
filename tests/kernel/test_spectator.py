"""Watching a broadcast from a notebook: the same pictures as arrays, and no session left."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from odyssey_nb.errors import UsageError
from odyssey_nb.kernel.broadcast import Broadcast
from odyssey_nb.kernel.spectator import broadcast_at
from tests.conftest import Service
from tests.kernel.conftest import Kernel


@pytest.fixture
def owner(kernel: Kernel) -> Iterator[Kernel]:
    """A kernel that broadcasts its stream."""
    assert "connected" in kernel.run('stream = ody.start("a red house", broadcast=True)')
    yield kernel
    kernel.run("ody.disconnect()")


def test_a_broadcast_is_watched(owner: Kernel, local_service: Callable[[], Service]) -> None:
    """A spectator sees the owner's pictures as arrays and clips, without a second session."""
    assert "True" in owner.run("stream.broadcast is not None")
    said = owner.run("live = ody.watch(stream.broadcast.url, stream.broadcast.token)\nlive")
    assert "watching the broadcast" in said
    assert "live>" in said
    assert owner.run("live.frame().shape, live.frame().dtype") == "((704, 1280, 3), dtype('uint8'))"
    # The test pattern counts its pictures: what both have seen is the same to the pixel.
    assert "True" in owner.run(
        "import time\n"
        "deadline, common = time.monotonic() + 10, False\n"
        "while not common and time.monotonic() < deadline:\n"
        "    clip, own = live.last(1), {each.tobytes() for each in stream.last(2).frames}\n"
        "    common = len(clip) > 5 and all(each.tobytes() in own for each in clip.frames)\n"
        "common",
        seconds=30,
    )
    assert "True" in owner.run(
        "from odyssey_nb.wire import link as wire\nlive.request(wire.Traffic, timeout=3).number > 0"
    )
    assert local_service().held == 1
    assert "already watching" in owner.run("ody.watch(stream.broadcast) is live")
    owner.run("stream.end()")
    owner.run("import time\nwhile live.active: time.sleep(0.05)", seconds=10)
    said = owner.run("live.frame()")
    assert re.search(r"^BroadcastEndedError: .*link", said, re.MULTILINE), said
    assert "disconnected" in owner.run("live.status")


def test_leaving(owner: Kernel) -> None:
    """A block leaves the broadcast at its end; so does disconnecting everything."""
    said = owner.run("with ody.watch(stream.broadcast.watch_url) as live: live.frame()\nlive")
    assert "over>" in said
    assert "BroadcastEndedError" in owner.run("live.last()")
    owner.run("live = ody.watch(stream.broadcast)")
    owner.run("ody.disconnect()")
    assert "over>" in owner.run("live")


def test_what_is_said(owner: Kernel) -> None:
    """Wrong ways to watch are one line with the remedy, and nothing shows the token by itself."""
    for cell, wanted in (
        ("ody.watch(stream.broadcast.url, 'wrong')", "SpectatorTokenError"),
        ("ody.watch(stream.broadcast.url + 'x', 'wrong')", "BroadcastEndedError"),
        ("ody.watch(stream.broadcast.url)", "UsageError: a broadcast is opened by its token"),
        ("ody.watch('somewhere', 'x')", "UsageError: a broadcast is at an http"),
        ("%odyssey watch", "UsageError"),
    ):
        said = owner.run(cell).strip()
        assert wanted in said
        assert len(said.splitlines()) == 1
    said = owner.run("link = stream.broadcast.watch_url\n%odyssey watch $link")
    assert "<Spectator" in said
    assert "live>" in said
    token = owner.run("print(stream.broadcast.token)").strip()
    assert len(token) > 20
    for cell in (
        "stream.broadcast",
        "print([stream.broadcast])",
        "live = ody.watch(stream.broadcast)\nvars(live)",
        "ody.status(), ody.sessions()",
        "ody.watch(stream.broadcast.url + 'x', stream.broadcast.token)",
    ):
        assert token not in owner.run(cell)
    assert "True" in owner.run("stream.active")
    assert "None" in owner.run("print(ody.start('a blue house').broadcast)")


PAGE = "http://127.0.0.1:8707/watch/abc?token=t%2F1"


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("http://127.0.0.1:8707/live/abc", "t/1"),
        ("http://127.0.0.1:8707/live/abc/", "t/1"),
        ("http://127.0.0.1:8707/live/abc/whep", "t/1"),
        ("http://127.0.0.1:8707/live/abc/index.m3u8?token=t%2F1", None),
        (PAGE, None),
        (f" {PAGE}\n", None),
    ],
)
def test_links_are_understood(url: str, token: str | None) -> None:
    """Every link that people hand each other leads to the same broadcast."""
    assert broadcast_at(url, token) == ("http://127.0.0.1:8707/live/abc", "t/1")


@pytest.mark.parametrize("url", ["", "abc", "ftp://a/live/b", "http://[", "http:///live/b"])
def test_what_is_no_link(url: str) -> None:
    """What is no address is refused, whatever it is."""
    with pytest.raises(UsageError):
        broadcast_at(url, "t")


def test_a_broadcast_without_a_page() -> None:
    """A service of others has no page, and is not said to have one."""
    assert "watch_url" not in repr(Broadcast("http://a/live/b", "t", "", ""))
