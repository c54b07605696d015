"""Paints a contact sheet of landscapes: ``python -m tests.contact_sheet OUT.jpg``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from odyssey_nb.service.worlds.base import Planes
from odyssey_nb.service.worlds.landscape import Landscape

PROMPTS: Final = (
    "dawn over misty mountains",
    "a meadow on a sunny morning",
    "noon in the desert",
    "sunset over the sea",
    "the city at dusk",
    "a forest on a moonlit night",
    "heavy snow in the forest",
    "light rain over the city at night",
    "a storm over the sea",
    "dense fog in the forest at dawn",
    "autumn forest in the afternoon",
    "spring meadow with flowers",
    "golden hour in the mountains",
    "a lake at sunrise",
    "desert under the stars",
    "a clear day at the sea",
    "winter mountains at noon",
    "a red desert at sunset",
    "thunderstorm over the plains at night",
    "a quiet lake at dusk",
    "cloudy autumn hills",
    "a clear morning in the city",
    "moonlit sea",
    "a blizzard in the mountains",
)
LIGHTNING: Final = {8: 3.63, 18: 3.98}  # when it strikes, for the prompts with these numbers
COLUMNS: Final = 6
TILE: Final = (320, 176)
CAPTION: Final = 18  # pixels under each tile


def planes(width: int, height: int) -> Planes:
    """Return the planes of a picture nobody has painted yet."""
    return Planes(
        y=np.zeros((height, width), np.uint8),
        u=np.zeros((height // 2, width // 2), np.uint8),
        v=np.zeros((height // 2, width // 2), np.uint8),
    )


def rgb(picture: Planes) -> Image.Image:
    """Return `picture` as an image in sRGB."""
    y = (picture.y.astype(np.float32) - 16.0) * (255.0 / 219.0)
    u, v = (
        (plane.repeat(2, axis=0).repeat(2, axis=1).astype(np.float32) - 128.0) * (255.0 / 224.0)
        for plane in (picture.u, picture.v)
    )
    mixed = np.stack([y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u], axis=2)
    return Image.fromarray(np.clip(np.rint(mixed), 0, 255).astype(np.uint8))


def photograph(
    prompt: str, *, width: int = 1280, height: int = 704, seed: int = 7, time: float = 3.0
) -> Image.Image:
    """Return the landscape of `prompt`, `time` seconds after it began."""
    world = Landscape(width=width, height=height, prompt=prompt, seed=seed)
    picture = planes(width, height)
    world.paint(picture, step=0, time=0.0)
    world.paint(picture, step=1, time=time)
    return rgb(picture)


def contact_sheet() -> Image.Image:
    """Return all prompts' landscapes side by side, with captions."""
    width, height = TILE
    rows = -(-len(PROMPTS) // COLUMNS)
    sheet = Image.new(
        "RGB", (COLUMNS * (width + 4) + 4, rows * (height + CAPTION + 4) + 4), "white"
    )
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(12)
    for number, prompt in enumerate(PROMPTS):
        x = 4 + number % COLUMNS * (width + 4)
        y = 4 + number // COLUMNS * (height + CAPTION + 4)
        # Painted at full size and reduced: the sheet shows what viewers see, only smaller.
        image = photograph(prompt, seed=number, time=LIGHTNING.get(number, 3.0))
        sheet.paste(image.resize(TILE, Image.Resampling.LANCZOS), (x, y))
        draw.text((x + 2, y + height + 1), prompt, fill=(60, 60, 60), font=font)
    return sheet


if __name__ == "__main__":
    contact_sheet().save(Path(sys.argv[1]), quality=88, optimize=True)
