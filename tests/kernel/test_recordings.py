"""Recordings as a cell sees them, from a real service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import pytest

import odyssey_nb as ody
from odyssey_nb import errors
from odyssey_nb.kernel.runtime import get_manager
from tests.conftest import Serve, Service, wait_until


@pytest.fixture
def service(serve: Serve) -> Service:
    """A service of its own, because recordings stay."""
    return serve()


@pytest.fixture
def recordings(service: Service) -> Iterator[object]:
    """Two streams that have left recordings behind; this process is still connected."""
    conn = ody.connect(url=service.url, api_key=service.api_key)
    for prompt in ("a forest", "a sea"):
        stream = conn.start(prompt)
        stream.frame()
        stream.interact(f"{prompt} at night")
        stream.end()
    yield wait_until(lambda: len(found := ody.recordings()) == 2 and found, what="two recordings")
    get_manager().release_all("the test is over", budget=5)


def test_a_recording_comes_home(recordings, tmp_path: Path) -> None:
    """Newest first; the MP4 plays, events are a list, the thumbnail is a picture."""
    newest, oldest = recordings
    assert newest.started > oldest.started
    path = newest.save(tmp_path / "sea.mp4")
    assert path == tmp_path / "sea.mp4"
    with av.open(str(path)) as file:
        assert sum(1 for _ in file.decode(video=0)) >= 1
    assert [each["type"] for each in newest.events()] == ["start", "interact", "end"]
    assert newest.events()[1]["prompt"] == "a sea at night"
    assert newest.thumbnail().size == (320, 176)
    assert list(tmp_path.glob("*.part")) == []
    with pytest.raises(ValueError, match=r"\.mp4"):
        newest.save(tmp_path / "sea.gif")


def test_what_a_cell_shows(recordings, service: Service) -> None:
    """A table as text and thumbnails as a page, with neither links nor keys to be saved."""
    table = repr(recordings)
    assert table.splitlines()[1].split()[1] == recordings[0].stream_id[:8]
    page = recordings._repr_html_()
    assert page.count("data:image/jpeg;base64,") == 2
    assert "alt=" in page
    for secret in ("signature", service.api_key, "http"):
        assert secret not in page + table + repr(recordings[0])


def test_deleting(recordings, service: Service) -> None:
    """A deleted recording is gone for every later call, and again is no error."""
    recordings[0].delete()
    recordings[0].delete()
    with pytest.raises(errors.NotFoundError, match="Recording not found"):
        recordings[0].events()
    assert [each.stream_id for each in ody.recordings()] == [recordings[1].stream_id]
    assert "data:image" in recordings._repr_html_(), "the one that is left is still shown"
    service.stop()
    assert recordings._repr_html_() is None, "the table will do"


def test_none_yet(service: Service) -> None:
    """An empty list says what fills it; too many at once is refused."""
    none = ody.recordings(url=service.url, api_key=service.api_key)
    assert "every stream that ends leaves one" in repr(none)
    assert none._repr_html_() is None
    with pytest.raises(ValueError, match="1 to 100"):
        ody.recordings(0)
