"""Commands and their answers, which have no ids: none waits for ever, none takes another's."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odyssey_nb import errors
from odyssey_nb.client.stream import Exchange, stream_error
from odyssey_nb.wire import stream as wire

if TYPE_CHECKING:
    from collections.abc import Coroutine


class Line:
    """Notes what is sent; answers are given by the test."""

    def __init__(self) -> None:
        self.exchange: Exchange[str] = Exchange("interact")
        self.sent: list[str] = []

    async def send(self, message: wire.FromClient) -> None:
        """Take a message."""
        assert isinstance(message, wire.Update)
        self.sent.append(message.prompt)

    def ask(self, prompt: str, *, timeout: float = 5) -> Coroutine[None, None, str]:
        """Ask."""
        return self.exchange.ask(self.send, wire.Update(prompt=prompt), timeout=timeout)

    async def asking(self, *prompts: str) -> list[asyncio.Task[str]]:
        """Ask at the same time, and let all of them come as far as they can."""
        tasks = [asyncio.create_task(self.ask(prompt)) for prompt in prompts]
        for _ in range(3 * len(prompts)):
            await asyncio.sleep(0)
        return tasks


@pytest.fixture
async def line() -> Line:
    """A line with nothing in flight."""
    return Line()


async def turn() -> None:
    """Let every task come as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_answer(line: Line) -> None:
    """An answer goes to the command that waits, and to no other."""
    (task,) = await line.asking("one")
    assert line.exchange.answer("applied")
    assert await task == "applied"
    assert not line.exchange.answer("again")


async def test_one_in_flight(line: Line) -> None:
    """Commands are sent one after another, in order, each once the one before was answered."""
    tasks = await line.asking("one", "two", "three")
    for number, prompt in enumerate(("one", "two", "three"), start=1):
        await turn()
        assert line.sent == ["one", "two", "three"][:number]
        assert line.exchange.answer(f"applied {prompt}")
    assert await asyncio.gather(*tasks) == ["applied one", "applied two", "applied three"]


async def test_refusal(line: Line) -> None:
    """A refusal fails the command that waits with its own type; the next one is sent."""
    first, second = await line.asking("one", "two")
    assert line.exchange.refuse(errors.StreamError("no"))
    with pytest.raises(errors.StreamError, match="no"):
        await first
    await turn()
    assert line.exchange.answer("applied")
    assert await second == "applied"


async def test_timeout(line: Line) -> None:
    """Without an answer in time there is an error that says so, and how long it waited."""
    with pytest.raises(errors.AnswerTimeoutError, match=r"no answer to interact within 0\.02 s"):
        await line.ask("one", timeout=0.02)


@pytest.mark.parametrize("refused", [False, True], ids=["answer", "refusal"])
@pytest.mark.parametrize("waiting", [False, True], ids=["nobody waits", "the next one waits"])
async def test_late_answer_is_not_mistaken(line: Line, *, refused: bool, waiting: bool) -> None:
    """What comes late for a command that was given up is not taken for the next one's answer."""
    with pytest.raises(errors.AnswerTimeoutError):
        await line.ask("given up", timeout=0.01)
    tasks = await line.asking("next") if waiting else []
    late = errors.StreamError("late")
    assert not (line.exchange.refuse(late) if refused else line.exchange.answer("late"))
    tasks = tasks or await line.asking("next")
    assert line.exchange.answer("in time")
    assert await tasks[0] == "in time"


async def test_cancelled_command_leaves_its_answer_behind(line: Line) -> None:
    """A command that was cancelled after it was sent still gets its answer before the next."""
    first, second = await line.asking("one", "two")
    first.cancel()
    await turn()
    assert line.sent == ["one", "two"]
    assert not line.exchange.answer("for one")
    assert line.exchange.answer("for two")
    assert await second == "for two"


async def test_cancelled_in_the_queue_owes_nothing(line: Line) -> None:
    """A command that was cancelled before its turn was never sent, and no answer is expected."""
    first, second, third = await line.asking("one", "two", "three")
    second.cancel()
    assert line.exchange.answer("for one")
    await turn()
    assert line.exchange.answer("for three")
    assert (await first, await third) == ("for one", "for three")
    assert line.sent == ["one", "three"]


async def test_send_that_fails_owes_nothing(line: Line) -> None:
    """When sending fails, its error is the command's, and the next answer belongs to the next."""

    async def fail(message: wire.FromClient) -> None:
        raise errors.ConnectionLostError("gone")

    with pytest.raises(errors.ConnectionLostError):
        await line.exchange.ask(fail, wire.Update(prompt="one"), timeout=1)
    (task,) = await line.asking("two")
    assert line.exchange.answer("for two")
    assert await task == "for two"


async def test_loss_fails_all(line: Line) -> None:
    """A lost connection fails what is in flight, what waits its turn, and whatever comes later."""
    tasks = await line.asking("one", "two", "three")
    line.exchange.lose(errors.ConnectionLostError("gone"))
    for task in tasks:
        with pytest.raises(errors.ConnectionLostError, match="gone"):
            await task
    with pytest.raises(errors.ConnectionLostError):
        await line.ask("four")
    assert line.sent == ["one"]


async def test_give_up(line: Line) -> None:
    """Giving up fails the one that waits, whoever else still has an answer to come."""
    with pytest.raises(errors.AnswerTimeoutError):
        await line.ask("given up", timeout=0.01)
    (task,) = await line.asking("one")
    line.exchange.give_up(errors.NoStreamError("over"))
    with pytest.raises(errors.NoStreamError, match="over"):
        await task


async def test_settle(line: Line) -> None:
    """Once it is known that no late answer comes any more, the next one counts."""
    with pytest.raises(errors.AnswerTimeoutError):
        await line.ask("never answered", timeout=0.01)
    line.exchange.settle()
    (task,) = await line.asking("one")
    assert line.exchange.answer("for one")
    assert await task == "for one"


async def test_one_answer_that_never_comes(line: Line) -> None:
    """It costs its own command and the next one their answers, but not every later one."""
    with pytest.raises(errors.AnswerTimeoutError):
        await line.ask("never answered", timeout=0.01)
    task = asyncio.create_task(line.ask("its answer is taken for the other's", timeout=0.05))
    while len(line.sent) < 2:
        await turn()
    assert not line.exchange.answer("for the second")
    with pytest.raises(errors.AnswerTimeoutError):
        await task
    (task,) = await line.asking("one")
    assert line.exchange.answer("for one")
    assert await task == "for one"


@given(st.lists(st.sampled_from(["ask", "cancel", "answer", "refuse"]), max_size=40))
async def test_any_order(events: list[str]) -> None:
    """Each answer belongs to the command it was sent for, whatever is cancelled when."""
    line = Line()
    tasks: dict[str, asyncio.Task[str]] = {}
    unanswered: list[str] = []
    asked = answered = 0
    for event in events:
        if event == "ask":
            asked += 1
            tasks[str(asked)] = asyncio.create_task(line.ask(str(asked)))
        elif event == "cancel":
            live = [task for task in tasks.values() if not task.done()]
            if live:
                live[0].cancel()
        elif len(line.sent) > answered:
            prompt = line.sent[answered]
            answered += 1
            if event == "answer":
                line.exchange.answer(prompt)
            else:
                line.exchange.refuse(errors.StreamError(prompt))
        await turn()
    line.exchange.lose(errors.ConnectionLostError("over"))
    for prompt, task in tasks.items():
        try:
            assert await task == prompt
        except errors.StreamError as error:
            assert str(error) == prompt  # noqa: PT017
        except (errors.ConnectionLostError, asyncio.CancelledError):
            unanswered.append(prompt)
    assert len(unanswered) + answered >= len(tasks)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("quota_exceeded", errors.MonthlyLimitError),
        ("concurrent_limit_exceeded", errors.ConcurrentLimitError),
        ("session_timeout", errors.StreamLimitError),
        ("stream_already_active", errors.StreamActiveError),
        ("no_active_stream", errors.NoStreamError),
        ("empty_prompt", errors.EmptyPromptError),
        ("moderation", errors.StreamError),
        ("", errors.StreamError),
    ],
)
def test_reasons(reason: str, kind: type[errors.OdysseyNBError]) -> None:
    """Every reason of the protocol is one type, and one we do not know is a stream error."""
    error = stream_error(wire.InteractiveStreamError(reason=reason, message="why"))
    assert type(error) is kind
    assert str(error) == "why"
    assert str(stream_error(wire.InteractiveStreamError(reason="moderation"))) == "moderation"
