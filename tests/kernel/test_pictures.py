"""Pictures as arrays: in every format, each once, live, and for callbacks; paid by who asks."""

from __future__ import annotations

import asyncio
import gc
import statistics
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator

import numpy as np
import pytest

import odyssey_nb as ody
from odyssey_nb import errors
from odyssey_nb.kernel.callbacks import FrameCallback
from odyssey_nb.kernel.frames import AT_ONCE
from odyssey_nb.kernel.runtime import get_manager
from odyssey_nb.kernel.stream import Stream
from odyssey_nb.service.worlds.test_pattern import read
from odyssey_nb.wire.link import Picture
from tests.conftest import Serve, Service, wait_until
from tests.kernel.conftest import Kernel
from tests.relay import Line


@pytest.fixture
def stream(service: Service) -> Iterator[Stream]:
    """A stream of the test pattern, with its first picture there."""
    yield ody.connect(url=service.url, api_key=service.api_key).start("a red house")
    get_manager().release_all("the test is over", budget=5)


def over(handle: FrameCallback) -> FrameCallback:
    """Wait until a callback gets no more pictures, and return it."""
    wait_until(lambda: not handle.running, what="the callback's end")
    return handle


def threads() -> list[str]:
    """The threads of callbacks."""
    return [each.name for each in threading.enumerate() if each.name.startswith("odyssey-on-fr")]


def test_every_format(stream: Stream) -> None:
    """The same picture as RGB, luma, planes or an image; arrays are read-only."""
    stream.frame()
    while True:  # until all were of one picture
        rgb, gray, yuv = stream.frame(), stream.frame("gray"), stream.frame("yuv")
        image = stream.frame("pil")
        if stream.frame() is rgb:
            break
    assert (rgb.shape, gray.shape, yuv.shape) == ((704, 1280, 3), (704, 1280), (1056, 1280))
    assert {rgb.dtype, gray.dtype, yuv.dtype} == {np.dtype(np.uint8)}
    assert not any(each.flags.writeable for each in (rgb, gray, yuv))
    assert np.abs(rgb @ np.array([0.299, 0.587, 0.114]) - gray).mean() < 6  # colours are cut
    luma = (yuv[:704].astype(float) - 16) * 255 / 219
    assert np.abs(luma - gray).mean() < 3
    assert (image.size, image.mode) == ((1280, 704), "RGB")
    assert np.array_equal(np.asarray(image), rgb)
    image.putpixel((0, 0), (1, 2, 3))
    assert np.array_equal(stream.snapshot().size, (1280, 704))
    assert tuple(rgb[0, 0]) != (1, 2, 3)


def test_a_format_that_is_none(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names those there are; one for images says what is missing."""
    for ask in (
        lambda: stream.frame("bgr"),
        lambda: stream.frames(2, "bgr"),
        lambda: stream.live("bgr"),
        lambda: stream.on_frame(print, format="bgr"),
    ):
        with pytest.raises(errors.UsageError, match="one of rgb, gray, yuv, pil, not 'bgr'"):
            ask()
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(errors.UsageError, match="needs Pillow") as caught:
        stream.frame("pil")
    assert "install Pillow" in caught.value.hint


def test_the_next_pictures(stream: Stream) -> None:
    """Each once, in order, none left out, none that was there before; yours to change."""
    before = read(stream.frame())[0]
    taken = stream.frames(25)
    assert taken.shape == (25, 704, 1280, 3)
    numbers = [read(each)[0] for each in taken]
    assert numbers == list(range(numbers[0], numbers[0] + 25))
    assert numbers[0] > before
    taken[0] = 0
    assert stream.frames(2, "gray").shape == (2, 704, 1280)
    assert [each.size for each in stream.frames(2, "pil")] == [(1280, 704)] * 2
    for wrong in (0, -1, 2.5, True):
        with pytest.raises(errors.UsageError, match="whole number"):
            stream.frames(wrong)
    with pytest.raises(errors.UsageError, match="GB are free"):
        stream.frames(100_000_000)


def test_pictures_that_do_not_come(stream: Stream) -> None:
    """A deadline passes, or the stream ends; it says after how many."""
    with pytest.raises(errors.AnswerTimeoutError, match="after 0 of 2"):
        stream.frames(2, timeout=0.001)
    threading.Timer(0.5, stream.end).start()
    with pytest.raises(errors.NoStreamError, match=r"ended after \d+ of 1000 pictures"):
        stream.frames(1000, "gray")
    with pytest.raises(errors.NoStreamError, match="after 0 of 1"):
        stream.frames(1)


def test_a_loop_gets_the_newest(stream: Stream) -> None:
    """It misses nothing while it is quick; when it is slow it is told what it missed."""
    pictures = stream.live()
    quick = [read(next(pictures))[0] for _ in range(10)]
    assert quick[-1] - quick[0] == 9 + pictures.skipped
    missed, last = pictures.skipped, quick[-1]
    wait_until(lambda: read(stream.frame())[0] > last + 5, what="pictures")
    next_one = read(next(pictures))[0]
    assert next_one > last + 5
    assert pictures.skipped - missed == next_one - last - 1
    fifth = stream.live("gray", every=5)
    numbers = [read(np.stack([next(fifth)] * 3, axis=-1))[0] for _ in range(4)]
    assert list(np.diff(numbers)) == [5, 5, 5] or fifth.skipped
    assert fifth.time > 0


def test_a_loop_ends_with_the_stream(stream: Stream) -> None:
    """An ended stream ends every loop, at once; another loop over it says why not."""
    timer = threading.Timer(0.5, stream.end)
    timer.start()
    count = sum(1 for _ in stream)
    assert count > 3
    timer.join()
    with pytest.raises(errors.NoStreamError, match="ended"):
        iter(stream)


def test_a_loop_that_awaits(stream: Stream) -> None:
    """Async for gives the same, and lets others run meanwhile."""

    async def look() -> tuple[int, int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticking = asyncio.create_task(tick())
        seen = []
        async with asyncio.timeout(30):
            async for picture in stream:
                seen.append(read(picture)[0])
                if len(seen) == 10:
                    await stream.aio.end()
        ticking.cancel()
        assert (await asyncio.gather(ticking, return_exceptions=True))[0]
        assert sorted(set(seen)) == seen
        return len(seen), ticks

    seen, ticks = asyncio.run(look())
    assert seen >= 10
    assert ticks > 5


def test_a_loop_over_a_stream_that_is_lost(keep: Serve) -> None:
    """A connection that breaks for good is no end: the loop raises what is wrong."""
    service = keep("--limit", "lost_socket_seconds=0.5", "--streamers", "1")
    with Line(service.url) as line:
        stream = ody.connect(url=line.url, api_key=service.api_key).start("a forest")
        pictures = iter(stream)
        next(pictures)
        line.cut(down=True)
        with pytest.raises((errors.ConnectionLostError, errors.NoStreamError)) as caught:
            for _ in pictures:
                pass
        assert "conn.stream" in caught.value.hint
        get_manager().release_all("the test is over", budget=5)


def test_a_loop_outlives_a_repair(service: Service) -> None:
    """While the same session is taken up again a loop and a callback wait, and then go on."""
    with Line(service.url) as line:
        stream = ody.connect(url=line.url, api_key=service.api_key).start("a forest")
        handle, pictures = stream.on_frame(lambda _: None), stream.live(timeout=30)
        next(pictures)
        line.cut()
        wait_until(lambda: "reconnecting" in stream.connection.history, what="the loss")
        wait_until(lambda: stream.connection.history[-1] == "connected", what="the repair")
        calls = handle.calls
        numbers = [read(next(pictures))[0] for _ in range(10)]
        assert numbers == sorted(set(numbers))
        wait_until(lambda: handle.calls > calls + 5, what="calls")
        assert handle.running
        get_manager().release_all("the test is over", budget=5)


def test_a_script_that_leaves_a_callback_ends(service: Service) -> None:
    """A callback in the middle of its work keeps no program, and says nothing at its end."""
    script = (
        "import odyssey_nb as ody, sys, time\n"
        "stream = ody.connect(url=sys.argv[1], api_key=sys.argv[2]).start('a forest')\n"
        "slow = stream.on_frame(lambda _: time.sleep(60), name='slow')\n"
        "quick = stream.on_frame(lambda picture: picture.mean())\n"
        "while quick.calls < 5 or slow.time == 0: time.sleep(0.05)\n"
    )
    command = [sys.executable, "-c", script, service.url, service.api_key]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    service.wait_free(seconds=5)


def test_a_callback_gets_pictures(stream: Stream) -> None:
    """It is called on a thread of its own, until it is cancelled; as often as was asked for."""
    seen: list[tuple[int, str]] = []

    @stream.on_frame
    def watch(picture: np.ndarray) -> None:
        """Look."""
        seen.append((read(picture)[0], threading.current_thread().name))

    wait_until(lambda: len(seen) > 10, what="pictures")
    assert (watch.name, watch.__name__, watch.__doc__) == ("watch", "watch", "Look.")
    assert stream.callbacks == {"watch": watch}
    assert stream.statistics()["callbacks"] == 1
    watch.cancel()
    wait_until(lambda: not threads(), what="the thread's end")
    numbers = [number for number, _ in seen]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] - numbers[0] == len(numbers) - 1 + watch.skipped
    assert {name for _, name in seen} == {"odyssey-on-frame watch"}
    assert (watch.state, watch.calls) == ("cancelled", len(seen))
    watch(stream.frame())
    assert len(seen) == len(numbers) + 1, "it is a function still"


def test_every_so_many_and_every_so_often(stream: Stream) -> None:
    """Each fifth picture, or one in a while."""
    fifth: list[int] = []
    seldom: list[float] = []

    @stream.on_frame(every=5)
    def some(picture: np.ndarray) -> None:
        fifth.append(read(picture)[0])

    by_time = stream.on_frame(lambda _: seldom.append(time.monotonic()), seconds=0.4)
    assert by_time.name == "<lambda>"
    wait_until(lambda: len(fifth) >= 5 and len(seldom) >= 4, seconds=20, what="pictures")
    gaps = np.diff(fifth)
    assert gaps.min() >= 5
    assert (gaps == 5).any()
    assert np.diff(seldom).min() > 0.39
    assert by_time.skipped == 0


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"every": 0.5}, "every counts pictures"),
        ({"every": 0}, "every counts pictures"),
        ({"every": True}, "every counts pictures"),
        ({"seconds": 0}, "must be positive"),
        ({"seconds": 1, "every": 2}, "not by both"),
        ({"f": 5}, "takes a function, not int"),
        ({"f": asyncio.sleep}, "cannot await"),
    ],
)
def test_what_no_callback_can_be(stream: Stream, how: dict[str, object], says: str) -> None:
    """The error says in one line what to write."""
    with pytest.raises(errors.UsageError, match=says) as caught:
        stream.on_frame(**{"f": print, **how})
    assert caught.value.hint
    assert not stream.callbacks


def test_running_a_cell_again_replaces_its_callback(
    stream: Stream, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of each name; it is said, and names keep several."""

    def watch(_: object) -> None:
        pass

    first = stream.on_frame(watch)
    second = stream.on_frame(watch)
    assert (first.state, second.state) == ("cancelled", "running")
    assert "on_frame replaced watch" in capsys.readouterr().out
    for _ in range(20):
        second = stream.on_frame(watch)
    wait_until(lambda: len(threads()) == 1, what="the end of those that were replaced")
    capsys.readouterr()
    third = stream.on_frame(watch, name="another")
    assert list(stream.callbacks.values()) == [second, third]
    assert not capsys.readouterr().out
    stream.end()
    over(second)
    over(third)
    assert (second.state, third.state) == ("ended", "ended")
    wait_until(lambda: not threads(), what="the threads' end")


def test_a_callback_that_fails(stream: Stream, capsys: pytest.CaptureFixture[str]) -> None:
    """It is stopped, and one line says where it failed and what to do; others go on."""
    asked: list[int] = []

    def broken(picture: np.ndarray) -> None:
        asked.append(1)
        if len(asked) == 4:
            picture[0, 0] = 5  # they are read-only

    other = stream.on_frame(lambda _: None)
    broken_at = stream.on_frame(broken)
    over(broken_at)
    assert broken_at.state == "failed"
    assert isinstance(broken_at.error, ValueError)
    calls = other.calls
    wait_until(lambda: other.calls > calls + 5, what="more pictures for the other")
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("on_frame: broken failed at call 4 and was stopped: ValueError: ")
    assert f"line {broken.__code__.co_firstlineno + 3}" in said
    assert "Correct it" in said
    assert repr(broken_at).startswith("<on_frame broken: failed, 3 calls")


def test_nobody_asks_and_nothing_is_decoded(stream: Stream) -> None:
    """Without a reader no pictures reach the kernel; with one they do, and stop with it."""
    link = stream.connection.link

    def come(seconds: float) -> int:
        before = link.received
        time.sleep(seconds)
        return link.received - before

    come(0.3)  # what belongs to the start
    assert come(1) < 3000
    assert stream.statistics() == dict.fromkeys(("fetched", "decoded", "converted", "callbacks"), 0)
    handle = stream.on_frame(lambda _: None)
    wait_until(lambda: handle.calls > 20, what="pictures")
    assert stream.statistics()["decoded"] >= handle.calls
    handle.cancel()
    wait_until(lambda: not threads(), what="the thread's end")
    before = stream.statistics()
    assert come(1) < 3000
    assert stream.statistics() == before


def test_a_stream_that_is_over_keeps_no_picture(stream: Stream) -> None:
    """Whoever keeps the stream, as a notebook's Out does, keeps none of its pictures with it."""
    seen = [weakref.ref(stream.frame(each)) for each in ("rgb", "gray", "yuv")]
    stream.end()
    gc.collect()
    assert [each() for each in seen] == [None] * 3
    with pytest.raises(errors.NoStreamError):
        stream.frame()


def test_several_readers_decode_once(stream: Stream) -> None:
    """Two callbacks, a loop and `frame` share what was decoded and converted."""
    handles = [stream.on_frame(lambda _: None, name=str(n)) for n in range(2)]
    for _, _ in zip(range(20), stream, strict=False):
        stream.frame()
    for handle in handles:
        handle.cancel()
    wait_until(lambda: not threads(), what="the threads' end")
    newest = stream.last(0.01)
    counts = stream.statistics()
    streamed = round(newest.times[-1] * 20) + 1
    assert counts["decoded"] <= streamed
    assert counts["converted"] <= counts["decoded"]
    assert counts["fetched"] > counts["decoded"]


def test_seldom_costs_seldom(stream: Stream) -> None:
    """Who takes one picture in a while decodes from a keyframe on, not all that has passed."""
    wait_until(lambda: stream.last(9).duration > 3, what="three seconds")
    stream.frame()
    first = stream.statistics()["decoded"]
    assert first <= 21, "a keyframe a second"
    assert stream.statistics()["converted"] == 1


def test_a_slow_callback_slows_no_view(stream: Stream) -> None:
    """While callbacks sleep, compute and fail, a view gets every picture, and at once."""
    arrived: list[tuple[Picture, float]] = []

    def compute(picture: np.ndarray) -> None:
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            sum(range(1000))

    stop = stream.connection.view(lambda picture: arrived.append((picture, time.time())))
    wait_until(lambda: len(arrived) > 20, what="pictures")
    alone = statistics.median(at - picture.received for picture, at in arrived[-20:])
    slow = [
        stream.on_frame(lambda _: time.sleep(1), name="sleeps"),
        stream.on_frame(compute),
        stream.on_frame(lambda _: 1 / 0, name="fails"),
    ]
    begun = len(arrived)
    wait_until(lambda: min(each.calls for each in slow[:2]) >= 3, seconds=30, what="slow calls")
    wait_until(lambda: slow[0].skipped > 20, seconds=30, what="what the sleeper misses")
    stop()
    during = arrived[begun:]
    seqs = [picture.seq for picture, _ in during]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs))), "every picture"
    delay = statistics.median(at - picture.received for picture, at in during)
    assert delay < alone + 0.25, f"{alone * 1000:.1f} -> {delay * 1000:.1f} ms"
    assert slow[2].state == "failed"


def test_all_of_the_past_comes_in_pieces(stream: Stream) -> None:
    """More than there is is no error: the clip has what was kept, each picture once."""
    wait_until(lambda: len(stream.last(1000)) > 2 * AT_ONCE, seconds=30, what="some past")
    clip = stream.last(1000)
    assert clip.times[0] == 0
    numbers = [read(each)[0] for each in clip.frames]
    assert numbers == list(range(numbers[0], numbers[0] + len(clip)))
    assert len(clip.events) == 1


def test_a_spectator_reads_like_the_owner(service: Service) -> None:
    """A broadcast has arrays, loops and callbacks too, and they end when it ends."""
    conn = ody.connect(url=service.url, api_key=service.api_key)
    stream = conn.start("a red house", broadcast=True)
    wait_until(lambda: stream.broadcast, what="the broadcast")
    live = ody.watch(stream.broadcast)
    handle = live.on_frame(lambda _: None)
    numbers = [read(each)[0] for each in live.frames(5)]
    assert numbers == list(range(numbers[0], numbers[0] + 5))
    assert live.frame("yuv").shape == (1056, 1280)
    wait_until(lambda: handle.calls > 5, what="pictures")
    pictures = iter(live)
    next(pictures)
    threading.Timer(0.2, stream.end).start()
    assert sum(1 for _ in pictures) > 0
    assert over(handle).state == "ended"
    get_manager().release_all("the test is over", budget=5)


def test_in_a_notebook(kernel: Kernel, local_service: Callable[[], Service]) -> None:
    """What a callback prints and why it fails is in its cell; %reset stops it, and no stream."""
    kernel.run("conn = ody.connect(); stream = conn.start('a forest')")
    cell = kernel.client.execute(
        "@stream.on_frame\n"
        "def broken(picture):\n"
        "    print('called')\n"
        "    raise KeyError('nothing')\n"
    )
    heard: dict[str, str] = {}
    while not all(heard.get(name, "").endswith("\n") for name in ("stdout", "stderr")):
        message = kernel.client.get_iopub_msg(timeout=20)
        content = message["content"]
        if message["msg_type"] == "stream" and message["parent_header"]["msg_id"] == cell:
            heard[content["name"]] = heard.get(content["name"], "") + content["text"]
    assert heard["stdout"] == "called\n"
    assert heard["stderr"] == (
        "on_frame: broken failed at call 1 and was stopped: KeyError: 'nothing', at its line 4. "
        "Correct it and run its cell again; what it raised is stream.callbacks['broken'].error.\n"
    )
    assert "failed, 0 calls" in kernel.run("print(stream.callbacks['broken'])")
    kernel.run("def watch(picture): ...\nstream.on_frame(watch)")
    assert "on_frame replaced watch" in kernel.run("stream.on_frame(watch)")
    kernel.run("%reset -f")
    said = kernel.run(
        "import threading, time, odyssey_nb as ody\n"
        "until = time.monotonic() + 10\n"
        "def left(): return [t.name for t in threading.enumerate() if 'on-frame' in t.name]\n"
        "while left() and time.monotonic() < until: time.sleep(0.05)\n"
        "print(left(), ody.status()[0].stream.active)"
    )
    assert "[] True" in said
    kernel.run("ody.disconnect()")
    local_service().wait_free()
