"""One timeline that plays live, as a simulation, or again: start, interact, mark, end."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from odyssey_nb.errors import ScriptError, UsageError
from odyssey_nb.kernel.aio import Aio
from odyssey_nb.kernel.runtime import get_manager
from odyssey_nb.media.clip import ROUNDING, Clip
from odyssey_nb.media.ring import LONGEST_SECONDS
from odyssey_nb.wire import script as wire
from odyssey_nb.wire.codec import encode_body
from odyssey_nb.wire.link import Happening
from odyssey_nb.wire.stream import PICTURES_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from odyssey_nb.kernel.connection import Connection
    from odyssey_nb.kernel.stream import Stream
    from odyssey_nb.media.image import Source

SLACK_SECONDS = 2.0  # before a script's beginning that are fetched with its clip


class Script:
    r"""What is said to a world, and when. Immutable; `odyssey_nb.script` makes one.

    >>> script = ody.script("0 start a misty forest\n2 interact heavy snow\n5 end")
    >>> live, simulated = script.play(), script.simulate()  # two clips

    Attributes:
        entries: As the protocol has them, and marks.
    """

    def __init__(self, entries: Sequence[wire.Entry]) -> None:
        self.entries = tuple(entries)
        self.aio = Aio(self, "play", "simulate")

    @property
    def duration(self) -> float:
        """When it ends, in seconds."""
        return wire.length(list(self.entries))

    @property
    def marks(self) -> list[dict[str, Any]]:
        """Its marks, as clips and recordings have events."""
        return wire.marks_of(self.entries)

    @property
    def api(self) -> list[dict[str, Any]]:
        """The entries as the API takes them: without marks, which are our own."""
        return _plain(wire.unmarked(list(self.entries)))

    @property
    def text(self) -> str:
        """The lines that ``%%odyssey simulate`` takes. An image does not fit in and is left out."""
        return "".join(
            f"{seconds:g} {verb} {words}".rstrip() + "\n" for seconds, verb, words in self
        )

    def __iter__(self) -> Iterator[tuple[float, str, str]]:
        """Yield seconds, verb and words of each entry."""
        for each in self.entries:
            yield (each.timestamp_ms / 1000, *_action(each))

    def __len__(self) -> int:
        return len(self.entries)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Script) and self.entries == other.entries

    def __hash__(self) -> int:
        return hash(self.entries)

    def __repr__(self) -> str:
        return self.text.rstrip()

    def play(
        self,
        connection: Connection | None = None,
        *,
        orientation: str = "landscape",
        bypass_expansion: bool = False,
    ) -> Clip:
        """Play it live, with a bar, and return the clip; the stream ends with it, or if it fails.

        A stream that runs on the connection is replaced, and a Player of it shows this one.

        Args:
            connection: Where; left out, the default connection, which is opened if need be.
            orientation: ``"landscape"`` or ``"portrait"``.
            bypass_expansion: See `Connection.start`.

        Raises:
            ScriptError: It is longer than a stream may be there.
            NoStreamError: The stream ended before its time.
            StreamError, LimitError: The service refused.
        """
        manager = get_manager()
        connection = connection or manager.get("default") or manager.reopen("default")
        first = self.entries[0].start
        assert first is not None
        stream = connection.start(
            first.prompt,
            image=image_of(first.image),
            orientation=orientation,
            bypass_expansion=bypass_expansion,
        )
        try:
            return self._play_on(stream)
        finally:
            stream.end()

    def _play_on(self, stream: Stream) -> Clip:
        from tqdm.auto import tqdm

        left, end = stream.remaining, self.duration
        if (left is not None and end > left + SLACK_SECONDS) or end > LONGEST_SECONDS:
            raise ScriptError(
                f"script[{len(self) - 1}]: it lasts {end:g} s, more than a stream may",
                hint="Cut it short, or split it into several scripts.",
            )
        began = time.monotonic() - stream.last(0.01).times[-1]
        seconds_done = "{l_bar}{bar}| {n:.1f} of {total:.1f} s"
        with tqdm(total=end, desc="script", leave=False, bar_format=seconds_done) as bar:
            for seconds, verb, words in self:
                while (wait := began + seconds - time.monotonic()) > 0:
                    bar.update(time.monotonic() - began - bar.n)
                    time.sleep(min(wait, 0.2))
                    stream._check()
                if verb == "interact":
                    stream.interact(words)
                elif verb == "mark":
                    stream.mark(words)
            while (passed := stream.last(0.01).times[-1]) < end:
                time.sleep(max(0.05, end - passed))  # the newest picture is not here yet
            bar.update(end - bar.n)  # a notebook's bar that is not full stays, in red
        return stream.last(passed + SLACK_SECONDS)[:end]

    def simulate(
        self,
        *,
        orientation: str = "landscape",
        bypass_expansion: bool = False,
        timeout: float | None = None,
    ) -> Clip:
        """Run it as a simulation, wait for that, and return the clip; see `odyssey_nb.simulate`."""
        from odyssey_nb.kernel.connection import is_portrait
        from odyssey_nb.kernel.simulations import submit

        target = get_manager().target_of("default", local=None, url=None, api_key=None)
        portrait = is_portrait(orientation)
        simulation = submit(
            target, [list(self.entries)], portrait=portrait, bypass=bypass_expansion
        )
        return simulation.wait(timeout).clip()

    def save(self, path: str | Path) -> Path:
        """Write it as lines (.txt), or as JSON (.json), which holds images too.

        Raises:
            UsageError: The name ends in neither.
        """
        path = Path(path)
        if path.suffix.lower() not in {".txt", ".json"}:
            raise UsageError(
                f"a script is saved as .txt or .json, not {path.suffix!r}",
                hint='Write script.save("walk.txt").',
            )
        lines = path.suffix.lower() == ".txt"
        text = self.text if lines else json.dumps(_plain(self.entries), indent=1)
        path.write_text(text, encoding="utf-8")
        return path


def read(given: object, *, name: str = "script") -> Script:
    """Return the script in any form that is handy in a cell: `odyssey_nb.script`."""
    if isinstance(given, Script):
        return given
    if isinstance(given, Clip):
        return of_clip(given)
    if isinstance(given, Path) or (isinstance(given, str) and _names_file(given)):
        return _load(Path(given))
    return Script(wire.gather_one(given, name))


def read_all(given: object) -> list[wire.Script]:
    """Return the scripts of a batch: one in any form, or several."""
    if isinstance(given, Script):
        return [list(given.entries)]
    if isinstance(given, Sequence) and any(isinstance(each, Script) for each in given):
        return [
            list(read(each, name=f"scripts[{number}]").entries) for number, each in enumerate(given)
        ]
    return wire.gather(given)


def with_image(script: Script, image: Source, orientation: str) -> Script:
    """Return `script` with an image that it starts from."""
    from odyssey_nb.kernel.connection import is_portrait
    from odyssey_nb.media.image import pack

    first, *others = script.entries
    assert first.start is not None
    start = replace(first.start, image=pack(image, portrait=is_portrait(orientation)))
    return Script([replace(first, start=start), *others])


def of_clip(clip: Clip) -> Script:
    """Return what was said during a clip, from its beginning to its end.

    Raises:
        ScriptError: Nobody knows its prompt, or it is empty.
    """
    if not len(clip) or not clip.prompts[0]:
        raise ScriptError(
            "nobody knows with which prompt this clip begins",
            hint="Clips of your own streams, simulations and recordings know it.",
        )
    ended = clip.times[-1] + 1 / PICTURES_PER_SECOND  # until the last picture was seen
    second = clip.times[1] if len(clip) > 1 else ended
    events = [  # without the prompt that the first picture has already
        each
        for each in clip.events
        if each["type"] != "interact" or each["time"] >= second - ROUNDING
    ]
    return recorded(clip.prompts[0], events, began=clip.times[0], ended=ended)


def recorded(
    prompt: str, events: Iterable[Mapping[str, Any]], *, began: float, ended: float
) -> Script:
    """Return the script of what happened between two times of a stream."""
    said = [(0.0, "start", prompt)]
    for each in events:
        if each["type"] in {"interact", "mark"}:
            words = each.get("applied_prompt") or each.get("text") or ""
            said.append((max(0.0, each["time"] - began), each["type"], words))
    said.append((ended - began, "end", ""))
    entries = [wire.entry_of(*each, "script") for each in said]
    return Script(wire.read_script(entries, marks=True))


def of_stream(happenings: list[Happening], ended: float) -> Script:
    """Return the script of what is known of a stream; it begins with the oldest known prompt."""
    known = [each for each in happenings if each.kind in {"start", "interact", "mark"}]
    first = next((each for each in known if each.kind != "mark"), None)
    if first is None:
        raise ScriptError("nothing is known of this stream yet", hint="Wait for its first picture.")
    events = [
        {"time": each.time, "type": each.kind, "text": each.text}
        for each in known
        if each is not first
    ]
    ended += 1 / PICTURES_PER_SECOND  # until the newest picture was seen
    return recorded(first.text, events, began=first.time, ended=ended)


def image_of(url: str | None) -> bytes | None:
    """Return the image that a data URL holds."""
    return None if url is None else base64.b64decode(url.partition(",")[2])


def _names_file(text: str) -> bool:
    return "\n" not in text and text.lower().endswith((".txt", ".json"))


def _load(path: Path) -> Script:
    try:
        text = path.read_text(encoding="utf-8")
        given = json.loads(text) if path.suffix.lower() == ".json" else text
    except (OSError, ValueError) as error:
        raise UsageError(
            f"no script can be read from {str(path)!r}",
            hint="Name a .txt of `SECONDS VERB PROMPT` lines, or a .json of entries.",
        ) from error
    return Script(wire.gather_one(given, path.name))


def _action(entry: wire.Entry) -> tuple[str, str]:
    if entry.start is not None:
        return "start", entry.start.prompt
    if entry.interact is not None:
        return "interact", entry.interact.prompt
    marks = wire.marks_of([entry])
    return ("mark", marks[0]["text"]) if marks else ("end", "")


def _plain(entries: Sequence[wire.Entry]) -> list[dict[str, Any]]:
    """Return entries as JSON has them."""
    found: list[dict[str, Any]] = json.loads(encode_body(list(entries)))
    return found
