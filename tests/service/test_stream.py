"""The stream engine with worlds that fail in every way, and a real encoder."""

from __future__ import annotations

import asyncio
import base64
import io
import threading
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from odyssey_nb.media.h264 import CLOCK_RATE, Decoder, is_keyframe
from odyssey_nb.service import expansion
from odyssey_nb.service.stream import Hub, KeyframeClock, StreamEngine
from odyssey_nb.service.worlds.test_pattern import TestPattern, prompt_hash, read
from odyssey_nb.wire import stream as wire
from odyssey_nb.wire.streamer import (
    EndStream,
    StartDecision,
    StreamBegan,
    StreamOver,
    StreamSteered,
)
from tests.service.raw_client import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import numpy as np
    from numpy.typing import NDArray

    from odyssey_nb.service.worlds.base import Planes

START = wire.InteractiveStreamStart(prompt="a world", portrait=False)
END = wire.InteractiveStreamEnd()


class World(TestPattern):
    """Does what its prompts say: fail to begin, to paint or to be steered, or take its time."""

    patience = threading.Event()  # what a slow world waits for

    def __init__(
        self,
        *,
        width: int,
        height: int,
        prompt: str,
        seed: int,
        image: NDArray[np.uint8] | None = None,
    ) -> None:
        if "fail to begin" in prompt:
            raise RuntimeError("this world does not begin")
        if "wait at once" in prompt:
            assert World.patience.wait(5)
        super().__init__(width=width, height=height, prompt=prompt, seed=seed, image=image)
        self.prompt = prompt

    def steer(self, prompt: str) -> None:
        """Fail, wait or steer."""
        if "fail to steer" in prompt:
            raise RuntimeError("this world is not steered")
        if "wait" in prompt:
            assert World.patience.wait(5)
        self.prompt = prompt
        super().steer(prompt)

    def paint(self, planes: Planes, *, step: int, time: float) -> None:
        """Fail or paint."""
        if "fail at once" in self.prompt or ("fail to paint" in self.prompt and step >= 3):
            raise RuntimeError("this world has no pictures")
        super().paint(planes, step=step, time=time)


@dataclass
class Bench:
    """An engine and all that comes out of it."""

    engine: StreamEngine
    hub: Hub
    told: asyncio.Queue[Any]
    reports: list[Any] = field(default_factory=list)
    pictures: list[tuple[bytes, int, bool]] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def open(cls, decision: StartDecision | None = None) -> AsyncIterator[Bench]:
        """Run an engine whose control plane decides every start alike."""

        async def may_start(_start: wire.InteractiveStreamStart) -> StartDecision:
            return decision or StartDecision()

        hub, told, reports = Hub(), asyncio.Queue[Any](), list[Any]()
        engine = StreamEngine(
            World, hub, may_start=may_start, tell=told.put_nowait, report=reports.append
        )
        bench = cls(engine, hub, told, reports)
        hub.add(lambda *picture: bench.pictures.append(picture))
        running = asyncio.create_task(engine.run())
        try:
            yield bench
        finally:
            running.cancel()
            await asyncio.wait([running])
            over = [each for each in reports if isinstance(each, StreamOver)]
            began = [each for each in reports if isinstance(each, StreamBegan)]
            assert [each.stream_id for each in over] == [each.stream_id for each in began]
            await until(lambda: not world_threads(), seconds=2)

    async def ask(self, command: Any) -> Any:
        """Give a command and return the answer."""
        self.engine.take(command)
        return await self.answer()

    async def answer(self) -> Any:
        """Wait for what the client is told next."""
        async with asyncio.timeout(5):
            return await self.told.get()

    async def see(self, count: int) -> None:
        """Wait until there are so many pictures."""
        await until(lambda: len(self.pictures) >= count, seconds=5)


def world_threads() -> list[str]:
    """Return the names of the threads that worlds run on."""
    return [each.name for each in threading.enumerate() if each.name.startswith("world")]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """An engine without a time limit."""
    World.patience.clear()
    async with Bench.open() as bench:
        yield bench
        World.patience.set()


async def works(bench: Bench) -> None:
    """Check that the connection is usable: a stream starts, is steered, shows and ends."""
    started = await bench.ask(START)
    assert started.type == "stream_started"
    assert await bench.ask(wire.Update(prompt="on")) == wire.UpdateAcknowledged(prompt="on")
    await bench.see(len(bench.pictures) + 2)
    assert await bench.ask(END) == wire.StreamEnded()


async def test_reports(bench: Bench) -> None:
    """The control plane hears of each beginning, steering and end."""
    started = await bench.ask(START)
    await bench.ask(wire.Update(prompt="on"))
    await bench.ask(END)
    began, steered, over = bench.reports
    assert began == StreamBegan(
        stream_id=started.stream_id, prompt="a world", width=1280, height=704
    )
    assert steered == StreamSteered(prompt="on")
    assert (over.stream_id, over.reason) == (started.stream_id, "client")


async def test_pictures_are_made_before_the_start_is_answered(bench: Bench) -> None:
    """The first picture is there when the client hears of the stream, and can be decoded alone."""
    await bench.ask(START)
    data, _, key = bench.pictures[0]
    assert key
    assert is_keyframe(data)
    frame = Decoder().decode(data)
    assert frame is not None
    assert read(frame.to_ndarray(format="rgb24")) == (0, prompt_hash("a world"))


async def test_every_picture_is_encoded_once(bench: Bench) -> None:
    """Whenever a stream ends, and with any number of outlets, encodes equal pictures."""
    more: list[bytes] = []
    bench.hub.add(lambda data, *_: more.append(data))
    for count in range(8):
        before = len(bench.pictures)
        await bench.ask(START)
        await bench.see(before + 1 + count % 3)
        # From one end to the next, ends fall at other moments of a picture's making.
        await asyncio.sleep(count * 0.006)
        await bench.ask(END)
        over = bench.reports[-1]
        assert over.encodes_total == over.pictures_total
        shown = len(bench.pictures) - before
        assert over.pictures_total - shown in (0, 1)  # one may be made that nobody waits for
    assert more == [data for data, _, _ in bench.pictures]


async def test_timestamps_grow_across_streams(bench: Bench) -> None:
    """The track's clock runs on from stream to stream, at 90 kHz."""
    for _ in range(2):
        await bench.ask(START)
        await bench.see(len(bench.pictures) + 5)
        await bench.ask(END)
    stamps = [stamp for _, stamp, _ in bench.pictures]
    assert stamps == sorted(set(stamps))
    assert 4 * 4500 * 0.5 < stamps[4] - stamps[0] < 4 * 4500 * 4


async def test_a_world_has_its_own_rate(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A world that says so is live at its own rate, with a keyframe every second all the same."""
    monkeypatch.setattr(World, "pictures_per_second", 5, raising=False)
    await bench.ask(START)
    await bench.see(7)
    stamps = [stamp for _, stamp, _ in bench.pictures]
    assert stamps[6] - stamps[0] >= 6 * CLOCK_RATE / 5 - 1
    assert [key for *_, key in bench.pictures[:7]] == [True, *[False] * 4, True, False]


@pytest.mark.parametrize("prompt", ["fail to begin", "fail at once"])
async def test_world_that_does_not_start(bench: Bench, prompt: str) -> None:
    """A world that fails before its first picture fails the start, and only that."""
    refused = await bench.ask(wire.InteractiveStreamStart(prompt=prompt))
    assert (refused.type, refused.reason) == ("interactive_stream_error", "world_failed")
    assert bench.reports == []
    await works(bench)


async def test_world_that_stops_painting(bench: Bench) -> None:
    """A world that fails later ends its stream with the reason, then stream_ended, unasked."""
    await bench.ask(wire.InteractiveStreamStart(prompt="fail to paint"))
    problem = await bench.answer()
    assert (problem.type, problem.reason) == ("interactive_stream_error", "world_failed")
    assert await bench.answer() == wire.StreamEnded()
    assert bench.reports[-1].reason == "world_failed"
    assert bench.reports[-1].pictures_total == bench.reports[-1].encodes_total == 3
    await works(bench)


async def test_world_that_is_not_steered(bench: Bench) -> None:
    """A world that refuses a prompt fails that update; the stream goes on."""
    await bench.ask(START)
    refused = await bench.ask(wire.Update(prompt="fail to steer"))
    assert (refused.type, refused.reason) == ("interactive_stream_error", "world_failed")
    count = len(bench.pictures)
    await bench.see(count + 2)
    assert (await bench.ask(wire.Update(prompt="on"))).type == "update_acknowledged"
    assert await bench.ask(END) == wire.StreamEnded()
    assert bench.reports[-1].reason == "client"


async def test_time_limit() -> None:
    """A stream ends by itself at its limit, and the next has a limit of its own."""
    async with Bench.open(StartDecision(seconds=0.3, message="enough")) as bench:
        for _ in range(2):
            assert (await bench.ask(START)).type == "stream_started"
            problem = await bench.answer()
            assert problem.reason == "session_timeout"
            assert await bench.answer() == wire.StreamEnded()
            assert bench.reports[-1].reason == "session_timeout"


async def test_a_refused_start() -> None:
    """What the control plane refuses is told in its words, and costs nothing else."""
    refused = StartDecision(refused="quota_exceeded", message="the month is used up")
    async with Bench.open(refused) as bench:
        problem = await bench.ask(START)
        assert (problem.reason, problem.message) == ("quota_exceeded", "the month is used up")
        assert bench.reports == []


async def test_ended_from_the_service(bench: Bench) -> None:
    """The control plane can end a stream, and without one nothing is said."""
    over = EndStream(reason="duration_limit_reached", message="an hour has passed")
    bench.engine.take(over)
    await bench.ask(START)
    problem = await bench.ask(over)
    assert (problem.reason, problem.message) == ("duration_limit_reached", "an hour has passed")
    assert await bench.answer() == wire.StreamEnded()
    await works(bench)


async def test_commands_wait_their_turn_up_to_a_number(bench: Bench) -> None:
    """While the world is busy, up to 64 commands wait in order, and further ones are refused."""
    await bench.ask(START)
    bench.engine.take(wire.Update(prompt="wait"))
    await asyncio.sleep(0)
    await until(lambda: bench.engine._inbox.empty())
    for number in range(64):
        bench.engine.take(wire.Update(prompt=f"number {number}"))
    refused = await bench.ask(wire.Update(prompt="one too many"))
    assert (refused.type, refused.reason) == ("interactive_stream_error", "too_many_requests")
    bench.engine.take(END)
    World.patience.set()
    prompts = [(await bench.answer()).prompt for _ in range(65)]
    assert prompts == ["wait", *(f"number {number}" for number in range(64))]
    assert await bench.answer() == wire.StreamEnded(), "an end always finds room"


async def test_a_world_that_hangs(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A world that does not take a prompt in time is given up; its streamer serves on."""
    monkeypatch.setattr("odyssey_nb.service.stream.ANSWER_SECONDS", 0.2)
    await bench.ask(START)
    World.patience.clear()
    problem = await bench.ask(wire.Update(prompt="wait"))
    assert (problem.type, problem.reason) == ("interactive_stream_error", "world_failed")
    assert await bench.answer() == wire.StreamEnded()
    World.patience.set()
    await works(bench)


async def test_a_world_that_hangs_as_it_begins(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start is answered, whatever its world does."""
    monkeypatch.setattr("odyssey_nb.service.stream.BEGIN_SECONDS", 0.2)
    World.patience.clear()
    refused = await bench.ask(wire.InteractiveStreamStart(prompt="wait at once"))
    assert (refused.type, refused.reason) == ("interactive_stream_error", "world_failed")
    World.patience.set()
    monkeypatch.undo()
    await works(bench)


async def test_cancelled_while_the_world_is_busy() -> None:
    """A client that leaves while the world hangs does not wait for it, and the end is reported."""
    World.patience.clear()
    async with Bench.open() as bench:
        await bench.ask(START)
        bench.engine.take(wire.Update(prompt="wait"))
        await until(lambda: bench.engine._inbox.empty())
        World.patience.set()
    assert bench.reports[-1].reason == "disconnected"


@given(rate=st.integers(1, 60), wanted=st.lists(st.booleans(), min_size=1, max_size=300))
def test_keyframe_clock(rate: int, wanted: list[bool]) -> None:
    """The first picture is a keyframe, one a second follows, and few more can be forced."""
    clock = KeyframeClock(rate)
    keys = [step for step, want in enumerate(wanted) if clock.is_due(step, wanted=want)]
    assert keys[0] == 0
    gaps = [later - earlier for earlier, later in pairwise(keys)]
    assert all(gap <= rate for gap in gaps)
    assert len(wanted) - keys[-1] <= rate
    for step in keys[1:]:
        previous = max(key for key in keys if key < step)
        assert wanted[step] or step - previous == rate
    for start in range(len(wanted)):
        assert len([key for key in keys if start <= key < start + rate]) <= 3


def test_keyframe_on_request() -> None:
    """A request is answered by the very next picture, and a burst of them by just one keyframe."""
    clock = KeyframeClock(20)
    due: Callable[[int, bool], bool] = lambda step, want: clock.is_due(step, wanted=want)  # noqa: E731
    assert [step for step in range(40) if due(step, 5 <= step < 20)] == [0, 5, 25]


async def test_a_narrow_line(bench: Bench) -> None:
    """What the line takes is what the encoder makes, and on a narrow one the rate halves."""
    await bench.ask(START)
    bench.hub.line.bitrate, bench.hub.line.is_narrow = 300_000, True
    at = len(bench.pictures)
    await until(lambda: sum(key for _, _, key in bench.pictures[at:]) >= 4, seconds=20)
    assert bench.engine._stream is not None
    assert bench.engine._stream.encoder.bitrate == 300_000
    keys = [number for number, (_, _, key) in enumerate(bench.pictures) if key and number >= at]
    # Still a keyframe a second, with half as many pictures from one to the next.
    assert [later - earlier for earlier, later in pairwise(keys)] == [10] * (len(keys) - 1)
    assert await bench.ask(END) == wire.StreamEnded()


async def test_keyframe_request_reaches_the_encoder(bench: Bench) -> None:
    """A viewer that asks gets a keyframe with the next pictures, not a second later."""
    await bench.ask(START)
    await bench.see(4)
    at = len(bench.pictures)
    bench.hub.request_keyframe()
    await bench.see(at + 3)
    assert any(key for _, _, key in bench.pictures[at : at + 3])
    assert await bench.ask(END) == wire.StreamEnded()


def with_image(prompt: str, size: tuple[int, int] = (64, 64)) -> wire.InteractiveStreamStart:
    """Return a start from a plain image."""
    file = io.BytesIO()
    Image.new("RGB", size, "teal").save(file, "PNG")
    url = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    return replace(START, prompt=prompt, input_image_base64=url)


async def test_image_for_a_world_that_takes_none(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A world that starts from no image says so instead of leaving it out."""
    monkeypatch.setattr(World, "takes_images", False)
    assert (await bench.ask(with_image("one"))).reason == "image_not_supported"
    monkeypatch.undo()
    assert (await bench.ask(with_image("one"))).type == "stream_started"


async def test_images_do_not_pile_up(bench: Bench) -> None:
    """While one image is at work one more may wait; any further one is refused at once."""
    bench.engine.take(with_image("wait at once"))
    await until(world_threads, seconds=2)
    bench.engine.take(with_image("the second"))
    assert (await bench.ask(with_image("the third"))).reason == "too_many_requests"
    World.patience.set()
    assert (await bench.answer()).type == "stream_started"
    assert (await bench.answer()).reason == "stream_already_active"
    assert (await bench.ask(END)).type == "stream_ended"
    assert (await bench.ask(with_image("the fourth"))).type == "stream_started"


@pytest.mark.parametrize("bypass", [True, False, None])
async def test_expansion_and_its_bypass(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, bypass: bool | None
) -> None:
    """A world that wants it gets more than was said, and the client hears what; bypassed, not."""
    monkeypatch.setattr(World, "expands_prompts", True, raising=False)
    started = await bench.ask(replace(START, prompt=" a  cat", bypass_vlm_expansion=bypass))
    assert started.applied_prompt == ("a cat" if bypass else expansion.expand("a cat"))
    update = await bench.ask(wire.Update(prompt="it is  wet"))
    assert update.prompt == ("it is wet" if bypass else expansion.expand_update("it is wet"))
    began, steered = bench.reports
    assert (began.prompt, steered.prompt) == (started.applied_prompt, update.prompt)
    await until(
        lambda: (
            read(Decoder().decode(bench.pictures[-1][0]).to_ndarray(format="rgb24"))[1]
            == prompt_hash(update.prompt)
            if bench.pictures[-1][2]
            else False
        ),
        seconds=5,
    )
