"""Still images from strangers: what is read, how it is fitted, and what is refused."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pillow_heif import register_heif_opener

from odyssey_nb.errors import ImageError
from odyssey_nb.media.image import MOST_PIXELS, fit, pack, read, readable
from odyssey_nb.wire.stream import LANDSCAPE, LARGEST_IMAGE, PORTRAIT

SIZE = (64, 36)  # width, height that images are fitted to
RED, GREEN, BLUE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0)
ORIENTATION = 0x0112  # the EXIF tag


def halves(size: tuple[int, int] = (80, 45)) -> Image.Image:
    """Return an image whose left half is red and whose right half is blue."""
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (size[0] // 2, 0, *size))
    return image


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """Return `image` as a file."""
    register_heif_opener()
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def is_near(pixel: object, colour: tuple[int, int, int]) -> bool:
    """Return whether a pixel has that colour, give or take what compression costs."""
    return bool(np.abs(np.array(pixel, int) - colour).max() < 40)


def claim(data: bytes, width: int, height: int) -> bytes:
    """Return the PNG `data` with another size in its header."""
    head = b"IHDR" + struct.pack(">II", width, height) + data[24:29]
    return data[:12] + head + struct.pack(">I", zlib.crc32(head)) + data[33:]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF", "HEIF"])
def test_formats(kind: str) -> None:
    """Each documented format is read, and comes out in RGB at the size that was asked for."""
    if kind not in readable():
        assert kind == "AVIF"  # Pillow reads it from 11.3 on
        return
    image = read(saved(halves(), kind), *SIZE)
    assert (image.mode, image.size) == ("RGB", SIZE)
    assert is_near(image.getpixel((8, 18)), RED)
    assert is_near(image.getpixel((56, 18)), BLUE)


@pytest.mark.parametrize(
    ("orientation", "left", "top"),
    [(1, RED, None), (2, BLUE, None), (3, BLUE, None), (6, None, RED), (8, None, BLUE)],
)
def test_orientation_is_honoured(orientation: int, left: object, top: object) -> None:
    """A photo that was taken sideways comes out upright."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    image = read(saved(halves(), "JPEG", exif=exif), 60, 60)
    if left is not None:
        assert is_near(image.getpixel((5, 30)), left)
    if top is not None:
        assert is_near(image.getpixel((30, 5)), top)


def test_cover_and_centre() -> None:
    """The image fills the size without being stretched; what is too much goes from both sides."""
    wide = Image.new("RGB", (300, 50), GREEN)
    wide.paste(RED, (125, 0, 175, 50))
    assert {fit(wide, 50, 50).getpixel((x, 25)) for x in (1, 25, 48)} == {RED}
    tall = wide.rotate(90, expand=True)
    assert {fit(tall, 50, 50).getpixel((25, y)) for y in (1, 25, 48)} == {RED}


def test_the_exact_size_is_left_alone() -> None:
    """An image of the right size keeps every pixel."""
    noise = np.random.default_rng(1).integers(0, 256, (36, 64, 3), np.uint8)
    assert np.array_equal(read(saved(Image.fromarray(noise), "PNG"), *SIZE), noise)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "1", "CMYK", "I;16"])
def test_modes(mode: str) -> None:
    """Grey, palette, print colours and 16 bits all become RGB, and nothing shows as black."""
    clear = Image.new("RGBA", SIZE, (255, 255, 255, 0))
    clear.paste((255, 255, 255, 255), (0, 0, 32, 36))
    if mode == "I;16":
        image = Image.fromarray(np.full((36, 64), 65535, np.uint16))
        image.paste(0, (32, 0, 64, 36))
    elif mode == "P":
        image = clear.quantize(4)
    else:
        flat = Image.new("RGBA", SIZE, "black")
        image = (clear if mode in {"RGBA", "LA"} else Image.alpha_composite(flat, clear)).convert(
            mode
        )
    read_again = read(saved(image, "JPEG" if mode == "CMYK" else "PNG"), *SIZE)
    assert is_near(read_again.getpixel((8, 18)), (255, 255, 255))
    assert is_near(read_again.getpixel((56, 18)), BLACK)


def test_animations_show_their_first_picture() -> None:
    """Of several pictures the first one counts."""
    later = [Image.new("RGB", SIZE, GREEN)]
    for kind in ("GIF", "WEBP", "PNG"):
        data = saved(Image.new("RGB", SIZE, RED), kind, save_all=True, append_images=later)
        assert is_near(read(data, *SIZE).getpixel((30, 18)), RED)


@pytest.mark.parametrize("side", [12_000, 10_000, 30_000])
def test_bombs_are_not_decoded(side: int) -> None:
    """A small file that claims very many pixels is refused before any is decoded."""
    assert side * side > MOST_PIXELS
    with pytest.raises(ImageError, match="pixels"):
        read(claim(saved(halves(), "PNG"), side, side), *SIZE)


def test_large_photos_are_read() -> None:
    """Forty megapixels are no bomb."""
    data = saved(Image.new("RGB", (7_700, 5_200), GREEN), "JPEG")
    assert is_near(read(data, 1280, 704).getpixel((640, 352)), GREEN)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_cut_off_files_are_refused(kind: str) -> None:
    """Half a file is refused rather than shown half grey."""
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    data = saved(Image.fromarray(noise), kind)
    with pytest.raises(ImageError):
        read(data[: len(data) // 2], *SIZE)


@pytest.mark.parametrize(
    "data", [b"", b"text", b"\x89PNG\r\n\x1a\n", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9"]
)
def test_other_content_is_refused(data: bytes) -> None:
    """What is no image is refused with the formats that are read; PostScript is never run."""
    with pytest.raises(ImageError, match="JPEG, PNG"):
        read(data, *SIZE)


def test_the_largest_file() -> None:
    """25 MiB are taken, one byte more is not."""
    data = saved(halves(), "BMP")
    image = read(data + bytes(LARGEST_IMAGE - len(data)), *SIZE)
    assert is_near(image.getpixel((8, 18)), RED)
    with pytest.raises(ImageError, match="more than 25"):
        read(data + bytes(LARGEST_IMAGE - len(data) + 1), *SIZE)


def unpacked(url: str) -> Image.Image:
    """Return the image in a data URL, as it is."""
    head, _, data = url.partition(",")
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert head == f"data:image/{image.format.lower()};base64"
    return image


@pytest.mark.parametrize("portrait", [False, True])
def test_every_source_is_packed(tmp_path: Path, portrait: bool) -> None:
    """Paths, bytes, PIL images and arrays all travel in the stream's size, and look the same."""
    image, path = halves(), tmp_path / "halves.png"
    image.save(path)
    array = np.asarray(image)
    sources = (
        path,
        str(path),
        path.read_bytes(),
        image,
        array,
        array / 255,
    )
    for source in sources:
        sent = unpacked(pack(source, portrait=portrait))
        assert sent.size == (PORTRAIT if portrait else LANDSCAPE)
        assert is_near(sent.getpixel((100, 300)), RED)
        assert is_near(sent.getpixel((sent.width - 100, 300)), BLUE)


def test_exact_images_keep_every_pixel() -> None:
    """An array of the stream's size, such as a frame of another stream, travels unchanged."""
    noise = np.random.default_rng(1).integers(0, 256, (704, 1280, 3), np.uint8)
    assert np.array_equal(np.asarray(unpacked(pack(noise, portrait=False))), noise)


def test_photos_travel_small_and_upright(tmp_path: Path) -> None:
    """A large photo taken sideways is turned and scaled before it is sent, whatever its bytes."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # its left side belongs to the top
    data = saved(halves((6_000, 4_000)), "JPEG", exif=exif)
    path = tmp_path / "photo.jpg"
    path.write_bytes(data + bytes(LARGEST_IMAGE))  # too large to be sent, but it is not
    for source in (path, Image.open(io.BytesIO(data))):
        url = pack(source, portrait=True)
        assert len(url) < 200_000
        assert is_near(unpacked(url).getpixel((352, 100)), RED)
        assert is_near(unpacked(url).getpixel((352, 1180)), BLUE)


def test_data_urls_are_left_alone() -> None:
    """What is packed already is not packed again."""
    assert pack("data:image/png;base64,AAAA", portrait=True) == "data:image/png;base64,AAAA"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("no/such/file.png", "no image at 'no/such/file.png': No such file"),
        (Path(__file__), "no image that can be read"),
        (b"text", "no image that can be read"),
        (12, "a int is no image"),
        (np.zeros((4, 4), np.uint8), r"not \(4, 4\)"),
        (np.zeros((4, 4, 4), np.uint8), r"not \(4, 4, 4\)"),
        (np.zeros((0, 4, 3), np.uint8), r"not \(0, 4, 3\)"),
        (np.zeros((4, 4, 3), np.int64), "not of int64"),
        (np.full((4, 4, 3), 255.0), "from 0 to 1"),
        (np.full((4, 4, 3), np.nan), "from 0 to 1"),
        (Image.open(io.BytesIO(saved(halves(), "PNG")[:100])), "damaged"),
        (Image.new("1", (9_000, 9_000)), "9000 x 9000"),
    ],
    ids=range(12),
)
def test_what_is_no_image_is_refused(source: object, words: str) -> None:
    """A typed error says what is wrong with it, before anything is sent."""
    with pytest.raises(ImageError, match=words):
        pack(source, portrait=False)  # type: ignore[arg-type]
