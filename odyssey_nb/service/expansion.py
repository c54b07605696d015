"""Prompt expansion: says what a terse prompt leaves open, as the cloud's language model does.

The same text always becomes the same text, and nothing the author wrote is changed or left out. A
prompt is best made of subject, surroundings, style, camera and light (protocol section 15): of the
last three, those that the author did not mention are added in one short sentence. Prompts that
steer describe what shall be rather than what shall happen, so they gain a sentence that holds on to
everything else.
"""

from __future__ import annotations

import re
from typing import Final

RICH: Final = 30  # words; whoever writes so many has said what matters
# What is added for each aspect, and the words by which an author has spoken of it already.
_STYLE: Final = (
    "Photorealistic and finely detailed",
    "photo photograph photorealistic photographic realistic realism cinematic film movie"
    " painting painted watercolor watercolour oil acrylic gouache pastel ink sketch drawing drawn"
    " pencil charcoal illustration illustrated cartoon anime manga comic ghibli pixel voxel"
    " lowpoly 3d render rendered cgi unreal animation animated stylized stylised style styled"
    " abstract surreal impressionist impressionism noir vintage retro monochrome detailed"
    " claymation clay origami lego minecraft engraving woodcut mosaic",
)
_CAMERA: Final = (
    "a wide shot from eye level",
    "shot camera lens closeup close-up close angle view aerial drone overhead pov eye"
    " perspective panorama panoramic wide telephoto macro fisheye mm zoom tracking dolly pan"
    " panning handheld first-person third-person seen from above below",
)
_LIGHT: Final = (
    "natural light",
    "light lights lit lighting sun sunlight sunlit sunny sunshine sunrise sunset dawn dusk noon"
    " midday morning afternoon evening night midnight twilight moon moonlight moonlit starlight"
    " stars golden blue hour backlit neon candle candlelight firelight lamp glow glowing shade"
    " shadow shadows dark darkness dim bright day daylight overcast",
)
_ASPECTS: Final = tuple(
    (text, frozenset(words.split())) for text, words in (_STYLE, _CAMERA, _LIGHT)
)
KEEPS: Final = "The rest of the scene stays as it is."
_WORD: Final = re.compile(r"[\w-]+")
_NEGATIVE: Final = re.compile(r"\bnegative prompt\s*:", re.IGNORECASE)


def tidy(prompt: str) -> str:
    """Return `prompt` with single spaces, and none around it."""
    return " ".join(prompt.split())


def expand(prompt: str) -> str:
    """Return what the world is given for `prompt` when a stream starts; tidy at any rate."""
    prompt = tidy(prompt)
    words = _words(prompt)
    missing = [text for text, known in _ASPECTS if not known & words]
    if len(words) >= RICH or not missing:
        return prompt
    sentence = ", ".join(missing)
    return _with_sentence(prompt, f"{sentence[0].upper()}{sentence[1:]}.")


def expand_update(prompt: str) -> str:
    """Return what the world is given for a `prompt` that steers; tidy at any rate."""
    prompt = tidy(prompt)
    if len(_words(prompt)) >= RICH or KEEPS in prompt:
        return prompt
    return _with_sentence(prompt, KEEPS)


def _words(prompt: str) -> set[str]:
    return set(_WORD.findall(prompt.casefold()))


def _with_sentence(prompt: str, sentence: str) -> str:
    """Return `prompt` with one more sentence, before what it says must not be seen."""
    negative = _NEGATIVE.search(prompt)
    at = negative.start() if negative else len(prompt)
    said = prompt[:at].rstrip()
    stop = "" if not said or said[-1] in ".!?…。" else "."
    return " ".join(part for part in (said + stop, sentence, prompt[at:]) if part)
