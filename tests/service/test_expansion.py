"""What the service adds to prompts, and what it leaves alone."""

from __future__ import annotations

import base64
import io
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from odyssey_nb.service.expansion import KEEPS, RICH, expand, expand_update, tidy
from odyssey_nb.service.worlds.landscape.prompt import understand
from odyssey_nb.service.worlds.landscape.scene import Place, Scene
from tests.conftest import API_KEY
from tests.contact_sheet import PROMPTS
from tests.service.raw_client import RawClient

if TYPE_CHECKING:
    from tests.conftest import Serve

MOST_ADDED = 200  # characters
BOTH = pytest.mark.parametrize("function", [expand, expand_update])
SCENES = (Scene(), Scene(place=Place.FOREST, hour=6.2, rain=0.6, fog=0.6, wind=0.5))


@pytest.mark.parametrize(
    ("prompt", "expanded"),
    [
        (
            " a red\n house ",
            "a red house. Photorealistic and finely detailed, a wide shot from eye level,"
            " natural light.",
        ),
        (
            "a misty forest at dawn",
            "a misty forest at dawn. Photorealistic and finely detailed, a wide shot from eye"
            " level.",
        ),
        ("an anime city at night!", "an anime city at night! A wide shot from eye level."),
        ("close-up watercolor of a lamp, backlit", "close-up watercolor of a lamp, backlit"),
        (
            "a cat, drawn at noon. Negative prompt: text, blur",
            "a cat, drawn at noon. A wide shot from eye level. Negative prompt: text, blur",
        ),
    ],
)
def test_what_is_missing_is_added(prompt: str, expanded: str) -> None:
    """Style, camera and light are said once, by the author or by us; never both."""
    assert expand(prompt) == expanded


def test_steering_keeps_the_scene() -> None:
    """A prompt that steers is told to leave everything else alone."""
    assert expand_update("it  is snowing") == f"it is snowing. {KEEPS}"


@BOTH
def test_rich_prompts_are_left_alone(function) -> None:
    """Whoever describes everything gets what they describe."""
    prompt = " ".join(f"word{number}" for number in range(RICH))
    assert function(prompt) == prompt


@BOTH
@given(prompt=st.text() | st.sampled_from(PROMPTS))
def test_nothing_is_lost_or_said_twice(function, prompt: str) -> None:
    """Every word stays in its order, little is added, and expanding again adds nothing."""
    expanded = function(prompt)
    assert expanded == tidy(expanded)
    rest = iter(expanded.split())
    assert all(
        any(word in (other, other.rstrip(".")) for other in rest) for word in tidy(prompt).split()
    )
    assert len(expanded) <= len(prompt) + MOST_ADDED
    assert function(expanded) == expanded


@pytest.mark.parametrize("prompt", PROMPTS)
def test_landscapes_understand_the_same(prompt: str) -> None:
    """What is added means nothing to the landscape: neither its scene nor its quirk changes."""
    for scene in SCENES:
        assert understand(expand(prompt), scene) == understand(prompt, scene)
        assert understand(expand_update(prompt), scene) == understand(prompt, scene)


async def test_clients_and_recordings_hear_what_was_applied(serve: Serve) -> None:
    """A landscape's prompts are expanded, over its image too; what was given is written down."""
    service = serve(world="landscape")
    file = io.BytesIO()
    Image.new("RGB", (320, 176), (200, 60, 40)).save(file, "PNG")
    url = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    async with RawClient.connected(service.url, API_KEY) as client:
        assert client.reservation.grant["capabilities"] == {"image_to_video": True}
        await client.post(
            {"type": "interactive_stream_start", "prompt": "a  red wall", "portrait": False,
             "input_image_base64": url}
        )  # fmt: skip
        started = await client.hear()
        assert started["applied_prompt"] == expand("a red wall")
        pixel = (await client.picture()).to_ndarray(format="rgb24")[350, 640]
        assert abs(pixel.astype(int) - (200, 60, 40)).max() < 25
        client.send({"type": "update", "prompt": "it is night"})
        assert (await client.hear())["prompt"] == expand_update("it is night")
        await client.end()
    (events,) = (service.data_dir / "media").glob(f"{started['stream_id']}/events.jsonl")
    said = [json.loads(line) for line in events.read_text().splitlines()]
    assert [(each["prompt"], each["applied_prompt"]) for each in said if "prompt" in each] == [
        ("a  red wall", expand("a red wall")),
        ("it is night", expand_update("it is night")),
    ]
