"""The client against a whole service: what it promises when all is well, and when it is not."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import psutil
import pytest
from PIL import Image

from odyssey_nb import errors
from odyssey_nb.client.client import AsyncClient
from odyssey_nb.client.control import Control
from odyssey_nb.media.h264 import Decoder
from odyssey_nb.service.worlds.test_pattern import prompt_hash, read
from odyssey_nb.wire.link import Picture, SessionGranted, StatusChanged, StreamChanged
from odyssey_nb.wire.script import gather
from tests.conftest import API_KEY
from tests.service.raw_client import until
from tests.service.running import OTHER_KEY, running, streamers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from odyssey_nb.wire.link import Event
    from tests.conftest import Service

WHOLE_LIFE = ["authenticating", "connecting", "connected", "disconnected"]


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that waits half a second for a socket that is gone."""
    directory = tmp_path_factory.mktemp("forgetful")
    with running(directory, "--limit", "lost_socket_seconds=0.5") as service:
        yield service


def connect(service: Service, **options: object) -> AbstractAsyncContextManager[AsyncClient]:
    """Open a client of the service."""
    return AsyncClient.open(service.url, API_KEY, **options)  # type: ignore[arg-type]


@asynccontextmanager
async def settled(service: Service) -> AsyncIterator[None]:
    """Check that the body leaves no session and no task behind."""
    before = asyncio.all_tasks()
    yield
    await until(lambda: service.held == 0, seconds=1)
    await until(lambda: asyncio.all_tasks() <= before, seconds=1)


async def test_the_whole_way(shared: Service) -> None:
    """Connect, start, interact, end, start again, disconnect: statuses, events and pictures."""
    events: list[Event] = []
    pictures: list[Picture] = []
    async with (
        settled(shared),
        connect(shared, name="mine", on_event=events.append, on_picture=pictures.append) as client,
    ):
        assert client.history == WHOLE_LIFE[:-1]
        (session,) = shared.sessions()
        assert session["session_id"] == client.session_id
        async with client.stream("a  red house") as stream:
            assert stream.prompt == "a red house"
            assert shared.sessions()[0]["stream_id"] == stream.id
            assert await stream.interact("at night") == stream.prompt == "at night"
            count = len(pictures)
            await until(lambda: len(pictures) > count + 3)
        tall = await client.start("a tower", orientation="portrait")
        await until(lambda: [each for each in pictures if each.stream == 2])
        await tall.end()
        await tall.end()
    assert client.history == WHOLE_LIFE
    assert {each.connection for each in events} == {"mine"}
    told = [each.status for each in events if isinstance(each, StatusChanged) and not each.message]
    assert told == ["authenticating", "connected", "disconnected"]
    (granted,) = [each for each in events if isinstance(each, SessionGranted)]
    assert (granted.session_id, granted.stream_seconds) == (client.session_id, 150)
    changes = [
        (each.stream, each.state, each.prompt, each.reason)
        for each in events
        if isinstance(each, StreamChanged)
    ]
    assert changes == [
        (1, "starting", "a  red house", ""),
        (1, "streaming", "a red house", ""),
        (1, "streaming", "at night", ""),
        (1, "ending", "", ""),
        (1, "none", "", "ended"),
        (2, "starting", "a tower", ""),
        (2, "streaming", "a tower", ""),
        (2, "ending", "", ""),
        (2, "none", "", "ended"),
    ]


async def test_pictures(shared: Service) -> None:
    """Pictures are numbered without gaps from a keyframe on, and decode to what was asked for."""
    pictures: list[Picture] = []
    async with (
        connect(shared, on_picture=pictures.append) as client,
        client.stream("a red house", orientation="portrait"),
    ):
        await until(lambda: len(pictures) >= 25)
    assert [each.seq for each in pictures] == list(range(1, len(pictures) + 1))
    assert pictures[0].key
    assert len([each for each in pictures if each.key]) >= 2
    assert all(each.follows in (0, each.seq - 1) for each in pictures)
    times = [each.time for each in pictures]
    assert times[0] == 0
    assert times == sorted(set(times))
    assert abs(times[20] - 1) < 0.5
    decoder, steps = Decoder(), []
    for each in pictures:
        frame = decoder.decode(each.data)
        assert frame is not None
        assert (frame.width, frame.height) == (704, 1280)
        step, digest = read(frame.to_ndarray(format="rgb24"))
        assert digest == prompt_hash("a red house")
        steps.append(step)
    assert steps == list(range(steps[0], steps[0] + len(steps)))


async def test_keyframe_on_request(shared: Service) -> None:
    """A keyframe that is asked for comes long before the next regular one."""
    pictures: list[Picture] = []
    async with (
        connect(shared, on_picture=pictures.append) as client,
        client.stream("something"),
    ):
        await until(lambda: len([each for each in pictures if each.key]) >= 2)
        await until(lambda: not pictures[-1].key)
        client.want_keyframe()
        keys = [each.seq for each in pictures if each.key]
        await until(lambda: [each for each in pictures if each.key and each.seq > keys[-1]])
        later = next(each for each in pictures if each.key and each.seq > keys[-1])
        assert later.seq - keys[-1] < 20


async def test_interacts_come_back_in_order(shared: Service) -> None:
    """Interacts that are called together each return their own prompt."""
    async with settled(shared), connect(shared) as client, client.stream("something") as stream:
        prompts = [f"prompt number {number}" for number in range(12)]
        answers = await asyncio.gather(*(stream.interact(f"  {prompt} ") for prompt in prompts))
        assert answers == prompts


async def test_wrong_order(shared: Service) -> None:
    """What cannot be done now is refused at once by type, and the connection goes on."""
    async with settled(shared), connect(shared) as client:
        with pytest.raises(errors.NoStreamError):
            await client.interact("too early")
        await client.end()
        for prompt in ("", " \n"):
            with pytest.raises(errors.EmptyPromptError):
                await client.start(prompt)
        stream = await client.start("something")
        with pytest.raises(errors.EmptyPromptError):
            await stream.interact(" ")
        with pytest.raises(errors.StreamActiveError):
            await client.start("something else")
        assert await stream.interact("still there") == "still there"
        await stream.end()
        with pytest.raises(errors.NoStreamError):
            await stream.interact("too late")
        assert (await client.start("again")).prompt == "again"
    with pytest.raises(errors.ConnectionLostError):
        await client.start("after the connection")
    with pytest.raises(errors.ConnectionLostError):
        await client.interact("after the connection")


async def test_wrong_key(shared: Service) -> None:
    """A key that the service does not know is an AuthError, and the statuses say so."""
    statuses: list[str] = []

    def note(event: Event) -> None:
        if isinstance(event, StatusChanged):
            statuses.append(event.status)

    async with settled(shared):
        with pytest.raises(errors.AuthError) as caught:
            async with AsyncClient.open(shared.url, "ody_wrong", on_event=note):
                raise AssertionError("connected with a wrong key")
    assert statuses == ["authenticating", "failed", "disconnected"]
    assert "ody_wrong" not in str(caught.value)


async def test_service_down() -> None:
    """Where nobody listens, connecting fails with a ConnectError, quickly."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(errors.ConnectError, match="nothing answers"):
            async with AsyncClient.open(url, API_KEY, timeout=5):
                raise AssertionError("connected to nothing")
        assert time.monotonic() - began < 5


async def test_deadline() -> None:
    """A service that accepts and never answers is given up at the deadline."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(errors.ConnectError):
            async with AsyncClient.open(url, API_KEY, timeout=0.3):
                raise AssertionError("connected to silence")
        assert 0.2 < time.monotonic() - began < 1.5


async def test_no_streamer(shared: Service) -> None:
    """While every streamer is held, the client waits as long as it may, and takes one set free."""
    async with settled(shared), AsyncClient.open(shared.url, OTHER_KEY), AsyncExit() as exit_:
        await exit_.enter(connect(shared))
        began = time.monotonic()
        with pytest.raises(errors.NoStreamerError):
            async with connect(shared, queue_timeout=1.2):
                raise AssertionError("connected to a streamer that somebody has")
        assert 0.9 < time.monotonic() - began < 3
        waiting = asyncio.create_task(connected_once(shared))
        await asyncio.sleep(0.1)
        await exit_.leave()
        async with asyncio.timeout(8):
            assert await waiting == WHOLE_LIFE


class AsyncExit:
    """A client that is left before its block ends."""

    async def __aenter__(self) -> AsyncExit:
        return self

    async def enter(self, block: AbstractAsyncContextManager[AsyncClient]) -> None:
        """Enter `block`."""
        self._block: AbstractAsyncContextManager[AsyncClient] | None = block
        await block.__aenter__()

    async def leave(self) -> None:
        """Leave it, once."""
        block, self._block = self._block, None
        if block is not None:
            await block.__aexit__(None, None, None)

    async def __aexit__(self, *_: object) -> None:
        await self.leave()


async def connected_once(service: Service) -> list[str]:
    """Connect, disconnect, and return the history."""
    async with connect(service) as client:
        pass
    return client.history


async def test_account_limit(tmp_path: Path) -> None:
    """Over the account's limit, connecting fails at once with the limit's own type."""
    place = tmp_path / "place"
    place.mkdir()
    with running(place, "--limit", "concurrent_streams=1") as service:
        async with settled(service), connect(service):
            began = time.monotonic()
            with pytest.raises(errors.ConcurrentLimitError) as caught:
                async with connect(service):
                    raise AssertionError("connected beyond the limit")
            assert time.monotonic() - began < 1
            assert "Maximum concurrent sessions (1) reached" in str(caught.value)


async def test_stream_limit(tmp_path: Path) -> None:
    """A stream that reaches its limit is over for that reason, and a new one can start."""
    place = tmp_path / "place"
    place.mkdir()
    events: list[Event] = []
    with running(place, "--limit", "stream_seconds=1") as service:
        async with settled(service), connect(service, on_event=events.append) as client:
            for _ in range(2):
                stream = await client.start("something")
                count = 0
                with pytest.raises((errors.StreamLimitError, errors.NoStreamError)):
                    while True:
                        assert await stream.interact(f"prompt {count}") == f"prompt {count}"
                        count += 1
                assert count > 3
                await until(lambda: client.stream_state == "none")
                over = [each for each in events if isinstance(each, StreamChanged)][-1]
                assert (over.state, over.reason) == ("none", "session_timeout")
            await client.start("a third")
            await client.end()
            over = [each for each in events if isinstance(each, StreamChanged)][-1]
            assert over.reason == "ended"


async def test_the_privilege_to_bypass(shared: Service) -> None:
    """Whoever may not bypass the expansion is told so by a type of its own; who may, may."""
    async with connect(shared) as client:
        with pytest.raises(errors.PrivilegeError, match="may not bypass") as raised:
            await client.start("a forest", bypass_expansion=True)
        assert "bypass_expansion" in raised.value.hint
        await client.start("a forest")
    script = gather([(0, "start", "a"), (1, "end")])
    async with Control.open(shared.url, API_KEY) as control:
        with pytest.raises(errors.PrivilegeError):
            await control.simulate(script, portrait=False, bypass=True)

    command = [sys.executable, "-m", "odyssey_nb.cli", "keys", "create", "--account", "privileged",
               "--may-bypass", "--data-dir", str(shared.data_dir)]  # fmt: skip
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    (key,) = re.findall(r"^ody_\S+$", done.stdout, re.M)
    async with (
        AsyncClient.open(shared.url, key) as client,
        client.stream("a forest", bypass_expansion=True) as stream,
    ):
        assert stream.prompt == "a forest"


async def test_cancelled_at_any_moment(shared: Service) -> None:
    """Cancelling open() at any moment leaves no session, no task, and no wrong status."""
    statuses: list[str] = []

    def note(event: Event) -> None:
        if isinstance(event, StatusChanged) and event.status not in statuses[-1:]:
            statuses.append(event.status)

    async def open_and_wait() -> None:
        async with connect(shared, on_event=note):
            await asyncio.Event().wait()

    reached = set()
    for instant in range(17):
        statuses.clear()
        async with settled(shared):
            opening = asyncio.create_task(open_and_wait())
            if 0 < instant < 16:
                await asyncio.sleep(0.0004 * 1.6**instant)  # up to half a second, denser at first
            elif instant == 16:
                await until(lambda: "connected" in statuses, seconds=30)
            opening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await opening
        assert statuses in (WHOLE_LIFE, ["authenticating", "connecting", "disconnected"],
                            ["authenticating", "disconnected"], []), instant  # fmt: skip
        reached.add(len(statuses))
    assert {0, len(WHOLE_LIFE)} <= reached


@pytest.mark.parametrize("stage", ["waiting for a streamer", "opening the session", "negotiating"])
async def test_cancelled_at_each_stage(shared: Service, stage: str) -> None:
    """Cancelling in each of the stages that open() tells about frees the session."""
    for turns in (0, 1, 3):
        async with settled(shared):
            began = asyncio.Event()

            def note(event: Event, began: asyncio.Event = began) -> None:
                if isinstance(event, StatusChanged) and event.message.startswith(stage):
                    began.set()

            async def open_and_wait(note: object = note) -> None:
                async with connect(shared, on_event=note):
                    await asyncio.Event().wait()

            opening = asyncio.create_task(open_and_wait())
            await began.wait()
            for _ in range(turns):
                await asyncio.sleep(0)
            opening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await opening


async def test_streamer_dies_while_something_waits(shared: Service) -> None:
    """When the streamer dies, whatever waits on it fails, and the block can be left."""
    async with settled(shared):
        await until(lambda: len(streamers(shared.pid)) == 1)
        async with connect(shared) as client:
            serving = streamers(shared.pid)[0]
            stream = await client.start("doomed")
            serving.suspend()
            waiting = [asyncio.create_task(stream.interact(str(number))) for number in range(3)]
            ending = asyncio.create_task(stream.end())
            await asyncio.sleep(0)
            serving.kill()
            for each in [*waiting, ending]:
                with pytest.raises(errors.ConnectionLostError):
                    async with asyncio.timeout(3):
                        await each
            assert client.status == "failed"
            assert isinstance(client.lost.result(), errors.ConnectionLostError)
            with pytest.raises(errors.ConnectionLostError):
                await client.start("once more")
    assert client.history == [*WHOLE_LIFE[:-1], "failed", "disconnected"]


async def test_service_dies(tmp_path: Path) -> None:
    """When the service dies, the client notices at once, and leaving takes no time."""
    place = tmp_path / "place"
    place.mkdir()
    with running(place) as service:
        async with connect(service) as client:
            await client.start("something")
            service.process.kill()
            await until(lambda: client.status == "reconnecting", seconds=2)
            began = time.monotonic()
        assert time.monotonic() - began < 3


async def test_failing_body(shared: Service) -> None:
    """An error in the block comes out as itself, and the slot is free all the same."""
    async with settled(shared):
        with pytest.raises(ZeroDivisionError):
            async with connect(shared) as client, client.stream("something"):
                raise ZeroDivisionError
    assert client.history == WHOLE_LIFE
    async with settled(shared):
        with pytest.raises(errors.StreamError, match="mine"):
            async with connect(shared):
                raise errors.StreamError("mine")


async def test_leaving_frees_at_once(shared: Service) -> None:
    """Leaving the block mid-stream ends stream and session, well within a second."""
    await until(lambda: len(streamers(shared.pid)) == 1)
    async with connect(shared) as client:
        await client.start("never ended")
        began = time.monotonic()
    assert time.monotonic() - began < 1.5
    await until(lambda: shared.held == 0, seconds=0.5)


async def test_unanswered_interact(shared: Service) -> None:
    """An interact that is given up leaves its answer behind, and the next gets its own."""
    await until(lambda: len(streamers(shared.pid)) == 1)
    async with settled(shared), connect(shared) as client, client.stream("something") as stream:
        serving = streamers(shared.pid)[0]
        serving.suspend()
        with pytest.raises(errors.AnswerTimeoutError):
            await stream.interact("given up", timeout=0.1)
        serving.resume()
        assert await stream.interact("the next") == "the next"


def fds() -> int:
    """Return how many descriptors this process has open."""
    return psutil.Process().num_fds()


async def test_nothing_leaks(shared: Service) -> None:
    """Threads, tasks and descriptors stay as they are over ten connections."""

    async def once() -> None:
        pictures: list[Picture] = []
        async with (
            connect(shared, on_picture=pictures.append) as client,
            client.stream("something"),
        ):
            await until(lambda: len(pictures) > 0)

    await once()  # what is made once and kept
    before = threading.active_count(), len(asyncio.all_tasks()), fds()
    for _ in range(10):
        await once()

    def counts() -> tuple[int, int, int]:
        return threading.active_count(), len(asyncio.all_tasks()), fds()

    await until(lambda: all(now <= then for now, then in zip(counts(), before, strict=True)))


ABANDON = """
import asyncio, os, signal, sys
from odyssey_nb.client.client import AsyncClient

async def main():
    block = AsyncClient.open(sys.argv[1], sys.argv[2])
    client = await block.__aenter__()
    await client.start("something")
    print("leaving", flush=True)
    if sys.argv[3] == "raise":
        raise SystemExit(3)
    if sys.argv[3] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@pytest.mark.parametrize(("how", "status"), [("return", 0), ("raise", 3), ("kill", -9)])
async def test_abandoned_client(forgetful: Service, how: str, status: int) -> None:
    """A script that closes nothing ends within five seconds, and its slot is freed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ABANDON, forgetful.url, API_KEY, how,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            assert await process.stdout.readline() == b"leaving\n"
        async with asyncio.timeout(5):
            assert await process.wait() == status
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    await until(lambda: forgetful.held == 0, seconds=2)


async def test_finds_the_running_service(shared: Service, machine: Path) -> None:
    """Without a URL, the client wants a local service that says where it is."""
    with pytest.raises(errors.ConnectError, match="no local service runs"):
        async with AsyncClient.open():
            raise AssertionError("connected to nothing")


async def shows(pictures: list[Picture], colour: tuple[int, int, int]) -> None:
    """Wait until a picture has that colour below its strip of squares."""

    def is_shown() -> bool:
        if not pictures or not pictures[-1].key:
            return False
        frame = Decoder().decode(pictures[-1].data)
        return bool(abs(frame.to_ndarray(format="rgb24")[300, -60].astype(int) - colour).max() < 20)

    await until(is_shown, seconds=5)


async def test_start_from_an_image(shared: Service) -> None:
    """The first pictures show the image; one that is refused leaves the connection usable."""
    pictures: list[Picture] = []
    teal = (20, 120, 130)
    image = Image.new("RGB", (300, 200), teal)
    async with settled(shared), connect(shared, on_picture=pictures.append) as client:
        assert client.takes_images
        with pytest.raises(errors.ImageError, match="no image at"):
            await client.start("a wall", image="no/such/file")
        with pytest.raises(errors.ImageError, match="no image that can be read here"):
            await client.start("a wall", image="data:image/png;base64,AAAA")
        assert client.stream_state == "none"
        async with client.stream("a wall", image=image) as stream:
            assert stream.prompt == "a wall"
            await shows(pictures, teal)


async def test_image_where_none_is_taken(shared: Service) -> None:
    """Where the session says that it takes no images, none is sent."""
    async with settled(shared), connect(shared) as client:
        client.takes_images = False
        with pytest.raises(errors.ImageError, match="start from no image"):
            await client.start("a wall", image=Image.new("RGB", (9, 9)))
        assert client.stream_state == "none"


@pytest.mark.parametrize("words", [1_000, 40_000], ids=["channel", "socket"])
async def test_prompts_of_any_size_start(shared: Service, words: int) -> None:
    """A prompt that no data channel takes goes over the WebSocket, and is answered all the same."""
    pictures: list[Picture] = []
    prompt = " ".join(["misty", "été"] * (words // 2))
    async with (
        settled(shared),
        connect(shared, on_picture=pictures.append) as client,
        client.stream(prompt) as stream,
    ):
        assert prompt.startswith(stream.prompt.removesuffix("…"))
        await until(lambda: pictures, seconds=5)
        frame = Decoder().decode(pictures[0].data)
        assert read(frame.to_ndarray(format="rgb24"))[1] == prompt_hash(prompt)
