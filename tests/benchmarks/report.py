"""The report: what was measured last, in results.json, and as a page, README.md beside it."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Final, TypedDict

from tests.benchmarks.view.figures import (
    DIRECT,
    IMAGE,
    OURS,
    PEERS,
    RELAY,
    RFB,
    TARGETS,
    Figures,
    Target,
    get,
    medians,
    ratio,
)

FOLDER: Final = Path(__file__).parent
RESULTS: Final = FOLDER / "results.json"
PROJECT: Final = FOLDER.parents[1] / "README.md"
BEGIN, END = "<!-- measured: written by make bench -->", "<!-- /measured -->"
PACKAGES: Final = (
    "aiortc", "av", "ipykernel", "jupyterlab", "ipywidgets", "anywidget",
    "jupyter_rfb", "simplejpeg", "ipycanvas", "Pillow",
)  # fmt: skip
# Below this many pictures per second the machine cannot even make what is to be shown.
SOUND: Final = 29.0

HOW: Final = """\
# Benchmarks

`make bench` measures all of this anew and writes this page; `make bench-check` then holds the live
view against its targets. What is not measured again keeps its old figures.

## The live view

One WebRTC stream, 1280×704 at 30 pictures per second and 3 Mbit/s, comes to a page in five ways:

- **ipywidgets Image**, **jupyter_rfb** (with simplejpeg) and **ipycanvas**, each as its
  documentation says, in some 20 lines (`view/image.py`, `view/rfb.py`, `view/canvas.py`). aiortc
  receives and decodes in the kernel, on a thread of its own, and only the newest picture is shown.
- **ours**: the Player, by the kernel's relay, and by the sidecar's own socket.

Everything else is the same: a real JupyterLab in headless Chromium without a GPU, a fresh service,
kernel and page for each measurement, interleaved rounds of all five, medians of the rounds. The
world is a city in the rain (`view/source.py`): every picture has detail all over and rain moves in
all of it. It carries its number and the time of its painting as black and white squares.

- **Per second**: different pictures that were painted, told by the numbers in the painted pixels,
  which a probe reads just after each frame (`view/probe.js`).
- **Latency**: glass to glass, from the world's painting, before encoding, to the page's, in
  milliseconds: median and 95th percentile.
- **Python cell**: while a pure-Python loop runs on the kernel's main thread. **GIL held**: while a
  cell holds the GIL 60 ms at a time, as compiled code does that never lets it go.
- **CPU**: milliseconds of processor time per painted picture, at leisure: of the kernel, our
  sidecar, the Jupyter server, and all of Chromium (while nobody reads its pixels).
- **KB**: what the page's sockets receive per painted picture, everything included, also pictures
  that came and were never painted. It depends on the content: H.264 has its 3 Mbit/s whatever is
  shown, a JPEG (Pillow, quality 75) has not. Of six landscapes encoded without a page, this one is
  the largest as JPEG, 8.9 times H.264's bytes; the other five are 3.2 to 5.6 times, so with those
  a sixth of `Image`'s bytes is out of reach at this bitrate.
- **PSNR**: of the luma of painted pictures against the world's, before any encoder.
"""


class Found(TypedDict):
    """What a benchmark says."""

    sentence: str
    met: bool  # as much as it has to be


@dataclass
class Report:
    """What was measured, this time or before."""

    view: dict[str, Any] = field(default_factory=dict)
    others: dict[str, dict[str, Found]] = field(default_factory=dict)  # by section and what it is

    @classmethod
    def load(cls) -> Report:
        """Return what was measured last."""
        return cls(**json.loads(RESULTS.read_text())) if RESULTS.exists() else cls()

    def say(self, section: str, what: str, sentence: str, *, met: bool = True) -> None:
        """Print what a benchmark found, and keep it in place of what it found before."""
        print(f"\n{what}: {sentence}")
        self.others.setdefault(section, {})[what] = Found(sentence=sentence, met=met)

    def save(self) -> None:
        """Write results, page, and the project's line about them."""
        RESULTS.write_text(json.dumps({"view": self.view, "others": self.others}, indent=1) + "\n")
        (FOLDER / "README.md").write_text(self.page())
        text = PROJECT.read_text()
        if self.view and _offered(self.figures) >= SOUND and BEGIN in text:
            head, _, rest = text.partition(BEGIN)
            _, _, tail = rest.partition(END)
            PROJECT.write_text(f"{head}{BEGIN}\n{summary(self.figures)}\n{END}{tail}")

    @property
    def figures(self) -> Figures:
        """The live view's medians."""
        return medians(self.view["rounds"])

    def page(self) -> str:
        """Return the page."""
        parts = [HOW]
        if self.view:
            parts += [_conditions(self.view), table(self.figures), ratios(self.figures)]
            parts += ["Targets, of the same run:\n", targets(self.figures)]
        for section, found in sorted(self.others.items()):
            lines = [
                f"- {what}: {each['sentence']}{'' if each['met'] else ', **target missed**'}"
                for what, each in found.items()
            ]
            parts += [f"## {section}\n", "\n".join(lines)]
        return "\n".join(each.rstrip("\n") + "\n" for each in parts)


def machine(chromium: str) -> dict[str, Any]:
    """Return what figures depend on, as it is before a measurement."""
    return {
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "chromium": chromium,
        "packages": {name: version(name) for name in PACKAGES},
    }


def _conditions(view: dict[str, Any]) -> str:
    where, rounds = view["machine"], len(view["rounds"])
    packages = ", ".join(f"{name} {number}" for name, number in where["packages"].items())
    offered = _offered(medians(view["rounds"]))
    text = (
        f"Medians of {rounds} round{'s' * (rounds > 1)}; {where['cores']} cores, load "
        f"{where['load']:.1f} before; {where['system']}, Python {where['python']}, "
        f"Chromium {where['chromium']}, {packages}. "
        f"The world painted {offered:.1f} pictures per second.\n"
    )
    if offered < SOUND:
        text += "\n**Other work took so much of the machine that times and rates mean little.**\n"
    return text


def _offered(figures: Figures) -> float:
    """Return how many pictures per second the world painted, as a rule."""
    return median(get(figures, way, "idle.offered") for way in figures)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _number(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def table(figures: Figures) -> str:
    """Return the table of all ways."""
    whens = {"idle": "idle", "python": "Python cell", "gil": "GIL held"}
    heads = [f"{text}: per second, p50 / p95 ms" for text in whens.values()]
    heads += ["kernel ms", "sidecar ms", "server ms", "browser ms", "KB", "PSNR dB"]
    rows = [_row("", *heads), _row("---", *["--:"] * len(heads))]
    for way, found in figures.items():
        rows.append(
            _row(
                way,
                *(
                    f"{_number(found[f'{when}.fps'])}, {_number(found[f'{when}.p50'], 0)}"
                    f" / {_number(found[f'{when}.p95'], 0)}"
                    for when in whens
                ),
                *(_number(found[f"cost.{part}"], 2) for part in ("kernel", "sidecar")),
                *(_number(found[f"cost.{part}"]) for part in ("server", "browser")),
                _number((found["cost.bytes"] or 0) / 1000),
                _number(found["psnr"]),
            )
        )
    return "\n".join([*rows, ""])


def ratios(figures: Figures) -> str:
    """Return ours as a part of each peer's."""
    names = {
        "cost.kernel": "kernel CPU",
        "processes": "kernel and sidecar CPU",
        "cost.browser": "browser CPU",
        "cost.bytes": "bytes",
        "idle.p50": "median latency",
    }
    rows = [_row("as a part of", *names.values()), _row("---", *["--:"] * len(names))]
    rows += [
        _row(f"{ours} / {peer}", *(f"{ratio(figures, name, ours, peer):.3f}" for name in names))
        for ours in OURS
        for peer in PEERS
    ]
    return "\n".join([*rows, ""])


def targets(figures: Figures) -> str:
    """Return what has to be, and what is."""
    rows = [_row("", "has to be", "is", ""), _row("---", "--:", "--:", "---")]
    rows += [_row(each.text, *verdict(each, figures)) for each in TARGETS]
    return "\n".join([*rows, ""])


def verdict(target: Target, figures: Figures) -> tuple[str, str, str]:
    """Return what `target` has to be, what it is, and whether that is enough."""
    bound = f"{'≥' if target.least else '≤'} {target.bound:.3g}"
    return bound, f"{target.value(figures):.3g}", "met" if target.met(figures) else "**missed**"


def summary(figures: Figures) -> str:
    """Return the project's line: what its readers will want to know."""

    def times(name: str, peer: str) -> str:
        return f"{1 / ratio(figures, name, RELAY, peer):.0f}"

    return (
        f"The same stream through ipywidgets' `Image` takes {times('cost.kernel', IMAGE)} times the"
        f" kernel's CPU and {times('cost.bytes', IMAGE)} times the bytes, through `jupyter_rfb`"
        f" {times('cost.kernel', RFB)} and {times('cost.bytes', RFB)} times; while a cell holds the"
        f" GIL the Player paints {get(figures, DIRECT, 'gil.fps'):.0f} pictures per second, they"
        f" {get(figures, IMAGE, 'gil.fps'):.0f} and {get(figures, RFB, 'gil.fps'):.0f}"
        " ([all figures](tests/benchmarks/README.md))."
    )
