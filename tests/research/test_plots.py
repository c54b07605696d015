"""Plots, by what is drawn in them."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba_array
from PIL import Image

from odyssey_nb.errors import UsageError
from odyssey_nb.media.clip import Clip
from odyssey_nb.research import metrics, plots
from odyssey_nb.wire.link import Happening
from tests.media.colours import BEGAN, COUNT, HEIGHT, RATE, WIDTH, coloured

PROMPTS = ("a sea for $5", "heavy snow", "night falls")
RUNS = [
    {"wind": wind, "weather": weather, "motion": wind * (2 if weather == "snow" else 1)}
    for wind in (10, 2.5)
    for weather in ("sun", "snow")
]


@pytest.fixture(autouse=True, scope="module")
def backend() -> Iterator[None]:
    """Draw without a screen, in matplotlib's own style, and leave no figure behind."""
    with mpl.rc_context(mpl.rcParamsDefault):
        mpl.use("agg")
        yield
    plt.close("all")


@pytest.fixture(scope="module")
def clip() -> Clip:
    """A clip of three prompts and a mark."""
    said = ((0, "start", PROMPTS[0]), (8, "interact", PROMPTS[1]), (11, "mark", "odd!"))
    said = (*said, (15, "interact", PROMPTS[2]))
    return Clip(
        coloured(),
        [
            Happening(stream=2, time=round(BEGAN + step / RATE, 3), kind=kind, text=text)
            for step, kind, text in said
        ],
    )


def drawn(ax: Axes) -> np.ndarray:
    """What the figure of `ax` looks like: (height, width, 4)."""
    out = io.BytesIO()
    ax.figure.savefig(out, format="png")
    return np.asarray(Image.open(out).convert("RGBA"))


def words(ax: Axes) -> list[str]:
    """What is written among the data."""
    return [each.get_text() for each in ax.texts]


def test_latency_and_its_parts() -> None:
    """Each interaction is a dot in the row of its part, in milliseconds, with the mean beside."""
    found = metrics.Response(
        prompts=((1.0, "a"), (2.0, "b"), (3.0, "c")),
        delays=(0.3, 0.5, None), null=0.05, moments=100, acknowledged=(0.1, 0.1, 0.2),
    )  # fmt: skip
    ax = plots.latency(found)
    rows = [each.get_text() for each in ax.get_yticklabels()]
    assert rows == ["sent → acknowledged", "acknowledged → seen", "sent → seen"]
    dots = {each.get_label(): each.get_xdata() for each in ax.lines if each.get_marker() == "o"}
    assert dots["sent → seen"] == pytest.approx([300, 500])
    assert dots["acknowledged → seen"] == pytest.approx([200, 400])
    assert words(ax) == ["133 ms", "300 ms", "400 ms"]
    assert "milliseconds" in ax.get_xlabel()
    assert ax.get_xlim()[0] == 0
    drawn(ax)
    unknown = metrics.Response(((1.0, "a"),), (0.3,), 0.05, 100)
    assert list(unknown.parts) == ["applied → seen"]
    assert words(plots.latency(unknown)) == ["300 ms"]


def test_the_pace_with_its_prompts(clip: Clip) -> None:
    """Every gap is a dot, a pause is a freeze, and prompts and marks stand where they were."""
    ax = plots.pacing(clip)
    (dots,) = (each for each in ax.lines if each.get_marker() == ".")
    assert dots.get_ydata() == pytest.approx(1000 * np.diff(clip.times))
    assert ax.get_ylabel() == "between pictures (ms)"
    legend = [each.get_text() for each in ax.get_legend().get_texts()]
    assert legend[0] == "20.0 pictures per second"
    marks = [each.get_xdata()[0] for each in ax.lines if each.get_linestyle() in {"--", ":"}]
    assert marks == pytest.approx([each["time"] for each in clip.events if each["type"] != "start"])
    assert words(ax)[0].strip(" …").startswith("a sea")
    assert any("snow" in each for each in words(ax))
    drawn(ax)
    frozen = plots.pacing([*np.arange(20) / 20, 3.0])
    assert [each.get_text() for each in frozen.get_legend().get_texts()][-1] == "1 freeze"


def test_a_metric_over_time(clip: Clip) -> None:
    """The line is the series, its axis says what and in which unit, and two share one figure."""
    found = metrics.motion(clip.frames)
    ax = plots.series(found)
    assert ax.get_ylabel() == "motion (grey levels)"
    assert ax.lines[0].get_ydata() == pytest.approx(found.values)
    assert plots.series(metrics.sharpness(clip), clip, ax=ax) is ax
    assert ax.get_xlim()[0] == pytest.approx(clip.times[0])
    assert len(words(ax)) >= 2


def test_likeness_against_distance() -> None:
    """Lags are ticks, and a lag with one stretch has a point without a bar."""
    pictures = np.random.default_rng(1).integers(0, 256, (60, 28, 48, 3), np.uint8)
    found = metrics.coherence(pictures, lags=[0.5, 2.0])
    ax = plots.coherence(found, label="noise")
    assert [each.get_text() for each in ax.get_xticklabels()] == ["0.5", "2"]
    assert ax.get_xlabel() == "apart (s)"
    assert ax.get_legend().get_texts()[0].get_text() == "noise"
    assert np.isfinite(ax.dataLim.get_points()).all()
    drawn(ax)


def test_a_metric_by_segment(clip: Clip) -> None:
    """Each prompt is a column: with repeats a dot for each and an interval, else its pictures."""
    ax = plots.segments(metrics.colour, [clip, clip.resize(64)])
    assert [each.get_text() for each in ax.get_xticklabels()] == [
        r"a sea for \$5", "heavy snow", "night falls",
    ]  # fmt: skip
    dots = [each for each in ax.lines if each.get_marker() == "o"]
    assert [len(each.get_xdata()) for each in dots] == [2, 2, 2]
    means = [each.get_ydata()[0] for each in ax.lines if each.get_marker() == "D"]
    assert means == pytest.approx([np.mean(each.get_ydata()) for each in dots])
    assert len(ax.containers) == 3
    assert "over 2 clips" in ax.get_xlabel()
    single = plots.segments(metrics.colour, clip)
    counts = [len(each.get_xdata()) for each in single.lines if each.get_marker() == "."]
    assert counts == [8, 7, 10]
    assert "one clip" in single.get_xlabel()
    drawn(single)


def test_a_filmstrip(clip: Clip) -> None:
    """Pictures are side by side on the clock of the clip, in their own shape."""
    ax = plots.filmstrip(clip, 5)
    assert len(ax.images) == 5
    edges = [each.get_extent() for each in ax.images]
    assert edges[0][0] == pytest.approx(clip.times[0])
    assert edges[-1][1] == pytest.approx(clip.times[-1])
    assert all(one[1] == pytest.approx(two[0]) for one, two in pairwise(edges))
    middle = clip.resize(height=240).at((edges[1][0] + edges[1][1]) / 2)
    assert np.array_equal(ax.images[1].get_array(), middle)
    drawn(ax)
    box = ax.get_window_extent()
    assert box.width / box.height == pytest.approx(5 * WIDTH / HEIGHT, rel=0.02)
    assert len(plots.filmstrip(clip[: BEGAN + 0.1], 24).images) == 2
    assert len(clip) == COUNT


def test_a_heat_map_of_a_sweep() -> None:
    """Cells are means, numbers in order and words as they came; what failed stays clear."""
    again = {"wind": 10, "weather": "sun", "motion": 14}
    failed = {"wind": 99, "weather": "sun", "motion": None, "error": "it broke"}
    ax = plots.heatmap([*RUNS, again, failed], "weather", "wind", "motion", label="motion (grey)")
    assert [each.get_text() for each in ax.get_xticklabels()] == ["sun", "snow"]
    assert [each.get_text() for each in ax.get_yticklabels()] == ["2.5", "10", "99"]
    shown = ax.images[0].get_array()
    assert shown[:2].tolist() == [[2.5, 5.0], [12.0, 20.0]]
    assert shown.mask[2].all()
    assert words(ax) == ["2.5\nn=1", "5\nn=1", "12\nn=2", "20\nn=1"]
    assert ax.figure.axes[1].get_ylabel() == "motion (grey)"
    drawn(ax)

    class Frame(list[dict[str, object]]):
        """What a data frame has of interest here."""

        def to_dict(self, how: str) -> list[dict[str, object]]:
            """The rows as mappings."""
            assert how == "records"
            return list(self)

    rows = [{"x": ["a", "list"], "y": True, "v": metrics.Estimate.of([1.0, 2.0])}]
    assert words(plots.heatmap(Frame(rows), "x", "y", "v")) == ["1.5"]


def test_a_against_b() -> None:
    """Both groups, the difference with its interval, and an axis that has 0 at the first's mean."""
    a, b = [1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 9.0]
    ax = plots.difference(a, b, names=("calm", "stormy"), label="motion (grey levels)")
    found = metrics.difference(a, b)
    assert [each.get_text() for each in ax.get_xticklabels()] == ["calm", "stormy", "difference"]
    (right,) = ax.child_axes
    assert right.get_ylabel() == "stormy less calm"
    drawn(ax)
    shift = np.subtract(ax.get_ylim(), right.get_ylim())
    assert shift == pytest.approx([2.0, 2.0])
    diamonds = [each.get_xydata()[0].tolist() for each in ax.lines if each.get_marker() == "D"]
    assert diamonds == [[0, 2], [1, 6], [2, pytest.approx(2 + found.mean)]]
    assert f"{found.mean:+.3g}" in ax.get_title()
    assert "n = 3 and 4" in ax.get_title()


def test_on_any_page(clip: Clip) -> None:
    """A figure of ours is clear with grey ink; in a style that was chosen, the style rules."""
    ours = plots.pacing(clip)
    picture = drawn(ours)
    assert picture[0, 0, 3] == 0
    ticks = [
        each.get_color() for axis in (ours.xaxis, ours.yaxis) for each in axis.get_ticklabels()
    ]
    light = to_rgba_array(ticks)[:, :3] @ (0.299, 0.587, 0.114) > 0.5
    assert light.any() > light.all(), "Jupyter puts a box behind figures whose ticks are alike"
    for page in (255, 17):
        over = picture[..., :3] * (picture[..., 3:] / 255) + page * (1 - picture[..., 3:] / 255)
        assert np.abs(over - page).max() > 100, "something is seen"
    with plt.style.context("dark_background"):
        ax = plots.pacing(clip)
        assert ax.xaxis.label.get_color() == "white"
        assert drawn(ax)[0, 0].tolist() == [0, 0, 0, 255]
    _, given = plt.subplots()
    colour = given.xaxis.label.get_color()
    assert plots.pacing(clip, ax=given) is given
    assert given.xaxis.label.get_color() == colour


def test_a_notebook_shows_every_figure() -> None:
    """The first figure of a kernel may be ours: Jupyter's backend stays as it set itself up."""
    code = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "InteractiveShell.instance()\n"
        "from odyssey_nb import plots\n"
        "plots.pacing([0.0, 0.1, 0.2])\n"
        "from matplotlib import pyplot\n"
        "print(pyplot.isinteractive())"
    )
    backend = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | backend, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout.strip().endswith("True"), done.stdout + done.stderr


def test_what_cannot_be_drawn(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing to draw, wrong names and a missing library are told in one line with a remedy."""
    nothing = metrics.Response(((1.0, "a"),), (None,), 0.05, 100)
    empty = metrics.Series("motion", "levels", np.empty(0), np.empty(0))
    many = [{"x": n, "y": 1, "v": 1} for n in range(50)]
    calls = [
        lambda: plots.latency(nothing),
        lambda: plots.pacing([1.0]),
        lambda: plots.series(empty),
        lambda: plots.segments(metrics.colour, []),
        lambda: plots.filmstrip(Clip([])),
        lambda: plots.filmstrip(clip, 0),
        lambda: plots.heatmap([], "x", "y", "v"),
        lambda: plots.heatmap(RUNS, "wind", "colour", "motion"),
        lambda: plots.heatmap([["wind"]], "wind", "weather", "motion"),
        lambda: plots.heatmap([{"x": 1, "y": 1, "v": "none"}], "x", "y", "v"),
        lambda: plots.heatmap(many, "x", "y", "v"),
        lambda: plots.difference([1.0], [1.0, 2.0]),
        lambda: plots.difference([1.0, 2.0], [1.0, 2.0], method="guess"),
        lambda: plots.pacing(clip, ax=3),
    ]
    for call in calls:
        with pytest.raises(UsageError) as raised:
            call()
        assert raised.value.hint
        assert "\n" not in raised.value.one_line()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match="need matplotlib"):
        plots.pacing(clip)
