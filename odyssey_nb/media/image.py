"""Still images: read what strangers send without harm, and fit it to the size of a stream."""

from __future__ import annotations

import io
import warnings
from contextlib import suppress
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

from odyssey_nb.errors import ImageError

LARGEST: Final = 25 * 1024 * 1024  # bytes of an encoded image (protocol section 6)
MOST_PIXELS: Final = 64_000_000  # a few megabytes can claim any size; decoding this takes 0.3 GB
# What the protocol documents; Pillow reads more, some of it by running other programs.
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF", "HEIF")
_TOO_LARGE: Final = f"Send at most {MOST_PIXELS // 1_000_000} million pixels."


def readable() -> list[str]:
    """Return the formats that are read here: AVIF and HEIF depend on what is installed."""
    with suppress(ImportError):
        from pillow_heif import register_heif_opener

        register_heif_opener()
    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]


def read(data: bytes, width: int, height: int) -> Image.Image:
    """Return the image in `data`, upright, in RGB and exactly `width` by `height` pixels.

    The format is told by the content, whatever label it came with. Of an animation this is the
    first picture.

    Raises:
        ImageError: It is too large, has too many pixels, is cut off or is no image.
    """
    if len(data) > LARGEST:
        raise ImageError(
            f"the image has {len(data) / 2**20:.1f} MiB, more than {LARGEST // 2**20}",
            hint="Send it smaller; it is shown in the size of the stream anyway.",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=readable())
        _check_pixels(image)
        # A JPEG can be decoded at a fraction of its size, as long as that is enough.
        image.draft("RGB", (max(width, height),) * 2)
        image.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError("the image has far too many pixels", hint=_TOO_LARGE) from error
    except UnidentifiedImageError as error:
        raise ImageError(
            f"this is no image that can be read here ({', '.join(readable())})",
            hint="Save it as JPEG or PNG.",
        ) from error
    except ImageError:
        raise
    except Exception as error:  # a decoder meets a stranger's bytes, and may raise anything
        raise ImageError("the image is damaged or cut off", hint="Save it again.") from error
    return fit(image, width, height)


def fit(image: Image.Image, width: int, height: int) -> Image.Image:
    """Return `image` upright, on black, in RGB, scaled to cover the size and cut at its centre."""
    _check_pixels(image)
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):  # 16 bits of grey, which Pillow would cut off at 255
        upright = upright.point(lambda value: value / 256, "L")
    with_alpha = "A" in upright.mode or "transparency" in upright.info
    upright = upright.convert("RGBA" if with_alpha else "RGB")
    if upright.size != (width, height):
        upright = ImageOps.fit(upright, (width, height), Image.Resampling.LANCZOS)
    if with_alpha:
        upright = Image.alpha_composite(Image.new("RGBA", upright.size, "black"), upright)
    return upright.convert("RGB")


def _check_pixels(image: Image.Image) -> None:
    if image.width * image.height > MOST_PIXELS:
        raise ImageError(f"the image has {image.width} x {image.height} pixels", hint=_TOO_LARGE)
