"""Metrics of pictures whose answers are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from odyssey_nb.errors import UsageError
from odyssey_nb.media.clip import Clip
from odyssey_nb.research import metrics
from odyssey_nb.research.metrics.series import student
from odyssey_nb.service.worlds.landscape import Landscape
from odyssey_nb.wire.link import Happening
from tests.contact_sheet import planes, rgb

NOISE = np.random.default_rng(1).integers(0, 256, (40, 60, 3), np.uint8)
CALM = st.integers(2, 30)


def plain(levels: list[float]) -> np.ndarray:
    """Pictures of one grey each."""
    return np.stack([np.full((20, 30, 3), round(level), np.uint8) for level in levels])


def rolled(count: int, step: int) -> np.ndarray:
    """A detailed picture that moves so many columns each time."""
    return np.stack([np.roll(NOISE, step * number, axis=1) for number in range(count)])


@given(CALM)
def test_a_still_picture(count: int) -> None:
    """Nothing moves, flickers or drifts, and it is as sharp and colourful as one of it."""
    pictures = rolled(count + 1, 0)
    assert metrics.motion(pictures).mean == 0
    assert metrics.flicker(pictures).mean == pytest.approx(0, abs=1e-4)
    assert metrics.drift(pictures).values == pytest.approx(1)
    assert metrics.return_to_start(pictures) == pytest.approx(1)
    assert len(metrics.sharpness(pictures)) == count + 1


def test_what_moves_more_has_more_motion() -> None:
    """A slower pan of smooth pictures counts less, and light that changes everywhere nothing."""
    wave = (128 + 100 * np.sin(np.arange(240) / 12)).astype(np.uint8)
    smooth = np.repeat(np.tile(wave, (40, 1))[..., None], 3, axis=2)
    pans = [np.stack([np.roll(smooth, n * step, axis=1) for n in range(8)]) for step in (1, 3)]
    slow, fast = (metrics.motion(each).mean for each in pans)
    assert 0 < slow < fast
    assert metrics.motion(plain([10, 60, 110])).mean == 0


def test_flicker_is_what_is_off_the_middle() -> None:
    """Even brightening does not flicker; an alternation of ten levels does by ten."""
    assert metrics.flicker(plain([0, 20, 40, 60])).values == pytest.approx(0, abs=1e-3)
    assert metrics.flicker(plain([100, 110, 100, 110])).values == pytest.approx(10, abs=1e-3)


def test_appearance_of_known_pictures() -> None:
    """A plain grey has neither detail nor colour; red and an edge are as their formulas say."""
    grey = plain([90, 90])
    assert metrics.sharpness(grey).mean == 0
    assert metrics.colour(grey).mean == 0
    red = np.zeros((1, 8, 8, 3), np.uint8)
    red[..., 0] = 255
    assert metrics.colour(red).mean == pytest.approx(0.3 * 255 * math.sqrt(1.25), rel=1e-5)
    edge = np.zeros((1, 10, 10, 3), np.uint8)
    edge[:, :, 5:] = 100  # Sobel gives 4 times the step in two columns of eight
    expected = 400 * math.sqrt(0.25 * 0.75)
    assert metrics.sharpness(edge).mean == pytest.approx(expected, rel=1e-5)


def test_a_world_that_forgets() -> None:
    """Likeness falls with distance where every second brings another place, and else does not."""
    rng = np.random.default_rng(2)
    places = rng.integers(0, 256, (6, 14, 24, 3)).astype(np.uint8)
    forgets = np.repeat(places, 20, axis=0)
    found = metrics.coherence(forgets, lags=[0.1, 1.0, 2.0])
    assert found.likeness[0].mean > 0.85
    assert abs(found.likeness[1].mean) < 0.2
    keeps = metrics.coherence(np.repeat(places[:1], 120, axis=0), lags=[0.1, 5.0, 100.0])
    assert keeps.lags.tolist() == [0.1, 5.0]
    assert [each.mean for each in keeps.likeness] == pytest.approx([1, 1])


def test_a_way_that_leads_back() -> None:
    """There and back is 1, there only is 0, and half-way between is between."""
    there = rolled(20, 1)
    assert metrics.return_to_start(np.concatenate([there, there[::-1]]), seconds=0) == 1
    assert metrics.return_to_start(there[:10], seconds=0) < 0.5


def test_the_pace() -> None:
    """An even pace has no jitter; a pause of half a second is one freeze, as browsers count it."""
    even = np.arange(100) / 20
    steady = metrics.pacing(even)
    assert (steady.fps, steady.freezes) == (pytest.approx(20), ())
    assert steady.jitter == pytest.approx(0, abs=1e-9)
    paused = np.concatenate([even[:50], even[50:] + 0.5])
    found = metrics.pacing(paused)
    assert [round(length, 2) for _, length in found.freezes] == [0.55]
    assert found.frozen == pytest.approx(0.55)


def test_students_interval() -> None:
    """The table's 12.706, 2.262 and 1.984 for 1, 9 and 99 degrees of freedom."""
    for freedom, expected in ((1, 12.706), (9, 2.262), (99, 1.984)):
        assert student(freedom, 0.95) == pytest.approx(expected, abs=2e-3)
    found = metrics.Estimate.of([1.0, 2.0, 3.0])
    assert found.mean == 2
    assert found.high - 2 == pytest.approx(4.303 / math.sqrt(3), rel=1e-3)
    assert metrics.Estimate.of([5.0]).high == math.inf


def test_intervals_hold() -> None:
    """Of 400 intervals of ten normal values, about 95 in 100 have the mean in them."""
    rng = np.random.default_rng(3)
    hits = sum(
        each.low <= 0 <= each.high
        for each in (metrics.Estimate.of(rng.normal(size=10).tolist()) for _ in range(400))
    )
    assert 0.92 <= hits / 400 <= 0.98


def test_over_repeats() -> None:
    """A metric over clips gives the mean of their means."""
    found = metrics.over(metrics.flicker, [plain([0, 10, 0]), plain([0, 30, 0])])
    assert (round(found.mean, 3), found.n) == (20, 2)


def test_a_against_b() -> None:
    """Known answers: Welch's interval and Hedges' g of Student's own sleep data."""
    one = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    other = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    found = metrics.difference(one, other)  # R: t.test(extra ~ group, data = sleep)
    assert found.mean == pytest.approx(1.58)
    assert (found.low, found.high) == pytest.approx((-0.2054832, 3.3654832), abs=1e-4)
    assert found.effect == pytest.approx(0.8322 * (1 - 3 / 71), abs=1e-3)
    assert not found.clear
    drawn = metrics.difference(one, other, method="bootstrap")
    assert (drawn.low, drawn.high) == pytest.approx((found.low, found.high), abs=0.25)
    assert drawn == metrics.difference(one, other, method="bootstrap"), "the same every time"
    same = metrics.difference([1.0, 1.0], [2.0, 2.0])
    assert (same.low, same.high, same.effect) == (1, 1, math.inf)
    assert metrics.difference([1.0, 1.0], [1.0, 1.0]).effect == 0


@pytest.mark.parametrize("method", ["welch", "bootstrap"])
def test_differences_hold(method: str) -> None:
    """Of 100 intervals of unequal groups, about 95 in 100 have the difference in them."""
    rng = np.random.default_rng(6)
    groups = ((rng.normal(0, 1, 12), rng.normal(1, 3, 25)) for _ in range(100))
    found = [metrics.difference(*each, method=method) for each in groups]
    assert 0.88 <= sum(each.low <= 1 <= each.high for each in found) / 100 <= 0.99


def test_chance() -> None:
    """A die that shows six too often is found, a fair one is not, whatever the seed."""
    rng = np.random.default_rng(4)
    fair = rng.multinomial(600, [1 / 6] * 6)
    loaded = rng.multinomial(600, [0.14] * 5 + [0.3])
    sides = range(1, 7)
    assert metrics.calibration(dict(zip(sides, fair.tolist(), strict=True))).fair
    found = metrics.calibration(dict(zip(sides, loaded.tolist(), strict=True)))
    assert not found.fair
    assert found.p < 0.01
    biased = metrics.calibration({"left": 75, "right": 25}, {"left": 0.75, "right": 0.25})
    assert (biased.distance, biased.p) == (0, 1)


def test_chance_is_wrong_as_often_as_it_says() -> None:
    """A fair coin leaves the null band in about five of a hundred cases."""
    rng = np.random.default_rng(5)
    heads = rng.binomial(200, 0.5, size=200)
    out = sum(not metrics.calibration({"h": int(n), "t": 200 - int(n)}).fair for n in heads)
    assert out <= 20


class Filmed(Clip):
    """A clip whose pictures are given, so that nothing is encoded."""

    def __init__(self, pictures: np.ndarray, happenings: list[Happening]) -> None:
        super().__init__((), happenings)
        self._made = pictures
        self._times = tuple(number / 20 for number in range(len(pictures)))
        self._happenings = tuple(happenings)

    def resize(self, width: int | None = None, height: int | None = None) -> Clip:
        """They are small already."""
        del width, height
        return self

    def __iter__(self):
        return iter(self._made)


def responding(delay: float) -> Filmed:
    """A landscape that is told of a storm at four seconds and shows it so much later."""
    world = Landscape(width=320, height=176, prompt="a forest at noon", seed=0)
    picture, pictures = planes(320, 176), []
    for step in range(160):
        if step == round((4 + delay) * 20):
            world.steer("a storm at night")
        world.paint(picture, step=step, time=step / 20)
        pictures.append(rgb(picture))
    told = Happening(stream=1, time=4.0, kind="interact", text="a storm at night")
    return Filmed(np.stack([np.asarray(each) for each in pictures]), [told])


@pytest.mark.parametrize("delay", [0.1, 0.6])
def test_responsiveness_finds_the_delay(delay: float) -> None:
    """The first picture that differs by more than the world's own motion, to two pictures."""
    found = metrics.responsiveness(responding(delay))
    assert found.answered == 1
    assert found.delay.mean == pytest.approx(delay, abs=0.11)
    assert found.null <= 0.06


class Arrived(Filmed):
    """A clip whose pictures came 0.2 s after they were shown, every fourth 0.03 s later."""

    @property
    def arrivals(self) -> tuple[float, ...]:
        """What the network made of the times."""
        return tuple(time + 0.03 * (number % 4 == 0) for number, time in enumerate(self._times))

    @property
    def events(self) -> list[dict[str, object]]:
        """With when the prompt was sent and acknowledged."""
        return [each | {"sent": 3.91, "acknowledged": 3.97} for each in super().events]


def test_responsiveness_tells_its_parts() -> None:
    """It counts from the sending to the coming of the picture, and knows the acknowledgement."""
    filmed = responding(0.3)  # from 4.3 s on, and more from picture to picture
    arrived = Arrived(np.stack(list(filmed)), filmed._happenings)
    found = metrics.responsiveness(arrived, window=2)
    assert found.acknowledgement.mean == pytest.approx(0.06)
    assert found.prompts[0][0] == 3.91
    assert 0.39 <= found.delay.mean < 0.6
    assert found.parts["sent → acknowledged"] == pytest.approx([0.06])
    assert found.parts["acknowledged → seen"] == pytest.approx([found.delay.mean - 0.06])


@given(st.integers(0, 6), st.integers(0, 6))
@settings(max_examples=12, deadline=None)
def test_flow_is_how_far_things_move(right: int, down: int) -> None:
    """A picture that moves as a whole moves as far as it does; a plain one does not."""
    coarse = np.random.default_rng(7).integers(0, 256, (18, 24), np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((192, 144), Image.Resampling.BICUBIC))
    moved = np.roll(smooth, (down, right), axis=(0, 1))
    pair = np.repeat(np.stack([smooth, moved])[:, 8:-8, 8:-8, None], 3, axis=3)
    found = metrics.flow(pair)
    assert found.mean == pytest.approx(math.hypot(right, down), abs=0.1 + 0.1 * (right + down))
    assert metrics.flow(plain([10, 200])).mean == pytest.approx(0, abs=1e-3)


def test_a_prompt_that_does_nothing_does_not_show() -> None:
    """Without a change there is no delay."""
    found = metrics.responsiveness(responding(100), window=2)
    assert found.delays == (None,)


def test_what_cannot_be_measured() -> None:
    """Wrong pictures, too few of them, and no prompt are told in one line with a remedy."""
    for call in (
        lambda: metrics.motion(plain([1])),
        lambda: metrics.motion(np.zeros((2, 4, 4))),
        lambda: metrics.coherence(plain([1, 2]), lags=[10]),
        lambda: metrics.pacing([1.0]),
        lambda: metrics.calibration({"a": 0}),
        lambda: metrics.calibration({"a": 1}, {"b": 1.0}),
        lambda: metrics.Estimate.of([]),
        lambda: metrics.difference([1.0], [1.0, 2.0]),
        lambda: metrics.difference([1.0, math.nan], [1.0, 2.0]),
        lambda: metrics.difference([1.0, 2.0], [1.0, 2.0], level=1.0),
        lambda: metrics.responsiveness(Filmed(rolled(40, 1), [])),
    ):
        with pytest.raises(UsageError) as raised:
            call()
        assert raised.value.hint
        assert "\n" not in str(raised.value)
