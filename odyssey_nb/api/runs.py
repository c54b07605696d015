"""Timelines, and streams that run by them without anybody looking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from odyssey_nb.api.asking import check_limit, target_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from odyssey_nb.kernel.script import Script
    from odyssey_nb.kernel.simulations import Simulation, SimulationList
    from odyssey_nb.media.image import Source
    from odyssey_nb.research.sweep import Sweep


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
    target = target_of(local, url, api_key)
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

    check_limit(limit)
    return page(target_of(local, url, api_key), limit)


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
        target_of(local, url, api_key),
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
