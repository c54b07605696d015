"""The functions of ``import odyssey_nb as ody``: each finds the manager and does one thing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from odyssey_nb.config import key_source
from odyssey_nb.errors import (
    EmptyPromptError,
    NoStreamError,
    OdysseyNBError,
    SettingError,
    UsageError,
)
from odyssey_nb.kernel.runtime import get_manager, runtime

if TYPE_CHECKING:
    from pathlib import Path

    from odyssey_nb.config import Target
    from odyssey_nb.diagnosis.report import Report
    from odyssey_nb.kernel.broadcast import Broadcast
    from odyssey_nb.kernel.connection import Connection
    from odyssey_nb.kernel.hidden import Given
    from odyssey_nb.kernel.login import Login, Logout
    from odyssey_nb.kernel.recordings import RecordingList
    from odyssey_nb.kernel.release import Ended
    from odyssey_nb.kernel.script import Script
    from odyssey_nb.kernel.sessions import SessionList
    from odyssey_nb.kernel.simulations import Simulation, SimulationList
    from odyssey_nb.kernel.spectator import Spectator
    from odyssey_nb.kernel.stream import Stream
    from odyssey_nb.kernel.template import Keyframes, Number, Template
    from odyssey_nb.kernel.usage import UsageReport
    from odyssey_nb.media.clip import Clip
    from odyssey_nb.media.image import Source
    from odyssey_nb.research.sweep import Sweep
    from odyssey_nb.widgets.compare import Comparison
    from odyssey_nb.widgets.form import PlainSliders
    from odyssey_nb.widgets.sliders import Sliders


def connect(
    name: str = "default",
    *,
    local: bool | None = None,
    url: str | None = None,
    api_key: str | None = None,
    timeout: float = 45.0,
    when_hidden: Given = ...,
    budget: float | None = None,
) -> Connection:
    """Reserve a streamer, and return the connection to it. Safe to re-run: an open one is reused.

    Without an API key (argument, ``ODYSSEY_API_KEY`` or `login`) it goes to the local service,
    which is started when none runs. The connection stays until `disconnect`, the kernel's end, or
    the service's limits.

    >>> conn = connect()
    >>> conn = connect(budget=10)  # ends by itself after ten minutes
    >>> with connect() as conn, conn.start("a beach") as stream: ...

    Args:
        name: Several connections can be open at once, each under its own name.
        local: True for the local service even with a key; False to insist on a remote one.
        url: Base URL of the service; ``ODYSSEY_API_URL`` or the cloud if left out.
        api_key: Better given to `login` than to a cell.
        timeout: Longest wait, in seconds.
        when_hidden: Seconds for which no view of it need be visible until its stream ends, and
            until it is disconnected; None for never, ``(None, 600)`` for only the second. Left out
            it is ``ODYSSEY_NB_WHEN_HIDDEN`` ("120,300", "off"), else ``(120, 300)``. Counts once a
            view has been shown; never while a cell runs, Python reads pictures, or a broadcast
            streams. The page counts down the last 30 s, or half of a shorter time. An open
            connection keeps what it has unless this is given.
        budget: Minutes for which it may be held; then it ends, also if the kernel hangs. Left out
            it is any time, and an open connection keeps what it has. Besides, all connections of
            this user share what ``ODYSSEY_NB_BUDGET_MINUTES_PER_DAY`` says, by the local day.

    Raises:
        AuthError: The key was refused.
        BudgetError: The day's budget is used up.
        LimitError: The account's limits refuse another connection.
        NoStreamerError: No streamer became free in time.
        ConnectError: The service, signaling or WebRTC did not come up.
        SettingError: The arguments contradict each other.
    """
    return get_manager().connect(
        name,
        local=local,
        url=url,
        api_key=api_key,
        timeout=timeout,
        hidden=when_hidden,
        budget=budget,
    )


def start(
    prompt: str,
    *,
    orientation: str = "landscape",
    image: Source | None = None,
    broadcast: bool = False,
    bypass_expansion: bool = False,
    extend: bool = False,
    on: str = "default",
    timeout: float = 30.0,
) -> Stream:
    """Start a stream on the connection called `on`, connecting first if need be.

    See `Connection.start` for arguments and errors.
    """
    if not prompt.strip():
        raise EmptyPromptError
    connection = get_manager().get(on) or get_manager().reopen(on)
    return connection.start(
        prompt,
        orientation=orientation,
        image=image,
        broadcast=broadcast,
        bypass_expansion=bypass_expansion,
        extend=extend,
        timeout=timeout,
    )


def _active(on: str) -> Stream:
    stream = get_manager()[on].stream
    if stream is None:
        raise NoStreamError(f"no stream runs on {on!r}")
    return stream


def interact(prompt: str, *, on: str = "default", timeout: float = 10.0) -> str:
    """Steer the stream that runs on `on`; return the prompt that the service applied.

    See `Stream.interact` for errors; also NotConnectedError.
    """
    return _active(on).interact(prompt, timeout=timeout)


def mark(text: str = "", *, on: str = "default") -> float:
    """Mark this moment of the stream that runs on `on`; return its time in seconds.

    See `Stream.mark`.
    """
    return _active(on).mark(text)


def watch(url: str | Broadcast, token: str | None = None, *, timeout: float = 15.0) -> Spectator:
    """Watch somebody's broadcast; safe to re-run: who watches already is returned.

    It takes no streamer and no key. Naming what is returned in a cell shows it.

    >>> live = watch(url, token)  # from the owner's stream.broadcast
    >>> live.frame().shape
    >>> with watch(link) as live: live.last(5).save("seen.mp4")

    Args:
        url: The broadcast's `url`; or its link for browsers, `watch_url`, which needs no `token`;
            or a stream's `broadcast` itself.
        token: Its spectator token.
        timeout: Longest wait until it is joined, in seconds.

    Raises:
        SpectatorTokenError: The token is not this broadcast's.
        BroadcastEndedError: There is no such broadcast, or not any more.
        BroadcastFullError: It has as many spectators as it may have.
        ConnectError: The service, or WebRTC, did not come up.
        UsageError: There is no token, or the URL is none.
    """
    from odyssey_nb.kernel.spectator import watch

    return watch(get_manager(), url, token, timeout=timeout)


def compare(*streams: Stream | str) -> Comparison:
    """Show two to four streams side by side, under one prompt box whose words go to all of them.

    Each says what it applied, or why it did not; one that has ended is started again by a prompt.
    What streams at once needs connections of its own.

    >>> compare(start("a forest at dawn", on="left"), start("a forest at night", on="right"))

    Args:
        streams: The streams, or the names of the connections that they run on.

    Raises:
        NotConnectedError: No connection of that name is open.
        NoStreamError: No stream runs on it.
        UsageError: They are too few or too many, or two are on one connection.
    """
    from odyssey_nb.widgets.compare import Comparison

    return Comparison(streams)


def end(*, on: str = "default") -> None:
    """End the stream that runs on `on`; the connection stays."""
    _active(on).end()


def disconnect(name: str | None = None) -> None:
    """Free the streamer of the connection called `name`, or of every connection of this kernel.

    Without a name, what is watched is left too.
    """
    manager = get_manager()
    failures = []
    for each in [name] if name is not None else manager.names():
        try:
            manager.disconnect(each)
        except OdysseyNBError as error:  # one that does not answer must not keep the others
            failures.append(error)
    if failures:
        raise failures[0]


def status() -> list[Connection]:
    """Return this kernel's open connections."""
    return get_manager().all()


def sessions() -> SessionList:
    """Return every session that your programs on this machine hold or have left behind, as a table.

    A session dangles when nobody will end it any more: the kernel or sidecar that held it is dead.
    A service that lists its sessions (the local one does) also tells of programs without this
    package; they are named by their process.

    >>> sessions()[0].where
    """
    return get_manager().sessions()


def kill(which: str) -> Ended:
    """End one session, whichever program holds it, and return what was ended.

    A kernel whose session is ended so is told by whom, and can connect again.

    >>> kill("3f2a")

    Args:
        which: The beginning of its id, or the name of its connection.

    Raises:
        NotFoundError: No session is called so.
        UsageError: Several are.
        SettingError: The key for its service is not known here.
        ConnectError: The service does not answer.
    """
    return get_manager().kill(which)


def reap() -> Ended:
    """End every session that dangles, and remove its lease; return what was ended.

    >>> reap()
    """
    return get_manager().reap()


def _target(local: bool | None, url: str | None, api_key: str | None) -> Target:  # noqa: FBT001
    """Return whom to ask: who is named, else where the default connection goes or went."""
    return get_manager().target_of("default", local=local, url=url, api_key=api_key)


def _check_limit(limit: int) -> None:
    if not 1 <= limit <= 100:
        raise ValueError(f"limit is 1 to 100, not {limit}")


def recordings(
    limit: int = 20,
    *,
    local: bool | None = None,
    url: str | None = None,
    api_key: str | None = None,
) -> RecordingList:
    """Return what the account's streams have left behind, newest first.

    >>> newest = recordings()[0]
    >>> newest.save("snow.mp4")
    >>> newest.events()

    Args:
        limit: How many, 1 to 100.
        local: See `connect`; what is left open is where the default connection goes or went.
        url: See `connect`.
        api_key: See `connect`.

    Raises:
        AuthError: The key was refused.
        ConnectError: The service does not answer.
    """
    from odyssey_nb.kernel.recordings import Recording, RecordingList, ask

    _check_limit(limit)
    target = _target(local, url, api_key)
    page = ask(target, lambda control: control.recordings(limit=limit))
    return RecordingList([Recording(target, each) for each in page.recordings], page.total, target)


def clip(path: str | Path) -> Clip:
    """Read a clip back from an MP4, with its times, prompts and events where `Clip.save` wrote it.

    >>> clip("snow.mp4")["snow"].frames.shape

    Raises:
        UsageError: There is no such file, or it holds no video.
    """
    from odyssey_nb.media.reading import read

    return read(path)


def grid(
    clips: Mapping[str, Clip] | Sequence[Clip],
    *,
    labels: Sequence[str] | None = None,
    columns: int | None = None,
    width: int = 1280,
) -> Clip:
    """Return clips side by side as one clip: one playhead, one file; each from its own beginning.

    >>> grid({"calm": calm, "stormy": stormy}).save("both.mp4")
    >>> grid(simulate([one, two]).clips, columns=1)

    Args:
        clips: Two or more; of a mapping the keys are written over them.
        labels: What is written over each; left out, its first prompt.
        columns: How many stand beside each other; left out, as many as rows.
        width: Of the whole, in pixels.

    Raises:
        UsageError: There are none, one is empty, or the whole would be too large.
    """
    from odyssey_nb.media.grid import grid

    if isinstance(clips, Mapping):
        shown, labels = list(clips.values()), labels or list(clips)
    else:
        shown = list(clips)
    if not shown or not all(len(each) for each in shown):
        raise UsageError("a grid is made of clips with pictures", hint="Write ody.grid([a, b]).")
    words = labels or [each.prompts[0] for each in shown]
    if len(words) != len(shown):
        raise UsageError(f"{len(words)} labels for {len(shown)} clips", hint="Name each, or none.")
    most = len(shown)
    return grid(shown, words, max(1, min(most, columns or math.ceil(math.sqrt(most)))), width)


def script(given: object, *, image: Source | None = None, orientation: str = "landscape") -> Script:
    r"""Return a timeline that plays live, as a simulation, and again.

    >>> walk = script("0 start a misty forest\n2 interact heavy snow\n3 mark odd!\n5 end")
    >>> live = walk.play()  # on the default connection
    >>> simulated = walk.simulate()  # a clip as well
    >>> script(live) == script(live.save("walk.mp4"))

    Args:
        given: Lines of ``SECONDS VERB PROMPT`` with the verbs start, interact, mark and end; a list
            of ``(seconds, verb, prompt)``; a list of entries as the API has them; a .txt or .json
            that `Script.save` wrote; or a clip, whose prompts and marks it repeats.
        image: What it starts from; see `Connection.start`.
        orientation: Of the image: ``"landscape"`` or ``"portrait"``.

    Raises:
        ScriptError: It breaks a rule; the message names the line or entry.
        UsageError: There is no such file.
    """
    from odyssey_nb.kernel.script import read, with_image

    made = read(given)
    return made if image is None else with_image(made, image, orientation)


def simulate(
    script: object,
    *,
    orientation: str = "landscape",
    bypass_expansion: bool = False,
    wait: bool = True,
    timeout: float | None = None,
    local: bool | None = None,
    url: str | None = None,
    api_key: str | None = None,
) -> Simulation:
    r"""Run a scripted stream without a connection, faster than real time; return its simulation.

    >>> simulate("0 start a misty forest\n4 interact it is snowing\n10 end")
    >>> simulate([(0, "start", "a beach"), (10, "end")]).recordings[0].save("beach.mp4")

    Args:
        script: What `script` returns or takes, or a list of such, which run as one batch.
        orientation: ``"landscape"`` or ``"portrait"``.
        bypass_expansion: Let the service take prompts as they are, where the account may.
        wait: Wait with a progress bar until it is completed; else return at once.
        timeout: Longest wait, in seconds; None waits as long as it takes.
        local: See `recordings`.
        url: See `connect`.
        api_key: See `connect`.

    Raises:
        PrivilegeError: The account may not bypass the expansion of prompts.
        ScriptError: The script breaks a rule; the message names the line or entry.
        SimulationQueueError: The account has as many waiting and running as it may.
        SimulationFailedError: It failed.
        SimulationCancelledError: It was cancelled elsewhere.
        AnswerTimeoutError: It is not over after `timeout`; it goes on.
    """
    from odyssey_nb.kernel.connection import is_portrait
    from odyssey_nb.kernel.script import read_all
    from odyssey_nb.kernel.simulations import submit

    portrait = is_portrait(orientation)
    scripts = read_all(script)
    target = _target(local, url, api_key)
    simulation = submit(target, scripts, portrait=portrait, bypass=bypass_expansion)
    return simulation.wait(timeout) if wait else simulation


def simulations(
    limit: int = 20,
    *,
    local: bool | None = None,
    url: str | None = None,
    api_key: str | None = None,
) -> SimulationList:
    """Return the account's simulations, newest first.

    >>> simulations()[0].progress

    Args:
        limit: How many, 1 to 100.
        local: See `recordings`.
        url: See `connect`.
        api_key: See `connect`.

    Raises:
        AuthError: The key was refused.
        ConnectError: The service does not answer.
    """
    from odyssey_nb.kernel.simulations import page

    _check_limit(limit)
    return page(_target(local, url, api_key), limit)


def sweep(
    prompts: object,
    parameters: Mapping[str, object] | None = None,
    *,
    images: object = None,
    repeats: int = 1,
    seconds: float | Sequence[float] = 5.0,
    orientation: str | Sequence[str] = "landscape",
    bypass_expansion: bool = False,
    live: bool | int = False,
    name: str | None = None,
    folder: str | Path = "sweeps",
    local: bool | None = None,
    url: str | None = None,
    api_key: str | None = None,
    **values: object,
) -> Sweep:
    r"""Return the runs of prompts × parameters × images × repeats; nothing runs before ``.run()``.

    They run as simulations, as many at once as the account may have waiting and running. Whatever
    is finished is kept in a folder, so that the same cell goes on where it was, in any kernel.

    >>> rain = sweep("a {weather} forest at {time}", weather=["sunny", "rainy"], time=["dawn"])
    >>> rain.estimate  # how many, how long, and how much of the month
    >>> rain.run().table(sharpness=metrics.sharpness)
    >>> sweep("0 start a {place}\n3 interact a storm\n6 end", place=["sea", "city"], repeats=3)

    Args:
        prompts: A prompt with names in braces; what `prompt` returned; a script, in any form that
            `script` takes, whose prompts may have names too; or several, in a list or by labels.
        parameters: Values by name, besides those in `values`.
        images: What they start from; see `Connection.start`. One, a list, or by labels.
        repeats: How often each is run.
        seconds: How long prompts run that are no scripts; or several lengths.
        orientation: ``"landscape"`` or ``"portrait"``; or both, in a list.
        bypass_expansion: Let the service take prompts as they are, where the account may.
        live: Play them live, in their own time, on as many connections as the account has room
            for, or on so many.
        name: What it is called; left out, as its first prompt.
        folder: Where folders of sweeps are; left out, ``sweeps`` beside the notebook.
        local: See `recordings`.
        url: See `connect`.
        api_key: See `connect`.
        values: For each name a list of words or numbers. Of a bool, True is the name itself, and
            False nothing.

    Raises:
        UsageError: Names and values do not fit each other.
        ImageError: An image cannot be read.
        ScriptError: A script breaks a rule.
    """
    from odyssey_nb.research.sweep.sweep import plan_sweep

    return plan_sweep(
        _target(local, url, api_key),
        prompts,
        {**(parameters or {}), **values},
        images=images,
        repeats=repeats,
        seconds=seconds,
        orientation=orientation,
        bypass=bypass_expansion,
        live=live,
        name=name,
        folder=folder,
    )


def usage(
    *, local: bool | None = None, url: str | None = None, api_key: str | None = None
) -> UsageReport:
    """Return what the account uses now and has used this month; a cell shows a chart of the days.

    >>> usage().total_hours

    Args:
        local: See `recordings`.
        url: See `connect`.
        api_key: See `connect`.

    Raises:
        AuthError: The key was refused.
        ConnectError: The service does not answer.
        NotFoundError: The service does not tell usage.
    """
    from odyssey_nb.kernel.usage import fetch

    return fetch(_target(local, url, api_key))


def login(url: str | None = None) -> Login:
    """Ask for an API key without showing it, try it, and keep it, so that it stands in no cell.

    Where the package ``keyring`` is installed (``odyssey-nb[keyring]``) the system's keyring keeps
    it for all programs of this user; else this kernel does until it ends. In Colab the secret
    ``ODYSSEY_API_KEY`` is taken, where the notebook may have it. From then on `connect` goes to
    that service; ``ODYSSEY_API_KEY`` in the environment goes first.

    >>> login()

    Args:
        url: The service's base URL; ``ODYSSEY_API_URL`` or the cloud if left out. The key is sent
            to no other.

    Raises:
        AuthError: The key is refused, and not kept.
        ConnectError: The service does not answer, and the key is not kept.
        UsageError: No key was given, or nobody is there to type it.
    """
    from odyssey_nb.kernel.login import login

    return login(url)


def logout() -> Logout:
    """Forget the key of `login`, here and in the system's keyring; open connections stay.

    >>> logout()

    Raises:
        UsageError: The keyring does not let go of it.
    """
    from odyssey_nb.kernel.login import logout

    return logout()


def doctor(
    *,
    bundle: str | Path | None = None,
    session: bool = True,
    local: bool | None = None,
    url: str | None = None,
    api_key: str | None = None,
) -> Report:
    """Look at all that a live stream stands on, and say what to do about what is wrong.

    Each line is ok, a warning, a problem, or skipped. It takes some seconds, and holds a streamer
    for two of them; nothing is generated on it. A terminal has no page to ask.

    >>> doctor()
    >>> doctor(bundle="report.zip").failed

    Args:
        bundle: A zip to write for others: the report, versions, settings, leases and the ends of
            logs, without keys, tokens, signed URLs or prompts.
        session: False reserves no streamer, so that WebSocket and ICE are not tried.
        local: See `recordings`.
        url: See `connect`.
        api_key: See `connect`.

    Raises:
        UsageError: The bundle cannot be written there.
    """
    from odyssey_nb.diagnosis.patient import Patient
    from odyssey_nb.diagnosis.run import examine

    patient = Patient(session=session)
    try:
        patient.target = _target(local, url, api_key)
        patient.key_from = key_source(patient.target, api_key)
    except SettingError as error:
        patient.unclear = error
    return examine(patient, save=bundle)


def prompt(template: str, **values: Any) -> Template:
    """Return a prompt with places in it; calling it fills them, and ``str`` takes them as at first.

    >>> walk = prompt("a forest with {fog} fog at {time}", fog=scale(), time=["dawn", "dusk"])
    >>> walk(fog=0.5)
    'a forest with moderate fog at dawn'
    >>> walk.script({0: {"fog": 0}, 10: {"fog": 1}}).play()  # keyframes over time

    Args:
        template: A prompt with names in braces; ``{wind:.1f}`` formats a number.
        values: For each name what `sliders` takes. A name without any must be given in each call.

    Raises:
        ValueError: A name that is none, or values without a name.
    """
    from odyssey_nb.kernel.template import Template

    return Template(template, values, free=True)


def scale(
    *words: str | Callable[[float], str],
    low: float = 0.0,
    high: float = 1.0,
    step: float | None = None,
    start: float | None = None,
) -> Number:
    """Return a number for `sliders` and `prompt` that reads as words.

    >>> scale()  # no, light, moderate, dense, extreme
    >>> scale("calm", "breezy", "stormy", low=0, high=12, start=3)
    >>> scale(lambda share: f"{share:.0%}")

    Args:
        words: From the lowest to the highest, each for as much of the range; or a function of the
            number.
        low: The lowest number.
        high: The highest.
        step: How far an arrow key goes; left out, it suits the range.
        start: Where it stands at first; left out, at the lowest.

    Raises:
        ValueError: The range is none.
    """
    from odyssey_nb.kernel.template import scale

    return scale(*words, low=low, high=high, step=step, start=start)


def mix(first: str, second: str, *, start: float = 0.0) -> Number:
    """Return a weight between two prompts for `sliders` and `prompt`: 0 is the first, 1 the second.

    >>> sliders("{weather} over the harbour", weather=mix("a calm sea", "a raging storm"))
    """
    from odyssey_nb.kernel.template import mix

    return mix(first, second, start=start)


def sliders(
    template: str | Template,
    *,
    on: str | Sequence[str] = "default",
    every: float = 0.25,
    presets: Mapping[str, Mapping[str, Any]] | None = None,
    automation: Keyframes | None = None,
    **values: Any,
) -> Sliders | PlainSliders:
    """Show `template` as a sentence whose words are controls; each change steers the stream.

    Drag a control, type, or use the arrow keys; Shift takes larger steps and Alt smaller ones. One
    prompt is under way at a time, and the newest wins. What was sent is shown beside what the world
    applied.

    >>> sliders("a {weather} {time} forest", weather=["sunny", "foggy"], time=["dawn", "night"])
    >>> sliders("{fog} fog, wind {wind}", fog=scale(), wind=(0, 12), on=["left", "right"])
    >>> sliders("{fog} fog", fog=scale(), automation={0: {"fog": 0}, 10: {"fog": 1}}).play()

    Args:
        template: A prompt with names in braces, or what `prompt` returned.
        on: The connection whose stream is steered, or several.
        every: The least seconds between two prompts to one stream.
        presets: Values for the controls, by name; views can add some.
        automation: Values at seconds, ``{0: {"fog": 0}, 10: {"fog": 1}}``: numbers go there in a
            straight line. The view plays it, and `Sliders.script` returns it as a script.
        values: For each name a list of choices, numbers ``(low, high)`` or ``(low, high, step)``, a
            `scale` or `mix`, a bool (the word or nothing), or a text to start with.

    Raises:
        ValueError: A name without values, or values without a name.
        UsageError: A preset or keyframe has values that cannot be.
    """
    from odyssey_nb.kernel.template import Template

    made = template if isinstance(template, Template) else Template(template, values)
    connections = [on] if isinstance(on, str) else list(on)
    try:
        from odyssey_nb.widgets.sliders import Sliders
    except ModuleNotFoundError as error:
        if error.name != "anywidget":
            raise
        from odyssey_nb.widgets.form import PlainSliders

        return PlainSliders(made, connections, every=every)
    return Sliders(made, connections, every=every, presets=presets, automation=automation)


def _show(shown: object) -> object:
    """Return the widget that shows a stream or a spectator, for front ends that ask for it."""
    from odyssey_nb.widgets.player import player_of, player_watching

    player: Any = player_of if hasattr(shown, "connection") else player_watching
    return player(shown)


runtime().show = _show
