"""Connections and streams as a script sees them, against a real service."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

import odyssey_nb as ody
from odyssey_nb import errors
from odyssey_nb.kernel import leases
from odyssey_nb.kernel.runtime import runtime
from odyssey_nb.service.worlds.test_pattern import prompt_hash, read
from odyssey_nb.wire import link as wire
from tests.conftest import Service, wait_until
from tests.kernel.conftest import sidecars
from tests.test_keys import keys

Connect = Callable[..., "ody.kernel.connection.Connection"]


@pytest.fixture
def connect(service: Service) -> Iterator[Connect]:
    """Connect this process to the test's service; everything ends with the test."""

    def to_service(name: str = "default", **options: object) -> object:
        return ody.connect(name, url=service.url, api_key=service.api_key, **options)

    yield to_service
    manager = runtime().manager
    if manager is not None:
        manager.release_all("the test is over", budget=5)


def test_a_stream_from_start_to_end(connect: Connect, service: Service) -> None:
    """Pictures are arrays that follow the prompts; ending and disconnecting free what they name."""
    conn = connect()
    assert conn.history == ["authenticating", "connecting", "connected"]
    stream = conn.start("a forest")
    picture = stream.frame()
    assert (picture.shape, picture.dtype) == ((704, 1280, 3), np.uint8)
    assert not picture.flags.writeable
    first, shown = read(picture)
    assert shown == prompt_hash("a forest")

    assert stream.interact("  snow   falls ") == "snow falls"
    wait_until(lambda: read(stream.frame())[1] == prompt_hash("snow falls"), what="the prompt")
    assert read(stream.frame())[0] > first
    assert stream.snapshot().size == (1280, 704)

    stream.end()
    assert not stream.active
    with pytest.raises(errors.NoStreamError):
        stream.interact("rain")
    assert service.held == 1
    conn.disconnect()
    assert service.held == 0
    assert conn.history[-1] == "disconnected"


def test_portrait_follows_landscape_on_one_connection(connect: Connect) -> None:
    """Streams of both orientations run one after another."""
    conn = connect()
    assert conn.start("a sea").frame().shape == (704, 1280, 3)
    assert conn.start("a sea", orientation="portrait").frame().shape == (1280, 704, 3)


def test_the_last_seconds_are_a_clip(connect: Connect, tmp_path: Path) -> None:
    """A clip holds the past as it was streamed and is written without another encode."""
    stream = connect().start("a city")
    stream.frame()
    assert stream.last(1).events[0] == {"time": 0, "type": "start", "applied_prompt": "a city"}
    clip = wait_until(lambda: (c := stream.last(1)).duration >= 1 and c, what="a second of past")
    numbers = [read(picture)[0] for picture in clip.frames]
    assert numbers == list(range(numbers[0], numbers[0] + len(clip)))
    assert clip.save(tmp_path / "clip.mp4").stat().st_size > 1000
    with pytest.raises(ValueError, match="positive"):
        stream.last(0)


def test_a_mark_stays_on_the_timeline(connect: Connect) -> None:
    """A mark says when it was set, and is among the events of the clip and of the recording."""
    with connect() as connection:
        stream = connection.start("a city")
        stream.frame()
        stream.interact("rain")
        wait_until(lambda: stream.last(1).times[-1] > 0.5, what="some pictures")
        time = stream.mark("odd!")
        assert time >= 0.5
        clip = stream.last(5)
        assert [each["type"] for each in clip.events] == ["start", "interact", "mark"]
        assert clip.events[-1] == {"time": time, "type": "mark", "text": "odd!"}
        with pytest.raises(errors.UsageError, match="at most 200 characters, not 201"):
            stream.mark("x" * 201)
        stream.end()
        with pytest.raises(errors.NoStreamError):
            stream.mark("too late")
        recording = wait_until(
            lambda: next((r for r in ody.recordings() if r.stream_id == stream.id), None),
            what="the recording",
        )
        kept = recording.events()[-2]
    assert (kept["type"], kept["text"]) == ("mark", "odd!")
    assert kept["time"] == pytest.approx(time, abs=1)


def test_reuse_names_and_with_blocks(connect: Connect, service: Service) -> None:
    """Who opened a connection ends it; a block around a reused one does not."""
    first = connect()
    with connect() as reused:
        assert reused is first
    assert first.is_open
    with connect("other") as other, other.start("a beach") as stream:
        assert stream.active
        assert service.held == 2
    assert not other.is_open
    assert [each.name for each in ody.status()] == ["default"]
    assert service.held == 1


@pytest.mark.parametrize("name", ["second", None])
def test_a_connection_that_waits_can_be_called_off(serve, name: str | None) -> None:
    """Nobody need wait for a streamer that he no longer wants; the one who connects is told."""
    service = serve("--streamers", "1")
    access = {"url": service.url, "api_key": service.api_key}
    first = ody.connect("first", **access)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ody.connect, "second", **access)
        manager = runtime().manager
        wait_until(lambda: "second" in manager.names(), what="a second connection")
        began = time.monotonic()
        ody.disconnect(name)
        assert time.monotonic() - began < 5
        with pytest.raises(errors.ConnectionLostError, match="called off"):
            waiting.result(5)
    assert first.is_open is (name is not None)
    ody.disconnect()
    assert service.held == 0


def test_a_lost_connection_is_opened_to_where_it_went(connect: Connect, service: Service) -> None:
    """Starting again after a connection has gone does not go to another service."""
    connect()
    ody.disconnect()
    stream = ody.start("a forest")
    assert stream.connection.target == service.url
    assert service.held == 1


def test_every_waiter_is_told_when_the_service_dies(connect: Connect, service: Service) -> None:
    """A lost connection closes itself, says why, and leaves no lease."""
    conn = connect()
    conn.start("a desert")
    service.process.kill()
    wait_until(lambda: not conn.is_open, what="the loss")
    with pytest.raises(errors.NotConnectedError):
        conn.start("again")
    wait_until(lambda: conn.history[-2:] == ["failed", "disconnected"], what="the history")
    assert "ody.connect()" in conn.problem
    assert not ody.status()
    wait_until(lambda: not list(conn.lease_path.parent.glob("*")), what="the lease's end")


def test_awaitable_twins(connect: Connect) -> None:
    """Under .aio every blocking call can be awaited, several at once."""
    conn = connect()

    async def steer() -> list[str]:
        stream = await conn.aio.start("a forest")
        both = await asyncio.gather(stream.aio.interact("rain"), stream.aio.interact("fog"))
        picture = await stream.aio.frame()
        assert picture.shape == (704, 1280, 3)
        await stream.aio.end()
        return sorted(both)

    assert asyncio.run(steer()) == ["fog", "rain"]
    assert "start" in dir(conn.aio)


def test_a_cancelled_start_leaves_no_stream(connect: Connect, service: Service) -> None:
    """Whoever stops waiting for a stream has none, and may start another."""
    conn = connect()

    async def give_up(after: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(after):
                await conn.aio.start("a forest")

    for after in (0, 0.001, 0.01, 0.03, 0.1):
        asyncio.run(give_up(after))
        assert conn.start("a sea").active
    prompts = lambda: [each["prompt"] for each in service.sessions()]  # noqa: E731
    wait_until(lambda: prompts() == ["a sea"], what="the one stream that there is")


def test_another_key_is_another_connection(connect: Connect, serve) -> None:
    """Hours must not land on the account of a key that the caller has just replaced."""
    both = serve("--api-key", "ody_another_key")
    first = ody.connect(url=both.url, api_key=both.api_key)
    second = ody.connect(url=both.url, api_key="ody_another_key")
    assert second is not first
    assert not first.is_open
    assert both.sessions(both.api_key) == []
    assert len(both.sessions("ody_another_key")) == 1
    assert "ody_another_key" not in repr(vars(second))


def test_a_sidecar_that_cannot_start_says_why(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error carries the process's own last words, and nothing is left behind."""
    (tmp_path / "aiortc.py").write_text("raise ImportError('libsrtp is missing')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(errors.LinkError, match="libsrtp is missing"):
        ody.connect(url=service.url, api_key=service.api_key)
    assert service.held == 0
    assert not ody.status()


def test_threads_may_call_at_once(connect: Connect, service: Service) -> None:
    """Eight threads that connect get one connection."""
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(connect())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 8
    assert len(set(map(id, found))) == 1
    assert service.held == 1


def test_streams_that_are_kept_keep_little(connect: Connect, machine: Path) -> None:
    """A notebook's ``Out`` keeps streams; no ended thread, nor a cell's frames, stay with them."""
    kept = []
    for _ in range(3):
        conn = connect(when_hidden=(60, 60))
        kept.append(conn.start("a forest"))
        conn.hidden.seen()
        for each in sidecars(machine):
            each.kill()
        with contextlib.suppress(errors.OdysseyNBError):
            kept[-1].interact("snow")
            pytest.fail("the sidecar is gone")
    runtime().manager.release_all("enough", budget=5)

    def ours(kind: type) -> list[object]:
        gc.collect()
        return [each for each in gc.get_objects() if type(each) is kind]

    def ended() -> list[threading.Thread]:
        names = ("odyssey-link", "odyssey-hidden")
        threads = [each for each in ours(threading.Thread) if each.name.startswith(names)]
        return [each for each in threads if not each.is_alive()]

    wait_until(lambda: not ended(), what="threads that are forgotten")
    assert not [each for each in ours(errors.LinkError) if each.__traceback__ is not None]


def test_connecting_right_after_a_loss_holds_one_session(
    connect: Connect, service: Service
) -> None:
    """The old connection, which may still be closing, does not take the new one along."""
    for _ in range(3):
        conn = connect()
        streamer = psutil.Process(service.pid)
        serving = max(streamer.children(), key=lambda each: sum(each.cpu_times()[:2]))
        serving.kill()
        wait_until(lambda lost=conn: not lost.is_open, what="the loss")
        again = connect()
        assert again.is_open
        assert again is not conn
        assert service.held == 1
        conn.disconnect()
        assert again.is_open, "an old name for the connection ends only the old one"


def test_nested_blocks_end_what_they_opened(connect: Connect, service: Service) -> None:
    """The outer block owns the connection although an inner one reused it."""
    with connect() as outer:
        with connect() as inner:
            assert inner is outer
        assert outer.is_open
    assert not outer.is_open
    assert service.held == 0


def test_a_listener_that_fails_or_waits_harms_nobody(connect: Connect) -> None:
    """Its fault is logged, a call that would wait for itself is refused, and events go on."""
    conn = connect()
    refused: list[Exception] = []

    def listener() -> None:
        try:
            conn.request(wire.Fetch, timeout=5)
        except errors.LinkError as error:
            refused.append(error)
        raise RuntimeError("a fault of the listener")

    stop = conn.listen(listener)
    conn.start("a forest").interact("rain")
    stop()
    assert refused
    assert conn.applied_prompt == "rain"


def test_a_hanging_sidecar_is_given_up(connect: Connect) -> None:
    """A sidecar that does not answer is ended, and the next connect has a fresh one."""
    connect()
    sidecar = runtime().sidecar
    assert sidecar is not None
    os.kill(sidecar.pid, signal.SIGSTOP)
    with pytest.raises(errors.AnswerTimeoutError):
        ody.disconnect()
    assert not sidecar.usable
    assert connect("fresh").is_open


def test_a_forked_child_leaves_the_lease_alone(connect: Connect) -> None:
    """A child that leaves its parent's block takes neither lease nor connection, and is told so."""
    conn = connect()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            conn.close_lease()
            conn.disconnect()
            try:
                conn.start("a forest")
            except errors.OdysseyNBError as error:
                os.write(writing, error.one_line().encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as said:
        assert "belongs to the parent process" in said.read()
    assert conn.lease_path.exists()
    assert conn.start("a forest").active


def test_sessions_lists_what_this_machine_holds(connect: Connect) -> None:
    """The table shows the connection, its prompt and where it is held; killing our own ends it."""
    connect().start("a quiet lake")
    (row,) = ody.sessions()
    assert (row.connection, row.status, row.prompt) == ("default", "streaming", "a quiet lake")
    assert "this kernel" in repr(ody.sessions())
    with pytest.raises(errors.NotFoundError, match="'nobody'"):
        ody.kill("nobody")
    assert repr(ody.kill(row.id)).startswith(f"ended {row.id}: this kernel (default, streaming")
    assert ody.sessions() == []


def test_a_lease_holds_no_secret(connect: Connect, service: Service) -> None:
    """The lease names session and processes, is private, and knows no key."""
    conn = connect()
    text = conn.lease_path.read_text()
    assert conn.session_id in text
    assert service.api_key not in text
    assert conn.lease_path.stat().st_mode & 0o777 == 0o600
    assert leases.others() == []


def test_ten_rounds_leave_nothing(connect: Connect, service: Service) -> None:
    """Threads, descriptors and children stay flat over ten connections with streams."""
    connect().start("warm up").frame()
    ody.disconnect()
    me = psutil.Process()

    def held() -> tuple[int, int, int]:
        return threading.active_count(), me.num_fds(), len(me.children())

    before = held()
    for _ in range(10):
        connect().start("a forest").frame()
        ody.disconnect()
    assert held() == before
    assert service.held == 0


@pytest.mark.parametrize(
    ("act", "error", "says"),
    [
        (
            lambda url: ody.connect(url=url, api_key="ody_wrong"),
            errors.AuthError,
            "ODYSSEY_API_KEY",
        ),
        (
            lambda _: ody.connect(url="http://127.0.0.1:9", api_key="ody_x"),
            errors.ConnectError,
            "nothing answers",
        ),
        (lambda _: ody.start("   "), errors.EmptyPromptError, "Describe the world"),
        (lambda _: ody.interact("snow"), errors.NotConnectedError, "ody.connect()"),
        (lambda _: ody.end(), errors.NotConnectedError, "ody.connect()"),
        (lambda url: ody.connect(local=True, url=url), errors.SettingError, "exclude"),
        (lambda url: ody.connect(url=url), errors.SettingError, "API key"),
    ],
)
def test_bad_input_is_one_line_with_a_remedy(
    service: Service, act: Callable[[str], object], error: type[Exception], says: str
) -> None:
    """Every mistake is a typed error of one line, and leaves nothing half-open."""
    with pytest.raises(error) as caught:
        act(service.url)
    assert isinstance(caught.value, errors.OdysseyNBError)
    assert says in caught.value.one_line()
    assert "\n" not in caught.value.one_line()
    assert "ody_" not in str(caught.value)
    assert not ody.status()
    assert service.held == 0


def test_a_full_service_is_told_apart_from_a_full_account(serve: Callable[..., Service]) -> None:
    """Over the account's limit and no free streamer are different errors."""
    full = serve("--limit", "concurrent_streams=1")
    try:
        ody.connect("one", url=full.url, api_key=full.api_key)
        with pytest.raises(errors.ConcurrentLimitError, match="1"):
            ody.connect("two", url=full.url, api_key=full.api_key)
        assert full.held == 1
    finally:
        ody.disconnect()


def test_a_start_over_a_lowered_limit_names_the_holders(service: Service) -> None:
    """An account that held two connections when it might may start on one, and is told of both."""
    made = keys(service, "create", "--account", "erin", "--limit", "concurrent_streams=2")
    (key,) = re.findall(r"^ody_\S+$", made.stdout, re.MULTILINE)
    ody.connect("one", url=service.url, api_key=key)
    two = ody.connect("two", url=service.url, api_key=key)
    keys(service, "set", "erin", "--limit", "concurrent_streams=1")
    with pytest.raises(errors.ConcurrentLimitError) as caught:
        two.start("a sea")
    ody.disconnect()
    assert caught.value.hint.startswith("Held by this kernel (one, idle 0:")
    assert "this kernel (two, idle 0:" in caught.value.hint


def test_a_stream_starts_from_an_image(connect: Connect, tmp_path: Path) -> None:
    """Arrays and files start streams, also awaited; what cannot be read replaces no stream."""
    conn = connect()
    orange = np.full((40, 60, 3), (230, 120, 20), np.uint8)
    Image.fromarray(orange).save(tmp_path / "orange.png")

    def is_orange(stream: ody.kernel.stream.Stream) -> bool:
        return bool(np.abs(stream.frame()[300, -60].astype(int) - orange[0, 0]).max() < 20)

    first = conn.start("a wall", image=orange)
    assert is_orange(first)
    with pytest.raises(errors.ImageError, match="no image at"):
        conn.start("a wall", image=tmp_path / "missing.png")
    assert first.active
    image = tmp_path / "orange.png"
    second = asyncio.run(conn.aio.start("a door", orientation="portrait", image=image))
    assert second.frame().shape == (1280, 704, 3)
    assert is_orange(second)
    with pytest.raises(errors.ImageError, match="no image that can be read here"):
        conn.start("a wall", image="data:image/png;base64,AAAA")
    conn.takes_images = False
    with pytest.raises(errors.ImageError, match="start from no image"):
        conn.start("a wall", image=orange)
