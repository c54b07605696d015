"""Messages between the control plane and one simulator process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from odyssey_nb.wire.codec import Codec
from odyssey_nb.wire.script import Script
from odyssey_nb.wire.stream import InteractiveStreamError
from odyssey_nb.wire.streamer import Ready, StreamBegan


@dataclass(frozen=True, slots=True, kw_only=True)
class RunScript:
    """Run a script to its end, and leave a recording in a folder of `media`."""

    world: str
    media: str
    portrait: bool
    bypass_vlm_expansion: bool
    script: Script
    type: Literal["run_script"] = "run_script"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The simulator is alive, and has made so many pictures of its script."""

    pictures: int
    type: Literal["progress"] = "progress"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptOver:
    """A script came to its end and its recording is whole; `duration` in seconds."""

    stream_id: str
    pictures: int
    duration: float
    type: Literal["script_over"] = "script_over"


FromControl = RunScript
FromSimulator = Ready | StreamBegan | Progress | ScriptOver | InteractiveStreamError

from_control: Codec[FromControl] = Codec(RunScript)
from_simulator: Codec[FromSimulator] = Codec(
    Ready, StreamBegan, Progress, ScriptOver, InteractiveStreamError
)
