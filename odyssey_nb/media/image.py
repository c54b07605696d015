"""Still images: read what strangers send without harm, and fit it to the size of a stream."""

from __future__ import annotations

import base64
import io
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from odyssey_nb.errors import ImageError
from odyssey_nb.wire.stream import LANDSCAPE, LARGEST_IMAGE, PORTRAIT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Source = str | Path | bytes | Image.Image | NDArray[Any]

MOST_PIXELS: Final = 64_000_000  # a few megabytes can claim any size; decoding this takes 0.3 GB
# What the protocol documents; Pillow reads more, some of it by running other programs.
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF", "HEIF")
_QUALITY: Final = 90  # of the JPEG that is sent where pixels were scaled anyway
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
    if len(data) > LARGEST_IMAGE:
        raise ImageError(
            f"the image has {len(data) / 2**20:.1f} MiB, more than {LARGEST_IMAGE // 2**20}",
            hint="Send it smaller; it is shown in the size of the stream anyway.",
        )
    return fit(_decoded(data, max(width, height)), width, height)


def pack(source: Source, *, portrait: bool) -> str:
    """Return `source` as the data URL of an image of a stream's size.

    Scaled here, a photo of forty megapixels travels small. One that has the size already travels as
    PNG and keeps every pixel. A data URL is returned as it is.

    Args:
        source: A path, the bytes of a file, a PIL image, or an array of shape (height, width, 3):
            uint8, or floats from 0 to 1.
        portrait: Which of the two sizes.

    Raises:
        ImageError: It cannot be read, or is none of these.
    """
    if isinstance(source, str) and source.startswith("data:"):
        return source
    size = PORTRAIT if portrait else LANDSCAPE
    image = _opened(source, max(size))
    fitted, file = fit(image, *size), io.BytesIO()
    kind = "PNG" if image.size == size else "JPEG"
    fitted.save(file, kind, quality=_QUALITY)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


def _opened(source: Source, side: int) -> Image.Image:
    match source:
        case Image.Image():
            try:
                source.load()
            except OSError as error:  # opened by the caller, and read only now
                raise ImageError("the image is damaged or cut off") from error
            return source
        case np.ndarray():
            return _painted(source)
        case bytes():
            return _decoded(source, side)
        case str() | Path():
            try:
                data = Path(source).expanduser().read_bytes()
            except OSError as error:
                why = error.strerror or "it cannot be read"
                raise ImageError(f"no image at {str(source)!r}: {why}") from error
            return _decoded(data, side)
    raise ImageError(
        f"a {type(source).__name__} is no image",
        hint="Pass a path, bytes, a PIL image or an array (height, width, 3).",
    )


def _painted(array: NDArray[Any]) -> Image.Image:
    if array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise ImageError(f"an image is an array (height, width, 3), not {array.shape}")
    if array.dtype.kind == "f":
        if not (np.isfinite(array).all() and array.min() >= 0.0 and array.max() <= 1.0):
            raise ImageError("an image of floats has values from 0 to 1")
        array = np.rint(array * 255.0).astype(np.uint8)
    if array.dtype != np.uint8:
        raise ImageError(f"an image is of uint8, or of floats from 0 to 1, not of {array.dtype}")
    return Image.fromarray(np.ascontiguousarray(array))


def _decoded(data: bytes, side: int) -> Image.Image:
    """Return the image in a file's bytes; a JPEG may come smaller, with sides of `side` or more."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=readable())
        _check_pixels(image)
        # A JPEG can be decoded at a fraction of its size, as long as that is enough.
        image.draft("RGB", (side, side))
        image.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError("the image has far too many pixels", hint=_TOO_LARGE) from error
    except UnidentifiedImageError as error:
        known = readable()
        more = "" if "HEIF" in known else ", or install odyssey-nb[heif] to read HEIC"
        raise ImageError(
            f"this is no image that can be read here ({', '.join(known)})",
            hint=f"Save it as JPEG or PNG{more}.",
        ) from error
    except ImageError:
        raise
    except Exception as error:  # a decoder meets a stranger's bytes, and may raise anything
        raise ImageError("the image is damaged or cut off", hint="Save it again.") from error
    return image


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
