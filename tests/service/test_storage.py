"""Signed URLs open what they were signed for, and only for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from odyssey_nb.service.storage import Storage

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "the secret of a test"


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """A storage with one file, at second 1000."""
    storage = Storage(tmp_path / "media", SECRET, clock=lambda: 1000.0)
    folder = storage.folder("stream-1")
    folder.mkdir()
    (folder / "video.mp4").write_bytes(b"a video")
    (tmp_path / "outside").write_text("not for anybody")
    return storage


def asked(url: str) -> tuple[str, str, str, str]:
    """Take a URL apart as the route does: stream, file, expiry, signature."""
    parts = urlsplit(url)
    _, _, stream_id, name = parts.path.split("/")
    query = parse_qs(parts.query)
    return stream_id, name, query["expires"][0], query["signature"][0]


def test_a_signed_url_opens_its_file(storage: Storage) -> None:
    """Until it expires, and not a second longer."""
    found = asked(storage.signed("stream-1", "video.mp4", seconds=60))
    opened = storage.open(*found)
    assert opened is not None
    assert opened.read_bytes() == b"a video"
    for now, good in ((1059.9, True), (1060.0, False)):
        later = Storage(storage.root, SECRET, clock=lambda now=now: now)
        assert (later.open(*found) is not None) is good
    assert Storage(storage.root, "another secret").open(*found) is None
    assert storage.size("stream-1") == 7


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(part=st.integers(0, 3), text=st.text(max_size=80))
def test_nothing_else_opens_anything(storage: Storage, part: int, text: str) -> None:
    """Another stream, file, expiry or signature than was signed is refused, whatever it is."""
    found = list(asked(storage.signed("stream-1", "video.mp4", seconds=60)))
    assume(text != found[part])
    found[part] = text
    assert storage.open(*found) is None


@pytest.mark.parametrize("name", ["../outside", "..", ".", "", "a/b", "/etc/passwd", ".hidden"])
def test_names_stay_inside(storage: Storage, name: str) -> None:
    """Not even a signature of our own leads out of a stream's folder, and no id does."""
    assert storage.open(*asked(storage.signed("stream-1", "x", seconds=9))[:1], name, "1009",
                        storage._signature("stream-1", name, 1009)) is None  # fmt: skip
    with pytest.raises(ValueError, match="no stream id"):
        storage.folder(name)


def test_deleting(storage: Storage) -> None:
    """Everything of a stream goes, and again is no error."""
    storage.delete("stream-1")
    storage.delete("stream-1")
    assert not storage.folder("stream-1").exists()
    assert storage.size("stream-1") == 0
